"""Two 4-bit weights to a byte: the INT4 form of a file whose codes fit."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.litemodel import WEIGHTED, LiteModel, op_name, pack, stored_index

INT4_MAX = 7


def packed(model):
    """Store every layer's int8 weights that fit 4 bits as packed INT4."""
    graph = model.graph()
    tensors = graph.subgraphs[0].tensors
    changed = False
    for index in _weight_tensors(graph):
        buffer = graph.buffers[tensors[index].buffer]
        codes = np.asarray(buffer.data, np.uint8).view(np.int8)
        if (
            tensors[index].type == schema.TensorType.INT8
            and tensors[index].sparsity is None
            and np.abs(codes.astype(np.int16)).max() <= INT4_MAX
        ):
            buffer.data = pack_int4(codes)
            tensors[index].type = schema.TensorType.INT4
            changed = True
    return LiteModel(pack(graph)) if changed else model


def pack_int4(codes):
    """Pack codes two to a byte, the first in the low half."""
    codes = np.asarray(codes, np.int8).reshape(-1)
    if codes.size and not (codes.min() >= -8 and codes.max() <= 7):
        raise ValueError(f"codes from {codes.min()} to {codes.max()} do not fit 4 bits (-8 to 7)")
    halves = np.zeros(-(-codes.size // 2) * 2, np.uint8)
    halves[: codes.size] = codes.view(np.uint8) & 15
    return halves[::2] | (halves[1::2] << 4)


def _weight_tensors(graph):
    """Indices of the stored weights of all layers, looking through DEQUANTIZE steps."""
    read = {int(x.inputs[1]) for x in graph.subgraphs[0].operators if op_name(graph, x) in WEIGHTED}
    return sorted({stored_index(graph, i) for i in read})
