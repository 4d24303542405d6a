"""Exercise of notebook 05: the loss between a teacher's and a student's softened answers."""

import numpy as np

from qlab import distillation
from qlab.distillation import soft_loss, softened
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like


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
