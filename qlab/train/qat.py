"""Quantization-aware training: a trained model learns on with its numbers rounded."""

import numpy as np

from qlab.train.door import keras, require_keras_2, tf
from qlab.train.qat_checks import calibration_floats, check_model, check_settings
from qlab.train.schemes import (
    KERNELS,
    BitsScheme,
    DefaultScheme,
    InputQuantizer,
    Wrapper,
    tfmot,
)


def quantization_aware(
    model,
    weight_bits=8,
    activation_bits=8,
    granularity="per-channel",
    calibration=None,
    logits_bits=8,
    weight_range="max",
):
    """Wrap a trained model so that further training feels the rounding.

    The copy rounds its weights and activations in the forward pass, while the gradient passes
    straight through [1]_. All ranges are set before the first step, from the weights and from
    calibration images, so that the accuracy before training is that of post-training
    quantization.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    weight_bits, activation_bits : int
        2 to 8. At 8 and 8 it is tfmot's default scheme (a Dense layer's weights then share one
        grid); else `BitsConfig` with symmetric narrow grids for weights.
    granularity : {"per-channel", "per-tensor"}
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        n from 1 to 1,024; by default ``qlab.data.calibration_images(128)``. float32 images are
        taken as they are.
    logits_bits : int
        Activation bits of the last layer with weights. The input stays at 8 bits.
    weight_range : {"max", "least-squares"}
        Whether a grid ends at the largest weight, as post-training quantization does, or is the
        one of least squared rounding error, which clips; that is what makes 2 bits work.

    Returns
    -------
    tf_keras.Model
        To be trained with `qlab.train.fit` and converted with `convert_quantized`.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it has a layer that cannot be trained so, or is already quantization-aware, or a
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
    check_settings(weight_bits, activation_bits, logits_bits, granularity, weight_range)
    check_model(model)
    images = calibration_floats(model, calibration)
    bits = {
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "per_channel": granularity == "per-channel",
        "weight_range": weight_range,
    }
    scheme = _scheme(model, bits, logits_bits)
    try:
        annotated = tfmot.quantization.keras.quantize_annotate_model(model)
        aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"tfmot cannot make this model quantization-aware: {error}. A BatchNormalization must "
            "follow directly on a Conv2D, DepthwiseConv2D or Dense layer without activation"
        ) from None
    set_ranges(aware, model, images)
    return aware


def float_twin(model):
    """Undo the wrapping: the float model that has a quantization-aware model's weights.

    Parameters
    ----------
    model : tf_keras.Model
        From `quantization_aware`, trained or not.

    Returns
    -------
    tf_keras.Model
        To be wrapped again at other bits, or converted.

    Raises
    ------
    ValueError
        If the model is not quantization-aware.
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


def _scheme(model, bits, logits_bits):
    if (*bits.values(), logits_bits) in ((8, 8, True, "max", 8), (8, 8, False, "max", 8)):
        return DefaultScheme(disable_per_axis=not bits["per_channel"])
    logits = [x.name for x in model.layers if type(x).__name__ in KERNELS][-1]
    return BitsScheme(bits, logits, logits_bits)


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


def set_ranges(aware, model, images):
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
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    outputs = []
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
