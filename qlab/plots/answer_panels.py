"""What models answer: images with their answers, answers that changed, and accuracy by class."""

from functools import lru_cache
from math import ceil

import numpy as np
from matplotlib.artist import Artist, allow_rasterization
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties

from qlab.arithmetic.metrics import confusion, wilson_interval
from qlab.plots import style
from qlab.plots.drawing import offset_text

ROWS, COLUMNS = 6, 4
SIDE, CELL_HEIGHT, CELL_WIDTH = 30, 34, 79  # in pixels of a stamp: a frame of 1 around 28 x 28
MOST_NAMES = 24  # of classes next to their bars
MARKS = {True: style.RIGHT_MARK, False: style.WRONG_MARK}
COLOURS = {True: style.RIGHT, False: style.WRONG}
WORDS = {True: style.RIGHT_WORDS, False: style.WRONG_WORDS}


class GalleryPanel:
    """Up to 24 images, each with what it is, the float model's answer, and the new answer."""

    capacity = ROWS * COLUMNS

    @style.styled
    def __init__(self, ax, class_names):
        self.names = class_names
        ax.set(xlim=(0, COLUMNS * CELL_WIDTH), ylim=(ROWS * CELL_HEIGHT, 0), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title("What it is: float32's answer → this file's answer")
        self.sheet = Stamps(ax)
        self.marks = (self.sheet,)

    def show(self, images, labels, before, after, empty=""):
        """Draw images, or the words of `empty` if there are none."""
        self.sheet.items.clear()
        self.sheet.stale = True
        if not len(images):
            self.sheet.words(2, CELL_HEIGHT / 2, empty, size=11)
        for i, (image, label, old, new) in enumerate(
            zip(images, labels, before, after, strict=True)
        ):
            left, top = i % COLUMNS * CELL_WIDTH, i // COLUMNS * CELL_HEIGHT
            self.sheet.image(left, top, _framed(image, COLOURS[bool(new == label)]), SIDE + 1)
            self.sheet.words(left + SIDE + 3, top + 9, _short(self.names[label]), bold=True)
            for line, arrow, answer in ((18, "", old), (26.5, "→ ", new)):
                right = bool(answer == label)
                words = f"{arrow}{MARKS[right]} {_short(self.names[answer])}"
                self.sheet.words(left + SIDE + 3, top + line, words, WORDS[right], size=8.2)


class Stamps(Artist):
    """Words and small images that come back often: each is drawn once and then only copied."""

    def __init__(self, ax):
        super().__init__()
        self.items = []
        self.set_in_layout(False)
        self.set_rasterized(True)
        ax.add_artist(self)

    def words(self, x, y, text, color=style.INK, size=8.5, bold=False):
        """Put words with their baseline at `y` and their left end at `x`, in data coordinates."""
        self.items.append((text, x, y, color, size, bold))

    def image(self, x, y, pixels, height):
        """Put an image with its top left at (`x`, `y`), each pixel a square of screen pixels."""
        self.items.append((pixels, x, y, height))

    @allow_rasterization
    def draw(self, renderer):
        """Copy everything onto the picture, as matplotlib asks of an artist."""
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
    """Pixels of an RGB image as RGBA, bottom row first, each `times` as wide and high."""
    rgba = np.empty((*pixels.shape[:2], 4), np.uint8)
    rgba[..., :3] = np.round(255 * pixels)
    rgba[..., 3] = 255
    return np.ascontiguousarray(rgba[::-1].repeat(times, 0).repeat(times, 1))


def _short(name):
    """A name that fits next to its image."""
    return name if len(name) <= 12 else f"{name[:11]}…"


def _framed(image, colour):
    """An image, a grey one in ink on paper, with a frame of `colour`, as RGB."""
    pixels = as_picture(image)
    pick = [np.linspace(0, n - 1, SIDE - 2).round().astype(int) for n in pixels.shape[:2]]
    framed = np.empty((SIDE, SIDE, 3), np.float32)
    framed[:] = to_rgb(colour)
    inside = pixels[np.ix_(*pick)]
    framed[1:-1, 1:-1] = inside if inside.ndim == 3 else 1 - 0.93 * inside[..., None]
    return framed


def as_picture(image):
    """An image from 0 to 1: of two axes if it is grey, of three if it has colours."""
    image = np.asarray(image)
    if image.ndim == 1:  # a row of pixels
        side = int(len(image) ** 0.5)
        image = image.reshape(side, side) if side * side == len(image) else image[None]
    image = image[..., 0] if image.ndim == 3 and image.shape[-1] != 3 else image
    scale = 255 if image.dtype == np.uint8 or np.max(image) > 1 else 1
    return np.clip(np.float32(image) / scale, 0, 1)


class FlipCountsPanel:
    """For each class, how many images became wrong (left) and how many became right (right)."""

    @style.styled
    def __init__(self, ax, class_names, largest):
        rows = np.arange(len(class_names))
        limit = 2.8 * largest
        ax.set_xscale("function", functions=(_root, _square))
        ax.set(xlim=(-limit, limit), ylim=(len(rows) - 0.4, -1.2))
        ticks = [n for n in (10, 100, 1000, 10_000) if largest / 12 <= n <= largest] or [largest]
        ax.set_xticks([*(-n for n in ticks), *ticks], [f"{n:,}" for n in (*ticks, *ticks)])
        ax.minorticks_off()
        named = slice(None, None, ceil(len(rows) / MOST_NAMES))
        ax.set_yticks(rows[named], style.plain(class_names)[named])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("images (square-root scale)")
        ax.set_title("Newly wrong or right")
        ax.axvline(0, color=style.SOFT, lw=0.8)
        self.bars, self.words = [], []
        for side, right, head in ((-1, False, "wrong"), (1, True, "right")):
            self.bars.append(ax.barh(rows, 0, 0.62, color=COLOURS[right]).patches)
            look = {"ha": "right" if side < 0 else "left", "va": "center"}
            count = {**look, "fontsize": 8, "annotation_clip": False}
            counted = rows if len(rows) <= MOST_NAMES else ()
            self.words.append([offset_text(ax, (0, y), (3 * side, 0), **count) for y in counted])
            look |= {"fontsize": 8.5, "color": WORDS[right]}
            offset_text(ax, (0, -0.75), (4 * side, 0), f"{MARKS[right]} {head}", **look)
        self.marks = tuple(x for side in (*self.bars, *self.words) for x in side)

    def show(self, newly_wrong, newly_right, chosen=None):
        """Draw the counts; those of the `chosen` class stand out, if there is one."""
        for side, counts, bars, words in zip(
            (-1, 1), (newly_wrong, newly_right), self.bars, self.words, strict=True
        ):
            for i, n in enumerate(counts):
                bars[i].set_width(side * n)
                bars[i].set_alpha(1 if chosen in (None, i) else 0.3)
                if words:
                    words[i].xy = side * n, i
                    words[i].set_text(f"{n:,}")


def _root(x):
    x = np.asarray(x, float)
    return np.sign(x) * np.sqrt(np.abs(x))


def _square(x):
    x = np.asarray(x, float)
    return np.sign(x) * x**2


@style.styled
def plot_images(images, labels, class_names, columns=10, axes=None):
    """Draw a grid of images, uint8 of shape (n, h, w), (n, h, w, 1) or (n, h, w, 3), with classes.

    >>> axes = plot_images(np.zeros((2, 4, 4), np.uint8), [1, 0], ["Bag", "Coat"], columns=2)
    >>> [ax.get_xlabel() for ax in axes]
    ['Coat', 'Bag']
    """
    axes = _grid(len(images), columns, 1.0, 1.2, axes)
    for ax, image, label in zip(axes, images, labels, strict=False):
        _image(ax, image, style.FAINT, 0.8)
        ax.set_xlabel(style.plain([class_names[label]])[0], fontsize=8.5)
    return axes


@style.styled
def plot_predictions(images, labels, predictions, class_names, columns=6, axes=None, colours=None):
    """Draw images with a model's answers, and with the true class where one is wrong.

    `colours` are those of right and of wrong, if not the course's own; both have their marks too.
    """
    own = dict(zip((True, False), colours or (), strict=False))
    frames, words_in = own or COLOURS, own or WORDS
    axes = _grid(len(images), columns, 1.35, 1.75, axes)
    class_names = style.plain(class_names)
    for ax, image, label, answer in zip(axes, images, labels, predictions, strict=False):
        right = bool(label == answer)
        _image(ax, image, frames[right], 1.6 if right else 2.6)
        words = f"{MARKS[right]} {class_names[answer]}"
        words += "" if right else f"\nis {class_names[label]}"
        ax.set_xlabel(words, color=words_in[right], fontsize=8.5)
    return axes


def _grid(n, columns, width, height, axes):
    """Axes for `n` images of so many inches each, without those that stay empty."""
    rows = -(-n // columns)
    axes = style.new_grid(rows, columns, width * columns, height * rows, axes)
    for ax in axes[n:]:
        ax.set_visible(False)
    return axes


def _image(ax, image, colour, width):
    """Draw one image, a grey one dark on light, in a frame."""
    ax.imshow(as_picture(image), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=colour, linewidth=width)


@style.styled
def plot_class_accuracy(labels, predictions, class_names, ax=None):
    """Draw the accuracy of each class as a bar, with its 95 % interval."""
    ax = style.new_axes(ax, 5.4, 3.4)
    counts = confusion(labels, predictions, len(class_names))
    right, all_ = np.diag(counts), counts.sum(1)
    accuracies = 100 * right / np.maximum(all_, 1)
    intervals = (wilson_interval(r, n) if n else (0, 0) for r, n in zip(right, all_, strict=True))
    ends = np.array(list(intervals))
    places = np.arange(len(class_names))
    ax.barh(places, accuracies, color=style.SKY, height=0.7)
    ax.hlines(places, *(100 * ends.T), color=style.INK, lw=1.6)
    for place, value in enumerate(accuracies):
        ax.text(1.5, place, f"{value:.1f} %", va="center", fontsize=8.5)
    ax.set_yticks(places, style.plain(class_names))
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="accuracy (%), line: 95 % interval", title="Accuracy by class")
    return ax
