"""What rounding to a grid does to real values: the stairs, and the error that is left."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.affine import fake_quantize
from qlab.plots import style


@style.styled
def plot_fake_quantization(low, high, params, axes=None):
    """The stairs of fake quantization beside the error, for all values from `low` to `high`.

    Parameters
    ----------
    low, high : float
        The real values to show; some beyond the grid show the clipping.
    params : qlab.affine.QuantParams
        One scale for all.
    axes : sequence of two matplotlib.axes.Axes or None
        None makes a new figure.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> from qlab.arithmetic.affine import affine_params
    >>> stairs, error = plot_fake_quantization(-2, 4, affine_params(-1, 3, bits=3))
    >>> stairs.get_xlabel(), error.get_ylabel()
    ('real value', 'error')
    """
    stairs, error = axes = style.new_grid(1, 2, 8.6, 3.2, axes)
    x = np.linspace(low, high, 2001, dtype=np.float32)
    rounded = fake_quantize(x, params)
    stairs.plot(x, x, color=style.SOFT, lw=1, ls=(0, (4, 3)), label="float32")
    stairs.plot(x, rounded, color=style.BLUE, label=f"{params.q_max - params.q_min + 1} levels")
    stairs.set(xlabel="real value", ylabel="after fake quantization", title="The stairs")
    stairs.legend()
    error.plot(x, rounded - x, color=style.VERMILION)
    half = float(params.scale) / 2
    for end, words in ((half, "half a step"), (-half, "")):
        error.axhline(end, color=style.SOFT, lw=1, ls=(0, (4, 3)))
        error.annotate(words, (high, end), (0, 3), textcoords="offset points", ha="right")
    error.set(xlabel="real value", ylabel="error", title="What is lost")
    for ax in axes:
        ax.grid(True)
    return axes
