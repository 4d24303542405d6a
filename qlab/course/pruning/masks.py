"""Which weights go, and how many at which step of training."""

import numpy as np

from qlab.lessons.judges import close, for_function, like, numbers


def magnitude_mask(weights, sparsity):
    """Mask that drops the smallest weights: True is kept."""
    smallest_first = np.argsort(np.abs(weights), axis=None)
    mask = np.ones(weights.size, bool)
    mask[smallest_first[: round(sparsity * weights.size)]] = False
    return mask.reshape(weights.shape)


def global_masks(layers, sparsity):
    """One mask a layer, with one threshold for all layers together."""
    mask = magnitude_mask(np.concatenate([layer.ravel() for layer in layers]), sparsity)
    parts = np.split(mask, np.cumsum([layer.size for layer in layers])[:-1])
    return [part.reshape(layer.shape) for part, layer in zip(parts, layers, strict=True)]


def _mask(got):
    """A learner's mask, or None where it is no array of zeros and ones."""
    values = numbers(got)
    if values is None or not np.isin(values, (0, 1)).all():
        return None
    return values.astype(bool)


def _is_bool(mask):
    """Zeros and ones are no mask: ``weights[mask]`` would take them as places."""
    return np.asarray(mask).dtype == bool


def _drops_smallest(weights, mask, pruned):
    """Whether a mask drops so many of the smallest weights; equal ones go or stay as they like."""
    if mask is None or mask.shape != np.shape(weights):
        return False
    size, gone = np.abs(weights), np.count_nonzero(~mask)
    if 0 < gone < mask.size and size[mask].min() < size[~mask].max():
        return False
    ordered = np.sort(size, axis=None)
    tied = 0 < pruned < size.size and ordered[pruned - 1] == ordered[pruned]
    if not tied:
        return gone == pruned
    fewest, most = (np.searchsorted(ordered, ordered[pruned], side) for side in ("left", "right"))
    return bool(fewest <= gone <= most)


def _chooses_well(args, got):
    return _drops_smallest(args[0], _mask(got), round(args[1] * args[0].size))


def _right_mask(args, expected, got):
    return _chooses_well(args, got) and _is_bool(got)


def _swapped(args, got):
    """The smallest stayed, however many."""
    mask, size = _mask(got), np.abs(args[0])
    if mask is None or mask.shape != size.shape or mask.all() or not mask.any():
        return False
    return size[mask].max() <= size[~mask].min()


def _are_weights(args, got):
    """Zeros beside weights as they were: the mask was applied already."""
    got = numbers(got)
    if got is None or got.shape != args[0].shape:
        return False
    return bool(((got == args[0]) | (got == 0)).all() and got.any())


def _threshold(sign=np.abs, of=np.abs, at=np.quantile, keep=np.greater):
    """`magnitude_mask` by a threshold, with one thing done differently."""
    return lambda weights, sparsity: keep(sign(weights), at(of(weights), sparsity))


def _both(**changes):
    """With > and with >=."""
    return like(_threshold(**changes), _threshold(keep=np.greater_equal, **changes))


def _nth(weights, sparsity):
    """The smallest magnitude that stays, of at least one weight."""
    ordered = np.sort(weights, axis=None)
    return ordered[min(round(sparsity * weights.size), weights.size - 1)]


def _by_rows(weights, sparsity):
    rows = np.atleast_2d(weights)
    return np.array([magnitude_mask(row, sparsity) for row in rows]).reshape(weights.shape)


def _normal(shape, seed, spread=1.0):
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


_MASKED = [
    (np.array([0.31, -0.02, 0.11, -0.93, 0.27, -0.45, 0.08, 0.14]), 0.5),
    (_normal((4, 5), 0), 0.8),
    (np.array([0.2, -0.2, 0.5, 0.2, -0.1, 0.2, 0.9, -0.7]), 0.5),
]

judge_magnitude_mask = for_function(
    magnitude_mask,
    _MASKED,
    same=_right_mask,
    mistakes={
        "are_weights": _are_weights,
        "largest_went": _swapped,
        "percentile": _both(at=np.percentile),
        "signed": like(
            _threshold(sign=np.asarray),
            _threshold(sign=np.asarray, of=np.asarray),
            _threshold(sign=np.asarray, of=np.asarray, keep=np.greater_equal),
            lambda w, s: magnitude_mask(w - w.min(), s),
        ),
        "signed_threshold": _both(of=np.asarray),
        "one_too_many": like(_threshold(at=_nth)),
        "by_rows": like(_by_rows),
        "zeros_and_ones": _chooses_well,
    },
)


