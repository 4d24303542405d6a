"""Transforms: a float file becomes another one, with new weights or without some of its filters."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.sparsity import require_sparsity
from qlab.tflite.graph import constant, pack, replace_constant
from qlab.tflite.litemodel import LiteModel, ModelError, require_lite_model
from qlab.tflite.operators import OPERATORS, named

FILTERED = named(channels="made")


def with_weights(model, weights):
    """The same float32 model with other weights in some layers, by name, in the shape they have."""
    for name, values in weights.items():
        held = model.layer(name).weights
        if held is None or held.dtype != np.float32 or held.shape != np.shape(values):
            raise ValueError(f"{name} has no float32 weights of shape {np.shape(values)}")
    graph = model.graph()
    if len(model.layers) != len(graph.subgraphs[0].operators):
        raise ModelError("weights can be replaced in a plain float32 model only; give that one")
    for operator, layer in zip(graph.subgraphs[0].operators, model.layers, strict=True):
        if layer.name in weights:
            new = np.asarray(weights[layer.name], np.float32)
            replace_constant(graph, operator, 1, new)
    return LiteModel(pack(graph))


def remove_filters(model, fraction):
    """Take the weakest filters out, and what read them."""
    return keep_filters(model, strongest_filters(model, fraction))


def strongest_filters(model, fraction):
    """Filters that stay when the weakest are taken out of each layer."""
    require_lite_model(model)
    fraction, kept = require_sparsity(fraction, "fraction"), {}
    for layer in [x for x in model.layers if x.op in FILTERED and x.weights is not None][:-1]:
        strength = np.abs(layer.weights).reshape(len(layer.weights), -1).sum(1)
        count = max(1, len(strength) - round(fraction * len(strength)))
        kept[layer.name] = np.sort(np.argsort(-strength, kind="stable")[:count])
    return kept


def filter_masks(model, kept):
    """Which weights stay when filters go, seen in the whole model: rows, and inputs of the next."""
    masks = {}
    for layer, inputs, outputs in _follow(model, kept):
        if layer.weights is not None:
            masks[layer.name] = np.zeros(layer.weights.shape, bool)
            masks[layer.name][_part(layer, inputs, outputs)] = True
    return masks


def keep_filters(model, kept):
    """The smaller model in which only some filters are left."""
    followed = _follow(model, kept)
    if all(np.size(kept[x.name]) == len(x.weights) for x, *_ in followed if x.name in kept):
        return model  # nothing goes
    graph = model.graph()
    sub = graph.subgraphs[0]
    for operator, (layer, inputs, outputs) in zip(sub.operators, followed, strict=True):
        if layer.weights is not None:
            replace_constant(graph, operator, 1, layer.weights[_part(layer, inputs, outputs)])
            if layer.bias is not None:
                replace_constant(graph, operator, 2, layer.bias[outputs])
        elif layer.op == "RESHAPE":
            _reshape(graph, operator, outputs.size)
        tensor = sub.tensors[layer.output]
        tensor.shape = np.append(tensor.shape[:-1], outputs.size).astype(np.int32)
        if tensor.shapeSignature is not None:
            tensor.shapeSignature = np.append(tensor.shapeSignature[:-1], outputs.size)
    return LiteModel(pack(graph))


def _follow(model, kept):
    """Each layer with the channels that are left of what it reads and of what it gives out."""
    require_lite_model(model)
    held = {x.weights.dtype.name for x in model.layers if x.weights is not None}
    if held != {"float32"} or len(model.layers) != len(model.parsed.subgraphs[0].operators):
        raise ModelError("filters can be taken out of a float32 model only; give that one")
    graph = model.parsed.subgraphs[0]
    width = lambda tensor: int(graph.tensors[tensor].shape[-1])  # noqa: E731
    left, followed = {int(graph.inputs[0]): np.arange(width(int(graph.inputs[0])))}, []
    for layer in model.layers:
        inputs = left[layer.inputs[0]]
        whole = all(left[i].size == width(i) for i in layer.inputs)
        outputs = _outputs(layer, inputs, width(layer.inputs[0]), width(layer.output), whole, kept)
        left[layer.output] = outputs
        followed.append((layer, inputs, outputs))
    if left[int(graph.outputs[0])].size < width(int(graph.outputs[0])):
        raise ModelError("the output would lose classes; keep all filters of the last layer")
    return followed


def _outputs(layer, inputs, before, after, whole, kept):
    """The channels that are left of what a layer gives out."""
    if layer.name in kept and layer.op in FILTERED:
        return np.asarray(kept[layer.name])
    if layer.op in FILTERED or whole:
        return np.arange(after)
    channels = OPERATORS[layer.op].channels if layer.op in OPERATORS else ""
    if channels == "multiplied":
        times = after // before
        return (inputs[:, None] * times + np.arange(times)).ravel()
    if channels == "reshaped" and after % before == 0:
        return (np.arange(0, after, before)[:, None] + inputs).ravel()
    if channels == "kept":
        return inputs
    raise ModelError(
        f"filters before {layer.name} ({layer.op}) cannot be taken out: it joins channels of "
        "several layers, or moves them"
    )


def _part(layer, inputs, outputs):
    """Index of the weights that stay."""
    shape = layer.weights.shape
    if layer.op == "DEPTHWISE_CONV_2D":
        return np.ix_(*map(np.arange, shape[:-1]), outputs)
    return np.ix_(outputs, *map(np.arange, shape[1:-1]), inputs)


def _reshape(graph, operator, width):
    """Write the new width into the shape that a RESHAPE carries."""
    if len(operator.inputs) > 1:
        shape = constant(graph, int(operator.inputs[1])).copy()
        shape[-1] = width if shape[-1] > 0 else -1
        replace_constant(graph, operator, 1, shape)
    options = operator.builtinOptions
    if options is not None and options.newShape is not None and len(options.newShape):
        options.newShape = np.append(options.newShape[:-1], width).astype(np.int32)
