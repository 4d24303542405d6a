"""A notebook of the course in JupyterLab: a learner guesses, moves, answers, downloads.

nbval runs every cell of all notebooks, and their explorers have browser tests of their own. What is
left for the browser is how the parts go together, and one notebook shows that.
"""

import re

import pytest
from playwright.sync_api import expect

from .course import both_themes, downloaded, explorer_of, panels, redrawn, run_cell

pytestmark = pytest.mark.browser

QUANTIZATION = "How few bits can this model live with?"


def moves(place, action):
    """Do something, and wait until the picture and the read-out are other ones."""
    words, before = place.locator(".qlab-readout"), panels(place)
    said = words.inner_text()
    action()
    redrawn(place, before)
    expect(words).not_to_have_text(said, use_inner_text=True)


def click_track(lab, place, name, share):
    """Press the mouse on a slider's track, at a share of its length."""
    track = place.locator(f".qlab-{name} .noUi-base")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    lab.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def press(lab, *keys):
    """Press keys one after the other."""
    for key in keys:
        lab.page.keyboard.press(key)


def spin(lab, box):
    """Press the mouse on the upper arrow of a number box."""
    box.hover()
    edges = box.bounding_box()
    lab.page.mouse.click(edges["x"] + edges["width"] - 9, edges["y"] + edges["height"] / 3)


def test_00_welcome(lab):
    """Guess with the keyboard, move every kind of control, answer the exercise, take the file."""
    lab.open("00_welcome.ipynb")
    lab.run_all()
    asked = lab.page.locator(".qlab-prediction").first
    asked.get_by_role("radio", name="4 times or more").focus()
    lab.page.keyboard.press("Space")
    expect(asked).to_contain_text("Kept: 4 times or more")
    press(lab, "x", "ArrowUp")  # neither cuts the cell nor leaves it
    expect(asked).to_contain_text("Kept: between 3 and 4 times")
    assert "Your guess: between 3 and 4 times" in run_cell(lab, 'reveal("welcome.size"')
    both_themes(lab, "00-prediction", asked)

    place = explorer_of(lab, QUANTIZATION)
    bits, size = place.get_by_label("Weight bits"), place.get_by_label("Calibration size")
    expect(bits).to_have_value("4")
    slider = place.locator(".qlab-weight-bits .noUi-handle")
    moves(place, lambda: slider.press("ArrowLeft"))
    expect(bits).to_have_value("3")
    moves(place, lambda: click_track(lab, place, "weight-bits", 0.01))
    expect(bits).to_have_value("2")
    moves(place, lambda: bits.select_option("8"))
    granularity = place.get_by_label("Granularity")
    granularity.focus()
    moves(place, lambda: press(lab, "Enter", "ArrowDown", "Enter"))
    expect(granularity).to_have_value("per-tensor")
    moves(place, lambda: place.get_by_label("Activation bits").select_option("3"))
    expect(place.locator(".qlab-picture")).to_have_attribute("title", re.compile("range 0 to"))
    place.get_by_text("More settings").click()
    size.fill("9")
    moves(place, lambda: size.press("Enter"))
    moves(place, lambda: spin(lab, size))
    expect(size).to_have_value("10")

    name, accuracy = downloaded(lab, place, "Download this .tflite")
    assert name == "qlab-w8-a3-per-tensor.tflite"
    said = f"Scored again: {100 * accuracy:.2f} %"
    expect(place.locator(".qlab-download").first).to_contain_text(said)
    both_themes(lab, "00-explorer", place)

    assert "not yet" in run_cell(lab, "fewest_bits = ...", "fewest_bits = 4")
    assert "correct" in run_cell(lab, "fewest_bits = 4", "fewest_bits = 3")
    lab.screenshot("00-welcome")
