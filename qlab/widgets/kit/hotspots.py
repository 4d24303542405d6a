"""A live picture with places on it that tell more when the pointer or the focus is on them."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import traitlets

from qlab.widgets.kit.front_end import FrontEnd


@dataclass(frozen=True)
class Spot:
    """A place on a picture that tells more."""

    x: float
    y: float
    lines: tuple[str, ...]
    focus: bool = False


class Spots(FrontEnd):
    """The places, in fractions of the picture's width and height from its top left."""

    part = traitlets.Unicode("places").tag(sync=True)
    places = traitlets.List().tag(sync=True)


class SpottedPicture:
    """A `LivePicture` with `Spot` places on its first axes."""

    def __init__(self, picture):
        self.picture, self.spots = picture, Spots()
        self.width, self.height = picture.width, picture.height
        self.spots.add_class("qlab-spots")
        self.widget = ipywidgets.Box([picture.widget, self.spots])
        self.widget.add_class("qlab-spotted")

    @property
    def alt(self):
        return self.picture.alt

    @property
    def waiting(self):
        return self.picture.waiting

    def give_up(self):
        """No measurement is coming; what waits for one stays greyed."""
        self.picture.give_up()

    @property
    def png(self):
        return self.picture.png

    def redraw(self, alt=None, spots=()):
        """Draw the picture, and put the places where the data are."""
        self.picture.redraw(alt)
        self.spots.places = [self._place(spot) for spot in spots]

    def _place(self, spot):
        """Where a place lies on the picture, and what it tells."""
        axes, figure = self.picture.axes[0], self.picture.figure
        left, bottom = figure.transFigure.inverted().transform(
            axes.transData.transform((spot.x, spot.y))
        )
        return {
            "x": round(float(left), 4),
            "y": round(1 - float(bottom), 4),
            "lines": list(spot.lines),
            "focus": spot.focus,
        }
