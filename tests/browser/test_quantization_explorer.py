"""The QuantizationExplorer in JupyterLab, moved by keyboard and by mouse as a learner would."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect

import qlab

from .course import panels, redrawn

CELLS = (
    "from qlab.widgets import QuantizationExplorer",
    "explorer = QuantizationExplorer()\nexplorer",
    "before = explorer.result.measurement.accuracy",
)


@pytest.fixture
def explorer(lab):
    """The explorer's place on the page."""
    lab.open(lab.write("quantization.ipynb", *CELLS))
    lab.run_all()
    place = lab.page.locator(".qlab-explorer")
    place.locator(".qlab-picture").wait_for()
    return place


def read(explorer):
    """(sources of the panels, text of the accuracy's cell)."""
    return panels(explorer), explorer.locator(".qlab-readout > div").first.inner_text()


def changed(explorer, before):
    """Wait until picture and accuracy both differ from `before`; return them."""
    accuracy = explorer.locator(".qlab-readout > div").first
    redrawn(explorer, before[0])
    expect(accuracy).not_to_have_text(before[1], use_inner_text=True)
    return read(explorer)


def test_keyboard_and_mouse_move_it_and_the_file_loads_again(lab, explorer, tmp_path):
    """Slider by arrow key and by dragging, box, drop-down; then both downloads."""
    handle = explorer.locator(".qlab-weight-bits .noUi-handle")
    state = read(explorer)
    assert "95 % interval" in state[1] and "measured" in state[1]
    for bits in (7, 6, 5, 4):
        handle.press("ArrowLeft")
        expect(explorer.get_by_label("Weight bits")).to_have_value(str(bits))
        state = changed(explorer, state)
    lab.screenshot("quantization-light")

    track = explorer.locator(".qlab-activation-bits .noUi-base").bounding_box()
    box = explorer.locator(".qlab-activation-bits .noUi-handle").bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    lab.page.mouse.move(track["x"] + track["width"] * 2 / 7, track["y"], steps=6)
    lab.page.mouse.up()
    expect(explorer.get_by_label("Activation bits")).to_have_value("4")
    expect(explorer.locator(".qlab-notes")).to_contain_text("stay at 8 bits")
    expect(explorer.get_by_role("img", name=re.compile("range 0 to"))).to_be_visible()

    state = read(explorer)
    explorer.get_by_label("Granularity").select_option("per-tensor")
    state = changed(explorer, state)
    explorer.get_by_text("More settings").click()
    explorer.get_by_label("Calibration size").fill("1")
    explorer.get_by_label("Calibration size").press("Enter")
    state = changed(explorer, state)
    explorer.get_by_label("Layer shown").select_option("conv2")
    words = re.compile("^Weights of conv2: 15 levels, 1 scale")
    expect(explorer.get_by_role("img", name=words)).to_be_visible()

    with lab.page.expect_download() as download:
        explorer.get_by_role("button", name="Download this .tflite").press("Enter")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "qlab-w4-a4-per-tensor.tflite"
    model, split = qlab.LiteModel.from_file(path), qlab.data.load().validation
    accuracy = qlab.evaluate(model, split.images, split.labels).accuracy
    said = explorer.locator(".qlab-download").first
    expect(said).to_contain_text(f"Scored again: {100 * accuracy:.2f} %")

    explorer.get_by_role("button", name="Keep on the board").press("Enter")
    expect(said).to_contain_text(f"On the Pareto board as w4-a4-per-tensor: {100 * accuracy:.2f} %")
    lab.screenshot("kept-on-the-board", explorer)

    with lab.page.expect_download() as download:
        explorer.get_by_role("button", name="Save the trail as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["weight_bits"] for row in rows[:5]] == ["8", "7", "6", "5", "4"]
    assert rows[-1]["granularity"] == "per-tensor" and rows[-1]["calibration_size"] == "1"


def test_the_dark_theme_adapts_the_picture(lab, explorer):
    """The kernel knows no theme: the page inverts the picture, and gets its light one back."""
    picture = explorer.locator(".qlab-picture")
    style = "image => getComputedStyle(image).filter"
    assert picture.evaluate(style) == "none"
    lab.theme("dark")
    assert "invert(1)" in picture.evaluate(style)
    explorer.get_by_label("Weight bits").select_option("3")
    expect(explorer.get_by_role("img", name=re.compile("7 levels"))).to_be_visible()
    explorer.get_by_label("Rounding").select_option("GPTQ")
    words = re.compile(r"of dense1 \(\d+\.?\d* %\) went to the farther code")
    expect(explorer.locator(".qlab-notes").first).to_contain_text(words)
    expect(explorer.get_by_role("img", name=words)).to_be_visible()
    lab.screenshot("quantization-dark")


def test_the_test_images_answer_the_keyboard_and_a_setting_takes_the_answer_away(lab):
    """The button stands in the row of the others, and keeps the focus while it works."""
    lab.open(lab.write("asking.ipynb", "import qlab", *CELLS[:2]))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    expect(explorer.locator(".qlab-readout")).to_contain_text("10,000 validation images")
    names = "Download this .tflite", "Keep on the board", "Ask the test images"
    buttons = [explorer.get_by_role("button", name=name) for name in names]
    assert len({button.bounding_box()["y"] for button in buttons}) == 1

    buttons[1].focus()
    lab.page.keyboard.press("Tab")
    expect(buttons[2]).to_be_focused()
    said = explorer.locator(".qlab-download [role=status]").filter(has_text="Test images:")
    for often in ("once", "2 times"):
        lab.page.keyboard.press("Enter")
        words = rf"^Test images: \d\d\.\d\d % .* asked {often} for this model"
        expect(said).to_have_text(re.compile(words))
        expect(buttons[2]).to_be_focused()
    lab.screenshot("test-images-asked", explorer)
    explorer.get_by_label("Weight bits").select_option("4")
    expect(said).to_have_count(0)


def test_what_needs_no_scoring_moves_first_and_the_rest_says_that_it_is_measured(lab):
    """The scoring waits for a file, so that the page can be looked at in between."""
    wait = (
        "import os, time\nfrom qlab.trials import subjects\nscored = subjects.scored\n"
        "def slow(*given, **how):\n"
        "    while os.path.exists('wait'):\n        time.sleep(0.05)\n"
        "    return scored(*given, **how)\n"
        "subjects.scored = slow"
    )
    lab.open(lab.write("first.ipynb", *CELLS[:2], wait))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    explorer.locator(".qlab-picture").wait_for()
    readout, before = explorer.locator(".qlab-readout"), panels(explorer)
    said = readout.inner_text()
    (lab.root / "wait").touch()
    explorer.locator(".qlab-weight-bits .noUi-handle").press("ArrowLeft")
    words = re.compile("^Weights of dense1: 127 levels.* Accuracy: being measured")
    expect(explorer.get_by_role("img", name=words)).to_be_visible()
    expect(explorer.locator(".qlab-waiting")).to_have_count(1)
    expect(readout).to_have_css("opacity", "0.45")
    assert readout.inner_text() == said
    lab.screenshot("quantization-measuring", explorer)
    (lab.root / "wait").unlink()
    redrawn(explorer, before)
    expect(readout).to_have_css("opacity", "1")
    expect(explorer.get_by_role("img", name=re.compile("2 recipes tried"))).to_be_visible()
