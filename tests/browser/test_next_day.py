"""A notebook is run, saved and opened again the next day, in what ``qlab lab`` starts."""

import json

import pytest
from playwright.sync_api import expect

from tools.bench.jupyterlab import fresh_page, jupyterlab

from .course import changes

pytestmark = pytest.mark.browser

EXPLORER = """
import qlab
from qlab.widgets import QuantizationExplorer
some = qlab.data.load().validation
QuantizationExplorer(images=some.images[:200], labels=some.labels[:200], weight_bits=3)
"""
GUESS = 'from qlab.lessons import predict; predict("welcome.size")'
QUIZ = """
import numpy as np
from qlab.lessons import quiz
from qlab.arithmetic.results import Measurement
measured = Measurement(np.where(np.arange(1000) < 100, 2, 1), np.ones(1000, int))
quiz("baseline", measured=measured, by_class=[0.5, 1.0], share=0.9)
"""
STOPPED = "These controls do nothing now, because the kernel that ran this cell has stopped."
DRAWN = """picture => [...picture.querySelectorAll('img')].filter(x => x.naturalWidth
  && x.getBoundingClientRect().right <= picture.getBoundingClientRect().right + 1).length"""
ENDS = {  # a kernel is restarted, is killed as by a machine without memory, is shut down
    "restart": "() => window.qlabPanel.sessionContext.restartKernel()",
    "crash": """() => { window.qlabPanel.sessionContext.session.kernel.requestExecute(
        {code: 'import os; os.kill(os.getpid(), 9)'}); }""",
    "shut-down": "() => window.qlabPanel.sessionContext.shutdown()",
}
DIM = """control => { let seen = 1;
  for (let x = control; x; x = x.parentElement) seen *= getComputedStyle(x).opacity;
  return seen; }"""
ICONS = """part => [part, ...part.querySelectorAll('.jupyter-widgets')].filter(
  x => getComputedStyle(x, '::before').content !== 'none').length"""
START = "() => window.qlabPanel.sessionContext.changeKernel({name: 'python3'})"
IDLE = "() => window.qlabPanel.sessionContext.session?.kernel?.status === 'idle'"


@pytest.fixture(scope="module")
def learners(chromium, tmp_path_factory):
    """What ``qlab lab`` starts, on a learner's copy of the notebooks."""
    home = tmp_path_factory.mktemp("learner")
    with jupyterlab(home, "qlab.cli", "lab", "--to", str(home / "notebooks")) as running:
        yield running


def save(lab, name):
    """Save a notebook: how many widgets are saved with it."""
    lab.run("docmanager:save")
    lab.page.wait_for_function("() => !window.qlabPanel.context.model.dirty")
    (state,) = json.loads((lab.root / name).read_text("utf-8"))["metadata"]["widgets"].values()
    return len(state["state"])


def parts(lab):
    """The explorer, the question and the quiz of a notebook."""
    found = [lab.page.locator(f".qlab-{x}") for x in ("explorer", "prediction", "quiz")]
    for part in found:
        part.locator(".qlab-pulse").wait_for(state="attached")
    return found


def expect_dead(*parts):
    """Each part says how to go on, and none of its controls can be worked."""
    for part in parts:
        expect(part.locator(".qlab-pulse")).to_contain_text(STOPPED)
        controls = part.locator("input, select, button")
        assert controls.count() > 2
        for control in controls.all():
            expect(control).to_be_disabled()
            assert control.evaluate(DIM) < 1  # and it is seen
        assert part.evaluate(ICONS) == 0
        for other in part.locator(".noUi-handle, summary").all():
            assert other.evaluate("x => x.inert")


def expect_alive(*parts):
    for part in parts:
        expect(part.locator(".qlab-pulse")).to_be_empty()
        expect(part.locator("input, select, button").first).to_be_enabled()


def test_the_next_day_all_is_there_and_says_how_to_make_it_live(browser, learners):
    with fresh_page(browser, learners) as lab:
        name = lab.write("day.ipynb", EXPLORER, GUESS, QUIZ)
        lab.open(name)
        lab.run_all()
        explorer, question, quiz = parts(lab)
        expect_alive(explorer, question, quiz)
        changes(explorer, lambda: explorer.get_by_label("Weight bits").select_option("4"))
        question.get_by_role("radio", name="4 times or more").check()
        expect(question).to_contain_text("Kept: 4 times or more")
        quiz.get_by_role("button", name="about 100", exact=True).click()
        expect(quiz).to_contain_text("1 of 5 answered")
        told = explorer.locator(".qlab-readout").inner_text()
        widgets = save(lab, name)

    for day in (2, 3):  # on the second, it is saved again without a cell being run
        with fresh_page(browser, learners) as lab:
            lab.open(name)
            explorer, question, quiz = parts(lab)
            expect_dead(explorer, question, quiz)
            assert explorer.locator(".qlab-picture").evaluate(DRAWN) == 3
            expect(explorer.locator(".qlab-readout")).to_have_text(told, use_inner_text=True)
            expect(explorer.get_by_label("Weight bits")).to_have_value("4")
            expect(question.get_by_role("radio", name="4 times or more")).to_be_checked()
            expect(quiz).to_contain_text("1 of 5 answered")
            lab.screenshot(f"next-day-{day}")
            assert save(lab, name) == widgets
            if day == 3:
                lab.run_all()
                expect_alive(*parts(lab))
                assert save(lab, name) == widgets  # and not those of before, which are gone


@pytest.mark.parametrize("end", ENDS)
def test_when_its_kernel_ends_all_says_so_until_it_is_run_again(browser, learners, end):
    with fresh_page(browser, learners) as lab:
        lab.open(lab.write(f"{end}.ipynb", EXPLORER, GUESS))
        lab.run_all()
        explorer, question = (lab.page.locator(f".qlab-{x}") for x in ("explorer", "prediction"))
        expect_alive(explorer, question)
        told = explorer.locator(".qlab-readout").inner_text()
        lab.page.evaluate(ENDS[end])
        expect_dead(explorer, question)
        expect(explorer.locator(".qlab-readout")).to_have_text(told, use_inner_text=True)
        assert explorer.locator(".qlab-picture").evaluate(DRAWN) == 3
        lab.screenshot(f"after-{end}")

        if end == "crash":  # JupyterLab tells of it, and starts another one
            lab.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
        elif end == "shut-down":
            lab.page.evaluate(START)
        lab.page.wait_for_function(IDLE)
        lab.run_all()
        expect_alive(explorer, question)
