"""Sets of calibration images, good and bad, and several draws of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import qlab
from qlab.engine.recipes import LARGEST_CALIBRATION

IMAGES = ("random", "one class", "blank", "unscaled")


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw of calibration images, calibrated on."""

    name: str
    compressor: qlab.Compressor


class Pool:
    """Where calibration images are drawn from."""

    def __init__(self, model, draws, images=None):
        self.model, self.draws, self._own = model, draws, images is not None
        self.images = (
            qlab.data.calibration_images(LARGEST_CALIBRATION * draws) if images is None else images
        )
        self._classes = None

    def draw(self, kind, index):
        """Images of one draw."""
        if kind == "one class":
            return self._one_class(index)
        if kind == "blank":
            return "blank", np.zeros_like(self.images[:LARGEST_CALIBRATION])
        images = self._random(index)
        if kind == "unscaled":
            images = (
                images.astype(np.float32) if images.dtype == np.uint8 else images * np.float32(255)
            )
        return f"draw {index + 1}", images

    def count(self, kind):
        """How many draws differ: blank images are all alike."""
        return 1 if kind == "blank" else self.draws

    def _random(self, index):
        """The first draw of a learner's images keeps their order."""
        if not self._own:
            return self.images[index * LARGEST_CALIBRATION : (index + 1) * LARGEST_CALIBRATION]
        order = np.random.default_rng(index).permutation(len(self.images)) if index else slice(None)
        return self.images[order][:LARGEST_CALIBRATION]

    def _one_class(self, index):
        """Images of one class: every second garment, or what the float model takes for one."""
        if not self._own:
            garment = qlab.data.CLASS_NAMES[(2 * index + 1) % 10]
            return garment, qlab.data.calibration_images(LARGEST_CALIBRATION, classes=garment)
        if self._classes is None:
            self._classes = qlab.predict(self.model, self.images)
        found, counts = np.unique(self._classes, return_counts=True)
        if index >= len(found):
            raise ValueError(
                f"the calibration images are of {len(found)} classes, and {self.draws} draws of "
                "one class each need as many; give more images, or ask for fewer draws"
            )
        chosen = found[np.argsort(-counts, kind="stable")[index]]
        return f"class {chosen}", self.images[self._classes == chosen][:LARGEST_CALIBRATION]
