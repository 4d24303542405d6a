"""What was measured: accuracy with its interval, paired comparisons, latency, sizes. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qlab.arithmetic.metrics import mcnemar_p, wilson_interval

KINDS = ("measured", "cached", "simulated")


@dataclass(frozen=True, eq=False)
class Measurement:
    """How well a model classified a set of images.

    Parameters
    ----------
    predictions : array_like of int, shape (n,)
    labels : array_like of int, shape (n,)
    kind : str
        ``measured`` (run here, now), ``cached`` (measured earlier, see the manifest) or
        ``simulated`` (arithmetic that no runtime executed).
    elapsed_ms : float or None
        Wall time of the scoring, milliseconds.

    Raises
    ------
    ValueError
        If the shapes differ, n is 0, or `kind` is none of the three.

    Examples
    --------
    >>> m = Measurement([1, 2, 3, 4], [1, 2, 3, 9])
    >>> m.accuracy, m.correct, m.n, m.kind
    (0.75, 3, 4, 'measured')
    """

    predictions: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    kind: str = "measured"
    elapsed_ms: float | None = None
    correct: int = field(init=False)
    n: int = field(init=False)

    def __post_init__(self):
        predictions, labels = np.asarray(self.predictions), np.asarray(self.labels)
        if predictions.shape != labels.shape or predictions.ndim != 1 or not predictions.size:
            raise ValueError(
                f"predictions {predictions.shape} and labels {labels.shape} "
                "must both be (n,), n > 0"
            )
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

    @property
    def accuracy(self):
        """float in [0, 1]."""
        return self.correct / self.n

    @cached_property
    def interval(self):
        """(float, float): 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.n)


@dataclass(frozen=True)
class Comparison:
    """Paired comparison of two models, a then b, on the same n images.

    Parameters
    ----------
    only_a, only_b : int
        Images that only a, only b classified rightly.
    n : int
        All images.
    p_value : float
        Exact McNemar test, two-sided.
    """

    only_a: int
    only_b: int
    n: int
    p_value: float

    @property
    def difference(self):
        """float: accuracy of b minus accuracy of a."""
        return (self.only_b - self.only_a) / self.n

    @property
    def within_noise(self):
        """bool: whether the paired test leaves the difference unexplained (p >= 0.05)."""
        return self.p_value >= 0.05


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
        This file, gzipped.
    packed_floor_bytes : int
        Weights x bits / 8, and nothing else: what no format can go below without coding. So zeros
        count in full (`qlab.sparse_encoding` leaves them out), and clusters too.
    """

    float32_bytes: int
    file_bytes: int
    gzip_bytes: int
    packed_floor_bytes: int


def compare(a, b):
    """Test, image by image, whether `b` is better or worse than `a`.

    Parameters
    ----------
    a, b : Measurement
        Of the same labels, in the same order.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the labels differ.

    Examples
    --------
    >>> labels = [0, 1, 2, 3]
    >>> a = Measurement([0, 1, 2, 0], labels)
    >>> b = Measurement([0, 1, 0, 0], labels)
    >>> result = compare(a, b)
    >>> result.difference, result.only_a, result.only_b, result.within_noise
    (-0.25, 1, 0, True)
    """
    if not np.array_equal(a.labels, b.labels):
        raise ValueError("the two measurements are not of the same images; measure both on one set")
    only_a = int((a.hits & ~b.hits).sum())
    only_b = int((b.hits & ~a.hits).sum())
    return Comparison(only_a=only_a, only_b=only_b, n=a.n, p_value=mcnemar_p(only_a, only_b))
