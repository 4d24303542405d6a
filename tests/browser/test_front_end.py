"""What `front_end.js` does, in JupyterLab: a file to take away, and places on a picture."""

import pytest
from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=alert(1)>"
DOWNLOAD = f"""
from qlab.widgets.kit.download import Download
sizes = []
def make():
    sizes.append(256 * (len(sizes) + 1))
    return "a & b.bin", bytes(range(256)) * len(sizes), {HOSTILE!r}
button = Download("Save it", make)
button
"""
SPOTS = f"""
from qlab.widgets.kit.css import STYLE
from qlab.widgets.kit.hotspots import Spot, SpottedPicture
from qlab.widgets.kit.live import LivePicture
import ipywidgets
picture = SpottedPicture(LivePicture(panels=1, width=600, height=300))
picture.picture.axes[0].set(xlim=(0, 1), ylim=(0, 1))
spots = [Spot(0.9, 0.1, ({HOSTILE!r}, "in the corner")), Spot(0.1, 0.9, ("first", "of two"), True)]
picture.redraw("two places", spots)
ipywidgets.VBox([ipywidgets.HTML(STYLE), ipywidgets.Text(description="Before"), picture.widget])
"""
HASTE = "_ = [button.press(), button.press(), button.clear()]"
BUSY = """() => {  // while the module of the first widget is under way, nothing else runs for 4 s
  const make = URL.createObjectURL;
  URL.createObjectURL = blob => {
    if (blob.type.includes('javascript')) {
      URL.createObjectURL = make;
      setTimeout(() => {
        for (const end = Date.now() + 4000; Date.now() < end;);
        window.qlabBusy = 0;
      });
    }
    return make.call(URL, blob);
  };
}"""


@pytest.fixture
def saved(lab):
    """The downloads of the page, as they come."""
    found = []
    keep = lambda download: found.append(download)  # noqa: E731
    lab.page.on("download", keep)
    yield found
    lab.page.remove_listener("download", keep)


def run_cells(lab, *places):
    for place in places:
        lab.page.evaluate(f"() => {{ window.qlabPanel.content.activeCellIndex = {place}; }}")
        lab.run("notebook:run-cell")


@pytest.mark.browser
def test_each_press_saves_the_file_once_and_the_link_stays(lab, saved):
    """By keyboard, in two views of one button; then the page is loaded again."""
    name = lab.write("download.ipynb", DOWNLOAD, "button", "button.clear()", HASTE)
    lab.open(name)
    run_cells(lab, 0, 1)
    buttons = lab.page.get_by_role("button", name="Save it")
    said = lab.page.locator(".qlab-download [role=status]")
    expect(buttons).to_have_count(2)
    expect(said).to_have_text(["", ""])
    for i in range(2):
        with lab.page.expect_download() as download:
            buttons.nth(i).press("Enter")
        words = f"a & b.bin {256 * (i + 1)} bytes. {HOSTILE}"
        expect(said).to_have_text([words, words])
        assert download.value.suggested_filename == "a & b.bin"
        assert download.value.path().read_bytes() == bytes(range(256)) * (i + 1)
    assert lab.page.locator(".qlab-download img").count() == 0

    lab.run("docmanager:save")
    lab.page.wait_for_function("() => !window.qlabPanel.context.model.dirty")
    lab.open(name)
    expect(said).to_have_text([words, words])  # its kernel still runs
    lab.page.wait_for_timeout(1000)
    assert len(saved) == 2
    with lab.page.expect_download() as download:
        said.last.get_by_role("link", name="a & b.bin").press("Enter")
    assert download.value.path().read_bytes() == bytes(range(256)) * 2

    run_cells(lab, 2)
    expect(said).to_have_text(["", ""])
    assert len(saved) == 3

    with lab.page.expect_download(lambda download: len(saved) == 5):
        run_cells(lab, 3)
    expect(said).to_have_text(["", ""])
    sizes = [download.path().stat().st_size for download in saved[3:]]
    assert sizes == [256 * 3, 256 * 4]


@pytest.mark.browser
def test_a_page_that_was_busy_for_long_saves_the_next_press(lab, saved):
    lab.open(lab.write("busy.ipynb", DOWNLOAD))
    lab.page.evaluate(BUSY)
    lab.run_all()
    lab.page.wait_for_function("() => window.qlabBusy === 0")
    with lab.page.expect_download() as download:
        lab.page.get_by_role("button", name="Save it").press("Enter")
    assert download.value.path().read_bytes() == bytes(range(256))
    expect(lab.page.locator(".qlab-download [role=status]")).to_contain_text("256 bytes")


@pytest.mark.browser
def test_a_place_tells_its_text_to_pointer_and_keyboard_until_escape(lab):
    lab.open(lab.write("spots.ipynb", SPOTS))
    lab.run_all()
    corner = lab.page.get_by_role("img", name=f"{HOSTILE}. in the corner")
    first = lab.page.get_by_role("img", name="first. of two")
    expect(corner).to_have_class("qlab-left qlab-up")
    expect(first).to_have_class("")
    expect(corner.locator("div")).to_be_hidden()
    corner.hover()
    expect(corner.locator("div")).to_have_text(f"{HOSTILE}in the corner")
    expect(corner.locator("div")).to_be_visible()
    expect(first.locator("div")).to_be_hidden()
    lab.page.keyboard.press("Escape")
    expect(corner.locator("div")).to_be_hidden()
    lab.page.mouse.move(0, 0)
    corner.hover()
    expect(corner.locator("div")).to_be_visible()
    lab.page.mouse.move(0, 0)

    lab.page.get_by_label("Before").focus()
    lab.page.keyboard.press("Tab")
    expect(first).to_be_focused()
    expect(first.locator("div")).to_be_visible()
    corner.hover()  # one text at a time
    expect(corner.locator("div")).to_be_visible()
    expect(first.locator("div")).to_be_hidden()
    lab.page.mouse.move(0, 0)
    expect(first.locator("div")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(first.locator("div")).to_be_hidden()
    first.evaluate("place => { place.blur(); place.focus(); }")
    expect(first.locator("div")).to_be_visible()

    # Drawn again, in another order: the focus stays where it was, and what was closed is closed.
    for again in ("picture.redraw('again', spots[::-1])", "picture.redraw('again', spots)"):
        before = lab.page.locator(".qlab-spots li").first.get_attribute("aria-label")
        lab.execute(again)
        expect(lab.page.locator(".qlab-spots li").first).not_to_have_attribute("aria-label", before)
        expect(first).to_be_focused()
        expect(first.locator("div")).to_be_visible(visible="spots)" not in again)
        lab.page.keyboard.press("Escape")
