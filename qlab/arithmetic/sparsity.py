"""Which weights to set to zero: masks by magnitude, in patterns, and how many at which step."""

import math
from numbers import Real

import numpy as np

SCOPES = ("global", "per-layer")


def require_sparsity(value, name="sparsity"):
    """Return `value` as a float if it is a sparsity, else raise in words."""
    if isinstance(value, bool | np.bool) or not isinstance(value, Real | np.number):
        raise ValueError(f"{name} is {value!r}; give a number from 0 to below 1, such as 0.9")
    if value == 1:
        raise ValueError(f"{name} is 1, which leaves no weights; give less, such as 0.99")
    if 1 < value < 100:
        raise ValueError(
            f"{name} is {value}; it is a fraction, not percent: "
            f"for {value:g} % give {float(value) / 100:g}"
        )
    if not 0 <= value < 1:  # NaN too
        raise ValueError(f"{name} is {value}; give a fraction from 0 to below 1, such as 0.9")
    return float(value)


def pruned_count(n, sparsity):
    """How many of n weights a sparsity sets to zero."""
    return min(round(require_sparsity(sparsity) * n), max(n - 1, 0))


def magnitude_ranks(weights):
    """Place of each weight in the order of magnitudes, over all arrays together."""
    arrays = {name: np.asarray(values) for name, values in weights.items()}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has NaN or infinite weights; train it again")
    magnitudes = np.concatenate([np.abs(values).reshape(-1) for values in arrays.values()])
    ranks = np.empty(magnitudes.size, np.int32)
    ranks[np.argsort(magnitudes, kind="stable")] = np.arange(magnitudes.size, dtype=np.int32)
    parts = np.split(ranks, np.cumsum([values.size for values in arrays.values()])[:-1])
    return {
        name: part.reshape(values.shape)
        for part, (name, values) in zip(parts, arrays.items(), strict=True)
    }


def magnitude_masks(weights, sparsity, scope="global"):
    """Masks, by the name of the layer, that drop the smallest weights; True is kept [1]_.

    Of n weights the `pruned_count` smallest go: the product, rounded, and never all. So the count
    is exact, also where magnitudes are equal: there the earlier go first. With the scope ``global``
    n counts all weights together, so that one threshold holds for all layers, and layers of small
    weights lose more; with ``per-layer`` each layer loses the same share.

    .. [1] Han et al., NeurIPS 2015, arXiv:1506.02626, section 3.

    >>> weights = {"a": np.array([0.5, -0.1, 0.2, 0.05]), "b": np.array([0.9, 0.8])}
    >>> {name: mask.tolist() for name, mask in magnitude_masks(weights, 0.5).items()}
    {'a': [True, False, False, False], 'b': [True, True]}
    >>> magnitude_masks(weights, 0.5, "per-layer")["b"].tolist()
    [True, False]
    """
    sparsity = require_sparsity(sparsity)
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}; choose one of {', '.join(SCOPES)}")
    if scope == "per-layer":
        return {
            name: magnitude_masks({name: values}, sparsity)[name]
            for name, values in weights.items()
        }
    if not weights:
        return {}
    ranks = magnitude_ranks(weights)
    pruned = pruned_count(sum(rank.size for rank in ranks.values()), sparsity)
    return {name: rank >= pruned for name, rank in ranks.items()}


def n_of_m_mask(weights, n, m):
    """Mask that keeps the n largest of every m weights in a row, such as 2 of 4."""
    weights = np.asarray(weights)
    _require_whole(n=n, m=m)
    if not 0 < n < m:
        raise ValueError(f"{n} of {m}: keep at least 1 and fewer than m, such as 2 of 4")
    if weights.ndim == 0 or weights.shape[-1] % m:
        length = weights.shape[-1] if weights.ndim else 1
        raise ValueError(
            f"{n} of {m} needs rows that {m} divides; axis -1 of {weights.shape} has {length}"
        )
    rows = np.abs(weights).reshape(-1, m)
    mask = np.ones(rows.shape, bool)
    np.put_along_axis(mask, rows.argsort(1, kind="stable")[:, : m - n], False, 1)
    return mask.reshape(weights.shape)


def block_mask(weights, sparsity, block=(1, 4)):
    """Mask that drops whole blocks, those of the smallest mean magnitude."""
    weights = np.asarray(weights)
    try:
        height, width = block
    except (TypeError, ValueError):
        raise ValueError(f"block is {block!r}; give rows and columns, such as (1, 4)") from None
    _require_whole(rows=height, columns=width)
    matrix = np.abs(weights).reshape(len(weights), -1)
    if not (1 <= height <= matrix.shape[0] and 1 <= width <= matrix.shape[1]):
        raise ValueError(
            f"a block of {height} x {width} does not fit a matrix of "
            f"{matrix.shape[0]} x {matrix.shape[1]}"
        )
    starts = [np.arange(0, matrix.shape[i], (height, width)[i]) for i in (0, 1)]
    sums = matrix
    for axis in (0, 1):
        sums = np.add.reduceat(sums, starts[axis], axis=axis, dtype=np.float64)
    sizes = [np.diff(np.append(starts[i], matrix.shape[i])) for i in (0, 1)]
    kept = magnitude_masks({"": sums / np.outer(*sizes)}, sparsity)[""]
    return kept.repeat(sizes[0], 0).repeat(sizes[1], 1).reshape(weights.shape)


def polynomial_sparsity(step, begin_step, end_step, initial, final, power=3, frequency=100):
    """Fraction pruned at each training step, rising from `initial` to `final`."""
    initial, final = require_sparsity(initial, "initial"), require_sparsity(final, "final")
    if initial > final:
        raise ValueError(f"initial {initial} is above final {final}; pruned weights do not return")
    _require_whole(begin_step=begin_step, end_step=end_step, frequency=frequency)
    if not 0 <= begin_step < end_step:
        raise ValueError(
            f"begin_step {begin_step} and end_step {end_step}: needs 0 <= begin_step < end_step"
        )
    if not (math.isfinite(power) and power > 0) or frequency < 1:
        raise ValueError(f"power is {power} and frequency {frequency}; both must be above 0")
    step = np.asarray(step)
    held = np.clip(step, begin_step, end_step) - begin_step
    progress = held // frequency * frequency / (end_step - begin_step)
    fraction = final + (initial - final) * (1 - progress) ** power
    return np.where(step < begin_step, 0.0, fraction)[()]


def _require_whole(**values):
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} is {value!r}; give a whole number")
