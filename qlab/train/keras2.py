"""Keras 2 as `keras`, TensorFlow as `tf`, its optimization toolkit as `tfmot`: nothing is printed.

No other module imports TensorFlow or tf_keras.
"""

import os
import warnings

from qlab.system.output import quiet

REMEDY = (
    "this course needs Keras 2 (the package tf_keras), because TensorFlow's model-optimization "
    "toolkit refuses Keras 3. Write 'from qlab.train import keras' (or 'import tf_keras as keras') "
    "instead of 'import keras', and import qlab.train before anything touches 'tf.keras'"
)
KERAS_JSON = (
    "your file keras.json asks for channels_first or for another number than float32. qlab.train "
    "has set channels_last and float32 for this kernel, because the course's networks and images "
    'are so; to keep it, write "image_data_format": "channels_last" and "floatx": "float32" there'
)


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
    settings = tf_keras.backend
    if (settings.image_data_format(), settings.floatx()) != ("channels_last", "float32"):
        settings.set_image_data_format("channels_last")
        settings.set_floatx("float32")
        warnings.warn(KERAS_JSON, stacklevel=3)
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


def copied(model):
    """Another model of the same layers and weights, which shares nothing with the first."""
    twin = keras.models.clone_model(model)
    for new, old in zip(twin.weights, model.weights, strict=True):
        new.assign(old)
    return twin
