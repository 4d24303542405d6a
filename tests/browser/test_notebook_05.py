"""Notebook 05 in JupyterLab: a guess, an answer; every control of its explorer is used."""

import pytest
from playwright.sync_api import expect

from .course import (
    both_themes,
    changes,
    choose,
    explorer_of,
    fill,
    run_cell,
    run_needed,
    slide,
)

pytestmark = pytest.mark.browser

QUESTION = "What does a teacher's answer say that a label does not?"
WRONG = "return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)"


def test_05_distillation(lab):
    lessons = ('predict("distillation.square"', 'reveal("distillation.square"')
    texts = (*lessons, "Explorer(", 'check("distillation.softened"')
    lab.open("05_distillation.ipynb")
    run_needed(lab, *texts)

    asked = lab.page.locator(".qlab-prediction", has_text="the factor T² is left out")
    asked.get_by_role("radio", name="just as hard").check()
    expect(asked).to_contain_text("Kept: just as hard")
    assert "Your guess: just as hard" in run_cell(lab, 'reveal("distillation.square"')

    place = explorer_of(lab, QUESTION)
    fill(place, "Temperature", 1)
    slide(place, "temperature", "ArrowRight")
    expect(place.get_by_label("Temperature")).to_have_value("1.5")
    fill(place, "Alpha", 0.3)
    slide(place, "alpha", "ArrowRight")
    choose(place, "Garment", "Coat")
    fill(place, "Example", 20)
    slide(place, "example", "ArrowLeft")
    choose(place, "Students", "5,000 weights, 60,000 labels")
    readout = place.locator(".qlab-readout")
    expect(readout).to_contain_text("worse in")
    choose(place, "Students", "20,000 weights, 600 labels")
    expect(readout).to_contain_text("better in all 5 seeds")
    place.get_by_label("Temperature").fill("0")  # out of range: the box goes back to what it may be
    changes(place, lambda: place.get_by_label("Temperature").press("Enter"))
    expect(place.get_by_label("Temperature")).to_have_value("0.5")
    place.get_by_text("The numbers in this picture, as text").press("Enter")
    expect(place.locator(".qlab-numbers")).to_contain_text("label smoothing")
    both_themes(lab, "05-distillation", place)

    said = run_cell(
        lab,
        '    # Your code\n    ...\n\n\ncheck("distillation.softened"',
        f'    {WRONG}\n\n\ncheck("distillation.softened"',
    )
    assert "temperature is missing" in said
