"""What the outputs of a layer see: first and second moments of its inputs, batch by batch."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

AT_ONCE = 2**20  # numbers of patches in memory
SUMMED = 2**13  # products that are summed in float32 before float64 takes over


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the inputs of a layer; those of two batches can be added."""

    count: int
    sums: np.ndarray  # (groups, inputs)
    products: np.ndarray  # (groups, inputs, inputs)

    def __add__(self, other):
        if self.sums.shape != other.sums.shape:
            raise ValueError(f"{self.sums.shape} and {other.sums.shape} are different inputs")
        return Moments(
            self.count + other.count, self.sums + other.sums, self.products + other.products
        )

    @property
    def mean(self):
        return self.sums / self.count

    @property
    def second(self):
        return self.products / self.count


def input_moments(inputs):
    """`Moments` of inputs in the last axis, as those of a dense layer."""
    inputs = np.asarray(inputs, np.float32)
    if inputs.ndim < 2 or inputs.size == 0:
        raise ValueError(f"the inputs have shape {inputs.shape}; give one row or more of them")
    return _pooled(inputs.reshape(1, -1, inputs.shape[-1]).swapaxes(1, 2))


def patch_moments(images, kernel, strides=(1, 1), padding="VALID", dilations=(1, 1), groups=1):
    """`Moments` of the patches that a convolution sums over, in the order of its weights.

    `images` is NHWC; a patch is (height, width, channel), like the weights of a filter in TFLite.
    DEPTHWISE_CONV_2D has as many groups as channels. SAME padding adds zeros, and an odd one at
    the bottom and the right.

    >>> seen = patch_moments(np.ones((1, 2, 2, 1)), (2, 1), padding="SAME")
    >>> seen.count, seen.mean.tolist()
    (4, [[1.0, 0.5]])
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or images.size == 0:
        raise ValueError(f"the images have shape {images.shape}; give NHWC, and at least one")
    if groups < 1 or images.shape[3] % groups:
        raise ValueError(f"{images.shape[3]} channels do not divide into {groups} groups")
    if min(*kernel, *strides, *dilations) < 1:
        raise ValueError(f"kernel {kernel}, strides {strides}, dilations {dilations}: 1 or more")
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"padding is {padding!r}; choose SAME or VALID")
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [_pads(*axis, padding) for axis in zip(images.shape[1:3], spans, strides, strict=True)]
    if any(sum(p) + n < s for p, n, s in zip(pads, images.shape[1:3], spans, strict=True)):
        raise ValueError(f"a filter that spans {spans} is larger than {images.shape[1:3]}")
    places = np.prod(images.shape[1:]) // np.prod(strides) * np.prod(kernel)
    step = max(1, int(AT_ONCE // max(places, 1)))
    total = None
    for start in range(0, len(images), step):
        part = np.pad(images[start : start + step], ((0, 0), *pads, (0, 0)))
        seen = _pooled(_patches(part, spans, strides, dilations, groups))
        total = seen if total is None else total + seen
    return total


def _patches(images, spans, strides, dilations, groups):
    """Patches, shape (groups, inputs, places): copied a row of places at a time, which is fast."""
    images = np.ascontiguousarray(images.transpose(3, 0, 1, 2))
    windows = sliding_window_view(images, spans, (2, 3))
    windows = windows[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    windows = windows.reshape(groups, -1, *windows.shape[1:]).transpose(0, 5, 6, 1, 2, 3, 4)
    return windows.reshape(groups, -1, np.prod(windows.shape[4:]))


def _pads(size, span, stride, padding):
    """Zeros before and after, as TFLite adds them."""
    needed = (-(-size // stride) - 1) * stride + span - size
    total = max(needed, 0) if padding == "SAME" else 0
    return total // 2, total - total // 2


def _pooled(inputs):
    """`Moments` of shape (groups, inputs, places), summed in float32 a little at a time."""
    count = inputs.shape[2]
    parts = (inputs[:, :, start : start + SUMMED] for start in range(0, count, SUMMED))
    with np.errstate(over="ignore", invalid="ignore"):
        products = sum((x @ x.swapaxes(1, 2)).astype(np.float64) for x in parts)
    if not np.isfinite(products).all():
        raise ValueError("an input is NaN, infinite or too large to square; look at the model")
    return Moments(count, inputs.sum(2, dtype=np.float64), products)
