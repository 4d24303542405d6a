"""A smaller file that LiteRT still runs: weights without zeros, and a DENSIFY step for each."""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import constant, new_operator, op_name, stored_index
from qlab.tflite.litemodel import require_lite_model
from qlab.tflite.operators import WEIGHTED
from qlab.tflite.sparse_tensors import compressed, index_bytes

TYPE = schema.TensorType
STEP_BYTES = 200  # what an operator and its tensor add to a file, about
ROW = 256  # columns that an index of one byte can count


def sparse_file(model):
    """Leave the zeros of a model's weights out of its file, which gives the same outputs.

    Layers stay as they are where this saves no bytes (too few zeros), or where LiteRT could not run
    it: packed weights, or those of dynamic range quantization. If that holds for all, the model
    itself comes back.

    Each axis is dense but the last, which is compressed: a value and an index of one or two bytes
    for each weight that is not zero, and a running count for each row (TFLite's schema,
    ``SparsityParameters``). LiteRT 2.3 does not run an int8 FULLY_CONNECTED behind a DENSIFY step.
    It is written as the CONV_2D that computes the same sums: over a picture one row high, whose
    width times channels are the inputs.

    >>> import qlab
    >>> engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(16))
    >>> pruned = engine.compress(qlab.Recipe(32, 32, sparsity=0.9, calibration_size=16))
    >>> pruned.file_bytes == engine.model.file_bytes, sparse_file(pruned).file_bytes < 60_000
    (True, True)
    """
    require_lite_model(model)
    graph = model.graph()
    unpacking, running = [], []
    for operator in graph.subgraphs[0].operators:
        running.append(operator)
        if op_name(graph, operator) in WEIGHTED:
            found = _sparse_weights(graph, operator)
            if found is not None:
                flat = _is_flat(graph, operator)
                unpacking.append(_store(graph, operator, *found))
                if flat:
                    running[-1:] = _as_convolution(graph, operator)
    if not unpacking:
        return model
    graph.subgraphs[0].operators = [*unpacking, *running]
    made = model.edited(graph)
    return made if made.file_bytes < model.file_bytes else model


def encoded_bytes(model):
    """Size of a model's file without the zeros of its weights, which LiteRT runs."""
    return sparse_file(model).file_bytes


def _sparse_weights(graph, operator):
    """(tensor index, values that are not zero, where) of an operator's weights, or None."""
    tensors, operators = graph.subgraphs[0].tensors, graph.subgraphs[0].operators
    index = stored_index(graph, int(operator.inputs[1]))
    tensor = tensors[index]
    readers = [x for x in operators if index in x.inputs]
    alone = len(readers) == 1 and sum(x.buffer == tensor.buffer for x in tensors) == 1
    if not alone or tensor.sparsity is not None or not _can_run(graph, operator, readers[0], index):
        return None
    values, flat = constant(graph, index), _is_flat(graph, operator)
    if flat:
        values = values.reshape(_as_rows(*values.shape))
    others, where = compressed(values)
    costs = others.nbytes + index_bytes(where) + STEP_BYTES * (3 if flat else 1)
    return (index, others, where) if costs < values.nbytes else None


def _can_run(graph, operator, reader, index):
    """Whether LiteRT runs DENSIFY between these weights and what reads them."""
    tensors = graph.subgraphs[0].tensors
    given = tensors[int(operator.inputs[0])].type
    kind = tensors[index].type
    if kind == TYPE.INT8 and reader is operator:  # not where a float kernel takes int8 weights
        usual = not _is_flat(graph, operator) or not operator.builtinOptions.weightsFormat
        return given == TYPE.INT8 and usual
    return kind in (TYPE.FLOAT32, TYPE.FLOAT16, TYPE.INT8)


def _is_flat(graph, operator):
    """Whether this is an integer FULLY_CONNECTED."""
    given = graph.subgraphs[0].tensors[int(operator.inputs[0])].type
    return op_name(graph, operator) == "FULLY_CONNECTED" and given == TYPE.INT8


def _as_rows(outputs, inputs):
    """Shape of a convolution with these weights, of at most 256 channels if that is possible."""
    channels = max(n for n in range(1, ROW + 1) if inputs % n == 0)
    return outputs, 1, inputs // channels, channels


def _store(graph, operator, index, others, where):
    """Put the weights into the graph; return the DENSIFY step."""
    tensors = graph.subgraphs[0].tensors
    sparse = tensors[index]
    dense = copy.copy(sparse)
    if _is_flat(graph, operator):
        sparse.shape = np.array(_as_rows(*sparse.shape), np.int32)
    dense.buffer, dense.shape, sparse.quantization = 0, sparse.shape, None
    sparse.name, sparse.sparsity = (sparse.name or b"") + b"_sparse", where
    graph.buffers[sparse.buffer].data = others.view(np.uint8)
    tensors.append(dense)
    for reader in graph.subgraphs[0].operators:
        at = [len(tensors) - 1 if i == index else int(i) for i in reader.inputs]
        reader.inputs = np.array(at, np.int32)
    return new_operator(graph, "DENSIFY", 1, [index], len(tensors) - 1, schema.DensifyOptionsT())


def _as_convolution(graph, operator):
    """The same sums as a FULLY_CONNECTED: RESHAPE, CONV_2D, RESHAPE."""
    tensors = graph.subgraphs[0].tensors
    given, weights = (int(i) for i in operator.inputs[:2])
    outputs, _, width, channels = (int(n) for n in tensors[weights].shape)
    to, back = _like(tensors, given, [1, 1, width, channels]), int(operator.outputs[0])
    out = _like(tensors, back, [1, 1, 1, outputs])
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
    options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
    others = [int(i) for i in operator.inputs[1:] if i >= 0]
    return [
        _reshape(graph, given, to, [-1, 1, width, channels]),
        new_operator(graph, "CONV_2D", 3, [to, *others], out, options),
        _reshape(graph, out, back, [-1, *(int(n) for n in tensors[back].shape[1:])]),
    ]


def _like(tensors, index, shape):
    """A tensor on the same grid, in another shape."""
    new = copy.copy(tensors[index])
    new.shape, new.shapeSignature = (np.array(x, np.int32) for x in (shape, [-1, *shape[1:]]))
    new.name = (new.name or b"") + b"_step"
    tensors.append(new)
    return len(tensors) - 1


def _reshape(graph, given, to, shape):
    """A RESHAPE step, with its shape as a constant."""
    buffer, tensor, options = schema.BufferT(), schema.TensorT(), schema.ReshapeOptionsT()
    buffer.data = np.array(shape, np.int32).view(np.uint8)
    tensor.shape, tensor.type = np.array([len(shape)], np.int32), TYPE.INT32
    tensor.buffer, tensor.name = len(graph.buffers), b"shape"
    options.newShape = np.array(shape, np.int32)
    graph.buffers.append(buffer)
    tensors = graph.subgraphs[0].tensors
    tensors.append(tensor)
    return new_operator(graph, "RESHAPE", 1, [given, len(tensors) - 1], to, options)
