"""Garments whose class changed: a gallery with both answers, and how many changed in each class."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from qlab.plots import style
from qlab.plots.stamps import Stamps

ROWS, COLUMNS = 6, 4
SIDE, CELL_HEIGHT, CELL_WIDTH = 30, 34, 79  # in garment pixels: a frame of 1 around 28 x 28
MARKS = {True: style.RIGHT_MARK, False: style.WRONG_MARK}
COLOURS = {True: style.RIGHT, False: style.WRONG}


class GalleryPanel:
    """Up to 24 garments; beside each what it is, the float model's answer, and the new answer."""

    capacity = ROWS * COLUMNS

    @style.styled
    def __init__(self, ax, class_names):
        """Put an empty gallery on `ax`."""
        self.names = class_names
        ax.set(xlim=(0, COLUMNS * CELL_WIDTH), ylim=(ROWS * CELL_HEIGHT, 0), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title("What it is: float32's answer → this file's answer")
        self.sheet = Stamps(ax)
        self.marks = (self.sheet,)

    def show(self, images, labels, before, after, empty=""):
        """Draw garments."""
        self.sheet.clear()
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
                self.sheet.words(left + SIDE + 3, top + line, words, COLOURS[right], size=8.2)


class FlipCountsPanel:
    """For each class, how many garments became wrong (left) and how many became right (right)."""

    @style.styled
    def __init__(self, ax, class_names, largest):
        """Draw the frame, and empty bars."""
        rows = np.arange(len(class_names))
        limit = 2.8 * largest
        ax.set_xscale("function", functions=(_root, _square))
        ax.set(xlim=(-limit, limit), ylim=(len(rows) - 0.4, -1.2))
        ticks = [n for n in (10, 100, 1000, 10_000) if largest / 12 <= n <= largest] or [largest]
        ax.set_xticks([*(-n for n in ticks), *ticks], [f"{n:,}" for n in (*ticks, *ticks)])
        ax.minorticks_off()
        ax.set_yticks(rows, class_names)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("images (square-root scale)")
        ax.set_title("Newly wrong or right")
        ax.axvline(0, color=style.SOFT, lw=0.8)
        self.bars, self.words, heads = [], [], ("wrong", "right")
        for side, right, head in zip((-1, 1), (False, True), heads, strict=True):
            self.bars.append(ax.barh(rows, 0, 0.62, color=COLOURS[right]).patches)
            align = "right" if side < 0 else "left"
            self.words.append([_count(ax, row, 3 * side, align) for row in rows])
            ax.annotate(f"{MARKS[right]} {head}", (0, -0.75), (4 * side, 0), ha=align, va="center",
                        textcoords="offset points", fontsize=8.5, color=COLOURS[right])  # fmt: skip
        self.marks = (
            *(x for side in self.bars for x in side),
            *(x for side in self.words for x in side),
        )

    def show(self, newly_wrong, newly_right, chosen=None):
        """Draw the counts."""
        for side, counts, bars, words in zip(
            (-1, 1), (newly_wrong, newly_right), self.bars, self.words, strict=True
        ):
            for i, n in enumerate(counts):
                bars[i].set_width(side * n)
                bars[i].set_alpha(1 if chosen in (None, i) else 0.3)
                words[i].xy = side * n, i
                words[i].set_text(f"{n:,}")


def _short(name):
    """A name that fits beside its garment."""
    return name if len(name) <= 12 else f"{name[:11]}…"


def _framed(image, colour):
    """An image in ink on paper, with a frame of `colour`, as RGB."""
    scale = 255 if np.asarray(image).dtype == np.uint8 else 1
    grey = np.asarray(image, np.float32).reshape(np.shape(image)[:2]) / scale
    pick = [np.linspace(0, n - 1, SIDE - 2).round().astype(int) for n in grey.shape]
    framed = np.empty((SIDE, SIDE, 3), np.float32)
    framed[:] = to_rgb(colour)
    framed[1:-1, 1:-1] = 1 - 0.93 * np.clip(grey[np.ix_(*pick)], 0, 1)[..., None]
    return framed


def _count(ax, row, shift, align):
    """An empty number at the end of a bar."""
    return ax.annotate("", (0, row), (shift, 0), textcoords="offset points", ha=align, va="center",
                       fontsize=8, annotation_clip=False)  # fmt: skip


def _root(x):
    x = np.asarray(x, float)
    return np.sign(x) * np.sqrt(np.abs(x))


def _square(x):
    x = np.asarray(x, float)
    return np.sign(x) * x**2
