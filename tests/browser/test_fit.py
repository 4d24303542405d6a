"""The fit explorer in JupyterLab, moved by keyboard as a learner would."""

import re

import pytest
from playwright.sync_api import expect

from .course import both_themes, downloaded, opened

IMAGES = 2000


def says(explorer, words):
    title = explorer.locator(".qlab-picture")
    expect(title).to_have_attribute("title", re.compile(words), timeout=60_000)


@pytest.mark.browser
def test_a_board_is_chosen_and_filters_are_removed_until_it_holds_the_file(lab):
    explorer = opened(lab, "FitExplorer", IMAGES)
    says(explorer, r"RAM: (32,432 bytes, measured|at least 28,736 bytes)")
    both_themes(lab, "fit", explorer)
    explorer.get_by_label("Board").select_option("Nucleo-L031K6")
    notes = explorer.locator(".qlab-notes-row")
    expect(notes).to_contain_text("It does not fit the Nucleo-L031K6.")
    for _ in range(4):
        explorer.locator(".qlab-removed-filters .noUi-handle").press("ArrowRight")
    expect(explorer.get_by_label("Filters removed")).to_have_value("0.4")
    expect(notes).to_contain_text("what conv1 puts out")
    both_themes(lab, "fit-not", explorer)
    explorer.get_by_label("Activation bits").select_option("32")
    says(explorer, "the unpacked weights of dense1")
    explorer.get_by_text("The numbers in this picture, as text").click()
    expect(explorer.locator(".qlab-numbers")).to_contain_text("What lies in RAM")
    explorer.get_by_label("Activation bits").select_option("8")
    says(explorer, "what conv1 puts out")
    name, accuracy = downloaded(lab, explorer, "Download this .tflite", IMAGES)
    assert name == "qlab-micro-w8-a8-40-filters-fewer.tflite"
    expect(explorer.locator(".qlab-readout")).to_contain_text(f"{100 * accuracy:.2f} %")
