"""What a student learns from a teacher's answers: softened probabilities, their loss, its pull."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The parts of the distillation loss and how hard each pulls at the student's logits."""

    soft: float
    soft_without_factor: float
    hard: float
    total: float
    gradients: dict = field(repr=False)

    @property
    def gradient_sizes(self):
        """dict of str to float: length of each gradient, averaged over the images."""
        return {
            name: float(np.linalg.norm(values, axis=-1).mean())
            for name, values in self.gradients.items()
        }


def softened(logits, temperature=1.0):
    """Softmax of ``logits / temperature``: the higher the temperature, the more even [1]_.

    The probabilities are float64, and add up to 1 over the last axis.

    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531, eq. 1.

    >>> softened([2.0, 0.0]).round(2).tolist(), softened([2.0, 0.0], 4).round(2).tolist()
    ([0.88, 0.12], [0.62, 0.38])
    """
    return np.exp(_log_softened(logits, temperature))


def soft_loss(student_logits, teacher_logits, temperature):
    """How far the student's softened answers are from the teacher's, with the factor T squared.

    It is ``temperature**2`` times the mean over the images of KL(teacher ‖ student), in nats; both
    logits have the shape (n, classes). At high temperatures the gradient of the softened part
    shrinks with 1 / T², and the factor undoes that [1]_.

    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2.

    >>> soft_loss([[1.0, 2.0]], [[1.0, 2.0]], 4), round(soft_loss([[0.0, 0.0]], [[2.0, 0.0]], 2), 4)
    (0.0, 0.4438)
    """
    _require_pair(student_logits, teacher_logits)
    student = _log_softened(student_logits, temperature)
    teacher = _log_softened(teacher_logits, temperature)
    divergence = (np.exp(teacher) * (teacher - student)).sum(axis=-1)
    return float(temperature**2 * divergence.mean())


def hard_loss(logits, labels):
    """Cross-entropy of a model's answers with the labels, in nats."""
    labels = _checked_labels(logits, labels)
    return float(-_log_softened(logits, 1.0)[np.arange(len(labels)), labels].mean())


def loss_terms(student_logits, teacher_logits, labels, temperature=4.0, alpha=0.9):
    """Take the distillation loss apart: its terms, and the gradient of each.

    `alpha` is the weight of the soft term; the hard one has 1 - alpha. The soft term pulls with
    ``temperature * (student - teacher)``, both softened. Without the factor T² it would be
    ``(student - teacher) / temperature``, where at high temperatures the difference itself shrinks
    with 1 / T: from T = 10 to 20 three quarters of the pull go, and the labels would rule [1]_.

    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2.1.

    >>> terms = loss_terms([[0.0, 0.0]], [[2.0, 0.0]], [0], temperature=2, alpha=0.5)
    >>> round(terms.soft, 4), round(terms.hard, 4), round(terms.total, 4)
    (0.4438, 0.6931, 0.5685)
    >>> terms.gradients["soft"].round(4).tolist()
    [[-0.4621, 0.4621]]
    """
    check_settings(temperature, alpha)
    _require_pair(student_logits, teacher_logits)
    labels = _checked_labels(student_logits, labels)
    soft = soft_loss(student_logits, teacher_logits, temperature)
    hard = hard_loss(student_logits, labels)
    apart = softened(student_logits, temperature) - softened(teacher_logits, temperature)
    missed = softened(student_logits)
    missed[np.arange(len(labels)), labels] -= 1.0
    gradients = {
        "soft": temperature * apart,
        "soft_without_factor": apart / temperature,
        "hard": missed,
        "total": alpha * temperature * apart + (1 - alpha) * missed,
    }
    total = alpha * soft + (1 - alpha) * hard
    return LossTerms(soft, soft / temperature**2, hard, total, gradients)


def class_similarity(logits, labels, temperature=4.0):
    """What a model sees of every class in every other: the "dark knowledge" of its answers.

    Row c is the mean softened answer to the images of class c, and adds up to 1. At temperature 1
    nearly all is on the diagonal; higher, the rest shows. Each class must occur among the labels.

    >>> class_similarity([[2.0, 0.0], [0.0, 2.0]], [0, 1], temperature=2).round(2).tolist()
    [[0.73, 0.27], [0.27, 0.73]]
    """
    require_logits(logits, "the logits")
    labels, answers = _checked_labels(logits, labels), softened(logits, temperature)
    classes = range(answers.shape[-1])
    empty = [c for c in classes if c not in labels]
    if empty:
        raise ValueError(f"there is no image of class {empty[0]}; every class needs at least one")
    return np.stack([answers[labels == c].mean(axis=0) for c in classes])


def permuted(answers, seed=0):
    """A teacher's logits with the classes that it did not choose shuffled, image by image.

    Each answer is as confident as before, but which class comes second is left to chance.

    >>> found = permuted(np.float32([[5, 1, 2, 3]]))
    >>> float(found[0, 0]), sorted(map(float, found[0, 1:]))
    (5.0, [1.0, 2.0, 3.0])
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    order = np.argsort(-answers, axis=1, kind="stable")
    targets = order.copy()
    targets[:, 1:] = generator.permuted(order[:, 1:], axis=1)
    found = np.empty_like(answers)
    np.put_along_axis(found, targets, np.take_along_axis(answers, order, axis=1), axis=1)
    return found


def check_settings(temperature, alpha):
    """Raise ValueError, with the rule, unless temperature > 0 and 0 <= alpha <= 1."""
    _check_temperature(temperature)
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha must be 0 to 1; got {alpha!r}. It is the share of the teacher in the loss: "
            "0 is the labels alone, 1 the teacher alone"
        )


def require_logits(values, whose):
    """Raise ValueError unless `values` may be logits, one row an image; explains probabilities."""
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not len(values):
        raise ValueError(
            f"{whose} have shape {values.shape}: one row an image, one column a class are needed"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{whose} hold nan or infinity; the model that gave them has failed")
    one_by_hand = len(values) == 1 and not (values % 1).any()  # such as [[1, 0, 0]]
    if (values >= 0).all() and np.abs(values.sum(axis=1) - 1).max() < 1e-3 and not one_by_hand:
        raise ValueError(
            f"{whose} look like probabilities: nothing is negative and every row adds up to 1. "
            "Another softmax would make them nearly even, and there would be nothing to learn. "
            "Give what comes before the softmax, or np.log(probabilities + 1e-9), which is the "
            "same up to a constant a row"
        )


def _require_pair(student_logits, teacher_logits):
    if np.shape(student_logits) != np.shape(teacher_logits):
        raise ValueError(
            f"student {np.shape(student_logits)} and teacher {np.shape(teacher_logits)}: "
            "one row an image, one column a class, the same for both"
        )
    require_logits(student_logits, "the student's logits")
    require_logits(teacher_logits, "the teacher's logits")


def _checked_labels(logits, labels):
    labels, shape = np.asarray(labels), np.shape(logits)
    if len(shape) != 2 or labels.shape != shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"logits of shape {shape} and {labels.dtype} labels of shape {labels.shape}: "
            "one whole number, the class, for each row of logits"
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= shape[1]:
        raise ValueError(f"labels must be 0 to {shape[1] - 1}, and at least one")
    return labels


def _check_temperature(temperature):
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be above 0; got {temperature!r}")


def _log_softened(logits, temperature):
    """Logarithm of `softened`; large logits do not overflow."""
    _check_temperature(temperature)
    scaled = np.asarray(logits, np.float64) / temperature
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
