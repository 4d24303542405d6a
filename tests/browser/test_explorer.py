"""The parts that all explorers share, in JupyterLab: a scratch notebook with a minimal explorer."""

import pytest

from tools.bench.jupyterlab import VIEWPORT

from .course import opened, panels

ASTRAY = """explorer => [...explorer.querySelectorAll('.qlab-control')].filter(control => {
  const box = control.querySelector('select, input').getBoundingClientRect();
  const words = document.createRange();
  words.selectNodeContents(control.querySelector('label'));
  const label = words.getBoundingClientRect(), page = explorer.getBoundingClientRect();
  const under = label.right > box.left + 1 && label.bottom > box.top + 1 && label.top < box.bottom;
  return box.width && (under && label.bottom > box.top + 4 || box.right > page.right + 1);
}).map(control => control.innerText)"""

SAID = "part => getComputedStyle(part, '::after').content"
START = "code => { window.qlabPanel.sessionContext.session.kernel.requestExecute({ code }); }"
JOB = """
import pathlib, time
import ipywidgets
from qlab.widgets.kit.front_end import Pulse
from qlab.widgets.kit.job import ThreadedJob
def steps():
    yield 0, 1, "TensorFlow starts"
    while not pathlib.Path("started").exists():
        time.sleep(0.05)
    yield 1, 2, "batches"
    yield 2, 2, "batches"
job = ThreadedJob("Train", steps, lambda work: work())
box = ipywidgets.VBox([job, Pulse()])
box.add_class("qlab-explorer")
box
"""
CELLS = "() => window.qlabPanel.content.widgets.length"

MINIMAL = """
import pathlib
import time
import traitlets
from qlab.widgets import Explorer, Shown
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.live import LivePicture

class LevelsExplorer(Explorer):
    question = "How many levels do b bits have?"
    bits = traitlets.Enum((2, 3, 4, 8), 8).tag(setting=True)
    images = traitlets.Int(128).tag(setting=True)
    kind = traitlets.Enum(("plain", "bold"), "plain").tag(setting=True)

    def __init__(self):
        super().__init__()
        picture = LivePicture(panels=2, width=700, height=220)
        self.dots = [ax.plot([], [], "o")[0] for ax in picture.axes]
        for ax in picture.axes:
            ax.set(xlim=(0, 9), ylim=(0, 300), xlabel="bits", ylabel="levels")
        picture.add(*self.dots)
        controls_ = [
            controls.step_slider(self, "bits", "Bits", (2, 3, 4, 8)),
            controls.number_slider(self, "images", "Images", (1, 16, 128, 1024)),
            controls.drop_down(self, "kind", "Kind", ("plain", "bold")),
        ]
        file = lambda: ("levels.csv", f"{self.result}".encode(), "")
        self.assemble(controls_, picture, [Download("Save the levels", file, self.guard)])

    def compute(self):
        if self.images == 13:
            raise ValueError("13 images are too many for a superstitious model; take 12.")
        while self.bits == 3 and not pathlib.Path("go").exists():
            time.sleep(0.05)
        return 2**self.bits

    def show(self, result):
        for dot in self.dots:
            dot.set_data([self.bits], [result])
        cell = readout.cell("Levels", f"{result}, {self.kind}", f"{self.images} images")
        tables = lambda: [readout.table("Levels", ["bits", "levels"], [[self.bits, result]])]
        words = f"{self.bits} bits have {result} levels."
        return Shown(words, cells=[cell], tables=tables)
"""


@pytest.fixture
def explorer(lab):
    """The explorer's place on the page."""
    lab.open(lab.write("scratch.ipynb", MINIMAL, "explorer = LevelsExplorer()\nexplorer"))
    lab.run_all()
    place = lab.page.locator(".qlab-explorer")
    place.locator(".qlab-picture").wait_for()
    return place


