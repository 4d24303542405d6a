"""What an explorer explores, and what it finds: the float model, and the files made from it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

import qlab
from qlab.arithmetic.metrics import sparsity
from qlab.arithmetic.results import Measurement
from qlab.data import Dataset, FashionMNIST, Split, is_fashion
from qlab.data.datasets import CHANNELS, shape_words
from qlab.data.doors import array, colours, label_row
from qlab.engine.recipes import Recipe
from qlab.system.steps import finished, mapped
from qlab.tflite import prefixes
from qlab.tflite.answers import class_count, require_classes
from qlab.tflite.litemodel import ModelError, require_lite_model
from qlab.tflite.pixels import FEWEST, FoundPixels, as_pixels
from qlab.tflite.runtime import require_fit
from qlab.tflite.sparse_encoding import sparse_file

LATENCY_RUNS = 50
PART = 1_000  # test images scored in a step
FIRST = 2_000  # images are scored before the others, in a hurry
REMEMBERED = 32
SHIPPED = 4  # models that ship, ready to be compressed, are kept for all explorers
CALIBRATION_SIZE = 128  # where nothing else is asked for


class of_the_file(cached_property):
    """A property of a trial's file: worked out once for all trials that are replaced by another."""

    def __get__(self, trial, owner=None):
        if trial is None:
            return self
        if self.attrname not in trial.known:
            trial.known[self.attrname] = self.func(trial)
        return trial.known[self.attrname]


@dataclass(frozen=True, eq=False)
class Trial:
    """A file and what was measured of it; everything else is worked out once, when it is asked for.

    >>> test = qlab.data.load().test
    >>> trial = subject(None, test.images[:50], test.labels[:50]).trial(qlab.Recipe(weight_bits=4))
    >>> trial.packed_bytes < trial.sizes.file_bytes, trial.comparison.n
    (True, 50)
    """

    recipe: Recipe | None  # None if no recipe can say how the file was made
    model: qlab.LiteModel | None  # None where so many are made that none is kept
    measurement: Measurement | None  # None if only the bytes are asked about
    # What it is compared with, on the same images; and what made it, for its `sizes`.
    reference: Measurement | None = field(default=None, repr=False)
    compressor: qlab.Compressor | None = field(default=None, repr=False)
    name: str = ""
    family: int = 1  # how many comparisons with a reference are shown at once
    known: dict = field(default_factory=dict, repr=False)  # of the file, whatever is measured

    def compared_with(self, other, family=1):
        """Comparison from another trial to this one, on the images that this one has."""
        return qlab.compare(other.measurement.first(self.measurement.n), self.measurement, family)

    @cached_property
    def comparison(self):
        """Comparison or None: from the reference to this file."""
        reference = self.reference and self.reference.first(self.measurement.n)
        return reference and qlab.compare(reference, self.measurement, self.family)

    @of_the_file
    def sizes(self):
        """Sizes of the file as it was scored."""
        return self.compressor.sizes(self.model, self.recipe)

    @of_the_file
    def latency(self):
        """Latency of the file, timed when this is first asked for."""
        return qlab.latency(self.model, runs=LATENCY_RUNS)

    @property
    def file_bytes(self):
        return self.model.file_bytes

    @property
    def gzip_bytes(self):
        return self.model.gzip_bytes

    @of_the_file
    def packed_bytes(self):
        """int: size of the file with weights of few bits stored several to a byte."""
        return self.model.packed_bytes

    @of_the_file
    def sparse(self):
        """LiteModel: a file of the same outputs that leaves the zeros out, if that is smaller."""
        return sparse_file(self.model)

    @property
    def sparse_bytes(self):
        """int: size of the file that leaves the zeros out."""
        return self.sparse.file_bytes

    @of_the_file
    def zeros(self):
        """dict of str to float: the share of each layer's stored weights that are zero."""
        return {name: round(sparsity(values), 4) for name, values in self._stored.items()}

    @of_the_file
    def different(self):
        """dict of str to int: how many different values each layer's stored weights have."""
        return {name: int(np.unique(values).size) for name, values in self._stored.items()}

    @property
    def _stored(self):
        return {x.name: x.weights for x in self.model.layers if x.weights is not None}


