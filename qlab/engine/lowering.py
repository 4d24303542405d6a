"""From a float graph and a plan of grids to the graph that LiteRT runs.

Every tensor rests either in float or as int8 codes. An operator runs on integers where all that it
reads, writes and carries is integer, and in float otherwise; QUANTIZE and DEQUANTIZE stand between.
One without an integer form is copied as it is, and so are whole numbers, such as shapes.

QUANTIZE steps also do two things that int8 kernels do not offer, so that nothing is fictional:

* A signed tensor below 8 bits: int8 saturation clamps at 127 only. So the operator writes codes
  shifted down until the grid's lower end is -128, where saturation clamps too, and a QUANTIZE
  shifts them back up, where the upper end saturates.
* An output grid that the kernel dictates (tanh: 1/128) is converted to the planned one afterwards.

The input keeps a grid of its own. Where it is joined with other tensors, a QUANTIZE brings it onto
theirs.
"""

import copy
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.arithmetic.affine import NARROWEST, QuantParams, affine_params, dequantize, quantize
from qlab.engine.floating import COUNTING, is_float
from qlab.tflite.graph import constant, copied_operator, new_operator
from qlab.tflite.operators import COMPARING, DICTATED, MOVING, OPERATORS

TYPE = schema.TensorType
ON_ONE_GRID = MOVING + COMPARING
BIAS_CODES = 2**26  # XNNPACK's kernels of packed weights go wrong beyond 2**27


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


def lower(model, activations, weights, stays, description=b"qlab", constants=None):
    """Write the graph with the given grids; layers in `stays` are copied as they are."""
    builder = _Builder(model.parsed, description, constants or {})
    graph = model.parsed.subgraphs[0]
    for index in map(int, graph.inputs):
        builder.resting[index] = builder.copy_tensor(index, activations.get(index))
    for operator, layer in zip(graph.operators, model.layers, strict=True):
        _emit(builder, operator, layer, activations, weights, stays)
    return builder.finish()


def _emit(builder, operator, layer, activations, weights, stays):
    """Add one operator, with the QUANTIZE and DEQUANTIZE steps that its neighbours need."""
    planned = activations.get(layer.output)
    stored = weights.get(layer.name)
    integer = runs_on_integers(layer, activations, weights, stays)
    bias = layer.bias if stored is None else stored.bias_of(layer)
    inputs = []
    for position, index in enumerate(int(i) for i in operator.inputs):
        if index in builder.resting and not (stored is not None and position == 1):
            moved = planned if layer.op in ON_ONE_GRID else activations.get(index)
            if layer.op in COUNTING:
                inputs.append(builder.resting[index])
            elif integer and index in activations:
                inputs.append(builder.codes(index, moved))
            else:
                inputs.append(builder.floating(index))
        elif stored is not None and position == 1:
            inputs.append(builder.weights(index, stored, integer))
        elif stored is not None and position > 1 and integer and index >= 0:
            unit = activations[layer.inputs[-1]].scale * stored.params.scale
            inputs.append(builder.bias(index, bias, unit))
        elif stored is not None and position > 1 and stored.bias is not None and index >= 0:
            inputs.append(builder.stored(index, bias, None))
        else:
            inputs.append(
                builder.constant(index, integer, planned if layer.op in ON_ONE_GRID else None)
            )
    outputs = []
    for index in map(int, operator.outputs):
        stages = _stages(layer, activations.get(index), integer)
        outputs.append(
            [
                builder.copy_tensor(index, params, i < len(stages) - 1)
                for i, params in enumerate(stages)
            ]
        )
        builder.resting[index] = outputs[-1][-1]
    if layer.name in stays:
        builder.copied(operator, inputs, [tensors[0] for tensors in outputs])
    else:
        source = builder.source.operatorCodes[operator.opcodeIndex].version
        version = OPERATORS[layer.op].int8_version if integer else source
        builder.operator(layer.op, version, inputs, [x[0] for x in outputs], operator)
    for tensors in outputs:
        builder.quantize(tensors)


def runs_on_integers(layer, activations, weights, stays):
    """Whether all that a layer reads, writes and carries is integer, and its sums fit."""
    if layer.name in stays:
        return False
    planned, stored = activations[layer.output], weights.get(layer.name)
    grids = [activations[i] for i in layer.inputs if i in activations]
    if planned is None or None in grids or stored is None:
        return planned is not None and None not in grids
    if stored.params is None:
        return False
    return sums_fit(stored.bias_of(layer), grids[-1], stored.params, planned)


