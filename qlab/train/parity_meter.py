"""The parity meter: whether LiteRT computes what the fake quantization in Keras promised."""

from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.results import Measurement
from qlab.tflite import runtime
from qlab.train.checks import as_floats
from qlab.train.fake_quantization import float_twin, require_aware
from qlab.train.keras2 import keras
from qlab.train.qat_conversion import float_file, matched

LOOKED_AT = 64  # images on which the layers are compared


@dataclass(frozen=True)
class LayerParity:
    """How far one layer's output in LiteRT is from Keras, at most, in steps of its grid."""

    name: str
    largest_steps: float


@dataclass(frozen=True)
class Parity:
    """What `parity` found: both scores, and the `LayerParity` of each layer of the file."""

    keras: Measurement
    lite: Measurement
    layers: tuple

    @property
    def difference(self):
        """float: accuracy in LiteRT minus accuracy in Keras."""
        return self.lite.accuracy - self.keras.accuracy


def parity(model, lite_model, images, labels):
    """Score a quantization-aware model in Keras and its file in LiteRT, and compare the layers.

    Parameters
    ----------
    model : tf_keras.Model
        A model from `quantization_aware`.
    lite_model : LiteModel
        What `convert_quantized` made of it.
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)

    Returns
    -------
    Parity
        ``keras`` and ``lite`` are the two Measurements, ``difference`` is the accuracy in LiteRT
        minus that in Keras, and ``layers`` says for each layer, on the first 64 images, how many
        steps of its grid the two are apart at most (``largest_steps``).

    Raises
    ------
    TypeError, ValueError
        If the model is not a quantization-aware Keras 2 model, or the images do not fit.

    Examples
    --------
    >>> import qlab
    >>> from qlab import train
    >>> test = qlab.data.load().test
    >>> aware = train.quantization_aware(train.load("baseline"), calibration=test.images[:16])
    >>> small = qlab.LiteModel(train.convert_quantized(aware))
    >>> abs(parity(aware, small, test.images[:500], test.labels[:500]).difference) < 0.01
    True
    """
    require_aware(model)
    lite = runtime.evaluate(lite_model, images, labels)
    layers = _layers(model, lite_model, images[:LOOKED_AT])
    return Parity(keras_score(model, images, labels), lite, layers)


def keras_score(model, images, labels):
    """Score a Keras model; it is `simulated`, because no integer runtime computed it."""
    batches = [as_floats(images[i : i + 500]) for i in range(0, len(images), 500)]
    classes = [np.argmax(model(x, training=False), axis=-1) for x in batches]
    return Measurement(np.concatenate(classes).astype(np.int64), labels, "simulated")


def _layers(model, lite_model, images):
    """Compare each layer of the file that some layer of Keras stands for, by their names."""
    twin = float_twin(model)
    source = float_file(twin)
    wrapped = dict(zip((x.name for x in twin.layers), model.layers, strict=True))
    stands_for = matched(source, twin)
    pairs = {
        x.name: wrapped[stands_for[x.output][-1]] for x in source.layers if stands_for[x.output]
    }
    found = [layer for layer in lite_model.layers if layer.name in pairs]
    given = keras.Model(model.inputs, [pairs[x.name].output for x in found])(as_floats(images))
    lines = []
    for layer, promised, (values, scale) in zip(
        found, given, _held(lite_model, found, images), strict=True
    ):
        steps = np.abs(np.asarray(promised) - values) / scale
        lines.append(LayerParity(layer.name, float(steps.max())))
    return tuple(lines)


def _held(lite_model, layers, images):
    """For each layer the real values of its output, and the step of their grid."""
    tensors = lite_model.parsed.subgraphs[0].tensors
    indices = [layer.output for layer in layers]
    parts = [values for _, values in runtime.activations(lite_model, images, indices)]
    for index, codes in zip(
        indices, (np.concatenate(x) for x in zip(*parts, strict=True)), strict=True
    ):
        grid = tensors[index].quantization
        if codes.dtype == np.float32:
            yield codes, 1.0
        else:
            scale, zero = float(grid.scale[0]), int(grid.zeroPoint[0])
            yield np.float32(scale) * (codes.astype(np.float32) - zero), scale
