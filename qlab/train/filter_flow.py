"""Which channels are left in each layer of a network, once some filters are gone."""

import numpy as np

from qlab.train.door import keras

PASSING = (  # what these give out has the channels that went in
    "Activation", "AveragePooling2D", "BatchNormalization", "Cropping2D", "Dropout", "ELU",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LeakyReLU", "MaxPooling2D", "ReLU", "Softmax",
    "SpatialDropout2D", "UpSampling2D", "ZeroPadding2D",
)  # fmt: skip


def follow(model, kept):
    """Follow the channels that are left through the whole network."""
    inputs, outputs = {}, {}
    for node in _nodes(model):
        layer = node.layer
        if layer.name in outputs:
            raise ValueError(
                f"layer {layer.name} is used twice in this model: its filters belong to both "
                "places. Build a model that uses each layer once"
            )
        incoming = [outputs[parent.name] for parent, *_ in node.iterate_inbound()]
        inputs[layer.name] = incoming[0] if incoming else None
        outputs[layer.name] = _out(layer, incoming, kept)
    for tensor in model.outputs:
        name = tensor._keras_history.layer.name
        if len(outputs[name]) < tensor.shape[-1]:
            raise ValueError(
                f"the model's output comes from layer {name}, and would lose classes: filters can "
                "go only from layers before the last Conv2D or Dense"
            )
    return inputs, outputs


def left(layer, inputs, outputs):
    """Weights of a layer, without those of channels that are gone."""
    weights = layer.get_weights()
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [weights[0][:, :, inputs], *(bias[outputs] for bias in weights[1:])]
    if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        kernel = weights[0].take(inputs, axis=-2).take(outputs, axis=-1)
        return [kernel, *(bias[outputs] for bias in weights[1:])]
    if isinstance(layer, keras.layers.BatchNormalization):
        return [values[inputs] for values in weights]
    return weights


def _nodes(model):
    """Every use of a layer in the model, each after what it depends on."""
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def _out(layer, incoming, kept):
    """The channels that are left of what `layer` gives out."""
    kind, width = type(layer).__name__, _width(layer.output_shape)
    whole = all(map(np.array_equal, incoming, map(np.arange, _widths(layer))))
    if kind in ("Conv2D", "Dense"):
        if not (whole and layer.name not in kept):
            _require_plain(layer)
        return kept.get(layer.name, np.arange(width))
    if whole:
        return np.arange(width)
    _require_plain(layer)
    if kind == "DepthwiseConv2D":
        times = layer.depth_multiplier
        return (incoming[0][:, None] * times + np.arange(times)).ravel()
    if kind == "Flatten":
        return (np.arange(0, width, layer.input_shape[-1])[:, None] + incoming[0]).ravel()
    if kind == "Concatenate" and layer.axis in (-1, len(layer.output_shape) - 1):
        starts = np.cumsum([0, *_widths(layer)])
        return np.concatenate([x + start for x, start in zip(incoming, starts, strict=False)])
    if kind in PASSING:
        return incoming[0]
    if kind == "Add" and all(np.array_equal(x, incoming[0]) for x in incoming):
        return incoming[0]
    raise ValueError(_why(layer, kind))


def _require_plain(layer):
    """Raise, in words, for a grouped convolution or channels that do not come last."""
    if getattr(layer, "groups", 1) != 1:
        raise ValueError(
            f"layer {layer.name} convolves in {layer.groups} groups, which must stay equal: leave "
            "its filters, and those of the layer before it, as they are"
        )
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    if first or getattr(layer, "axis", -1) not in (-1, [len(layer.output_shape) - 1], 3):
        raise ValueError(f"layer {layer.name} has its channels first; filters need them last")


def _why(layer, kind):
    if kind == "Add":
        return (
            f"layer {layer.name} adds channel to channel, so that what comes in must keep the same "
            "ones: leave the filters of the layers that lead there as they are"
        )
    return (
        f"layer {layer.name} is a {kind}, through which channels cannot be followed: leave the "
        "filters of the layers that lead there as they are"
    )


def _width(shape):
    return (shape[0] if isinstance(shape, list) else shape)[-1]


def _widths(layer):
    """Channels of each input of a layer."""
    shapes = layer.input_shape
    return [_width(shape) for shape in (shapes if isinstance(shapes, list) else [shapes])]
