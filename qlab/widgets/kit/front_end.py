"""What plain ipywidgets cannot do in the browser: widgets that JavaScript beside this draws."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__)


class FrontEnd(anywidget.AnyWidget):
    """Base of the widgets of `front_end.js`; `part` names the one that is drawn."""

    # As text and not as a path: anywidget may watch a file of its path for changes.
    _esm = HERE.with_suffix(".js").read_text("utf-8")
    _css = HERE.with_suffix(".css").read_text("utf-8")
    part = traitlets.Unicode().tag(sync=True)


class Pulse(FrontEnd):
    """A line among widgets: empty while their kernel runs; then it says how to go on."""

    _esm = "\n".join(HERE.with_name(x).read_text("utf-8") for x in ("pulse.js", "alive.js"))
    words = traitlets.Unicode(
        "These controls do nothing now, because the kernel that ran this cell has stopped. What "
        "you see is what was here before. To go on, run the first cell of this section, and then "
        "this cell again."
    ).tag(sync=True)

    def __init__(self):
        super().__init__()
        self.add_class("qlab-pulse")


class Reveal(FrontEnd):
    """Words that open and close the row below them."""

    part = traitlets.Unicode("reveal").tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)
