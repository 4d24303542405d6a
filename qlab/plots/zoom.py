"""An accuracy axis for small losses and large ones: the upper end wide, the rest squeezed."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, NullLocator

from qlab.plots import style

SHARE = 0.2  # of the axis, for all accuracies below the knee


def zoom(ax, reference, direction="y", below=0.15, ticks_per_one=20, side="left"):
    """Scale an accuracy axis so that a tenth of a point and a total loss are both on it."""
    knee = max(0.05, np.floor(ticks_per_one * (reference - below)) / ticks_per_one)
    top = min(1.005, reference + 0.03)

    def forward(accuracy):
        accuracy = np.asarray(accuracy, float)
        upper = SHARE + (1 - SHARE) * (accuracy - knee) / (top - knee)
        return np.where(accuracy < knee, SHARE * accuracy / knee, upper)

    def inverse(place):
        place = np.asarray(place, float)
        upper = knee + (place - SHARE) / (1 - SHARE) * (top - knee)
        return np.where(place < SHARE, place / SHARE * knee, upper)

    getattr(ax, f"set_{direction}scale")("function", functions=(forward, inverse))
    getattr(ax, f"set_{direction}lim")(0, top)
    axis = getattr(ax, f"{direction}axis")
    low = [0, 0.4] if knee > 0.6 else [0]
    axis.set_ticks([*low, *np.arange(knee, top, 1 / ticks_per_one)])
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    axis.grid(True)
    line = ax.axhline if direction == "y" else ax.axvline
    line(knee, color=style.SOFT, lw=0.9, ls=(0, (1, 2)))
    if direction == "y":
        place = ("axes fraction", "data"), "offset points"
        edge = {"left": 0.012, "right": 0.988}[side]
        below = ax.annotate("squeezed below", (edge, knee), (0, -3), *place, va="top", ha=side)
        below.set(fontsize=7.5, color=style.SOFT)
    return float(knee)
