"""Weights of few bits stored several to a byte: in the INT4 form of a file, or its INT2 form."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import PACKED_BITS, constant, op_name, pack_codes, stored_index
from qlab.tflite.operators import WEIGHTED

KINDS = schema.TensorType
STORED_BITS = PACKED_BITS | {KINDS.INT8: 8}
LARGEST_SUM = 2**27  # XNNPACK's INT4 kernel adds up 16 times the sum, in 32 bits
LARGEST_INPUT = 255  # steps of an int8 input from its zero point


def pack_weights(graph):
    """Store weights in the fewest bits that LiteRT runs; whether any take fewer than before."""
    changed, tensors = False, graph.subgraphs[0].tensors
    held = Counter(x.buffer for part in graph.subgraphs for x in part.tensors)
    for index, operators in _readers(graph).items():
        tensor = tensors[index]
        shared = held[tensor.buffer] > 1
        if tensor.type not in STORED_BITS or tensor.sparsity is not None or shared:
            continue
        codes = constant(graph, index)
        kind = max((_kind(graph, x, codes) for x in operators), key=STORED_BITS.get)
        if STORED_BITS[kind] < STORED_BITS[tensor.type]:
            graph.buffers[tensor.buffer].data = pack_codes(codes, PACKED_BITS[kind])
            tensor.type, changed = kind, True
    return changed


def _readers(graph):
    """Operators by the tensor that stores their weights, looking through DEQUANTIZE steps."""
    readers = defaultdict(list)
    for operator in graph.subgraphs[0].operators:
        if op_name(graph, operator) in WEIGHTED:
            readers[stored_index(graph, int(operator.inputs[1]))].append(operator)
    return readers


def _kind(graph, operator, codes):
    """The smallest form in which LiteRT's kernel for this operator takes these codes."""
    if not fit(codes, 4):
        return KINDS.INT8
    if op_name(graph, operator) != "FULLY_CONNECTED":
        return KINDS.INT4
    if fit(codes, 2):
        return KINDS.INT2
    return KINDS.INT4 if _largest_sum(graph, operator, codes) < LARGEST_SUM else KINDS.INT8


def fit(codes, bits):
    """Whether codes are whole numbers of so many bits, with a sign."""
    half = 2 ** (bits - 1)
    return codes.size > 0 and codes.min() >= -half and codes.max() < half


def _largest_sum(graph, operator, codes):
    """No sum of a dense integer layer, its bias included, is larger than this."""
    bias = constant(graph, int(operator.inputs[2])) if len(operator.inputs) > 2 else None
    if bias is None or bias.dtype.kind == "f":
        bias = np.zeros(1)
    return np.abs(bias.astype(float)).max() + LARGEST_INPUT * np.abs(codes).sum(1, float).max()
