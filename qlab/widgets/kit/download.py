"""Buttons for a file: it is given to the learner, kept on the board, scored on the test images."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ipywidgets
import traitlets

from qlab.lessons import memory
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate
from qlab.trials import pareto, subjects
from qlab.widgets.kit.front_end import FrontEnd
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.readout import interval, percent


class Link(FrontEnd):
    """What became of a press: a link to the file, if there is one, and words after it."""

    part = traitlets.Unicode("file").tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)
    words = traitlets.List().tag(sync=True)  # pairs: a tag such as b, or none, and a text

    def __init__(self, words=(), name="", data=b""):
        super().__init__(name=name, data=data, words=[list(pair) for pair in words])
        self.add_class("qlab-link")

    @property
    def text(self):
        """What is shown, as plain text."""
        return " ".join(filter(None, (self.name, "".join(text for _, text in self.words))))


class Download(ipywidgets.HBox):
    """A button; pressed, it makes the file and hands it to the browser."""

    def __init__(self, label, make, guard=None, recipe=None, asks=False, pixels=None, dataset=None):
        self.make, self.recipe, self.pixels = make, recipe, pixels or (lambda: None)
        self.dataset = dataset
        run = guard or (lambda work: work())
        self.button = ipywidgets.Button(description=label, icon="download")
        self.button.on_click(lambda _: run(self.press))
        self.link = Link()
        self.buttons = [self.button]
        if recipe is not None:
            tip = "Measure this file, and put it on the Pareto board of notebook 07"
            again = ipywidgets.Button(
                description="Keep on the board", icon="thumb-tack", tooltip=tip
            )
            again.on_click(lambda _: run(self.keep))
            self.buttons.append(again)
        self.asking = None
        if asks:
            self.asking = Job("Ask the test images", self._ask, run, "your count", done="")
            self.asking.button.tooltip = "Score this file, as it is, on the test images"
            self.buttons.append(self.asking)
        super().__init__([*self.buttons, self.link])
        self.add_class("qlab-download")

    def press(self):
        """Make the file and offer it."""
        name, data, note = self.make()
        self._show(Link([("", f"{len(data):,} bytes. {note}")], name, data))
        self.link.send("save")  # a message and no trait: a page that is loaded again does not save
        return name, data

    def keep(self):
        """Make the file, score and time it, and keep it on the Pareto board."""
        name, data, _ = self.make()
        name = Path(name).stem.removeprefix("qlab-")
        model = LiteModel(data, self.pixels())
        entry = pareto.keep(model, name, self.recipe(), self.dataset)
        self._show(Link(_kept(entry)))
        return entry

    def _ask(self):
        """Steps of the button: test images are scored; after the last, it counts and answers."""
        _, data, _ = self.make()
        measured = yield from subjects.asked(LiteModel(data, self.pixels()), self.dataset)
        times = memory.record_asked(hashlib.sha256(data).hexdigest())
        self._show(Link(_answered(measured, times, self.dataset)))

    def clear(self):
        """Take the link or the answer away: it is of an earlier setting."""
        if self.asking:
            self.asking.cancel()
            self.asking.clear()
        if self.link.text:
            self._show(Link())

    def _show(self, link):
        """Show another link: a page too busy to load one in time hears nothing more of that one."""
        before, self.link = self.link, link
        self.children = [*self.buttons, link]
        before.close()


def scored_again(subject, model):
    """Score a file once more as it is taken away, whole, and say so."""
    again = subjects.scored(model, subject.split, evaluate)
    return f"Scored again: {percent(again.accuracy)}."


def often(times):
    """How often, in words."""
    return "once" if times == 1 else f"{times:,} times"


def _answered(measured, times, dataset):
    """What the test images say of a file, and how often this learner has asked them."""
    choosing = subjects.images_to_choose_with(dataset=dataset).images_are
    yield (
        "",
        f"Test images: {percent(measured.accuracy)} (95 % interval {interval(measured)}). You have "
        f"asked {often(times)} for this model; choose with the "
        f"{choosing}, or the test images stop being a test.",
    )


def _kept(entry):
    """What is said of a model on the board."""
    scored = f"{percent(entry.accuracy)} of {entry.n:,} {entry.images_are}"
    yield "", "On the Pareto board as "
    yield "b", entry.name
    yield "", f": {scored}, {entry.gzip_bytes:,} bytes gzipped. "
    yield "code", f"qlab.pareto.drop({entry.name!r})"
    yield "", " takes it off."