def test_every_control_moves_picture_and_readout_by_keyboard_and_by_mouse(lab, explorer):
    """Slider, drop-down and number box, and errors in words; then the file that was asked for."""
    from playwright.sync_api import expect

    picture, value = explorer.locator(".qlab-picture img"), explorer.locator(".qlab-readout")
    expect(value).to_contain_text("256, plain")

    before = panels(explorer)
    explorer.locator(".qlab-bits .noUi-handle").press("ArrowLeft")
    expect(value).to_contain_text("16, plain")
    expect(explorer.get_by_label("Bits")).to_have_value("4")
    assert panels(explorer) != before
    expect(explorer.get_by_role("img", name="4 bits have 16 levels.")).to_be_visible()

    explorer.locator(".qlab-bits .noUi-base").click(position={"x": 2, "y": 2})
    expect(value).to_contain_text("4, plain")
    explorer.get_by_label("Kind").select_option("bold")
    expect(value).to_contain_text("4, bold")
    explorer.get_by_label("Images").fill("77")
    explorer.get_by_label("Images").press("Enter")
    expect(value).to_contain_text("77 images")

    explorer.get_by_label("Images").fill("13")
    explorer.get_by_label("Images").press("Enter")
    expect(explorer.get_by_role("alert")).to_contain_text("superstitious")
    lab.screenshot("minimal-error", explorer)
    widths = picture.evaluate_all("panels => panels.map(panel => panel.naturalWidth)")
    assert len(widths) == 2 and sum(widths) == 1400
    explorer.get_by_label("Images").fill("12")
    explorer.get_by_label("Images").press("Enter")
    expect(explorer.get_by_role("alert")).to_have_count(0)

    with lab.page.expect_download() as download:
        explorer.get_by_role("button", name="Save the levels").press("Enter")
    assert download.value.suggested_filename == "levels.csv"
    assert download.value.path().read_text() == "4"


def test_the_numbers_behind_the_picture_open_by_keyboard_and_stay_open(lab, explorer):
    """A table with the same numbers: built when it is opened, and open when they change."""
    from playwright.sync_api import expect

    numbers = explorer.locator(".qlab-numbers table")
    expect(numbers).to_have_count(0)
    explorer.locator("summary").press("Enter")
    expect(numbers).to_contain_text("256")
    explorer.get_by_label("Bits").select_option("2")
    expect(numbers).to_contain_text("4")
    expect(numbers).to_be_visible()
    explorer.locator("summary").press("Enter")
    expect(numbers).to_have_count(0)


@pytest.mark.parametrize("mover", ["key", "code"])
def test_a_number_is_greyed_from_the_move_of_a_control_until_it_is_of_that_setting(
    lab, explorer, mover
):
    """Whether a key moves the control or a line of code; what fails stays grey."""
    from playwright.sync_api import expect

    def expect_shown(opacity, words):
        for part in (".qlab-readout", ".qlab-picture img >> nth=0", ".qlab-notes-row"):
            expect(explorer.locator(part)).to_have_css("opacity", opacity)
        assert words in explorer.locator(".qlab-readout-row").evaluate(SAID)

    go = lab.root / "go"
    go.unlink(missing_ok=True)
    expect_shown("1", "none")
    explorer.get_by_label("Bits").select_option("4")
    expect_shown("1", "none")
    if mover == "key":
        explorer.locator(".qlab-bits .noUi-handle").press("ArrowLeft")
    else:
        lab.page.evaluate(START, "explorer.bits = 3")
    expect_shown("0.45", "measuring")
    expect(explorer.locator(".qlab-readout")).to_contain_text("16, plain")
    lab.screenshot(f"measuring-{mover}", explorer)
    go.touch()
    expect(explorer.locator(".qlab-readout")).to_contain_text("8, plain")
    expect_shown("1", "none")
    explorer.get_by_label("Images").fill("13")
    explorer.get_by_label("Images").press("Enter")
    expect(explorer.get_by_role("alert")).to_contain_text("superstitious")
    expect_shown("0.45", "none")
    explorer.get_by_label("Images").fill("12")
    explorer.get_by_label("Images").press("Enter")
    expect_shown("1", "none")


