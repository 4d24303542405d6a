"""Proof that packed layers answer as they did: LiteRT runs both forms of each on the same input."""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from qlab.system.output import quiet
from qlab.tflite.graph import op_name, pack, stored_index
from qlab.tflite.operators import WEIGHTED
from qlab.tflite.reading import Reader

PICTURES = 4
OPEN = 64  # of a size that the model leaves open
STEPS = 1  # kernels for packed weights may round a sum twice, those for int8 round it once
FLOAT_ERROR = 1e-4  # of the largest output: the same products, added up in another order
HYBRID_ERROR = 0.03  # where a kernel rounds its float inputs to 8 bits, each in its own way


def disagreeing(before, packed):
    """Outputs of the layers that answer otherwise in a packed file (bytes) than in `before`.

    Each packed layer gets a twin, which reads the same input and has the weights as they were. So
    the difference of one layer does not grow in the next ones.
    """
    graph = Reader(packed).model()
    part = graph.subgraphs[0]
    twins, final = _add_twins(before, graph), int(part.outputs[0])
    part.outputs = np.array(sorted({final, *twins, *(x for x, _ in twins.values())}), np.int32)
    graph.signatureDefs = None
    loosest = max((error for _, error in twins.values()), default=FLOAT_ERROR)
    wrong = set()
    for alone, held in zip(_run(packed, [final]), _run(pack(graph), part.outputs), strict=True):
        wrong |= {x for x, (y, error) in twins.items() if not _agree(held[x], held[y], error)}
        if not _agree(alone[final], held[final], loosest):
            return set(twins)  # beside its twins the file is another, so they prove nothing
    return wrong


def _add_twins(before, graph):
    """Add a twin of each packed layer; by its output, that of the twin, and the error allowed."""
    part, twins, running = graph.subgraphs[0], {}, []
    for operator in part.operators:
        running.append(operator)
        if op_name(graph, operator) in WEIGHTED and _is_changed(before, graph, operator):
            twin, output = copy.copy(operator), int(operator.outputs[0])
            twin.inputs = np.array(operator.inputs, np.int32)
            twin.inputs[1] = _as_before(before, graph, int(operator.inputs[1]), running)
            twin.outputs = np.array([_another(part.tensors, output)], np.int32)
            running.append(twin)
            twins[output] = int(twin.outputs[0]), _error(part.tensors, twin)
    part.operators = running
    return twins


def _is_changed(before, graph, operator):
    index = stored_index(graph, int(operator.inputs[1]))
    return before.subgraphs[0].tensors[index].type != graph.subgraphs[0].tensors[index].type


def _as_before(before, graph, index, running):
    """A weights tensor once more, stored as it was; steps that make it are added to `running`."""
    part = graph.subgraphs[0]
    new = _another(part.tensors, index)
    step = next((copy.copy(x) for x in part.operators if index in x.outputs), None)
    if step is None:
        old = before.subgraphs[0].tensors[index]
        graph.buffers.append(copy.copy(before.buffers[old.buffer]))
        part.tensors[new].type, part.tensors[new].buffer = old.type, len(graph.buffers) - 1
    else:
        step.inputs = [_as_before(before, graph, int(step.inputs[0]), running)]
        step.outputs = [new]
        running.append(step)
    return new


def _another(tensors, index):
    """Index of a copy of a tensor."""
    tensors.append(copy.copy(tensors[index]))
    return len(tensors) - 1


def _error(tensors, operator):
    data, weights = (tensors[int(i)].type for i in operator.inputs[:2])
    return HYBRID_ERROR if data == schema.TensorType.FLOAT32 != weights else FLOAT_ERROR


def _run(data, outputs):
    """Yield what a file's tensors hold after each of a few pictures of noise, dark to bright."""
    random = np.random.default_rng(0)
    with quiet():
        interpreter = Interpreter(model_content=data, num_threads=1)
        for detail in interpreter.get_input_details():
            if (detail["shape_signature"][1:] < 0).any():
                sizes = np.where(detail["shape_signature"] < 0, OPEN, detail["shape"])
                interpreter.resize_tensor_input(detail["index"], [1, *map(int, sizes[1:])])
        interpreter.allocate_tensors()
    for i in range(PICTURES):
        for detail in interpreter.get_input_details():
            light = random.random(detail["shape"]) * (i + 1) / PICTURES
            interpreter.set_tensor(detail["index"], _input(light, detail["dtype"]))
        interpreter.invoke()
        yield {int(x): interpreter.get_tensor(x) for x in outputs}


def _input(light, dtype):
    """Numbers from 0 to 1 as codes of the whole range, or as they are."""
    if np.issubdtype(dtype, np.integer) and np.dtype(dtype).itemsize < 4:
        limits = np.iinfo(dtype)
        light = np.rint(limits.min + light * (limits.max - limits.min))
    return light.astype(dtype)


def _agree(a, b, error):
    """Whether two outputs are the same but for what kernels may round."""
    difference = np.abs(a.astype(float) - b)
    return bool((difference <= (STEPS if a.dtype.kind in "iu" else error * np.abs(b).max())).all())
