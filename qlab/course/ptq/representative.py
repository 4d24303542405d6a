"""The representative dataset that TFLite calibrates on."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from qlab.lessons.judges import close, for_function


@dataclass(frozen=True)
class Fed:
    """What a representative dataset yielded, or `returned` without a yield."""

    batches: tuple
    returned: bool = False

    def __str__(self):
        if callable(self.batches[0] if self.batches else None):
            return "a function"
        if not self.batches:
            return "nothing: the loop yielded no batch"
        first = self.batches[0]
        if not isinstance(first, list):
            return f"{self._count()}; the first is of type {type(first).__name__}"
        arrays = ", ".join(f"{np.asarray(a).dtype} array of shape {np.shape(a)}" for a in first)
        words = f"{self._count()}; the first is [{arrays}]"
        tensors = _tensors(self)
        return (
            words if tensors is None else f"{words}; largest value {max(map(np.max, tensors)):.4g}"
        )

    def _count(self):
        return "1 batch" if len(self.batches) == 1 else f"{len(self.batches)} batches"


def representative_dataset(images):
    """Yield calibration images as TFLite wants them: lists of one float32 batch, pixel / 255.

    >>> [batch] = next(representative_dataset(np.full((2, 28, 28, 1), 255, np.uint8)))
    >>> batch.shape, batch.dtype.name, float(batch.max())
    ((1, 28, 28, 1), 'float32', 1.0)
    """
    for image in images:
        yield [image[np.newaxis].astype(np.float32) / 255]


def _read(got):
    """Up to 1,000 batches of a generator, so that an endless one ends too."""
    if not hasattr(got, "__iter__"):
        return Fed((got,), returned=True)
    batches = tuple(list(b) if isinstance(b, tuple) else b for b in islice(iter(got), 1000))
    return Fed(batches, returned=not hasattr(got, "__next__"))


def _tensors(fed):
    """The arrays fed, or None where they are not lists of one batch of images."""
    if not fed.batches or not all(isinstance(b, list) and len(b) == 1 for b in fed.batches):
        return None
    arrays = [np.asarray(batch[0]) for batch in fed.batches]
    return (
        arrays if all(a.ndim == 4 and a.shape[1:] == arrays[0].shape[1:] for a in arrays) else None
    )


def _same(args, expected, got):
    arrays = _tensors(got)
    if arrays is None or any(a.dtype != np.float32 or len(a) != 1 for a in arrays):
        return False
    return close(np.concatenate(_tensors(expected)), np.concatenate(arrays))


def _fed(wrong):
    """A mistake: the values fed are those of `wrong(images)`, whatever their type."""

    def looks_like(args, got):
        arrays = _tensors(got)
        return arrays is not None and close(wrong(np.float64(args[0])), np.concatenate(arrays))

    return looks_like


def _first_image_alone(args, got):
    """What `return` in the loop hands over: one image, or the batch that holds it."""
    one = got.returned and len(got.batches) == 1 and np.shape(got.batches[0])[-3:] == (28, 28, 1)
    return one and np.size(got.batches[0]) == args[0][0].size


_right_values = _fed(lambda x: x / 255)

_IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1)).astype(np.uint8)

judge_representative_dataset = for_function(
    representative_dataset,
    [(_IMAGES,)],
    read=_read,
    same=_same,
    mistakes={
        "nothing": lambda args, got: not got.batches,
        "inner_function": lambda args, got: callable(got.batches[0]),
        "first_only": lambda args, got: (
            _first_image_alone(args, got) or _fed(lambda x: x[:1] / 255)(args, got)
        ),
        "no_list": lambda args, got: not isinstance(got.batches[0], list),
        "labels": lambda args, got: len(got.batches[0]) != 1,
        "no_batch_axis": lambda args, got: np.ndim(got.batches[0][0]) == 3,
        "unscaled": _fed(lambda x: x),
        "divided_twice": _fed(lambda x: x / 255 / 255),
        "from_minus_one": _fed(lambda x: x / 127.5 - 1),
        "many_at_once": lambda args, got: (
            _right_values(args, got) and any(len(a) > 1 for a in _tensors(got))
        ),
        "type": _right_values,
    },
)
