"""What a language model is, what its channels hold, and where the memory of a large one goes."""

from itertools import pairwise

import numpy as np

from qlab.plots import style
from qlab.plots.drawing import legend, offset_text, ticks

MOST_SHOWN = 8  # characters in a picture of probabilities
SIGNS = {"\n": "new line", " ": "space"}
ARROW = {"arrowstyle": "-|>", "color": style.SOFT, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
BLOCK = (  # of a transformer: words, colour, and whether a sum comes after it
    ("normalize", style.FAINT, False),
    ("query, key, value\nattention, merge", style.SKY, True),
    ("normalize", style.FAINT, False),
    ("expand\ncontract", style.ORANGE, True),
)


@style.styled
def plot_next_characters(probabilities, characters, contexts, came=None, axes=None):
    """Draw what a model expects after each context: the likeliest characters, as bars.

    `probabilities` has a row for each context, and `came` the character that followed, if known.

    >>> axes = plot_next_characters([[0.7, 0.2, 0.1]], "abc", ["x"], "b")
    >>> [text.get_text() for text in axes[0].get_yticklabels()]
    ['a', 'b', 'c']
    """
    axes = style.new_grid(1, len(contexts), 3.0 * len(contexts), 2.9, axes)
    for place, (ax, row) in enumerate(zip(axes, np.asarray(probabilities), strict=True)):
        order = np.argsort(-row, kind="stable")[:MOST_SHOWN]
        names = [characters[i] for i in order]
        followed = None if came is None else came[place]
        bars = ax.barh(range(len(order)), row[order], color=style.SKY, height=0.7)
        if followed in names:
            bars[names.index(followed)].set(color=style.BLUE, hatch="//", edgecolor=style.PAPER)
        ax.set_yticks(range(len(order)), style.plain([SIGNS.get(x, x) for x in names]))
        ax.set(xlim=(0, 1), ylim=(MOST_SHOWN - 0.4, -0.6), xlabel="probability (%)")
        ax.set_xticks([0, 0.5, 1])
        ticks(ax.xaxis, "{:.0f}", 100)
        ax.tick_params(axis="y", length=0, labelcolor=style.INK)
        ax.set_title(f"after “{style.plain([contexts[place]])[0]}”")
        if followed is not None:
            bits = -np.log2(row[list(characters).index(followed)])
            words = f"“{SIGNS.get(followed, followed)}” came:\n{bits:.1f} bits"
            ax.text(0.97, 0.04, words, transform=ax.transAxes, ha="right", color=style.INK)
    return axes


@style.styled
def plot_transformer(layers, width, characters, ax=None):
    r"""Draw a decoder-only transformer: what a character goes through until the next one is said.

    >>> ax = plot_transformer(6, 128, 68)
    >>> ax.texts[0].get_text()
    'embedding\n68 characters'
    """
    ax = style.new_axes(ax, width=9.6, height=2.7)
    first = f"embedding\n{characters} characters", style.GREEN, False
    last = f"logits\n{characters} numbers", style.PURPLE, False
    steps = [first, *BLOCK, ("normalize", style.FAINT, False), last]
    places, x = [], 0.0
    for words, colour, summed in steps:
        wide = max(map(len, words.split("\n"))) * 0.088 + 0.25
        box = {"facecolor": colour, "edgecolor": style.SOFT, "lw": 0.8}
        ax.add_patch(_box((x, -0.4), wide, 0.8, **box))
        ax.text(x + wide / 2, 0, words, ha="center", va="center", color=style.words_on(colour))
        places.append((x, x + wide, summed))
        x += wide + (0.75 if summed else 0.35)
    for (_, end, summed), (start, _, _) in pairwise(places):
        ax.annotate("", (start, 0), (end, 0), arrowprops=ARROW)
        if summed:
            ax.plot(end + 0.36, 0, "o", ms=13, mfc=style.PAPER, mec=style.SOFT, zorder=3)
            ax.text(end + 0.36, 0, "+", ha="center", va="center", zorder=4)
    for one, other in ((1, 2), (3, 4)):  # around what is added to the sum
        start, end = places[one][0] - 0.18, places[other][1] + 0.36
        ax.plot([start, start, end, end], [0, 0.72, 0.72, 0.18], color=style.SOFT, lw=1.2)
        words = f"the sum: {width} numbers a character"
        offset_text(ax, ((start + end) / 2, 0.72), (0, 3), words, ha="center", fontsize=8)
    start, end = places[1][0] - 0.25, places[4][1] + 0.62
    ax.plot([start, start, end, end], [-0.5, -0.6, -0.6, -0.5], color=style.INK, lw=1)
    words = f"a block, {layers} times one after the other"
    offset_text(ax, ((start + end) / 2, -0.6), (0, -4), words, ha="center", va="top")
    ax.set(xlim=(-0.1, x), ylim=(-1, 1.05))
    ax.axis("off")
    return ax


def _box(place, wide, high, **look):
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(place, wide, high, boxstyle="round,pad=0,rounding_size=0.08", **look)


@style.styled
def plot_channel_ranges(ranges, ax=None):
    """Draw how far each channel reaches, the loudest first: a line for each name in `ranges`.

    >>> ax = plot_channel_ranges({"one": [1.0, 3.0, 2.0]})
    >>> ax.lines[0].get_ydata().tolist()
    [3.0, 2.0, 1.0]
    """
    ax = style.new_axes(ax, width=6.6, height=3.2)
    looks = ("-", "--", ":", "-.")
    for place, (name, reached) in enumerate(ranges.items()):
        reached, look = np.sort(reached)[::-1], looks[place % len(looks)]
        shares = np.linspace(0, 1, len(reached))
        ax.plot(shares, reached, look, color=style.SERIES[place % len(style.SERIES)], label=name)
    ax.set(xlim=(0, 1), ylim=(0, None), xlabel="channels, the loudest first (%)")
    ax.set_ylabel("largest magnitude of an input")
    ticks(ax.xaxis, "{:.0f}", 100)
    ax.grid(axis="y")
    ax.legend()
    return ax


@style.styled
def plot_memory(rows, limit=None, ax=None):
    """Draw stacked bars of bytes: `rows` has the bytes of each part by its name, by model.

    >>> ax = plot_memory({"GPT-2": {"weights": 2.5e8, "keys and values": 4e7}})
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['GPT-2']
    """
    ax = style.new_axes(ax, 7.4, 1.1 + 0.45 * len(rows))
    parts, marks = list(next(iter(rows.values()))), {}
    looks = ((style.BLUE, ""), (style.ORANGE, "//"), (style.GREEN, ".."))
    left = np.zeros(len(rows))
    for part, (colour, hatch) in zip(parts, looks, strict=False):
        long = np.array([row[part] for row in rows.values()]) / 1e9
        marks[part] = ax.barh(range(len(rows)), long, 0.6, left, color=colour, hatch=hatch,
                              edgecolor=style.PAPER)  # fmt: skip
        left += long
    if limit is not None:
        ax.axvline(limit / 1e9, color=style.INK, lw=0.9, ls="--")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel="GB, simulated")
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.grid(axis="x")
    legend(ax, marks, loc="upper left", bbox_to_anchor=(1, 1))
    return ax
