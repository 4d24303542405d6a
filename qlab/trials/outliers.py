"""What loud channels do to all others: multiplied in one layer, divided again in the next."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

import qlab
from qlab.engine.recipes import Recipe, recipe_dict
from qlab.tflite import runtime
from qlab.tflite.transforms import channel_ranges, equalizable_pairs, equalize, rescale
from qlab.trials.subjects import Subject, Trial, scored

REMEMBERED = 16  # rescaled models: the eight factors of the slider, equalized and not


class Rescaling(NamedTuple):
    """How the float model is changed before it is quantized."""

    first_layer: str
    factor: int
    loud_channels: int  # the first ones of the layer
    equalized: bool


class Channels(NamedTuple):
    """What one tensor holds by channel, and the grid that it is stored on."""

    ranges: np.ndarray  # largest magnitude
    step_sizes: np.ndarray  # (3, channels): the finest, the middle and the coarsest of its grids
    steps: np.ndarray  # how many lie between zero and the largest magnitude


class Ranges(NamedTuple):
    """Largest magnitude of each channel, in three places."""

    out_of_first: np.ndarray
    between: np.ndarray
    into_second: np.ndarray


@dataclass(frozen=True, eq=False)
class Rescaled:
    """A rescaled float model, calibrated anew, and how far its channels reach."""

    subject: Subject
    ranges: Ranges


@dataclass(frozen=True, eq=False, kw_only=True)
class OutlierTrial(Trial):
    """A file made from a rescaled model; `loud` marks the channels that were multiplied."""

    rescaling: Rescaling
    second_layer: str
    loud: np.ndarray
    same_predictions: int  # of the float model, before and after it was rescaled
    out_of_first: Channels
    between: Channels
    into_second: Channels

    @property
    def described(self):
        """dict: how the file was made, for the board."""
        return recipe_dict(self.recipe) | self.rescaling._asdict()


class Rescaler:
    """One float model, rescaled in many ways; each way is calibrated and scored once."""

    def __init__(self, subject, calibration_images):
        self.subject, self._images = subject, calibration_images[: subject.calibration_size]
        self.pairs = {first.name: second.name for first, second in equalizable_pairs(subject.model)}
        self.rescaled = lru_cache(REMEMBERED)(self._rescaled)
        self.untouched = lru_cache(len(self.pairs))(lambda x: self._ranges(subject.model, x))

    def trial(self, rescaling, granularity, weight_bits):
        """Make a file from the rescaled model, and measure both."""
        changed = self.rescaled(rescaling)
        subject, first = changed.subject, rescaling.first_layer
        recipe = Recipe(
            weight_bits=weight_bits, granularity=granularity, calibration_size=len(self._images)
        )
        tried, plan = subject.trial(recipe), subject.compressor.plan(recipe)
        now, before = subject.float_measurement, self.subject.float_measurement
        return OutlierTrial(
            recipe, tried.model, tried.measurement, before, subject.compressor,
            rescaling=rescaling,
            second_layer=self.pairs[first],
            loud=np.arange(len(changed.ranges.between)) < rescaling.loud_channels,
            same_predictions=int((now.predictions == before.predictions).sum()),
            **_channels(plan, first, self.pairs[first], changed.ranges),
        )  # fmt: skip

    def _rescaled(self, rescaling):
        name, factor, loud, equalized = rescaling
        layer = self.subject.model.layer(name)
        channels = layer.weights.shape[layer.channel_axis]
        if loud >= channels:
            raise ValueError(
                f"{name} has {channels} channels, so at most {channels - 1} of them can be loud; "
                "choose fewer loud channels"
            )
        model = rescale(self.subject.model, name, np.where(np.arange(channels) < loud, factor, 1))
        model = equalize(model) if equalized else model
        measured = scored(model, self.subject.split)
        compressor = qlab.Compressor(model, self._images)
        subject = replace(self.subject, compressor=compressor, float_measurement=measured)
        return Rescaled(subject, self._ranges(model, name))

    def _ranges(self, model, name):
        made, read = channel_ranges(model, name)
        batches = runtime.activations(model, self._images, [model.layer(name).output])
        seen = [np.abs(x).reshape(-1, x.shape[-1]).max(0) for _, (x,) in batches]
        return Ranges(made, np.max(seen, 0), read)


def _channels(plan, first, second, ranges):
    """`Channels` of the weights of both layers, and of the activations between them."""
    made, read = channel_ranges(
        plan.source, first, {name: x.values for name, x in plan.stored.items()}
    )
    step = plan.grids[plan.source.layer(first).output].scale
    scales = [np.reshape(plan.stored[x].params.scale, -1) for x in (first, second)]
    alone = plan.source.layer(second).op == "DEPTHWISE_CONV_2D" and scales[1].size > 1
    scales = (
        scales[0][:, None],
        np.reshape(step, (1, 1)),
        scales[1].reshape(len(made) if alone else 1, -1),
    )
    steps = made, np.rint(ranges.between / step).astype(int), read
    return {
        place: Channels(reach, _step_sizes(grids, made), count)
        for place, reach, grids, count in zip(Ranges._fields, ranges, scales, steps, strict=True)
    }


def _step_sizes(scales, like):
    """Finest, middle and coarsest of the scales in each row, for each channel."""
    return np.broadcast_to(np.quantile(scales, (0, 0.5, 1), axis=1), (3, len(like)))
