"""A claim's cases, with the range in which it holds."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter

from qlab.plots import style


@style.styled
def plot_claim(checked, log=(), axes=None):
    """One row a case, one panel a limit; the shaded range is where the claim holds.

    Parameters
    ----------
    checked : qlab.lessons.claims.CheckedClaim
    log : collection of int
        Numbers of the limits whose panel has a logarithmic axis.
    axes : sequence of matplotlib.axes.Axes or None
        One for each limit.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> from qlab.lessons.claims import Claim, Limit
    >>> claim = Claim("07.mine", "Half the bits, half the file.", (Limit("times smaller", 1.9),))
    >>> ax, = plot_claim(claim.check({"large": 1.96, "small": 1.76}))
    >>> ax.get_xlabel(), [label.get_text() for label in ax.get_yticklabels()]
    ('times smaller', ['large', 'small'])
    """
    limits, held = checked.claim.limits, checked.held
    height = 0.9 + 0.32 * len(held)
    axes = style.new_grid(1, len(limits), width=8.6, height=height, axes=axes)
    columns = np.array(list(checked.numbers.values())).T
    for i, (ax, limit, column) in enumerate(zip(axes, limits, columns, strict=True)):
        _panel(ax, limit, column, i in log)
        ax.set_yticks(range(len(held)), list(held) if i == 0 else [""] * len(held))
    return axes


def _panel(ax, limit, numbers, log):
    """Shade where the limit is kept, and write each number beside its dot."""
    ends = [end for end in (limit.low, limit.high) if np.isfinite(end)]
    low, high = _span([*numbers, *ends], log)
    ax.axvspan(max(limit.low, low), min(limit.high, high), color=style.SKY, alpha=0.25, lw=0)
    for row, number in enumerate(numbers):
        kept = limit.holds(number)
        colour = style.RIGHT if kept else style.WRONG
        words = f"{style.RIGHT_MARK if kept else style.WRONG_MARK} {number:.{limit.digits}f}"
        ax.plot(number, row, "o", color=colour)
        ax.annotate(
            words, (number, row), (8, 0), textcoords="offset points", va="center", color=colour
        )
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set(xlim=(low, high), ylim=(len(numbers) - 0.4, -0.6), xlabel=limit.quantity)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def _span(numbers, log):
    """Ends of the axis: all numbers inside, and room for what is written beside them."""
    low, high = min(numbers), max(numbers)
    if log:
        return low / 2, high * (high / low) ** 0.3 * 2
    wide = (high - low) or 1.0
    return low - 0.1 * wide, high + 0.3 * wide
