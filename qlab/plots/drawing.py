"""What panels share: axes and their ticks, the baseline, notes, dots, and what moves them."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from qlab.plots import style

DASHED, DOTTED = (0, (4, 3)), (0, (1, 2))
BAND = {"color": style.SKY, "alpha": 0.3, "lw": 0}  # a 95 % interval, shaded
RIM = {"mec": style.PAPER, "mew": 0.6}  # keeps dots apart that lie on top of each other
SQUEEZED = 0.2  # of an accuracy axis, for all accuracies below the knee
MOST = 0.999  # of a layer's weights are within the picture


def ticks(axis, form="{:,.0f}", factor=1, at=None):
    """Write the ticks of an axis plainly, times `factor`; if given, put them `at` these places."""
    if at is not None:
        axis.set_ticks(at)
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: form.format(factor * value)))


def percent_axis(axis, every):
    """Write the ticks of an axis of shares as a percentage, one tick `every` so much."""
    axis.set_major_locator(MultipleLocator(every))
    ticks(axis, "{:.0f}", 100)


def zoom(ax, reference, direction="y", below=0.15, ticks_per_one=20, side="left"):
    """Scale an accuracy axis so that a tenth of a point and a total loss are both on it."""
    knee = max(0.05, np.floor(ticks_per_one * (reference - below)) / ticks_per_one)
    top = min(1.005, reference + 0.03)

    def forward(accuracy):
        accuracy = np.asarray(accuracy, float)
        upper = SQUEEZED + (1 - SQUEEZED) * (accuracy - knee) / (top - knee)
        return np.where(accuracy < knee, SQUEEZED * accuracy / knee, upper)

    def inverse(place):
        place = np.asarray(place, float)
        upper = knee + (place - SQUEEZED) / (1 - SQUEEZED) * (top - knee)
        return np.where(place < SQUEEZED, place / SQUEEZED * knee, upper)

    getattr(ax, f"set_{direction}scale")("function", functions=(forward, inverse))
    getattr(ax, f"set_{direction}lim")(0, top)
    axis = getattr(ax, f"{direction}axis")
    low = [0, 0.4] if knee > 0.6 else [0]
    ticks(axis, "{:.0f}", 100, at=[*low, *np.arange(knee, top, 1 / ticks_per_one)])
    axis.grid(True)
    line = ax.axhline if direction == "y" else ax.axvline
    line(knee, color=style.SOFT, lw=0.9, ls=DOTTED)
    if direction == "y":
        ax.set_ylabel("accuracy (%)")
        edge = {"left": 0.012, "right": 0.988}[side]
        offset_text(ax, (edge, knee), (0, -3), "squeezed below", fontsize=7.5, color=style.SOFT,
                    xycoords=("axes fraction", "data"), va="top", ha=side)  # fmt: skip
    return float(knee)


def baseline(ax, accuracy, interval=None):
    """Dash a line at the accuracy that others are compared with, and shade its 95 % interval."""
    if interval is not None:
        ax.axhspan(*interval, **BAND)
    ax.axhline(accuracy, color=style.INK, lw=0.9, ls=DASHED)


def weight_axes(ax):
    """Label the axes of a histogram of weights, which has zero in its middle."""
    ax.set(xlabel="weight", ylabel="number of weights")
    ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))


def half_range(weights):
    """How far from zero a histogram of these weights reaches."""
    return float(np.quantile(np.abs(weights), MOST)) or 1.0


def mark(ax, *look, **more):
    """An empty line, to which `put` gives its points."""
    return ax.plot([], [], *look, **more)[0]


def put(line, points):
    """Move a line to these points; what follows x and y in a point is not drawn."""
    points = list(points)
    line.set_data([point[0] for point in points], [point[1] for point in points])


def stand(lines, at, ends):
    """Move vertical lines `at` these places; `ends` is one (low, high) for all, or one for each."""
    ends = np.broadcast_to(np.reshape(ends, (-1, 2)), (len(at), 2))
    lines.set_segments([[(x, low), (x, high)] for x, (low, high) in zip(at, ends, strict=True)])


def fan(values, step):
    """How far to shift each of these values to the side, so that equal ones are all seen."""
    return step * (np.arange(len(values)) - (len(values) - 1) / 2)


def paper(pad=1, alpha=0.85):
    """The ground of a text that lies over marks."""
    return {"facecolor": style.PAPER, "edgecolor": "none", "pad": pad, "alpha": alpha}


def note(ax, x, y, words="", **look):
    """A text at a place given as shares of the width and the height of the axes."""
    return ax.text(x, y, words, **{"transform": ax.transAxes, "fontsize": 8, **look})


def offset_text(ax, place, shift, words="", **look):
    """A text that stands `shift` points away from a place in data coordinates."""
    return ax.annotate(words, place, shift, textcoords="offset points", **look)


def legend(ax, marks, **look):
    """Explain marks, given by the words for each."""
    look = {"loc": "lower right", "labelspacing": 0.3, **look}
    ax.legend(list(marks.values()), list(marks), **look)