def sums_fit(bias, grid, weights, planned):
    """Whether a layer fits the kernels' int32 sums, in units of input scale x weight scale."""
    # XNNPACK refuses to rescale sums by 256 or more, or by less than 2**-32, and the bias must be a
    # whole number of units in 32 bits. A silent activation, or nearly so, ends up outside.
    unit = weights.scale.astype(np.float64) * grid.scale
    rescaled = unit / planned.scale
    largest = 0.0 if bias is None else np.abs(bias / unit).max()
    return rescaled.min() >= 2.0**-32 and rescaled.max() < 256 and largest < 2.0**30


def fitted(layer, stored, activations):
    """Stored weights on grids with which `sums_fit`, unless what comes in is silent.

    A channel whose weights are tiny compared with its bias gets a coarser grid, and a channel
    of zeros, which has no grid of its own, gets one that keeps its bias exact.
    """
    before, after = (activations.get(i) for i in ([None, *layer.inputs][-1], layer.output))
    if stored.params is None or None in (before, after) or np.ptp(before.span) < 3 * NARROWEST:
        return stored
    bias, scale = stored.bias_of(layer), stored.params.scale.astype(np.float64)
    weights = stored.values if layer.weights is None else layer.weights
    other = None if scale.ndim == 0 else tuple({*range(weights.ndim)} - {stored.params.axis})
    bias = np.zeros(scale.shape) if bias is None else np.abs(bias).astype(np.float64)
    bias = bias if scale.ndim else bias.max()
    scale = np.where(weights.any(other), scale, 0)
    fits = (scale * before.scale >= 2.0**-32 * after.scale) & (scale * before.scale * 2**30 > bias)
    if fits.all():
        return stored
    wanted = np.maximum(bias / BIAS_CODES, 2.0**-31 * after.scale) / before.scale
    scale = np.where(fits, scale, np.maximum(scale, wanted)).astype(np.float32)
    params = replace(stored.params, scale=scale)
    return replace(stored, values=quantize(stored.real, params), params=params)


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
    if layer.op not in ON_ONE_GRID:
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

    def __init__(self, source, description, few):
        self.source, self._few = source, few
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = description
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.name = source.subgraphs[0].name
        self.graph.tensors, self._operators = [], []
        self.resting, self._grids = {}, {}
        self._floating, self._joined, self._constants, self._shared = {}, {}, {}, {}
        self._once, self._unpacked = {}, {}
        read = Counter(int(i) for x in source.subgraphs[0].operators for i in x.inputs)
        self._often = {i for i, count in read.items() if count > 1}

    def copy_tensor(self, index, params, passing=False):
        """An activation like tensor `index` of the source, on this grid (None: float)."""
        old = self.source.subgraphs[0].tensors[index]
        new = schema.TensorT()
        new.shape, new.shapeSignature = old.shape, old.shapeSignature
        new.name = (old.name or b"") + (b"_step" if passing else b"")
        new.type = old.type if params is None else TYPE.INT8
        new.isVariable = old.isVariable
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
        """Float values of an activation, through one DEQUANTIZE for all; or as they are."""
        resting = self.resting[index]
        if self._grids[resting] is None:
            return resting
        if index not in self._floating:
            self._floating[index] = self.copy_tensor(index, None, passing=True)
            self.operator("DEQUANTIZE", 2, [resting], self._floating[index])
        return self._floating[index]

    def constant(self, index, integer, params=None):
        """A constant of the source; a float one is on this grid, or its own, among integers."""
        if index < 0:
            return -1
        key = (index, integer, params and _key(params))
        if key not in self._constants:
            if index in self._few and not integer:
                self._constants[key] = self.weights(index, self._few[index], integer)
            elif integer and is_float(self.source, index):
                values = constant(self.source, index)
                params = params or affine_params(values.min(), values.max(), 8)
                self._constants[key] = self.stored(index, quantize(values, params), params)
            else:
                self._constants[key] = self._as_it_is(index)
        return self._constants[key]

    def _as_it_is(self, index):
        """A constant or a state of the source, with all that its tensor says."""
        old = self.source.subgraphs[0].tensors[index]
        scaled = old.quantization is not None and old.quantization.scale is not None
        data = self.source.buffers[old.buffer].data
        return self._named(index, old.type, old.quantization if scaled else None, data)

    def weights(self, index, stored, integer):
        """A layer's weights; compressed ones pass through DEQUANTIZE before a float operator."""
        tensor = self.stored(index, stored.values, stored.params)
        if integer or stored.values.dtype == np.float32:
            return tensor
        if tensor not in self._unpacked:
            source = self.source.subgraphs[0].tensors[index].buffer
            self._shared[source] = self.graph.tensors[tensor]
            self._unpacked[tensor] = self.copy_tensor(index, None, passing=True)
            version = 3 if stored.params is None else 5
            self.operator("DEQUANTIZE", version, [tensor], self._unpacked[tensor])
        return self._unpacked[tensor]

    def bias(self, index, bias, scale):
        """An int32 bias in units of input scale x weight scale, as the integer kernels want it."""
        limits = np.iinfo(np.int32)
        codes = np.clip(np.rint(bias / scale.astype(np.float64)), limits.min, limits.max).astype(
            "<i4"
        )
        scale = np.asarray(scale, np.float32)
        params = QuantParams(scale, np.zeros(scale.shape, np.int64), limits.min, limits.max, 0)
        return self.stored(index, codes, params)

    def operator(self, name, version, inputs, outputs, like=None):
        """Add one operator, with the options of `like`."""
        options = None if like is None else like.builtinOptions
        self._operators.append((name, version, inputs, outputs, options))

    def copied(self, operator, inputs, outputs):
        """Add an operator of the source as it is."""
        self._operators.append((operator, inputs, outputs))

    def _made(self, *each):
        """One of the collected operators, whose code the model then has."""
        if len(each) == 3:
            return copied_operator(self.model, self.source, *each)
        return new_operator(self.model, *each)

    def finish(self):
        """Close the graph, and point the signatures at the new tensors."""
        before = self.source.subgraphs[0]
        new = lambda i: self.resting[i] if i in self.resting else self.constant(i, False)  # noqa: E731
        ends = ([new(int(i)) for i in indices] for indices in (before.inputs, before.outputs))
        self.graph.inputs, self.graph.outputs = (np.array(x, np.int32) for x in ends)
        self.graph.operators = [self._made(*each) for each in self._operators]
        self.model.subgraphs = [self.graph, *map(self._called, self.source.subgraphs[1:])]
        self.model.signatureDefs = copy.deepcopy(self.source.signatureDefs)
        for signature in self.model.signatureDefs or []:
            if signature.subgraphIndex == 0:
                for end in (*(signature.inputs or ()), *(signature.outputs or ())):
                    end.tensorIndex = new(int(end.tensorIndex))
        return self.model

    def _called(self, graph):
        """Another graph as it is, but for weights that it shares with the first one."""
        graph = copy.copy(graph)
        graph.tensors, unpacking = [copy.copy(x) for x in graph.tensors], []
        for index, tensor in enumerate(graph.tensors[:]):
            if tensor.buffer in self._shared:
                graph.tensors.append(self._shared[tensor.buffer])
                tensor.buffer, half = 0, graph.tensors[-1].type == TYPE.FLOAT16
                step = "DEQUANTIZE", 3 if half else 5, [len(graph.tensors) - 1], index
                unpacking.append(new_operator(self.model, *step))
            else:
                tensor.buffer = self._buffer(self.source.buffers[tensor.buffer].data)
        like = lambda x: copied_operator(self.model, self.source, x, x.inputs, x.outputs)  # noqa: E731
        graph.operators = [*unpacking, *map(like, graph.operators)]
        return graph

    def stored(self, index, values, params):
        """A constant tensor named and shaped like tensor `index` of the source."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        parts = index, _TYPES[values.dtype], _quantization(params), data
        if index not in self._often:
            return self._named(*parts)
        grid = params and (params.scale.tobytes(), params.zero_point.tobytes())
        key = index, values.dtype.str, grid, data.tobytes()  # several layers may carry the same
        if key not in self._once:
            self._once[key] = self._named(*parts)
        return self._once[key]

    def _named(self, index, kind, quantization, data):
        old, new = self.source.subgraphs[0].tensors[index], schema.TensorT()
        new.name, new.shape, new.isVariable = old.name, old.shape, old.isVariable
        new.type, new.quantization = kind, quantization
        new.buffer = self._buffer(data)
        return self._add(new)

    def _buffer(self, data):
        """Index of a buffer with these bytes; the first one is empty."""
        if data is None:
            return 0
        buffer = schema.BufferT()
        buffer.data = data
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

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
