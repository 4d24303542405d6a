"""The live engine: a recipe becomes a real `.tflite` file in milliseconds."""

import dataclasses
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.arithmetic import observers
from qlab.arithmetic import rounding as rounder
from qlab.arithmetic.affine import affine_params, quantize, symmetric_params
from qlab.engine.explaining import notes
from qlab.engine.floating import floating
from qlab.engine.inputs import Inputs, as_matrix, from_matrix
from qlab.engine.lowering import StoredWeights, fitted
from qlab.engine.planning import Plan, Shaper, bits_of_groups, groups
from qlab.engine.recipes import LARGEST_CALIBRATION, Recipe
from qlab.tflite import runtime
from qlab.tflite.answers import require_scorable
from qlab.tflite.cleaning import cleaned
from qlab.tflite.graph import constant
from qlab.tflite.litemodel import ModelError, not_finite, require_lite_model
from qlab.tflite.operators import SUPPORTED, WEIGHTED

REMEMBERED = 20  # integer forms of each layer's weights
PLANS = 2  # the one that is on screen, and the one before
USUAL_OBSERVER = {"nearest": "min-max", "gptq": "output"}  # of weights, by rounding
REACHING = ("weight_bits", "weight_observer", "rounding")  # weights outside layers with weights
INTEGER = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}
OBSERVED_AT_ONCE = 16  # images; 64 are no faster and leave 40 MB more in the process


class Rounded(NamedTuple):
    """Where the weights of a layer went, compared with rounding each to its nearest code."""

    farther: np.ndarray  # bool, in the weights' shape: stored as a code that is not the nearest
    error_ratio: float  # squared output error over the calibration images: to that of the nearest


