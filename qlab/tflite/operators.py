"""The one table of operators: a row an operator, from which every list of operators is derived."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qlab.arithmetic.affine import QuantParams


class Operator(NamedTuple):
    """What qlab and the runtimes know of one TFLite operator."""

    name: str
    int8_version: int = 0
    """Version of its int8 kernel, as the TFLite converter writes it; 0 if it stays in float."""
    grid: str | QuantParams | None = "own"
    """Grid of its output: its ``own``, that of its ``input``, its own which the inputs are brought
    onto (``common``), or the one that its kernel dictates; None for a step between two forms of the
    same numbers."""
    channels: str = ""
    """Its output channels, once filters before it are gone: ``made`` anew, ``kept``, ``multiplied``
    or ``reshaped``; empty if nothing can be removed before it."""
    work: str = ""
    """What it costs: ``macs``, ``values`` that it reads and writes, or nothing, as a ``view``."""
    micro: bool = True
    """Whether the resolver of TensorFlow Lite Micro has it."""
    weights: tuple[int, ...] = ()
    """Of one that is no layer with weights to qlab: inputs that are weights all the same. Where it
    runs in float, they may come through DEQUANTIZE."""
    weights_axis: int = 0
    """Which axis of them counts output channels."""
    challenge: bool = True
    """Whether the challenge allows it: nothing that loops, calls, remembers or draws at random."""


SIGNED_UNIT = QuantParams(np.float32(1 / 128), np.int64(0), -128, 127)
UNIT = QuantParams(np.float32(1 / 256), np.int64(-128), -128, 127)
LOGARITHMS = QuantParams(np.float32(1 / 16), np.int64(127), -128, 127)


def _names(text, **known):
    return (Operator(name, **known) for name in text.split())


ROWS = (
    Operator("CONV_2D", 3, channels="made", work="macs"),
    Operator("DEPTHWISE_CONV_2D", 3, channels="multiplied", work="macs"),
    Operator("FULLY_CONNECTED", 4, channels="made", work="macs"),
    Operator("MAX_POOL_2D", 2, "input", "kept", "values"),
    Operator("AVERAGE_POOL_2D", 2, "input", "kept", "values"),
    Operator("MEAN", 2, channels="kept", work="values"),
    Operator("ADD", 2, work="values"),
    Operator("SUB", 2, work="values"),
    Operator("MUL", 2, work="values"),
    Operator("CONCATENATION", 2, "input", work="values"),
    Operator("PAD", 2, "input", "kept", "values"),
    Operator("SPACE_TO_BATCH_ND", 2, "input", work="values"),
    Operator("BATCH_TO_SPACE_ND", 2, "input", work="values"),
    Operator("REDUCE_MAX", 2, "input", "kept", "values"),
    Operator("REDUCE_MIN", 2, "input", "kept", "values"),
    Operator("MAXIMUM", 2, "common", work="values"),
    Operator("MINIMUM", 2, "common", work="values"),
    Operator("MIRROR_PAD", 2, "input", work="values"),
    Operator("STRIDED_SLICE", 2, "input", work="values"),
    Operator("SLICE", 2, "input", work="values"),
    Operator("GATHER", 2, "input", work="values", weights=(0,)),
    Operator("PACK", 2, "input"),
    Operator("UNPACK", 2, "input"),
    Operator("SPLIT", 2, "input"),
    Operator("SPLIT_V", 2, "input"),
    Operator("TILE", 3, "input", work="values", micro=False),
    Operator("RESIZE_BILINEAR", 3, "input", "kept", "values"),
    Operator("RESIZE_NEAREST_NEIGHBOR", 3, "input", "kept", "values"),
    Operator("DEPTH_TO_SPACE", 2, "input", work="values"),
    Operator("SPACE_TO_DEPTH", 2, "input", work="values"),
    Operator("TRANSPOSE", 2, "input", work="values"),
    Operator("RESHAPE", 1, "input", "reshaped", "view"),
    Operator("SQUEEZE", 1, "input", work="view"),
    Operator("EXPAND_DIMS", 1, "input", work="view"),
    Operator("TANH", 2, SIGNED_UNIT, "kept", "values"),
    Operator("LOGISTIC", 2, UNIT, "kept", "values"),
    Operator("SOFTMAX", 2, UNIT, "kept", "values"),
    Operator("LOG_SOFTMAX", 2, LOGARITHMS, work="values"),
    Operator("L2_NORMALIZATION", 2, SIGNED_UNIT, work="values"),
    Operator("RELU", 2, channels="kept", work="values"),
    Operator("RELU6", 2, channels="kept", work="values"),
    Operator("LEAKY_RELU", 1, channels="kept", work="values"),
    Operator("HARD_SWISH", 1, channels="kept", work="values"),
    Operator("PRELU", 1, work="values"),
    Operator("ELU", 1, channels="kept", work="values"),
    Operator("GELU", 2, channels="kept", work="values", micro=False),
    Operator("ABS", 2, channels="kept", work="values"),
    Operator("QUANTIZE", grid=None, work="values"),
    Operator("DEQUANTIZE", grid=None, work="values"),
    Operator("DENSIFY", grid=None, work="values", micro=False),
    *_names("PADV2", work="values"),
    *_names("""
        ADD_N BATCH_MATMUL BROADCAST_TO CAST CEIL COS DIV EQUAL EXP FILL FLOOR FLOOR_DIV FLOOR_MOD
        GATHER_ND GREATER GREATER_EQUAL L2_POOL_2D LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
        LOGICAL_OR NEG NOT_EQUAL ROUND RSQRT SELECT_V2 SHAPE SIN SQRT SQUARE
        SQUARED_DIFFERENCE SUM ZEROS_LIKE
        """),
    Operator("TRANSPOSE_CONV", 3, weights=(1,)),
    Operator("CONV_3D", weights=(1,), weights_axis=4, micro=False, challenge=False),
    Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", weights=(*range(1, 9),), challenge=False),
    *_names("ARG_MAX ARG_MIN CUMSUM SVDF", challenge=False),
    *_names("""
        POW REDUCE_PROD RELU_0_TO_1 RELU_N1_TO_1 SELECT SIGN
        """, micro=False),
)  # fmt: skip
OPERATORS = {row.name: row for row in ROWS}


def named(**wanted):
    """Names of the operators whose columns have these values, in the order of the table."""
    rows = (row for row in ROWS if all(getattr(row, key) == x for key, x in wanted.items()))
    return tuple(row.name for row in rows)


SUPPORTED = tuple(row.name for row in ROWS if row.int8_version)
WEIGHTED = named(work="macs")
MULTIPLYING = (*WEIGHTED, "TRANSPOSE_CONV")  # with integer kernels: sums that a bias begins
PLUMBING = named(grid=None)
MOVING = named(grid="input")
COMPARING = named(grid="common")  # what they read may be cut to the range of what they give
DICTATED = {row.name: row.grid for row in ROWS if isinstance(row.grid, QuantParams)}
