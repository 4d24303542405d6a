"""Which bits and zeros for which layer? The explorer of mixed-precision search."""

import hashlib
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import traitlets

import qlab
from qlab.arithmetic.metrics import wilson_interval
from qlab.arithmetic.results import Measurement
from qlab.lessons import memory
from qlab.plots.cost_panels import ProgressPanel, TrialsPanel
from qlab.trials.search import (
    UNIFORM,
    WEIGHT_BITS,
    Candidate,
    Scorer,
    best,
    run_search,
    search_images,
    smallest,
)
from qlab.trials.subjects import Trial, course_data, other_data, own_pair
from qlab.widgets.kit import readout
from qlab.widgets.kit.download import often
from qlab.widgets.kit.explorer import Shown
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import choice, number

METHODS = ("greedy", "random")
FILES = (20, 50, 100, 200, 400, 1000)
SHOWN = 8  # layers in the read-out; all are in the table of numbers
UNIFORM_FIRST = "uniform recipes first; files"
REDRAW = 0.3  # seconds between two pictures of a running search


@dataclass(frozen=True, eq=False)
class Found:
    """What the searches have found so far."""

    budget_bytes: int
    best: Candidate | None
    uniform: Candidate | None
    rival: Candidate | None
    reference: Measurement
    final: Trial | None
    tried: int

    @property
    def recipe(self):
        """Recipe or None: that of the best."""
        return self.best.recipe if self.best else None

    @property
    def saved(self):
        """float or None: how much smaller the best is than its rival, as a fraction of that."""
        return 1 - self.best.gzip_bytes / self.rival.gzip_bytes if self.rival else None


