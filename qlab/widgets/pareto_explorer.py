"""The Pareto board: all models, shipped and the learner's own, and which no other beats."""

from dataclasses import dataclass
from html import escape

import traitlets

from qlab.arithmetic.results import Comparison
from qlab.engine.recipes import recipe_words
from qlab.plots.cost_panels import ParetoPanel, columns, label, scaled
from qlab.system.text import to_csv
from qlab.tflite.gzipping import GZIPPED
from qlab.tflite.timing import ELSEWHERE
from qlab.trials import fronts, pareto, subjects
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.explorer import Shown, ThreadedExplorer
from qlab.widgets.kit.hotspots import Spot, SpottedPicture
from qlab.widgets.kit.job import ThreadedJob
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import choice

COSTS = {
    "gzip_bytes": f"size of the file, {GZIPPED}",
    "file_bytes": "size of the file",
    "latency_ms": "latency here",
}
LOWEST = (False, False, False)
SHOWN = ("all", "yours", "shipped")
BEST = "(the most accurate)"
OFTEN = 5  # models scored between two redraws


@dataclass(frozen=True, eq=False)
class ParetoBoard:
    """What the explorer shows."""

    entries: tuple[pareto.Entry, ...]
    standings: tuple[str, ...]
    rivals: tuple[pareto.Entry | None, ...]
    comparisons: tuple[Comparison | None, ...]
    chosen: int | None
    cost: str
    troubles: tuple[str, ...]

    @property
    def front(self):
        """tuple of Entry: those on the front, the cheapest first."""
        pairs = zip(self.entries, self.standings, strict=True)
        ahead = [entry for entry, standing in pairs if standing == fronts.FRONT]
        return tuple(sorted(ahead, key=lambda entry: getattr(entry, self.cost)))


class ParetoExplorer(ThreadedExplorer):
    """Every shipped model and every kept one: accuracy against size or latency, with the front.

    Parameters
    ----------
    dataset : qlab.Dataset or None
        Shows the models that were kept with it; None for those of the course's data.
    **settings
        ``cost`` (``gzip_bytes``, ``file_bytes``, ``latency_ms``), ``shown`` (``all``, ``yours``,
        ``shipped``) and ``model``, the name of the one to look at.

    Attributes
    ----------
    result : ParetoBoard
    job : ThreadedJob
        Scores and times everything that is shown, here.

    Examples
    --------
    >>> explorer = ParetoExplorer(model="baseline")
    >>> entry = explorer.result.entries[explorer.result.chosen]
    >>> entry.name, entry.kind, entry.file_bytes
    ('baseline', 'cached', 305676)
    """

    notes_as = staticmethod(readout.sentences)
    question = "Which models does no other model beat?"
    cost = choice("Accuracy against", COSTS, "gzip_bytes")
    shown = choice("Models", SHOWN, "all")
    model = traitlets.Unicode(BEST).tag(setting=True)
    picked = traitlets.Unicode(BEST)

    def __init__(self, dataset=None, **settings):
        super().__init__()
        self.dataset = subjects.other_data(dataset)
        self._filling, looked_at = False, controls.drop_down(self, "picked", "Look at", [BEST])
        self._box = looked_at.children[0]
        self.observe(self._picked, "picked")
        self.job = ThreadedJob("Measure all here", self._job_steps, self.guard)
        self.download = self.offer("Download the table (CSV)", self.csv)
        shown = [*self.controls(), looked_at]
        self.assemble(shown, self._picture(), [self.job, self.download], settings)

    def compute(self):
        """Collect the models that are to be shown."""
        troubles = []
        everything = pareto.entries(troubles, self.dataset)
        self._names = tuple(entry.name for entry in everything)
        if self.model not in (BEST, *self._names):
            known = ", ".join(self._names)
            raise ValueError(f"no model here is called {self.model!r}; there are: {known}")
        found = [x for x in everything if self.shown in ("all", x.origin) or x.name == self.model]
        rivals = fronts.rivals(found, self.cost)
        pairs = fronts.comparisons(found, self.cost, rivals)
        told = fronts.standings(found, self.cost, pairs), rivals, pairs
        chosen = self._chosen(found)
        return ParetoBoard(tuple(found), *map(tuple, told), chosen, self.cost, tuple(troubles))

    def show(self, result):
        self._fill_names()
        data = columns(result.entries, result.cost)
        frame = data["costs"], data["accuracies"], result.cost
        if self._live.needs_frame((result.cost, self.shown)) or not self._panel.holds(*frame):
            self._panel.frame(*frame)
            self._live.reframe()
        self._panel.show(**data, cost=result.cost, chosen=result.chosen)
        return Shown(
            alt(result), cells(result), notes(result), lambda: [table(result)], spots(result)
        )

    def measure(self):
        """Score and time all models that are shown, here, until it is done; return the board."""
        for _ in self._job_steps():
            pass
        return self.result

    def csv(self):
        """The table as a file: name, content, and words."""
        board = (self.result or self.update()).entries
        if not board:
            raise ValueError("There is no model in the table yet.")
        rows = fronts.rows(board, self.cost)
        table = to_csv(rows[0], map(dict.values, rows), spreadsheet=True)
        return "qlab-pareto.csv", table, f"{len(rows)} models."

    def _job_steps(self):
        """Measure one model a step; the board is drawn anew every few."""
        board = self.compute().entries
        for done, total, name in pareto.remeasure(board, self.dataset):
            if done and (done % OFTEN == 0 or done == total):
                self.result = self.compute()
                self.present(self.result)
            yield done, total, f"measuring {name}" if done < total else name

    def _picture(self):
        """One panel, with places that tell the recipe."""
        self._live = LivePicture(panels=1, width=900, height=380)
        self._panel = self._live.put(ParetoPanel)
        return SpottedPicture(self._live)

    def _fill_names(self):
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
        if self.model != BEST:
            return [entry.name for entry in found].index(self.model)
        return max(range(len(found)), key=lambda i: found[i].accuracy) if found else None


