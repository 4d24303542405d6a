"""Exercises of notebook 02: the arithmetic of quantization."""

import numpy as np

from qlab.arithmetic import affine
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import close, for_function, like


def _pair(got):
    """(scale, zero_point) of whatever holds them."""
    return (got.scale, got.zero_point) if hasattr(got, "zero_point") else got


def _same_grid(args, expected, got):
    """The scale agrees, and the zero point is a nearest integer among the codes."""
    try:
        scale, zero_point = (float(v) for v in got)
    except (TypeError, ValueError):
        return False
    exact = _affine(*args, rounding=float)[1]
    return (
        close(expected[0], scale)
        and zero_point == round(zero_point)
        and 128 - 2 ** args[2] <= zero_point <= 127
        and abs(zero_point - exact) <= 0.5 + 1e-3
    )


def _affine(
    low, high, bits, *, widen=True, steps=-1, rounding=np.rint, divide=np.divide, start=None
):
    """`affine_params` with one thing done differently; `steps` are counted from 2**bits."""
    low, high = (min(low, 0), max(high, 0)) if widen else (low, high)
    scale = (high - low) / (2**bits + steps)
    start = 128 - 2**bits if start is None else start
    return scale, rounding(start - divide(low, scale))


EXERCISES.add(
    Exercise(
        "02.affine_params",
        for_function(
            affine.affine_params,
            [
                (-1.0, 3.0, 8),
                (0.0, 6.0, 4),
                (-1.0, 3.1, 8),
                (-0.7, 1.1, 3),
                (2.0, 5.0, 8),
                (-5.0, -2.0, 8),
            ],
            read=_pair,
            same=_same_grid,
            mistakes={
                "The zero point is out of range: 0 has no code. Widen the range to hold 0.": like(
                    lambda *args: _affine(*args, widen=False)
                ),
                "2**bits codes have 2**bits - 1 steps between them.": like(
                    lambda *args: _affine(*args, steps=0)
                ),
                "The zero point is truncated: int() and // cut off. Use round() or np.rint.": like(
                    lambda *args: _affine(*args, rounding=np.trunc),
                    lambda *args: _affine(*args, rounding=np.floor),
                    lambda *args: _affine(*args, divide=np.floor_divide),
                ),
                "The zero point is not an integer, so 0 has no code of its own. Round it.": like(
                    lambda *args: _affine(*args, rounding=float)
                ),
                "Here the codes end at 127, so the smallest is 128 - 2**bits.": like(
                    lambda *args: _affine(*args, start=0),
                    lambda *args: _affine(*args, start=-(2 ** (args[2] - 1))),
                ),
                "The two are swapped: give scale, then zero_point.": like(
                    lambda *args: _affine(*args)[::-1]
                ),
            },
        ),
        affine.affine_params,
        (
            "First widen the range: low = min(low, 0), high = max(high, 0).",
            "scale = (high - low) / (2**bits - 1). The value `low` gets the code 128 - 2**bits.",
            "Solve low = scale * (q_min - zero_point) for zero_point, and round it.",
        ),
    )
)


_GRID = affine.affine_params(-1.0, 3.0, 8)
_COARSE = affine.affine_params(0.0, 6.0, 4)
_VALUES = np.float32([-1.0, -0.51, 0.0, 0.013, 0.77, 1.2345, 2.999])
_BEYOND = np.float32([-7.0, 0.3, 5.9, 9.0])
_TABLE = np.float32([[0.2, 0.6], [1.1, -3.0]])


def _nearest(args, expected, got):
    """Every code is an integer on the grid and nearest to its value; ties may go either way."""
    x, params = args
    try:
        got = np.squeeze(np.asarray(got, np.float64))
    except (TypeError, ValueError):
        return False
    exact = np.clip(np.float64(x) / params.scale + params.zero_point, params.q_min, params.q_max)
    return got.shape == exact.shape and bool(
        (got == np.rint(got)).all() and (np.abs(got - exact) <= 0.5 + 1e-3).all()
    )


def _codes(x, params, *, rounding=np.rint, sign=1, clip=np.clip):
    """`quantize` with one thing done differently."""
    codes = rounding(x / params.scale) + sign * params.zero_point
    return clip(codes, params.q_min, params.q_max)


def _wrapped(codes, q_min, q_max):
    return codes.astype(np.int64).astype(np.int8)


