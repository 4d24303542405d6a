"""The distillation explorer in JupyterLab: every control is used, on few pictures."""

import pytest
from playwright.sync_api import expect

from .course import both_themes, changes, choose, fill, opened, slide

pytestmark = pytest.mark.browser


def test_every_control_moves_the_picture_and_goes_back_into_its_range(lab):
    place = opened(lab, "DistillationExplorer", images=500)
    fill(place, "Temperature", 1)
    slide(place, "temperature", "ArrowRight")
    expect(place.get_by_label("Temperature")).to_have_value("1.5")
    fill(place, "Alpha", 0.3)
    slide(place, "alpha", "ArrowRight")
    choose(place, "Garment", "Coat")
    expect(place.get_by_label("Example")).to_be_hidden()
    place.get_by_text("More settings").press("Enter")
    fill(place, "Example", 20)
    slide(place, "example", "ArrowLeft")
    choose(place, "Students", "20,000 weights, 600 labels")
    expect(place.locator(".qlab-readout")).to_contain_text("Taught to permuted teacher")
    choose(place, "Student shown", "permuted teacher")
    expect(place.locator(".qlab-notes")).to_contain_text("shuffled, image by image")
    place.get_by_label("Temperature").fill("0")  # out of range: the box goes back to what it may be
    changes(place, lambda: place.get_by_label("Temperature").press("Enter"))
    expect(place.get_by_label("Temperature")).to_have_value("0.5")
    place.get_by_text("The numbers in this picture, as text").press("Enter")
    expect(place.locator(".qlab-numbers")).to_contain_text("label smoothing")
    both_themes(lab, "distillation", place)
