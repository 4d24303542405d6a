"""Quantization-aware training: a trained model learns on with its numbers rounded."""

import math
from contextlib import nullcontext

import numpy as np

from qlab import data
from qlab.data.datasets import to_calibrate
from qlab.engine.recipes import LARGEST_CALIBRATION
from qlab.system.output import quiet
from qlab.train.checks import (
    require_calibration,
    require_full_precision,
    require_keras_2,
    require_one_output,
    require_stripped,
)
from qlab.train.keras2 import copied, keras, tf, tfmot
from qlab.train.quantizers import (
    KERNELS,
    WEIGHT_RANGES,
    Annotation,
    BitsScheme,
    DefaultScheme,
    InputQuantizer,
    KeepClusters,
    KeepZeros,
    Wrapper,
)

BITS = tuple(range(2, 9))
GRANULARITIES = ("per-channel", "per-tensor")
KNOWN = (
    "InputLayer", *KERNELS, "BatchNormalization", "ReLU", "Activation", "Softmax", "MaxPooling2D",
    "AveragePooling2D", "GlobalAveragePooling2D", "Add", "Concatenate", "Flatten", "Reshape",
    "ZeroPadding2D", "Dropout",
)  # fmt: skip
NO_DILATION = {"dilation_rate": (((1, 1),), "take a larger kernel, or strides, instead")}
OPTIONS = {  # of layers: which values are allowed, and what to do with another
    "Conv2D": NO_DILATION,
    "DepthwiseConv2D": NO_DILATION,
    "ReLU": {
        "negative_slope": ((0,), "take keras.layers.ReLU() without a slope"),
        "threshold": ((0,), "take keras.layers.ReLU() without a threshold"),
        "max_value": ((None, 6), "take keras.layers.ReLU() or keras.layers.ReLU(6.0)"),
    },
}
FUSED = ("linear", "relu", "tanh", "sigmoid", "softmax")


def quantization_aware(
    model,
    weight_bits=8,
    activation_bits=8,
    granularity="per-channel",
    calibration=None,
    logits_bits=8,
    weight_range="max",
    dataset=None,
):
    """Wrap a trained model so that further training feels the rounding.

    The wrapped copy rounds its weights and activations in the forward pass, while the gradient
    passes straight through [1]_. All ranges are set before the first step, from the weights and
    from calibration images, so that the accuracy before training is that of post-training
    quantization.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    weight_bits, activation_bits : int
        2 to 8. With 8 and 8 it is tfmot's default scheme, in which the weights of a Dense layer
        share one grid; otherwise weights have symmetric grids of narrow range.
    granularity : {"per-channel", "per-tensor"}
        Whether each output channel has a grid of its own, or the whole layer has one.
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        n is from 1 to 1,024; the default is ``qlab.data.calibration_images(128)``. float32 images
        are taken as they are.
    logits_bits : int
        Activation bits of the last layer with weights. The input always has 8 bits.
    weight_range : {"max", "least-squares"}
        With "max" a grid ends at the largest weight, as in post-training quantization. With
        "least-squares" it is the grid with the smallest squared rounding error, which clips the
        largest weights; that is what makes 2 bits work.
    dataset : qlab.Dataset, optional
        Gives 128 calibration images, unless they are given.

    Returns
    -------
    tf_keras.Model
        The wrapped model, to train with `qlab.train.fit` and convert with `convert_quantized`.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If a layer cannot be trained in this way, the model is already quantization-aware, or a
        setting or the calibration set is wrong; the message says what to do.

    References
    ----------
    .. [1] Jacob et al., CVPR 2018, arXiv:1712.05877, section 3; Bengio et al., arXiv:1308.3432.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images = np.full((4, 28, 28, 1), 200, np.uint8)
    >>> aware = quantization_aware(train.load("baseline"), weight_bits=4, calibration=images)
    >>> [layer.name for layer in aware.layers if layer.name.startswith("quant_conv")]
    ['quant_conv1', 'quant_conv2']
    """
    _check_settings(weight_bits, activation_bits, logits_bits, granularity, weight_range)
    _check_model(model)
    per_channel = granularity == "per-channel"
    if (weight_bits, activation_bits, logits_bits, weight_range) == (8, 8, 8, "max"):
        scheme = DefaultScheme(disable_per_axis=not per_channel)
    else:
        scheme = BitsScheme(
            model, logits_bits, weight_bits=weight_bits, activation_bits=activation_bits,
            per_channel=per_channel, weight_range=weight_range,
        )  # fmt: skip
    return _wrapped(model, scheme, to_calibrate(dataset, calibration))


