"""An explorer, both kinds of question and a quiz, by mouse and by keys, in the other front ends.

JupyterLab has tests of its own, `tests/browser`.
"""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.course import changes, slide
from tests.browser.test_lessons import GUESS, OPTION, QUIZ
from tests.browser.test_next_day import EXPLORER
from tools.bench.jupyterlab import VIEWPORT, jupyterlab

pytestmark = pytest.mark.browser

START = "from qlab.lessons import memory, predict; memory.forget()"
CELLS = (START, EXPLORER, OPTION, GUESS.replace("welcome.size", "rounding.blank"), QUIZ)
PATIENCE = 300_000  # ms: TensorFlow is not needed, but a kernel and the data are
LOADED = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext"
RUN = """async () => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  app.commands.execute('notebook:run-all-cells');
}"""


@pytest.fixture(scope="module", params=["notebook", "voila"])
def page(request, browser, tmp_path_factory):
    """The page of a notebook in Notebook 7 and in Voila, with all its cells run."""
    pytest.importorskip(request.param, reason="needs both: make extras")
    home = tmp_path_factory.mktemp(request.param)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    (home / "notebooks").mkdir()
    nbformat.write(notebook, home / "notebooks" / "page.ipynb")
    program = ("notebook",) if request.param == "notebook" else ("voila", "page.ipynb")
    with jupyterlab(home, *program) as (address, token, _):
        context = browser.new_context(viewport=VIEWPORT)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        if request.param == "notebook":
            page.goto(f"{address}/notebooks/page.ipynb?token={token}")
            page.wait_for_function(LOADED)
            page.evaluate(RUN)
        else:
            page.goto(address, timeout=PATIENCE)
        page.locator(".qlab-quiz").wait_for()
        page.locator(".qlab-explorer .qlab-picture img").first.wait_for()
        yield page
        context.close()


def test_an_explorer_is_worked_by_mouse_and_by_keys(page):
    place = page.locator(".qlab-explorer")
    place.scroll_into_view_if_needed()
    bits = place.get_by_label("Weight bits")
    expect(bits).to_have_value("3")
    slide(place, "weight-bits", "ArrowLeft")
    expect(bits).to_have_value("2")
    track = place.locator(".qlab-weight-bits .noUi-base")
    box = track.bounding_box()
    at = {"x": box["width"] - 2, "y": box["height"] / 2}
    changes(place, lambda: track.click(position=at, force=True))
    expect(bits).not_to_have_value("2")
    granularity = place.get_by_label("Granularity")
    granularity.focus()
    changes(place, lambda: page.keyboard.press("ArrowDown"))
    expect(granularity).to_have_value("per-tensor")
    expect(granularity).to_be_focused()


def test_an_option_is_chosen_by_mouse_and_by_keys(page):
    asked = page.locator(".qlab-prediction", has_text="Each weight goes from 32 bits to 8.")
    asked.get_by_role("radio", name="less than 2 times").click()
    expect(asked).to_contain_text("Kept: less than 2 times")
    for key in ("x", "ArrowDown"):
        page.keyboard.press(key)
    expect(asked).not_to_contain_text("Kept: less than 2 times")
    expect(asked).to_contain_text("Kept: ")


def test_a_number_is_guessed_by_mouse_and_by_keys(page):
    asked = page.locator(".qlab-prediction", has_text="All calibration images are blank")
    box = asked.get_by_label("Your guess")
    box.fill("40")
    box.press("Enter")
    expect(asked).to_contain_text("Kept: 40 %")
    box.fill("30")
    asked.get_by_role("button", name="Keep this guess").click()
    expect(asked).to_contain_text("Kept: 30 %")


def test_a_quiz_is_answered_by_mouse_and_by_keys(page):
    quiz = page.locator(".qlab-quiz")
    quiz.get_by_role("button", name="about 1,000", exact=True).click()
    expect(quiz.get_by_role("status").first).to_contain_text("Not this one")
    quiz.get_by_role("button", name="half as wide", exact=True).press("Enter")
    expect(quiz).to_contain_text("2 of 5 answered, 1 right at the first try.")
