"""A matplotlib picture that moves: the frame is drawn once, the marks are blitted over it."""

import io
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image

from qlab.plots import style
from qlab.widgets.kit.front_end import FrontEnd

CSS_DPI = 100  # CSS pixels an inch of figure
DENSITY = 2  # device pixels a CSS pixel


class Panels(FrontEnd):
    """Images side by side that are one picture with one name; each is sent when it has changed."""

    part = traitlets.Unicode("picture").tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    widths = traitlets.List().tag(sync=True)  # of the panels, in CSS pixels
    height = traitlets.Int().tag(sync=True)
    waiting = traitlets.List().tag(sync=True)  # panels that are greyed, because they are of before
    measuring = traitlets.Bool(False).tag(sync=True)  # what those panels will show

    def __init__(self):
        super().__init__()
        self._sent = {}

    def send(self, pixels, borders, alt, waiting):
        """Show a picture that is cut at these columns; without `alt` its name stays."""
        with self.hold_sync():
            self.waiting, self.measuring = list(waiting), bool(waiting)
            self.widths = [(end - start) // DENSITY for start, end in pairwise(borders)]
            self.height = len(pixels) // DENSITY
            for i, (start, end) in enumerate(pairwise(borders)):
                if i not in waiting:
                    self._send_panel(f"panel_{i}", pixels[:, start:end])
            if alt is not None:
                self.alt = alt

    def _send_panel(self, name, pixels):
        """Encode and send one panel, unless it is there."""
        if not np.array_equal(self._sent.get(name), pixels):
            self._sent[name] = pixels = pixels.copy()
            if not self.has_trait(name):
                self.add_traits(**{name: traitlets.Bytes().tag(sync=True)})
            setattr(self, name, encode(pixels))


class LivePicture:
    """Panels side by side, drawn once and then blitted, at twice the shown resolution."""

    def __init__(self, panels=3, width=900, height=300, ratios=None):
        size = width / CSS_DPI, height / CSS_DPI
        self.figure = Figure(figsize=size, dpi=CSS_DPI * DENSITY, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        with mpl.rc_context(style.RC):
            grid = self.figure.subplots(1, panels, squeeze=False, width_ratios=ratios)
        self.figure.get_layout_engine().set(w_pad=0.06, h_pad=0.04, wspace=0.04)
        self.axes = tuple(grid[0])
        self.width, self.height = width, height
        self.widget = Panels()
        self.widget.add_class("qlab-picture")
        self._marks, self._places, self._panels = [], {}, 0
        self._frame, self._framed, self._borders = None, None, None

    def add(self, *artists):
        """Register artists as marks: what `redraw` draws anew, in this order."""
        for artist in artists:
            artist.set_animated(True)
        self._marks.extend(artists)
        return artists

    def put(self, panel, *args):
        """Make a panel of `qlab.plots` in the next axes, and register its marks."""
        made = panel(self.axes[self._panels], *args)
        self._panels += 1
        self.add(*made.marks)
        return made

    def needs_frame(self, key):
        """Say whether the frame is of another `key`, such as a layer; then it is drawn again."""
        if key == self._framed:
            return False
        self._framed = key
        self.reframe()
        return True

    def reframe(self):
        """Draw titles, axes and ticks again at the next `redraw`: for when a limit has changed."""
        self._frame = None

    def redraw(self, alt=None, waiting=()):
        """Draw the marks over the frame and send what changed; without `alt` its name stays.

        Panels that are `waiting` for a measurement stay as they are, and are greyed.
        """
        left = set()  # panels that stay as they are; a new frame needs all marks
        if self._frame is None:
            self._draw_frame()
        else:
            moved = {self._panel_of(artist) for artist in self._marks if self._has_moved(artist)}
            left = {i for i in range(len(self.axes)) if i in waiting or i not in moved}
        pixels = np.asarray(self.canvas.buffer_rgba())
        for i, (start, end) in enumerate(pairwise(self._borders)):
            if i not in left:
                pixels[:, start:end] = self._frame[:, start:end]
        with mpl.rc_context(style.RC):
            for artist in self._marks:
                if self._panel_of(artist) not in left:
                    self._draw_mark(artist)
        self.widget.send(pixels, self._borders, alt, waiting)

    def _panel_of(self, artist):
        """Index of the panel that a mark is in, or in an inset of it."""
        return next(i for i, ax in enumerate(self.axes) if artist.axes in (ax, *ax.child_axes))

    def _draw_mark(self, artist):
        """Draw a mark, which is then no longer stale."""
        if artist.get_visible():
            artist.axes.draw_artist(artist)
        artist.stale, self._places[artist] = False, _place(artist)

    def _has_moved(self, artist):
        """Whether a mark has changed; matplotlib does not notice that an annotation has moved."""
        return artist.stale or self._places.get(artist) != _place(artist)

    @property
    def waiting(self):
        """list of int: the panels that are greyed."""
        return self.widget.waiting

    def give_up(self):
        """No measurement is coming; what waits for one stays greyed."""
        self.widget.measuring = False

    @property
    def alt(self):
        """str: the picture in words."""
        return self.widget.alt

    @property
    def png(self):
        """bytes: the whole picture as it was last drawn."""
        return encode(self.canvas.buffer_rgba())

    def _draw_frame(self):
        """Draw all that is not a mark, and keep it."""
        with mpl.rc_context(style.RC):
            self.canvas.draw()
        self.figure.set_layout_engine("none")  # laid out once, so that panels stay where they are
        self._frame = np.array(self.canvas.buffer_rgba())
        if self._borders is None:
            self._borders = self._between()

    def _between(self):
        """Columns where the picture is cut: the middle of the space between two axes."""
        boxes = [ax.get_tightbbox() for ax in self.axes]
        middles = [(left.x1 + right.x0) / 2 for left, right in pairwise(boxes)]
        cuts = [DENSITY * round(x / DENSITY) for x in middles]
        return [0, *cuts, self.canvas.get_width_height(physical=True)[0]]


def _place(artist):
    """What an annotation points at; None for any other artist."""
    return tuple(artist.xy) if isinstance(artist, Annotation) else None


def encode(rgba):
    """Encode a picture as a PNG with the course's fixed palette of 256 colours."""
    pixels = np.asarray(rgba)
    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
    image = image.convert("RGB").quantize(palette=_PALETTE, dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "png", compress_level=6)
    return out.getvalue()


def _palette():
    """The fixed palette: few greys, and each colour towards white and towards ink."""
    white, ink = np.ones(3), np.array(to_rgb(style.INK))
    colours = [white] + [white * step for step in np.linspace(0, 0.93, 18)]
    hues = [style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.SKY, style.PURPLE]
    for hue in np.array([to_rgb(h) for h in hues]):
        colours += [hue + (white - hue) * step for step in np.linspace(0, 0.9, 16)]
        colours += [hue + (ink - hue) * step for step in np.linspace(0, 1, 12)[1:-1]]
    image = Image.new("P", (1, 1))
    image.putpalette((np.array(colours[:256]) * 255).round().astype(np.uint8).tobytes())
    return image


_PALETTE = _palette()
