"""The class's board in a notebook: a table a league, and a button to look again."""

import threading
from html import escape
from pathlib import Path

import ipywidgets
from markupsafe import Markup

from qlab import challenge
from qlab.lessons.cards import Cell, element, listing
from qlab.system.text import printable
from qlab.widgets.kit import readout
from qlab.widgets.kit.css import STYLE
from qlab.widgets.kit.front_end import Pulse

CSS = """<style>
.jupyter-widgets.qlab-board { max-width: 860px; padding: 4px 2px; overflow: visible;
  color: var(--jp-ui-font-color1); }
.qlab-board .jupyter-widgets { overflow: visible; }
.qlab-board .widget-html-content { color: var(--jp-ui-font-color1); font-size: 13px;
  line-height: 1.5; overflow-x: auto; }
.qlab-board table { border-collapse: collapse; margin: 4px 0 14px; font-size: 13px;
  font-variant-numeric: tabular-nums; color: var(--jp-ui-font-color1); }
.qlab-board caption { text-align: left; font-weight: 600; font-size: 14px; padding: 4px 0;
  color: var(--jp-ui-font-color1); caption-side: top; }
.qlab-board th, .qlab-board td { padding: 2px 18px 2px 0; text-align: right; font-weight: 400;
  white-space: nowrap; }
.qlab-board thead th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color1); }
.qlab-board .qlab-who { text-align: left; font-weight: 600; white-space: normal; min-width: 150px;
  overflow-wrap: anywhere; }
.qlab-board thead .qlab-who { white-space: nowrap; }
.qlab-board small { font-weight: 400; }
.qlab-board .jupyter-button { width: auto; align-self: flex-start; padding: 0 12px;
  margin: 2px 2px 6px 0; color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border: 1px solid var(--jp-border-color1); }
.qlab-board .jupyter-button:focus-visible { outline: 2px solid var(--jp-brand-color1);
  outline-offset: 2px; }
</style>"""
HEAD = ("accuracy", "95 % interval", "submitted, UTC")
WHO = {"class_": "qlab-who"}


class ChallengeBoard(ipywidgets.VBox):
    """The board of a folder of submissions: see `qlab.challenge.board`.

    Parameters
    ----------
    folder : path-like
    test : object with ``images`` and ``labels``, or None
        What a file that was not graded yet is graded on; None for the test pictures, which count.

    Attributes
    ----------
    result : qlab.challenge.Board or None
        As last shown; None if the folder could not be read.
    error : str
        Why not, in words.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = ChallengeBoard(folder)
    >>> board.result.entries, "nobody yet" in board.tables.value
    ((), True)
    """

    def __init__(self, folder, test=None):
        self.folder, self.test = Path(folder), test
        self.result, self.error, self._one_at_a_time = None, "", threading.Lock()
        self.again = ipywidgets.Button(
            description="Look again", icon="refresh", tooltip="Read the folder again"
        )
        self.again.on_click(lambda _: self.refresh())
        self.status, self.tables = ipywidgets.HTML(), ipywidgets.HTML()
        style = ipywidgets.HTML(STYLE + CSS)
        super().__init__([style, self.again, Pulse(), self.status, self.tables])
        self.add_class("qlab-board")
        self.refresh()

    def refresh(self):
        """Grade what is new in the folder and return the board; None if that does not work."""
        with self._one_at_a_time:
            try:
                self.result = challenge.board(self.folder, test=self.test, progress=self._progress)
                self.error = ""
                self.tables.value = tables(self.result)
                self._say(summary(self.result))
            except Exception as error:  # in a notebook nobody else could be told
                known = isinstance(error, (ValueError, OSError, challenge.JudgeError))
                self.result = None
                self.error = str(error) if known else f"{type(error).__name__}: {error}"
                self._say(f"This did not work: {self.error}")
            return self.result

    def _progress(self, done, total):
        """Say how far it is; that only shows while files are graded, which takes a second each."""
        self._say(f"{done} of {total} submissions")

    def _say(self, words):
        self.status.value = f'<div role="status">{escape(printable(words, 2000))}</div>'

    def __repr__(self):
        return "ChallengeBoard()"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/plain": repr(self), "text/html": self.tables.value}


def tables(board):
    """A board as HTML; every name and notice from outside is escaped."""
    leagues = Markup("").join(_table(league, board.league(league)) for league in challenge.LEAGUES)
    below = [
        f"In no league: {x.shown}, {printable(x.file)}: "
        f"{x.verdict.reason or 'its accuracy is ' + readout.percent(x.verdict.accuracy)}"
        for x in board.entries
        if not x.verdict.qualifies
    ]
    below += board.notices
    return leagues + listing(below) if below else leagues


def summary(board):
    """How many entries there are, and which of their numbers to believe."""
    if not board.entries:
        return "No submissions yet."
    cached = sum(entry.kind == "cached" for entry in board.entries)
    words = f"{len(board.entries)} submissions, {len(board.entries) - cached} measured just now."
    trust = (
        " A cached accuracy was measured when the file came, and is as trustworthy as those who "
        "can write to the folder; sizes are always measured. To measure all anew: "
        "qlab board FOLDER --regrade."
    )
    return words + (trust if cached else "")


def _table(league, rows):
    sizes = [f"{name}, bytes" for name in challenge.SIZES[league]]
    head = ["#", Cell("who", {"scope": "col", **WHO}), *sizes, *HEAD]
    body = [_row(row, league) for row in rows] or [[Cell("nobody yet", {"colspan": len(head)})]]
    return readout.table(challenge.league_words(league), head, body)


def _row(row, league):
    verdict, entry = row.entry.verdict, row.entry
    who = Markup("{} {}").format(entry.shown, element("small", challenge.remark(row)))
    return (
        row.place,
        Cell(who, {"scope": "row", **WHO}),
        *(f"{size:,}" for size in verdict.sizes(league)),
        Markup(f"{readout.percent(verdict.accuracy)} {readout.badge(entry.kind)}"),
        readout.interval(verdict),
        f"{entry.when:%Y-%m-%d %H:%M}",
    )
