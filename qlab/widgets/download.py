"""A button that gives the learner a file, without help from the server."""

from __future__ import annotations

import base64
import uuid
from html import escape

import ipywidgets


class Download(ipywidgets.HBox):
    """A button; pressed, it makes the file and hands it to the browser.

    The file travels as a ``data:`` link which the browser follows by itself, once; where a page
    forbids that, the link stays for the learner to press. Nothing is made before it is asked for.

    Parameters
    ----------
    label : str
        What the button says.
    make : callable
        Returns ``(file name, bytes, note)``; the note is said beside the link.
    guard : callable or None
        Runs `make` and says errors in words: an explorer's ``guard``.

    Examples
    --------
    >>> button = Download("Save", lambda: ("trail.csv", b"bits,accuracy", "1 point"))
    >>> button.press()
    ('trail.csv', b'bits,accuracy')
    >>> "1 point" in button.link.value
    True
    """

    def __init__(self, label, make, guard=None):
        """Build the button and the place where the link appears."""
        self.make = make
        self.button = ipywidgets.Button(description=label, icon="download")
        self.link = ipywidgets.HTML()
        self.button.on_click(lambda _: guard(self.press) if guard else self.press())
        super().__init__([self.button, self.link])
        self.add_class("qlab-download")

    def press(self):
        """Make the file and offer it.

        Returns
        -------
        (str, bytes)
            Name and content, as offered.
        """
        name, data, note = self.make()
        self.link.value = _link(name, data, note)
        return name, data

    def clear(self):
        """Take the link away: it is of an earlier setting."""
        self.link.value = ""


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
