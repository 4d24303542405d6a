"""Transforms: a float file becomes another one, with new weights or without some of its filters."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.rounding import equalizing_scales
from qlab.arithmetic.sparsity import require_sparsity
from qlab.tflite.graph import constant, replace_constant
from qlab.tflite.litemodel import ModelError, require_lite_model
from qlab.tflite.operators import OPERATORS, WEIGHTED, named

FILTERED = named(channels="made")
PROPORTIONAL = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD", "RELU", "RESHAPE")
ROUNDS = 20  # of equalizing all pairs, one after the other


def with_weights(model, weights, biases=None):
    """The same float32 model with other weights in some layers, by name, in the shape they have."""
    biases = {} if biases is None else biases
    for kind, given in (("weights", weights), ("bias", biases)):
        for name, values in given.items():
            held = getattr(model.layer(name), kind)
            if held is None or held.dtype != np.float32 or held.shape != np.shape(values):
                raise ValueError(f"{name} has no float32 {kind} of shape {np.shape(values)}")
    graph = model.graph()
    if len(model.layers) != len(graph.subgraphs[0].operators):
        raise ModelError("weights can be replaced in a plain float32 model only; give that one")
    for operator, layer in zip(graph.subgraphs[0].operators, model.layers, strict=True):
        for position, given in ((1, weights), (2, biases)):
            if layer.name in given:
                replace_constant(graph, operator, position, np.float32(given[layer.name]))
    return model.edited(graph)


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
    return model.edited(graph)


def equalize(model):
    """Give neighbouring layers channels of like ranges; the model computes the same as before.

    What one layer's channel is divided by, the next layer multiplies [1]_. So one scale for all
    channels of a layer serves them better. Needed between the two are ReLU, pooling or nothing: a
    channel under ReLU6 cannot be rescaled, since its bend stays at 6.

    .. [1] Nagel et al., ICCV 2019, arXiv:1906.04721, section 4.1.

    >>> import qlab
    >>> even = equalize(qlab.pretrained("baseline"))
    >>> ranges = np.abs(even.layer("conv1").weights).max((1, 2, 3))
    >>> bool(np.allclose(ranges, np.abs(even.layer("conv2").weights).max((0, 1, 2))))
    True
    """
    held = _held(model)
    for first, second in equalizable_pairs(model) * ROUNDS:
        scales = equalizing_scales(*_channel_ranges(held, first, second))
        _multiply(held, first, second, 1 / scales)
    return _holding(model, held)


def rescale(model, name, factors):
    """Multiply the channels that a layer makes, and undo it in the layer that reads them.

    What the model computes stays the same, but its channels may now have very different ranges.

    >>> import qlab
    >>> model = qlab.pretrained("baseline")
    >>> uneven = rescale(model, "conv1", np.where(np.arange(32) < 4, 64, 1))
    >>> float(np.abs(uneven.layer("conv1").weights[0] / model.layer("conv1").weights[0]).max())
    64.0
    """
    pair = _pair(model, name)
    channels, factors = pair[0].weights.shape[pair[0].channel_axis], np.asarray(factors, float)
    if factors.shape != (channels,) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"factors must be {channels} numbers above 0, one for each channel")
    held = _held(model)
    _multiply(held, *pair, factors)
    return _holding(model, held)


def equalizable(model):
    """Pairs of layers: channels of the first can be multiplied, and the second can undo it."""
    _require_plain(model)
    return [(x, y) for x in model.layers if x.op in WEIGHTED and (y := _undoing(model, x))]


def equalizable_pairs(model):
    """The same pairs, of which there must be one."""
    if pairs := equalizable(model):
        return pairs
    raise ModelError(
        "no two layers of this model can be equalized; give a model with two convolutions or dense "
        "layers that have nothing but ReLU, pooling or a reshape between them (ReLU6 has its bend "
        "at 6, whatever the scale)"
    )


def channel_ranges(model, name, weights=None):
    """Largest magnitude of the weights that make each channel of a layer, and that read it.

    Other `weights`, such as codes, are given by layer, in the shape of the model's own.

    >>> import qlab
    >>> made, read = channel_ranges(qlab.pretrained("baseline"), "conv1")
    >>> made.shape, read.shape
    ((32,), (32,))
    """
    held = _held(model) if weights is None else {x: (y,) for x, y in weights.items()}
    return _channel_ranges(held, *_pair(model, name))


def _pair(model, name):
    """A layer by its name, and the one that can undo what multiplies its channels."""
    pair = next((x for x in equalizable(model) if x[0].name == name), None)
    if pair is None:
        raise ModelError(f"what multiplies the channels of {name} cannot be undone after it")
    return pair


def _undoing(model, first):
    """The layer that reads the channels of another, and nothing but they, in proportion."""
    graph, last = model.parsed.subgraphs[0], first
    while last.activation in ("NONE", "RELU") and last.output not in graph.outputs:
        readers = [x for x in model.layers if last.output in x.inputs]
        if len(readers) != 1 or readers[0].op not in (*PROPORTIONAL, *WEIGHTED):
            return None
        last = readers[0]
        if last.op in WEIGHTED:  # in a grouped convolution a channel is not read by all
            fits = last.weights.shape[-1] % first.weights.shape[first.channel_axis] == 0
            return last if fits else None
    return None


def _held(model):
    """Weights and bias by layer, to be changed in place."""
    weighted = [x for x in model.layers if x.op in WEIGHTED]
    return {
        x.name: [None if y is None else y.astype(float, order="C") for y in (x.weights, x.bias)]
        for x in weighted
    }


def _holding(model, held):
    """The same model with these weights and biases."""
    biases = {name: bias for name, (_, bias) in held.items() if bias is not None}
    return with_weights(model, {name: weights for name, (weights, _) in held.items()}, biases)


def _by_channel(held, first, second):
    """Views of the weights that make each channel, (..., channel), and read it, (n, channel, m)."""
    made = np.moveaxis(held[first.name][0], first.channel_axis, -1)
    read, channels = held[second.name][0], made.shape[-1]
    times = read.shape[-1] // channels if second.op == "DEPTHWISE_CONV_2D" else 1
    return made, read.reshape(-1, channels, times)


def _channel_ranges(held, first, second):
    """Largest magnitude of the weights that make each channel, and that read it."""
    made, read = map(np.abs, _by_channel(held, first, second))
    return made.reshape(-1, made.shape[-1]).max(0), read.max((0, 2))


def _multiply(held, first, second, factors):
    """Multiply channels where they are made, and divide where they are read, in place."""
    made, read = _by_channel(held, first, second)
    made *= factors
    read /= factors[:, None]
    if (bias := held[first.name][1]) is not None:
        bias *= factors


def _require_plain(model):
    require_lite_model(model)
    held = {x.weights.dtype.name for x in model.layers if x.weights is not None}
    if held != {"float32"} or len(model.layers) != len(model.parsed.subgraphs[0].operators):
        raise ModelError("channels can be changed in a float32 model only; give that one")


def _follow(model, kept):
    """Each layer with the channels that are left of what it reads and of what it gives out."""
    _require_plain(model)
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
