"""The course's own notebooks in JupyterLab: a learner guesses, moves, answers, downloads."""

import re

import pytest
from playwright.sync_api import expect

from .course import (
    both_themes,
    cells_needed,
    downloaded,
    explorer_of,
    run_cell,
    run_needed,
)

pytestmark = pytest.mark.browser

QUANTIZATION = "How few bits can this model live with?"


def moves(place, action):
    """Do something, and wait until the picture and the read-out are other ones."""
    picture, words = place.locator("img.qlab-picture"), place.locator(".qlab-readout")
    before = picture.get_attribute("src"), words.inner_text()
    action()
    expect(picture).not_to_have_attribute("src", before[0])
    expect(words).not_to_have_text(before[1], use_inner_text=True)


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


def test_a_cell_needs_those_that_define_its_names():
    cells = (
        "import numpy as np\n%matplotlib inline",
        "weights = np.ones(3)\nslow = sum(range(9))",
        "for x in range(3): print(x)",
        "weights = weights * 2",
        "def doubled():\n    return 2 * weights",
        "[doubled() for x in range(2)]  # shown",
    )
    assert cells_needed(cells, ["# shown"]) == [0, 1, 3, 4, 5]
    assert cells_needed(cells, ["range(3)"]) == [2]
    assert cells_needed(["x = 1", "x", "x + 1"], ["x"]) == [0, 1]
    with pytest.raises(AssertionError, match="no cell holds"):
        cells_needed(cells, ["elsewhere"])


def test_00_welcome(lab):
    """Guess with the keyboard, move every kind of control, answer the exercise, take the file."""
    lab.open("00_welcome.ipynb")
    lab.run_all()
    asked = lab.page.locator(".qlab-prediction").first
    asked.get_by_role("radio", name="4 times or more").focus()
    lab.page.keyboard.press("Space")
    expect(asked).to_contain_text("Kept: 4 times or more")
    lab.page.keyboard.press("Shift+Tab")  # each option is a stop: the page keeps the arrow keys
    lab.page.keyboard.press("Space")
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
    expect(place.locator("img.qlab-picture")).to_have_attribute("title", re.compile("range 0 to"))
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


def test_02_post_training_quantization(lab):
    """A number is guessed, and an explorer goes on from where a cell has set it."""
    lessons = ('predict("ptq.blank"', 'reveal("ptq.blank"')
    lab.open("02_post_training_quantization.ipynb")
    run_needed(lab, *lessons, "explorer.set(weight_bits=3")

    number = lab.page.locator(".qlab-prediction", has_text="All calibration images are blank")
    number.get_by_label("Your guess").fill("40")
    number.get_by_label("Your guess").press("Tab")
    lab.page.keyboard.press("Space")
    expect(number).to_contain_text("Kept: 40 %")
    told = run_cell(lab, 'reveal("ptq.blank"')
    assert "Your guess: 40 %" in told and "Measured: 10 %" in told

    place = explorer_of(lab, QUANTIZATION)
    expect(place.get_by_label("Weight bits")).to_have_value("3")
    handle = place.locator(".qlab-activation-bits .noUi-handle")
    moves(place, lambda: handle.press("ArrowLeft"))


@pytest.mark.parametrize(
    ("notebook", "id", "words", "guess"),
    [
        (
            "04_pruning",
            "pruning.layer",
            "One layer loses 80 % of its weights",
            "the dense layer, 72,000 weights",
        ),
        ("05_distillation", "distillation.square", "the factor T² is left out", "just as hard"),
        (
            "06_combine_and_ship",
            "combine.naive",
            "The naive chain also ends in int8",
            "as large, to a tenth",
        ),
        ("07_claims_checked", "claims.third", "Limit: times smaller, 3 to 4.", "false"),
    ],
)
def test_a_guess_is_kept(lab, notebook, id, words, guess):
    """What comes after it runs under nbval, and its explorers in tests of their own."""
    lab.open(f"{notebook}.ipynb")
    run_needed(lab, f'predict("{id}"')
    asked = lab.page.locator(".qlab-prediction", has_text=words)
    asked.get_by_role("radio", name=guess).check()
    expect(asked).to_contain_text(f"Kept: {guess}")
