"""Which layers of a float model stay in float, and why; and which activations are rounded.

A layer with an integer form reads and writes rounded numbers. One without is left as it is. What it
gives is rounded if a layer with weights reads it. Otherwise it stays in float, and so do layers
without weights that read it, because rounding what only float layers read would gain nothing.
"""

from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import carried, constant, is_activation
from qlab.tflite.operators import COMPARING, MULTIPLYING, OPERATORS, SUPPORTED

NO_FORM = "qlab has no integer form of {ops}"
NO_WEIGHTS = "weights or biases are worked out while the model runs"
NOT_FINITE = "a constant is NaN or infinite"
FUSED = "no integer kernel ends in that activation"
WHOLE = "whole numbers are not rounded"
READS = "what comes in is in float, and rounding it there would gain nothing"
COUNTING = ("SHAPE", "RANK")  # they look at no number of what they read
_NOT_FUSED = ("TANH", "SIGN_BIT")


class Floating(NamedTuple):
    """What stays in float, and what is rounded."""

    reasons: dict[str, str]  # by layer that stays in float
    rounded: frozenset[int]  # activation tensors that integer layers write or read
    weights: dict[int, tuple[str, int]]  # by tensor, of layers that have none: layer, channel axis


def floating(model):
    """Work out what stays in float in a float model."""
    graph = model.parsed
    part, reasons = graph.subgraphs[0], {}
    steps = list(zip(model.layers, part.operators, strict=True))
    for layer, operator in steps:
        if why := _obstacle(graph, layer, operator):
            reasons[layer.name] = why
    asked = {x.inputs[-1] for x in model.layers if x.op in MULTIPLYING and x.name not in reasons}
    rounded = {int(i) for i in part.inputs if is_float(graph, i)}
    for layer, operator in steps:
        if layer.name not in reasons and any(
            is_float(graph, i) and i not in rounded for i in layer.inputs
        ):
            reasons[layer.name] = READS
        made = {int(i) for i in operator.outputs}
        rounded |= made & asked if layer.name in reasons else made
    weights = {
        index: (layer.name, OPERATORS[layer.op].weights_axis)
        for layer, operator in steps
        if layer.op in OPERATORS
        for position, index in carried(graph, operator).items()
        if position in OPERATORS[layer.op].weights
    }
    return Floating(reasons, frozenset(rounded), weights)


def is_float(graph, index):
    """Whether a tensor holds float32."""
    return graph.subgraphs[0].tensors[index].type == schema.TensorType.FLOAT32


def _obstacle(graph, layer, operator):
    """Why a layer has no integer form of its own; empty if it has one."""
    if layer.op in COUNTING or not any(is_float(graph, i) for i in (*layer.inputs, layer.output)):
        return WHOLE
    if layer.op not in SUPPORTED or not is_float(graph, layer.output):
        return NO_FORM
    if layer.op in COMPARING and not all(is_float(graph, i) for i in layer.inputs):
        return NO_FORM
    if layer.op in MULTIPLYING and not _is_weighted(graph, layer, operator):
        return NO_WEIGHTS
    constants = [constant(graph, i) for i in carried(graph, operator).values()]
    if any(x.dtype.kind == "V" for x in constants):
        return NO_FORM
    if layer.weights is None and not all(np.isfinite(x).all() for x in constants):
        return NOT_FINITE
    return FUSED if layer.activation in _NOT_FUSED else ""


def _is_weighted(graph, layer, operator):
    """Whether a layer's input is an activation, and its weights and bias are constants."""
    data, *steady = map(int, operator.inputs)
    if layer.op == "TRANSPOSE_CONV":  # a shape comes first
        data = steady.pop(1)
    return data in layer.inputs and not any(is_activation(graph, i) for i in steady if i >= 0)