class Compressor:
    """Compresses one float model, by any recipe.

    The calibration images run through the float model once, when a recipe first asks what they
    show. After that `compress` only rewrites numbers.

    Parameters
    ----------
    model : LiteModel
        A float32 model.
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        n from 1 to 1,024. An array of float32 is taken as it is, unscaled. Without any, weights
        alone are made smaller, of models with several inputs or outputs too.

    Raises
    ------
    ModelError
        If the model is not float32, or has NaN or infinite weights.
    ValueError
        If there are no or too many images, or they do not fit the model.

    Examples
    --------
    >>> import qlab
    >>> images = qlab.data.load().test.images
    >>> compressor = Compressor(qlab.pretrained("baseline"), images[:64])
    >>> small = compressor.compress(Recipe(weight_bits=4, activation_bits=4, calibration_size=64))
    >>> small.file_bytes < 100_000
    True
    """

    def __init__(self, model, calibration_images=None):
        require_lite_model(model)
        model = cleaned(model)
        _require_compressible(model)
        if calibration_images is not None:
            require_scorable(model)
            if not 1 <= len(calibration_images) <= LARGEST_CALIBRATION:
                raise ValueError(
                    f"there are {len(calibration_images)} calibration images; "
                    f"give 1 to {LARGEST_CALIBRATION}"
                )
        self.model = model
        self.calibration_images = 0 if calibration_images is None else len(calibration_images)
        words = "" if calibration_images is None else runtime.doubt(model, calibration_images)
        self._wrong_range = (f"Calibration: {words}",) if words else ()
        self.layers = model.layers
        self._weighted = {x.name: x for x in self.layers if x.weights is not None}
        self._axes = {name: x.channel_axis for name, x in self._weighted.items()}
        self._floating = floating(model)
        self._groups = groups(model, self._floating)
        self._images = calibration_images
        if calibration_images is not None:
            runtime.checked(calibration_images)
            _observe(model, self._groups, calibration_images[:1])  # refuses what does not fit
        self._inputs = Inputs(model, calibration_images)
        self._shaper, self._ranges, self._grids = Shaper(self.layers), {}, {}
        self._integers = lru_cache(REMEMBERED * len(self._weighted))(self._quantized)
        self._rounded = lru_cache(REMEMBERED * len(self._weighted))(self._compared)
        self._plans = lru_cache(PLANS)(self._plan)

    @cached_property
    def _observations(self):
        """Observation of each group, taken when the first of them is asked for."""
        return _observe(self.model, self._groups, self._images)

    def __reduce__(self):
        # Another process calibrates anew, and finds the same.
        return type(self), (self.model, self._images)

    def compress(self, recipe):
        """Make the file that a recipe describes.

        Parameters
        ----------
        recipe : Recipe

        Returns
        -------
        LiteModel
            Weights of b <= 8 bits are stored one to a byte; `LiteModel.packed` packs them.

        Raises
        ------
        ValueError
            If the recipe asks for more calibration images than there are, overrides a layer that
            the model does not have, or asks for more clusters than there are weights.
        """
        return self.plan(recipe).model

    def plan(self, recipe):
        """Check a recipe and work it out: a `Plan`; ValueError as `compress` raises it."""
        if not isinstance(recipe, Recipe):
            raise TypeError(f"this takes a qlab.Recipe, not a {type(recipe).__name__}")
        return self._plans(recipe)

    def working(self, recipe):
        """Work out a plan layer by layer; yields how many are done and how many there are."""
        self._check(recipe)
        shapes = self._shaper.shapes(recipe)
        for done, (name, layer) in enumerate(self._weighted.items(), 1):
            self._stored(layer, recipe.bits("weight_bits", name), recipe, shapes[name])
            yield done, len(self._weighted)

    def weights(self, layer, recipe):
        """A layer's weights as the file holds them: real values, float32, in the weights' shape."""
        return self.plan(recipe).weights(self._with_weights(layer))

    def shaped(self, layer, recipe):
        """A layer's weights pruned and clustered but not yet quantized: float32, read only."""
        return self.plan(recipe).shaped(self._with_weights(layer))

    def weight_params(self, layer, recipe):
        """Grid of a layer's weights (`QuantParams`); None if the recipe leaves them in float."""
        return self.plan(recipe).stored[self._with_weights(layer)].params

    def rounded(self, layer, recipe):
        """Where a layer's weights went (`Rounded`); None if the recipe leaves them in float."""
        plan, found = self.plan(recipe), self._weighted[self._with_weights(layer)]
        bits, way = plan.weight_bits[layer], self._way(layer, recipe, plan.shapes[layer])
        return None if bits > 8 else self._rounded(found, bits, *way)

    def activation_params(self, layer, recipe):
        """Grid of a layer's output (`QuantParams`); None if the recipe leaves it in float."""
        return self.plan(recipe).grids.get(self.model.layer(layer).output)

    def activation_range(self, layer, recipe):
        """Lowest and highest value of a layer's output: its grid's, or what the observer found."""
        params = self.activation_params(layer, recipe)
        if params is None:
            return self._range(self._group(layer), recipe.calibration_size, recipe.observer, 8)
        return params.span

    def activation_histogram(self, layer, calibration_size):
        """What a layer's output held on the first calibration images.

        Returns counts, int64 of shape (1024,), and edges, float64 of shape (1025,). A layer that
        only moves numbers (pooling, reshaping) answers for the layer that it reads.
        """
        Recipe(calibration_size=calibration_size)
        self._check_size(calibration_size)
        seen = self._observations[self._group(layer)]
        return seen.histogram(calibration_size), seen.edges

    def sizes(self, model, recipe):
        """`Sizes` of what `compress` made of a recipe, packed or not."""
        return self.plan(recipe).sizes(model)

    def notes(self, recipe):
        """Sentences for the screen about how this recipe is carried out; often none."""
        return (*notes(self.plan(recipe)), *self._wrong_range, *self._uncalled())

    def _uncalled(self):
        """Say what happens to the other graphs of a file, if it has some."""
        others = len(self.model.parsed.subgraphs) - 1
        if others and not self.calibration_images:
            yield (
                f"The weights of the first graph get smaller, also where others share them; what "
                f"else is in the {others} more stays as it is."
            )

    def _plan(self, recipe):
        self._check(recipe)
        shapes = self._shaper.shapes(recipe)
        bits = {name: recipe.bits("weight_bits", name) for name in self._weighted}
        stored = {
            name: self._stored(layer, bits[name], recipe, shapes[name])
            for name, layer in self._weighted.items()
        }
        planned = bits_of_groups(set(self._groups.values()), recipe)
        grids = {group: self._grid(group, recipe, n) for group, n in planned.items()}
        grids = {tensor: grids[group] for tensor, group in self._groups.items()}
        return Plan(
            recipe,
            self.model,
            {name: fitted(self._weighted[name], x, grids) for name, x in stored.items()},
            grids,
            bits,
            shapes,
            self._shaper,
            self._floating,
            self._constants(recipe),
        )

    def _check(self, recipe):
        if self.calibration_images:
            self._check_size(recipe.calibration_size)
        else:
            _require_weights_alone(recipe)
        held = {name for name, _ in self._floating.weights.values()}
        for name, settings in recipe.overrides:
            layer = self.model.layer(name)
            for setting in dict(settings):
                if (
                    setting != "activation_bits"
                    and layer.weights is None
                    and not (name in held and setting in REACHING)
                ):
                    raise ValueError(f"{name} has no weights, so {setting} cannot be set for it")
        self._check_clusters(recipe)

    def _check_clusters(self, recipe):
        """Refuse more clusters than there are weights in a layer or in any, and GPTQ with them."""
        sizes = {name: x.weights.size for name, x in self._weighted.items()}
        asked = [(recipe.clusters, max(sizes.values(), default=0), "the largest layer")]
        asked += [(dict(s).get("clusters"), sizes.get(n, 0), n) for n, s in recipe.overrides]
        for clusters, size, who in asked:
            if clusters is not None and clusters > size:
                raise ValueError(
                    f"{clusters} clusters are more than the {size} weights of {who}; ask for fewer"
                )
        for name in self._weighted:
            if recipe.setting("rounding", name) == "gptq" and recipe.setting("clusters", name):
                raise ValueError(
                    f"{name}: GPTQ moves weights away from their clusters' values; choose rounding "
                    "'nearest' or no clusters"
                )

    def _check_size(self, calibration_size):
        if calibration_size > self.calibration_images:
            raise ValueError(
                f"calibration_size is {calibration_size}, but there are only "
                f"{self.calibration_images} calibration images; "
                "give the Compressor more, or ask for fewer"
            )

    def _with_weights(self, layer):
        """The name of a layer, which must be there and have weights."""
        if self.model.layer(layer).weights is None:
            raise ValueError(f"{layer} has no weights")
        return layer

    def _group(self, layer):
        """The group of a layer's output, which must be rounded."""
        output = self.model.layer(layer).output
        if output not in self._groups:
            raise ValueError(f"what {layer} gives stays in float, so its range is not looked at")
        return self._groups[output]

    def _stored(self, layer, bits, recipe, shape):
        """One layer's weights as they go into the file; integer ones are remembered."""
        if bits <= 8:
            stored = self._integers(layer, bits, *self._way(layer.name, recipe, shape))
        else:
            stored = _in_float(self._shaper.weights(layer.name, shape), bits)
        if layer.bias is None or not recipe.setting("bias_correction", layer.name):
            return stored
        return dataclasses.replace(stored, bias=self._corrected(layer, stored))

    def _constants(self, recipe):
        """Weights of layers that stay in float, by tensor: rounded to their nearest codes."""
        found = {}
        for index, (name, axis) in self._floating.weights.items():
            weights, bits = constant(self.model.parsed, index), recipe.bits("weight_bits", name)
            if 8 < bits < 32:
                found[index] = _in_float(weights, bits)
            elif bits <= 8:
                axis = axis if recipe.granularity == "per-channel" else None
                params = symmetric_params(weights, bits, axis)
                if self._observer(name, recipe) != "min-max":
                    matrix, rows = as_matrix(weights, axis or 0), None if axis is None else 0
                    scale = rounder.least_squares_scale(matrix, bits, rows)
                    params = dataclasses.replace(params, scale=scale)
                found[index] = _read_only(StoredWeights(quantize(weights, params), params))
        return found

    @staticmethod
    def _observer(name, recipe):
        """What sets the range of weights that no calibration image is asked about."""
        rounding = recipe.setting("rounding", name)
        return recipe.setting("weight_observer", name) or USUAL_OBSERVER[rounding]

    @staticmethod
    def _way(name, recipe, shape):
        """What decides about a layer's integer weights, besides their bits."""
        ways = (recipe.setting(x, name) for x in ("weight_observer", "rounding"))
        return recipe.granularity, shape, *ways

    def _compared(self, layer, bits, granularity, shape, *ways):
        stored = self._integers(layer, bits, granularity, shape, *ways)
        weights, axis = self._shaper.weights(layer.name, shape), self._axes[layer.name]
        nearest = quantize(weights, stored.params)
        farther = stored.values != nearest
        if not farther.any():
            return Rounded(farther, 1.0)
        moments = self._inputs.curvature(layer.name).moments
        error, before = (
            rounder.output_error(
                as_matrix(weights, axis), as_matrix(x, axis), stored.params.scale, moments
            ).sum()
            for x in (stored.values, nearest)
        )
        return Rounded(farther, float(error / before))

    def _corrected(self, layer, stored):
        """The bias with which a layer's mean output is that of the float model."""
        axis = self._axes[layer.name]
        mean = self._inputs.mean(layer.name)
        before, kept = as_matrix(layer.weights, axis), as_matrix(stored.real, axis)
        more = rounder.bias_correction(before, kept, mean)
        return (layer.bias + more).astype(np.float32)

    def _quantized(self, layer, bits, granularity, shape, weight_observer, rounding):
        weights = self._shaper.weights(layer.name, shape)
        observer = weight_observer or USUAL_OBSERVER[rounding]
        params = self._weight_grid(layer, weights, bits, granularity, observer, rounding)
        if rounding == "nearest":
            return _read_only(StoredWeights(quantize(weights, params), params))
        axis, seen = self._axes[layer.name], self._inputs.curvature(layer.name)
        codes = rounder.gptq(as_matrix(weights, axis), params.scale, bits, seen)
        return _read_only(StoredWeights(from_matrix(codes, weights, axis), params))

    def _weight_grid(self, layer, weights, bits, granularity, observer, rounding):
        """Grid of a layer's weights; `observer` is one of `WEIGHT_OBSERVERS`."""
        channels = self._axes[layer.name]
        axis, rows = (channels, 0) if granularity == "per-channel" else (None, None)
        params, matrix = symmetric_params(weights, bits, axis), as_matrix(weights, channels)
        if observer == "mse":
            scale = rounder.least_squares_scale(matrix, bits, rows)
        elif observer == "output":
            seen = self._inputs.curvature(layer.name)
            scale = rounder.moment_scale(matrix, bits, seen, rows, rounding)
        else:
            scale = params.scale
        alive = matrix.any(axis=None if axis is None else 1)
        if not alive.all():  # an emptied channel keeps its old scale, the unit of its bias
            scale = np.where(alive, scale, symmetric_params(layer.weights, bits, axis).scale)
        return dataclasses.replace(params, scale=scale)

    def _grid(self, group, recipe, bits):
        """Grid of one group of activations, remembered; None for float."""
        if bits == 32:
            return None
        if group.dictated is not None and bits == 8:
            return group.dictated
        key = group, recipe.calibration_size, recipe.observer, bits
        if key not in self._grids:
            self._grids[key] = affine_params(*self._range(*key), bits)
        return self._grids[key]

    def _range(self, group, size, observer, bits):
        """Range of a group of activations, remembered."""
        if group.dictated is not None:
            low, high = group.dictated.scale * (np.array([-128, 128]) - group.dictated.zero_point)
            return float(low), float(high)
        key = (group, size, observer, bits if observer == "mse" else None)
        if key not in self._ranges:
            self._ranges[key] = observers.activation_range(
                self._observations[group], size, observer, bits
            )
        return self._ranges[key]


