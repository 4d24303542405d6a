"""The live engine: a recipe becomes a real `.tflite` file in milliseconds."""

from __future__ import annotations

import numpy as np

from qlab import observers, runtime
from qlab.affine import QuantParams, affine_params, quantize, symmetric_params
from qlab.litemodel import LiteModel, ModelError, pack, require_lite_model
from qlab.lowering import (
    DICTATED,
    MOVING,
    SUPPORTED,
    StoredWeights,
    lower,
    needs_lower_clamp,
    sums_fit,
)
from qlab.results import LARGEST_CALIBRATION, Recipe, Sizes

OBSERVED_AT_ONCE = 16  # images; 64 are no faster and leave 40 MB more in the process


class Compressor:
    """Compresses one float model, by any recipe.

    The calibration images run through the float model once, here. After that `compress` only
    rewrites numbers.

    Parameters
    ----------
    model : LiteModel
        A float32 model.
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1)
        n from 1 to 1,024. An array of float32 is taken as it is, unscaled.

    Raises
    ------
    ModelError
        If the model is not float32, or has an operator that qlab cannot quantize, or NaN or
        infinite weights.
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

    def __init__(self, model, calibration_images):
        require_lite_model(model)
        _require_compressible(model)
        if not 1 <= len(calibration_images) <= LARGEST_CALIBRATION:
            raise ValueError(
                f"there are {len(calibration_images)} calibration images; "
                f"give 1 to {LARGEST_CALIBRATION}"
            )
        self.model = model
        self.calibration_images = len(calibration_images)
        self.layers = model.layers
        self._groups = _groups(model)
        self._observations = _observe(model, self._groups, calibration_images)
        self._weights, self._ranges = {}, {}

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
            If the recipe asks for more calibration images than there are, or overrides a layer
            that the model does not have.
        """
        self._check(recipe)
        activations = {tensor: self._grid(group, recipe) for tensor, group in self._groups.items()}
        weights = {x.name: self._stored(x, recipe) for x in self.layers if x.weights is not None}
        if all(grid is None for grid in activations.values()) and all(
            stored.values.dtype == np.float32 for stored in weights.values()
        ):
            return self.model
        description = (
            f"qlab: weights {recipe.weight_bits} bits, activations {recipe.activation_bits} bits"
        )
        return LiteModel(
            pack(lower(self.model.parsed, self.layers, activations, weights, description.encode()))
        )

    def weight_params(self, layer, recipe):
        """Grid of a layer's weights.

        Parameters
        ----------
        layer : str
        recipe : Recipe

        Returns
        -------
        QuantParams or None
            None if the recipe leaves these weights in float.

        Raises
        ------
        ValueError
            If the model has no such layer, or it has no weights.
        """
        found = self.model.layer(layer)
        if found.weights is None:
            raise ValueError(f"{layer} has no weights")
        return self._stored(found, recipe).params

    def activation_params(self, layer, recipe):
        """Grid of a layer's output.

        Returns
        -------
        QuantParams or None
            None if the recipe leaves it in float.

        Raises
        ------
        ValueError
            If the model has no such layer.
        """
        self._check(recipe)
        return self._grid(self._groups[self.model.layer(layer).output], recipe)

    def activation_range(self, layer, recipe):
        """Range that a layer's output may take under a recipe, (low, high) in real values.

        Returns
        -------
        (float, float)
            What the grid spans; what the observer found, if the output stays in float.

        Raises
        ------
        ValueError
            If the model has no such layer.
        """
        params = self.activation_params(layer, recipe)
        if params is None:
            group = self._groups[self.model.layer(layer).output]
            return self._range(group, recipe.calibration_size, recipe.observer, 8)
        ends = np.array([params.q_min, params.q_max]) - params.zero_point
        low, high = params.scale * ends
        return float(low), float(high)

    def activation_histogram(self, layer, calibration_size):
        """What a layer's output held on the first calibration images.

        A layer that only moves numbers (pooling, reshaping) answers for the layer it reads.

        Parameters
        ----------
        layer : str
        calibration_size : int

        Returns
        -------
        counts : ndarray of int64, shape (1024,)
        edges : ndarray of float64, shape (1025,)

        Raises
        ------
        ValueError
            If the model has no such layer, or there are not so many images.
        """
        Recipe(calibration_size=calibration_size)
        self._check_size(calibration_size)
        seen = self._observations[self._groups[self.model.layer(layer).output]]
        return seen.histogram(calibration_size), seen.edges

    def sizes(self, model, recipe):
        """Sizes of a compressed model, four ways.

        Parameters
        ----------
        model : LiteModel
            What `compress` made of `recipe`.
        recipe : Recipe

        Returns
        -------
        Sizes
        """
        bits = sum(
            x.weights.size * recipe.bits("weight_bits", x.name)
            for x in self.layers
            if x.weights is not None
        )
        return Sizes(self.model.file_bytes, model.file_bytes, model.gzip_bytes, -(-bits // 8))

    def notes(self, recipe):
        """What the learner should know about how this recipe is carried out.

        Parameters
        ----------
        recipe : Recipe

        Returns
        -------
        tuple of str
            Sentences for the screen; often empty.
        """
        self._check(recipe)
        notes, low_bits = [], recipe.activation_bits < 8
        if low_bits:
            notes.append("The input and the logits stay at 8 bits.")
        clamped = [
            x.name
            for x in self.layers
            if x.op not in MOVING and _is_clamped(self._grid(self._groups[x.output], recipe), x)
        ]
        if clamped:
            notes.append(
                f"Signed outputs ({', '.join(clamped)}) pass an extra QUANTIZE step, because no "
                "kernel clamps them at the lower end."
            )
        if recipe.activation_bits <= 8 < recipe.weight_bits:
            notes.append(
                "The kernels run in float; each activation is rounded by a QUANTIZE and a "
                "DEQUANTIZE step."
            )
        if recipe.weight_bits <= 8 < recipe.activation_bits:
            notes.append(
                "Weight-only: the weights pass a DEQUANTIZE step, and the kernels run in float."
            )
        silent = [
            x.name for x in self.layers if x.weights is not None and self._is_silent(x, recipe)
        ]
        if silent:
            notes.append(
                f"On the calibration images {', '.join(silent)} saw or gave next to nothing. "
                "Integer sums cannot express that, so it runs in float."
            )
        return tuple(notes)

    def _is_silent(self, layer, recipe):
        """Whether a layer that should run on integers cannot, for want of a usable range."""
        weights = self._stored(layer, recipe).params
        before, after = (
            self._grid(self._groups[i], recipe) for i in (layer.inputs[0], layer.output)
        )
        if weights is None or before is None or after is None:
            return False
        return not sums_fit(layer.bias, before, weights, after)

    def _check(self, recipe):
        if not isinstance(recipe, Recipe):
            raise TypeError(f"this takes a qlab.Recipe, not a {type(recipe).__name__}")
        self._check_size(recipe.calibration_size)
        for name, settings in recipe.overrides:
            if self.model.layer(name).weights is None and "weight_bits" in dict(settings):
                raise ValueError(f"{name} has no weights, so weight_bits cannot be set for it")

    def _check_size(self, calibration_size):
        if calibration_size > self.calibration_images:
            raise ValueError(
                f"calibration_size is {calibration_size}, but there are only "
                f"{self.calibration_images} calibration images; "
                "give the Compressor more, or ask for fewer"
            )

    def _stored(self, layer, recipe):
        """One layer's weights on their grid, remembered."""
        bits = recipe.bits("weight_bits", layer.name)
        key = (layer.name, bits, recipe.granularity)
        if key not in self._weights:
            self._weights[key] = _store(layer, bits, recipe.granularity)
        return self._weights[key]

    def _grid(self, group, recipe):
        """Grid of one group of activations, or None for float."""
        bits = self._bits(group, recipe)
        if bits == 32:
            return None
        if group.dictated is not None and bits == 8:
            return group.dictated
        return affine_params(
            *self._range(group, recipe.calibration_size, recipe.observer, bits), bits
        )

    def _bits(self, group, recipe):
        """Bits of a group: the fewest that an override names, else the recipe's."""
        overrides = dict(recipe.overrides)
        named = [
            dict(overrides[x])["activation_bits"]
            for x in group.layers
            if "activation_bits" in dict(overrides.get(x, ()))
        ]
        if named:
            return min(named)
        return max(recipe.activation_bits, 8) if group.kept else recipe.activation_bits

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


class _Group:
    """Activations that must share one grid, because operators between them only move numbers."""

    def __init__(self):
        self.tensors, self.sources, self.layers = [], [], []
        self.kept = False
        self.dictated: QuantParams | None = None


def _groups(model):
    """The group of each activation tensor of a model."""
    graph = model.parsed.subgraphs[0]
    groups = {int(graph.inputs[0]): _Group()}
    for tensor, group in groups.items():
        group.tensors.append(tensor)
        group.sources.append(tensor)
    for layer in model.layers:
        joined = groups[layer.inputs[0]] if layer.op in MOVING else _Group()
        if layer.op in MOVING:
            for other in {id(groups[i]): groups[i] for i in layer.inputs[1:]}.values():
                _absorb(groups, joined, other)
        else:
            joined.sources.append(layer.output)
        groups[layer.output] = joined
        joined.tensors.append(layer.output)
        joined.layers.append(layer.name)
    _mark(model, groups)
    return groups


def _absorb(groups, group, other):
    """Join `other` to `group`."""
    if other is group:
        return
    for part in ("tensors", "sources", "layers"):
        getattr(group, part).extend(getattr(other, part))
    for tensor in other.tensors:
        groups[tensor] = group


def _mark(model, groups):
    """Mark groups that keep 8 bits (input, logits, output) or whose kernels dictate the grid."""
    graph, ops = model.parsed.subgraphs[0], {x.output: x for x in model.layers}
    final = int(graph.outputs[0])
    groups[int(graph.inputs[0])].kept = groups[final].kept = True
    if ops[final].op == "SOFTMAX":
        groups[ops[final].inputs[0]].kept = True
    for group in set(groups.values()):
        dictated = {ops[i].op for i in group.sources if i in ops}
        if len(dictated) == 1:
            group.dictated = DICTATED.get(dictated.pop())


def _observe(model, groups, images):
    """Observation of each group on the calibration images."""
    tensors = sorted({i for group in groups.values() for i in group.sources})
    batches = lambda: runtime.activations(model, images, tensors, OBSERVED_AT_ONCE)  # noqa: E731
    seen = observers.observe(batches, len(images))
    by_tensor = dict(zip(tensors, seen, strict=True))
    return {
        group: observers.merge([by_tensor[i] for i in group.sources])
        for group in set(groups.values())
    }


def _store(layer, bits, granularity):
    """Weights of one layer at so many bits."""
    weights = np.ascontiguousarray(layer.weights, np.float32)
    if bits == 32:
        return StoredWeights(weights)
    if bits == 16:
        limit = np.finfo(np.float16).max
        return StoredWeights(np.clip(weights, -limit, limit).astype(np.float16))
    params = symmetric_params(
        weights, bits, layer.channel_axis if granularity == "per-channel" else None
    )
    return StoredWeights(quantize(weights, params), params)


def _is_clamped(params, layer):
    return params is not None and needs_lower_clamp(params, layer.activation)


def _require_compressible(model):
    """Raise ModelError, naming operator and layer, unless every layer can be quantized."""
    names = {x.op for x in model.layers}
    if len(model.layers) != len(model.parsed.subgraphs[0].operators):
        raise ModelError("this model is already quantized; give the float32 model it came from")
    for layer in model.layers:
        if layer.op not in SUPPORTED:
            raise ModelError(
                f"layer {layer.name} uses {layer.op}, which qlab cannot quantize; "
                f"it knows {', '.join(SUPPORTED)}"
            )
        if layer.weights is None and layer.op in (
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "FULLY_CONNECTED",
        ):
            raise ModelError(
                f"layer {layer.name} ({layer.op}) has no constant weights; "
                "qlab needs them in the file"
            )
        if layer.weights is not None and layer.weights.dtype != np.float32:
            raise ModelError("this model is already quantized; give the float32 model it came from")
        if layer.weights is not None and not (
            layer.weights.size and np.isfinite(layer.weights).all()
        ):
            raise ModelError(
                f"layer {layer.name} has empty, NaN or infinite weights; train it again"
            )
        if layer.bias is not None and not np.isfinite(layer.bias).all():
            raise ModelError(f"layer {layer.name} has a NaN or infinite bias; train it again")
    if not names:
        raise ModelError("this model has no layers")
