"""The loss between softened answers, against SciPy, by hand, and against its own gradient."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from qlab.arithmetic.distillation import (
    class_similarity,
    hard_loss,
    loss_terms,
    require_logits,
    soft_loss,
    softened,
)

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


def test_three_logits_by_hand():
    student, teacher, t = (2.0, 1.0, 0.0), (4.0, 2.0, -2.0), 2.0
    p = [math.exp(z / t) / sum(math.exp(x / t) for x in teacher) for z in teacher]
    q = [math.exp(z / t) / sum(math.exp(x / t) for x in student) for z in student]
    soft = t * t * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    hard = -math.log(math.exp(1.0) / (math.exp(2.0) + math.exp(1.0) + 1.0))
    terms = loss_terms([student], [teacher], [1], t, 0.7)
    assert terms.soft == pytest.approx(soft, abs=1e-9)
    assert terms.soft_without_factor == pytest.approx(soft / 4, abs=1e-9)
    assert terms.hard == pytest.approx(hard, abs=1e-9)
    assert terms.total == pytest.approx(0.7 * soft + 0.3 * hard, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1, 4, 20])
def test_each_gradient_is_the_slope_of_its_term(temperature):
    student, teacher = RNG.normal(0, 2, (2, 1, 5))
    labels = np.array([3])

    def terms(logits):
        return loss_terms(logits, teacher, labels, temperature, 0.3)

    steps = 1e-5 * np.eye(5)
    for name, gradient in terms(student).gradients.items():
        rise = [
            getattr(terms(student + s), name) - getattr(terms(student - s), name) for s in steps
        ]
        assert gradient[0] == pytest.approx(np.array(rise) / 2e-5, abs=1e-6)


def test_without_the_factor_the_labels_rule_when_it_is_hot():
    student, teacher = RNG.normal(0, 3, (2, 50, 10))
    sizes = {t: loss_terms(student, teacher, np.arange(50) % 10, t).gradient_sizes for t in (1, 20)}
    assert sizes[20]["hard"] == sizes[1]["hard"]
    assert sizes[20]["soft"] == pytest.approx(400 * sizes[20]["soft_without_factor"])
    assert sizes[20]["soft_without_factor"] < 0.01 * sizes[20]["hard"] < sizes[20]["soft"]


def test_hard_loss_is_scipys():
    logits, labels = RNG.normal(0, 4, (9, 10)), RNG.integers(0, 10, 9)
    expected = -np.log(softmax(logits, axis=1)[np.arange(9), labels]).mean()
    assert hard_loss(logits, labels) == pytest.approx(expected)


def test_similarity_is_the_mean_answer_to_each_class():
    logits, labels = RNG.normal(0, 3, (40, 4)), np.arange(40) % 4
    found = class_similarity(logits, labels, 3)
    assert found.sum(axis=1) == pytest.approx(np.ones(4))
    assert found[2] == pytest.approx(softmax(logits[labels == 2] / 3, axis=1).mean(axis=0))
    with pytest.raises(ValueError, match="no image of class 3"):
        class_similarity(logits[labels < 3], labels[labels < 3])


@pytest.mark.parametrize("temperature", [1, 4])
def test_probabilities_are_not_taken_for_logits(temperature):
    logits = RNG.normal(0, 4, (6, 10))
    answers = softened(logits, temperature)
    for wrong in (answers, answers.astype(np.float16), np.eye(10)[:6]):
        with pytest.raises(ValueError, match=r"look like probabilities.*before the softmax"):
            soft_loss(logits, wrong, temperature)
        with pytest.raises(ValueError, match="the student's logits look like probabilities"):
            loss_terms(wrong, logits, np.arange(6))
        with pytest.raises(ValueError, match="look like probabilities"):
            class_similarity(wrong, np.arange(6))
    require_logits(np.log(answers + 1e-9), "these")  # as the message advises, and the same logits
    assert softened(np.log(softened(logits)), temperature) == pytest.approx(answers)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, 90, float("nan")])
def test_an_alpha_that_is_no_share_is_told_in_words(alpha):
    with pytest.raises(ValueError, match="alpha must be 0 to 1; got"):
        loss_terms([[1.0, -1.0]], [[2.0, 0.0]], [0], 2, alpha)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0], "one whole number"), ([0.0, 1.0], "one whole number"), ([0, 2], "must be 0 to 1")],
)
def test_labels_that_do_not_fit_are_told_in_words(labels, words):
    with pytest.raises(ValueError, match=words):
        loss_terms([[1.0, -1.0]] * 2, [[2.0, 0.0]] * 2, labels)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(10), "one row an image"),
        ([[np.nan, 1.0]], "nan or infinity"),
        ([[1.0]], "one row"),
    ],
)
def test_what_is_no_table_of_logits_is_told_in_words(values, words):
    with pytest.raises(ValueError, match=words):
        require_logits(values, "these")
