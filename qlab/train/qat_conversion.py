"""From a quantization-aware Keras model to the `.tflite` file that computes the same."""

import numpy as np

from qlab.arithmetic.affine import QuantParams, affine_params, quantize, symmetric_params
from qlab.engine import planning
from qlab.engine.floating import floating
from qlab.engine.lowering import StoredWeights, fitted, lower
from qlab.tflite import runtime
from qlab.tflite.cleaning import cleaned
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.operators import DICTATED
from qlab.train.fake_quantization import (
    activation_quantizers,
    float_twin,
    require_aware,
    weight_quantizer,
)
from qlab.train.keras2 import keras
from qlab.train.model_files import convert

PROBES = 8  # random images by which tensors of the file are recognised as outputs of layers


def convert_quantized(model, packed=None):
    """Convert a quantization-aware model to an int8 file, or a packed one.

    Parameters
    ----------
    model : tf_keras.Model
        A model from `quantization_aware` or `preserving`, trained or not.
    packed : bool, optional
        Whether to store several weights in a byte, as `LiteModel.packed` does. By default it is
        done if any layer's weights have 4 bits or fewer.

    Returns
    -------
    bytes
        The content of a ``.tflite`` file that takes and gives int8.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it is not quantization-aware, or LiteRT has no integer kernel for one of its layers.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images = np.full((4, 28, 28, 1), 200, np.uint8)
    >>> aware = train.quantization_aware(train.load("baseline"), 4, calibration=images)
    >>> len(convert_quantized(aware)) < 50_000
    True
    """
    require_aware(model)
    twin = float_twin(model)
    source = float_file(twin)
    wrapped = dict(zip((x.name for x in twin.layers), model.layers, strict=True))
    weights, bits = {}, set()
    for layer in source.layers:
        if layer.weights is not None:
            weights[layer.name], used = _codes(layer, twin, wrapped)
            bits.add(used)
    description = f"qlab: quantization-aware, weights {min(bits)} bits"
    stays = floating(source)
    grids = _grids(source, stays, twin, wrapped)
    weights = {name: fitted(source.layer(name), x, grids) for name, x in weights.items()}
    file = LiteModel(pack(lower(source, grids, weights, stays.reasons, description.encode())))
    if packed is None:
        packed = min(bits) <= 4
    return (file.packed() if packed else file).to_bytes()


def float_file(twin):
    """The float file of a model, which has no steps that only work out sizes."""
    return cleaned(LiteModel(convert(twin)))


def matched(source, twin):
    """Which layers of a Keras model give what each activation tensor of its float file holds."""
    shape = (PROBES, *twin.input_shape[1:])
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    tensors = [int(source.parsed.subgraphs[0].inputs[0]), *(x.output for x in source.layers)]
    parts = [x for _, x in runtime.activations(source, images, tensors, batch=PROBES)]
    held = [np.concatenate(x) for x in zip(*parts, strict=True)]
    given = keras.Model(twin.inputs, [x.output for x in twin.layers])(images, training=False)
    names = [x.name for x in twin.layers]
    return {
        tensor: [n for n, y in zip(names, given, strict=True) if _same(x, np.asarray(y))]
        for tensor, x in zip(tensors, held, strict=True)
    }


def _same(x, y):
    return x.shape == y.shape and np.abs(x - y).max() <= 1e-4 * max(1e-6, np.abs(y).max())


def _grids(source, stays, twin, wrapped):
    """Grid of each activation tensor: the widest that the layers around it have learned."""
    layers_of = matched(source, twin)
    groups = planning.groups(source, stays)
    found = {id(group): [] for group in groups.values()}
    for tensor, names in layers_of.items():
        for name in names:
            quantizer = activation_quantizers(wrapped[name]).get("output")
            if quantizer is not None:
                found[id(groups[tensor])].append(quantizer)
    for layer in source.layers:
        if layer.op in DICTATED:  # what goes into it is rounded inside the Keras layer
            for name in layers_of[layer.output]:
                quantizer = activation_quantizers(wrapped[name]).get("pre")
                if quantizer is not None:
                    found[id(groups[layer.inputs[0]])].append(quantizer)
    return {tensor: _grid(source, tensor, group, found) for tensor, group in groups.items()}


