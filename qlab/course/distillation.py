"""Questions and exercises of notebook 05: soft answers, their loss, and luck of the seed."""

import numpy as np

from qlab.arithmetic import distillation
from qlab.arithmetic.distillation import soft_loss, softened
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "05.sure",
        "For how many of the 10,000 test images does the teacher give 99 % or more to one class?",
        {
            "fewer than half": (0, 5_000),
            "half to three quarters": (5_000, 7_500),
            "more than three quarters": (7_500, 10_001),
        },
        shown="{:,.0f} images",
        why="What is left of such an answer says next to nothing, unless it is softened.",
    )
)

QUESTIONS.add(
    Question(
        "05.shirt",
        "Of all the teacher's answers to shirts, take the mean. Which other class gets the most?",
        {"T-shirt/top": 0, "Pullover": 2, "Dress": 3, "Coat": 4},
        why="No label says so. A student can learn it from a teacher alone.",
    )
)

QUESTIONS.add(
    Question(
        "05.square",
        "The temperature goes from 10 to 20, and the factor T² is left out. "
        "How hard does the soft loss pull then, beside before?",
        {
            "just as hard": (0.75, 1.5),
            "half as hard": (0.4, 0.75),
            "a quarter as hard": (0.1, 0.4),
        },
        shown="{:.2f} times as hard",
        why="The gradient has a factor 1 / T, and the difference of softened answers shrinks with "
        "1 / T as well. T² undoes both.",
    )
)

GAINS = {
    "by less than half a point, up or down": (-0.005, 0.005),
    "by half a point to two points": (0.005, 0.02),
    "by more than two points": (0.02, 1),
}

QUESTIONS.add(
    Question(
        "05.few",
        "Students of 5,000 weights, 600 images with labels, five seeds. By how much is the taught "
        "student better than the better of its two controls, on average?",
        {"it is worse, by half a point or more": (-1, -0.005), **GAINS},
        why="With few images each soft answer brings what many labels would.",
    )
)

QUESTIONS.add(
    Question(
        "05.more",
        "The same students with 6,000 labels. By how much is the taught student better now?",
        {"it is worse, by half a point or more": (-1, -0.005), **GAINS},
        why="A teacher is no free gain. Perhaps so small a student has no room for its answers.",
    )
)


def paired_t(taught, control):
    """How large a mean difference is beside what chance makes of it: the paired t statistic.

    Examples
    --------
    >>> round(paired_t([0.85, 0.86, 0.87], [0.84, 0.84, 0.84]), 3)
    3.464
    """
    gains = np.subtract(taught, control)
    return float(gains.mean() / (gains.std(ddof=1) / np.sqrt(len(gains))))


def _case(n, classes, temperature, seed):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 3, (2, n, classes)).astype(np.float32)
    return student, teacher, temperature


def _without_square(student, teacher, temperature):
    return soft_loss(student, teacher, temperature) / temperature**2


def _once(student, teacher, temperature):
    return soft_loss(student, teacher, temperature) / temperature


def _swapped(student, teacher, temperature):
    return soft_loss(teacher, student, temperature)


def _only(which):
    """Soften one side and leave the other at temperature 1."""

    def wrong(student, teacher, temperature):
        hot = {"student": (1, temperature), "teacher": (temperature, 1)}[which]
        p, q = softened(teacher, hot[0]), softened(student, hot[1])
        return temperature**2 * (p * np.log(p / q)).sum(axis=-1).mean()

    return wrong


def _cross_entropy(student, teacher, temperature):
    p, q = softened(teacher, temperature), softened(student, temperature)
    return -(temperature**2) * (p * np.log(q)).sum(axis=-1).mean()


def _summed(student, teacher, temperature):
    return len(student) * soft_loss(student, teacher, temperature)


def _mean_of_all(student, teacher, temperature):
    return soft_loss(student, teacher, temperature) / student.shape[-1]