def preserving(model, weight_bits=8, calibration=None, dataset=None):
    """Wrap a pruned or clustered model for quantization-aware training that keeps it so.

    Plain quantization-aware training moves each weight by itself, so that zeros become other
    numbers and equal weights become different. Here zeros stay zero; at 8 bits equal weights also
    stay equal, and the values that they share learn [1]_.

    Parameters
    ----------
    model : tf_keras.Model
        A model from `strip_pruning` or `strip_clustering`. It stays as it is.
    weight_bits : int
        With 8 it is tfmot's scheme, which keeps zeros and clusters. With 2 to 7 zeros are kept,
        and clusters are not, because the grid itself has few values.
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        As in `quantization_aware`.
    dataset : qlab.Dataset, optional
        As in `quantization_aware`.

    Returns
    -------
    tf_keras.Model
        The wrapped model, to train with `qlab.train.fit` and convert with `convert_quantized`.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        As `quantization_aware` does.

    References
    ----------
    .. [1] TensorFlow Model Optimization, "Collaborative optimization": sparsity and cluster
       preserving quantization-aware training.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images = np.full((4, 28, 28, 1), 200, np.uint8)
    >>> few = train.strip_clustering(train.cluster_weights(train.load("baseline"), 8))
    >>> aware = preserving(few, calibration=images)
    >>> [layer.name for layer in aware.layers if layer.name.startswith("quant_conv")]
    ['quant_conv1', 'quant_conv2']
    """
    _check_settings(weight_bits, 8, 8, "per-channel", "max")
    _check_model(model)
    scheme = KeepClusters(model) if weight_bits == 8 else KeepZeros(model, weight_bits=weight_bits)
    # tfmot warns of layers without clusters or zeros, which are welcome here.
    return _wrapped(model, scheme, to_calibrate(dataset, calibration), silent=True)


def float_twin(model):
    """Build the float model that has the weights of a quantization-aware model.

    Parameters
    ----------
    model : tf_keras.Model
        A model from `quantization_aware`, trained or not.

    Returns
    -------
    tf_keras.Model
        It can be wrapped again at other bits, or converted.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it is not quantization-aware.
    """
    require_aware(model)
    twin = keras.models.clone_model(model, clone_function=_unwrapped)
    for wrapped, bare in zip(model.layers, twin.layers, strict=True):
        values = {_short(variable): variable.numpy() for variable in wrapped.weights}
        bare.set_weights([values[_short(variable)] for variable in bare.weights])
    return twin


def require_aware(model):
    """Raise, in words, unless `model` is a quantization-aware Keras 2 model."""
    require_keras_2(model)
    if not any(isinstance(layer, Wrapper) for layer in model.layers):
        raise ValueError(
            "this model is not quantization-aware; give what train.quantization_aware made of it"
        )


def activation_quantizers(layer):
    """Each quantizer of a wrapped layer's activations, with the variables of its range."""
    if isinstance(layer, InputQuantizer):
        return {"output": (layer.quantizer, layer.quantizer_vars)} if layer.quantizer else {}
    found = {}
    for activation in getattr(layer, "_quantize_activations", ()):
        for kind, name in (("pre", "_pre_activation_vars"), ("output", "_post_activation_vars")):
            if hasattr(activation, name):
                found[kind] = (activation.quantizer, getattr(activation, name))
    if getattr(layer, "_output_quantizers", None):
        found["output"] = (layer._output_quantizers[0], layer._output_quantizer_vars)
    return found


def weight_quantizer(layer):
    """(kernel, quantizer, variables of its range) of a wrapped layer, or None."""
    found = getattr(layer, "_weight_vars", ())
    return found[0] if found else None


def _check_settings(weight_bits, activation_bits, logits_bits, granularity, weight_range):
    """Raise ValueError, with the choices, if a setting is none of them."""
    given = {
        "weight_bits": (weight_bits, BITS),
        "activation_bits": (activation_bits, BITS),
        "logits_bits": (logits_bits, BITS),
        "granularity": (granularity, GRANULARITIES),
        "weight_range": (weight_range, WEIGHT_RANGES),
    }
    for name, (value, choices) in given.items():
        if isinstance(value, bool | float) or value not in choices:
            raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(str, choices))}")


def _check_model(model):
    """Raise, naming the layer and what to do, unless tfmot and the lowering know the model."""
    require_stripped(model, "train")
    require_one_output(model)
    require_full_precision(model)
    if any(isinstance(x, Wrapper | InputQuantizer | Annotation) for x in model.layers):
        raise ValueError(
            "this model is already quantization-aware; give the float model it came from, or "
            "train.float_twin(model) to go on from its weights at other bits"
        )
    for layer in model.layers:
        kind = type(layer).__name__
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if kind not in KNOWN or type(layer).__module__.split(".")[0] != "tf_keras":
            raise ValueError(
                f"layer {layer.name} is a {kind}, which cannot be trained quantization-aware; "
                f"there are: {', '.join(KNOWN)}. Build the model with one of these in its place "
                "(a model inside a model: list its layers), or compress the float model with "
                "qlab.Compressor"
            )
        if activation not in FUSED:
            raise ValueError(
                f"layer {layer.name} has the activation {activation}; inside a layer there are: "
                f"{', '.join(FUSED)}. For relu6 put keras.layers.ReLU(6.0) after the layer"
            )
        _check_options(layer)
    _check_reuse(model)
    _check_matrices(model)
    if not any(type(layer).__name__ in KERNELS for layer in model.layers):
        raise ValueError(f"this model has no weights to round; give it one of {', '.join(KERNELS)}")


