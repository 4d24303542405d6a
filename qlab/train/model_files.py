"""Keras models into files and out of them: the converter's five modes, and `.keras` files."""

import contextlib
import importlib
import io
import logging
import os
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from qlab.data.datasets import to_calibrate
from qlab.system.output import quiet
from qlab.tflite import artefacts
from qlab.train.checks import (
    require_bare,
    require_calibration,
    require_full_precision,
    require_keras_2,
    require_not_recurrent,
)
from qlab.train.keras2 import ConverterError, copied, keras, tf

MODES = ("float32", "float16", "dynamic-range", "int8", "int16x8")
FIXED_RANGES = {  # modes that need a calibration set: the operators they may use, and their dtype
    "int8": (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
    "int16x8": (
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.int16,
    ),
}
OTHERS = {  # files that are taken for a `.keras` file, and what reads them
    ".tflite": "a .tflite file holds no layers to train, and qlab.LiteModel.from_file('{}') reads "
    "it to score and compress it",
    **dict.fromkeys(
        (".h5", ".hdf5"), "keras.models.load_model('{}') reads an older one, and train.save keeps "
        "it as .keras",
    ),
}  # fmt: skip
UNREADABLE = (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile)
WRAPPERS = {  # of tfmot, and which module of this room has the scope in which Keras can load them
    "QuantizeWrapper": "quantizers",
    "PruneLowMagnitude": "sparse_training",
    "ClusterWeights": "clustered_training",
}


def convert(model, mode="float32", calibration=None, dataset=None):
    """Convert a Keras model with ``tf.lite.TFLiteConverter``.

    Parameters
    ----------
    model : tf_keras.Model
    mode : {"float32", "float16", "dynamic-range", "int8", "int16x8"}
        "float16" stores the weights as float16. "dynamic-range" stores int8 weights and quantizes
        activations while it runs. "int8" and "int16x8" fix the ranges of the activations, which
        have 8 and 16 bits, beforehand from `calibration`. The int8 file takes and gives int8
        tensors, the int16x8 file int16 tensors, and all others float32.
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        The calibration set, which "int8" and "int16x8" need. TFLite gets it, divided by 255, as
        its representative dataset. float32 images are taken as they are.
    dataset : qlab.Dataset, optional
        Gives 128 calibration images, unless they are given.

    Returns
    -------
    bytes
        The content of a ``.tflite`` file.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model, or the calibration images have another dtype.
    ValueError
        If the model is still wrapped for pruning or clustering or is quantization-aware, the mode
        is unknown, calibration images are missing or of the wrong shape, or the converter refuses
        the model.

    Examples
    --------
    >>> from qlab import train
    >>> data = train.convert(train.baseline(), "float16")
    >>> data[4:8]
    b'TFL3'
    """
    require_bare(model, "convert", several_inputs=mode not in FIXED_RANGES)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
    require_full_precision(model)
    if mode in FIXED_RANGES:
        require_not_recurrent(model, mode)
        calibration = _calibration(model, mode, to_calibrate(dataset, calibration))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode in FIXED_RANGES:
        operators, dtype = FIXED_RANGES[mode]
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
        converter.target_spec.supported_ops = [operators]
        converter.inference_input_type = converter.inference_output_type = dtype
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        with quiet(), _no_output():
            return converter.convert()
    except ConverterError as error:
        if "element_shape to be static" in str(error):
            raise ValueError(
                "TFLiteConverter takes a recurrent layer for one image at a time only: begin the "
                "model with keras.Input(shape, batch_size=1), and set the trained weights"
            ) from None
        raise ValueError(f"TFLiteConverter refuses this model as {mode}: {error}") from None


def _no_output():
    """Nothing on ``sys.stdout``, which all threads share: live training leaves it to the cells."""
    main = threading.current_thread() is threading.main_thread()
    return contextlib.redirect_stdout(io.StringIO()) if main else contextlib.nullcontext()


def _calibration(model, mode, images):
    """The calibration set as the model's input takes it, or an error in words."""
    if images is None:
        raise ValueError(
            f"{mode} needs calibration images to find the ranges of the activations: "
            f"convert(model, {mode!r}, qlab.data.calibration_images(128)), or with dataset="
        )
    return require_calibration(model, images).astype(model.inputs[0].dtype.as_numpy_dtype)


def save(model, path):
    """Write a model, without its optimizer, to a ``.keras`` file.

    The file is written next to its place and then moved there, so that the file that was there
    before stays whole if anything goes wrong.

    Parameters
    ----------
    model : tf_keras.Model
    path : path
        The name must end in ``.keras``.

    Returns
    -------
    pathlib.Path
        Where the file is.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    OSError
        If the file cannot be written, or the clock stands before 1980.
    ValueError
        If the name does not end in ``.keras``, or the file could not be loaded again, as with a
        Lambda layer.
    """
    require_keras_2(model)
    _require_clock()
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"a Keras model goes into a file that ends in .keras, not {path.name}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as work:
        part = Path(work) / path.name
        with _scope(model), quiet():
            copied(model).save(part)  # without the optimizer
        try:
            _loaded(part)
        except UNREADABLE as error:
            raise ValueError(
                f"{path.name} is not written, because nobody could load it again: {error}. Build "
                "the model from keras.layers, without a Lambda or a layer of your own"
            ) from None
        os.replace(part, path)
    return path


def _require_clock():
    now = time.localtime()
    if now.tm_year < 1980:
        raise OSError(
            f"this computer's clock says {time.strftime('%Y-%m-%d', now)}, and a .keras file is a "
            "zip file, which cannot hold a time before 1980: set the clock, and save again"
        )


def load(name):
    """Load a Keras model: one that ships with qlab, by its name, or a ``.keras`` file.

    Parameters
    ----------
    name : str or path
        The name of a model that ships, such as "baseline", or the path of a file from `save`.

    Returns
    -------
    tf_keras.Model
        It is not compiled; `fit` compiles it.

    Raises
    ------
    qlab.artefacts.ArtefactError
        If the shipped file is missing or altered, or no model of that name ships.
    FileNotFoundError
        If there is no file at this path.
    ValueError
        If the file is not a Keras 2 model.

    Examples
    --------
    >>> from qlab import train
    >>> train.load("baseline").output_shape
    (None, 10)
    """
    path = Path(name)
    if path.suffix in OTHERS:
        raise ValueError(f"train.load reads .keras files; {OTHERS[path.suffix].format(path)}")
    if path.suffix != ".keras":
        path = artefacts.path(f"{name}.keras")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        model = _loaded(path)
    except UNREADABLE as error:
        raise ValueError(f"{path.name} cannot be loaded as a Keras 2 model: {error}") from None
    for layer in model.layers:
        if hasattr(layer, "settle"):  # a wrapper that keeps more than its variables
            layer.settle()
    return model


def _loaded(path):
    with _scope(path), quiet():
        return keras.models.load_model(path, compile=False)


def _scope(what):
    """Scope that knows tfmot's wrappers, for a model or file that has some; else an empty one."""
    if isinstance(what, Path):
        with zipfile.ZipFile(what) as file:
            names = file.read("config.json").decode(errors="replace")
    else:
        names = " ".join(type(layer).__name__ for layer in what.layers)
    found = [module for name, module in WRAPPERS.items() if name in names]
    with contextlib.ExitStack() as stack:
        for module in found:  # only now: tfmot takes a second to import
            stack.enter_context(importlib.import_module(f"qlab.train.{module}").scope())
        return stack.pop_all()
