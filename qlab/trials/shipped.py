"""Shipped models that were trained with a technique, beside their controls; scored when asked."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import qlab
from qlab.engine.recipes import Recipe
from qlab.tflite import artefacts
from qlab.trials.subjects import CALIBRATION_SIZE, Trial


@dataclass(frozen=True, eq=False)
class Tuned:
    """What training with a technique gave: one trial a seed, compared with their controls."""

    name: str
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    absent: float
    settings: dict
    families: int = 1  # how many such families are shown at once

    @property
    def gzip_bytes(self):
        return tuple(x.gzip_bytes for x in self.trials)

    @property
    def measurements(self):
        return tuple(x.measurement for x in self.trials)

    @property
    def controls(self):
        """tuple of Measurement: of each file's control; empty if the family has none."""
        return tuple(x.reference for x in self.trials if x.reference)

    @cached_property
    def comparison(self):
        """Comparison over all seeds, from the controls to the files; None without controls."""
        if self.controls:
            return qlab.compare(self.controls, self.measurements, self.families)
        return None


class TunedModels:
    """Scores shipped models by LiteRT when first asked for them, and remembers."""

    def __init__(self, subject, progress=lambda done, total: None):
        self.subject, self.progress = subject, progress
        self._scored, self._tuned = {}, {}

    def tuned(self, pattern, bits=32):
        """Score the families of models whose names match, and their controls."""
        if (pattern, bits) not in self._tuned:
            found = families(pattern)
            wanted = {x for files in found.values() for pair in files.values() for x in pair if x}
            missing = [x for x in sorted(wanted) if (x, bits) not in self._scored]
            for done, name in enumerate(missing, 1):
                model = self.model(name, bits)
                self._scored[name, bits] = model, self.subject.score(model)
                self.progress(done, len(missing))
            self._tuned[pattern, bits] = tuple(
                self._family(name, files, bits, len(found)) for name, files in found.items()
            )
        return self._tuned[pattern, bits]

    def _family(self, name, files, bits, families):
        trials = tuple(self._trial(*pair, bits) for pair in files.values())
        left = np.mean([count_weights(qlab.pretrained(x.name)) for x in trials])
        absent = float(1 - left / count_weights(qlab.pretrained("baseline")))
        recipe = artefacts.manifest()["files"][f"{trials[0].name}.tflite"]["recipe"]
        return Tuned(name, tuple(files), trials, absent, recipe.get("settings", {}), families)

    def _trial(self, name, control, bits):
        reference = self._scored[control, bits][1] if control else None
        return Trial(None, *self._scored[name, bits], reference, name=name)

    def model(self, name, bits=32):
        return quantized(qlab.pretrained(name), bits)


def families(pattern):
    """Shipped models by family and seed."""
    found = {}
    for file, entry in artefacts.manifest()["files"].items():
        match = re.fullmatch(rf"({pattern})-seed(\d+)\.tflite", file)
        if match:
            control = entry.get("control", "").removesuffix(".tflite")
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
