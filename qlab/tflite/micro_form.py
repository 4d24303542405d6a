"""A file in the form that TensorFlow Lite Micro takes: which weights share a byte, and which not.

Its convolutions take weights of 4 bits by twos and unpack all of a layer's into RAM while that
layer runs; its dense layers take one weight a byte, and nothing takes weights of 2 bits.
"""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.arena import SCRATCH_FOR_INT4, plan_arena
from qlab.tflite.graph import PACKED_BITS, constant, op_name, pack_codes, shape_of
from qlab.tflite.litemodel import ModelError
from qlab.tflite.packing import fit

KINDS = schema.TensorType


def micro_form(model):
    """Return the model with one weight a byte, but two where that saves flash and costs no RAM.

    Shapes of several pictures within a call, as a dilated convolution makes them, are written down,
    because TensorFlow Lite Micro takes shapes as they stand in the file. It answers as the model
    does, and is this model itself if nothing changes.

    >>> import qlab
    >>> from qlab.tflite.micro_form import micro_form
    >>> model = qlab.pretrained("qat-w4-seed0")
    >>> qlab.micro(model).runs, qlab.micro(micro_form(model)).runs
    (False, True)
    """
    graph = model.graph()
    changes = [_widen(graph, x) for x in graph.subgraphs[0].tensors if x.type in PACKED_BITS]
    changes += [_multiply(graph, i, by) for i, by in _batches(graph).items() if by > 1]
    form = model.edited(graph) if changes else model
    try:
        ram = plan_arena(form).bytes
    except ModelError:  # nobody knows what more would cost
        return form
    for index in _narrow(form.parsed):
        graph = form.graph()
        codes, tensor = constant(graph, index), graph.subgraphs[0].tensors[index]
        graph.buffers[tensor.buffer].data, tensor.type = pack_codes(codes, 4), KINDS.INT4
        smaller = form.edited(graph)
        if plan_arena(smaller).bytes <= ram:
            form = smaller
    return form


def _widen(graph, tensor):
    """Give each weight of a tensor a byte of its own."""
    index = graph.subgraphs[0].tensors.index(tensor)
    graph.buffers[tensor.buffer].data = constant(graph, index).reshape(-1).view("u1")
    tensor.type = KINDS.INT8


def _batches(graph):
    """How many pictures a tensor holds, between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""
    found = {}
    for operator in graph.subgraphs[0].operators:
        name, first = op_name(graph, operator), int(operator.inputs[0])
        by = found.get(first, 1)
        if name in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"):
            block = constant(graph, int(operator.inputs[1]))
            by = by * math.prod(map(int, block)) if name == "SPACE_TO_BATCH_ND" else 1
        found |= dict.fromkeys(map(int, operator.outputs), by)
    tensors = graph.subgraphs[0].tensors
    return {i: by if shape_of(tensors[i])[:1] == (1,) else 1 for i, by in found.items()}


def _multiply(graph, index, by):
    """Write down that a tensor holds so many pictures."""
    tensor = graph.subgraphs[0].tensors[index]
    tensor.shape = np.array([by, *shape_of(tensor)[1:]], np.int32)


def _narrow(graph):
    """Tensors of weights that fit 4 bits, of layers that take them so; the largest first."""
    tensors = graph.subgraphs[0].tensors
    found = {}
    for operator in graph.subgraphs[0].operators:
        index = int(operator.inputs[1]) if len(operator.inputs) > 1 else -1
        if op_name(graph, operator) not in SCRATCH_FOR_INT4 or tensors[index].type != KINDS.INT8:
            continue
        alone = sum(x.buffer == tensors[index].buffer for x in tensors) == 1
        codes = constant(graph, index)
        if alone and codes is not None and fit(codes, 4):
            integers = tensors[int(operator.inputs[0])].type == KINDS.INT8
            found[index] = codes.size if found.get(index, 1) and integers else 0
    return sorted(filter(found.get, found), key=found.get, reverse=True)
