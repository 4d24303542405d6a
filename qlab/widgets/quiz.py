"""The quiz at a notebook's end: a button for each option, and the reason at once."""

from html import escape

import ipywidgets

from qlab.lessons.cards import MARKS, element, listing
from qlab.widgets.kit.front_end import Pulse

CSS = """<style>
.qlab-quiz { border-left: 5px solid var(--jp-brand-color1, #0072B2); padding: 6px 12px;
  background: var(--jp-layout-color1); max-width: 760px; overflow: visible;
  color: var(--jp-ui-font-color1); }
.qlab-quiz .jupyter-widgets { overflow: visible; }
.qlab-quiz .qlab-asked { font-size: 14px; font-weight: 600; line-height: 1.4; margin-top: 8px; }
.qlab-quiz .qlab-score { font-size: 13px; line-height: 1.4; }
.qlab-quiz .widget-html-content { color: var(--jp-ui-font-color1); }
.qlab-quiz .jupyter-button { width: 100%; height: auto; min-height: 28px; margin: 2px 0;
  padding: 4px 10px; line-height: 1.4; text-align: left; white-space: normal; font-size: 13px;
  color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border: 1px solid var(--jp-border-color1); }
.qlab-quiz .jupyter-button.qlab-chosen { border-width: 2px; border-color: currentColor;
  font-weight: 600; }
.qlab-quiz :focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 2px; }
</style>"""


class Quiz(ipywidgets.VBox):
    """The questions of one quiz, with buttons."""

    def __init__(self, sheet):
        self.sheet = sheet
        self.buttons, self.feedback, self.score = {}, {}, ipywidgets.HTML()
        groups = [self._group(i, item) for i, item in enumerate(sheet.items, 1)]
        super().__init__([ipywidgets.HTML(CSS), Pulse(), *groups, self.score])
        self.add_class("qlab-quiz")
        for id, first in sheet.first_answers().items():
            for option in dict.fromkeys((first, sheet.last_answer(id))):
                self._show(id, option, sheet.mark(id, option))
        self._count()

    def choose(self, id, option):
        """Answer a question, as its buttons do. The first answer counts, later ones may look on."""
        self._show(id, option, self.sheet.answer(id, option))
        self._count()

    def _group(self, number, item):
        """A question, its buttons and its place for feedback."""
        total = len(self.sheet.items)
        asked = ipywidgets.HTML(
            f'<div class="qlab-asked" role="heading" aria-level="4">Question {number} of {total}: '
            f"{escape(item.question.text)}</div>"
        )
        self.buttons[item.id] = {
            option: self._button(item.id, option, f"Answer to question {number}")
            for option in item.question.options
        }
        self.feedback[item.id] = ipywidgets.HTML()
        return ipywidgets.VBox([asked, *self.buttons[item.id].values(), self.feedback[item.id]])

    def _button(self, id, option, tooltip):
        button = ipywidgets.Button(description=option, tooltip=tooltip)
        button.on_click(lambda _: self.choose(id, option))
        return button

    def _show(self, id, option, mark):
        """Mark and frame the button that was chosen, and put the reason under the question."""
        self.buttons[id][option].description = f"{MARKS[mark.state]} {option}"
        for text, button in self.buttons[id].items():
            (button.add_class if text == option else button.remove_class)("qlab-chosen")
        self.feedback[id].value = f'<div role="status">{mark._repr_html_()}</div>'

    def _count(self):
        answers = self.sheet.first_answers()
        marks = [self.sheet.mark(id, option).state for id, option in answers.items()]
        words = (
            f"{len(answers)} of {len(self.sheet.items)} answered, "
            f"{marks.count('right')} right at the first try."
        )
        self.score.value = f'<div class="qlab-score" role="status">{words}</div>'

    def __repr__(self):
        sheet, unmarkable = self.sheet, self.sheet.unmarkable()
        words = f"Quiz {sheet.number}: {len(sheet.items)} questions about what you measured"
        return f"{words}; not to be marked: {', '.join(unmarkable)}" if unmarkable else words

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        asked = (item.question for item in self.sheet.items)
        rows = (element("li", x.text, listing(x.options)) for x in asked)
        words = element("p", element("strong", repr(self))) + element("ol", *rows)
        return {**bundle, "text/plain": repr(self), "text/html": words}
