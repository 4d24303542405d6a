"""What travels upward: measurements, comparisons, recipes. Frozen, and without any drawing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from qlab.clusters import require_clusters
from qlab.sparsity import SCOPES, require_sparsity

WEIGHT_BITS = (2, 3, 4, 5, 6, 7, 8, 16, 32)
ACTIVATION_BITS = (2, 3, 4, 5, 6, 7, 8, 32)
GRANULARITIES = ("per-channel", "per-tensor")
OBSERVERS = ("min-max", "percentile", "mse")
KINDS = ("measured", "cached", "simulated")
LARGEST_CALIBRATION = 1024


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
        """Check, and count once."""
        predictions, labels = np.asarray(self.predictions), np.asarray(self.labels)
        if predictions.shape != labels.shape or predictions.ndim != 1 or not predictions.size:
            raise ValueError(
                f"predictions {predictions.shape} and labels {labels.shape} "
                "must both be (n,), n > 0"
            )
        _require("kind", self.kind, KINDS)
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

    @property
    def interval(self):
        """(float, float): 95 % Wilson interval of the accuracy."""
        from qlab.metrics import wilson_interval

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
        count in full, and clusters too; `qlab.sparse_encoding` codes both.
    """

    float32_bytes: int
    file_bytes: int
    gzip_bytes: int
    packed_floor_bytes: int


@dataclass(frozen=True)
class Recipe:
    """How to compress a model.

    Parameters
    ----------
    weight_bits : int
        2 to 8 are integer weights; 16 float16; 32 float32.
    activation_bits : int
        2 to 8 are integer activations; 32 float32.
    granularity : str
        ``per-channel`` (a scale for each output channel of the weights) or ``per-tensor``.
    observer : str
        What turns seen activations into a range: ``min-max``, ``percentile`` or ``mse``.
    calibration_size : int
        How many of the calibration images to use, 1 to 1,024.
    overrides : mapping of str to mapping
        ``{layer name: {"weight_bits": 4, "activation_bits": 6, "sparsity": 0.9, "clusters": 16}}``,
        each only where wanted; kept as sorted tuples, so that a recipe is hashable.
    sparsity : float in [0, 1)
        Fraction of the weights set to zero, the smallest ones. Biases are kept.
    sparsity_scope : str
        ``global`` (one threshold for all layers) or ``per-layer`` (the same share of each). A layer
        with a sparsity of its own leaves the global threshold to the others.
    clusters : int or None
        Distinct values that each layer's weights may take, 2 to 256; None for no limit. Zeros of
        pruning stay zeros, and zero is then one of them.

    Raises
    ------
    ValueError
        If a value is outside its list; the message gives the list.

    Notes
    -----
    Weights are pruned, then clustered, then quantized.

    Examples
    --------
    >>> recipe = Recipe(weight_bits=8, overrides={"dense1": {"weight_bits": 4}})
    >>> recipe.bits("weight_bits", "dense1"), recipe.bits("weight_bits", "conv1")
    (4, 8)
    >>> recipe.replace(activation_bits=9)
    Traceback (most recent call last):
    ...
    ValueError: activation_bits is 9; choose one of 2, 3, 4, 5, 6, 7, 8, 32
    """

    weight_bits: int = 8
    activation_bits: int = 8
    granularity: str = "per-channel"
    observer: str = "min-max"
    calibration_size: int = 128
    overrides: Mapping[str, Mapping[str, float]] | tuple = ()
    sparsity: float = 0.0
    sparsity_scope: str = "global"
    clusters: int | None = None

    def __post_init__(self):
        """Check every value, and freeze the overrides."""
        for name in (*_CHOICES, *_CHECKED):
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        size = self.calibration_size
        if (
            isinstance(size, bool)
            or not isinstance(size, int | np.integer)
            or not 1 <= size <= LARGEST_CALIBRATION
        ):
            raise ValueError(f"calibration_size is {size!r}; choose 1 to {LARGEST_CALIBRATION}")
        object.__setattr__(self, "overrides", _frozen_overrides(self.overrides))

    def bits(self, which, layer):
        """Bits of one layer.

        Parameters
        ----------
        which : str
            ``weight_bits`` or ``activation_bits``.
        layer : str
            A layer's name.

        Returns
        -------
        int
        """
        return self.setting(which, layer)

    def setting(self, name, layer):
        """What holds for one layer: its own setting, or that of all.

        Parameters
        ----------
        name : str
            ``weight_bits``, ``activation_bits``, ``sparsity`` or ``clusters``.
        layer : str
            A layer's name.

        Returns
        -------
        int, float or None
        """
        return dict(dict(self.overrides).get(layer, ())).get(name, getattr(self, name))

    def replace(self, **changes):
        """Return a copy with some values changed.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError
            As the constructor does.
        """
        return dataclasses.replace(self, **changes)


_CHOICES = {
    "weight_bits": WEIGHT_BITS,
    "activation_bits": ACTIVATION_BITS,
    "granularity": GRANULARITIES,
    "observer": OBSERVERS,
    "sparsity_scope": SCOPES,
}
_CHECKED = {
    "sparsity": require_sparsity,
    "clusters": lambda value, name: None if value is None else require_clusters(value, name),
}
PER_LAYER = ("weight_bits", "activation_bits", "sparsity", "clusters")


def _checked(name, value, label=None):
    """A setting's value, or an error in words that calls it `label`."""
    if name in _CHECKED:
        return _CHECKED[name](value, label or name)
    _require(label or name, value, _CHOICES[name])
    return value


def _require(name, value, choices):
    """Raise in words unless `value` is one of `choices`."""
    if isinstance(value, bool) or value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(str, choices))}")


def _frozen_overrides(overrides):
    """Sorted tuples ((layer, ((setting, value), ...)), ...) from a mapping or from such tuples."""
    try:
        settings_of = {layer: dict(settings) for layer, settings in dict(overrides).items()}
    except (TypeError, ValueError):
        raise ValueError(
            f"overrides is {overrides!r}; give {{layer name: {{'weight_bits': 4}}}}"
        ) from None
    frozen = []
    for layer, settings in sorted(settings_of.items()):
        for name in settings:
            if name not in PER_LAYER:
                raise ValueError(
                    f"{layer}: {name!r} cannot be set per layer; {', '.join(PER_LAYER)} can"
                )
        checked = ((n, _checked(n, settings[n], f"{layer}: {n}")) for n in sorted(settings))
        frozen.append((layer, tuple(checked)))
    return tuple(frozen)