EXERCISES.add(
    Exercise(
        "02.quantize",
        for_function(
            affine.quantize,
            [(_VALUES, _GRID), (_BEYOND, _COARSE), (_TABLE, _COARSE)],
            same=_nearest,
            mistakes={
                "The codes are truncated: .astype(int) cuts off. Use np.rint first.": like(
                    lambda x, p: _codes(x, p, rounding=np.trunc),
                    lambda x, p: np.trunc(_codes(x, p, rounding=np.float64)),
                ),
                "The codes are rounded down. np.rint goes to the nearest.": like(
                    lambda x, p: _codes(x, p, rounding=np.floor)
                ),
                "The codes are not integers yet. Round them.": like(
                    lambda x, p: _codes(x, p, rounding=np.float64)
                ),
                "int8 wraps around: 135 became -121. Clip before you change the type.": like(
                    lambda x, p: _codes(x, p, clip=_wrapped)
                ),
                "Some codes lie outside the grid. Clip them to q_min and q_max.": like(
                    lambda x, p: _codes(x, p, clip=lambda codes, *ends: codes)
                ),
                "The zero point is missing. Add it before clipping.": like(
                    lambda x, p: _codes(x, p, sign=0)
                ),
                "The zero point is subtracted. From values to codes it is added.": like(
                    lambda x, p: _codes(x, p, sign=-1)
                ),
            },
        ),
        affine.quantize,
        (
            "Three steps: divide and shift, round, clip.",
            "Divide by params.scale, round with np.rint, add params.zero_point.",
            "np.clip(codes, params.q_min, params.q_max) is the last step.",
        ),
    )
)


EXERCISES.add(
    Exercise(
        "02.dequantize",
        for_function(
            affine.dequantize,
            [
                (np.int8([-128, -64, 0, 127]), _GRID),
                (np.int8([112, 113, 127]), _COARSE),
                (np.int8([[127, 120], [112, 119]]), _COARSE),
            ],
            mistakes={
                "The zero point is missing. Its code stands for 0.": like(lambda q, p: p.scale * q),
                "The zero point is added. From codes to values it is subtracted.": like(
                    lambda q, p: p.scale * (np.float32(q) + p.zero_point)
                ),
                "The scale multiplies the difference: put brackets around q - zero_point.": like(
                    lambda q, p: p.scale * q - p.zero_point
                ),
                "int8 wraps around: 127 - (-64) became -65. Use a wider type first.": like(
                    lambda q, p: p.scale * (q - np.int8(p.zero_point))
                ),
                "You divided by the scale. A value is scale times steps.": like(
                    lambda q, p: (np.float32(q) - p.zero_point) / p.scale
                ),
            },
        ),
        affine.dequantize,
        (
            "The code zero_point stands for the value 0.",
            "Each code further is one scale more: scale * (q - zero_point).",
            "First leave int8, which holds nothing beyond 127: q.astype(np.float32).",
        ),
    )
)


def channel_scales(weights, bits):
    """One scale for each output channel, which is the first axis."""
    return affine.symmetric_params(weights, bits, axis=0).scale


def _kernel(shape, seed):
    """Random weights whose channels differ in size, and lean to the negative side."""
    rng = np.random.default_rng(seed)
    spread = np.linspace(0.2, 2.0, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (rng.normal(-0.3, 1, size=shape) * spread).astype(np.float32)


def _scales(weights, bits, *, axis=0, q_max=None, size=np.abs):
    """`channel_scales` with one thing done differently; `axis` None is the whole tensor."""
    others = tuple(i for i in range(weights.ndim) if axis is None or i != axis % weights.ndim)
    return size(weights).max(axis=others) / (2 ** (bits - 1) - 1 if q_max is None else q_max)


EXERCISES.add(
    Exercise(
        "02.channel_scales",
        for_function(
            channel_scales,
            [(_kernel((4, 2, 2, 3), 0), 8), (_kernel((3, 6), 1), 4), (_kernel((5, 5), 2), 2)],
            mistakes={
                "This is the wrong axis. In a .tflite file, output channels are axis 0.": like(
                    lambda w, bits: _scales(w, bits, axis=-1)
                ),
                "This is one scale for the whole tensor. Give one for each output channel.": like(
                    lambda w, bits: _scales(w, bits, axis=None),
                    lambda w, bits: np.full(len(w), _scales(w, bits, axis=None)),
                ),
                "The largest code is 2**(bits - 1) - 1: narrow range leaves one code out.": like(
                    lambda w, bits: _scales(w, bits, q_max=2 ** (bits - 1))
                ),
                "These are 2**bits - 1 steps. Narrow range leaves one out: 2**bits - 2.": like(
                    lambda w, bits: _scales(w, bits, q_max=(2**bits - 1) / 2)
                ),
                "The sign takes one bit: the largest code is 2**(bits - 1) - 1.": like(
                    lambda w, bits: _scales(w, bits, q_max=2**bits - 1)
                ),
                "Negative weights count too. Take the largest absolute value.": like(
                    lambda w, bits: _scales(w, bits, size=np.asarray)
                ),
            },
        ),
        channel_scales,
        (
            "Each output channel is weights[i]. Find its largest absolute value.",
            "np.abs(weights).max(axis=...) over all axes except the first.",
            "Divide by the largest code, 2**(bits - 1) - 1.",
        ),
    )
)
