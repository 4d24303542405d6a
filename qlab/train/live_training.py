"""Quantization-aware training in small steps: what live training in a notebook is made of."""

import time
from dataclasses import dataclass, field

import numpy as np

from qlab import data
from qlab.arithmetic.results import Measurement
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.pixels import USUAL
from qlab.train.checks import checked_pair
from qlab.train.fake_quantization import quantization_aware, weight_quantizer
from qlab.train.fitting import BATCH_SIZE, LEARNING_RATE, compile_classifier, in_batches, rate
from qlab.train.model_files import load
from qlab.train.qat_conversion import convert_quantized

FRAMES = 4  # an epoch
BREATH = 0.2  # seconds of training between two looks at whether to go on
CALIBRATION_SIZE = 128


@dataclass(frozen=True, eq=False)
class Frame:
    """The model at one moment of its training."""

    epoch: float
    loss: float | None
    accuracy: float | None
    model: LiteModel
    measurement: Measurement
    weights: dict = field(repr=False)


def live_quantization_aware(weight_bits, images, labels, score, epochs=1):
    """Train the shipped baseline on, quantization-aware, and look at it each quarter epoch."""
    if not 0 < epochs < np.inf:
        raise ValueError(f"epochs must be above 0; got {epochs!r}")
    model = load("baseline")
    images, labels = checked_pair(model, images, labels)
    aware = quantization_aware(
        model,
        weight_bits,
        calibration=data.calibration_images(CALIBRATION_SIZE),
        weight_range="least-squares" if weight_bits == 2 else "max",
    )
    epoch = -(-len(images) // BATCH_SIZE)
    total = max(1, round(epochs * epoch))
    compile_classifier(aware, rate(LEARNING_RATE, "cosine", total))
    yield 0, total, _frame(aware, 0.0, None, score)
    yield from _train(aware, in_batches(images, labels, BATCH_SIZE, 0), epoch, total, score)


def _train(aware, batches, epoch, total, score):
    """Train batch by batch; pause often, and take a frame at each quarter of an epoch."""
    done, paused = 0, time.monotonic()
    while done < total:
        for x, y in batches:
            mean = aware.train_on_batch(x, y, reset_metrics=False)
            done += 1
            if done == total or done * FRAMES // epoch > (done - 1) * FRAMES // epoch:
                yield done, total, _frame(aware, done / epoch, mean, score)
                aware.reset_metrics()
            elif time.monotonic() - paused > BREATH or done == 1:
                yield done, total, None
            else:
                continue
            paused = time.monotonic()
            if done == total:
                return


def _frame(aware, epoch, mean, score):
    model = LiteModel(convert_quantized(aware), USUAL)  # packed is what the learner takes away
    loss, accuracy = (None, None) if mean is None else (float(value) for value in mean)
    return Frame(epoch, loss, accuracy, model, score(model), _weights(aware))


def _weights(aware):
    """Weights of each layer in steps of their grid, in float and rounded."""
    found = {}
    for layer in aware.layers:
        quantized = weight_quantizer(layer)
        if quantized is not None:
            kernel, quantizer, variables = quantized
            step = variables["max_var"].numpy() / (2 ** (quantizer.num_bits - 1) - 1)
            rounded = np.asarray(quantizer(kernel, False, variables)) / step
            found[layer.layer.name] = (kernel.numpy() / step).ravel(), rounded.ravel()
    return found
