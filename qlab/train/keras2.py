"""Keras 2 as `keras`, TensorFlow as `tf`, its optimization toolkit as `tfmot`: nothing is printed.

No other module imports TensorFlow or tf_keras. What the others ask of a Keras model is here too.
"""

import os
import warnings

import numpy as np

from qlab.system.output import quiet

REMEDY = (
    "this course needs Keras 2 (the package tf_keras), because TensorFlow's model-optimization "
    "toolkit refuses Keras 3. Write 'from qlab.train import keras' (or 'import tf_keras as keras') "
    "instead of 'import keras', and import qlab.train before anything touches 'tf.keras'"
)
STRIP = {"pruning": "strip_pruning", "clustering": "strip_clustering"}
_WRAPPERS = {  # how the names of tfmot's wrappers begin: tfmot need not be imported to see them
    "PruneLowMagnitude": "pruning",
    "ClusterWeights": "clustering",
    "Quantize": "quantization",
}


def _import_quietly():
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import tensorflow
        import tf_keras
        from tensorflow.lite.python.convert_phase import ConverterError

        tensorflow.get_logger().setLevel("ERROR")
        tensorflow.zeros(1) + 1  # the first op prints as well
        bound = str(getattr(tensorflow.keras, "__version__", "2"))
    if bound.startswith("3"):
        warnings.warn(
            f"'tf.keras' is already Keras {bound} in this kernel; {REMEDY}. "
            "qlab.train itself goes on with Keras 2.",
            stacklevel=3,
        )
    return tensorflow, tf_keras, ConverterError


tf, keras, ConverterError = _import_quietly()
KERNEL_LAYERS = (keras.layers.Conv2D, keras.layers.Dense)  # can be pruned and clustered
WHOLE = (keras.layers.BatchNormalization, keras.layers.DepthwiseConv2D)  # stay as they are


def __getattr__(name):
    """Import tfmot when it is first asked for, because that takes a second."""
    if name != "tfmot":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with quiet():
        import tensorflow_model_optimization as tfmot
    return globals().setdefault("tfmot", tfmot)


def require_keras_2(model):
    """Raise TypeError, in words, unless `model` is a Keras 2 model; ValueError without an input."""
    if not isinstance(model, keras.Model):
        kind = type(model)
        if kind.__module__.split(".")[0] == "keras":
            raise TypeError(f"this is a Keras 3 model ({kind.__name__}); {REMEDY}")
        raise TypeError(f"expected a Keras 2 model (tf_keras.Model), got {kind.__name__}")
    if model.inputs is None and isinstance(model, keras.Sequential) and model.layers:
        shape = getattr(model.layers[0], "input_shape", None)  # a Sequential in a Sequential
        if isinstance(shape, tuple):
            model(keras.Input(shape[1:]))
    if model.inputs is None:
        raise ValueError(
            "this model does not say its one input: begin it with keras.Input((28, 28, 1))"
        )
    if len(model.inputs) != 1:
        raise ValueError(
            f"this model has {len(model.inputs)} inputs ({', '.join(model.input_names)}), and qlab "
            "gives images to one: make a keras.Model of one of them, with the others in its layers"
        )


def technique(model):
    """What the layers of a model are wrapped for: a value of `_WRAPPERS`, or None."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found = technique(layer)
        else:
            names = [kind.__name__ for kind in type(layer).__mro__]
            found = next(
                (x for start, x in _WRAPPERS.items() if any(n.startswith(start) for n in names)),
                None,
            )
        if found:
            return found
    return None


def require_stripped(model, verb="convert"):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers that should be off."""
    require_keras_2(model)
    found = technique(model)
    if found in STRIP:
        raise ValueError(
            f"this model is still wrapped for {found}: strip it first, and {verb} what comes out: "
            f"train.{STRIP[found]}(model)"
        )


def require_bare(model, verb):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers; `verb` as in "prune"."""
    require_stripped(model, verb)
    if technique(model):
        raise ValueError(
            f"this model is quantization-aware: {verb} the float model it came from, or "
            "train.float_twin(model); train.convert_quantized(model) makes its integer file"
        )


def require_wrapped(model, wanted, wrapped_by):
    """Raise, in words, unless `model` is a Keras 2 model wrapped for `wanted`."""
    require_keras_2(model)
    found = technique(model)
    if found != wanted:
        state = "not wrapped" if found is None else f"wrapped for {found}"
        raise ValueError(
            f"this model is {state}, so there is nothing of {wanted} to strip: it was stripped "
            f"before, or never went through train.{wrapped_by}. Strip once, what you trained"
        )


def copied(model):
    """Another model of the same layers and weights, which shares nothing with the first."""
    twin = keras.models.clone_model(model)
    for new, old in zip(twin.weights, model.weights, strict=True):
        new.assign(old)
    return twin


def as_floats(images):
    """Images as a network takes them: uint8 divided by 255, float32 as they are."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def require_images(model, images, name, error=TypeError):
    """Return an array of images, or raise `error` or ValueError, in words, if it does not fit."""
    images = np.asarray(images)
    if images.dtype not in (np.uint8, np.float32):
        raise error(f"{name} must be uint8 or float32 (0 to 255, or 0 to 1), not {images.dtype}")
    wanted = tuple(model.input_shape[1:])
    if images.ndim != len(wanted) + 1 or images.shape[1:] != wanted:
        raise ValueError(f"{name} must have shape (n, {str(wanted)[1:-1]}), not {images.shape}")
    return images


def selected(model, layers, done, kinds=KERNEL_LAYERS):
    """Names of the layers to work on, or an error that names the layer that cannot be `done`."""
    able = {layer.name: type(layer) in kinds for layer in model.layers}
    fitting = [name for name, fits in able.items() if fits]
    words = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(layers, str):
        raise TypeError(f"layers is a list of names: say [{layers!r}]")
    if layers is None:
        for layer in model.layers:
            if layer.trainable_weights and type(layer) not in (*KERNEL_LAYERS, *WHOLE):
                raise ValueError(
                    f"layer {layer.name} is a {type(layer).__name__}, which cannot be {done}; only "
                    f"{words} can. Name the layers that should be: layers={fitting}"
                )
        layers = fitting
    for name in layers:
        if name not in able:
            raise ValueError(f"there is no layer {name!r}; there are: {', '.join(able)}")
        if not able[name]:
            kind = type(model.get_layer(name)).__name__
            raise ValueError(
                f"layer {name} is a {kind}, which cannot be {done} so; only {words} can: {fitting}"
            )
    if not layers:
        raise ValueError(f"no layer to be {done}: this needs a {words}, and the model has none")
    return list(dict.fromkeys(layers))
