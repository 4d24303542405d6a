"""How to compress a model: the recipe, checked; and any recipe as plain data and as words."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.clusters import require_clusters
from qlab.arithmetic.rounding import ROUNDINGS
from qlab.arithmetic.sparsity import SCOPES, require_sparsity
from qlab.system.text import printable

WEIGHT_BITS = (2, 3, 4, 5, 6, 7, 8, 16, 32)
ACTIVATION_BITS = (2, 3, 4, 5, 6, 7, 8, 32)
GRANULARITIES = ("per-channel", "per-tensor")
OBSERVERS = ("min-max", "percentile", "mse")
WEIGHT_OBSERVERS = ("min-max", "mse", "output")
ROUNDING_CHOICES = {  # what a learner chooses between: its name, and what it sets in a recipe
    "nearest": ("nearest", {"rounding": "nearest", "weight_observer": None}),
    "least squares": (
        "nearest, least squares", {"rounding": "nearest", "weight_observer": "mse"}
    ),
    "gptq": ("GPTQ", {"rounding": "gptq", "weight_observer": None}),
}  # fmt: skip
LARGEST_CALIBRATION = 1024
MOST_ENTRIES = 60
MOST_TEXT = 200
DEEPEST = 4
TRAINING = (
    *("network", "trained_from", "batch_size", "optimizer", "learning_rate", "schedule", "role"),
    *("control", "weight_range", "calibration_size", "seed"),
)


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
        and ``weight_observer``, ``rounding``, ``bias_correction``; each only where wanted. Kept as
        sorted tuples, so that a recipe is hashable.
    sparsity : float in [0, 1)
        Fraction of the weights set to zero, the smallest ones. Biases are kept.
    sparsity_scope : str
        ``global`` (one threshold for all layers) or ``per-layer`` (the same share of each). A layer
        with a sparsity of its own leaves the global threshold to the others.
    clusters : int or None
        Distinct values that each layer's weights may take, 2 to 256; None for no limit. Zeros of
        pruning stay zeros, and zero is then one of them.
    weight_observer : str or None
        What sets the range of a layer's weights: ``min-max`` (the largest weight is the last
        code), ``mse`` (least squared rounding error) or ``output`` (the layer's output, over the
        calibration images, moves least). None is what goes with the rounding: ``min-max`` with
        ``nearest`` and ``output`` with ``gptq``.
    rounding : str
        ``nearest``, or ``gptq``: to the code with which the layer's output, over the calibration
        images, moves least [1]_. A pruned weight stays zero. It has no meaning with clusters.
    bias_correction : bool
        Change each bias so that the layer's mean output stays what it was in float [2]_.

    Raises
    ------
    ValueError
        If a value is outside its list; the message gives the list.

    Notes
    -----
    Weights are pruned, then clustered, then quantized.

    References
    ----------
    .. [1] Frantar et al., GPTQ, ICLR 2023, arXiv:2210.17323.
    .. [2] Nagel et al., ICCV 2019, arXiv:1906.04721, section 4.2.

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
    weight_observer: str | None = None
    rounding: str = "nearest"
    bias_correction: bool = False

    def __post_init__(self):
        for name in (*_CHOICES, *_CHECKED):
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        size = self.calibration_size
        if (
            isinstance(size, bool)
            or not isinstance(size, int | np.integer)
            or not 1 <= size <= LARGEST_CALIBRATION
        ):
            raise ValueError(f"calibration_size is {size!r}; choose 1 to {LARGEST_CALIBRATION}")
        object.__setattr__(self, "calibration_size", int(size))
        object.__setattr__(self, "overrides", _frozen_overrides(self.overrides))

    def bits(self, which, layer):
        """Bits of one layer; `which` is ``weight_bits`` or ``activation_bits``."""
        return self.setting(which, layer)

    def setting(self, name, layer):
        """What holds for one layer: its own setting, of those in `PER_LAYER`, or that of all."""
        return dict(dict(self.overrides).get(layer, ())).get(name, getattr(self, name))

    def replace(self, **changes):
        """Return a copy with some values changed, and checked as in the constructor."""
        return dataclasses.replace(self, **changes)


def _yes_or_no(value, name):
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {value!r}; choose True or False")
    return bool(value)


_CHOICES = {
    "weight_bits": WEIGHT_BITS,
    "activation_bits": ACTIVATION_BITS,
    "granularity": GRANULARITIES,
    "observer": OBSERVERS,
    "sparsity_scope": SCOPES,
    "weight_observer": (None, *WEIGHT_OBSERVERS),
    "rounding": ROUNDINGS,
}
_CHECKED = {
    "sparsity": require_sparsity,
    "clusters": lambda value, name: None if value is None else require_clusters(value, name),
    "bias_correction": _yes_or_no,
}
ROUNDING = ("weight_observer", "rounding", "bias_correction")
PER_LAYER = ("weight_bits", "activation_bits", "sparsity", "clusters", *ROUNDING)


def _checked(name, value, label=None):
    """A setting's value, or an error in words that calls it `label`."""
    if name in _CHECKED:
        return _CHECKED[name](value, label or name)
    choices = _CHOICES[name]
    if isinstance(value, bool) or value not in choices:
        words = ", ".join(map(str, choices))
        raise ValueError(f"{label or name} is {value!r}; choose one of {words}")
    return choices[choices.index(value)]  # 8 for 8.0: equal recipes make equal files


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


def recipe_dict(recipe):
    """A recipe as data that JSON can hold."""
    if recipe is None:
        return {}
    if isinstance(recipe, str):
        return {"words": _text(recipe)}
    if isinstance(recipe, Recipe):
        given = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
        given["overrides"] = {layer: dict(bits) for layer, bits in recipe.overrides}
        if not given.get("sparsity"):
            given.pop("sparsity_scope", None)
        for name in ROUNDING:  # what was always so before there was a choice is not said
            if given[name] == getattr(Recipe, name):
                del given[name]
        return _plain(given)
    if isinstance(recipe, Mapping):
        return _plain(dict(recipe))
    raise TypeError(
        f"a recipe is a qlab.Recipe, a dict or words; this is a {type(recipe).__name__}"
    )


def recipe_words(recipe, brief=False):
    """A recipe in one line."""
    if set(recipe) == {"words"}:
        return str(recipe["words"]) or "not recorded"
    shown = {key: x for key, x in recipe.items() if not (brief and key in TRAINING)}
    return _words(shown) or "not recorded"


def _words(mapping, names=False):
    """Settings in words; the names of layers stay as they are."""
    parts = []
    for key, value in mapping.items():
        if value is None or value in ({}, [], ()) or (key == "sparsity" and not value):
            continue
        name = str(key) if names else str(key).replace("_", " ")
        if isinstance(value, Mapping):
            parts.append(f"{name} ({_words(value, names=key == 'overrides')})")
        elif isinstance(value, list | tuple):
            parts.append(f"{name} {' and '.join(map(str, value))}")
        else:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _plain(value, depth=0):
    """A copy of plain data only, cut to a sensible size."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        entries = list(value.items())[:MOST_ENTRIES]
        return {_text(key): _plain(entry, depth + 1) for key, entry in entries}
    if isinstance(value, list | tuple):
        return [_plain(entry, depth + 1) for entry in value[:MOST_ENTRIES]]
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # a NumPy number
    if isinstance(value, int) and abs(value) < 10**15:
        return value
    if isinstance(value, float) and abs(value) < 1e300:
        return value
    return _text(value)


def _text(value):
    """One line of printable characters, cut."""
    return printable(value, MOST_TEXT).strip()
