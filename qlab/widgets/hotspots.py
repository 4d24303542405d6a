"""A live picture with places on it that tell more when the pointer or the focus is on them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import ipywidgets

CSS = """
.jupyter-widgets.qlab-spotted { position: relative; overflow: visible; width: 100%;
  max-width: 900px; margin: 6px 2px; }
.jupyter-widgets.qlab-spotted > img.qlab-picture { margin: 0; display: block; }
.jupyter-widgets.qlab-spotted > .qlab-spots { position: absolute; inset: 0; margin: 0;
  height: auto; width: auto; pointer-events: none; }
.qlab-spots .widget-html-content { position: absolute; inset: 0; }
.qlab-spots ul { list-style: none; margin: 0; padding: 0; }
.qlab-spots li { position: absolute; width: 14px; height: 14px; margin: -7px 0 0 -7px;
  border-radius: 50%; pointer-events: auto; }
.qlab-spots li > div { display: none; position: absolute; top: 20px; left: 10px; width: 300px;
  padding: 6px 10px; font-size: 12px; line-height: 1.45; z-index: 5; pointer-events: none;
  color: var(--jp-ui-font-color0); background: var(--jp-layout-color1);
  border: 1px solid var(--jp-border-color1); border-radius: 3px; overflow-wrap: break-word;
  box-shadow: 0 2px 8px rgba(0, 0, 0, 0.25); }
.qlab-spots li.qlab-left > div { left: auto; right: 10px; }
.qlab-spots li.qlab-up > div { top: auto; bottom: 20px; }
.qlab-spots li:hover, .qlab-spots li:focus { z-index: 6; outline: 2px solid
  var(--jp-brand-color1); }
.qlab-spots li:hover > div, .qlab-spots li:focus > div { display: block; }
"""


@dataclass(frozen=True)
class Spot:
    """A place on a picture that tells more.

    Parameters
    ----------
    x, y : float
        In the data of the axes.
    lines : tuple of str
        Text; the first is the title.
    focus : bool
        Whether the Tab key stops here too.
    """

    x: float
    y: float
    lines: tuple[str, ...]
    focus: bool = False


class SpottedPicture:
    """A `LivePicture` with `Spot` places on its first axes.

    Parameters
    ----------
    picture : qlab.widgets.live.LivePicture

    Attributes
    ----------
    spots : ipywidgets.HTML
        Lies over the picture. A spot's text appears beside it, and is its accessible name.
    widget : ipywidgets.Box
        Both.

    Examples
    --------
    >>> from qlab.widgets.live import LivePicture
    >>> spotted = SpottedPicture(LivePicture(panels=1, width=300, height=200))
    >>> _ = spotted.picture.axes[0].set(xlim=(0, 1), ylim=(0, 1))
    >>> spotted.redraw("One point.", [Spot(0.5, 0.5, ("A < B", "8 bits"), focus=True)])
    >>> 'aria-label="A &lt; B. 8 bits"' in spotted.spots.value
    True
    """

    def __init__(self, picture):
        """Lay the places over the image."""
        self.picture, self.spots = picture, ipywidgets.HTML()
        self.width, self.height = picture.width, picture.height
        self.spots.add_class("qlab-spots")
        self.widget = ipywidgets.Box([picture.widget, self.spots])
        self.widget.add_class("qlab-spotted")

    @property
    def png(self):
        """bytes: the picture as last drawn."""
        return self.picture.png

    def redraw(self, alt="", spots=()):
        """Draw the picture, and put the places where the data are.

        Parameters
        ----------
        alt : str
        spots : iterable of Spot
        """
        self.picture.redraw(alt)
        items = "".join(self._item(spot) for spot in spots)
        self.spots.value = f"<style>{CSS}</style><ul>{items}</ul>"

    def _item(self, spot):
        """One place; its text opens towards the middle of the picture."""
        axes, figure = self.picture.axes[0], self.picture.figure
        x, y = axes.transData.transform((spot.x, spot.y))
        left, top = x / figure.bbox.width, 1 - y / figure.bbox.height
        sides = ("qlab-left" if left > 0.6 else "", "qlab-up" if top > 0.5 else "")
        title, *lines = (escape(line) for line in spot.lines)
        stop = ' tabindex="0"' if spot.focus else ""
        return (
            f'<li{stop} role="img" class="{" ".join(filter(None, sides))}" '
            f'style="left:{100 * left:.2f}%;top:{100 * top:.2f}%" '
            f'aria-label="{escape(". ".join(spot.lines))}">'
            f"<div><b>{title}</b><br>{'<br>'.join(lines)}</div></li>"
        )
