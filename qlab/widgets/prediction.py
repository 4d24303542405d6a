"""The control for one question: choose an option, or give a number."""

from html import escape

import ipywidgets

from qlab.lessons import memory
from qlab.lessons.cards import element, listing
from qlab.widgets.kit.front_end import Pulse

CSS = """<style>
.qlab-prediction { border-left: 5px solid var(--jp-brand-color1, #0072B2); padding: 6px 12px;
  background: var(--jp-layout-color2); max-width: 760px; color: var(--jp-ui-font-color1); }
.qlab-prediction .qlab-asked { font-size: 15px; font-weight: 600; line-height: 1.4; }
.qlab-prediction .qlab-kept { font-size: 13px; line-height: 1.4; }
.qlab-prediction .widget-html-content { color: var(--jp-ui-font-color1); }
.qlab-prediction .widget-radio, .qlab-prediction .widget-radio-box { width: 100%; }
.qlab-prediction .widget-radio-box label { height: auto; line-height: 1.6; white-space: normal;
  color: var(--jp-ui-font-color1); }
.qlab-prediction .widget-radio-box input { order: -1; margin: 0 8px 0 0; flex: 0 0 auto; }
.qlab-prediction .jupyter-button { width: auto; border: 1px solid var(--jp-border-color0);
  background: var(--jp-layout-color1); }
.qlab-prediction :focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 2px; }
</style>"""


class Prediction(ipywidgets.VBox):
    """A question, its options or number box, and a line that says what was kept."""

    def __init__(self, question):
        self.question = question
        self.status = ipywidgets.HTML()
        earlier = question.earlier_guess()
        rows = self._options(earlier) if question.options else self._number(earlier)
        asked = ipywidgets.HTML(
            f'{CSS}<div class="qlab-asked">Predict: {escape(question.text)}</div>'
        )
        super().__init__([asked, *rows, self.status, Pulse()])
        self.add_class("qlab-prediction")
        self._say("No guess yet." if earlier is None else "Your earlier guess is kept.")

    def guess(self, value):
        memory.record_guess(self.question.id, self.question.validate(value))
        late = self.question.late()
        then = f"This guess was {late}" if late else "Run on to see"
        self._say(f"Kept: {self.question.in_short(value)}. {then}.")

    def _options(self, earlier):
        self.control = ipywidgets.RadioButtons(
            options=list(self.question.options), value=earlier, layout={"width": "100%"}
        )
        self.control.observe(lambda change: self.guess(change["new"]), "value")
        return [self.control]

    def _number(self, earlier):
        low, high = self.question.bounds
        self.control = ipywidgets.Text(
            value="" if earlier is None else str(earlier),
            placeholder=f"{low} to {high}",
            description="Your guess",
            continuous_update=False,  # it is kept with the Enter key, or when the box is left
        )
        self.control.observe(self._typed, "value")
        keep = ipywidgets.Button(description="Keep this guess")
        keep.on_click(self._typed)
        return [ipywidgets.HBox([self.control, keep])]

    def _typed(self, _):
        """Keep the number in the box, or say why not."""
        try:
            self.guess(self.question.read(self.control.value))
        except ValueError as error:
            self._say(f"Not kept: {error}")

    def _say(self, words):
        self.status.value = f'<div class="qlab-kept" role="status">{escape(words)}</div>'

    def __repr__(self):
        return f"Prediction: {self.question.text}"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        asked = element("p", element("strong", "Predict:"), f" {self.question.text}")
        words = asked + listing(self.question.options or ())
        return {**bundle, "text/plain": repr(self), "text/html": words}
