"""Shipped models that were trained with a technique, beside their controls; scored when asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

import qlab
from qlab.arithmetic.results import Comparison, Measurement
from qlab.engine.recipes import Recipe
from qlab.tflite import artefacts

CALIBRATION_SIZE = 128


@dataclass(frozen=True, eq=False)
class Tuned:
    """What training with a technique gave, one model a seed, and its controls."""

    name: str
    seeds: tuple[int, ...]
    absent: float
    gzip_bytes: tuple[int, ...]
    measurements: tuple[Measurement, ...]
    controls: tuple[Measurement, ...]
    comparisons: tuple[Comparison, ...]
    settings: dict


class TunedModels:
    """Scores shipped models by LiteRT when first asked for them, and remembers."""

    def __init__(self, subject, tell=lambda done, total: None):
        """Nothing is scored yet."""
        self.subject, self.tell = subject, tell
        self._known, self._found = {}, {}

    def tuned(self, pattern, bits=32):
        """Score the families of models whose names match, and their controls."""
        if (pattern, bits) not in self._found:
            self._found[pattern, bits] = self._tuned(families(pattern), bits)
        return self._found[pattern, bits]

    def _tuned(self, found, bits):
        wanted = {x for files in found.values() for pair in files.values() for x in pair if x}
        missing = [x for x in sorted(wanted) if (x, bits) not in self._known]
        for done, name in enumerate(missing, 1):
            model = self.model(name, bits)
            measured = qlab.evaluate(model, self.subject.images, self.subject.labels)
            self._known[name, bits] = measured, model.gzip_bytes
            self.tell(done, len(missing))
        return tuple(self._family(name, files, bits) for name, files in found.items())

    def _family(self, name, files, bits):
        measured, sizes = zip(*(self._known[file, bits] for file, _ in files.values()), strict=True)
        controls = [self._known[control, bits][0] for _, control in files.values() if control]
        pairs = zip(controls, measured, strict=False)
        baseline = count_weights(qlab.pretrained("baseline"))
        left = np.mean([count_weights(qlab.pretrained(file)) for file, _ in files.values()])
        entry = artefacts.manifest()["files"][f"{next(iter(files.values()))[0]}.tflite"]
        return Tuned(
            name,
            tuple(files),
            float(1 - left / baseline),
            sizes,
            measured,
            tuple(controls),
            tuple(qlab.compare(*pair) for pair in pairs),
            entry["recipe"].get("settings", {}),
        )

    def model(self, name, bits=32):
        """A shipped model at these bits."""
        return quantized(qlab.pretrained(name), bits)


def families(pattern):
    """Shipped models by family and seed."""
    found = {}
    for file, entry in artefacts.manifest()["files"].items():
        match = re.fullmatch(rf"({pattern})-seed(\d+)\.tflite", file)
        if match:
            control = entry["recipe"].get("control", "").removesuffix(".tflite")
            found.setdefault(match[1], {})[int(match[2])] = file.removesuffix(".tflite"), control
    return found


def count_weights(model):
    """How many weights of a model are not zero."""
    return sum(int(np.count_nonzero(x.weights)) for x in model.layers if x.weights is not None)


def quantized(model, bits, calibration_images=None):
    """A float model at 8 bits, weights and activations; itself at 32."""
    if bits == 32:
        return model
    if calibration_images is None:
        calibration_images = qlab.data.calibration_images(CALIBRATION_SIZE)
    images = calibration_images[:CALIBRATION_SIZE]
    recipe = Recipe(weight_bits=bits, calibration_size=len(images))
    return qlab.Compressor(model, images).compress(recipe)
