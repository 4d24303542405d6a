"""What every door asks of pictures, labels, names and counts that come from outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qlab.system.text import one_line

FEWEST_CLASSES, MOST_CLASSES = 2, 1000
LONGEST_NAME = 60
LARGEST_LABEL = 2**53  # beyond it, floats skip whole numbers
NOTHING = "are zero everywhere, and so show no ranges"


class DatasetError(ValueError):
    """Pictures or labels are not what a data set can be made of; the message says what to do."""


def is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def require_whole(name, value, least=0, most=None):
    """Return `value` as an int if it is a whole number in these limits, else raise in words."""
    if not is_whole(value) or value < least or (most is not None and value > most):
        limits = f", {least} or more" if most is None else f" from {least} to {most:,}"
        raise ValueError(f"{name} must be a whole number{limits}; got {value!r}")
    return int(value)


def require_two(name, value, example, most=2**31):
    """Return two whole numbers from 1, such as height and width, as a tuple of int."""
    two = isinstance(value, tuple | list | np.ndarray) and len(value) == 2
    if not two or not all(is_whole(x) and 1 <= x <= most for x in value):
        raise ValueError(f"{name} is {value!r}; give {example}")
    return tuple(map(int, value))


def require_path(path, what):
    """Return a path with ``~`` read as the home folder, or raise in words."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise DatasetError(f"{what} is {path!r}; give its path, such as 'photos' or '~/photos'")
    return Path(path).expanduser()


def array(values, what):
    """Numbers or words as an array; pandas and lists may hold them as objects."""
    try:
        held = np.asarray(values)
        if held.dtype.kind in "OT":
            values = held.tolist()
            held = np.asarray(values)
    except ValueError:
        raise DatasetError(f"{what} differ in shape; all must have one") from None
    words = held.dtype.kind == "U" and held.ndim == 1 and isinstance(values, list | tuple)
    if held.dtype == object or (words and not all(isinstance(x, str) for x in values)):
        kinds = sorted({type(x).__name__ for x in (values if words else held.ravel().tolist())})
        raise DatasetError(
            f"{what} are no array of numbers or words, because they hold {' and '.join(kinds)}; "
            "make all of them numbers or all of them words, and leave out what is missing"
        )
    return held


def feedable(images, what):
    """Images as an array that a model can be fed: pixels, or floats that are ready for it."""
    images = array(images, what)
    if images.dtype not in (np.uint8, np.float32):
        raise DatasetError(
            f"{what} are {images.dtype}; give uint8 pixels 0 to 255, with images.astype(np.uint8), "
            "or float32 that is ready for the model, such as (images / 255).astype(np.float32)"
        )
    if images.dtype == np.float32 and images.size:
        ends(images, what)
    return images


def ends(images, what):
    """Return the lowest and the highest pixel, if all are finite."""
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DatasetError(
            f"{what} hold NaN or infinity, from which no model learns and of which it makes no "
            "answer; find them with np.isfinite(images), and leave these images out or mend them"
        )
    return low, high


def colours(wanted, given):
    """What to do with grey pictures for a model of colours, or the other way round, if it is so."""
    if (len(wanted), len(given), {*wanted[-1:], *given[-1:]}) != (3, 3, {1, 3}):
        return ""
    kind, call = (
        ("colour", "np.repeat(images, 3, -1)")
        if wanted[-1] == 3
        else ("grey", "np.rint(images.mean(-1, keepdims=True)).astype(images.dtype)")
    )
    return f"; make them {kind} ones with {call}, or with colour={wanted[-1] == 3} in from_folder"


