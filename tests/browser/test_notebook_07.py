"""Notebook 07 in JupyterLab: a guess, a mark, an exercise, a limit moved, the quiz."""

import pytest
from playwright.sync_api import expect

from .course import both_themes, run_cell, run_needed

pytestmark = pytest.mark.browser

ANSWERS = (
    "about half",
    "6 to 8 times",
    "some, fewer than 200",
    "below 85 %",
    "as large, or a little larger",
)
WRONG = 'return "true" if any(held.values()) else "false"'


def test_07_claims_checked(lab):
    claims = (
        'check_claim("claims.third"',
        'check_claim("claims.sixteenth"',
        "ClaimsTable(",
        "quiz(",
    )
    texts = ('predict("claims.third"', 'check("claims.mark"', "high=0.5)", *claims)
    lab.open("07_claims_checked.ipynb")
    run_needed(lab, *texts)

    asked = lab.page.locator(".qlab-prediction", has_text="shrinks a model to a third or a quarter")
    expect(asked).to_contain_text("Limit: times smaller, 3 to 4.")
    asked.get_by_role("radio", name="false").check()
    expect(asked).to_contain_text("Kept: false")
    said = run_cell(lab, 'reveal("claims.third"')
    assert "Your guess: false" in said and "Measured: true with a condition" in said

    place = lab.page.locator(".jp-OutputArea table", has_text="hardly any accuracy").first
    expect(place).to_contain_text("the chain at 4 bits")
    expect(place.locator("tbody tr")).to_have_count(6)
    both_themes(lab, "07-claim", place)

    said = run_cell(
        lab,
        '    # Your code\n    ...\n\n\ncheck("claims.mark"',
        f'    {WRONG}\n\n\ncheck("claims.mark"',
    )
    assert "There is a mark in between" in said

    said = run_cell(lab, "high=0.5)", "high=5)")  # whoever moves the limit moves the mark
    assert "So it is: true" in said and "condition" not in said

    table = lab.page.locator(".jp-OutputArea table", has_text="Claims, marks, numbers")
    expect(table.locator("tbody tr", has_text="a third or a quarter")).to_have_count(1)
    both_themes(lab, "07-table", table)

    quiz = lab.page.locator(".qlab-quiz")
    for answered, option in enumerate(ANSWERS, 1):
        quiz.get_by_role("button", name=option, exact=True).first.click()
        expect(quiz).to_contain_text(f"{answered} of 5 answered")
    expect(quiz).to_contain_text("5 of 5 answered, 5 right at the first try")
    expect(quiz).not_to_contain_text("cannot be marked")
