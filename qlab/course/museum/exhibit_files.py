"""What an exhibit's file is made of, and a file with many zeros."""

from collections import Counter

import numpy as np

from qlab.tflite.graph import DTYPES, op_name, pack
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.operators import WEIGHTED


def _type_name(tensor):
    dtype = DTYPES.get(tensor.type)
    return np.dtype(dtype).name if dtype is not None else f"type {tensor.type}"


def activations(data):
    """Count the tensors that a file computes, its input included, by type."""
    graph = LiteModel(data).parsed.subgraphs[0]
    computed = [*graph.inputs, *(i for op in graph.operators for i in op.outputs)]
    return dict(sorted(Counter(_type_name(graph.tensors[i]) for i in computed).items()))


def operators(data):
    """Name the operators of a file, all graphs of it, in order."""
    model = LiteModel(data).parsed
    return [op_name(model, op) for graph in model.subgraphs for op in graph.operators]


def zeroed(model, fraction):
    """Set the smallest weights of each layer of a float32 file to zero."""
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction is {fraction!r}; it must be at least 0 and below 1")
    model = model.graph()
    for operator in model.subgraphs[0].operators:
        if op_name(model, operator) in WEIGHTED:
            tensor = model.subgraphs[0].tensors[operator.inputs[1]]
            weights = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.float32)
            smallest = np.argsort(np.abs(weights))[: int(fraction * weights.size)]
            weights[smallest] = 0
            model.buffers[tensor.buffer].data = weights.view(np.uint8)
    return LiteModel(pack(model))
