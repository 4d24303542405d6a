"""TensorFlow's model-optimization toolkit as `tfmot`, imported after Keras 2 is in place."""

from qlab.system.quiet import quiet
from qlab.train import door  # noqa: F401  (Keras 2 must come first)

with quiet():
    import tensorflow_model_optimization as tfmot

__all__ = ["tfmot"]
