"""Notebook 07 in JupyterLab: a guess, a mark, an exercise, a limit moved."""

import pytest
from playwright.sync_api import expect

from .course import both_themes, open_and_run, run_cell

pytestmark = pytest.mark.browser

WRONG = 'return "true" if any(held.values()) else "false"'


def test_07_claims_checked(lab):
    claims = ('check_claim("claims.third"', 'check_claim("claims.sixteenth"', "ClaimsTable(")
    texts = ('predict("claims.third"', 'check("claims.mark"', "high=0.5)", *claims)
    open_and_run(lab, "07_claims_checked.ipynb", *texts)

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
    expect(table.locator("tbody tr")).to_have_count(2)  # the two that were checked here
    both_themes(lab, "07-table", table)
