"""Notebook 06 in JupyterLab: a guess, the search, the class board and a check."""

import pytest
from playwright.sync_api import expect

from .course import (
    PATIENCE,
    both_themes,
    changes,
    explorer_of,
    fill,
    run_cell,
    run_needed,
)

pytestmark = pytest.mark.browser

SEARCH = "Within a budget of bytes"


def test_06_combine_and_ship(lab):
    lessons = ('predict("combine.naive"', 'reveal("combine.naive"', 'check("combine.front"')
    texts = (*lessons, "explorer", "ChallengeBoard(")
    lab.open("06_combine_and_ship.ipynb")
    run_needed(lab, *texts)

    asked = lab.page.locator(".qlab-prediction", has_text="The naive chain also ends in int8")
    asked.get_by_role("radio", name="as large, to a tenth").check()
    expect(asked).to_contain_text("Kept: as large, to a tenth")
    assert "Your guess: as large, to a tenth" in run_cell(lab, 'reveal("combine.naive"')

    place = explorer_of(lab, SEARCH)
    notes = place.locator(".qlab-notes").first
    expect(notes).to_contain_text("167 files made")  # 7 uniform ones, and 80 of each method
    fill(place, "Budget (KB, gzipped)", 34.5)
    place.get_by_label("Files a press").fill("20")
    place.get_by_label("Files a press").press("Enter")
    changes(place, lambda: place.get_by_role("button", name="Search").press("Enter"))
    expect(place.locator(".qlab-job").first).to_contain_text("Done.", timeout=PATIENCE)
    expect(place).to_contain_text("among 133 of 133 uniform files")
    both_themes(lab, "06-search", place)

    place = lab.page.locator(".qlab-board")
    place.get_by_role("button", name="Look again").press("Enter")
    expect(place.get_by_role("status")).to_contain_text("4 submissions, 0 measured just now")
    expect(place.locator("table").first).to_contain_text("qlab, chain")
    both_themes(lab, "06-board", place)

    said = run_cell(
        lab,
        '    # Your code\n    ...\n\n\ncheck("combine.front"',
        '    return [min(range(len(costs)), key=costs.__getitem__)]\n\n\ncheck("combine.front"',
    )
    assert "the smallest alone" in said
