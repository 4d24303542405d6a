"""What quantization-aware training accepts, and what it says of the rest."""

import numpy as np

from qlab.engine.recipes import LARGEST_CALIBRATION
from qlab.train.schemes import KERNELS, WEIGHT_RANGES, Annotation, InputQuantizer, Wrapper
from qlab.train.wrapped import require_stripped

BITS = tuple(range(2, 9))
GRANULARITIES = ("per-channel", "per-tensor")
KNOWN = (
    "InputLayer", *KERNELS, "BatchNormalization", "ReLU", "Activation", "Softmax", "MaxPooling2D",
    "AveragePooling2D", "GlobalAveragePooling2D", "Add", "Concatenate", "Flatten", "Reshape",
    "ZeroPadding2D", "Dropout",
)  # fmt: skip
FUSED = ("linear", "relu", "tanh", "sigmoid", "softmax")


def check_settings(weight_bits, activation_bits, logits_bits, granularity, weight_range):
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


def check_model(model):
    """Raise, naming the layer and what to do, unless tfmot and the lowering know the model."""
    require_stripped(model, "train")
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
    if not any(type(layer).__name__ in KERNELS for layer in model.layers):
        raise ValueError(f"this model has no weights to round; give it one of {', '.join(KERNELS)}")


def calibration_floats(model, images):
    """Calibration images as float32 in [0, 1], or an error in words."""
    if images is None:
        from qlab import data

        images = data.calibration_images(128)
    images = np.asarray(images)
    if images.dtype not in (np.uint8, np.float32):
        raise ValueError(f"calibration must be uint8 or float32 images, not {images.dtype}")
    wanted = tuple(model.input_shape[1:])
    if images.ndim != len(wanted) + 1 or images.shape[1:] != wanted:
        raise ValueError(
            f"calibration must have shape (n, {str(wanted)[1:-1]}), not {images.shape}"
        )
    if not 1 <= len(images) <= LARGEST_CALIBRATION:
        raise ValueError(
            f"there are {len(images)} calibration images; give 1 to {LARGEST_CALIBRATION}, such as "
            "qlab.data.calibration_images(128)"
        )
    return images / np.float32(255) if images.dtype == np.uint8 else images
