"""A file in the form that TensorFlow Lite Micro takes: which weights share a byte, and which not.

Its convolutions take weights of 4 bits by twos and unpack all of a layer's into RAM while that
layer runs; its dense layers take one weight a byte, and nothing takes weights of 2 bits.
"""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.arena import SCRATCH_FOR_INT4, plan_arena
from qlab.tflite.graph import PACKED_BITS, constant, op_name, pack_codes
from qlab.tflite.litemodel import ModelError
from qlab.tflite.packing import fit

KINDS = schema.TensorType


def micro_form(model):
    """Return the model with one weight a byte, but two where that saves flash and costs no RAM.

    It answers as the model does, and is this model itself if nothing changes.

    >>> import qlab
    >>> from qlab.tflite.micro_form import micro_form
    >>> model = qlab.pretrained("qat-w4-seed0")
    >>> qlab.micro(model).runs, qlab.micro(micro_form(model)).runs
    (False, True)
    """
    graph = model.graph()
    widened = [_widen(graph, x) for x in graph.subgraphs[0].tensors if x.type in PACKED_BITS]
    form = model.edited(graph) if widened else model
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
