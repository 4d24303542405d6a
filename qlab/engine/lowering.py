"""From a float graph and a plan of grids to the graph that LiteRT runs.

Every tensor rests either in float or as int8 codes. An operator runs on integers where all that it
reads, writes and carries is integer, and in float otherwise; QUANTIZE and DEQUANTIZE stand between.

QUANTIZE steps also do two things that int8 kernels do not offer, so that nothing is fictional:

* A signed tensor below 8 bits: int8 saturation clamps at 127 only. So the operator writes codes
  shifted down until the grid's lower end is -128, where saturation clamps too, and a QUANTIZE
  shifts them back up, where the upper end saturates.
* An output grid that the kernel dictates (tanh: 1/128) is converted to the planned one afterwards.

The input keeps a grid of its own. Where it is joined with other tensors, a QUANTIZE brings it onto
theirs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.arithmetic.affine import QuantParams, affine_params, dequantize, quantize
from qlab.tflite.graph import constant, new_operator
from qlab.tflite.operators import DICTATED, MOVING, OPERATORS, WEIGHTED

TYPE = schema.TensorType


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """One layer's weights as they go into the file."""

    values: np.ndarray
    params: QuantParams | None = None
    bias: np.ndarray | None = None  # where it is not the layer's own

    def bias_of(self, layer):
        """The bias that the layer gets in the file."""
        return layer.bias if self.bias is None else self.bias

    @property
    def real(self):
        """The weights as real values, float32."""
        if self.params is None:
            return self.values.astype(np.float32)
        return dequantize(self.values, self.params)


def needs_lower_clamp(params, activation):
    """Whether only an extra QUANTIZE can clamp this output at its lower end."""
    return (
        params.q_min > -128
        and int(params.zero_point) > params.q_min
        and activation not in ("RELU", "RELU6")
    )


def lower(source, layers, activations, weights, description=b"qlab"):
    """Write the graph that carries the given grids."""
    builder = _Builder(source, description)
    graph = source.subgraphs[0]
    first = int(graph.inputs[0])
    builder.resting[first] = builder.copy_tensor(first, activations[first])
    for operator, layer in zip(graph.operators, layers, strict=True):
        _emit(builder, operator, layer, activations, weights)
    return builder.finish(builder.resting[first], builder.resting[int(graph.outputs[0])])


def _emit(builder, operator, layer, activations, weights):
    """Add one operator, with the QUANTIZE and DEQUANTIZE steps that its neighbours need."""
    planned = activations[layer.output]
    stored = weights.get(layer.name)
    grids = [activations[i] for i in layer.inputs]
    integer = runs_on_integers(layer, activations, weights)
    bias = layer.bias if stored is None else stored.bias_of(layer)
    inputs = []
    for position, index in enumerate(int(i) for i in operator.inputs):
        if index in layer.inputs and not (layer.op in WEIGHTED and position):
            moved = planned if layer.op in MOVING else grids[layer.inputs.index(index)]
            inputs.append(builder.codes(index, moved) if integer else builder.floating(index))
        elif stored is not None and position == 1:
            inputs.append(builder.weights(index, stored, integer))
        elif stored is not None and position == 2 and integer and index >= 0:
            inputs.append(builder.bias(index, bias, grids[0].scale * stored.params.scale))
        elif stored is not None and position == 2 and stored.bias is not None and index >= 0:
            inputs.append(builder.stored(index, bias, None))
        else:
            inputs.append(builder.constant(index, integer))
    stages = _stages(layer, planned, integer)
    kind = (
        OPERATORS[layer.op].int8_version
        if integer
        else builder.source.operatorCodes[operator.opcodeIndex].version
    )
    tensors = [
        builder.copy_tensor(layer.output, params, i < len(stages) - 1)
        for i, params in enumerate(stages)
    ]
    builder.operator(layer.op, kind, inputs, tensors[0], operator)
    builder.quantize(tensors)
    builder.resting[layer.output] = tensors[-1]


def runs_on_integers(layer, activations, weights):
    """Whether all that a layer reads, writes and carries is integer, and its sums fit."""
    planned, stored = activations[layer.output], weights.get(layer.name)
    grids = [activations[i] for i in layer.inputs]
    if planned is None or None in grids or stored is None:
        return planned is not None and None not in grids
    if stored.params is None:
        return False
    return sums_fit(stored.bias_of(layer), grids[0], stored.params, planned)


def sums_fit(bias, grid, weights, planned):
    """Whether a layer fits the kernels' int32 sums, in units of input scale x weight scale."""
    # XNNPACK refuses to rescale sums by 256 or more, or by less than 2**-32, and the bias must be a
    # whole number of units in 32 bits. A silent activation, or nearly so, ends up outside.
    unit = weights.scale.astype(np.float64) * grid.scale
    rescaled = unit / planned.scale
    largest = 0.0 if bias is None else np.abs(bias / unit).max()
    return rescaled.min() >= 2.0**-32 and rescaled.max() < 256 and largest < 2.0**30


def _stages(layer, planned, integer):
    """Grids that an output passes through; None is float, the last is where it rests."""
    if planned is None:
        return [None]
    stages = [] if integer else [None]
    dictated = DICTATED.get(layer.op) if integer else None
    if dictated is not None:
        if _key(dictated) == _key(planned):
            return [planned]
        stages += [dictated, *_exactly(dictated, planned)]
    if layer.op not in MOVING:
        stages += _clamps(planned, layer.activation)
    return [*stages, planned]


def _exactly(before, after):
    """A step in float, where QUANTIZE from grid to grid would be too coarse below 8 bits."""
    ratio = 256 * before.scale / after.scale  # XNNPACK multiplies by this, as a whole number
    return [None] if after.levels < 256 and abs(ratio - round(ratio)) > 1e-3 else []


