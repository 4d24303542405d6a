"""The look of every picture: colours that colour-blind eyes can tell apart, marks, sizes."""

from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.colors import to_rgb

# Okabe and Ito, "Color universal design", 2008. Never colour alone: right and wrong carry marks.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
INK = "#1a1a1a"
SOFT = "#595959"
FAINT = "#d9d9d9"
PAPER = "#ffffff"

RIGHT, WRONG = BLUE, VERMILION
RIGHT_WORDS, WRONG_WORDS = BLUE, "#B84E00"  # on paper, words need more contrast than marks do
RIGHT_MARK, WRONG_MARK = "✓", "✗"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.hinting": "force_autohint",  # drawn in three quarters of the time, in as many bytes
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=SERIES),
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


@contextmanager
def _in_style():
    """Draw in the course's style, and leave the learner's own as it was."""
    with mpl.rc_context(RC):
        yield
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)  # the first import of pyplot may have switched it on


styled = _in_style()  # @styled: whatever a function draws, it draws in the course's style


def contrast(colour, other):
    """The ratio of two colours' luminance, 1 to 21; words need 4.5 (WCAG 2.2, 1.4.3)."""
    darker, lighter = sorted(map(_luminance, (colour, other)))
    return (lighter + 0.05) / (darker + 0.05)


def words_on(colour):
    """Black or white: the one that is better read on a colour."""
    return max(("black", PAPER), key=lambda words: contrast(words, colour))


def _luminance(colour):
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def plain(names):
    """Names as they are: a dollar sign in one begins no formula."""
    return [name.replace("$", r"\$") for name in names]


@styled
def new_axes(ax=None, width=6.0, height=3.6):
    """Return `ax`, or the Axes of a new figure in the course's style."""
    if ax is not None:
        return ax
    return _figure(1, 1, width, height)[0]


@styled
def new_grid(rows, columns, width, height, axes=None):
    """Return `axes`, or those of a new figure of this size in inches, in reading order."""
    if axes is not None:
        return list(axes)
    return _figure(rows, columns, width, height)


def _figure(rows, columns, width, height):
    """The axes of a figure that fits the page's theme, in reading order."""
    import matplotlib.pyplot as plt

    from qlab.plots.themes import Figure

    look = {"figsize": (width, height), "layout": "constrained", "FigureClass": Figure}
    return list(plt.subplots(rows, columns, squeeze=False, **look)[1].flat)
