"""A chip and how full a model makes it, and what lies in its RAM in each step."""

from itertools import pairwise

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import MaxNLocator

from qlab.plots import style
from qlab.plots.drawing import DASHED, legend, mark, offset_text, paper, ticks
from qlab.tflite.arena import Buffer

KB, MB = 2**10, 2**20
COLOURS = {
    "weights": style.BLUE,
    "rest": style.SKY,
    "activations": style.GREEN,
    "unpacked weights": style.ORANGE,
    "scratch": style.ORANGE,
    "always there": style.PURPLE,
}
LEGEND = {
    "weights": "weights",
    "rest of the file": "rest",
    "activations": "activations",
    "unpacked weights": "unpacked weights",
    "always there": "always there",
}
LARGEST, HIGHEST = 1.0, 1.42  # side of the larger memory, and how high its filling is drawn
LABELS = 40  # most names in the picture of the arena
LONGEST = 11  # characters of a step's name
LINE, CHARACTERS = 0.55, 84  # a line's tenths of the arena's height, and its width in characters


def size_words(count):
    """Bytes in the unit of data sheets.

    >>> size_words(512), size_words(32_432), size_words(2 * 2**20)
    ('512 bytes', '31.7 KB', '2 MB')
    """
    if count < KB:
        return f"{count} bytes"
    unit, word = (MB, "MB") if count >= MB else (KB, "KB")
    return f"{round(count / unit, 1):,g} {word}"


def share_words(count, capacity):
    """How much of a memory is taken, in words; more than ten times its bytes are no percentage.

    >>> share_words(32_432, 2**15), share_words(294_000, 2**13)
    ('99 %', '36 times')
    """
    share = count / capacity
    return f"{share:.0f} times" if share >= 10 else f"{100 * share:.3g} %"


