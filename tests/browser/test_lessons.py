"""A guess, a quiz and an exhibit of the bug museum in JupyterLab, with the keyboard only."""

import pytest
from playwright.sync_api import expect

from .course import both_themes, run_cell

pytestmark = pytest.mark.browser

QUIZ = """
import numpy as np
from qlab.lessons import quiz
from qlab.arithmetic.results import Measurement
labels = np.ones(1000, int)
measured = Measurement(np.where(np.arange(1000) < 100, 2, 1), labels)
quiz("baseline", measured=measured, by_class=[0.5, 1.0], share=0.9)
"""
GUESS = 'from qlab.lessons import predict, reveal; predict("rounding.blank")'
OPTION = 'predict("welcome.size")'
EXHIBIT = "from qlab.lessons import check"
FOUND = '''
def times_smaller(before, after):
    """Return how many times smaller pruning made the download; both are bytes of files."""
    return len(before) / len(after)
'''
WRONG = """
import gzip
check("museum.f", lambda before, after: len(before) / len(gzip.compress(after)))
"""
CLAIM = """
from qlab.lessons.claims import check_claim
from qlab.lessons.claims_table import ClaimsTable
claim = check_claim("claims.third", {"baseline": 3.6, "few weights": 2.5})
claim
"""


def test_a_quiz_is_answered_with_the_keyboard(lab):
    lab.open(lab.write("quiz.ipynb", "from qlab.lessons import memory; memory.forget()", QUIZ))
    lab.run_all()
    quiz = lab.page.locator(".jp-OutputArea .qlab-quiz")
    quiz.scroll_into_view_if_needed()
    expect(quiz.get_by_role("heading", name="Question 1 of 5")).to_be_visible()
    quiz.get_by_role("button", name="about 1,000", exact=True).focus()
    lab.page.keyboard.press("Enter")
    expect(quiz.get_by_role("status").first).to_contain_text("Not this one")
    lab.page.keyboard.press("Shift+Tab")
    lab.page.keyboard.press("Space")
    expect(quiz.get_by_role("status").first).to_contain_text("Right")
    expect(quiz.get_by_role("button", name="✓ about 100", exact=True)).to_be_focused()
    quiz.get_by_role("button", name="half as wide", exact=True).press("Enter")
    expect(quiz).to_contain_text("2 of 5 answered, 1 right at the first try.")
    both_themes(lab, "quiz", quiz)


def test_a_number_is_guessed_and_told_back(lab):
    lab.open(lab.write("guess.ipynb", GUESS, "later = 0"))
    lab.run_all()
    asked = lab.page.locator(".qlab-prediction", has_text="All calibration images are blank")
    box = asked.get_by_label("Your guess")
    box.fill("140")
    box.press("Enter")
    expect(asked).to_contain_text("Not kept: 140 is out of bounds. Guess between 0 and 100.")
    expect(box).to_have_value("140")
    box.fill("40")
    box.press("Enter")
    expect(asked).to_contain_text("Kept: 40 %. Run on to see.")
    told = run_cell(lab, "later = 0", 'reveal("rounding.blank", 10)')
    assert "Your guess: 40 %" in told and "Measured: 10 %" in told
    box.fill("10")
    asked.get_by_role("button", name="Keep this guess").click()
    late = "changed after the result was shown, so 40 % is what counts"
    expect(asked).to_contain_text(f"Kept: 10 %. This guess was {late}.")
    assert late in run_cell(lab, 'reveal("rounding.blank", 10)')
    both_themes(lab, "guess-late", lab.page.locator(".jp-Notebook"))


def test_an_option_is_chosen_with_the_arrow_keys(lab):
    lab.open(lab.write("option.ipynb", "from qlab.lessons import predict", OPTION, "later = 0"))
    lab.run_all()
    asked = lab.page.locator(".qlab-prediction")
    group = asked.get_by_role("radiogroup", name="Predict: Each weight goes from 32 bits to 8.")
    group.get_by_role("radio", name="less than 2 times").focus()
    for key in ("x", "d", "d", "ArrowDown", "ArrowDown"):
        lab.page.keyboard.press(key)
    chosen = group.get_by_role("radio", name="between 3 and 4 times")
    expect(chosen).to_be_focused()
    expect(chosen).to_be_checked()
    expect(asked).to_contain_text("Kept: between 3 and 4 times")
    expect(lab.page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)
    lab.page.keyboard.press("Tab")
    expect(chosen).not_to_be_focused()
    assert group.locator(":focus").count() == 0  # the group is one stop


def test_a_claim_is_marked_and_listed(lab):
    lab.open(lab.write("claim.ipynb", CLAIM, "ClaimsTable([claim])"))
    lab.run_all()
    tables = lab.page.locator(".jp-OutputArea table")
    expect(tables.first.locator("tbody tr")).to_have_count(2)
    expect(lab.page.locator(".jp-Notebook")).to_contain_text("true with a condition")
    both_themes(lab, "claim", tables.first)
    listed = lab.page.locator(".jp-OutputArea table", has_text="Claims, marks, numbers")
    expect(listed.locator("tbody tr", has_text="a third or a quarter")).to_have_count(1)
    both_themes(lab, "claims", listed)


def test_an_exhibit_is_checked(lab):
    lab.open(
        lab.write(
            "museum.ipynb",
            EXHIBIT,
            FOUND,
            'check("museum.f", times_smaller)',
            WRONG,
            "from qlab.lessons import progress; progress()",
        )
    )
    lab.run_all()
    panel = lab.page.locator(".jp-Notebook")
    expect(panel).to_contain_text("museum.f: not attempted yet")
    expect(panel).to_contain_text("Compress both.")
    expect(panel).to_contain_text("Bug museum")
    both_themes(lab, "museum", panel)