def label_row(labels, n, what):
    """Labels as int64 or words, if there is one for each of `n` images."""
    labels = array(labels, what)
    if not n:
        raise DatasetError("there are no images; give at least one, with its label")
    if labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels.shape != (n,):
        hot = labels.ndim == 2 and len(labels) == n
        raise DatasetError(
            f"there are {n:,} images, and {what} have shape {labels.shape}; give one label an "
            f"image{', with labels.argmax(1) if each row marks its class with a 1' if hot else ''}"
        )
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return np.array([one_line(x) for x in labels])
    if labels.dtype.kind not in "iubf":
        raise DatasetError(f"{what} are {labels.dtype}; give whole numbers or words")
    small = (labels > -LARGEST_LABEL) & (labels < LARGEST_LABEL)
    if len(wrong := labels[~small | (labels != np.rint(labels))]):
        raise DatasetError(
            f"{what} are {labels.dtype} and hold {wrong[0]}, which counts no class; give whole "
            "numbers, such as 0 to 9, or words"
        )
    return labels.astype(np.int64)


def class_row(labels, n, classes, what="labels"):
    """Labels as int64 that count a model's classes from 0; `classes` is None if nobody knows."""
    labels = label_row(labels, n, what)
    if labels.dtype.kind == "U":
        raise DatasetError(
            f"{what} are words, such as {one_line(labels[0], LONGEST_NAME)}; give the number of "
            "each class, counted from 0, such as numpy.unique(labels, return_inverse=True)[1]"
        )
    low, high = labels.min(), labels.max()
    if low < 0 or (classes is not None and high >= classes):
        last = "" if classes is None else f" to {classes - 1}"
        remedy = "; subtract 1 from each" if low == 1 and high == classes else ""
        raise DatasetError(
            f"{what} go from {low} to {high}, and this model counts its classes from 0{last}"
            f"{remedy}"
        )
    return labels


def pair(given, what):
    """Images and labels, from a pair or a split."""
    if hasattr(given, "images") and hasattr(given, "labels"):
        return given.images, given.labels
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise DatasetError(
            f"{what} is a {type(given).__name__}; give a pair (images, labels) or a split, such as "
            "qlab.data.load().validation"
        )
    return given


def names_of(class_names):
    """Names of classes, and the labels that they belong to; None if the order says which."""
    labels = None
    if isinstance(class_names, Mapping):
        labels, class_names = _by_label(class_names)
    unordered = isinstance(class_names, str | bytes | set | frozenset)
    if unordered or not np.iterable(class_names):
        raise DatasetError(
            f"class_names is {one_line(repr(class_names), 60)}, which does not say which name "
            "belongs to which label; give a list that begins with the name of class 0, or a dict "
            "such as {0: 'cat', 1: 'dog'}"
        )
    names = tuple(one_line(x, LONGEST_NAME) for x in class_names)
    require_class_count(len(names), "there are names for")
    if twice := sorted({x for x in names if names.count(x) > 1}):
        raise DatasetError(f"two classes have one name: {some(twice)}; give each a name of its own")
    return names, labels


def _by_label(given):
    """Labels in order and their names, of {label: name} or, as Keras has it, {name: label}."""
    labels, names = list(given), list(given.values())
    if all(map(is_whole, names)) and not any(map(is_whole, labels)):
        labels, names = names, labels
    labels = [int(x) if is_whole(x) or str(x).isdecimal() else None for x in labels]
    if None in labels or len(set(labels)) < len(labels):
        raise DatasetError(
            f"class_names is {one_line(given, 80)}; a dict gives each whole number one name, such "
            "as {0: 'cat', 1: 'dog'} or {'cat': 0, 'dog': 1}"
        )
    order = np.argsort(labels)
    return [labels[i] for i in order], [names[i] for i in order]


def require_class_count(classes, what="the labels are of"):
    if not FEWEST_CLASSES <= classes <= MOST_CLASSES:
        raise DatasetError(
            f"{what} {classes:,} class{'' if classes == 1 else 'es'}; qlab takes "
            f"{FEWEST_CLASSES} to {MOST_CLASSES:,}. Labels must name classes, and not number the "
            "images"
        )


def some(names, most=12):
    """Names in a row, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(x) for x in names[:most]) + more
