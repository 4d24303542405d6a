"""The Pareto board: all models, shipped and the learner's own, and which no other beats."""

from __future__ import annotations

from dataclasses import dataclass

import traitlets

from qlab.lessons.spreadsheet import to_csv
from qlab.plots.pareto import ParetoPanel, columns
from qlab.trials import fronts, pareto
from qlab.widgets.kit import controls
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.explorer import Explorer
from qlab.widgets.kit.hotspots import SpottedPicture
from qlab.widgets.kit.job import ThreadedJob
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.readout import sentences
from qlab.widgets.pareto_words import COSTS, alt, cells, notes, spots, table

SHOWN = ("all", "yours", "shipped")
BEST = "(the most accurate)"
OFTEN = 5  # models scored between two redraws


@dataclass(frozen=True, eq=False)
class Board:
    """What the explorer shows."""

    entries: tuple[pareto.Entry, ...]
    standings: tuple[str, ...]
    chosen: int | None
    cost: str
    troubles: tuple[str, ...]

    @property
    def front(self):
        """tuple of Entry: those on the front, the cheapest first."""
        pairs = zip(self.entries, self.standings, strict=True)
        ahead = [entry for entry, standing in pairs if standing == fronts.FRONT]
        return tuple(sorted(ahead, key=lambda entry: getattr(entry, self.cost)))


class ParetoExplorer(Explorer):
    """Every shipped model and every kept one: accuracy against size or latency, with the front.

    Parameters
    ----------
    **settings
        ``cost`` (``gzip_bytes``, ``file_bytes``, ``latency_ms``), ``shown`` (``all``, ``yours``,
        ``shipped``) and ``model``, the name of the one to look at.

    Attributes
    ----------
    result : Board
    job : ThreadedJob
        Scores and times everything that is shown, here.

    Examples
    --------
    >>> explorer = ParetoExplorer(model="baseline")
    >>> entry = explorer.result.entries[explorer.result.chosen]
    >>> entry.name, entry.kind, entry.file_bytes
    ('baseline', 'cached', 305676)
    """

    question = "Which models does no other model beat?"
    cost = traitlets.Enum(tuple(COSTS.values()), "gzip_bytes").tag(setting=True)
    shown = traitlets.Enum(SHOWN, "all").tag(setting=True)
    model = traitlets.Unicode(BEST).tag(setting=True)
    picked = traitlets.Unicode(BEST)

    def __init__(self, **settings):
        """Lay out, and collect the models."""
        super().__init__()
        self._framed, self._filling = None, False
        self.job = ThreadedJob("Measure all here", self._job_steps, self.guard)
        self.download = Download("Download the table (CSV)", self.csv, self.guard)
        self.assemble(self._controls(), self._picture(), [self.job, self.download], settings)

    def compute(self):
        """Collect the models that are to be shown."""
        troubles = []
        everything = pareto.entries(troubles)
        self._names = tuple(entry.name for entry in everything)
        if self.model not in (BEST, *self._names):
            known = ", ".join(self._names)
            raise ValueError(f"no model here is called {self.model!r}; there are: {known}")
        found = [x for x in everything if self.shown in ("all", x.origin) or x.name == self.model]
        return Board(
            tuple(found),
            tuple(fronts.standings(found, self.cost)),
            self._chosen(found),
            self.cost,
            tuple(troubles),
        )

    def show(self, result):
        """Move the marks, and fill the read-out."""
        with self._one_at_a_time:
            self._offer()
            data = columns(result.entries, result.cost)
            frame = data["costs"], data["accuracies"], result.cost
            if self._framed != (result.cost, self.shown) or not self._panel.holds(*frame):
                self._panel.frame(*frame)
                self._live.reframe()
                self._framed = result.cost, self.shown
            self._panel.show(**data, cost=result.cost, chosen=result.chosen)
            self.picture.redraw(alt(result), spots(result))
            self._fill(result)

    def measure(self):
        """Score and time all models that are shown, here, until it is done.

        Returns
        -------
        Board
        """
        for _ in self._job_steps():
            pass
        return self.result

    def csv(self):
        """The table as a file.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it.
        """
        board = (self.result or self.update()).entries
        if not board:
            raise ValueError("There is no model in the table yet.")
        rows = fronts.rows(board, self.cost)
        return "qlab-pareto.csv", to_csv(rows, tuple(rows[0])), f"{len(rows)} models."

    def _job_steps(self):
        """Measure one model a step; the board is drawn anew every few."""
        board = self.compute().entries
        for done, total, name in pareto.remeasure(board):
            if done and (done % OFTEN == 0 or done == total):
                self.result = self.compute()
                self.show(self.result)
            yield done, total, f"measuring {name}" if done < total else name

    def _controls(self):
        """The three controls."""
        box = controls.choice(self, "picked", "Look at", [BEST])
        self._box = box.children[0]
        self.observe(self._picked, "picked")
        return (
            controls.choice(self, "cost", "Accuracy against", list(COSTS.items())),
            controls.choice(self, "shown", "Models", SHOWN),
            box,
        )

    def _picture(self):
        """One panel, with places that tell the recipe."""
        self._live = LivePicture(panels=1, width=900, height=380)
        self._panel = ParetoPanel(self._live.axes[0])
        self._live.add(*self._panel.marks)
        return SpottedPicture(self._live)

    def _offer(self):
        """Fill the drop-down, and let it say what is chosen."""
        self._filling = True  # new options select the first one for a moment
        try:
            if tuple(self._box.options) != (BEST, *self._names):
                self._box.options = (BEST, *self._names)
            self._box.value = self.model
        finally:
            self._filling = False

    def _picked(self, change):
        """The drop-down was moved: by the learner, or by `_offer`, which changes nothing."""
        if not self._filling:
            self.model = change.new

    def _chosen(self, found):
        """Index of the model that is looked at."""
        if self.model != BEST:
            return [entry.name for entry in found].index(self.model)
        return max(range(len(found)), key=lambda i: found[i].accuracy) if found else None

    def _fill(self, result):
        """Read-out, notes and the table of numbers."""
        self.readout.value = cells(result)
        self.notes.value = sentences(notes(result))
        self.numbers.value = table(result)
