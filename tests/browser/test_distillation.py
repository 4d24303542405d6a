"""The distillation explorer in JupyterLab: every control is used."""

import pytest
from playwright.sync_api import expect

from .course import both_themes, changes, choose, fill, opened, slide

pytestmark = pytest.mark.browser


def test_the_teachers_answer_is_softened_and_its_students_compared(lab):
    place = opened(lab, "DistillationExplorer")
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
    both_themes(lab, "distillation", place)
