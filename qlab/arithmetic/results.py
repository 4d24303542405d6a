"""What was measured: accuracy with its interval, paired comparisons, latency, sizes. Frozen."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from qlab.arithmetic.metrics import crossed_interval, mcnemar_p, paired_interval, wilson_interval

KINDS = ("measured", "cached", "simulated")
ALPHA = 0.05  # of a family of comparisons
MINUS = "\N{MINUS SIGN}"


def require_numbers(labels):
    """Raise ValueError if labels are names: no prediction would ever be equal to one."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"labels are {labels.dtype}; give the number of each class, counted from 0, such as "
            "numpy.unique(labels, return_inverse=True)[1]"
        )


@dataclass(frozen=True, eq=False)
class Measurement:
    """How well a model classified a set of images; printed, it is an accuracy with its interval.

    Parameters
    ----------
    predictions : array_like of int, shape (n,)
    labels : array_like of int, shape (n,)
    kind : str
        ``measured`` (run here, now), ``cached`` (measured earlier, see the manifest) or
        ``simulated`` (arithmetic that no runtime executed).
    elapsed_ms : float or None
        Wall time of the scoring, milliseconds.
    images_are : str
        What the images are called on screen, such as "validation images".
    how : str
        In what way it was measured, in a few words; empty if nobody said.

    Raises
    ------
    ValueError
        If the shapes differ, n is 0, labels are no numbers, or `kind` is none of the three.

    Examples
    --------
    >>> m = Measurement([1, 2, 3, 4], [1, 2, 3, 9])
    >>> m.accuracy, m.correct, m.n, m.kind
    (0.75, 3, 4, 'measured')
    >>> print(m)
    75.00 % (95 % interval 30.06 to 95.44 %)
    """

    predictions: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    kind: str = "measured"
    elapsed_ms: float | None = None
    images_are: str = "images"
    how: str = field(default="", repr=False)
    correct: int = field(init=False)
    n: int = field(init=False)

    def __post_init__(self):
        predictions, labels = np.asarray(self.predictions), np.asarray(self.labels)
        if predictions.shape != labels.shape or predictions.ndim != 1 or not predictions.size:
            raise ValueError(
                f"predictions {predictions.shape} and labels {labels.shape} "
                "must both be (n,), n > 0"
            )
        require_numbers(labels)
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; choose one of {', '.join(KINDS)}")
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("predictions", predictions)
        put("labels", labels)
        put("correct", int((predictions == labels).sum()))
        put("n", int(labels.size))

    @property
    def hits(self):
        """ndarray of bool, shape (n,): which images were classified rightly."""
        return self.predictions == self.labels

    def first(self, n):
        """Of the first `n` images alone; all, if there are no more."""
        if n >= self.n:
            return self
        return replace(self, predictions=self.predictions[:n], labels=self.labels[:n])

    @property
    def accuracy(self):
        """float in [0, 1]."""
        return self.correct / self.n

    @cached_property
    def interval(self):
        """(float, float): 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    def __str__(self):
        low, high = self.interval
        return f"{percent(self.accuracy)} (95 % interval {100 * low:.2f} to {percent(high)})"


@dataclass(frozen=True)
class Comparison:
    """Paired comparison of two methods, a then b, on the same n images; printed, it is a sentence.

    Parameters
    ----------
    by_seed : tuple of float
        Accuracy of b minus accuracy of a, for each seed; one number if there is one file each.
    only_a, only_b : int
        Images that only a, only b classified rightly, all seeds counted.
    n : int
        Images of one file.
    interval : (float, float)
        Of `difference`, at `level`.
    p_value : float or None
        Of the exact McNemar test, two-sided: below .05 / `family` exactly where `interval` leaves
        zero out. None if there are several seeds.
    family : int
        How many comparisons are shown at once, this one included.

    Examples
    --------
    >>> print(Comparison((0.0061,), 100, 161, 10_000, (0.0022, 0.01), 0.0002))
    +0.61 points (95 % interval 0.22 to 1.00): better
    """

    by_seed: tuple[float, ...]
    only_a: int
    only_b: int
    n: int
    interval: tuple[float, float]
    p_value: float | None
    family: int = 1

    @property
    def difference(self):
        """float: accuracy of b minus accuracy of a, the mean over seeds."""
        return sum(self.by_seed) / len(self.by_seed)

    @property
    def level(self):
        """float: of the interval, so that all of the family hold together in 95 % of cases."""
        return 1 - ALPHA / self.family

    @property
    def verdict(self):
        """str: what the interval says of b: ``better``, ``worse`` or ``too close to call``."""
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "too close to call"

    @property
    def within_noise(self):
        """bool: whether it is too close to call."""
        return self.verdict == "too close to call"

    @property
    def agree(self):
        """bool: whether all seeds have the same sign."""
        return all(x > 0 for x in self.by_seed) or all(x < 0 for x in self.by_seed)

    @property
    def points(self):
        """str: the difference in points, with its sign."""
        return in_points(self.difference)

    @property
    def interval_words(self):
        """str: the interval in points, after its level."""
        low, high = (f"{100 * end:.2f}".replace("-", MINUS) for end in self.interval)
        return f"{100 * self.level:.5g} % interval {low} to {high}"

    def __str__(self):
        return f"{self.points} points ({self.interval_words}): {self.verdict}"


@dataclass(frozen=True)
class Latency:
    """Time of one call, warm, on this machine.

    Parameters
    ----------
    median_ms, p95_ms : float
        Milliseconds a call of `batch` images.
    batch, threads, runs : int
    """

    median_ms: float
    p95_ms: float
    batch: int
    threads: int
    runs: int


@dataclass(frozen=True)
class Sizes:
    """One model's size, four ways, in bytes.

    Parameters
    ----------
    float32_bytes : int
        The float32 file it came from.
    file_bytes : int
        This file.
    gzip_bytes : int
        This file, gzipped at level 6.
    packed_bytes : int
        The same file with weights of few bits stored several to a byte (`LiteModel.packed`).
    """

    float32_bytes: int
    file_bytes: int
    gzip_bytes: int
    packed_bytes: int


def percent(fraction):
    """A share of one, such as an accuracy, in percent.

    >>> percent(0.9034)
    '90.34 %'
    """
    return f"{100 * fraction:.2f} %"


def in_points(difference):
    """A difference of accuracies in points, with its sign."""
    return f"{100 * difference:+.2f}".replace("-", MINUS)


def compare(a, b, family=1):
    """Tell by how much `b` is better or worse than `a`, with an interval, image by image.

    Of two files, the p-value is the exact McNemar test's and the interval is Fay and Lumbard's
    (2021), which agrees with it (`qlab.metrics.paired_interval`). Of several seeds, the interval is
    that of a study in which seeds and images are both drawn at random (Obuchowski and Rockette
    1995, Hillis 2007; `qlab.metrics.crossed_interval`). In a family of k comparisons, intervals are
    at level 1 - .05 / k (Bonferroni), so that all k hold together in at least 95 % of cases.

    Parameters
    ----------
    a, b : Measurement or sequence of Measurement
        Of the same labels, in the same order; in sequences, a measurement for each seed.
    family : int
        How many comparisons are shown at once, this one included.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the labels or the numbers of seeds differ, or `family` is below 1.

    Examples
    --------
    >>> labels = [0, 1, 2, 3]
    >>> a = Measurement([0, 1, 2, 0], labels)
    >>> b = Measurement([0, 1, 0, 0], labels)
    >>> result = compare(a, b)
    >>> result.difference, result.only_a, result.only_b, result.verdict
    (-0.25, 1, 0, 'too close to call')
    >>> result = compare([a, a, b], [b, b, b])
    >>> result.by_seed, result.agree, result.verdict
    ((-0.25, -0.25, 0.0), False, 'too close to call')
    """
    before, after = ((x,) if isinstance(x, Measurement) else tuple(x) for x in (a, b))
    if len(before) != len(after) or not before:
        raise ValueError(
            f"{len(before)} and {len(after)} measurements: compare as many seeds, at least one"
        )
    if family < 1:
        raise ValueError(f"family is {family!r}; it counts the comparisons, at least this one")
    labels = before[0].labels
    if not all(np.array_equal(x.labels, labels) for x in (*before, *after)):
        raise ValueError("the measurements are not of the same images; measure all on one set")
    table = np.array([y.hits.astype(int) - x.hits for x, y in zip(before, after, strict=True)])
    only_a, only_b = int((table < 0).sum()), int((table > 0).sum())
    by_seed, alpha = tuple(table.mean(axis=1).tolist()), ALPHA / family
    if len(table) == 1:
        interval = paired_interval(only_a, only_b, labels.size, alpha)
        p_value = mcnemar_p(only_a, only_b)
    else:
        interval, p_value = crossed_interval(table, alpha), None
    return Comparison(by_seed, only_a, only_b, labels.size, interval, p_value, family)
