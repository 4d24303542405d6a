"""Questions and exercises of notebook 03: the straight-through estimator and a fair comparison."""

import numpy as np

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "03.stuck",
        "The weight begins at 0.3, is rounded to multiples of 0.25, and should become 0.9. "
        "You round it after each small step and go on from there. "
        "Where is it after 100 steps?",
        {
            "where it began: at 0.25": (0, 0.3),
            "part of the way": (0.3, 0.7),
            "beside 0.9: at 0.75 or 1": (0.7, 1.1),
        },
        shown="at {:.2f}",
        why="Every step is smaller than half the grid, so rounding undoes it. "
        "Training needs a float weight that adds the small steps up.",
    )
)

QUESTIONS.add(
    Question(
        "03.before",
        "tfmot's `quantize_model` wraps the trained baseline at 8 bits. Nothing was trained yet. "
        "What is its accuracy?",
        {
            "about 10 %, as by guessing": (0, 0.2),
            "20 to 80 %": (0.2, 0.8),
            "80 % or more: 8 bits lose nothing": (0.8, 1.01),
        },
        why="Its ranges are placeholders until training sets them. "
        "They do not fit this network, so nearly everything is rounded away.",
    )
)

QUESTIONS.add(
    Question(
        "03.eight",
        "8 bits, three seeds. In how many is QAT better than its control, beyond noise?",
        {"in none": (0, 0.5), "in one or two": (0.5, 2.5), "in all three": (2.5, 4)},
        shown="in {:.0f} of 3",
        why="Rounding to 8 bits took nothing away, so there is nothing to win back. "
        "What looks like a gain over the model of before is the extra epochs.",
    )
)

QUESTIONS.add(
    Question(
        "03.first_gain",
        "Go down from 8 bits to 4, 3 and 2. Where does QAT first gain a point or more over its "
        "control, on average over the seeds?",
        {"at 8 bits": 8, "at 4 bits": 4, "at 3 bits": 3, "at 2 bits": 2},
        why="The coarser the grid, the more rounding costs, and the more training wins back.",
    )
)

QUESTIONS.add(
    Question(
        "03.two_bits",
        "With weights of 2 bits, a weight is minus one step, zero, or plus one step. "
        "What accuracy does QAT reach, in percent?",
        bounds=(0, 100),
        near=3,
        shown="{:.0f} %",
        why="Three values a weight are enough here, if training knows about them.",
    )
)


def fake_quantize_weights(weights, scale, bits):
    """Round weights to the symmetric narrow grid of `scale`, staying in float."""
    largest = 2 ** (bits - 1) - 1
    return scale * np.clip(np.rint(weights / scale), -largest, largest)


def straight_through(upstream, weights, low, high):
    """Gradient of fake quantization as the straight-through estimator has it."""
    return np.where((weights >= low) & (weights <= high), upstream, 0.0)


def train_one_weight(weight, target, scale, rate, steps):
    """Move a weight so that its rounded value comes near `target`.

    Examples
    --------
    >>> round(train_one_weight(0.3, 0.9, 0.25, 0.05, 2), 3)
    0.43
    """
    for _ in range(steps):
        rounded = scale * np.rint(weight / scale)
        weight = weight - rate * 2 * (rounded - target)
    return float(weight)


def gain(baseline, control, aware):
    """Gain of quantization-aware training over the same extra epochs without it."""
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


