"""The one door to TensorFlow: Keras 2 as `keras`, TensorFlow as `tf`, and nothing printed."""

import os
import warnings

from qlab.system.quiet import quiet

REMEDY = (
    "this course needs Keras 2 (the package tf_keras), because TensorFlow's model-optimization "
    "toolkit refuses Keras 3. Write 'from qlab.train import keras' (or 'import tf_keras as keras') "
    "instead of 'import keras', and import qlab.train before anything touches 'tf.keras'"
)


def _open():
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


tf, keras, ConverterError = _open()


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
    if model.inputs is None or len(model.inputs) != 1:
        raise ValueError(
            "this model does not say its one input: begin it with keras.Input((28, 28, 1))"
        )
