"""The cases of a claim, and the range in which the claim holds."""

import textwrap

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


@style.styled
def plot_claims(checked, ax=None):
    """Draw all checked claims in one picture: a row for each limit, shaded where it is kept.

    Each row has a scale of its own, because each claim has a quantity of its own. An end of the
    limit lies where the shade begins, and the farthest case lies at the edge. The smallest and the
    largest number are written out, and the mark stands at the end of the row.

    >>> from qlab.lessons.claims import Claim, Limit
    >>> claim = Claim("mine", "Half the bits, half the file.", Limit("times smaller", low=1.9))
    >>> ax = plot_claims([claim.check({"large": 1.96, "small": 1.76})])
    >>> [text.get_text() for text in ax.texts][:3]
    ['Half the bits, half the file.', '○ holds for: large; not for: small', '1.8']
    """
    rows = [(one, i) for one in checked for i in range(len(one.claim.limits))]
    ax = style.new_axes(ax, 10.4, 0.6 + 0.56 * len(rows))
    for y, (one, i) in enumerate(rows):
        if i == 0:
            _headline(ax, y, one, len(one.claim.limits))
        _row(ax, y, one.claim.limits[i], [numbers[i] for numbers in one.numbers.values()])
    ax.set(xlim=(-1.3, 1.3), ylim=(len(rows) - 0.4, -0.9), xticks=[])
    ax.set_yticks([])
    words = "Shaded: where the claim holds. ● a case in which it does, ✖ one in which it does not"
    ax.set_title(words, loc="center")
    ax.spines[:].set_visible(False)
    return ax


LOOKS = {  # of a mark: its sign and the colour of its words
    "true": (style.RIGHT_MARK, style.RIGHT_WORDS),
    "true with a condition": ("○", style.SOFT),
    "false": (style.WRONG_MARK, style.WRONG_WORDS),
}


def _headline(ax, y, one, height):
    """The sentence left of the rows of a claim, and its mark on their right."""
    sign, colour = LOOKS[one.mark]
    look = {"va": "center", "linespacing": 1.15, "clip_on": False}
    middle = y + (height - 1) / 2
    sentence = "\n".join(textwrap.wrap(one.claim.words, 46))
    ax.text(-1.36, middle, sentence, ha="right", fontsize=8.5, **look)
    words = [f"{sign} {one.mark}"] if one.mark != "true with a condition" else []
    words += textwrap.wrap(f"{sign} {one.condition}", 44) if one.condition else []
    ax.text(1.36, middle, "\n".join(words), ha="left", fontsize=8.5, color=colour, **look)
    if y:
        ax.axhline(y - 0.5, color=style.FAINT, lw=0.6)


def _row(ax, y, limit, numbers):
    """Dots of one limit on its own scale, from -1 to 1; only there does a limit keep its shade."""
    place = _scale(limit, numbers)
    ends = [
        place(end) if np.isfinite(end) else edge
        for end, edge in zip((limit.low, limit.high), (-1.25, 1.25), strict=True)
    ]
    ax.fill_between(ends, y - 0.36, y + 0.26, color=style.SKY, alpha=0.25, lw=0)
    for number in numbers:
        kept = limit.holds(number)
        ax.plot(place(number), y + 0.08, "o" if kept else "X", ms=5.5, alpha=0.85,
                color=style.RIGHT if kept else style.WRONG, mew=0)  # fmt: skip
    for number in dict.fromkeys((min(numbers), max(numbers))):
        words = style.RIGHT_WORDS if limit.holds(number) else style.WRONG_WORDS
        ax.text(place(number), y - 0.08, limit.write(number), ha="center", va="bottom",
                fontsize=7.5, color=words)  # fmt: skip
    ax.text(0, y + 0.37, str(limit), ha="center", va="center", fontsize=7, color=style.SOFT)


def _scale(limit, numbers):
    """A function from numbers to places: ratios count where all are above 0, else differences."""
    ends = _ends(limit)
    bend = np.log if min([*numbers, *ends]) > 0 else np.asarray
    middle = np.mean([bend(end) for end in ends])
    reach = max(abs(bend(x) - middle) for x in [*numbers, *ends]) or 1.0
    return lambda x: float((bend(x) - middle) / reach)