@dataclass(frozen=True, eq=False)
class Subject:
    """A float model, the engine that compresses it, and the images that score what comes out."""

    compressor: qlab.Compressor
    split: Split
    float_measurement: Measurement
    dataset: Dataset | None = None  # None for the course's, or if images alone were given
    found_pixels: FoundPixels | None = None  # if nobody had said how the model wants them

    @property
    def images(self):
        return self.split.images

    @property
    def labels(self):
        return self.split.labels

    @property
    def model(self):
        return self.compressor.model

    @property
    def calibration_size(self):
        """int: the usual number of calibration images, or as many as there are."""
        return min(CALIBRATION_SIZE, self.compressor.calibration_images)

    def score(self, model):
        """Measurement of any file on the subject's images."""
        return scored(model, self.split)

    @cached_property
    def class_names(self):
        """tuple of str: what the classes are called; numbers if nobody knows what is shown."""
        if self.dataset is None and (self.split.name or is_fashion(self.images)):
            return qlab.data.CLASS_NAMES
        if self.dataset is not None:
            return self.dataset.class_names
        answers = int(self.float_measurement.predictions.max()) + 1
        classes = class_count(self.model) or max(answers, int(np.max(self.labels)) + 1)
        return tuple(f"class {i}" for i in range(classes))

    @property
    def may_ask(self):
        """bool: whether it is scored on images of a data set, so that its test images are left."""
        return bool(self.split.name)

    def on(self, split):
        """The same model and engine, scored on other images."""
        return replace(self, split=split, float_measurement=scored(self.model, split))

    def trial(self, recipe):
        """Carry out a recipe, and measure what came out, here and now."""
        return finished(self.trying(recipe))

    def trying(self, recipe, hurry=False):
        """Do what `trial` does, in the steps of `scoring`."""
        model = self.compressor.compress(recipe)

        return self.measuring(
            Trial(recipe, model, None, self.float_measurement, self.compressor), hurry
        )

    def measuring(self, trial, hurry=False):
        """The steps of scoring the file of a trial: the trial with what is measured."""
        steps = self.scoring(trial.model, hurry)
        return mapped(lambda found: replace(trial, measurement=found), steps)

    def scoring(self, model, hurry=False):
        """Score a file in steps; in a hurry 2,000 images come first, and are yielded."""
        whole, called = len(self.labels), self.split.images_are

        def named(found):
            if found.n in (FIRST, whole):
                of = "" if found.n == whole else f"of {whole:,} "
                return replace(found, images_are=f"{of}{called}")
            return None

        each = FIRST if hurry else None
        return mapped(named, prefixes.scoring(model, self.images, self.labels, each))

    def is_whole(self, trial):
        """Whether a trial is on all images."""
        return trial.measurement.n == len(self.labels)

    def remembering(self):
        """Make a function like `trial` that remembers the latest 32 recipes, and has its steps."""
        return Remembering(self.trying)


class Remembering:
    """Does what its steps do, and remembers the latest 32 results."""

    def __init__(self, steps):
        self._steps, self._known = steps, {}

    def __call__(self, *asked):
        return finished(self.trying(*asked))

    def trying(self, *asked, hurry=False):
        """The steps of what is asked; none if its result is known."""
        found = self._known.pop(asked, None) or (yield from self._steps(*asked, hurry=hurry))
        self._known[asked] = found  # the latest last
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return found


@lru_cache(maxsize=1)
def course_data():
    """Dataset: Fashion-MNIST, which is taken where nobody gives another; read once."""
    return qlab.data.load()


def course_images():
    """Split: what explorers, exercises and fronts choose with."""
    return course_data().validation


def other_data(dataset):
    """The data set given; None if it is the course's, or none is given."""
    if dataset is not None and not isinstance(dataset, Dataset):
        raise TypeError(
            f"dataset is a {type(dataset).__name__}; give a qlab.Dataset, such as "
            "qlab.Dataset.from_arrays(images, labels) or qlab.Dataset.from_folder('photos/')"
        )
    return None if isinstance(dataset, FashionMNIST) else dataset


def require_course(dataset, instead):
    """Raise ValueError if models that ship would be scored on data that they never learned."""
    if (dataset := other_data(dataset)) is not None:
        raise ValueError(
            "The models compared here ship with the course and learned Fashion-MNIST, so they know "
            f"nothing of {dataset.name}. {instead}"
        )


def images_to_choose_with(images=None, labels=None, dataset=None):
    """Split: the images given, or those of the data set, which is the course's by default."""
    if images is not None or labels is not None:
        return Split(*own_pair(images, labels))
    return course_images() if dataset is None else dataset.validation


