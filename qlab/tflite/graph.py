"""The object tree of a `.tflite` file, the schema's ``ModelT``: its parts, and how to edit them."""

from __future__ import annotations

import copy

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.operators import PLUMBING, WEIGHTED
from qlab.tflite.sparse_tensors import expanded

DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT16: np.dtype("<i2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.BOOL: np.dtype("?"),
}
OTHER_BYTES = {  # of a number of the types with which qlab does not calculate
    schema.TensorType.FLOAT64: 8, schema.TensorType.UINT64: 8, schema.TensorType.COMPLEX64: 8,
    schema.TensorType.COMPLEX128: 16, schema.TensorType.UINT32: 4, schema.TensorType.UINT16: 2,
    schema.TensorType.BFLOAT16: 2,
}  # fmt: skip
PACKED_BITS = {schema.TensorType.INT4: 4, schema.TensorType.INT2: 2}  # several codes to a byte
OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


def pack(graph):
    """Write an object tree as the bytes of a `.tflite` file."""
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def op_name(model, operator):
    """TFLite's name of an operator, such as ``CONV_2D``."""
    code = model.operatorCodes[operator.opcodeIndex]
    return OP_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "unknown")


def shape_of(tensor):
    """A tensor's shape, as a tuple of int."""
    return tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()


def is_activation(model, index):
    """Whether a tensor holds no constant."""
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is None or len(data) == 0


def constant(model, index):
    """The numbers of a constant tensor, in its shape and dtype; None for an activation.

    Of a type with which qlab does not calculate they are bytes that say nothing (dtype ``V1``).
    """
    if index < 0:
        return None
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    if tensor.type in PACKED_BITS:
        return unpack_codes(data, PACKED_BITS[tensor.type], shape_of(tensor))
    if tensor.type not in DTYPES:
        return np.frombuffer(np.asarray(data, np.uint8), "V1")
    values = np.frombuffer(np.asarray(data, np.uint8), DTYPES[tensor.type])
    if tensor.sparsity is not None:
        return expanded(values, shape_of(tensor), tensor.sparsity)
    return values.reshape(shape_of(tensor))


def stored_index(model, index):
    """The constant behind a tensor: itself, or what DENSIFY and DEQUANTIZE steps make it from."""
    for _ in range(2):
        for producer in model.subgraphs[0].operators:
            if index in producer.outputs and op_name(model, producer) in ("DENSIFY", "DEQUANTIZE"):
                index = int(producer.inputs[0])
                break
    return index


def stored_constant(model, operator, position):
    """The constant at this input, looking through DEQUANTIZE and DENSIFY; None if there is none."""
    if len(operator.inputs) <= position:
        return None
    return constant(model, stored_index(model, int(operator.inputs[position])))


def carried(model, operator):
    """Constants that an operator calculates with, such as weights: position and tensor of each.

    A shape, the axes of a mean and the like are none; nor is what waits behind QUANTIZE and such.
    """
    op, found = op_name(model, operator), {}
    for position, index in enumerate(map(int, operator.inputs)):
        stored = stored_index(model, index)
        if index < 0 or op in PLUMBING or constant(model, stored) is None:
            continue
        if op in WEIGHTED or _is_value(model, stored):
            found[position] = stored
    return found


def _is_value(model, index):
    kind = model.subgraphs[0].tensors[index].type
    return kind not in (schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)


def replace_constant(model, operator, position, values):
    """Give an operator another constant: in its place, or a new one if others read the old."""
    tensors, index = model.subgraphs[0].tensors, int(operator.inputs[position])
    readers = sum(list(x.inputs).count(index) for x in model.subgraphs[0].operators)
    if readers > 1 or sum(x.buffer == tensors[index].buffer for x in tensors) > 1:
        tensors.append(copy.copy(tensors[index]))
        model.buffers.append(schema.BufferT())
        tensors[-1].buffer = len(model.buffers) - 1
        operator.inputs = np.array(operator.inputs, np.int32)
        operator.inputs[position] = index = len(tensors) - 1
    if shape_of(tensors[index]) != values.shape:
        tensors[index].shape = np.array(values.shape, np.int32)
        tensors[index].shapeSignature = None
    values = np.ascontiguousarray(values)
    model.buffers[tensors[index].buffer].data = values.reshape(-1).view(np.uint8)


def new_operator(model, name, version, inputs, outputs, options=None):
    """An operator of this kind; its code is added to the model when it is the first."""
    new, kind = schema.OperatorT(), getattr(schema.BuiltinOperator, name)
    codes = [(x.builtinCode, x.version) for x in model.operatorCodes]
    is_first = (kind, version) not in codes
    new.opcodeIndex = len(codes) if is_first else codes.index((kind, version))
    if is_first:
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = kind, version
        code.deprecatedBuiltinCode = min(kind, 127)  # what readers older than the wide code see
        model.operatorCodes.append(code)
    new.inputs, new.outputs = (np.array(np.atleast_1d(x), np.int32) for x in (inputs, outputs))
    if options is not None:
        options_type = type(options).__name__.removesuffix("T")
        new.builtinOptionsType = getattr(schema.BuiltinOptions, options_type)
        new.builtinOptions = options
    return new


def copied_operator(model, source, operator, inputs, outputs):
    """An operator of another model on these tensors; its code is added if it is new."""
    new, code = copy.copy(operator), source.operatorCodes[operator.opcodeIndex]
    codes = [vars(x) for x in model.operatorCodes]
    if vars(code) not in codes:
        model.operatorCodes.append(code)
    new.opcodeIndex = codes.index(vars(code)) if vars(code) in codes else len(codes)
    new.inputs, new.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    return new


def signature(tensor):
    """Shape of a tensor as a tuple of int, -1 for a size that is left open."""
    given = tensor.shapeSignature
    return shape_of(tensor) if given is None or not len(given) else tuple(int(n) for n in given)


def stored_bytes(kind, count):
    """Bytes of so many numbers of a tensor type; None for texts and others of no fixed size."""
    if kind in PACKED_BITS:
        return -(-count * PACKED_BITS[kind] // 8)
    if kind in DTYPES:
        return count * DTYPES[kind].itemsize
    return count * OTHER_BYTES[kind] if kind in OTHER_BYTES else None


def pack_codes(codes, bits):
    """Signed codes of 2 or 4 bits, four or two to a byte, the first in the lowest bits."""
    codes, half, each = np.asarray(codes, np.int8).reshape(-1), 2 ** (bits - 1), 8 // bits
    if codes.size and not (codes.min() >= -half and codes.max() < half):
        span = f"codes from {codes.min()} to {codes.max()}"
        raise ValueError(f"{span} do not fit {bits} bits ({-half} to {half - 1})")
    fields = np.zeros((-(-codes.size // each), each), np.uint8)
    fields.reshape(-1)[: codes.size] = codes.view(np.uint8) & (2**bits - 1)
    return np.bitwise_or.reduce(fields << np.arange(0, 8, bits, np.uint8), axis=1)


def unpack_codes(packed, bits, shape):
    """Undo `pack_codes`, as int8."""
    fields = np.asarray(packed, np.uint8)[:, None] >> np.arange(0, 8, bits, np.uint8)
    codes, half = fields.reshape(-1)[: int(np.prod(shape))] & (2**bits - 1), 2 ** (bits - 1)
    return ((codes ^ half).astype(np.int8) - half).reshape(shape)
