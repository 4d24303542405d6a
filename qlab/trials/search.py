"""Mixed precision: bits and sparsity of each layer, found by making files and scoring them."""

import hashlib
import pickle
from collections import deque
from dataclasses import dataclass
from itertools import count, islice
from threading import Lock

import numpy as np

from qlab import data
from qlab.arithmetic.sparsity import SCOPES
from qlab.data.doors import require_whole
from qlab.engine.recipes import Recipe, recipe_dict
from qlab.tflite import prefixes

WEIGHT_BITS = (8, 7, 6, 5, 4, 3, 2)
SPARSITIES = tuple(i / 20 for i in range(20))
STEPS = ((1, 0), (0, 2), (0, 6))  # of the greedy search: notches of bits, notches of sparsity
UNIFORM = len(WEIGHT_BITS) * 19  # uniform recipes: 9 sparsities in 2 scopes, and none
MOST_IMAGES = 5000  # that one chooses by, unless told
PATIENCE = 1000  # proposals in a row that were known already, before a method gives up
_SUBJECTS, _AT_WORK = {}, Lock()  # in a worker: what it makes files of, by digest; one at a time
SUBJECTS = 2  # that a worker remembers


@dataclass(frozen=True)
class Candidate:
    """One file that a search made, weighed and scored; the file itself is not kept."""

    number: int
    recipe: Recipe
    correct: int
    n: int
    gzip_bytes: int

    @property
    def accuracy(self):
        return self.correct / self.n


class Scorer:
    """Makes the file of a recipe, weighs and scores it; a recipe it knows costs nothing.

    The images are those to choose by, such as `search_images`; never those of the final score.
    `base` is what every recipe shares: bits of activations, granularity, observer. ``trials`` has
    all that were scored, in order. With an executor of `concurrent.futures` its workers make the
    files, `ahead` of them before they are asked for; ``trials`` is the same with and without.

    >>> import qlab
    >>> images, labels = search_images(100)
    >>> score = Scorer(qlab.Compressor(qlab.pretrained("baseline"), images), images, labels,
    ...                qlab.Recipe(calibration_size=100))
    >>> score(score.base.replace(weight_bits=4)).gzip_bytes < score(score.base).gzip_bytes
    True
    >>> len(score.trials)
    2
    """

    def __init__(self, compressor, images, labels, base=None, executor=None, ahead=0):
        base = Recipe() if base is None else base
        available = min(base.calibration_size, compressor.calibration_images)
        self.base = base.replace(calibration_size=available, overrides=())
        self.compressor, self.images, self.labels = compressor, images, labels
        self.layers = tuple(x.name for x in compressor.layers if x.weights is not None)
        self.trials, self._known = [], {}
        self.executor, self.ahead = executor, ahead if executor else 0
        self._begun, self._sent = {}, 0
        self._whole = pickle.dumps((compressor, images, labels)) if executor else b""
        self._digest = hashlib.sha256(self._whole).hexdigest()

    def __call__(self, recipe):
        """Return the Candidate of a recipe."""
        if recipe not in self._known:
            trial = Candidate(len(self.trials) + 1, recipe, *self._facts(recipe))
            self._known[recipe] = trial
            self.trials.append(trial)
        return self._known[recipe]

    def _facts(self, recipe):
        if self.executor is None:
            return _made(self.compressor, self.images, self.labels, recipe)
        future = self._begun.pop(recipe, None) or self._submit(recipe)
        return future.result() or self._submit(recipe, whole=True).result()

    def _submit(self, recipe, whole=False):
        """Have a file made; what it is made of is sent along if the worker may not know it."""
        self._sent += 1
        whole = whole or self._sent <= self.ahead
        return self.executor.submit(work, self._digest, self._whole if whole else None, recipe)

    def begin(self, recipes):
        """Let the workers make files that will be asked for, as many as may be made ahead."""
        waiting = sum(not x.done() for x in self._begun.values())
        for recipe in recipes:
            if waiting >= self.ahead:
                return
            if recipe not in self._known and recipe not in self._begun:
                self._begun[recipe] = self._submit(recipe)
                waiting += 1

    def in_turn(self, recipes):
        """Yield recipes, while workers begin with those that come after."""
        later = deque()
        for recipe in recipes:
            self.begin([recipe])
            later.append(recipe)
            if len(later) > self.ahead:
                yield later.popleft()
        yield from later

    def tried(self, recipe):
        """Generator: yields the recipe's Candidate if it is new, and returns it in any case."""
        known = recipe in self._known
        trial = self(recipe)
        if not known:
            yield trial
        return trial


