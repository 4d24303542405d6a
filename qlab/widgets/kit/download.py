"""A button that gives the learner a file, without help from the server; and one that keeps it."""

from __future__ import annotations

import base64
import uuid
from html import escape
from pathlib import Path

import ipywidgets

from qlab.tflite.litemodel import LiteModel
from qlab.trials import pareto
from qlab.widgets.kit.readout import percent


class Download(ipywidgets.HBox):
    """A button; pressed, it makes the file and hands it to the browser."""

    def __init__(self, label, make, guard=None, recipe=None):
        self.make, self.recipe = make, recipe
        run = guard or (lambda work: work())
        self.button = ipywidgets.Button(description=label, icon="download")
        self.button.on_click(lambda _: run(self.press))
        self.link = ipywidgets.HTML()
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
        self.link.value = _link(name, data, note)
        return name, data

    def keep(self):
        """Make the file, score and time it, and keep it on the Pareto board."""
        name, data, _ = self.make()
        name = Path(name).stem.removeprefix("qlab-")
        entry = pareto.keep(LiteModel(data), name, self.recipe())
        self.link.value = _kept(entry)
        return entry

    def clear(self):
        """Take the link away: it is of an earlier setting."""
        self.link.value = ""


def scored_again(subject, model):
    """Score a file once more as it is taken away, and say so."""
    return f"Scored again: {percent(subject.score(model).accuracy)}."


def _kept(entry):
    return (
        f'<span role="status">On the Pareto board as <b>{escape(entry.name)}</b>: '
        f"{percent(entry.accuracy)} of {entry.n:,} test images, {entry.gzip_bytes:,} bytes "
        f"gzipped. <code>qlab.pareto.drop({escape(repr(entry.name))})</code> takes it off.</span>"
    )


def _link(name, data, note):
    """A link with the file inside; an image that fails to load presses it, once a session."""
    once = f"qlab-{uuid.uuid4().hex}"
    press = (
        f"if(!sessionStorage.getItem('{once}')){{sessionStorage.setItem('{once}',1);"
        "this.parentNode.querySelector('a').click()}this.remove()"
    )
    content = base64.b64encode(data).decode()
    return (
        f'<span role="status"><a download="{escape(name)}" '
        f'href="data:application/octet-stream;base64,{content}">{escape(name)}</a> '
        f"{len(data):,} bytes. {escape(note)}"
        f'<img alt="" hidden src="data:," onerror="{press}"></span>'
    )
