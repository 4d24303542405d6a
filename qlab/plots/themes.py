"""A figure of a cell in both themes: its picture, and the same for a dark page."""

import base64
import io

import matplotlib.figure
import numpy as np
from markupsafe import Markup
from PIL import Image

LUMINANCE = (0.213, 0.715, 0.072)  # of red, green and blue, as CSS filters weigh them
BRIGHTER = 1.25  # as the explorers' pictures, see kit/css.py
PAGE = Markup("""<style>.qlab-figure img { max-width: 100%% }
body:not([data-jp-theme-light="false"]) .qlab-dark, \
body[data-jp-theme-light="false"] .qlab-light { display: none }
body[data-jp-theme-light="false"] .qlab-dark { mix-blend-mode: screen }</style>
<div class="qlab-figure"><img class="qlab-light" alt="%s" width="%d" src="%s">\
<img class="qlab-dark" alt="%s" width="%d" src="%s"></div>""")


class Figure(matplotlib.figure.Figure):  # its name is in the outputs of notebooks
    """A figure that Jupyter shows as the theme of its page needs it."""

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Jupyter's own picture for pages without themes, and one of each kind for JupyterLab."""
        light, kept = self._drawn()
        alt, width = self.in_words(), light.shape[1] // 2  # two device pixels a CSS pixel
        pictures = [_encoded(pixels) for pixels in (light, darkened(light, kept))]
        shown = [
            x for picture in pictures for x in (alt, width, f"data:image/png;base64,{picture}")
        ]
        data = {"image/png": pictures[0], "text/html": PAGE % tuple(shown)}
        return data, {"image/png": {"alt": alt, "width": width, "height": light.shape[0] // 2}}

    def in_words(self):
        """What is drawn, as far as titles and labels say it."""
        axes = [ax for ax in self.axes if ax.axison]
        titles = [ax.get_title("left") or ax.get_title() for ax in axes]
        labels = [" by ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel()))) for ax in axes]
        pairs = (": ".join(filter(None, pair)) for pair in zip(titles, labels, strict=True))
        words = "; ".join(dict.fromkeys(filter(None, pairs))).replace("\n", " ")
        return f"Figure: {words}" if words else "Figure"

    def _drawn(self):
        """The pixels, at twice the resolution, and which of them belong to images in it."""
        self.canvas.draw()
        page, dpi, out = self.get_tightbbox().padded(0.1), 2 * self.dpi, io.BytesIO()
        # What lies within an image's frame is a photograph or has a colour with a meaning.
        boxes = [x.get_window_extent() for ax in self.axes for x in _images(ax)]
        boxes = [box.transformed(self.dpi_scale_trans.inverted()) for box in boxes]
        self.savefig(out, format="png", dpi=dpi, bbox_inches=page)
        pixels = np.array(Image.open(out).convert("RGB"))
        kept = np.zeros(pixels.shape[:2], bool)
        for box in boxes:
            left, right = (max(0, round((x - page.x0) * dpi)) for x in box.intervalx)
            low, high = (max(0, round((page.y1 - y) * dpi)) for y in box.intervaly)
            kept[high:low, left:right] = True
        return pixels, kept


def _images(ax):
    """The images of axes and of the insets in them."""
    return [*ax.images, *(image for inset in ax.child_axes for image in _images(inset))]


def darkened(pixels, kept):
    """The same picture on black: light and dark change places, and each keeps its hue."""
    inverted = 1 - pixels / np.float32(255)
    grey = (inverted @ np.float32(LUMINANCE))[..., None]
    dark = np.clip(BRIGHTER * (2 * grey - inverted), 0, 1)
    return np.where(kept[..., None], pixels, np.rint(255 * dark).astype(np.uint8))


def _encoded(pixels):
    """A PNG of 256 colours, as base64: a third of the bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(out, "png", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