class ChipPanel:
    """A chip's flash and RAM as squares, equal areas for equal bytes, filled from below."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        ax.set(xlim=(-0.2, 2.4), ylim=(-0.46, 1.68), aspect="equal")
        ax.set_axis_off()
        body = {"boxstyle": "round,pad=0,rounding_size=0.06", "mutation_aspect": 1}
        ax.add_patch(FancyBboxPatch((-0.1, -0.38), 2.4, 1.98, fc="#f2f2f2", ec=style.SOFT, **body))
        for y in np.linspace(-0.26, 1.5, 11):
            for x in (-0.18, 2.3):
                ax.add_patch(Rectangle((x, y - 0.03), 0.08, 0.06, fc="#b3b3b3", lw=0))
        shown = {x: Rectangle((0, 0), 1, 1, fc=COLOURS[y]) for x, y in LEGEND.items()}
        blank = {" ": Rectangle((0, 0), 1, 1, alpha=0)}  # flash at the left, RAM at the right
        look = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.06), "ncols": 2, "fontsize": 8}
        look |= {"title": "equal areas are equal bytes", "title_fontsize": 7.5}
        legend(ax, dict([*shown.items()][:2]) | blank | shown, handlelength=1, **look)
        self.memories = {name: _Memory(ax, name) for name in ("flash", "RAM")}
        self.marks = tuple(x for memory in self.memories.values() for x in memory.marks)

    @style.styled
    def frame(self, board):
        """Set the squares of a board."""
        self.ax.set_title(board.name)
        sides = np.sqrt([board.flash_bytes, board.ram_bytes])
        sides = LARGEST * sides / sides.max()
        capacities, middles = (board.flash_bytes, board.ram_bytes), (0.58, 1.68)
        each = zip(self.memories.values(), capacities, sides, middles, strict=True)
        for memory, capacity, side, middle in each:
            memory.frame(capacity, side, middle - side / 2)

    def show(self, flash, ram, refused=False, least=False):
        """Fill both memories; the RAM may be known in part (`least`), or the file be refused."""
        self.memories["flash"].show(flash)
        self.memories["RAM"].show(ram, refused, least)


class _Memory:
    """One memory: a square, and what fills it, as high as it needs."""

    def __init__(self, ax, name):
        self.ax, self.name = ax, name
        self.square = Rectangle((0, 0), 0, 0, fc=style.PAPER, ec=style.INK, lw=1.2)
        self.filling = PolyCollection([], lw=0)
        self.over = PolyCollection([], fc="none", ec=style.VERMILION, lw=0, hatch="////")
        self.edge = Rectangle((0, 0), 0, 0, fc="none", ec=style.INK, lw=1.2)
        for artist in (self.square, self.edge):
            ax.add_patch(artist)
        for artist in (self.filling, self.over):
            ax.add_collection(artist, autolim=False)
        centred = {"ha": "center", "fontsize": 8.5}
        self.cut = mark(ax, color=style.PAPER, lw=4)
        self.title = ax.text(0, 0, "", va="top", **centred)
        self.share = ax.text(0, 0, "", va="bottom", fontweight="bold", **centred)
        self.marks = (self.square, self.filling, self.over, self.cut, self.edge)
        self.marks += (self.title, self.share)

    def frame(self, capacity, side, x):
        self.capacity, self.side, self.x = capacity, side, x
        for patch in (self.square, self.edge):
            patch.set_bounds(x, 0, side, side)
        self.title.set_position((x + side / 2, -0.05))
        self.title.set_text(f"{self.name}\n{size_words(capacity)}")

    def show(self, parts, refused=False, least=False):
        """Stack the parts; what does not fit stands above the square."""
        total = sum(parts.values())
        ends = np.cumsum([0, *parts.values()]) / self.capacity * self.side
        drawn = np.minimum(ends, HIGHEST)
        self.filling.set_verts([self._box(low, high) for low, high in pairwise(drawn)])
        faint = "59" if refused else ""  # alpha, in hexadecimal
        self.filling.set_facecolor([COLOURS[x] + faint for x in parts])
        over = drawn[-1] > self.side
        self.over.set_verts([self._box(self.side, drawn[-1])] if over else [])
        across = np.linspace(self.x, self.x + self.side, 9)
        self.cut.set_data(across, HIGHEST - 0.12 + 0.03 * (-1.0) ** np.arange(9))
        self.cut.set_visible(ends[-1] > HIGHEST)
        self.share.set_position((self.x + self.side / 2, max(drawn[-1], self.side) + 0.02))
        self.share.set_text("refused" if refused else self._words(total, least))
        self.share.set_color(style.VERMILION if over or refused else style.INK)

    def _words(self, total, least):
        words = f"{share_words(total, self.capacity)} full"
        return f"at least\n{words}" if least else words

    def _box(self, low, high):
        left, right = self.x, self.x + self.side
        return [(left, low), (right, low), (right, high), (left, high)]


class ArenaPanel:
    """The arena: a box for each tensor, as high as its bytes, from the step that makes it on."""

    @style.styled
    def __init__(self, ax):
        self.ax = ax
        self.peak = ax.axvspan(0, 0, color=style.FAINT, alpha=0.6, lw=0)
        across = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "top"}
        self.word = ax.text(0, 0.985, "peak", fontsize=8, color=style.SOFT, **across)
        self.boxes = PolyCollection([], edgecolors=style.PAPER, lw=1)
        ax.add_collection(self.boxes, autolim=False)
        look = {"ha": "center", "va": "center", "fontsize": 7.5, "color": style.INK}
        self.names = [ax.text(0, 0, "", **look) for _ in range(LABELS)]
        self.limit = ax.axhline(0, color=style.VERMILION, lw=1.3, ls=DASHED)
        self.board = offset_text(
            ax, (1, 0), (-2, 2), ha="right", va="bottom", fontsize=8, color=style.VERMILION,
            xycoords=("axes fraction", "data"), bbox=paper(0.8),
        )  # fmt: skip
        self.marks = (self.peak, self.word, self.boxes, self.limit, *self.names, self.board)
        ax.set(ylabel="place in RAM (KB)", title="What lies in RAM, step by step")
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ticks(ax.yaxis, "{:,g}")

    @style.styled
    def frame(self, steps, highest):
        """Set the axes for these steps, and for so many bytes."""
        self.steps, self.highest = steps, highest
        self.ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(0, highest / KB))
        crowded = len(steps) > 8
        names = [x.lower() if x.isupper() else x for x in steps]
        names = [x if len(x) <= LONGEST else f"{x[: LONGEST - 1]}…" for x in names]
        self.ax.set_xticks(range(len(steps)), style.plain(names))
        self.ax.tick_params(
            axis="x", length=0, rotation=90 if crowded else 0, labelsize=7.5 if crowded else 8
        )
        self.ax.set_xlabel("" if crowded else "steps of the network, in their order\n\n")

    def show(self, plan, persistent, board_bytes):
        """Draw a plan, what is always there above it, and the RAM of the board."""
        boxes = [(x, _named(plan, x)) for x in plan.buffers]
        if persistent:
            last = len(plan.steps) - 1
            always = Buffer("", "always there", persistent, 0, last, plan.bytes)
            boxes.append((always, always.kind))
        self.boxes.set_verts([_corners(x) for x, _ in boxes])
        self.boxes.set_facecolor([COLOURS[x.kind] for x, _ in boxes])
        self.peak.set(x=plan.peak - 0.5, width=1)
        self.word.set_x(plan.peak)
        self._name(boxes)
        here = board_bytes <= self.highest
        for artist in (self.limit, self.board):
            artist.set_visible(here)
        self.limit.set_ydata([board_bytes / KB] * 2)
        self.board.xy = 1, board_bytes / KB
        self.board.set_text(f"RAM of the board: {size_words(board_bytes)}")

    def _name(self, boxes):
        """Write into each box that has room what is in it, and how many bytes that is."""
        for text in self.names:
            text.set_visible(False)
        for text, (box, name) in zip(self.names, boxes, strict=False):
            size, lines = size_words(box.bytes), 10 * box.bytes / self.highest / LINE
            width = (box.last - box.first + 0.96) / len(self.steps) * CHARACTERS
            forms = (f"{name}\n{size}", 2), (f"{name}, {size}", 1), (size, 1)
            fits = (x for x, n in forms if n <= lines and max(map(len, x.split("\n"))) <= width)
            if words := next(fits, ""):
                text.set(visible=True, text=style.plain([words])[0])
                text.set_position(((box.first + box.last) / 2, (box.offset + box.end) / 2 / KB))


def _named(plan, buffer):
    """What lies in a box, in words."""
    made = {"activations": "from {}", "unpacked weights": "weights of {}", "scratch": "work of {}"}
    return made[buffer.kind].format(plan.owner(buffer))


def _corners(box):
    left, right, low, high = box.first - 0.48, box.last + 0.48, box.offset / KB, box.end / KB
    return [(left, low), (right, low), (right, high), (left, high)]


@style.styled
def plot_arena(plan, ax=None, highest=None):
    """Draw which tensors lie where in a microcontroller's RAM, and in which steps.

    The axis ends at `highest` bytes, so that several plans can be compared.

    >>> import qlab
    >>> from qlab.tflite.arena import plan_arena
    >>> ax = plot_arena(plan_arena(qlab.pretrained("baseline-int8")))
    >>> [x.get_text() for x in ax.get_xticklabels()][:3]
    ['input', 'conv1', 'pool1']
    """
    panel = ArenaPanel(style.new_axes(ax))
    panel.frame(plan.steps, highest or 1.2 * plan.bytes)
    panel.show(plan, 0, panel.highest + 1)  # no board
    return panel.ax
