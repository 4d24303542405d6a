"""Where a file's bytes are, next to the float32 file: all of them, and the small parts enlarged."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from qlab.plots import style
from qlab.tflite.anatomy import PARTS

COLOURS = dict(
    zip(
        PARTS,
        (style.BLUE, style.SKY, style.VERMILION, style.GREEN, style.PURPLE, "#8c8c8c"),
        strict=True,
    )
)
ROWS = (3.4, 2.5, 1.15, 0.25)  # float32 raw and gzipped, then this file raw and gzipped
THICK = 0.7


class FilePanel:
    """Four stacked bars on one scale: the float32 file and this file, as they are and gzipped."""

    @style.styled
    def __init__(self, ax, parts, compressed, gzip_bytes):
        """Draw the float32 file, and empty bars for the other."""
        self.ax, self.float_bytes = ax, sum(parts.values())
        ax.set(xlim=(0, self.float_bytes * 1.3 / 1000), ylim=(-0.25, 3.95), xlabel="KB")
        ax.set_yticks(ROWS, ["float32 file", "gzipped", "this file", "gzipped"])
        ax.tick_params(axis="y", length=0)
        ax.set_title("The whole file")
        self.raw, self.gzipped = _Stack(ax, ROWS[2]), _Stack(ax, ROWS[3])
        for row, sizes, total in ((0, parts, self.float_bytes), (1, compressed, gzip_bytes)):
            _Stack(ax, ROWS[row]).show(sizes, total, f"{total:,} bytes")
        (self.line,) = ax.plot([], [], color=style.INK, lw=1.2, ls=(0, (3, 2)))
        self.promise = ax.text(0, ROWS[2] + 0.45, "", fontsize=8.5, ha="left", va="bottom")
        self.marks = (*self.raw.marks, *self.gzipped.marks, self.line, self.promise)

    def show(self, parts, compressed, gzip_bytes, weight_bits=None):
        """Draw this file."""
        total = sum(parts.values())
        share = f"{100 * total / self.float_bytes:.1f} %"
        self.raw.show(parts, total, f"{total:,} bytes, {share}")
        self.gzipped.show(compressed, gzip_bytes, f"{gzip_bytes:,} bytes")
        promised = weight_bits is not None and weight_bits < 32
        self.line.set_visible(promised)
        self.promise.set_visible(promised)
        if promised:
            at = self.float_bytes * weight_bits / 32 / 1000
            self.line.set_data([at, at], [ROWS[2] - 0.4, ROWS[2] + 0.8])
            self.promise.set_text(f" {weight_bits} bits of 32: {100 * weight_bits / 32:.3g} %")
            self.promise.set_x(at)


class RestPanel:
    """All that is not weights, enlarged: for each part the float32 file's bytes and this file's."""

    @style.styled
    def __init__(self, ax, parts, largest):
        """Draw the float32 file's bars."""
        self.ax, names = ax, PARTS[1:]
        below = range(len(names) - 1, -1, -1)
        ax.set(xlim=(0, largest * 1.35), ylim=(-0.5, len(names) - 0.4), xlabel="bytes")
        ax.set_yticks(below, names)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_title("All but the weights, enlarged")
        ax.barh([y + 0.3 for y in below], [parts[x] for x in names], 0.24, color="#bfbfbf")
        for y, name in zip(below, names, strict=True):
            ax.annotate(f"{parts[name]:,} in float32", (parts[name], y + 0.3), (3, 0), fontsize=7.5,
                        textcoords="offset points", va="center", color=style.SOFT)  # fmt: skip
        colours = [COLOURS[name] for name in names]
        self.bars = ax.barh(
            [y - 0.06 for y in below], [0] * len(names), 0.42, color=colours
        ).patches
        self.words = [_words(ax, y - 0.06) for y in below]
        self.marks = (*self.bars, *self.words)

    def holds(self, parts):
        """Whether these parts fit the frame."""
        return max(parts[name] for name in PARTS[1:]) <= self.ax.get_xlim()[1] / 1.2

    def widen(self, parts):
        """Make room for these parts; the frame has to be drawn again."""
        self.ax.set_xlim(0, 1.35 * max(parts[name] for name in PARTS[1:]))

    def show(self, parts):
        """Draw this file."""
        for name, bar, words in zip(PARTS[1:], self.bars, self.words, strict=True):
            bar.set_width(parts[name])
            words.xy = parts[name], words.xy[1]
            words.set_text(f"{parts[name]:,}")


class _Stack:
    """One stacked bar: the parts from left to right, the weights named inside, words at its end."""

    def __init__(self, ax, y):
        self.ax = ax
        self.bars = [ax.barh(y, 0, THICK, color=COLOURS[part]).patches[0] for part in PARTS]
        self.inside = ax.text(0, y, "", ha="center", va="center", color=style.PAPER, fontsize=8.5)
        self.end = _words(ax, y)
        self.marks = (*self.bars, self.inside, self.end)

    def show(self, sizes, total, words):
        """Draw the parts' `sizes`; `total` is where the words stand."""
        left = 0
        for part, bar in zip(PARTS, self.bars, strict=True):
            bar.set_x(left / 1000)
            bar.set_width(sizes[part] / 1000)
            left += sizes[part]
        weights = sizes["weights"] / 1000
        roomy = weights > 0.2 * self.ax.get_xlim()[1]
        self.inside.set_text(f"weights {sizes['weights']:,}" if roomy else "")
        self.inside.set_x(weights / 2)
        self.end.xy = max(left, total) / 1000, self.end.xy[1]
        self.end.set_text(words)


def _words(ax, y):
    """Empty words that stand to the right of a bar."""
    return ax.annotate("", (0, y), (4, 0), textcoords="offset points", va="center", fontsize=8.5,
                       annotation_clip=False)  # fmt: skip
