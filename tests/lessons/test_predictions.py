"""Questions, guesses and reveals; and that the checking code needs no widget."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from qlab.lessons import document, memory, predict, reveal
from qlab.lessons.predictions import QUESTIONS, Question

# Options that are ranges, words, numbers and what is simulated; and a number of one's own.
KINDS = ["welcome.size", "ptq.overhead", "ptq.cliff", "combine.energy", "rounding.blank"]
WITH_OPTIONS = {id: question for id, question in QUESTIONS.items() if question.options}


def as_kept(option):
    """An option as a progress file holds it."""
    return document.storable(option).strip()


def test_reveal_without_a_guess_shows_the_truth_and_says_so():
    shown = reveal("welcome.size", 3.62)
    assert shown.guess is None and not shown.right
    assert repr(shown).startswith(
        "Guess skipped\nMeasured: 3.62 times smaller, so: between 3 and 4 times\n"
    )
    assert "○" in shown._repr_html_()


def test_reveal_puts_guess_and_truth_together():
    predict("welcome.size").guess("4 times or more")
    shown = reveal("welcome.size", np.float32(3.62))
    assert repr(shown).startswith(
        "Not what you expected\nYour guess: 4 times or more\n"
        "Measured: 3.62 times smaller, so: between 3 and 4 times\n"
    )
    predict("welcome.size").guess("between 3 and 4 times")
    assert reveal("welcome.size", 3.62).right


def test_what_no_runtime_executed_is_called_simulated():
    shown = repr(reveal("combine.energy", "weights"))
    assert "\nSimulated: reading the weights\n" in shown and "Measured" not in shown
    with pytest.raises(ValueError, match="its kind is one of measured, simulated"):
        Question("welcome.x", "?", dict.fromkeys("abc", (0, 1)), kind="guessed")


def test_a_number_is_right_when_it_is_near():
    predict("rounding.blank").guess(14)
    shown = reveal("rounding.blank", 10.0)
    assert shown.right and "Your guess: 14 %\nMeasured: 10 %" in repr(shown)
    predict("rounding.blank").guess(40)
    assert not reveal("rounding.blank", 10.0).right


def test_an_option_may_stand_for_a_value():
    predict("ptq.cliff").guess("2 bits")
    assert reveal("ptq.cliff", np.int64(2)).right
    assert not reveal("ptq.cliff", 3).right


@pytest.mark.parametrize("truth", [7, "2", 2.5, None, True])
def test_a_truth_that_fits_no_option_is_an_error_in_words(truth):
    with pytest.raises(ValueError, match="fits 0 of its options"):
        reveal("ptq.cliff", truth)


def test_a_number_that_is_none_is_an_error_in_words():
    with pytest.raises(ValueError, match="not a number"):
        reveal("rounding.blank", float("nan"))


def test_ranges_leave_no_gap_and_do_not_overlap():
    broken = {}
    for id, question in WITH_OPTIONS.items():
        meanings = list(question.options.values())
        ranges = sorted(meaning for meaning in meanings if isinstance(meaning, tuple))
        whole = all(a[1] == b[0] for a, b in pairwise(ranges)) and all(a < b for a, b in ranges)
        if len(ranges) not in (0, len(meanings)) or not whole:
            broken[id] = meanings
    assert broken == {}


def test_every_question_explains_itself_and_asks():
    assert [id for id, q in QUESTIONS.items() if not q.why or "?" not in q.text] == []


def test_every_option_can_be_kept_word_for_word():
    changed = [(id, x) for id, q in WITH_OPTIONS.items() for x in q.options if as_kept(x) != x]
    assert changed == []


def test_every_option_alone_holds_what_it_stands_for():
    for question in WITH_OPTIONS.values():
        for option, meaning in question.options.items():
            truth = meaning[0] if isinstance(meaning, tuple) else meaning
            assert question.option_for(truth) == option


def test_every_number_has_whole_bounds_and_words():
    numbers = {id: q for id, q in QUESTIONS.items() if id not in WITH_OPTIONS}
    for id, question in numbers.items():
        low, high = question.bounds
        assert type(low) is type(high) is int and low < high and question.near > 0, id
        assert question.shown.format(low) != question.shown.format(high), id


@pytest.mark.parametrize("options", [{}, {"a": 1, "b": 2}, dict.fromkeys("abcdef")])
def test_a_question_needs_three_to_five_options(options):
    with pytest.raises(ValueError, match="needs"):
        Question("x", "?", options)


# The control


@pytest.mark.parametrize("id", KINDS)
def test_a_question_has_a_control_and_fixed_text(id):
    shown = predict(id)
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown) == f"Prediction: {QUESTIONS[id].text}"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert all(option in bundle["text/html"] for option in QUESTIONS[id].options or ())
    assert id not in memory.guesses


@pytest.mark.parametrize("id", [id for id in KINDS if id in WITH_OPTIONS])
def test_choosing_an_option_keeps_it(id):
    control = predict(id).control
    for index, option in enumerate(QUESTIONS[id].options):
        control.index = index
        assert memory.guesses[id] == option


def test_a_number_is_kept_once_it_is_typed_and_again_when_the_button_is_pressed():
    shown = predict("rounding.blank")
    assert "rounding.blank" not in memory.guesses and shown.control.description
    shown.control.value = "0"
    assert memory.guesses["rounding.blank"] == 0 and "Kept: 0 %" in shown.status.value
    shown.control.value = "30 %"
    memory.record_guess("rounding.blank", 1)
    box, keep = shown.children[1].children
    assert box is shown.control
    keep.click()
    assert memory.guesses["rounding.blank"] == 30
    assert "Kept: 30 %" in shown.status.value


@pytest.mark.parametrize("typed", ["1000", "-1", "many", "2.5", ""])
def test_what_is_no_guess_is_said_and_not_clipped(typed):
    shown = predict("rounding.blank")
    shown.control.value = "30"
    shown.control.value = typed
    assert memory.guesses["rounding.blank"] == 30 and shown.control.value == typed
    assert "Not kept" in shown.status.value and "between 0 and 100" in shown.status.value


def test_a_guess_after_the_result_is_marked_on_screen():
    reveal("rounding.blank", 10)
    shown = predict("rounding.blank")
    shown.guess(10)
    assert "made after the result was shown" in shown.status.value
    told = repr(reveal("rounding.blank", 10))
    assert "Guessed after the result" in told and "10 % (made after the result was shown)" in told


def test_a_guess_that_is_changed_after_the_result_is_marked_with_the_one_that_counts():
    shown = predict("rounding.blank")
    shown.guess(90)
    assert "Run on" in shown.status.value and "after" not in repr(reveal("rounding.blank", 10))
    assert "after" not in repr(reveal("rounding.blank", 10))
    shown.guess(10)
    told = repr(reveal("rounding.blank", 10))
    assert "changed after the result was shown, so 90 % is what counts" in told
    assert "Right" not in told


@pytest.mark.parametrize(
    ("id", "guess"), [("welcome.size", "4 times or more"), ("rounding.blank", 30)]
)
def test_an_earlier_guess_is_shown_again(id, guess):
    predict(id).guess(guess)
    assert predict(id).control.value in (guess, str(guess))


@pytest.mark.parametrize(("id", "guess"), [("welcome.size", "12 times"), ("rounding.blank", 101)])
def test_a_guess_that_cannot_be_given_is_refused(id, guess):
    with pytest.raises(ValueError, match=r"option|bounds"):
        predict(id).guess(guess)
    assert id not in memory.guesses


def test_unknown_question_names_the_nearest():
    with pytest.raises(ValueError, match=r"Did you mean 'welcome.size'"):
        predict("welcome.sice")


# Arrows


def test_checking_and_revealing_import_no_widget_and_no_tensorflow():
    code = (
        "import sys; from qlab.lessons import check, reveal, solution;"
        "check('ptq.packed_bytes', lambda n, b: -(-n * b // 8)); reveal('welcome.size', 3.6);"
        "print([m for m in ('ipywidgets', 'matplotlib', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_truth_in_words_for_a_question_of_a_number_is_refused():
    with pytest.raises(ValueError, match="the truth is ten, which is not a number"):
        reveal("rounding.blank", "ten")