def _masks(got):
    """What came back as a list of arrays, or as it is if it is no such list."""
    try:
        parts = [np.asarray(part) for part in got]
    except (TypeError, ValueError):
        return got
    return parts if all(part.dtype.kind in "biuf" for part in parts) else got


def _choose_well(args, got):
    """The right masks, in the layers' shapes."""
    is_list = isinstance(got, list) and all(isinstance(part, np.ndarray) for part in got)
    shapes = [part.shape for part in got] if is_list else []
    return shapes == [layer.shape for layer in args[0]] and _one_array(args, got)


def _right_masks(args, expected, got):
    return _choose_well(args, got) and all(map(_is_bool, got))


def _flat(arrays):
    return np.concatenate([np.empty(0), *map(np.ravel, arrays)])


def _alike(wrong):
    """A mistake: the masks are those of `wrong(layers, sparsity)`, in whatever shapes."""
    return lambda args, got: isinstance(got, list) and close(_flat(wrong(*args)), _flat(got))


def _at(threshold):
    """Masks from one threshold that `threshold(layers, sparsity)` gives."""
    return lambda layers, sparsity: [np.abs(x) > threshold(layers, sparsity) for x in layers]


def _one_array(args, got):
    """The right masks, not split or not in the layers' shapes."""
    everything = _flat(args[0])
    joined = _mask(_flat(got)) if isinstance(got, list) else None
    return _drops_smallest(everything, joined, round(args[1] * everything.size))


_LAYERS = [_normal((3, 4), 1, 1.5), _normal((5,), 2, 0.5), _normal((2, 2, 2), 3, 0.9)]

judge_global_masks = for_function(
    global_masks,
    [(_LAYERS, 0.4), ([_normal((6,), 4), _normal((2, 2), 5, 0.05)], 0.6)],
    read=_masks,
    same=_right_masks,
    mistakes={
        "each_layer": _alike(lambda layers, s: [magnitude_mask(layer, s) for layer in layers]),
        "mean_threshold": _alike(
            _at(lambda layers, s: np.mean([np.quantile(np.abs(x), s) for x in layers]))
        ),
        "normalised": _alike(
            lambda layers, s: global_masks([x / np.abs(x).max() for x in layers], s)
        ),
        "swapped": _alike(lambda layers, s: [~mask for mask in global_masks(layers, s)]),
        "zeros_and_ones": _choose_well,
        "form": _one_array,
    },
)


def polynomial(step, begin_step, end_step, initial, final):
    """Sparsity at a step: 0 at first, then from `initial` to `final`, fast and ever slower."""
    if step < begin_step:
        return 0.0
    rest = 1 - (min(step, end_step) - begin_step) / (end_step - begin_step)
    return final + (initial - final) * rest**3


def _schedule(*, power=3, rest=True, ends=True, early=0.0, shifted=True, lowest=None, factor=1):
    """`polynomial` with one thing done differently."""

    def answer(step, begin_step, end_step, initial, final):
        if ends and step < begin_step:
            return factor * (initial if early is None else early)
        first = initial if lowest is None else lowest
        at = min(step, end_step) if ends else step
        done = (at - begin_step) / (end_step - begin_step) if shifted else at / end_step
        if rest:
            return factor * (final + (first - final) * (1 - done) ** power)
        return factor * (first + (final - first) * done**power)

    return answer


judge_polynomial = for_function(
    polynomial,
    [
        (150, 100, 300, 0.5, 0.9),
        (40, 100, 300, 0.5, 0.9),
        (700, 100, 300, 0.5, 0.9),
        (260, 50, 450, 0.2, 0.8),
        (50, 50, 450, 0.2, 0.8),
    ],
    mistakes={
        "runs_on": like(_schedule(ends=False)),
        "too_early": like(_schedule(early=None)),
        "slow_start": like(_schedule(rest=False)),
        "straight": like(_schedule(power=1)),
        "square": like(_schedule(power=2)),
        "from_step_zero": like(_schedule(shifted=False)),
        "from_zero": like(_schedule(lowest=0)),
        "percent": like(_schedule(factor=100)),
    },
)