def _observe(model, groups, images):
    """Observation of each group on the calibration images."""
    tensors = sorted({i for group in groups.values() for i in group.sources})
    if not tensors or images is None:
        return {}
    moved = {i: x for i in tensors if (x := constant(model.parsed, i)) is not None}
    made = [i for i in tensors if i not in moved]

    def batches():
        for start, values in runtime.activations(model, images, made, OBSERVED_AT_ONCE):
            count = len(values[0])
            yield start, [*values, *(np.tile(x.reshape(1, -1), (count, 1)) for x in moved.values())]

    by_tensor = dict(zip((*made, *moved), observers.observe(batches, len(images)), strict=True))
    return {
        group: observers.merge([by_tensor[i] for i in group.sources])
        for group in set(groups.values())
    }


def _require_weights_alone(recipe):
    """Refuse what looks at calibration images, where there are none."""
    for name in [None, *dict(recipe.overrides)]:
        asked = {
            "activation_bits below 32": recipe.bits("activation_bits", name) < 32,
            "rounding 'gptq'": recipe.setting("rounding", name) == "gptq",
            "bias_correction": recipe.setting("bias_correction", name),
        }
        if wrong := [x for x, found in asked.items() if found]:
            raise ValueError(
                f"{' and '.join(wrong)} needs calibration images, and this Compressor has none; "
                "give it some, or ask for weights alone: activation_bits=32, rounding 'nearest' "
                "and no bias_correction"
            )


