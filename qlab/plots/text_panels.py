"""What bits do to a language model: bits a character against the size of the file."""

import numpy as np

from qlab.plots import style
from qlab.plots.drawing import DASHED, legend, mark, offset_text, ticks
from qlab.tflite.gzipping import GZIPPED

SIZES = (100, 200, 500, 1000, 2000, 5000)
WORST = 6.2  # bits a character; choosing evenly among 68 characters costs 6.09
HARDER = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4)


class TextTradeoffPanel:
    """Bits a character against size: what was tried of each model, and the float one as a star.

    Bits have a logarithmic axis, counted from a little below the large float model.
    """

    @style.styled
    def __init__(self, ax, reference, smallest):
        self.ax = ax
        size, bits = reference[0] / 1000, reference[1]
        self.floor = bits - HARDER[0]
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set(xlim=(smallest / 1000, size * 1.5), ylim=(HARDER[0] / 1.6, WORST - self.floor))
        ax.set(xlabel=f"file, {GZIPPED} (KB)", ylabel="bits a character")
        ax.set_title("Bits a character against size")
        left, right = ax.get_xlim()
        ticks(ax.xaxis, at=[t for t in SIZES if left <= t <= right])
        top = WORST - self.floor
        ax.set_yticks(
            [t + HARDER[0] for t in (0, *HARDER[1:]) if t + HARDER[0] < top],
            [f"{bits + t:.2f}" for t in (0, *HARDER[1:]) if t + HARDER[0] < top],
        )
        ax.minorticks_off()
        ax.grid(True)
        ax.axhline(HARDER[0], color=style.SOFT, lw=0.8, ls=DASHED)
        ax.plot(size, HARDER[0], "*", ms=11, color=style.INK, clip_on=False)
        offset_text(ax, (size, HARDER[0]), (0, 7), "float", ha="center", fontsize=8.5)
        self.trails = {
            "large": mark(ax, "o", ms=4.5, color="#8c8c8c", mec="none"),
            "small": mark(ax, "s", ms=4.5, mfc=style.PAPER, mec=style.BLUE, mew=1.2),
        }
        self.bar = mark(ax, "-_", color=style.VERMILION, lw=1.4, ms=11, mew=1.4)
        self.here = mark(ax, "o", color=style.VERMILION, ms=6.5, mec=style.PAPER, mew=1)
        self.marks = (*self.trails.values(), self.bar, self.here)
        shown = {f"tried, {model}": line for model, line in self.trails.items()}
        shown = {"this file, with interval": self.here, **shown}
        legend(ax, shown, handlelength=1, loc="upper right")

    def show(self, tried, interval, here):
        """Draw (model, bytes, bits) of all that was tried, and the file at `here` (bytes, bits)."""
        above = lambda x: np.maximum(np.asarray(x, float) - self.floor, HARDER[0] / 1.5)  # noqa: E731
        for model, line in self.trails.items():
            points = np.reshape([x[1:] for x in tried if x[0] == model], (-1, 2))
            line.set_data(points[:, 0] / 1000, above(points[:, 1]))
        at, height = here[0] / 1000, above(here[1])
        self.bar.set_data([at, at], above(interval))
        self.here.set_data([at], [height])