def _grid(source, tensor, group, found):
    if group.dictated is not None:
        return group.dictated
    if not found[id(group)]:
        name = (source.parsed.subgraphs[0].tensors[tensor].name or b"").decode()
        raise ValueError(
            f"the output {name} is rounded nowhere in the Keras model, so it has no grid in the "
            "file; put the layers in an order that tfmot knows, such as Conv2D, "
            "BatchNormalization, ReLU"
        )
    ranges = [[float(v[e].numpy()) for e in ("min_var", "max_var")] for _, v in found[id(group)]]
    low, high = np.min([x for x, _ in ranges]), np.max([x for _, x in ranges])
    return affine_params(low, high, min(q.num_bits for q, _ in found[id(group)]))


def _codes(layer, twin, wrapped):
    """One layer's codes and grid, with BatchNorm's factors folded into the scales; and its bits."""
    for bare in twin.layers:
        found = weight_quantizer(wrapped[bare.name])
        kernel = found[0] if found else next(iter(bare.weights), None)
        if kernel is None or len(kernel.shape) < 2:
            continue
        factors = _factors(layer, _file_order(layer, kernel.numpy()))
        if factors is None:
            continue
        if found is None:
            params = symmetric_params(layer.weights, 8, layer.channel_axis)
            return StoredWeights(quantize(layer.weights, params), params), 8
        _, quantizer, variables = found
        top = 2 ** (quantizer.num_bits - 1) - 1
        scale = np.resize(variables["max_var"].numpy() / top, factors.shape)  # tfmot: by multiplier
        rounded = _file_order(layer, np.asarray(quantizer(kernel, False, variables)))
        return _stored(layer, rounded, scale, factors, top), quantizer.num_bits
    raise ValueError(f"no layer of the Keras model has the weights of {layer.name}")


def _stored(layer, rounded, scale, factors, top):
    axis = layer.channel_axis
    shape = [1] * rounded.ndim
    shape[axis] = -1
    steps = np.where(scale > 0, scale, 1).reshape(shape)  # 0: a channel that pruning has emptied
    codes = np.rint(rounded / steps) * np.sign(factors).reshape(shape)
    scale = (scale * np.abs(factors)).astype(np.float32)
    least = np.finfo(np.float32).tiny
    spare = scale.max() if scale.max() > least else np.float32(1)  # biases count in scales too
    scale = np.where(scale > least, scale, spare)
    params = QuantParams(scale, np.zeros(scale.shape, np.int64), -top, top, axis)
    return StoredWeights(np.clip(codes, -top, top).astype(np.int8), params)


def _file_order(layer, kernel):
    """A Keras kernel with its axes in the order of the file; None if the shapes cannot agree."""
    if layer.op == "FULLY_CONNECTED" and kernel.ndim == 2:
        kernel = kernel.T
    elif layer.op == "CONV_2D" and kernel.ndim == 4:
        kernel = kernel.transpose(3, 0, 1, 2)
    elif layer.op == "DEPTHWISE_CONV_2D" and kernel.ndim == 4:
        kernel = kernel.reshape(1, *kernel.shape[:2], -1)
    return kernel if kernel.shape == layer.weights.shape else None


def _factors(layer, kernel):
    """What BatchNorm multiplied each output channel by; None if this is another layer's kernel."""
    if kernel is None:
        return None
    channels = kernel.shape[layer.channel_axis]
    folded, kernel = (
        np.moveaxis(x, layer.channel_axis, 0).reshape(channels, -1) for x in (layer.weights, kernel)
    )
    squares = (kernel * kernel).sum(1)
    factors = (folded * kernel).sum(1) / np.where(squares > 0, squares, 1)
    error = np.abs(folded - factors[:, None] * kernel).max()
    return factors if error <= 1e-4 * max(np.abs(folded).max(), 1e-9) else None
