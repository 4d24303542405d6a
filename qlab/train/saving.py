"""Keras models in files, written whole or not at all."""

import contextlib
import importlib
import os
import tempfile
import zipfile
from pathlib import Path

from qlab.system.quiet import quiet
from qlab.tflite import artefacts
from qlab.train.door import keras, require_keras_2

_WRAPPERS = {  # and which module of this room has the scope that knows them
    "QuantizeWrapper": "schemes",
    "PruneLowMagnitude": "pruning_wrapper",
    "ClusterWeights": "clustering_wrapper",
}


def save(model, path):
    """Write a model, without its optimizer, to a ``.keras`` file.

    The file is written beside its place and then moved there, so that whatever goes wrong, the
    file that was there before stays whole.

    Parameters
    ----------
    model : tf_keras.Model
    path : path
        Ends in ``.keras``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If the name does not end in ``.keras``.
    """
    require_keras_2(model)
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"a Keras model goes into a file that ends in .keras, not {path.name}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as work:
        part = Path(work) / path.name
        with _scope(model), quiet():
            bare = keras.models.clone_model(model)
            bare.set_weights(model.get_weights())
            bare.save(part)
        os.replace(part, path)
    return path


def load(name):
    """Load a Keras model: one that ships with qlab, by its name, or a ``.keras`` file.

    Parameters
    ----------
    name : str or path
        Such as "baseline", or the path of a file that `save` wrote.

    Returns
    -------
    tf_keras.Model
        Not compiled; `fit` compiles it.

    Raises
    ------
    qlab.artefacts.ArtefactError
        If the shipped file is missing or altered, or no model of that name ships.
    ValueError
        If the file is not a Keras model.

    Examples
    --------
    >>> from qlab import train
    >>> train.load("baseline").output_shape
    (None, 10)
    """
    path = Path(name)
    if path.suffix != ".keras":
        path = artefacts.path(f"{name}.keras")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with _scope(path), quiet():
            model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path.name} cannot be loaded as a Keras 2 model: {error}") from None
    for layer in model.layers:
        if hasattr(layer, "settle"):  # a wrapper that keeps more than its variables
            layer.settle()
    return model


def _scope(what):
    """Scope that knows tfmot's wrappers, for a model or file that has some; else an empty one."""
    if isinstance(what, Path):
        with zipfile.ZipFile(what) as file:
            names = file.read("config.json").decode(errors="replace")
    else:
        names = " ".join(type(layer).__name__ for layer in what.layers)
    found = [module for name, module in _WRAPPERS.items() if name in names]
    with contextlib.ExitStack() as stack:
        for module in found:  # only now: tfmot takes a second to import
            stack.enter_context(importlib.import_module(f"qlab.train.{module}").scope())
        return stack.pop_all()
