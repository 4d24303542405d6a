"""The Pareto board: all models, shipped and kept, and those that no other beats."""

import hashlib
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from qlab.arithmetic.metrics import wilson_interval
from qlab.arithmetic.results import Latency, Measurement
from qlab.engine.recipes import recipe_dict
from qlab.tflite import artefacts
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate, latency
from qlab.trials import shelf, subjects
from qlab.trials.fronts import COSTS, front, rows, standings

__all__ = ["COSTS", "Entry", "drop", "entries", "front", "keep", "remeasure", "rows", "standings"]
RUNS = 100  # timed runs of a model that is measured
GLANCE = 20  # timed runs of a shipped model when the board opens
_measured, _timed, _gzipped = {}, {}, {}  # by checksum, in this process; the first also by data


@dataclass(frozen=True)
class Entry:
    """A model on the board."""

    name: str
    origin: str
    recipe: dict
    correct: int
    n: int
    images_are: str
    kind: str
    file_bytes: int
    gzip_bytes: int
    latency: Latency | None
    latency_kind: str
    sha256: str
    measurement: Measurement | None = None  # if it was scored in this process
    data: str = ""  # digest of the images, if they are not the course's

    @property
    def accuracy(self):
        return self.correct / self.n

    @property
    def interval(self):
        """(float, float): 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    @property
    def how(self):
        """str: how it was scored, if that was in this process."""
        return self.measurement.how if self.measurement else ""

    @property
    def latency_ms(self):
        """float: the median, or NaN if it was never timed."""
        return self.latency.median_ms if self.latency else float("nan")

    @property
    def is_control(self):
        """bool: whether it is there for others to be compared with."""
        return "control" in self.name


def keep(model, name, recipe=None, dataset=None):
    """Keep a model of yours: score it, time it, and put it on the Pareto board for good.

    The `recipe` is how it was made: a Recipe, a mapping or your own words. It is scored on the
    validation images of the `dataset`, by default the course's. Keeping the same file again renames
    it; a name that another model has gets a number. ShelfError says why a model cannot be kept.

    >>> import qlab
    >>> entry = keep(qlab.pretrained("baseline-int8"), "my int8", qlab.Recipe())
    >>> entry.origin, entry.kind, [kept.name for kept in shelf.kept()]
    ('yours', 'measured', ['my int8'])
    """
    dataset = subjects.other_data(dataset)
    if problem := subjects.misfit(model, dataset):
        asks = "" if dataset else "; give the data that it was made for, as dataset="
        raise shelf.ShelfError(f"this model cannot be scored: {problem}{asks}")
    model, _ = subjects.ready(model, subjects.images_to_choose_with(dataset=dataset))
    sha = hashlib.sha256(model.data).hexdigest()
    name = _free(shelf.clean_name(name), sha)
    _measure(sha, model, dataset)
    score = _measured[sha, _of(dataset)]
    shelf.put(model, name, recipe, _facts(score), _timed[sha], _of(dataset))
    return next(entry for entry in _yours([]) if entry.sha256 == sha)


def drop(name):
    """Take your models of this name off the board."""
    return shelf.drop(name)


def entries(troubles=None, dataset=None):
    """Every shipped model and every one on the learner's shelf, yours first.

    The list `troubles` gets a sentence for each file that cannot be used. With a `dataset` of your
    own only the models that were kept with it are there.

    >>> {entry.name: entry.kind for entry in entries()}["baseline"]
    'cached'
    """
    troubles = [] if troubles is None else troubles
    dataset = subjects.other_data(dataset)
    if dataset is None:
        return [*_yours(troubles), *_shipped(troubles)]
    return [x for x in _yours(troubles) if x.data == dataset.digest]


def remeasure(chosen, dataset=None):
    """Score and time models here, but for those that were scored on other data than this."""
    dataset = subjects.other_data(dataset)
    chosen = [x for x in chosen if x.data == _of(dataset)]
    for done, entry in enumerate(chosen):
        yield done, len(chosen), entry.name
        _measure(entry.sha256, _load(entry), dataset)
    yield len(chosen), len(chosen), "all measured"


def _of(dataset):
    return dataset.digest if dataset else ""


def _free(name, sha):
    """The name itself, or with a number if a model of other content has it."""
    taken = {Path(file).stem for file in artefacts.manifest()["files"]}
    taken |= {kept.name for kept in shelf.kept() if kept.sha256 != sha}
    numbered = (f"{name} {i}" for i in count(2))
    return name if name not in taken else next(x for x in numbered if x not in taken)


def _shipped(troubles):
    """Entries of the manifest's models of garments; their files are timed at a glance."""
    for name, about in artefacts.manifest()["files"].items():
        if not name.endswith(".tflite") or "validation" not in about or "dataset" in about:
            continue
        try:
            content = (artefacts.folder() / name).read_bytes()
        except OSError as error:
            troubles.append(f"{name} cannot be read ({error.strerror}); {artefacts.REMEDIES}")
            continue
        sha = hashlib.sha256(content).hexdigest()
        if sha != about["sha256"]:
            troubles.append(f"{name} is not the shipped file; {artefacts.REMEDIES}")
            continue
        if sha not in _timed:
            _timed[sha] = latency(LiteModel(content), runs=GLANCE)
        cached = about["validation"]["correct"], about["validation"]["n"], "validation images"
        yield _entry(
            name.removesuffix(".tflite"), "shipped", about["recipe"], cached, content, sha, None
        )


def _yours(troubles):
    for kept in shelf.kept(troubles):
        cached = kept.correct, kept.n, kept.images_are
        try:
            content = kept.content
        except (OSError, ValueError) as error:  # gone since it was listed
            troubles.append(f"{kept.name} on the shelf cannot be used: {error}")
            continue
        about = content, kept.sha256, kept.latency, kept.data
        yield _entry(kept.name, "yours", kept.recipe, cached, *about)


def _entry(name, origin, recipe, cached, content, sha, timed, data=""):
    """One entry: what was measured in this process goes before what is recorded."""
    score = _measured.get((sha, data))
    timed_now = _timed.get(sha)
    kind = "" if timed is None else "cached"
    if sha not in _gzipped:
        _gzipped[sha] = LiteModel(content).gzip_bytes
    return Entry(
        name,
        origin,
        recipe_dict(recipe),
        *(_facts(score) if score else cached),
        "measured" if score else "cached",
        len(content),
        _gzipped[sha],
        timed_now or timed,
        "measured" if timed_now else kind,
        sha,
        score,
        data,
    )


def _facts(score):
    """What is kept of a measurement."""
    return score.correct, score.n, score.images_are


def _measure(sha, model, dataset):
    """Score and time one model; both or neither are remembered."""
    split = subjects.images_to_choose_with(dataset=dataset)
    measurement = subjects.scored(model, split, evaluate, threads=1)
    timed = latency(subjects.sized(model, dataset), runs=RUNS)
    _measured[sha, _of(dataset)], _timed[sha] = measurement, timed


def _load(entry):
    """The model of an entry, checked where it comes from the shelf."""
    if entry.origin == "shipped":
        return artefacts.pretrained(entry.name)
    for kept in shelf.kept():
        if kept.sha256 == entry.sha256:
            return kept.model()
    raise shelf.ShelfError(f"{entry.name} is no longer on the shelf")