def _in_float(weights, bits):
    """Weights in 16 or 32 bits."""
    weights = np.ascontiguousarray(weights, np.float32)
    if bits == 16:
        limit = np.finfo(np.float16).max
        weights = np.clip(weights, -limit, limit).astype(np.float16)
    return _read_only(StoredWeights(weights))


def _read_only(stored):
    """Keep from writing into weights that plans share."""
    for array in (stored.values, *(vars(stored.params).values() if stored.params else ())):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return stored


def _no_float(model):
    """Why a file is no plain float32 file, and what to do; empty if it is one."""
    part = model.parsed.subgraphs[0]
    remedy = (
        "give the float32 file, which the converter writes when it is asked for no optimization"
    )
    for layer in model.layers:
        data = {part.tensors[i].type for i in (*layer.inputs[:1], layer.output)}
        kind = "float32" if layer.weights is None else layer.weights.dtype.name
        if data & INTEGER and layer.op in SUPPORTED:
            return f"this model is already quantized: {layer.name} runs on integers; {remedy}"
        if kind != "float32":
            return (
                f"this model is already quantized: the weights of {layer.name} are {kind}, though "
                f"its activations are float; {remedy}"
            )
    if any(x.sparsity is not None for x in part.tensors):
        return "this file leaves out the zeros of its weights; give the file from before that"
    if len(model.layers) != len(part.operators):
        return f"this model is already quantized: some of its activations are rounded; {remedy}"
    return ""


def _require_compressible(model):
    """Raise ModelError, saying what to do, unless the model is float32 with usable weights."""
    if why := _no_float(model) or not_finite(model):
        raise ModelError(why)
    part = model.parsed.subgraphs[0]
    made = {int(i) for x in part.operators for i in x.outputs} | {int(i) for i in part.inputs}
    for layer, operator in zip(model.layers, part.operators, strict=True):
        if layer.op in WEIGHTED and layer.weights is None and int(operator.inputs[1]) not in made:
            raise ModelError(f"layer {layer.name} has empty weights; train it again")
    if not model.layers:
        raise ModelError("this model has no layers")
    if int(part.outputs[0]) not in made:
        raise ModelError(
            "no operator of this model works out its answer; write the file again, with the output "
            "of its last layer as the model's output"
        )