EXERCISES.add(
    Exercise(
        "05.soft_loss",
        for_function(
            distillation.soft_loss,
            [_case(4, 3, 2.0, 0), _case(6, 10, 4.0, 1), _case(1, 10, 8.0, 2), _case(5, 4, 0.5, 3)],
            mistakes={
                "T² is missing. Without it, the gradients of this loss shrink with 1 / T².": like(
                    _without_square
                ),
                "This is times T, and it takes T²: the gradients shrink with 1 / T².": like(_once),
                "Teacher and student are swapped. The teacher's probabilities weight the sum.": (
                    like(_swapped)
                ),
                "Only one side is softened. Divide both logits by the temperature.": like(
                    _only("student"), _only("teacher")
                ),
                "This is the cross-entropy. Subtract the teacher's own: log p - log q, so that "
                "the loss is 0 where both agree.": like(_cross_entropy),
                "This is the sum over images. Take the mean.": like(_summed),
                "Sum over the classes, then take the mean over the images only.": like(
                    _mean_of_all
                ),
            },
        ),
        distillation.soft_loss,
        (
            "p = softmax(teacher / T) and q = softmax(student / T), each over the classes.",
            "KL(p ‖ q) of one image is the sum over classes of p * (log p - log q).",
            "Take the mean over the images, and multiply by T**2.",
        ),
    )
)


def _logits(shape, seed, scale=3.0):
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def _plain_softmax(logits, temperature):
    return softened(logits, 1.0)


def _hotter(logits, temperature):
    return softened(logits, 1 / temperature)


def _late(logits, temperature):
    return softened(logits, 1.0) / temperature


def _first_axis(logits, temperature):
    return np.exp(logits / temperature) / np.exp(logits / temperature).sum(axis=0)


def _over_all(logits, temperature):
    return np.exp(logits / temperature) / np.exp(logits / temperature).sum()


EXERCISES.add(
    Exercise(
        "05.softened",
        for_function(
            softened,
            [(_logits((4, 3), 0), 1.0), (_logits((3, 10), 1), 4.0), (_logits((2, 5), 2), 0.5)],
            mistakes={
                "The temperature is missing: this is the plain softmax.": like(_plain_softmax),
                "Divide by the temperature. Multiplying makes the answer harder.": like(_hotter),
                "Divide the logits, before the exponential. These rows no longer add up to 1.": (
                    like(_late)
                ),
                "Each row is one image: add up over the classes, the last axis.": like(
                    _first_axis, _over_all
                ),
            },
        ),
        softened,
        (
            "Divide the logits by the temperature, then take the softmax.",
            "The softmax is exp(z) over the sum of exp(z) of the same row.",
            "z = logits / temperature, then np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True).",
        ),
    )
)


def _population(taught, control):
    gains = np.subtract(taught, control)
    return gains.mean() / (gains.std() / np.sqrt(len(gains)))


def _without_root(taught, control):
    gains = np.subtract(taught, control)
    return gains.mean() / gains.std(ddof=1)


def _by_count(taught, control):
    gains = np.subtract(taught, control)
    return gains.mean() / (gains.std(ddof=1) / len(gains))


def _unpaired(taught, control):
    spread = np.var(taught, ddof=1) + np.var(control, ddof=1)
    return (np.mean(taught) - np.mean(control)) / np.sqrt(spread / len(taught))


def _backwards(taught, control):
    return -paired_t(taught, control)


def _mean_alone(taught, control):
    return np.mean(np.subtract(taught, control))


EXERCISES.add(
    Exercise(
        "05.paired_t",
        for_function(
            paired_t,
            [
                (np.array([0.71, 0.70, 0.74]), np.array([0.69, 0.66, 0.73])),
                (np.array([0.8, 0.82, 0.81, 0.79, 0.8]), np.array([0.79, 0.82, 0.82, 0.77, 0.76])),
            ],
            mistakes={
                "Five seeds are a sample: divide by n - 1 in the standard deviation, ddof=1.": like(
                    _population
                ),
                "Divide the standard deviation by the square root of the number of seeds.": like(
                    _without_root, _by_count
                ),
                "Taught and control of one seed share images, start and order. Take the difference "
                "seed by seed, and its spread.": like(_unpaired),
                "The sign: taught minus control.": like(_backwards),
                "This is the mean gain. Divide it by its standard error.": like(_mean_alone),
            },
        ),
        paired_t,
        (
            "First take the difference of each seed.",
            "t is the mean difference over its standard error.",
            "The standard error is the standard deviation (ddof=1) over the root of the number.",
        ),
    )
)