def cells(result):
    """The read-out of the model that is looked at."""
    ahead, against = f"{len(result.front)} on the front", f"against {COSTS[result.cost]}"
    shown = [readout.cell("Models", f"{len(result.entries)}", ahead, against)]
    if result.chosen is not None:
        entry, standing = result.entries[result.chosen], result.standings[result.chosen]
        standing = readout.cell("Standing", f"<small>{standing}</small>", *_beside(result))
        shown = [readout.accuracy(entry, entry.name), *_cost_cells(entry), standing, *shown]
    return shown


def _beside(result):
    """How the model that is looked at compares with its rival."""
    rival, pair = result.rivals[result.chosen], result.comparisons[result.chosen]
    if rival:
        yield f"its rival {escape(rival.name)}{':' if pair else ''}"
    if pair:
        yield f"{pair.points} points, <b>{pair.verdict}</b>"
        yield pair.interval_words


def _cost_cells(entry):
    yield readout.cell(
        GZIPPED.capitalize(),
        f"{entry.gzip_bytes:,} <small>bytes</small>",
        f"the file itself {entry.file_bytes:,}",
        readout.badge("measured"),
    )
    timed = entry.latency
    if timed is None:
        yield readout.cell("Latency", "", "not timed yet: press the button below")
        return
    yield readout.cell(
        "Latency",
        readout.duration(timed.median_ms),
        f"95th percentile {readout.duration(timed.p95_ms)}",
        f"one image, {timed.threads} thread {readout.badge(entry.latency_kind)}",
    )


def notes(result):
    """Recipe of the model that is looked at, and how to read the picture."""
    said = [
        "Nothing is here yet: <code>qlab.pareto.keep(model, name, recipe)</code> in any notebook "
        "puts a model of yours on this board.",
        "A bar is a 95 % interval. A model that is not on the front is compared, image by image, "
        "with its rival: the most accurate model that costs no more. It is <b>beaten</b> if the "
        "rival is better beyond chance, at a level for all models here together. Only models that "
        "were measured here can be compared so; the button below measures them all.",
        "The best of many models that were scored on the same images is partly lucky: a front "
        "flatters a little.",
    ]
    if result.chosen is not None:
        entry = result.entries[result.chosen]
        words = escape(_cut(recipe_words(entry.recipe)))
        said[0] = f"<b>Recipe of {escape(entry.name)}:</b> {words}."
    if result.cost == "latency_ms":
        said.append(
            "Latency on this machine; differences of a few per cent come and go between runs. "
            f"{escape(ELSEWHERE[1])}"
        )
    return [*said, *map(escape, result.troubles)]


def _cut(words, longest=300):
    """What a reader takes in."""
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def spots(result):
    """A place for each model that has a cost; the Tab key stops at yours and at the front."""
    for i in sorted(range(len(result.entries)), key=lambda i: _height(result, i)):
        entry, cost = result.entries[i], getattr(result.entries[i], result.cost)
        if cost == cost:  # not NaN
            at, stop = float(scaled(cost, result.cost)), _height(result, i) != LOWEST
            yield Spot(at, entry.accuracy, _spot_lines(entry, result.standings[i]), stop)


def _height(result, i):
    """What lies over what: (chosen, yours, on the front)."""
    ahead = result.standings[i] == fronts.FRONT
    return i == result.chosen, result.entries[i].origin == "yours", ahead


def _spot_lines(entry, standing):
    """What a place on the picture says."""
    timed = f", {readout.duration(entry.latency.median_ms)}" if entry.latency else ""
    return (
        entry.name,
        f"{percent(entry.accuracy)} ({readout.interval(entry)}), {entry.kind}",
        f"{entry.file_bytes:,} bytes, {entry.gzip_bytes:,} gzipped{timed}",
        standing,
        _cut(recipe_words(entry.recipe, brief=True)),
    )


def alt(result):
    if not result.entries:
        return "No model is shown."
    ahead = "; ".join(
        f"{entry.name} {percent(entry.accuracy)}, {_cost_words(entry, result.cost)}"
        for entry in result.front
    )
    return f"Accuracy against {label(result.cost)} of {len(result.entries)} models. Front: {ahead}."


def _cost_words(entry, cost):
    value = getattr(entry, cost)
    return readout.duration(value) if cost == "latency_ms" else f"{value:,} bytes"


def table(result):
    """The numbers in the picture, as text: the front first."""
    header = ("model", "standing", "accuracy", "95 % interval", "", "bytes", "gzipped", "latency",
              "", "recipe")  # fmt: skip
    recipes = {entry.sha256: entry.recipe for entry in result.entries}
    rows = [
        (
            row["model"],
            row["standing"],
            percent(row["accuracy"]),
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %",
            row["accuracy_kind"],
            f"{row['file_bytes']:,}",
            f"{row['gzip_bytes']:,}",
            readout.duration(row["latency_ms"]) if row["latency_kind"] else "not timed",
            row["latency_kind"],
            _cut(recipe_words(recipes[row["sha256"]], brief=True), 90),
        )
        for row in fronts.rows(result.entries, result.cost)
    ]
    return readout.table(f"{len(rows)} models, those on the front first", header, rows)