def misfit(model, dataset=None):
    """Why a data set, by default the course's, cannot score a model, in words; empty if it can."""
    try:
        require_classes(model)
    except ModelError as error:
        return str(error)
    dataset = dataset or FashionMNIST()
    shape, classes = model.picture_shape, class_count(model)
    there = len(dataset.class_names)
    try:
        require_fit(shape, (1, *dataset.image_shape))
        fits = classes in (None, there)
    except ValueError:
        fits = False
    if fits:
        return ""
    answers = "" if classes is None else f" and tells {classes} classes apart"
    remedy = colours(shape, dataset.image_shape)
    if len(shape) == 3 and shape[0] in CHANNELS and shape[2] not in (-1, *CHANNELS):
        remedy = (
            "; its channels come first, so convert it again with channels last, as onnx2tf does"
        )
    return (
        f"it takes images of {shape_words(shape).replace('-1', '?')}{answers}; {dataset.name} has "
        f"images of {shape_words(dataset.image_shape)} and {there} classes{remedy}"
    )


def sized(model, dataset=None):
    """The model for pictures as large as the data's if it leaves the size open, and they fit it."""
    if misfit(model, dataset):
        return model
    return qlab.runtime.of_size(model, (dataset or FashionMNIST()).image_shape)


def require_fits(model, dataset=None):
    """Raise ValueError, saying what would fit, unless a data set fits a model."""
    require_classes(model)
    if problem := misfit(model, dataset):
        remedy = (
            "give the data that it was made for: dataset=qlab.Dataset.from_arrays(images, labels), "
            "or .from_folder or .from_npz"
            if dataset is None
            else "give a model of such images and classes, or make the data set anew; from_folder "
            "scales pictures with size=(height, width), and class_names may name more classes"
        )
        raise ValueError(f"This model does not fit the data: {problem}. So {remedy}.")


def scored(model, split, score=prefixes.score, **how):
    """Measurement of a file on a split, by what is known of its layers, or by `qlab.evaluate`."""
    measured = score(model, split.images, split.labels, **how)
    return replace(measured, images_are=split.images_are)


def ready(model, split):
    """A model that knows how it wants its pixels, and how that was found, if it had to be."""
    require_lite_model(model)
    if model.pixels or len(split) < FEWEST or as_pixels(split.images)[1] is None:
        return model, None
    found = qlab.find_pixels(model, split.images, split.labels, split.images_are)
    return model.with_pixels(found.pixels), found


def asked(model, dataset=None):
    """Score a file on the test images; yield how far it is, and return the Measurement."""
    test, classes = (dataset or course_data()).test, []
    for start in range(0, len(test), PART):
        yield start, len(test), "test images scored"
        classes.append(qlab.predict(model, test.images[start : start + PART]))
    return Measurement(np.concatenate(classes), test.labels, images_are=test.images_are)


def own_pair(images, labels):
    """The images and labels that somebody gave, as arrays; None for both if neither is given."""
    if (images is None) != (labels is None):
        raise ValueError("images and labels belong together: give both, or neither")
    if images is None:
        return None, None
    images = array(images, "images")
    return images, label_row(labels, len(images), "labels")


def subject(model=None, images=None, labels=None, calibration_images=None, dataset=None):
    """A `Subject`; what is not given is the data set's, or the course's."""
    dataset = other_data(dataset)
    split = images_to_choose_with(images, labels, dataset)
    model = "baseline" if model is None else opened(model)
    given = images, calibration_images, dataset
    if isinstance(model, str) and all(x is None for x in given):
        return _shipped(model, split)
    return _build(model, split, calibration_images, dataset)


def opened(model):
    """The model in a `.tflite` file, if its path was given; anything else as it is."""
    is_path = isinstance(model, os.PathLike) or str(model).lower().endswith(".tflite")
    return qlab.LiteModel.from_file(model) if is_path else model


@lru_cache(maxsize=SHIPPED)
def _shipped(name, split):
    return _build(name, split)


def _build(model, split, calibration_images=None, dataset=None):
    """Load what is missing, calibrate, and score the float model."""
    model = qlab.pretrained(model) if isinstance(model, str) else model
    if calibration_images is None or split.name or dataset:
        require_fits(model, dataset)
    if calibration_images is None:
        calibration_images = _calibrating(split, dataset)
    model, pixels = ready(model, split)
    model = qlab.runtime.of_size(model, split.images.shape[1:])
    compressor = qlab.Compressor(model, calibration_images)
    return Subject(compressor, split, scored(model, split), dataset, pixels)


def _calibrating(split, dataset):
    """Training images to calibrate on; the course's only for images of the same kind."""
    if dataset is None and not split.name and not is_fashion(split.images):
        raise ValueError(
            "The images given are not of Fashion-MNIST, so its images cannot calibrate for them. "
            "Give dataset=, such as qlab.Dataset.from_arrays(images, labels), or else "
            "calibration_images=, a few hundred that the model was trained on."
        )
    return (dataset or course_data()).calibration_images()
