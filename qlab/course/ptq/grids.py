"""The arithmetic of quantization: a grid, codes on it, and the way back."""

import numpy as np

from qlab.arithmetic.affine import affine_params, dequantize, quantize
from qlab.lessons.judges import close, for_function, like, numbers


def _pair(got):
    """(scale, zero_point) of whatever holds them."""
    return (got.scale, got.zero_point) if hasattr(got, "zero_point") else got


def _same_grid(args, expected, got):
    """The scale agrees, and the zero point is a nearest integer among the codes."""
    got = numbers(got)
    if got is None or got.shape != (2,):
        return False
    scale, zero_point = got
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


judge_affine_params = for_function(
    affine_params,
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
        "eight_bits": like(
            lambda low, high, bits: _affine(low, high, 8),
            lambda low, high, bits: _affine(low, high, bits, start=-128),
            lambda low, high, bits: _affine(low, high, 8, start=128 - 2**bits),
        ),
        "zero_outside": like(lambda *args: _affine(*args, widen=False)),
        "steps": like(lambda *args: _affine(*args, steps=0)),
        "truncated": like(
            lambda *args: _affine(*args, rounding=np.trunc),
            lambda *args: _affine(*args, rounding=np.floor),
            lambda *args: _affine(*args, divide=np.floor_divide),
        ),
        "unrounded": like(lambda *args: _affine(*args, rounding=float)),
        "other_codes": like(
            lambda *args: _affine(*args, start=0),
            lambda *args: _affine(*args, start=-(2 ** (args[2] - 1))),
        ),
        "swapped": like(lambda *args: _affine(*args)[::-1]),
    },
)


_GRID = affine_params(-1.0, 3.0, 8)
_COARSE = affine_params(0.0, 6.0, 4)
_VALUES = np.float32([-1.0, -0.51, 0.0, 0.013, 0.77, 1.2345, 2.999])
_BEYOND = np.float32([-7.0, 0.3, 5.9, 9.0])
_TABLE = np.float32([[0.2, 0.6], [1.1, -3.0]])


def _nearest(args, expected, got):
    """Every code is an integer on the grid and nearest to its value; ties may go either way."""
    x, params = args
    if (got := numbers(got)) is None:
        return False
    got = np.squeeze(got)
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


judge_quantize = for_function(
    quantize,
    [(_VALUES, _GRID), (_BEYOND, _COARSE), (_TABLE, _COARSE)],
    same=_nearest,
    mistakes={
        "truncated": like(
            lambda x, p: _codes(x, p, rounding=np.trunc),
            lambda x, p: np.trunc(_codes(x, p, rounding=np.float64)),
        ),
        "rounded_down": like(lambda x, p: _codes(x, p, rounding=np.floor)),
        "unrounded": like(lambda x, p: _codes(x, p, rounding=np.float64)),
        "wrapped": like(lambda x, p: _codes(x, p, clip=_wrapped)),
        "unclipped": like(lambda x, p: _codes(x, p, clip=lambda codes, *ends: codes)),
        "no_zero_point": like(lambda x, p: _codes(x, p, sign=0)),
        "subtracted": like(lambda x, p: _codes(x, p, sign=-1)),
    },
)


judge_dequantize = for_function(
    dequantize,
    [
        (np.int8([-128, -64, 0, 127]), _GRID),
        (np.int8([112, 113, 127]), _COARSE),
        (np.int8([[127, 120], [112, 119]]), _COARSE),
    ],
    mistakes={
        "no_zero_point": like(lambda q, p: p.scale * q),
        "added": like(lambda q, p: p.scale * (np.float32(q) + p.zero_point)),
        "brackets": like(lambda q, p: p.scale * q - p.zero_point),
        "wrapped": like(lambda q, p: p.scale * (q - np.int8(p.zero_point))),
        "divided": like(lambda q, p: (np.float32(q) - p.zero_point) / p.scale),
    },
)
