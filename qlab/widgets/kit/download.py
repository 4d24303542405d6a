"""A button that gives the learner a file, without help from the server; and one that keeps it."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import traitlets

from qlab.tflite.litemodel import LiteModel
from qlab.trials import pareto
from qlab.widgets.kit.front_end import FrontEnd
from qlab.widgets.kit.readout import percent


class Link(FrontEnd):
    """What became of a press: a link to the file, if there is one, and words after it."""

    part = traitlets.Unicode("file").tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)
    words = traitlets.List().tag(sync=True)  # pairs: a tag such as b, or none, and a text
    presses = traitlets.Int().tag(sync=True)  # one more, and the browser saves the file

    def __init__(self):
        super().__init__()
        self.add_class("qlab-link")

    def say(self, *words, name="", data=b"", press=False):
        """Show words, and a link to a file before them; a press has the browser save it too."""
        with self.hold_sync():
            self.name, self.data, self.words = name, data, [list(pair) for pair in words]
            self.presses += press

    @property
    def text(self):
        """What is shown, as plain text."""
        return " ".join(filter(None, (self.name, "".join(text for _, text in self.words))))


class Download(ipywidgets.HBox):
    """A button; pressed, it makes the file and hands it to the browser."""

    def __init__(self, label, make, guard=None, recipe=None):
        self.make, self.recipe = make, recipe
        run = guard or (lambda work: work())
        self.button = ipywidgets.Button(description=label, icon="download")
        self.button.on_click(lambda _: run(self.press))
        self.link = Link()
        buttons = [self.button]
        if recipe is not None:
            tip = "Measure this file, and put it on the Pareto board of notebook 06"
            again = ipywidgets.Button(
                description="Keep on the board", icon="thumb-tack", tooltip=tip
            )
            again.on_click(lambda _: run(self.keep))
            buttons.append(again)
        super().__init__([*buttons, self.link])
        self.add_class("qlab-download")

    def press(self):
        """Make the file and offer it."""
        name, data, note = self.make()
        self.link.say(("", f"{len(data):,} bytes. {note}"), name=name, data=data, press=True)
        return name, data

    def keep(self):
        """Make the file, score and time it, and keep it on the Pareto board."""
        name, data, _ = self.make()
        name = Path(name).stem.removeprefix("qlab-")
        entry = pareto.keep(LiteModel(data), name, self.recipe())
        self.link.say(*_kept(entry))
        return entry

    def clear(self):
        """Take the link away: it is of an earlier setting."""
        self.link.say()


def scored_again(subject, model):
    """Score a file once more as it is taken away, and say so."""
    return f"Scored again: {percent(subject.score(model).accuracy)}."


def _kept(entry):
    """What is said of a model on the board."""
    scored = f"{percent(entry.accuracy)} of {entry.n:,} test images"
    yield "", "On the Pareto board as "
    yield "b", entry.name
    yield "", f": {scored}, {entry.gzip_bytes:,} bytes gzipped. "
    yield "code", f"qlab.pareto.drop({entry.name!r})"
    yield "", " takes it off."
