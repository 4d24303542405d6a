"""Other numbers in the same file: a float model with new weights, its graph as it was."""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.litemodel import WEIGHTED, LiteModel, op_name, pack


def with_weights(model, weights):
    """Replace the weights of some layers."""
    for name, values in weights.items():
        held = model.layer(name).weights
        if held is None or held.dtype != np.float32 or held.shape != np.shape(values):
            raise ValueError(f"{name} has no float32 weights of shape {np.shape(values)}")
    graph = model.graph()
    layers = iter(model.layers)
    for operator in graph.subgraphs[0].operators:
        layer = next(layers)
        if layer.name in weights and op_name(graph, operator) in WEIGHTED:
            _put(graph, operator, np.ascontiguousarray(weights[layer.name], np.float32))
    return LiteModel(pack(graph))


def _put(graph, operator, values):
    """Give an operator these weights: in their place, or in a new one if others read the old."""
    tensors, index = graph.subgraphs[0].tensors, int(operator.inputs[1])
    buffer = tensors[index].buffer
    readers = sum(index in x.inputs for x in graph.subgraphs[0].operators)
    if readers > 1 or sum(x.buffer == buffer for x in tensors) > 1:
        tensor = copy.copy(tensors[index])
        tensor.buffer, operator.inputs = len(graph.buffers), np.array(operator.inputs, np.int32)
        operator.inputs[1] = len(tensors)
        tensors.append(tensor)
        graph.buffers.append(schema.BufferT())
        buffer = tensor.buffer
    graph.buffers[buffer].data = values.reshape(-1).view(np.uint8)