def _clamps(planned, activation="NONE"):
    """The grid, shifted down, on which int8 saturation clamps at the lower end, if it must."""
    if not needs_lower_clamp(planned, activation):
        return []
    down = planned.zero_point - (planned.q_min + 128)
    return [QuantParams(planned.scale, down, -128, planned.q_max - planned.q_min - 128)]


class _Builder:
    """Collects the parts of the new graph; its methods return tensor indices."""

    def __init__(self, source, description):
        self.source = source
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = description
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.name = source.subgraphs[0].name
        self.graph.tensors, self._operators = [], []
        self.resting, self._grids = {}, {}
        self._floating, self._joined, self._constants = {}, {}, {}

    def copy_tensor(self, index, params, passing=False):
        """An activation like tensor `index` of the source, on this grid (None: float)."""
        old = self.source.subgraphs[0].tensors[index]
        new = schema.TensorT()
        new.shape, new.shapeSignature = old.shape, old.shapeSignature
        new.name = (old.name or b"") + (b"_step" if passing else b"")
        new.type = TYPE.FLOAT32 if params is None else TYPE.INT8
        new.quantization = _quantization(params)
        self._grids[len(self.graph.tensors)] = params
        return self._add(new)

    def codes(self, index, params):
        """Codes of an activation on this grid, through one QUANTIZE for all who want it there."""
        resting = self.resting[index]
        if _key(self._grids[resting]) == _key(params):
            return resting
        if (index, _key(params)) not in self._joined:
            stages = [*_exactly(self._grids[resting], params), *_clamps(params), params]
            tensors = [self.copy_tensor(index, x, passing=True) for x in stages]
            self.quantize([resting, *tensors])
            self._joined[index, _key(params)] = tensors[-1]
        return self._joined[index, _key(params)]

    def quantize(self, tensors):
        """From each of these tensors to the next, through QUANTIZE or DEQUANTIZE."""
        for before, after in pairwise(tensors):
            step = "DEQUANTIZE" if self._grids[after] is None else "QUANTIZE"
            self.operator(step, 2, [before], after)

    def floating(self, index):
        """Float values of an activation, through one DEQUANTIZE for all who read them."""
        resting = self.resting[index]
        if self.graph.tensors[resting].type == TYPE.FLOAT32:
            return resting
        if index not in self._floating:
            self._floating[index] = self.copy_tensor(index, None, passing=True)
            self.operator("DEQUANTIZE", 2, [resting], self._floating[index])
        return self._floating[index]

    def constant(self, index, integer):
        """A constant of the source; a float one gets a grid of its own in an integer operator."""
        if index < 0:
            return -1
        key = (index, integer)
        if key not in self._constants:
            values, params = constant(self.source, index), None
            if integer and values.dtype == np.float32:
                params = affine_params(values.min(), values.max(), 8)
                values = quantize(values, params)
            self._constants[key] = self.stored(index, values, params)
        return self._constants[key]

    def weights(self, index, stored, integer):
        """A layer's weights; compressed ones pass through DEQUANTIZE before a float operator."""
        tensor = self.stored(index, stored.values, stored.params)
        if integer or stored.values.dtype == np.float32:
            return tensor
        values = self.copy_tensor(index, None, passing=True)
        self.operator("DEQUANTIZE", 3 if stored.params is None else 5, [tensor], values)
        return values

    def bias(self, index, bias, scale):
        """An int32 bias in units of input scale x weight scale, as the integer kernels want it."""
        limits = np.iinfo(np.int32)
        codes = np.clip(np.rint(bias / scale.astype(np.float64)), limits.min, limits.max).astype(
            "<i4"
        )
        scale = np.asarray(scale, np.float32)
        params = QuantParams(scale, np.zeros(scale.shape, np.int64), limits.min, limits.max, 0)
        return self.stored(index, codes, params)

    def operator(self, name, version, inputs, output, like=None):
        """Add one operator, with the options of `like`."""
        options = None if like is None else like.builtinOptions
        self._operators.append((name, version, inputs, output, options))

    def finish(self, first, last):
        """Close the graph, and point the signatures at the new tensors."""
        self.graph.inputs, self.graph.outputs = (np.array([i], np.int32) for i in (first, last))
        self.graph.operators = [new_operator(self.model, *each) for each in self._operators]
        self.model.subgraphs = [self.graph]
        self.model.signatureDefs = copy.deepcopy(self.source.signatureDefs)
        for signature in self.model.signatureDefs or []:
            signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = first, last
        return self.model

    def stored(self, index, values, params):
        """A constant tensor named and shaped like tensor `index` of the source."""
        old, new = self.source.subgraphs[0].tensors[index], schema.TensorT()
        new.name, new.shape = old.name, old.shape
        new.type = _TYPES[values.dtype]
        new.quantization = _quantization(params)
        new.buffer = len(self.model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self.model.buffers.append(buffer)
        return self._add(new)

    def _add(self, tensor):
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


_TYPES = {
    np.dtype(np.int8): TYPE.INT8,
    np.dtype("<i4"): TYPE.INT32,
    np.dtype("<i8"): TYPE.INT64,
    np.dtype("<f2"): TYPE.FLOAT16,
    np.dtype("<f4"): TYPE.FLOAT32,
}


def _key(params):
    """What two grids of activations must have in common to be the same."""
    return params.scale, params.zero_point, params.q_min


def _quantization(params):
    """The schema's form of a grid."""
    if params is None:
        return None
    new = schema.QuantizationParametersT()
    new.scale = np.atleast_1d(params.scale).astype(np.float32)
    new.zeroPoint = np.atleast_1d(params.zero_point).astype(np.int64)
    new.quantizedDimension = max(params.axis, 0)
    return new
