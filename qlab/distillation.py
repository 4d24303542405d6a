"""What a student learns from a teacher's answers: softened probabilities and their loss."""

import numpy as np


def softened(logits, temperature=1.0):
    """Softmax of ``logits / temperature``: the higher the temperature, the more even.

    Parameters
    ----------
    logits : array_like of float, shape (..., classes)
    temperature : float
        Above 0; 1 gives the plain softmax.

    Returns
    -------
    ndarray of float64, shape (..., classes)
        Probabilities; they add up to 1 over the last axis [1]_.

    Raises
    ------
    ValueError
        If `temperature` is not above 0.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531, eq. 1.

    Examples
    --------
    >>> softened([2.0, 0.0]).round(2).tolist(), softened([2.0, 0.0], 4).round(2).tolist()
    ([0.88, 0.12], [0.62, 0.38])
    """
    return np.exp(_log_softened(logits, temperature))


def soft_loss(student_logits, teacher_logits, temperature):
    """How far the student's softened answers are from the teacher's, with the factor T squared.

    Parameters
    ----------
    student_logits, teacher_logits : array_like of float, shape (n, classes)
    temperature : float
        Above 0, the same for both.

    Returns
    -------
    float
        ``temperature**2`` times the mean over the n images of KL(teacher ‖ student), in nats.
        The gradient of the softened part shrinks with 1 / T²; the factor undoes that [1]_.

    Raises
    ------
    ValueError
        If the shapes differ, or `temperature` is not above 0.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2.

    Examples
    --------
    >>> soft_loss([[1.0, 2.0]], [[1.0, 2.0]], 4), round(soft_loss([[0.0, 0.0]], [[2.0, 0.0]], 2), 4)
    (0.0, 0.4438)
    """
    if np.shape(student_logits) != np.shape(teacher_logits):
        raise ValueError(
            f"student {np.shape(student_logits)} and teacher {np.shape(teacher_logits)}: "
            "one row an image, one column a class, the same for both"
        )
    student = _log_softened(student_logits, temperature)
    teacher = _log_softened(teacher_logits, temperature)
    divergence = (np.exp(teacher) * (teacher - student)).sum(axis=-1)
    return float(temperature**2 * divergence.mean())


def _log_softened(logits, temperature):
    """Logarithm of `softened`; large logits do not overflow."""
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be above 0; got {temperature!r}")
    scaled = np.asarray(logits, np.float64) / temperature
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
