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
    """Grid of its output: its ``own``, that of its ``input``, or the one that its kernel dictates;
    None for a step between two forms of the same numbers."""
    channels: str = ""
    """Its output channels, once filters before it are gone: ``made`` anew, ``kept``, ``multiplied``
    or ``reshaped``; empty if nothing can be removed before it."""
    work: str = ""
    """What it costs: ``macs``, ``values`` that it reads and writes, or nothing, as a ``view``."""
    micro: bool = True
    """Whether the resolver of TensorFlow Lite Micro has it."""
    weights: tuple[int, ...] = ()
    """Where it stays in float: inputs that are weights, which may come through DEQUANTIZE."""
    weights_axis: int = 0
    """Which axis of them counts output channels."""
    challenge: bool = True
    """Whether the challenge allows it: nothing that loops, calls, remembers or draws at random."""


SIGNED_UNIT = QuantParams(np.float32(1 / 128), np.int64(0), -128, 127)
UNIT = QuantParams(np.float32(1 / 256), np.int64(-128), -128, 127)


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
    Operator("TRANSPOSE", 2, "input", work="values"),
    Operator("RESHAPE", 1, "input", "reshaped", "view"),
    Operator("SQUEEZE", 1, "input", work="view"),
    Operator("EXPAND_DIMS", 1, "input", work="view"),
    Operator("TANH", 2, SIGNED_UNIT, "kept", "values"),
    Operator("LOGISTIC", 2, UNIT, "kept", "values"),
    Operator("SOFTMAX", 2, UNIT, "kept", "values"),
    Operator("RELU", 2, channels="kept", work="values"),
    Operator("RELU6", 2, channels="kept", work="values"),
    Operator("LEAKY_RELU", 1, channels="kept", work="values"),
    Operator("HARD_SWISH", 1, channels="kept", work="values"),
    Operator("QUANTIZE", grid=None, work="values"),
    Operator("DEQUANTIZE", grid=None, work="values"),
    Operator("DENSIFY", grid=None, work="values", micro=False),
    *_names("PADV2", work="values"),
    *_names("""
        ABS ADD_N BATCH_MATMUL BROADCAST_TO CAST CEIL COS DEPTH_TO_SPACE DIV ELU EQUAL EXP FILL
        FLOOR FLOOR_DIV FLOOR_MOD GATHER GATHER_ND GREATER GREATER_EQUAL L2_NORMALIZATION
        L2_POOL_2D LESS LESS_EQUAL LOG LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT LOGICAL_OR MAXIMUM
        MINIMUM MIRROR_PAD NEG NOT_EQUAL PACK PRELU REDUCE_MIN RESIZE_BILINEAR
        RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SPACE_TO_DEPTH SPLIT SPLIT_V
        SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUM UNPACK ZEROS_LIKE
        """),
    Operator("TRANSPOSE_CONV", weights=(1,)),
    Operator("CONV_3D", weights=(1,), weights_axis=4, micro=False, challenge=False),
    Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", weights=(*range(1, 9),), challenge=False),
    *_names("ARG_MAX ARG_MIN CUMSUM SVDF", challenge=False),
    *_names("""
        GELU POW REDUCE_PROD RELU_0_TO_1 RELU_N1_TO_1 SELECT SIGN TILE
        """, micro=False),
)  # fmt: skip
OPERATORS = {row.name: row for row in ROWS}


def named(**wanted):
    """Names of the operators whose columns have these values, in the order of the table."""
    rows = (row for row in ROWS if all(getattr(row, key) == x for key, x in wanted.items()))
    return tuple(row.name for row in rows)


SUPPORTED = tuple(row.name for row in ROWS if row.int8_version)
WEIGHTED = named(work="macs")
PLUMBING = named(grid=None)
MOVING = named(grid="input")
DICTATED = {row.name: row.grid for row in ROWS if isinstance(row.grid, QuantParams)}
