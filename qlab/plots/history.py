"""How training went: loss and accuracy, on the training images and on held-out ones."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from qlab.plots import style

NAMES = {"loss": "loss", "accuracy": "accuracy (%)"}


@style.styled
def plot_history(history, quantity="accuracy", ax=None):
    """Curve over epochs, training images beside held-out images.

    Parameters
    ----------
    history : mapping of str to sequence of float
        As `qlab.train.fit` gives it: ``loss``, ``accuracy``, and ``test_loss``, ``test_accuracy``
        if there were held-out images. Accuracies in [0, 1].
    quantity : str
        ``loss`` or ``accuracy``.
    ax : matplotlib.axes.Axes or None
        None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `history` does not hold that quantity.

    Examples
    --------
    >>> ax = plot_history({"loss": [0.6, 0.4], "test_loss": [0.5, 0.45]}, "loss")
    >>> [line.get_label() for line in ax.lines]
    ['training', 'test']
    """
    if quantity not in NAMES or quantity not in history:
        held = ", ".join(sorted(history))
        raise ValueError(f"there is no {quantity!r} in this history; it holds {held}")
    ax = style.new_axes(ax, 4.6, 3.2)
    factor = 100 if quantity == "accuracy" else 1
    curves = (
        ("training", quantity, style.BLUE, "-o"),
        ("test", f"test_{quantity}", style.VERMILION, "--s"),
    )
    for label, key, colour, line in curves:
        if key in history:
            values = factor * np.asarray(history[key], float)
            ax.plot(1 + np.arange(len(values)), values, line, color=colour, label=label, ms=4)
    ax.set(xlabel="epoch", ylabel=NAMES[quantity], title=quantity.capitalize())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    ax.legend()
    return ax
