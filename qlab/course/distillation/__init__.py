"""Notebook "Distillation": soft answers, their loss, and luck of the seed."""

import numpy as np

from qlab.arithmetic.distillation import soft_loss, softened
from qlab.lessons.judges import for_function, like


def _logits(shape, seed):
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


judge_softened = for_function(
    softened,
    [(_logits((4, 3), 0), 1.0), (_logits((3, 10), 1), 4.0), (_logits((2, 5), 2), 0.5)],
    mistakes={
        "plain_softmax": like(lambda logits, t: softened(logits, 1.0)),
        "multiplied": like(lambda logits, t: softened(logits, 1 / t)),
        "divided_late": like(lambda logits, t: softened(logits, 1.0) / t),
        "other_axis": like(
            lambda logits, t: np.exp(logits / t) / np.exp(logits / t).sum(axis=0),
            lambda logits, t: np.exp(logits / t) / np.exp(logits / t).sum(),
        ),
    },
)


def _case(n, classes, temperature, seed):
    """Logits of which no softened probability is so small that Keras would clip it, at 1e-7."""
    student, teacher = _logits((2, n, classes), seed) * np.float32(min(1, temperature / 2))
    return student, teacher, temperature


def _divergence(student, teacher, temperature, hot_student, hot_teacher):
    """The soft loss, with a temperature of its own for each side."""
    p, q = softened(teacher, hot_teacher), softened(student, hot_student)
    return temperature**2 * (p * np.log(p / q)).sum(axis=-1).mean()


def _cross_entropy(student, teacher, temperature):
    p, q = softened(teacher, temperature), softened(student, temperature)
    return -(temperature**2) * (p * np.log(q)).sum(axis=-1).mean()


judge_soft_loss = for_function(
    soft_loss,
    [_case(4, 3, 2.0, 0), _case(6, 10, 4.0, 1), _case(1, 10, 8.0, 2), _case(5, 4, 0.5, 3)],
    mistakes={
        "without_square": like(lambda student, teacher, t: soft_loss(student, teacher, t) / t**2),
        "times_temperature": like(lambda student, teacher, t: soft_loss(student, teacher, t) / t),
        "swapped": like(lambda student, teacher, t: soft_loss(teacher, student, t)),
        "one_side": like(
            lambda student, teacher, t: _divergence(student, teacher, t, t, 1),
            lambda student, teacher, t: _divergence(student, teacher, t, 1, t),
        ),
        "cross_entropy": like(_cross_entropy),
        "summed": like(lambda student, *others: len(student) * soft_loss(student, *others)),
        "over_classes": like(
            lambda student, *others: soft_loss(student, *others) / student.shape[-1]
        ),
    },
)


def paired_t(taught, control):
    """How large a mean difference is beside what chance makes of it: the paired t statistic.

    >>> round(paired_t([0.85, 0.86, 0.87], [0.84, 0.84, 0.84]), 3)
    3.464
    """
    gains = np.subtract(taught, control)
    return float(gains.mean() / (gains.std(ddof=1) / np.sqrt(len(gains))))


def _t(ddof=1, divisor=np.sqrt):
    """`paired_t` with one thing done differently."""

    def answer(taught, control):
        gains = np.subtract(taught, control)
        return gains.mean() / (gains.std(ddof=ddof) / divisor(len(gains)))

    return answer


def _unpaired(taught, control):
    spread = np.var(taught, ddof=1) + np.var(control, ddof=1)
    return (np.mean(taught) - np.mean(control)) / np.sqrt(spread / len(taught))


judge_paired_t = for_function(
    paired_t,
    [
        (np.array([0.71, 0.70, 0.74]), np.array([0.69, 0.66, 0.73])),
        (np.array([0.8, 0.82, 0.81, 0.79, 0.8]), np.array([0.79, 0.82, 0.82, 0.77, 0.76])),
    ],
    mistakes={
        "population": like(_t(ddof=0)),
        "standard_error": like(_t(divisor=lambda n: 1), _t(divisor=lambda n: n)),
        "unpaired": like(_unpaired),
        "reversed": like(lambda taught, control: paired_t(control, taught)),
        "mean_alone": like(lambda taught, control: np.mean(np.subtract(taught, control))),
    },
)


def _larger(low, high):
    """Which student gains more, by an interval of what the larger one gains more."""
    return "20k" if low > 0 else "5k" if high < 0 else "neither"


TRUTHS = {
    "hot": lambda logits: softened(logits, 1000.0).max(),
    "changed": lambda changed: changed,
    "larger": lambda more: _larger(*more["plain"]),
    "size": lambda files: files["student"].file_bytes / files["teacher"].file_bytes,
    "neighbours": lambda true_to_permuted: sum(x.verdict == "better" for x in true_to_permuted),
}
