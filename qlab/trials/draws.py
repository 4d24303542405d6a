"""Sets of calibration images, good and bad, and what files calibrated on several draws can do."""

from dataclasses import dataclass

import numpy as np

import qlab
from qlab.engine.recipes import LARGEST_CALIBRATION
from qlab.tflite.graph import DTYPES
from qlab.trials.subjects import Subject, Trial


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw of calibration images, and the subject calibrated on it."""

    name: str
    subject: Subject


@dataclass(frozen=True, eq=False)
class Calibration:
    """One recipe carried out on each draw of calibration images: a trial a draw."""

    images: str
    layer: str
    names: tuple[str, ...]
    trials: tuple[Trial, ...]
    ranges: tuple[tuple[float, float], ...]

    @property
    def recipe(self):
        """Recipe of all draws."""
        return self.trials[0].recipe

    @property
    def measurements(self):
        return tuple(x.measurement for x in self.trials)

    @property
    def comparisons(self):
        """tuple of Comparison: from the float model to each draw's file."""
        return tuple(x.comparison for x in self.trials)

    @property
    def accuracies(self):
        return tuple(x.measurement.accuracy for x in self.trials)

    @property
    def input_ranges(self):
        """tuple of (float, float): the real values that each file's input can hold."""
        return tuple(input_range(x.model) for x in self.trials)

    @property
    def middle(self):
        """int: which draw has the middle accuracy."""
        return int(np.argsort(self.accuracies, kind="stable")[len(self.names) // 2])

    @property
    def spread(self):
        """float: accuracy of the best draw minus that of the worst."""
        return max(self.accuracies) - min(self.accuracies)

    @property
    def setting(self):
        """(str, str, int): images, observer, activation bits; what a row of the trail is of."""
        return self.images, self.recipe.observer, self.recipe.activation_bits


def input_range(model):
    """Real values that a file's integer input can hold; whole pixels if it has no scale."""
    tensor = _input(model)
    limits, grid = np.iinfo(DTYPES[tensor.type]), tensor.quantization
    scale, zero_point = (1, 0) if model.takes_pixels else (grid.scale[0], int(grid.zeroPoint[0]))
    low, high = float(scale) * (np.array([limits.min, limits.max]) - zero_point)
    return float(low), float(high)


def _input(model):
    graph = model.parsed.subgraphs[0]
    return graph.tensors[int(graph.inputs[0])]


class Pool:
    """Where calibration images are drawn from."""

    def __init__(self, model, draws, images=None, dataset=None):
        self.model, self.draws, self._given = model, draws, images is not None
        self._own, self.dataset = self._given or dataset is not None, dataset
        if images is None and dataset is None:
            images = qlab.data.calibration_images(LARGEST_CALIBRATION * draws)
        self.images = dataset.calibration_images(len(dataset.train)) if images is None else images
        self._classes = None

    def draw(self, kind, index):
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
        if self.dataset is not None and not self._given:
            return self._named_class(index)
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

    def _named_class(self, index):
        """Images of one class of a data set."""
        names = self.dataset.class_names
        if index >= len(names):
            raise ValueError(
                f"{self.dataset.name} has {len(names)} classes, and {self.draws} draws of one "
                "class each need as many; ask for fewer draws"
            )
        return names[index], self.dataset.calibration_images(classes=index)
