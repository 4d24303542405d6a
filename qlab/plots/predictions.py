"""What a model answered: single images, and all of them by class."""

from __future__ import annotations

import numpy as np

from qlab.plots import style


@style.styled
def plot_images(images, labels, class_names, columns=10, axes=None):
    """Grid of images with the name of its class under each.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 1) or (n, h, w)
    labels : array_like of int, shape (n,)
    class_names : sequence of str
    columns : int
    axes : sequence of matplotlib.axes.Axes or None
        At least n of them; None makes a new figure.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> axes = plot_images(np.zeros((2, 4, 4), np.uint8), [1, 0], ["Bag", "Coat"], columns=2)
    >>> [ax.get_xlabel() for ax in axes]
    ['Coat', 'Bag']
    """
    rows = -(-len(images) // columns)
    axes = style.new_grid(rows, columns, 1.0 * columns, 1.2 * rows, axes)
    for ax, image, label in zip(axes, images, labels, strict=False):
        _garment(ax, image, style.FAINT, 0.8)
        ax.set_xlabel(class_names[label], fontsize=8.5)
    for ax in axes[len(images) :]:
        ax.set_visible(False)
    return axes


@style.styled
def plot_predictions(images, labels, predictions, class_names, columns=6, axes=None):
    r"""Grid of images with the model's answer under each, right or wrong.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 1) or (n, h, w)
    labels, predictions : array_like of int, shape (n,)
    class_names : sequence of str
    columns : int
    axes : sequence of matplotlib.axes.Axes or None
        At least n of them; None makes a new figure.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> images = np.zeros((2, 4, 4), np.uint8)
    >>> axes = plot_predictions(images, [0, 1], [0, 0], ["Bag", "Coat"], columns=2)
    >>> [ax.get_xlabel() for ax in axes]
    ['✓ Bag', '✗ Bag\nis Coat']
    """
    rows = -(-len(images) // columns)
    axes = style.new_grid(rows, columns, 1.35 * columns, 1.75 * rows, axes)
    for ax, image, label, answer in zip(axes, images, labels, predictions, strict=False):
        right = label == answer
        _garment(ax, image, style.RIGHT if right else style.WRONG, 1.6 if right else 2.6)
        words = f"{style.RIGHT_MARK if right else style.WRONG_MARK} {class_names[answer]}"
        words += "" if right else f"\nis {class_names[label]}"
        ax.set_xlabel(words, color=style.RIGHT if right else style.WRONG, fontsize=8.5)
    for ax in axes[len(images) :]:
        ax.set_visible(False)
    return axes


@style.styled
def plot_class_accuracy(labels, predictions, class_names, ax=None):
    """Accuracy of each class, with its 95 % interval.

    Parameters
    ----------
    labels, predictions : array_like of int, shape (n,)
    class_names : sequence of str, length k
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = plot_class_accuracy([0, 0, 1], [0, 1, 1], ["Bag", "Coat"])
    >>> [float(bar.get_width()) for bar in ax.patches]
    [50.0, 100.0]
    """
    from qlab.arithmetic.metrics import wilson_interval

    ax = style.new_axes(ax, 5.4, 3.4)
    counts = confusion(labels, predictions, len(class_names))
    right, all_ = np.diag(counts), counts.sum(1)
    accuracies = 100 * right / np.maximum(all_, 1)
    intervals = (wilson_interval(r, n) if n else (0, 0) for r, n in zip(right, all_, strict=True))
    ends = np.array(list(intervals))
    places = np.arange(len(class_names))
    ax.barh(places, accuracies, color=style.SKY, height=0.7)
    ax.hlines(places, *(100 * ends.T), color=style.INK, lw=1.6)
    for place, value in enumerate(accuracies):
        ax.text(1.5, place, f"{value:.1f} %", va="center", fontsize=8.5)
    ax.set_yticks(places, class_names)
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="accuracy (%), line: 95 % interval", title="Accuracy by class")
    return ax


def confusion(labels, predictions, classes):
    """Count images by true class and answer."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    both = np.concatenate([labels, predictions])
    if both.size and (both.min() < 0 or both.max() >= classes):
        there = f"{both.min()} to {both.max()}"
        raise ValueError(f"labels and answers must be 0 to {classes - 1}; there are {there}")
    cells = labels * classes + predictions
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _garment(ax, image, colour, width):
    """One image, dark on light, in a frame."""
    ax.imshow(np.asarray(image).squeeze(), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(colour)
    ax.spines[:].set_linewidth(width)
