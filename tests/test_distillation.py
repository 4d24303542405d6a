"""The loss between softened answers, against SciPy and against its own gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from qlab.distillation import soft_loss, softened

RNG = np.random.default_rng(0)
TEMPERATURES = st.floats(0.1, 50)


@given(TEMPERATURES, st.integers(2, 12), st.integers(0, 100))
def test_it_is_t_squared_times_scipys_divergence(temperature, classes, seed):
    student, teacher = np.random.default_rng(seed).normal(0, 5, (2, 7, classes))
    p, q = (softmax(x / temperature, axis=1) for x in (teacher, student))
    expected = temperature**2 * rel_entr(p, q).sum(axis=1).mean()
    assert soft_loss(student, teacher, temperature) == pytest.approx(expected, abs=1e-6)
    assert softened(teacher, temperature) == pytest.approx(p)


def gradient(student, teacher, temperature, step=1e-4):
    steps = step * np.eye(student.size)
    rise = [
        soft_loss(student + s, teacher, temperature) - soft_loss(student - s, teacher, temperature)
        for s in steps
    ]
    return np.array(rise) / (2 * step)


def test_t_squared_keeps_the_gradients_size():
    student, teacher = RNG.normal(0, 1, (2, 1, 10))
    warm, hot = (np.linalg.norm(gradient(student, teacher, t)) for t in (10, 100))
    assert hot / warm == pytest.approx(1, abs=0.1)


def test_large_logits_do_not_overflow():
    assert soft_loss([[1e4, 0.0]], [[0.0, 1e4]], 1) == pytest.approx(1e4)


def test_it_is_zero_where_both_agree_and_a_constant_is_no_difference():
    logits = RNG.normal(0, 3, (5, 10))
    assert soft_loss(logits + 7, logits, 3) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_told_in_words(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        soft_loss([[1.0, 0.0]], [[1.0, 0.0]], temperature)


def test_different_classes_are_told_in_words():
    with pytest.raises(ValueError, match="one column a class"):
        soft_loss(np.zeros((2, 10)), np.zeros((2, 9)), 2)
