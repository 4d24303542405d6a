"""The cases of a claim, and the range in which the claim holds."""

import numpy as np

from qlab.plots import style
from qlab.plots.drawing import offset_text, ticks

LABEL = 0.2  # width of what is written next to a dot, as a share of the axis


@style.styled
def plot_claim(checked, log=(), axes=None):
    """Draw the numbers of a claim that was checked: a row for each case, and shade where it holds.

    Each limit of the claim has axes of its own; those with a number in `log`, counted from 0, are
    logarithmic.

    >>> from qlab.lessons.claims import Claim, Limit
    >>> claim = Claim("mine", "Half the bits, half the file.", Limit("times smaller", low=1.9))
    >>> ax, = plot_claim(claim.check({"large": 1.96, "small": 1.76}))
    >>> ax.get_xlabel(), [label.get_text() for label in ax.get_yticklabels()]
    ('times smaller', ['large', 'small'])
    """
    if not hasattr(checked, "held"):
        raise TypeError(f"{checked!r} is no checked claim: give what claim.check(...) returns")
    limits, held, log = checked.claim.limits, checked.held, _logarithmic(checked, log)
    height = 0.9 + 0.32 * len(held)
    axes = style.new_grid(1, len(limits), width=8.6, height=height, axes=axes)
    columns = np.array(list(checked.numbers.values())).T
    for i, (ax, limit, column) in enumerate(zip(axes, limits, columns, strict=True)):
        _panel(ax, limit, column, i in log)
        ax.set_yticks(range(len(held)), list(held) if i == 0 else [""] * len(held))
    return axes


def _logarithmic(checked, log):
    """Which limits have a logarithmic axis, as a set; refuse those that cannot have one."""
    log, limits = {log} if isinstance(log, int) else set(log), checked.claim.limits
    for i in log:
        if i not in range(len(limits)):
            raise ValueError(f"there is no limit {i}; they are 0 to {len(limits) - 1}")
        low = min([row[i] for row in checked.numbers.values()] + _ends(limits[i]))
        if low <= 0:
            raise ValueError(
                f"a logarithmic axis needs numbers above 0, and there is {low:g}: "
                f"leave {i} out of log"
            )
    return log


def _panel(ax, limit, numbers, log):
    """Shade where the limit is kept, and write each number next to its dot."""
    ends = _ends(limit)
    low, high = _span([*numbers, *ends], log, np.isinf(limit.low))
    ax.axvspan(max(limit.low, low), min(limit.high, high), color=style.SKY, alpha=0.25, lw=0)
    for row, number in enumerate(numbers):
        kept = limit.holds(number)
        colour = style.RIGHT if kept else style.WRONG
        words = f"{style.RIGHT_MARK if kept else style.WRONG_MARK} {limit.write(number)}"
        ax.plot(number, row, "o", color=colour)
        right = _room_on_the_right(number, ends, (low, high), log)
        look = {"ha": "left" if right else "right", "va": "center", "color": colour}
        offset_text(ax, (number, row), (8 if right else -8, 0), words, **look)
    if log:
        ax.set_xscale("log")
        ticks(ax.xaxis, "{:g}")
    ax.set(xlim=(low, high), ylim=(len(numbers) - 0.4, -0.6), xlabel=limit.quantity)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def _ends(limit):
    return [end for end in (limit.low, limit.high) if np.isfinite(end)]


def _room_on_the_right(number, ends, span, log):
    """Whether words right of a dot stay clear of the ends, or have no room on its left."""
    scale = np.log if log else np.asarray
    low, high = map(scale, span)
    place, *ends = ((scale(x) - low) / (high - low) for x in (number, *ends))
    return place < LABEL or not any(0 < end - place < LABEL for end in ends)


def _span(numbers, log, at_most):
    """Ends of the axis: all numbers are inside, with room for what is written next to them."""
    low, high = min(numbers), max(numbers)
    if log:
        room = (high / low) ** 0.3 * 2
        return low / (room if at_most else 2), high * room
    wide = (high - low) or 1.0
    return low - (0.4 if at_most else 0.1) * wide, high + 0.3 * wide