def budgets(largest_bytes):
    """Where the budget's slider rests: whole KB, and tenths for a small model."""
    tenths = 1 if largest_bytes < 20_000 else 10
    last = max(10, round(largest_bytes / (100 * tenths)) * tenths)
    first = max(tenths, last // 10 // tenths * tenths)
    return tuple(kb / 10 for kb in range(first, last + 1, tenths))


def as_good(trial):
    """How many images right count as being as good as a trial: the lower end of its interval."""
    return trial.n * wilson_interval(trial.correct, trial.n)[0]


class SearchExplorer(ModelExplorer):
    """Search for bits and sparsity of each layer under a budget of bytes, file by file.

    Each step makes a real `.tflite` file, weighs it gzipped and scores it on search images, which
    are validation images. The test images are asked once, by a button, at the end.

    Parameters
    ----------
    model
        As in `ModelExplorer`.
    images, labels : ndarray or None
        To choose by; None for the 5,000 of `qlab.search.search_images`.
    test_images, test_labels, calibration_images, dataset
        As ``images``, ``labels``, ``calibration_images`` and ``dataset`` in `ModelExplorer`.
    base : Recipe or None
        What all recipes share, such as the bits of activations; None for int8.
    **settings
        ``budget_kb`` (tenths are possible), ``method`` (``greedy`` or ``random``), ``files`` that
        a press of the button makes.

    Attributes
    ----------
    result : Found
        ``result.recipe`` is the best recipe so far.
    trials : dict of str to list of qlab.search.Candidate
        All files so far, by method; ``uniform`` are those that treat all layers alike.

    Examples
    --------
    >>> images, labels = search_images(100)
    >>> test = qlab.data.load().test
    >>> explorer = SearchExplorer(images=images, labels=labels, test_images=test.images[:100],
    ...                           test_labels=test.labels[:100], calibration_images=images)
    >>> found = explorer.search(files=40, uniform=0)
    >>> found.best.gzip_bytes <= found.budget_bytes == 26_000
    True
    """

    question = "Within a budget of bytes, which layer should get which bits and zeros?"
    budget_kb = number(
        "Budget (KB, gzipped)", traitlets.Float(26, min=0.1, max=1000), "_budgets_kb", step=0.1
    )
    method = choice("Method", METHODS, "greedy")
    files = number("Files a press", traitlets.Int(200, min=1, max=100_000), FILES)

    def __init__(
        self,
        model=None,
        images=None,
        labels=None,
        test_images=None,
        test_labels=None,
        calibration_images=None,
        base=None,
        dataset=None,
        **settings,
    ):
        own, pair = other_data(dataset), own_pair(images, labels)
        self._search = search_images(dataset=own) if images is None else pair
        self._base = base
        super().__init__(model, test_images, test_labels, calibration_images, dataset, **settings)

    def build(self):
        if self.given[0] is None:
            self.subject = self.subject.on((self.dataset or course_data()).test)
        compressor = self.subject.compressor
        names = "uniform", *METHODS
        self._scorers = {name: Scorer(compressor, *self._search, self._base) for name in names}
        self.reference = qlab.evaluate(compressor.model, *self._search)
        plain = run_search(self._scorers["uniform"], 1, "uniform", len(WEIGHT_BITS))
        largest = max(x.gzip_bytes for x in plain)
        self._budgets_kb = budgets(largest)
        self.budget_kb = max(1, round(0.35 * largest / 1000))
        self._finals, self._asked = {}, {}
        self.job = Job("Search", self._steps, self.guard)
        self.final_job = Job("Ask the test images", self._final_steps, self.guard)
        recipe, asks = lambda: self._chosen().recipe, False  # it has a button of its own
        self.download = self.offer("Download the best .tflite", self.tflite, recipe, asks)
        return self._picture(), [self.job, self.final_job, self.download]

    @property
    def trials(self):
        """dict of str to list of Candidate: all files so far, by method."""
        return {name: scorer.trials for name, scorer in self._scorers.items()}

    @property
    def _budget_bytes(self):
        return round(1000 * self.budget_kb)

    def compute(self):
        """Find the best within the budget among the files there are."""
        budget = self._budget_bytes
        chosen = best([x for mine in self.trials.values() for x in mine], budget)
        uniform = self.trials["uniform"]
        rival = smallest(uniform, as_good(chosen)) if chosen else None
        final = self._finals.get(chosen.recipe) if chosen else None
        within = best(uniform, budget)
        return Found(budget, chosen, within, rival, self.reference, final, len(uniform))

    def show(self, result):
        self._trials.show(self.trials, result.budget_bytes, result.best)
        self._progress.show(self.trials, result.budget_bytes)
        most = max(map(len, self.trials.values()))
        if most > self._progress.files:
            self._progress.frame(2 * most)
            self.picture.reframe()
        said = notes(result, self.trials, len(self._finals), self._asked.get(result.recipe))
        return Shown(
            alt(result, self.trials), cells(result), said, partial(tables, result, self.trials)
        )

    def search(self, files=None, uniform=UNIFORM, progress=None):
        """Search as the button does, but here, until it is done.

        Parameters
        ----------
        files : int or None
            To make with the present method; None for the setting.
        uniform : int
            At most so many uniform recipes before that, of those that are missing.
        progress : callable or None
            Put around the trials, such as ``tqdm``. Interrupt it at will: what was scored is kept.

        Returns
        -------
        Found
        """
        for _, trials, total in self._phases(files or self.files, uniform):
            for _ in progress(trials, total=total) if progress else trials:
                pass
        return self.update()

    def ask_test_images(self):
        """Score the best recipe, and the best uniform one, on the test images.

        Uniform recipes that are missing are made first, so that the rival is the best of them all.
        It returns the `Trial` of the best, whose ``reference`` is the uniform one's measurement.
        Asking is counted, file by file, if the images are the course's.
        """
        for _ in self._rest()[0]:
            pass
        self.update()
        chosen, uniform = self._chosen(), self.result.uniform
        if self.subject.split.name:
            sha256 = hashlib.sha256(self._packed(chosen).data).hexdigest()
            self._asked[chosen.recipe] = memory.record_asked(sha256)
        if chosen.recipe not in self._finals:
            reference = uniform and self.subject.trial(uniform.recipe).measurement
            final = self.subject.trial(chosen.recipe)
            self._finals[chosen.recipe] = replace(final, reference=reference)
        self.update()
        return self._finals[chosen.recipe]

    def tflite(self):
        """The best file so far, packed: name, content, and words."""
        chosen, scorer = self._chosen(), self._scorers["greedy"]
        model = self._packed(chosen)
        again = qlab.evaluate(model, scorer.images, scorer.labels)
        words = f"Scored again on the search images: {percent(again.accuracy)}."
        return f"qlab-mixed-{self.budget_kb:g}KB.tflite", model.data, words

    def _packed(self, chosen):
        """The file that the learner takes away."""
        return self.subject.compressor.compress(chosen.recipe).packed()

    def _chosen(self):
        result = self.result or self.update()
        if result.best is None:
            raise ValueError("No file is within the budget yet: press 'Search', or raise it.")
        return result.best

    def _final_steps(self):
        rest, missing = self._rest()
        for done, _ in enumerate(rest, 1):
            yield done, missing + 1, UNIFORM_FIRST
        self.ask_test_images()
        yield missing + 1, missing + 1

    def _rest(self, most=UNIFORM):
        """The uniform recipes that are missing, as they are scored, and how many they are."""
        missing = max(0, min(most, UNIFORM - len(self.trials["uniform"])))
        made = run_search(self._scorers["uniform"], self._budget_bytes, "uniform", UNIFORM)
        return islice(made, missing), missing

    def _phases(self, files, uniform=UNIFORM):
        """Yield (words, trials, how many): the uniform ones that are missing, then the method's."""
        budget, mine = self._budget_bytes, self._scorers[self.method]
        first, missing = self._rest(uniform)
        if missing:
            yield UNIFORM_FIRST, first, missing
        own = run_search(mine, budget, self.method, files, seed=len(mine.trials))
        yield f"{self.method} search; files", own, files

    def _steps(self):
        """Steps of the button's job: as many files as a picture's time allows."""
        for words, trials, total in self._phases(self.files):
            shown = time.monotonic()
            for done, _ in enumerate(trials, 1):
                if time.monotonic() - shown >= REDRAW:
                    self.update()
                    yield done, total, words
                    shown = time.monotonic()
        self.update()

    def _picture(self):
        picture = LivePicture(panels=2, width=900, height=330, ratios=(1.7, 1))
        largest = 1050 * self._budgets_kb[-1]
        self._trials = picture.put(TrialsPanel, self.reference.accuracy, largest)
        self._progress = picture.put(ProgressPanel, self.reference.accuracy)
        return picture


def layer_rows(recipe):
    """Bits and zeros of the layers that a recipe names, or of all if it names none."""
    return [
        (
            name,
            recipe.setting("weight_bits", name),
            f"{100 * recipe.setting('sparsity', name):.0f} %",
        )
        for name in [name for name, _ in recipe.overrides] or ["all layers"]
    ]


def uniform_words(trial):
    recipe = trial.recipe
    zeros = f", {100 * recipe.sparsity:.0f} % zeros {recipe.sparsity_scope}"
    return f"{recipe.weight_bits} bits{zeros if recipe.sparsity else ''}"


def alt(result, trials):
    top, found = result.best, "No file is within it yet."
    if top is not None:
        found = f"Best within it: {percent(top.accuracy)} at {top.gzip_bytes:,} bytes."
    count = sum(map(len, trials.values()))
    return f"{count:,} files scored. Budget {result.budget_bytes:,} bytes. {found}"


def cells(result):
    if result.best is None:
        return [readout.cell("Best within the budget", "none yet", "press 'Search'")]
    found = [_best(result), _recipe(result), _rival(result)]
    final = result.final
    if final:
        found.append(readout.accuracy(final.measurement, "Test images"))
        if final.comparison:
            found.append(readout.difference(final.comparison, "Difference to uniform, same budget"))
    return found


def notes(result, trials, asked, times):
    words = [
        f"Chosen by {result.reference.n:,} images to choose with. The best of many files was also "
        "lucky with them, so its score flatters; the test images are asked at the end."
    ]
    if times:
        words.append(f"You have asked the test images {often(times)} for this very file.")
    if asked > 1:
        words.append(
            f"The test images were asked for {asked} recipes. If you go on searching until "
            "their answer pleases you, you fit the recipe to them."
        )
    count = sum(map(len, trials.values()))
    words.append(f"{count:,} files made, weighed and scored so far.")
    return words


def tables(result, trials):
    """The searches, and the best recipe layer by layer."""
    rows = []
    for name, mine in trials.items():
        top = best(mine, result.budget_bytes)
        found = (percent(top.accuracy), f"{top.gzip_bytes:,}", f"{top.number:,}") if top else ()
        rows.append((name, f"{len(mine):,}", *(found or ("none", "", ""))))
    head = ("method", "files", "best within the budget", "bytes", "at file")
    yield readout.table("Searches", head, rows)
    if result.best:
        header = ("layer", "weight bits", "zeros")
        yield readout.table("Best recipe", header, layer_rows(result.recipe))


def _best(result):
    top = result.best
    return readout.cell(
        "Best within the budget",
        f"{percent(top.accuracy)} {readout.badge('measured')}",
        f"of {top.n:,} search images",
        f"{top.gzip_bytes:,} bytes gzipped, of {result.budget_bytes:,}",
        f"float: {percent(result.reference.accuracy)}",
    )


def _recipe(result):
    rows = layer_rows(result.recipe)
    more = f"and {len(rows) - SHOWN} layers more" if len(rows) > SHOWN else ""
    return readout.table_cell("Its recipe", ("", "bits", "zeros"), rows[:SHOWN], more)


def _rival(result):
    name = "Smallest uniform one as good, within noise"
    among = f"among {result.tried} of {UNIFORM} uniform files"
    rival = result.rival
    if rival is None:
        return readout.cell(name, "none", "none reaches the best one's interval", among)
    score = f"{percent(rival.accuracy)}, {rival.gzip_bytes:,} bytes"
    lines = (uniform_words(rival), score, among)
    if rival.recipe == result.recipe:
        return readout.cell(name, "is the best", *lines)
    saved = f"{100 * result.saved:.0f} %" if result.saved > 0 else "nothing"
    return readout.cell(name, f"{saved} <small>saved by mixing</small>", *lines)
