"""Better rounding: where each weight of a row goes, and what is asked of it on the way."""

import numpy as np

from qlab.arithmetic.rounding import curvature, gptq, output_error
from qlab.plots import style
from qlab.plots.drawing import legend, offset_text

ARROW = {"arrowstyle": "-|>", "color": style.SOFT, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
LINE = 0.34  # between a weight and where the feedback moves it, above the number line


def feedback_steps(weights, moments):
    """Which weight comes when, at what it aims after all errors before it, and its code."""
    curved = curvature(moments, damping=1e-9)
    weights = np.asarray(weights, float)
    [codes], [order] = gptq([weights], 1.0, 8, curved), curved.order
    error, aims = (weights - codes)[order], weights.copy()
    aims[order] += np.triu(curved.feedback[0], 1).T @ error
    return order, aims, codes


@style.styled
def plot_feedback(weights, moments, ax=None):
    """Draw a row of weights on a grid with steps of 1: their nearest codes, and those of GPTQ.

    A number line for each weight, the one that is rounded first at the top. An arrow goes from the
    weight to where the errors of those above it move it.

    >>> from qlab.plots import plot_feedback
    >>> ax = plot_feedback([0.4, 1.4, 0.4], [[2, 2, 1.5], [2, 3, 2], [1.5, 2, 1.8]])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['third: weight 3', 'second: weight 1', 'first: weight 2']
    """
    ax = style.new_axes(ax, width=8.6, height=3.4)
    order, aims, codes = feedback_steps(weights, moments)
    weights, places = np.asarray(weights, float), np.arange(len(order))[::-1]
    low, high = np.floor(min(*weights, *aims)), np.ceil(max(*weights, *aims))
    ax.hlines(places, low - 0.3, high + 0.3, color=style.SOFT, lw=0.9, zorder=1)
    for code in np.arange(low, high + 1):
        ax.vlines([code] * len(places), places - 0.09, places + 0.09, color=style.SOFT, lw=0.9)
    for j, y in zip(order, places, strict=True):
        if abs(aims[j] - weights[j]) > 1e-6:
            ax.annotate("", (aims[j], y + LINE), (weights[j], y + LINE), arrowprops=ARROW)
            words = f"{aims[j] - weights[j]:+.2f} passed on".replace("-", "−")
            middle = (aims[j] + weights[j]) / 2
            offset_text(ax, (middle, y + LINE), (0, 3), words, ha="center", fontsize=8)
            ax.vlines([weights[j], aims[j]], y, y + LINE, color=style.FAINT, lw=0.9, zorder=1)
    look = {"ls": "none", "zorder": 3}
    marks = {
        "the weight": ax.plot(weights[order], places, "o", mfc=style.PAPER, mec=style.INK, **look),
        "its nearest code": ax.plot(
            np.rint(weights[order]), places, "x", c=style.VERMILION, **look
        ),
        "its code by GPTQ": ax.plot(codes[order], places, "D", mfc="none", mec=style.BLUE, **look),
    }
    for [line], size in zip(marks.values(), (6, 7, 11), strict=True):
        line.set(markersize=size, markeredgewidth=1.7)
    names = ("first", "second", "third", *(f"{n}th" for n in range(4, len(order) + 1)))
    ax.set_yticks(places[::-1], [f"{names[n]}: weight {order[n] + 1}" for n in places])
    ax.set(ylim=(-0.45, len(order) - 0.35), xticks=np.arange(low, high + 1), xlabel="code")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    legend(ax, {words: line for words, [line] in marks.items()}, loc="upper left",
           bbox_to_anchor=(1, 1))  # fmt: skip
    ax.set_title(_title(weights, codes, moments))
    return ax


def _title(weights, codes, moments):
    found = [output_error([weights], [x], 1.0, moments)[0] for x in (np.rint(weights), codes)]
    return "Squared error of the output: {:.2f} with the nearest codes, {:.2f} with GPTQ".format(
        *found
    )