def test_keys_on_a_control_are_its_own_and_a_slider_says_its_value(lab, explorer):
    """Letters and arrows do not reach the page; Shift and Enter still run the cell."""
    from playwright.sync_api import expect

    bits, cells = explorer.get_by_role("combobox", name="Bits"), lab.page.evaluate(CELLS)
    bits.focus()
    for key in ("x", "a", "d", "d", "ArrowUp"):
        lab.page.keyboard.press(key)
    expect(bits).to_be_focused()
    expect(bits).to_have_value("4")  # one above 8
    assert lab.page.evaluate(CELLS) == cells
    slider = explorer.get_by_role("slider", name="Bits")
    expect(slider).to_have_attribute("aria-valuetext", "4")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "8")
    slider.press("x")
    assert lab.page.evaluate(CELLS) == cells
    bits.select_option("2")
    expect(slider).to_have_attribute("aria-valuetext", "2")
    expect(explorer.locator(".qlab-readout")).to_contain_text("4, plain")
    slider.press("Shift+Enter")
    lab.page.wait_for_function(f"() => ({CELLS})() === {cells + 1}")  # one more, below the last


def test_who_clicks_twice_means_one_press_and_stop_is_heard_while_tensorflow_starts(lab):
    """A training that was started stays so; stopped and started again, it comes to its end."""
    from playwright.sync_api import expect

    go = lab.root / "started"
    go.unlink(missing_ok=True)
    lab.open(lab.write("job.ipynb", JOB))
    lab.run_all()
    job = lab.page.locator(".jp-OutputArea .qlab-job")
    train, stop = (job.get_by_role("button", name=x) for x in ("Train", "Stop"))
    train.dblclick()
    expect(job).to_contain_text("TensorFlow starts: 0 of 1")
    expect(stop).to_be_visible()
    stop.click()
    expect(job).to_contain_text("Stopped")
    train.click()
    expect(job).to_contain_text("Train: it starts")
    go.touch()
    expect(job).to_contain_text("Done.")
    expect(train).to_be_visible()


def test_without_the_pages_colours_and_without_a_mouse(lab, explorer):
    """Forced colours leave rails and buttons; the table of numbers takes the focus when open."""
    from playwright.sync_api import expect

    parts = [".noUi-base", ".noUi-handle", ".jupyter-button"]
    for colours in ("active", "none"):
        lab.page.emulate_media(forced_colors=colours)
        lab.screenshot(f"forced-colours-{colours}", explorer)
        for part in parts if colours == "active" else ():
            expect(explorer.locator(part).first).to_have_css("border-top-style", "solid")
            expect(explorer.locator(part).first).to_have_css("border-top-width", "1px")
    numbers = explorer.get_by_role("region", name="The numbers in this picture")
    expect(numbers).to_have_count(0)  # closed, it is no stop
    explorer.locator("summary").focus()
    lab.page.keyboard.press("Enter")
    expect(numbers).to_be_visible()
    lab.page.keyboard.press("Tab")
    expect(numbers).to_be_focused()


@pytest.mark.parametrize("name", ["DistillationExplorer", "CalibrationExplorer"])
def test_no_box_lies_under_its_label_or_leaves_the_page(lab, name):
    place = opened(lab, name, 200)
    for width in (1366, 900):
        lab.page.set_viewport_size({**VIEWPORT, "width": width})
        place.scroll_into_view_if_needed()
        lab.screenshot(f"{name}-{width}", place)
        assert place.evaluate(ASTRAY) == []
    place.locator("input").first.evaluate("box => { box.parentElement.style.minWidth = '2000px'; }")
    assert place.evaluate(ASTRAY)  # what is measured here can fail
    lab.page.set_viewport_size(VIEWPORT)