EXERCISES.add(
    Exercise(
        "03.fake_quantize_weights",
        for_function(
            fake_quantize_weights,
            [
                (np.array([0.3, -0.62, 2.1, -2.3, 0.06]), 0.25, 3),
                (_weights(12, 0), 0.11, 4),
                (_weights(9, 1), 0.6, 2),
            ],
            mistakes={
                "These are codes. Multiply them by the scale to come back.": like(
                    lambda w, s, b: _grid(np.rint)(w, s, b) / s
                ),
                "Nothing is clipped. The codes end at 2**(bits - 1) - 1, on either side.": like(
                    lambda w, s, b: s * np.rint(w / s)
                ),
                "One code too many. The grid is narrow: as far below zero as above it.": like(
                    _grid(np.rint, low=1), _grid(np.rint, low=1, high=1)
                ),
                "This is truncated. Round to the nearest code.": like(
                    _grid(np.trunc), _grid(np.floor)
                ),
                "This clips and does not round.": like(_grid(lambda x: x)),
            },
        ),
        fake_quantize_weights,
        (
            "Divide by the scale. What is the nearest whole number, and may it be that large?",
            "Codes go from -(2**(bits - 1) - 1) to 2**(bits - 1) - 1: np.rint, then np.clip.",
            "scale * np.clip(np.rint(weights / scale), -largest, largest)",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "03.straight_through",
        for_function(
            straight_through,
            [
                (np.array([0.5, -2.0, 0.3, 4.0]), np.array([0.2, -1.7, -0.6, 1.3]), -1.0, 1.0),
                (_weights(10, 2), _weights(10, 3), -0.7, 0.7),
                (_weights(6, 4), _weights(6, 5), 0.0, 1.2),
            ],
            mistakes={
                "This is the true derivative, 0 nearly everywhere. With it nothing is learned. "
                "Inside the range, act as if nothing was rounded.": like(
                    lambda g, w, low, high: np.zeros_like(g)
                ),
                "It passes everywhere. A clipped weight does not move its rounded value: "
                "its gradient is 0.": like(lambda g, w, low, high: g),
                "This is the slope, 1 or 0. Multiply it by the gradient that arrives.": like(
                    lambda g, w, low, high: _inside(w, low, high).astype(float)
                ),
                "Inside and outside are swapped.": like(
                    lambda g, w, low, high: np.where(_inside(w, low, high), 0, g)
                ),
                "The gradients are clipped. It is the weight that decides what passes.": like(
                    lambda g, w, low, high: np.clip(g, low, high),
                    lambda g, w, low, high: np.where(_inside(g, low, high), g, 0),
                ),
            },
        ),
        straight_through,
        (
            "Two cases: the weight lies inside the range, or it was clipped to one of its ends.",
            "Inside, the gradient passes as it came. Where clipped, it is 0.",
            "np.where((weights >= low) & (weights <= high), upstream, 0)",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "03.train_one_weight",
        for_function(
            train_one_weight,
            [
                (0.31, 0.93, 0.25, 0.05, 9),
                (0.31, -0.62, 0.21, 0.033, 30),
                (1.13, 0.47, 0.3, 0.017, 40),
            ],
            mistakes={
                "The steps were taken from the rounded weight, and rounding undoes them. "
                "Take them from the float weight.": like(
                    _descent(keep=True), _descent(keep=True, show=True)
                ),
                "This is the rounded weight. Return the float one, which training keeps.": like(
                    _descent(show=True)
                ),
                "The gradient was taken at the float weight. The loss sees the rounded one.": like(
                    _descent(at_float=True)
                ),
                "This goes uphill. Subtract the gradient.": like(_descent(factor=-2)),
                "The derivative of a square has a factor of 2.": like(_descent(factor=1)),
            },
        ),
        train_one_weight,
        (
            "Two numbers: the float weight, which you keep, and its rounded value, "
            "which the loss sees.",
            "In each step: round, take the gradient 2 * (rounded - target), "
            "and move the float weight.",
            "rounded = scale * np.rint(weight / scale), then "
            "weight = weight - rate * 2 * (rounded - target).",
        ),
    )
)

EXERCISES.add(
    Exercise(
        "03.gain",
        for_function(
            gain,
            [
                (0.90, np.array([0.912, 0.910, 0.914]), np.array([0.913, 0.915, 0.911])),
                (0.88, np.array([0.861, 0.847, 0.853]), np.array([0.904, 0.909, 0.908])),
            ],
            mistakes={
                "This is the gain over the model of before. The extra epochs are in it. "
                "The control had them too.": like(
                    lambda b, c, a: np.mean(a) - b, lambda b, c, a: a - b
                ),
                "The best seeds were picked. Take the mean over all of them.": like(
                    lambda b, c, a: np.max(a) - np.max(c)
                ),
                "The sign is wrong: a gain is positive where QAT is better.": like(
                    lambda b, c, a: np.mean(c) - np.mean(a)
                ),
                "These are percentage points. Give a fraction.": like(
                    lambda b, c, a: 100 * (np.mean(a) - np.mean(c))
                ),
                "This is a gain for each seed. Take the mean.": like(lambda b, c, a: a - c),
            },
        ),
        gain,
        (
            "Which of the other two models had the same extra epochs as QAT?",
            "Subtract the control's accuracy from that of QAT, and leave the baseline out.",
            "np.mean(aware) - np.mean(control)",
        ),
    )
)
