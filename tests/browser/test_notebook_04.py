"""Notebook 04 in JupyterLab: every cell runs, the controls of three explorers are used."""

import pytest
from playwright.sync_api import expect

from .test_notebooks import both_themes, downloaded, run_cell

pytestmark = pytest.mark.browser

PLACES = {
    "pruning": "What does sparsity buy, and what does it not?",
    "schedule": "How fast should sparsity rise",
    "clustering": "Few values: is it better",
}
PATIENCE = 90_000  # ms: a change may score shipped models for the first time


def place_of(lab, name):
    """Scroll to one of the explorers, and wait for its picture."""
    place = lab.page.locator(".qlab-explorer", has_text=PLACES[name])
    place.scroll_into_view_if_needed()
    expect(place.locator("img.qlab-picture")).to_be_visible()
    return place


def changes(place, action):
    """Do one thing, and wait until the picture is another one: a second change may come then."""
    picture = place.locator("img.qlab-picture")
    before = picture.get_attribute("src")
    action()
    expect(picture).not_to_have_attribute("src", before, timeout=PATIENCE)


def choose(place, label, option):
    changes(place, lambda: place.get_by_label(label).select_option(option))


def fill(place, label, value):
    box = place.get_by_label(label)
    box.fill(str(value))
    changes(place, lambda: box.press("Enter"))


def slide(place, name, key):
    changes(place, lambda: place.locator(f".qlab-{name} .noUi-handle").press(key))


def test_04_pruning(lab):
    lab.open("04_pruning.ipynb")
    lab.run_all(minutes=8)

    asked = lab.page.locator(".qlab-prediction", has_text="How many times smaller is the .tflite")
    asked.get_by_role("radio", name="nearly ten times").check()
    expect(asked).to_contain_text("Kept: nearly ten times")
    assert "Your guess: nearly ten times" in run_cell(lab, 'reveal("pruning.file"')

    place = place_of(lab, "pruning")
    expect(place.get_by_label("Sparsity")).to_have_value("0.9")
    slide(place, "sparsity", "ArrowLeft")
    expect(place.get_by_label("Sparsity")).to_have_value("0.85")
    fill(place, "Sparsity", 0.8)
    choose(place, "Scope", "per-layer")
    choose(place, "Layer shown", "conv2")
    choose(place, "Weight bits", "8, int8")
    expect(place.locator(".qlab-readout")).to_contain_text("Pruned at once")
    choose(place, "Method", "whole filters")
    expect(place.locator(".qlab-notes").first).to_contain_text("times the speed")
    both_themes(lab, "04-pruning", place)
    name, accuracy = downloaded(lab, place, "Download this .tflite")
    assert name == "qlab-pruned-filters-80-w8.tflite"
    expect(place.locator(".qlab-download").first).to_contain_text(f"{100 * accuracy:.2f} %")

    place = place_of(lab, "schedule")
    slide(place, "power", "ArrowRight")
    fill(place, "Begin step", 200)
    fill(place, "End step", 1200)
    slide(place, "frequency", "ArrowRight")
    fill(place, "Final sparsity", 0.7)
    expect(place.locator(".qlab-readout")).to_contain_text("70.00 %")
    both_themes(lab, "04-schedule", place)

    place = place_of(lab, "clustering")
    fill(place, "Clusters", 5)
    slide(place, "weight-bits", "ArrowRight")
    choose(place, "Granularity of rounding", "per-channel")
    choose(place, "Layer shown", "logits")
    both_themes(lab, "04-clustering", place)
