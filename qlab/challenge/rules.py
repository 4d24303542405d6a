"""What a file must be to take part: built-in operators, one graph, an image in, ten numbers out."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.challenge.allowed import (
    BITS,
    INPUTS,
    MOST_NUMBERS,
    OPERATORS,
    OUTPUTS,
    TYPE_NAMES,
)
from qlab.challenge.intake import Refused
from qlab.system.text import printable
from qlab.tflite.graph import OP_NAMES


class Input(NamedTuple):
    """How the model wants its pictures: real value = scale * (code - zero_point) if not float."""

    dtype: np.dtype
    scale: float
    zero_point: int


def check(model):
    """Hold a file against the rules."""
    if model.version != 3:
        raise Refused("its schema is not version 3")
    graphs = model.subgraphs or ()
    if len(graphs) != 1:
        raise Refused(f"it has {len(graphs)} graphs; the challenge takes models of one")
    graphs[0].tensors = graphs[0].tensors or []
    _check_buffers(model)
    for tensor in graphs[0].tensors:
        _check_tensor(tensor, model.buffers)
    _check_operators(model, graphs[0])
    wanted = _check_ends(graphs[0])
    _check_order(model, graphs[0])
    _check_signatures(model, graphs[0])
    return wanted


def _held(numbers):
    """A vector's numbers; none if the file does not have it."""
    return () if numbers is None else numbers


def _check_buffers(model):
    """All numbers lie in the file itself, and are there."""
    buffers = model.buffers = model.buffers or []
    if any(buffer.offset or buffer.size for buffer in buffers):
        raise Refused("it keeps numbers outside of its own structure")
    named = [x.buffer for x in model.metadata or ()]
    if any(not 0 <= i < len(buffers) for i in (*named, *_held(model.metadataBuffer))):
        raise Refused("it is damaged: a note names a buffer that is not there")


def _check_tensor(tensor, buffers):
    """A known type, a shape of a sensible size, and as many numbers as the shape says."""
    name, kind = printable(tensor.name or b"", 60), tensor.type
    if kind not in BITS:
        raise Refused(f"tensor {name} is of type {TYPE_NAMES.get(kind, kind)}; not allowed here")
    if tensor.isVariable:
        raise Refused(f"tensor {name} keeps its value from picture to picture; not allowed here")
    shape = [int(n) for n in _held(tensor.shape)]
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise Refused(f"it is damaged: tensor {name} has the shape {shape[:9]}")
    if math.prod(shape) > MOST_NUMBERS:
        raise Refused(f"tensor {name} has {math.prod(shape):,} numbers; {MOST_NUMBERS:,} are most")
    if tensor.buffer >= len(buffers):
        raise Refused(f"it is damaged: tensor {name} names a buffer that is not there")
    data = _held(buffers[tensor.buffer].data)
    expected = (math.prod(shape) * BITS[kind] + 7) // 8
    if len(data) and len(data) != expected and tensor.sparsity is None:
        raise Refused(
            f"it is damaged: tensor {name} has {len(data):,} bytes; its shape says {expected:,}"
        )


def _check_operators(model, graph):
    """Only operators that are allowed, which name tensors that are there."""
    codes = model.operatorCodes or ()
    tensors = len(graph.tensors)
    if not graph.operators:
        raise Refused("it has no operators")
    for operator in graph.operators:
        if operator.opcodeIndex >= len(codes):
            raise Refused("it is damaged: an operator has no code")
        name = _op_name(codes[operator.opcodeIndex])
        if name not in OPERATORS:
            raise Refused(f"it uses the operator {name}, which is not allowed here")
        if len(_held(operator.customOptions)) or len(_held(operator.intermediates)):
            raise Refused(f"its {name} has custom options or intermediates; not allowed here")
        if operator.largeCustomOptionsOffset or operator.largeCustomOptionsSize:
            raise Refused(f"its {name} has options outside of the file's structure")
        used = [*_held(operator.inputs), *_held(operator.outputs)]
        if any(not -1 <= i < tensors for i in used) or not len(_held(operator.outputs)):
            raise Refused(f"it is damaged: {name} names a tensor that is not there")


def _op_name(code):
    """TFLite's name of an operator; that of a custom one, made printable."""
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM ({printable(code.customCode or b'', 40)})"
    return OP_NAMES.get(number, f"number {number}")


def _check_order(model, graph):
    """Each tensor is written once, before it is read: no circle, nothing read from empty memory."""
    written = {int(i) for i in graph.inputs}
    written |= {i for i, x in enumerate(graph.tensors) if _is_constant(x, model.buffers)}
    for operator in graph.operators:
        if any(i >= 0 and int(i) not in written for i in _held(operator.inputs)):
            raise Refused("an operator reads a tensor that none before it has written")
        outputs = [int(i) for i in operator.outputs]
        if -1 in outputs or len(set(outputs)) < len(outputs) or written.intersection(outputs):
            raise Refused("an operator writes a tensor that is a constant or was written before")
        written.update(outputs)
    if any(int(i) not in written for i in graph.outputs):
        raise Refused("no operator writes its output")


def _is_constant(tensor, buffers):
    return 0 in _held(tensor.shape) or len(_held(buffers[tensor.buffer].data)) > 0


def _check_signatures(model, graph):
    """Its signatures name graphs and tensors that are there."""
    for signature in model.signatureDefs or ():
        indices = [x.tensorIndex for x in (*(signature.inputs or ()), *(signature.outputs or ()))]
        if signature.subgraphIndex or any(i >= len(graph.tensors) for i in indices):
            raise Refused("it is damaged: a signature names a part that is not there")


def _check_ends(graph):
    """One picture goes in, one tensor comes out."""
    inputs, outputs = _held(graph.inputs), _held(graph.outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise Refused(f"it has {len(inputs)} inputs and {len(outputs)} outputs; one of each is due")
    if not all(0 <= i < len(graph.tensors) for i in (*inputs, *outputs)):
        raise Refused("it is damaged: its input or output is not there")
    picture, answer = graph.tensors[inputs[0]], graph.tensors[outputs[0]]
    shape = [int(n) for n in _held(picture.shape)]
    if len(shape) != 4 or shape[1:] != [28, 28, 1] or not 1 <= shape[0] <= 10_000:
        raise Refused(f"its input has the shape {shape}; [n, 28, 28, 1] is due")
    if picture.type not in INPUTS:
        kind = TYPE_NAMES[picture.type]
        raise Refused(f"its input is {kind}; FLOAT32, UINT8 or INT8 is due")
    if answer.type not in OUTPUTS:
        raise Refused(f"its output is {TYPE_NAMES[answer.type]}; numbers are due")
    return _input(picture)


def _input(picture):
    """The input's own quantization, if it is not float."""
    dtype, held = INPUTS[picture.type], picture.quantization
    if dtype.kind == "f":
        return Input(dtype, 1.0, 0)
    scales, zero_points = _held(held and held.scale), _held(held and held.zeroPoint)
    if len(scales) != 1 or len(zero_points) > 1 or not 0 < scales[0] < math.inf:
        raise Refused(f"its {dtype} input does not say one scale: which number is which brightness")
    zero_point = int(zero_points[0]) if len(zero_points) else 0
    if not np.iinfo(dtype).min <= zero_point <= np.iinfo(dtype).max:
        raise Refused(f"the zero point of its input, {zero_point}, is no {dtype}")
    return Input(dtype, float(scales[0]), zero_point)