def _made(compressor, images, labels, recipe):
    """Images right, images, and gzipped bytes of a recipe's file."""
    model = compressor.compress(recipe)
    score = prefixes.score(model, images, labels)
    return score.correct, score.n, model.packed_gzip_bytes


def work(digest, whole, recipe):
    """In a worker: make a file and score it; None if it was never sent what to make it of."""
    with _AT_WORK:
        if digest not in _SUBJECTS:
            if whole is None:
                return None
            while len(_SUBJECTS) >= SUBJECTS:
                del _SUBJECTS[next(iter(_SUBJECTS))]
            _SUBJECTS[digest] = pickle.loads(whole)
        return _made(*_SUBJECTS[digest], recipe)


def search_images(n=None, dataset=None):
    """Images to choose by: the first `n` of the validation images, by default at most 5,000.

    No shipped model has learned them, and none of them calibrates. Choosing by the test images
    would fit the recipe to them, and the final score would flatter.

    >>> images, labels = search_images(10)
    >>> images.shape, labels.shape
    ((10, 28, 28, 1), (10,))
    """
    split = (dataset or data.load()).validation
    n = min(MOST_IMAGES, len(split)) if n is None else require_whole("n", n, 1, len(split))
    return split.images[:n], split.labels[:n]


def best(trials, budget_bytes):
    """The most accurate trial within a budget, of equals the smallest; None if none fits.

    >>> trials = [Candidate(1, Recipe(), 90, 100, 70_000), Candidate(2, Recipe(4), 88, 100, 35_000)]
    >>> best(trials, 40_000).number, best(trials, 10_000)
    (2, None)
    """
    small = [x for x in trials if x.gzip_bytes <= budget_bytes]
    return max(small, key=lambda x: (x.correct, -x.gzip_bytes), default=None)


def smallest(trials, correct):
    """The smallest trial with at least so many images right; of equals the most accurate."""
    good = [x for x in trials if x.correct >= correct]
    return min(good, key=lambda x: (x.gzip_bytes, -x.correct), default=None)


def row(trial):
    """A trial as JSON has it."""
    facts = ("number", "correct", "n", "gzip_bytes")
    return {name: getattr(trial, name) for name in facts} | {"recipe": recipe_dict(trial.recipe)}


