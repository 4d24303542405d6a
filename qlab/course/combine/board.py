"""A network of the learner's own on a board of 32 KB of flash and 16 KB of RAM."""

import numpy as np

import qlab
from qlab.lessons.exercises import Finding
from qlab.tflite.boards import FLASH_BYTES, RAM_BYTES
from qlab.tflite.graph import PACKED_BITS
from qlab.tflite.litemodel import LiteModel

LEAST = 0.88
CLOSE = 0.0006  # of two accuracies of one file: kernels differ by a few of 10,000 images


def fits_board():
    """Remove filters and units, train for one more epoch, and quantize; return file and score."""
    from qlab import train

    data = qlab.data.load()
    narrow = train.remove_filters(train.load("baseline"), {"conv1": 0.6, "dense1": 0.66})
    tuning = {"epochs": 1, "learning_rate": 2e-3, "schedule": "cosine"}
    train.fit(narrow, data.train.images, data.train.labels, **tuning, progress=False)
    floats = LiteModel(train.convert(narrow))
    small = qlab.Compressor(floats, qlab.data.calibration_images(128)).compress(qlab.Recipe())
    return small, _accuracy(small, data.validation)


def judge_fits_board(answer):
    """Hold a file against flash, RAM and accuracy, and the accuracy that was given against it."""
    try:
        file, said = answer
        said = float(said)
    except (TypeError, ValueError):
        problem = "This check needs a pair: a qlab.LiteModel, and its accuracy as a number."
        return Finding(problem, plain=True)
    if not isinstance(file, LiteModel):
        got = type(file).__name__
        return Finding(f"The first of the pair should be a qlab.LiteModel, and is {got}.", "bytes")
    report = qlab.micro(file)
    if report.runs is False:
        return Finding(f"TensorFlow Lite Micro does not run this file. {report.why}", plain=True)
    try:
        accuracy = _accuracy(file, qlab.data.load().validation)
    except ValueError as error:
        return Finding(f"This file cannot be scored: {error}", plain=True)
    return _held(file, report, accuracy, said)


def _held(file, report, accuracy, said):
    ram = report.arena_bytes or (report.activations_bytes or 0) + (report.unpacked_bytes or 0)
    found = (
        f"Flash {file.file_bytes:,} bytes (at most {FLASH_BYTES:,}), RAM {ram:,} bytes "
        f"({report.kind}, at most {RAM_BYTES:,}), accuracy {accuracy:.2%} on the validation images "
        f"(at least {LEAST:.0%})."
    )
    if mistake := _mistake(file, report, ram, accuracy):
        return Finding(found, mistake)
    if abs(said - accuracy) < CLOSE:
        return Finding(note=found)
    on_test = abs(said - _accuracy(file, qlab.data.load().test)) < CLOSE
    return Finding(f"You say {said:.4g}. {found}", "on_test" if on_test else "said")


def _mistake(file, report, ram, accuracy):
    """The first of the classic mistakes that a file shows; empty if it is as it should be."""
    large, deep = file.file_bytes > FLASH_BYTES, ram > RAM_BYTES
    if (report.runs and report.why) or (report.unpacked_bytes and deep):
        return "weights_only"
    if large or deep:
        weights = [x.weights for x in file.layers if x.weights is not None]
        return _why_too_large(file, weights) or ("large" if large else "deep")
    return "untrained" if accuracy < LEAST else ""


def _why_too_large(file, weights):
    if any(tensor.type in PACKED_BITS for tensor in file.parsed.subgraphs[0].tensors):
        return "four_bits"
    if weights and all(x.dtype == np.float32 for x in weights):
        return "floats"
    values = np.concatenate([x.ravel() for x in weights]) if weights else np.ones(1)
    if np.mean(values == 0) > 0.3:
        return "zeros"
    return "few_bits" if len(np.unique(max(weights, key=np.size))) <= 16 else ""


def _accuracy(file, split):
    return qlab.evaluate(file, split.images, split.labels).accuracy
