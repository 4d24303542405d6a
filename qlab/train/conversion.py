"""Keras model in, .tflite bytes out: the converter's five modes."""

import io
import logging
import threading
from contextlib import nullcontext, redirect_stdout

import numpy as np

from qlab.system.quiet import quiet
from qlab.train.door import ConverterError, tf
from qlab.train.wrapped import require_bare

MODES = ("float32", "float16", "dynamic-range", "int8", "int16x8")


def convert(model, mode="float32", calibration=None):
    """Convert a Keras model with ``tf.lite.TFLiteConverter``.

    Parameters
    ----------
    model : tf_keras.Model
    mode : {"float32", "float16", "dynamic-range", "int8", "int16x8"}
        "float16" stores weights as float16; "dynamic-range" stores int8 weights and quantizes
        activations while it runs; "int8" and "int16x8" fix the ranges of the activations (of 8
        and 16 bits) beforehand, from `calibration`. The int8 file takes and gives int8 tensors,
        the int16x8 file int16 tensors, all others float32.
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        The calibration set, given to TFLite as its representative dataset, divided by 255.
        float32 images are taken as they are. Needed by "int8" and "int16x8".

    Returns
    -------
    bytes
        The content of a .tflite file.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model, or the calibration images have another dtype.
    ValueError
        If the model is still wrapped for pruning or clustering or is quantization-aware, the mode
        is unknown, calibration
        images are missing or of the wrong shape, or the converter refuses the model.

    Examples
    --------
    >>> from qlab import train
    >>> data = train.convert(train.baseline(), "float16")
    >>> data[4:8]
    b'TFL3'
    """
    require_bare(model, "convert")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
    if mode in ("int8", "int16x8"):
        calibration = _checked(model, mode, calibration)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode in ("int8", "int16x8"):
        _fix_ranges(converter, mode, calibration)
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        with quiet(), _no_output():
            return converter.convert()
    except ConverterError as error:
        raise ValueError(f"TFLiteConverter refuses this model as {mode}: {error}") from None


def _no_output():
    """Nothing on ``sys.stdout``, which all threads share: live training leaves it to the cells."""
    main = threading.current_thread() is threading.main_thread()
    return redirect_stdout(io.StringIO()) if main else nullcontext()


def _fix_ranges(converter, mode, calibration):
    scale = np.float32(255 if calibration.dtype == np.uint8 else 1)
    converter.representative_dataset = lambda: (
        [image[None].astype(np.float32) / scale] for image in calibration
    )
    ops = tf.lite.OpsSet
    kind, dtype = {
        "int8": (ops.TFLITE_BUILTINS_INT8, tf.int8),
        "int16x8": (
            ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            tf.int16,
        ),
    }[mode]
    converter.target_spec.supported_ops = [kind]
    converter.inference_input_type = converter.inference_output_type = dtype


def _checked(model, mode, calibration):
    if calibration is None:
        raise ValueError(
            f"{mode} needs calibration images to find the ranges of the activations: "
            f"convert(model, {mode!r}, qlab.data.calibration_images(128))"
        )
    calibration = np.asarray(calibration)
    if calibration.dtype not in (np.uint8, np.float32):
        raise TypeError(f"calibration must be uint8 or float32 images, not {calibration.dtype}")
    wanted = tuple(model.input_shape[1:])
    if calibration.ndim != len(wanted) + 1 or calibration.shape[1:] != wanted:
        raise ValueError(
            f"calibration must have shape (n, {str(wanted)[1:-1]}), not {calibration.shape}"
        )
    if not len(calibration):
        raise ValueError("calibration is empty: at least one image is needed")
    return calibration