def run_search(score, budget_bytes, method="greedy", files=300, seed=0):
    """Look for the most accurate recipe within a budget of gzipped bytes, one file a step.

    The method is ``greedy``, ``random`` or ``uniform``. At most `files` files are made and scored;
    recipes that `score` knows are not counted. Each `Candidate` is yielded as it is scored: leave
    the loop whenever you like, and ``best(score.trials, budget_bytes)`` is the best so far.

    >>> import qlab
    >>> images, labels = search_images(100)
    >>> score = Scorer(qlab.Compressor(qlab.pretrained("baseline"), images), images, labels,
    ...                qlab.Recipe(calibration_size=100))
    >>> for trial in run_search(score, budget_bytes=30_000, files=40):
    ...     pass
    >>> trial.number, best(score.trials, 30_000).gzip_bytes <= 30_000
    (40, True)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; choose one of {', '.join(METHODS)}")
    for name, value in (("budget_bytes", budget_bytes), ("files", files)):
        if not value > 0:
            raise ValueError(f"{name} is {value!r}; give a number above 0")
    return islice(METHODS[method](score, budget_bytes, np.random.default_rng(seed)), files)


def uniform(score, budget_bytes=None, rng=None):
    """Yield every recipe that treats all layers alike: bits, sparsity and its scope."""
    recipes = (
        score.base.replace(weight_bits=bits, sparsity=sparsity, sparsity_scope=scope)
        for sparsity in SPARSITIES[::2]
        for scope in (SCOPES if sparsity else SCOPES[:1])
        for bits in WEIGHT_BITS
    )
    for recipe in score.in_turn(recipes):
        yield from score.tried(recipe)


def random(score, budget_bytes=None, rng=None):
    """Yield recipes whose layers have bits and sparsity by the roll of a die."""
    stale = 0
    for recipe in score.in_turn(_recipe(score, _anywhere(score, rng)) for _ in count()):
        before = len(score.trials)
        yield from score.tried(recipe)
        stale = 0 if len(score.trials) > before else stale + 1
        if stale == PATIENCE:
            return


def greedy(score, budget_bytes, rng):
    """Lower one layer after the other, each time where it costs least; then improve."""
    place = ((0, 0),) * len(score.layers)
    current = yield from score.tried(_recipe(score, place))
    worth = {(i, *step): -1.0 for i in range(len(place)) for step in STEPS}  # unknown: look first
    while current.gzip_bytes > budget_bytes:
        fresh = set()
        while True:
            step = min(worth, key=worth.get, default=None)
            if step is None or worth[step] == np.inf:
                return  # nothing makes it smaller: the budget is out of reach
            lower = _moved(place, *step)
            if lower is None:
                del worth[step]
            elif step in fresh:
                break
            else:
                if score.ahead:
                    others = (_moved(place, *x) for x in sorted(worth, key=worth.get))
                    score.begin(_recipe(score, x) for x in others if x)
                trial = yield from score.tried(_recipe(score, lower))
                worth[step] = _images_a_byte(current, trial, budget_bytes)
                fresh.add(step)
        place, current = lower, score(_recipe(score, lower))
        worth |= {(step[0], *other): -1.0 for other in STEPS}
    yield from _improved(score, place, current, budget_bytes, rng)


METHODS = {"greedy": greedy, "random": random, "uniform": uniform}


def _improved(score, place, current, budget_bytes, rng):
    """Walk through neighbouring recipes within the budget; a step that is no worse is taken."""
    stale, drawn = 0, deque()  # what will be tried if nothing before it is taken
    while stale < PATIENCE:
        while len(drawn) <= score.ahead:
            near = _neighbour(place, rng)
            drawn.append((near, rng.bit_generator.state))
            score.begin([] if near is None else [_recipe(score, near)])
        (near, dice), before = drawn.popleft(), len(score.trials)
        if near is None:
            stale += 1
            continue
        trial = yield from score.tried(_recipe(score, near))
        stale = 0 if len(score.trials) > before else stale + 1
        if trial.gzip_bytes <= budget_bytes and (trial.correct, -trial.gzip_bytes) >= (
            current.correct,
            -current.gzip_bytes,
        ):
            place, current = near, trial
            drawn.clear()
            rng.bit_generator.state = dice  # as if only what was tried had been drawn


def _recipe(score, place):
    """The recipe of a place: for each layer an index of `WEIGHT_BITS` and one of `SPARSITIES`."""
    settings = {
        layer: {"weight_bits": WEIGHT_BITS[bits], "sparsity": SPARSITIES[zeros]}
        for layer, (bits, zeros) in zip(score.layers, place, strict=True)
    }
    return score.base.replace(overrides=settings)


def _anywhere(score, rng):
    return tuple(
        (int(rng.integers(len(WEIGHT_BITS))), int(rng.integers(len(SPARSITIES))))
        for _ in score.layers
    )


def _images_a_byte(current, lower, budget_bytes):
    """Images lost for each byte saved that is still needed; infinite if none is saved."""
    saved = min(current.gzip_bytes - lower.gzip_bytes, current.gzip_bytes - budget_bytes)
    return max(current.correct - lower.correct, 1) / saved if saved > 0 else np.inf


def _moved(place, i, bits, zeros):
    """The place in which layer i differs by so many notches; None if there is no such place."""
    there = place[i][0] + bits, place[i][1] + zeros
    return (*place[:i], there, *place[i + 1 :]) if _exists(there) else None


def _neighbour(place, rng):
    """A place in which one or two layers differ a little; None if the die left the space."""
    changed = list(place)
    count = min(int(rng.integers(1, 3)), len(place))
    for i in rng.choice(len(place), count, replace=False):
        bits, zeros = changed[i]
        if rng.random() < 0.4:
            bits += int(rng.choice((-1, 1)))
        else:
            zeros += int(rng.choice((-3, -2, -1, 1, 2, 3)))
        changed[i] = bits, zeros
    return tuple(changed) if all(map(_exists, changed)) else None


def _exists(layer):
    return 0 <= layer[0] < len(WEIGHT_BITS) and 0 <= layer[1] < len(SPARSITIES)
