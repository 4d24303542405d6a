"""A file's bytes: which part holds them, and what each step of a chain leaves of them."""

from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import mark, offset_text, ticks
from qlab.tflite.anatomy import PARTS
from qlab.tflite.gzipping import GZIPPED

COLOURS = dict(
    zip(
        (*PARTS, "appended"),
        (
            style.BLUE,
            style.SKY,
            style.VERMILION,
            style.GREEN,
            style.PURPLE,
            "#8c8c8c",
            style.ORANGE,
        ),
        strict=True,
    )
)
ROWS = (3.4, 2.5, 1.15, 0.25)  # float32 raw and gzipped, then this file raw and gzipped
THICK = 0.7
LOOKS = {"kept": (style.BLUE, "-o"), "naive": (style.VERMILION, "--s")}
SIZES = (10, 20, 50, 100, 200, 500, 1000)
BRANCHES = {"packed int4": "pruned"}  # a step that does not follow the one drawn before it
BRANCH_LABEL = "4 bits, without clusters"


class FilePanel:
    """Four stacked bars on one scale: the float32 file and this file, as they are and gzipped."""

    @style.styled
    def __init__(self, ax, parts, compressed, gzip_bytes):
        self.float_bytes = sum(parts.values())
        ax.set(xlim=(0, self.float_bytes * 1.3 / 1000), ylim=(-0.25, 3.95), xlabel="KB")
        ax.set_yticks(ROWS, ["float32 file", "gzipped", "this file", "gzipped"])
        ax.tick_params(axis="y", length=0)
        ax.set_title("The whole file")
        self.raw, self.gzipped = _Stack(ax, ROWS[2]), _Stack(ax, ROWS[3])
        for row, sizes, total in ((0, parts, self.float_bytes), (1, compressed, gzip_bytes)):
            _Stack(ax, ROWS[row]).show(sizes, total, f"{total:,} bytes")
        self.line = mark(ax, color=style.INK, lw=1.2, ls=(0, (3, 2)))
        self.promise = ax.text(0, ROWS[2] + 0.45, "", fontsize=8.5, ha="left", va="bottom")
        self.marks = (*self.raw.marks, *self.gzipped.marks, self.line, self.promise)

    def show(self, parts, compressed, gzip_bytes, weight_bits):
        """Draw this file, and how small its weights' bits alone would make it."""
        total = sum(parts.values())
        share = f"{100 * total / self.float_bytes:.1f} %"
        self.raw.show(parts, total, f"{total:,} bytes, {share}")
        self.gzipped.show(compressed, gzip_bytes, f"{gzip_bytes:,} bytes")
        at = self.float_bytes * weight_bits / 32 / 1000
        self.line.set_data([at, at], [ROWS[2] - 0.4, ROWS[2] + 0.8])
        self.promise.set_text(f" {weight_bits} bits of 32: {100 * weight_bits / 32:.3g} %")
        self.promise.set_x(at)
        for artist in (self.line, self.promise):
            artist.set_visible(weight_bits < 32)


class RestPanel:
    """All that is not weights, enlarged: for each part the float32 file's bytes and this file's."""

    @style.styled
    def __init__(self, ax, parts, largest):
        self.ax, self.names = ax, [x for x in parts if x != "weights"]
        names = self.names
        rows = range(len(names) - 1, -1, -1)
        ax.set(xlim=(0, largest * 1.35), ylim=(-0.5, len(names) - 0.4), xlabel="bytes")
        ax.set_yticks(rows, names)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ticks(ax.xaxis)
        ax.set_title("All but the weights, enlarged")
        ax.barh([y + 0.3 for y in rows], [parts[x] for x in names], 0.24, color="#bfbfbf")
        for y, name in zip(rows, names, strict=True):
            words = f"{parts[name]:,} in float32"
            look = {"va": "center", "fontsize": 7.5, "color": style.SOFT}
            offset_text(ax, (parts[name], y + 0.3), (3, 0), words, **look)
        places, colours = [y - 0.06 for y in rows], [COLOURS[name] for name in names]
        self.bars = ax.barh(places, [0] * len(names), 0.42, color=colours).patches
        self.words = [_bar_end(ax, y) for y in places]
        self.marks = (*self.bars, *self.words)

    def holds(self, parts):
        """Whether these parts fit the frame."""
        return max(parts.get(name, 0) for name in self.names) <= self.ax.get_xlim()[1] / 1.2

    def widen(self, parts):
        """Make room for these parts; the frame has to be drawn again."""
        self.ax.set_xlim(0, 1.35 * max(parts.get(name, 0) for name in self.names))

    def show(self, parts):
        for name, bar, words in zip(self.names, self.bars, self.words, strict=True):
            size = parts.get(name, 0)
            bar.set_width(size)
            words.xy = size, words.xy[1]
            words.set_text(f"{size:,}")


