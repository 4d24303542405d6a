"""A layer that runs in integers alone, by hand and as LiteRT runs it."""

from typing import NamedTuple

import numpy as np

from qlab.lessons.judges import for_function, like
from qlab.tflite import runtime

BITS = 31  # of a multiplier


def integer_layer(codes, weights, bias, input_zero_point, multiplier, shift, output_zero_point):
    """Return the codes that a dense layer without activation puts out, as int64."""
    sums = (codes.astype(np.int64) - input_zero_point) @ weights.T.astype(np.int64) + bias
    half = 1 << (shift - 1)  # so that the shift, which rounds down, rounds to the nearest
    return np.clip(((sums * multiplier + half) >> shift) + output_zero_point, -128, 127)


def as_multiplier(factor):
    """Write factors as multiplier / 2**shift, with a multiplier of 31 bits; return both."""
    shift = BITS - 1 - np.floor(np.log2(factor)).astype(np.int64)
    return np.rint(factor * 2.0**shift).astype(np.int64), shift


class Recorded(NamedTuple):
    """The last layer of a file, with the codes that LiteRT gave it and got from it."""

    codes: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    input_scale: float
    input_zero_point: int
    weight_scales: np.ndarray
    output_scale: float
    output_zero_point: int
    answer: np.ndarray


def last_layer(model, images):
    """Run a full integer file in LiteRT, and keep what its last layer read and wrote.

    >>> import qlab
    >>> layer = last_layer(qlab.pretrained("baseline-int8"), qlab.data.calibration_images(3))
    >>> layer.codes.shape, layer.weights.shape, layer.answer.shape, layer.output_zero_point
    ((3, 125), (10, 125), (3, 10), 6)
    """
    layer, graph = model.layers[-1], model.parsed.subgraphs[0]
    ends = layer.inputs[0], layer.output
    seen = [arrays for _, arrays in runtime.activations(model, images, ends)]
    codes, answer = (np.concatenate(x) for x in zip(*seen, strict=True))
    before, after = ((x.scale[0], int(x.zeroPoint[0])) for x in _grids(graph, ends))
    (weights,) = _grids(graph, [graph.operators[-1].inputs[1]])
    scales = np.float64(weights.scale)
    return Recorded(codes, layer.weights, layer.bias, *before, scales, *after, answer)


def _grids(graph, tensors):
    return [graph.tensors[int(i)].quantization for i in tensors]


def _case(seed, *, zero_points=(-128, 6), factor=2e-3):
    """Codes of three images for a layer of 40 inputs and four outputs."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-128, 128, (3, 40)).astype(np.int8)
    weights = rng.integers(-127, 128, (4, 40)).astype(np.int8)
    bias = rng.integers(-20_000, 20_000, 4).astype(np.int32)
    multiplier, shift = as_multiplier(factor * rng.uniform(0.5, 2, 4))
    return codes, weights, bias, zero_points[0], multiplier, shift, zero_points[1]


def _layer(
    codes, weights, bias, input_zero, multiplier, shift, output_zero, *, centre=np.int64,
    add=np.int64, product=np.int64, late=False, half=1, ends=(-128, 127),
):  # fmt: skip
    """`integer_layer` with one thing done differently."""
    centred = (codes.astype(centre) - centre(input_zero)).astype(add)
    sums = centred @ weights.T.astype(add) + (0 if late else bias)
    scaled = (sums.astype(product) * multiplier.astype(product)).astype(np.int64)
    rounded = (scaled + half * (1 << (shift - 1))) >> shift
    return np.clip(rounded + output_zero + (bias if late else 0), *ends)


def _without(place):
    """`_layer` that takes the argument at a place for 0."""
    return lambda *args: _layer(*args[:place], 0, *args[place + 1 :])


judge_integer_layer = for_function(
    integer_layer,
    [_case(0), _case(1, zero_points=(-3, -20), factor=4e-4), _case(2, factor=9e-3)],
    mistakes={
        "wrapped": like(
            lambda *args: _layer(*args, centre=np.int8, add=np.int8),
            lambda *args: _layer(*args, centre=np.int8),
            lambda *args: _layer(*args, add=np.int8),
        ),
        "product": like(lambda *args: _layer(*args, product=np.int32)),
        "no_input_zero": like(_without(3)),
        "no_output_zero": like(_without(6)),
        "no_bias": like(_without(2)),
        "bias_late": like(lambda *args: _layer(*args, late=True)),
        "rounded_down": like(lambda *args: _layer(*args, half=0)),
        "unclipped": like(lambda *args: _layer(*args, ends=(None, None))),
    },
)
