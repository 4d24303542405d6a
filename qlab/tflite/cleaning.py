"""A float file as it comes, without steps that only work out what is known already."""

from __future__ import annotations

import copy
import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import constant, op_name, shape_of

SIZES = ("SHAPE", "STRIDED_SLICE", "PACK")  # Keras works out the batch so, for each Reshape


def cleaned(model):
    """The same model, its reshapes folded; the model itself if there is nothing to fold.

    Keras writes a Reshape, and since version 3 a Flatten, as SHAPE, STRIDED_SLICE, PACK and
    RESHAPE, to keep the size of the batch. A RESHAPE to [-1, ...] does the same.
    """
    names = {op_name(model.parsed, x) for x in model.parsed.subgraphs[0].operators}
    if not names.issuperset(SIZES):
        return model
    graph = model.graph()
    part = graph.subgraphs[0]
    makers = {int(x.outputs[0]): x for x in part.operators}
    for operator in part.operators:
        if op_name(graph, operator) == "RESHAPE" and len(operator.inputs) > 1:
            sizes = _sizes(graph, operator, makers)
            if sizes is not None:
                _reshape(graph, operator, sizes)
    while unread := _unread(graph):
        part.operators = [x for x in part.operators if x not in unread]
    return model.edited(graph)


def _sizes(graph, operator, makers):
    """Sizes behind the batch that a RESHAPE asks for; None unless they are known beforehand."""
    steps, index = [], int(operator.inputs[1])
    for name in ("PACK", "STRIDED_SLICE", "SHAPE"):
        step = makers.get(index)
        if step is None or op_name(graph, step) != name:
            return None
        steps.append(step)
        index = int(step.inputs[0])
    packed, first, shape = steps
    known = [constant(graph, int(i)) for i in packed.inputs[1:]]
    ends = [constant(graph, int(i)) for i in first.inputs[1:]]
    if any(x is None for x in (*known, *ends)) or [x.tolist() for x in ends] != [[0], [1], [1]]:
        return None
    sizes = [int(x) for x in known if x.size == 1]
    if len(sizes) < len(known) or min(sizes, default=0) < -1 or 0 in sizes or sizes.count(-1) > 1:
        return None
    if -1 in sizes:
        row = _row(graph, int(operator.inputs[0]), int(shape.inputs[0]), makers)
        if row is None:
            return None
        sizes[sizes.index(-1)] = row // -math.prod(sizes)
    return sizes


def _row(graph, data, counted, makers):
    """How many numbers a tensor holds for each step along the first axis of `counted`, or None."""
    tensors = graph.subgraphs[0].tensors
    signature, shape = tensors[data].shapeSignature, shape_of(tensors[data])
    if signature is not None and -1 in list(signature)[1:]:
        return None  # what the file says of its shape is a guess
    maker = makers.get(counted)
    if counted != data and (
        maker is None
        or op_name(graph, maker) != "RESHAPE"
        or shape_of(tensors[counted])[0] != shape[0]
    ):
        return None
    return math.prod(shape[1:])


def _reshape(graph, operator, sizes):
    """Let a RESHAPE have these sizes behind the batch, as a constant."""
    part, data, output = graph.subgraphs[0], int(operator.inputs[0]), int(operator.outputs[0])
    wanted = copy.copy(part.tensors[operator.inputs[1]])
    wanted.buffer, buffer = len(graph.buffers), schema.BufferT()
    buffer.data = np.array([-1, *sizes], "<i4").view(np.uint8)
    graph.buffers.append(buffer)
    operator.inputs = np.array([data, len(part.tensors)], np.int32)
    part.tensors.append(wanted)
    batch = math.prod(shape_of(part.tensors[data])) // math.prod(sizes)
    part.tensors[output].shape = np.array([batch, *sizes], np.int32)
    part.tensors[output].shapeSignature = np.array([-1, *sizes], np.int32)


def _unread(graph):
    """Steps that work out sizes which nobody reads."""
    part = graph.subgraphs[0]
    read = {int(i) for x in part.operators for i in x.inputs} | {int(i) for i in part.outputs}
    return [
        x for x in part.operators if op_name(graph, x) in SIZES and int(x.outputs[0]) not in read
    ]