class _Stack:
    """One stacked bar: the parts from left to right, the weights named inside, words at its end."""

    def __init__(self, ax, y):
        self.ax = ax
        self.bars = [ax.barh(y, 0, THICK, color=COLOURS[part]).patches[0] for part in COLOURS]
        self.inside = ax.text(0, y, "", ha="center", va="center", color=style.PAPER, fontsize=8.5)
        self.end = _bar_end(ax, y)
        self.marks = (*self.bars, self.inside, self.end)

    def show(self, sizes, total, words):
        """Draw the parts; the words stand right of them, or of `total` where that is more."""
        left = 0
        for part, bar in zip(COLOURS, self.bars, strict=True):
            bar.set(x=left / 1000, width=sizes.get(part, 0) / 1000)
            left += sizes.get(part, 0)
        weights = sizes["weights"] / 1000
        roomy = weights > 0.2 * self.ax.get_xlim()[1]
        self.inside.set_text(f"weights {sizes['weights']:,}" if roomy else "")
        self.inside.set_x(weights / 2)
        self.end.xy = max(left, total) / 1000, self.end.xy[1]
        self.end.set_text(words)


def _bar_end(ax, y):
    """Empty words that stand to the right of a bar."""
    return offset_text(ax, (0, y), (4, 0), va="center", fontsize=8.5, annotation_clip=False)


@style.styled
def plot_stages(chains, ax=None):
    """Draw the gzipped size, in KB, after each step of compression, a line for each chain.

    `chains` has the steps of each chain by its name, as `chain_stages` returns them; ``kept`` and
    ``naive`` have their own colours.

    >>> import qlab
    >>> from qlab.trials.stages import stage
    >>> test = qlab.data.load().test
    >>> one = stage("int8", qlab.pretrained("baseline-int8"), test.images[:9], test.labels[:9])
    >>> [line.get_label() for line in plot_stages({"kept": [one]}).lines]
    ['kept']
    """
    ax = style.new_axes(ax, 7.6, 3.6)
    longest = max(chains.values(), key=len)
    for name, steps in chains.items():
        colour, line = LOOKS.get(name, (style.GREEN, "-^"))
        sizes, labels = [_kilobytes(x) for x in steps], [_label(x) for x in steps]
        row = [i for i, label in enumerate(labels) if label not in BRANCHES]
        ax.plot(row, [sizes[i] for i in row], line, color=colour, label=name)
        for place, label in enumerate(labels):
            if BRANCHES.get(label) in labels:
                start = labels.index(BRANCHES[label])
                ends = [start, place], [sizes[start], sizes[place]]
                ax.plot(*ends, ":o", color=colour, lw=1.2, label=BRANCH_LABEL)
        shift = 0, 7 if name == "naive" else -14
        for place, size in enumerate(sizes):
            look = {"ha": "center", "color": colour, "fontsize": 8.5}
            offset_text(ax, (place, size), shift, f"{size:.1f}", **look)
    ax.set(yscale="log", ylabel=f"file, {GZIPPED} (KB)", title="What is left after each step")
    ticks(ax.yaxis, "{:g}", at=SIZES)
    ax.set_xticks(range(len(longest)), [_label(x) for x in longest])
    ax.margins(x=0.07)
    every = [_kilobytes(x) for steps in chains.values() for x in steps]
    ax.set_ylim(min(every) / 1.7, max(every) * 1.6)
    ax.grid(axis="y")
    ax.legend(loc="upper right")
    return ax


def _kilobytes(step):
    return step.model.gzip_bytes / 1000


def _label(step):
    """The name of a step, without what it kept, because the chains share the axis."""
    return step.name.partition(",")[0]
