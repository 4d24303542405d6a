"""Weights of 4 bits stored two to a byte, in the INT4 form of a file."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import op_name, pack_int4, stored_index
from qlab.tflite.operators import WEIGHTED

INT4_MAX = 7


def pack_weights(graph):
    """Store every layer's int8 weights that fit 4 bits as INT4; whether there are any."""
    tensors, changed = graph.subgraphs[0].tensors, False
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
    return changed


def _weight_tensors(graph):
    """Indices of the stored weights of all layers, looking through DEQUANTIZE steps."""
    read = {int(x.inputs[1]) for x in graph.subgraphs[0].operators if op_name(graph, x) in WEIGHTED}
    return sorted({stored_index(graph, i) for i in read})