def _check_options(layer):
    """Raise, in words, if a layer has an option with which its file would answer differently."""
    for option, (usual, remedy) in OPTIONS.get(type(layer).__name__, {}).items():
        value = layer.get_config()[option]
        if value not in usual:
            raise ValueError(
                f"layer {layer.name} has {option}={value}, which training knows and the integer "
                f"file does not: {remedy}, or compress the float model with qlab.Compressor"
            )


def _check_matrices(model):
    """Raise, naming the layer, if a Dense layer takes more than a row of numbers an image."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense) and len(layer.input_shape) != 2:
            raise ValueError(
                f"layer {layer.name} is a Dense on {layer.input_shape[1:]}, whose integer file "
                "would be another network: put keras.layers.Flatten() before it, or for each place "
                f"of a picture keras.layers.Conv2D({layer.units}, 1) instead"
            )


def _check_reuse(model):
    """Raise, naming the layer, if one stands in two places: it would need two ranges."""
    calls = [node.layer.name for nodes in model._nodes_by_depth.values() for node in nodes]
    for name in calls:
        if calls.count(name) > 1:
            raise ValueError(
                f"layer {name} is used {calls.count(name)} times, and each place has a range of "
                "its own to learn: build one layer for each place and give both the same weights, "
                "or compress the float model with qlab.Compressor"
            )


def _wrapped(model, scheme, calibration, silent=False):
    """The quantization-aware model of a scheme, with all its ranges set."""
    images = _calibration(model, calibration)
    try:
        with quiet() if silent else nullcontext():
            annotated = tfmot.quantization.keras.quantize_annotate_model(model)
            aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"tfmot cannot make this model quantization-aware: {error}. A BatchNormalization must "
            "follow directly on a Conv2D, DepthwiseConv2D or Dense layer without activation"
        ) from None
    _set_ranges(aware, model, images)
    return aware


def _calibration(model, images):
    """Calibration images as floats, or an error in words."""
    if images is None and math.prod(model.input_shape[1:]) != 28 * 28:
        raise ValueError(
            f"this model takes images of {model.input_shape[1:]}, and those of Fashion-MNIST are "
            "(28, 28, 1): give dataset=, or calibration=, a hundred of your training images"
        )
    images = data.calibration_images(128) if images is None else images
    images = require_calibration(model, images)
    if len(images) > LARGEST_CALIBRATION:
        raise ValueError(
            f"there are {len(images)} calibration images; give at most {LARGEST_CALIBRATION}, such "
            "as qlab.data.calibration_images(128)"
        )
    return images


def _unwrapped(layer):
    """The layer inside a wrapper, made anew; in place of the input's quantizer an empty step."""
    if isinstance(layer, InputQuantizer):
        return keras.layers.Activation("linear", name=layer.name)
    if not isinstance(layer, Wrapper):
        return type(layer).from_config(layer.get_config())
    inner = layer.layer
    found = getattr(inner, "activation", None)
    function = getattr(found, "activation", found)  # tfmot puts its own object around it
    if not hasattr(function, "__name__"):
        function = keras.activations.linear  # tfmot's sign that BatchNorm comes first
    try:
        if found is not None:
            inner.activation = function
        return type(inner).from_config(inner.get_config())
    finally:
        if found is not None:
            inner.activation = found


def _short(variable):
    return variable.name.split("/")[-1]


def _set_ranges(aware, model, images):
    """Set every range of the wrapped model: weights by themselves, activations by the images."""
    wanted = {}
    for layer in aware.layers:
        found = weight_quantizer(layer)
        if found is not None:
            kernel, quantizer, variables = found
            if hasattr(quantizer, "start"):
                quantizer.start(kernel, variables)
            else:
                quantizer(kernel, True, variables)
        for kind, (_, variables) in activation_quantizers(layer).items():
            wanted[_inner_name(layer), kind] = variables
    for key, (low, high) in _seen(model, list(wanted), images).items():
        wanted[key]["min_var"].assign(min(low, 0.0))
        wanted[key]["max_var"].assign(max(high, min(low, 0.0) + 1e-6))


def _inner_name(layer):
    return None if isinstance(layer, InputQuantizer) else layer.layer.name


def _seen(model, keys, images):
    """Smallest and largest value, over the images, of each (layer or None for the input, kind)."""
    twin, outputs = copied(model), []
    for name, kind in keys:
        layer = None if name is None else twin.get_layer(name)
        if layer is None:
            outputs.append(twin.inputs[0])
        elif kind == "output":
            outputs.append(layer.output)
        else:
            changes = {"activation": "linear", "name": f"before_{name}"}
            linear = type(layer).from_config({**layer.get_config(), **changes})
            outputs.append(linear(layer.input))
            linear.set_weights(layer.get_weights())
    probe = keras.Model(twin.inputs, outputs)
    extrema = []
    for start in range(0, len(images), 64):
        values = probe(images[start : start + 64], training=False)
        values = values if isinstance(values, list) else [values]
        extrema.append([(float(tf.reduce_min(x)), float(tf.reduce_max(x))) for x in values])
    lows, highs = np.array(extrema).transpose(2, 1, 0)
    return {key: (lows[i].min(), highs[i].max()) for i, key in enumerate(keys)}
