"""Notebook "Quantization-aware training": the straight-through estimator, a fair comparison."""

import numpy as np

from qlab.lessons.judges import for_function, like


def fake_quantize_weights(weights, scale, bits):
    """Round weights to the symmetric narrow grid of `scale`, staying in float."""
    largest = 2 ** (bits - 1) - 1
    return scale * np.clip(np.rint(weights / scale), -largest, largest)


def straight_through(upstream, weights, low, high):
    """Gradient of fake quantization as the straight-through estimator has it."""
    return np.where((weights >= low) & (weights <= high), upstream, 0.0)


def train_one_weight(weight, target, scale, rate, steps):
    """Move a weight so that its rounded value comes near `target`.

    >>> round(train_one_weight(0.3, 0.9, 0.25, 0.05, 2), 3)
    0.43
    """
    for _ in range(steps):
        rounded = scale * np.rint(weight / scale)
        weight = weight - rate * 2 * (rounded - target)
    return float(weight)


def gain(baseline, control, aware):
    """Gain of quantization-aware training over the same further training without it."""
    return float(np.mean(aware) - np.mean(control))


def _grid(rounding, low=0, high=0):
    """Fake quantization with another rounding, or with the codes' ends moved."""

    def answer(weights, scale, bits):
        largest = 2 ** (bits - 1) - 1
        return scale * np.clip(rounding(weights / scale), -largest - low, largest + high)

    return answer


def _descent(*, keep=False, show=False, at_float=False, factor=2):
    """Training of one weight with a mistake in it."""

    def answer(weight, target, scale, rate, steps):
        for _ in range(steps):
            rounded = scale * np.rint(weight / scale)
            slope = factor * ((weight if at_float else rounded) - target)
            weight = (rounded if keep else weight) - rate * slope
        return scale * np.rint(weight / scale) if show else weight

    return answer


def _inside(weights, low, high):
    return (weights >= low) & (weights <= high)


def _weights(n, seed):
    return np.random.default_rng(seed).normal(0, 1, n)


judge_fake_quantize_weights = for_function(
    fake_quantize_weights,
    [
        (np.array([0.3, -0.62, 2.1, -2.3, 0.06]), 0.25, 3),
        (_weights(12, 0), 0.11, 4),
        (_weights(9, 1), 0.6, 2),
    ],
    mistakes={
        "codes": like(lambda w, s, b: _grid(np.rint)(w, s, b) / s),
        "unclipped": like(lambda w, s, b: s * np.rint(w / s)),
        "too_many_codes": like(_grid(np.rint, low=1), _grid(np.rint, low=1, high=1)),
        "truncated": like(_grid(np.trunc), _grid(np.floor)),
        "unrounded": like(_grid(lambda x: x)),
    },
)

judge_straight_through = for_function(
    straight_through,
    [
        (np.array([0.5, -2.0, 0.3, 4.0]), np.array([0.2, -1.7, -0.6, 1.3]), -1.0, 1.0),
        (_weights(10, 2), _weights(10, 3), -0.7, 0.7),
        (_weights(6, 4), _weights(6, 5), 0.0, 1.2),
    ],
    mistakes={
        "true_derivative": like(lambda g, w, low, high: np.zeros_like(g)),
        "passes_everywhere": like(lambda g, w, low, high: g),
        "slope_alone": like(lambda g, w, low, high: _inside(w, low, high).astype(float)),
        "inside_out": like(lambda g, w, low, high: np.where(_inside(w, low, high), 0, g)),
        "gradient_clipped": like(
            lambda g, w, low, high: np.clip(g, low, high),
            lambda g, w, low, high: np.where(_inside(g, low, high), g, 0),
        ),
    },
)

judge_train_one_weight = for_function(
    train_one_weight,
    [
        (0.31, 0.93, 0.25, 0.05, 9),
        (0.31, -0.62, 0.21, 0.033, 30),
        (1.13, 0.47, 0.3, 0.017, 40),
    ],
    mistakes={
        "steps_from_rounded": like(_descent(keep=True), _descent(keep=True, show=True)),
        "returned_rounded": like(_descent(show=True)),
        "gradient_at_float": like(_descent(at_float=True)),
        "uphill": like(_descent(factor=-2)),
        "no_factor_of_two": like(_descent(factor=1)),
    },
)

judge_gain = for_function(
    gain,
    [
        (0.90, np.array([0.912, 0.910, 0.914]), np.array([0.913, 0.915, 0.911])),
        (0.88, np.array([0.861, 0.847, 0.853]), np.array([0.904, 0.909, 0.908])),
    ],
    mistakes={
        "over_baseline": like(lambda b, c, a: np.mean(a) - b, lambda b, c, a: a - b),
        "best_seeds": like(lambda b, c, a: np.max(a) - np.max(c)),
        "reversed": like(lambda b, c, a: np.mean(c) - np.mean(a)),
        "percent": like(lambda b, c, a: 100 * (np.mean(a) - np.mean(c))),
        "each_seed": like(lambda b, c, a: a - c),
    },
)


TRUTHS = {
    "clipped": lambda slopes: slopes[-1],
    "size": lambda files: files[2][0].file_bytes / files[4][0].file_bytes,
    "eight_bits": lambda gains: gains[8],
    "grid": lambda shares: shares[2],
    # Training loss after the last epoch, compared with the control's.
    "loss": lambda runs: runs["QAT, 2 bits"]["loss"][-1] / runs["float control"]["loss"][-1],
}
