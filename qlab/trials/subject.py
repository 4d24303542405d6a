"""What an explorer explores: a float model, the images it is scored on, and the engine for both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import qlab
from qlab.arithmetic.results import Comparison, Latency, Measurement, Sizes
from qlab.engine.recipes import Recipe

LATENCY_RUNS = 50


@dataclass(frozen=True, eq=False)
class Trial:
    """One recipe carried out and measured."""

    recipe: Recipe
    model: qlab.LiteModel
    measurement: Measurement
    comparison: Comparison
    sizes: Sizes
    latency: Latency


@dataclass(frozen=True, eq=False)
class Subject:
    """A float model with the images to score it on."""

    compressor: qlab.Compressor
    images: np.ndarray
    labels: np.ndarray
    float_measurement: Measurement

    @property
    def model(self):
        """LiteModel: the float model."""
        return self.compressor.model

    def trial(self, recipe):
        """Carry out a recipe and measure what came out, here and now."""
        model = self.compressor.compress(recipe)
        measurement = qlab.evaluate(model, self.images, self.labels)
        return Trial(
            recipe,
            model,
            measurement,
            qlab.compare(self.float_measurement, measurement),
            self.compressor.sizes(model, recipe),
            qlab.latency(model, runs=LATENCY_RUNS),
        )


def subject(model=None, images=None, labels=None, calibration_images=None):
    """Whatever is not given is the course's: the shipped baseline, the 10,000 test images."""
    if all(given is None for given in (model, images, labels, calibration_images)):
        return _baseline()
    if (images is None) != (labels is None):
        raise ValueError("images and labels belong together: give both, or neither")
    return _build(model, images, labels, calibration_images)


@lru_cache(maxsize=1)
def _baseline():
    return _build(None, None, None, None)


def _build(model, images, labels, calibration_images):
    """Load what is missing, calibrate, and score the float model."""
    model = qlab.pretrained("baseline") if model is None else model
    if images is None:
        test = qlab.data.load().test
        images, labels = test.images, test.labels
    if calibration_images is None:
        calibration_images = qlab.data.calibration_images()
    compressor = qlab.Compressor(model, calibration_images)
    return Subject(compressor, images, labels, qlab.evaluate(model, images, labels))
