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
    """A place on a picture that tells more."""

    x: float
    y: float
    lines: tuple[str, ...]
    focus: bool = False


class SpottedPicture:
    """A `LivePicture` with `Spot` places on its first axes."""

    def __init__(self, picture):
        self.picture, self.spots = picture, ipywidgets.HTML()
        self.width, self.height = picture.width, picture.height
        self.spots.add_class("qlab-spots")
        self.widget = ipywidgets.Box([picture.widget, self.spots])
        self.widget.add_class("qlab-spotted")

    @property
    def png(self):
        return self.picture.png

    def redraw(self, alt=None, spots=()):
        """Draw the picture, and put the places where the data are."""
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
