"""Words and small images that come back often: each is drawn once, then stamped."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
from matplotlib.artist import Artist, allow_rasterization
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from qlab.plots import style


class Stamps(Artist):
    """A sheet of stamps over one axes; `image` and `words` add to it, `clear` empties it."""

    def __init__(self, ax):
        super().__init__()
        self.items = []
        self.set_in_layout(False)
        self.set_rasterized(True)
        ax.add_artist(self)

    def clear(self):
        """Take all stamps away."""
        self.items = []

    def words(self, x, y, text, color=style.INK, size=8.5, bold=False):
        """Put words with their baseline at `y` and their left end at `x`, in data coordinates."""
        self.items.append((text, x, y, color, size, bold))

    def image(self, x, y, pixels, height):
        """Put an image with its top left at (`x`, `y`), in whole screen pixels a pixel."""
        self.items.append((pixels, x, y, height))

    @allow_rasterization
    def draw(self, renderer):
        """Stamp everything."""
        if not self.get_visible():
            return
        context = renderer.new_gc()
        for what, x, y, *how in self.items:
            left, top = self.axes.transData.transform((x, y))
            if isinstance(what, str):
                bitmap, descent = _words(what, *how, renderer.dpi)
                renderer.draw_image(context, round(left), round(top - descent), bitmap)
            else:
                bottom = self.axes.transData.transform((x, y + how[0]))[1]
                times = max(1, int(abs(top - bottom) / len(what)))
                renderer.draw_image(
                    context, round(left), round(top) - times * len(what), _enlarged(what, times)
                )
        context.restore()


@lru_cache(maxsize=1024)
def _words(text, color, size, bold, dpi):
    """Pixels of some words, bottom row first, and how far they reach below the baseline."""
    font = FontProperties(
        family=style.RC["font.family"], size=size, weight="bold" if bold else "normal"
    )
    width, height, descent = RendererAgg(1, 1, dpi).get_text_width_height_descent(text, font, False)
    below = ceil(descent) + 1
    paper = RendererAgg(max(1, ceil(width) + 4), ceil(height) + below + 2, dpi)
    context = paper.new_gc()
    context.set_foreground(color)
    paper.draw_text(context, 0, paper.height - below, text, font, 0)
    return np.asarray(paper.buffer_rgba())[::-1].copy(), below


def _enlarged(pixels, times):
    """Pixels of an image as RGBA, bottom row first, each `times` as wide and high."""
    rgba = np.empty((*pixels.shape[:2], 4), np.uint8)
    rgba[..., :3] = np.round(255 * (pixels if pixels.ndim == 3 else pixels[..., None]))
    rgba[..., 3] = 255
    return np.ascontiguousarray(rgba[::-1].repeat(times, 0).repeat(times, 1))
