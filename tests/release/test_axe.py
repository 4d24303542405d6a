"""axe-core finds nothing in any explorer, question or quiz, in the light and in the dark theme."""

import inspect
from pathlib import Path

import pytest

from qlab import widgets

pytestmark = pytest.mark.browser

carrier = pytest.importorskip("axe_playwright_python", reason="needs axe-core: make extras")
AXE = Path(carrier.__file__).with_name("axe.min.js").read_text("utf-8")
# One line for each fault: the rule, its impact, where it is, and what axe says about it.
FAULTS = """async part => (await axe.run(part, {resultTypes: ['violations']})).violations.flatMap(
  rule => rule.nodes.map(node => [rule.id, rule.impact, node.html.slice(0, 160),
    node.failureSummary].join(' | ')))"""
BASES = ("Explorer", "ModelExplorer")
EXPLORERS = [
    name
    for name in widgets.__all__
    if name == "ChallengeBoard"
    or (
        inspect.isclass(kind := getattr(widgets, name))
        and issubclass(kind, widgets.Explorer)
        and name not in BASES
    )
]
START = """
import inspect, tempfile
import qlab
from qlab import widgets
some = qlab.data.load().validation
few = {{"images": some.images[:200], "labels": some.labels[:200]}}
kind = widgets.{0}
given = [tempfile.mkdtemp()] if {0!r} == "ChallengeBoard" else []
kind(*given, **(few if "images" in inspect.signature(kind).parameters else {{}}))
"""
QUESTIONS = """
from IPython.display import display
from qlab import course
from qlab.lessons import memory, predict
from qlab.lessons.predictions import QUESTIONS
memory.forget()
for id in QUESTIONS:
    display(predict(id))
"""
QUIZZES = """
from qlab.lessons.quizzes import ITEMS, items, quiz
from qlab.lessons.registry import NOTEBOOKS, topic_of
for topic in dict.fromkeys(map(topic_of, ITEMS)):
    shown = quiz(topic, **dict.fromkeys(name for item in items(topic) for name in item.needs))
    for item in items(topic):  # nothing was measured, so the answers stay open
        shown.choose(item.id, next(iter(item.question.options)))
    display(shown)
"""
MARKED = """
import numpy as np
from qlab.lessons import check, quiz, reveal
from qlab.arithmetic.results import Measurement
measured = Measurement(np.where(np.arange(1000) < 100, 2, 1), np.ones(1000, int))
marked = quiz("baseline", measured=measured, by_class=[0.5, 1.0], share=0.9)
for item in marked.sheet.items:
    for option in item.question.options:
        marked.choose(item.id, option)
display(marked)
display(reveal("rounding.blank", 10))
check("museum.f", lambda before, after: len(before) / len(after))
"""


def expect_no_faults(lab, *places):
    """In both themes, with all that can be opened open."""
    found = []
    for theme in ("light", "dark"):
        lab.theme(theme)
        lab.page.locator("#jupyterlab-splash").wait_for(state="detached")
        lab.page.evaluate(AXE)
        for place in places:
            found += [f"{theme}: {fault}" for fault in place.evaluate(FAULTS)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", EXPLORERS)
def test_nothing_is_wrong_with_an_explorer(lab, name):
    lab.open(lab.write(f"axe-{name}.ipynb", START.format(name)))
    lab.run_all(minutes=10)
    place = lab.page.locator(".jp-OutputArea-output").last
    place.locator(".qlab-question, .qlab-explorer").first.wait_for()
    for summary in place.locator("summary:visible").all():
        summary.press("Enter")
    lab.page.wait_for_timeout(500)
    expect_no_faults(lab, place)


def test_nothing_is_wrong_with_any_question_or_quiz(lab):
    lab.open(lab.write("axe-asked.ipynb", QUESTIONS, QUIZZES, MARKED))
    lab.run_all(minutes=10)
    outputs = lab.page.locator(".jp-Cell-outputArea")
    outputs.last.locator("table, div").first.wait_for()
    lab.page.wait_for_timeout(500)
    expect_no_faults(lab, *outputs.all())


def test_what_is_measured_here_can_fail(lab):
    lab.open(lab.write("axe-bad.ipynb", "from IPython.display import HTML; HTML('<input>')"))
    lab.run_all()
    place = lab.page.locator(".jp-OutputArea-output").last
    place.locator("input").evaluate("box => { box.removeAttribute('title'); }")
    with pytest.raises(AssertionError, match=r"light: label \| critical"):
        expect_no_faults(lab, place)
