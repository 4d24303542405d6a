"""Ways to damage a `.tflite` file, at random from a seed: its bytes, its offsets, its meaning."""

import struct
from functools import cache

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from mutants import graph_bytes

NUMBERS = (0, 1, 2, 3, 10, 28, 127, 128, 255, 1000, 2**16, 2**20, 2**31 - 1, -1, -2, -128, -(2**31))
CODES = [v for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)]


@cache
def structure(data):
    """Positions outside of large stored numbers, where damage changes the structure."""
    return graph_bytes(data)


# ---- damage to bytes ----------------------------------------------------------------------------
def flips(random, data):
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        changed[somewhere(random, data)] ^= 1 << random.integers(8)
    return bytes(changed)


def random_bytes(random, data):
    changed, start = bytearray(data), somewhere(random, data)
    part = random.bytes(int(random.integers(1, 64)))
    changed[start : start + len(part)] = part
    return bytes(changed[: len(data)])


def zeros(random, data):
    changed, start = bytearray(data), somewhere(random, data)
    size = int(random.integers(1, 200))
    changed[start : start + size] = bytes(len(changed[start : start + size]))
    return bytes(changed)


def truncation(random, data):
    return data[: int(random.integers(0, len(data)))]


def splice(random, data):
    """Repeat, move or cut out a stretch."""
    start, size = somewhere(random, data), int(random.integers(1, 400))
    part = data[start : start + size]
    where = somewhere(random, data)
    cut = random.integers(3)
    if cut == 0:
        return data[:start] + data[start + size :]
    return data[:where] + part + data[where + (len(part) if cut == 1 else 0) :]


def offsets(random, data):
    """Other numbers of 4 bytes where the structure is: offsets, lengths and indices are there."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        at = int(random.choice(structure(data))) & ~3
        value = int(random.choice(NUMBERS)) if random.integers(2) else int(random.integers(1 << 20))
        struct.pack_into("<I", changed, min(at, len(data) - 4), value & 0xFFFFFFFF)
    return bytes(changed)


def small_offsets(random, data):
    """Other numbers of 2 bytes: sizes of tables and places of their fields."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        at = int(random.choice(structure(data))) & ~1
        struct.pack_into("<H", changed, min(at, len(data) - 2), int(random.integers(0, 64)))
    return bytes(changed)


def somewhere(random, data):
    """A place in the structure three times in four, else anywhere."""
    return int(random.choice(structure(data)) if random.integers(4) else random.integers(len(data)))


# ---- damage to the meaning ----------------------------------------------------------------------
def shape(random, model):
    tensor = chosen(random, model.subgraphs[0].tensors)
    new = random.choice(NUMBERS, int(random.integers(0, 6)))
    if random.integers(2) and len(tensor.shape):
        new = np.array(tensor.shape)
        new[random.integers(len(new))] = random.choice(NUMBERS)
    tensor.shape = new.astype(np.int32)
    if random.integers(2):
        tensor.shapeSignature = None


def tensor_type(random, model):
    chosen(random, model.subgraphs[0].tensors).type = int(random.integers(0, 24))


def constants(random, model):
    """Other numbers in a small constant: shapes and axes are stored so."""
    small = [b for b in model.buffers if b.data is not None and 0 < len(b.data) <= 64]
    buffer = chosen(random, small or model.buffers)
    size = len(buffer.data or ()) if random.integers(4) else 4 * int(random.integers(0, 5))
    numbers = random.choice(NUMBERS, max(1, size // 4)).astype(np.int32)
    buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)


def buffer_index(random, model):
    tensor = chosen(random, model.subgraphs[0].tensors)
    tensor.buffer = int(random.integers(0, len(model.buffers) + 2))


def options(random, model):
    """Another number in an operator's options: a stride of 0, an axis out of range."""
    operator = chosen(random, model.subgraphs[0].operators)
    names = [k for k, v in vars(operator.builtinOptions or 0).items() if type(v) is int] if (
        operator.builtinOptions
    ) else []  # fmt: skip
    if names:
        name = chosen(random, names)
        most = 128 if name.endswith(("Function", "padding", "Type", "Format")) else 2**31
        setattr(operator.builtinOptions, name, int(random.choice(NUMBERS)) % most)
    else:
        operator.builtinOptionsType = int(random.integers(0, 127))


def operator_code(random, model):
    code = chosen(random, model.operatorCodes)
    code.builtinCode = int(random.choice(CODES))
    code.deprecatedBuiltinCode = min(127, code.builtinCode)


def operator_version(random, model):
    chosen(random, model.operatorCodes).version = int(random.choice(NUMBERS))


def swapped_codes(random, model):
    operators = model.subgraphs[0].operators
    first, second = chosen(random, operators), chosen(random, operators)
    first.opcodeIndex, second.opcodeIndex = second.opcodeIndex, first.opcodeIndex


def ends(random, model):
    """An operator reads or writes another tensor: circles come out of this."""
    operator = chosen(random, model.subgraphs[0].operators)
    side = "inputs" if random.integers(3) else "outputs"
    indices = np.array(getattr(operator, side), np.int32)
    count = len(model.subgraphs[0].tensors)
    indices[random.integers(len(indices))] = random.integers(-1, count + 1)
    if not random.integers(4):
        indices = indices[: random.integers(len(indices) + 1)]
    setattr(operator, side, indices)


def order(random, model):
    operators = model.subgraphs[0].operators
    if random.integers(2):
        operators.append(chosen(random, operators))
    else:
        operators.insert(0, operators.pop(int(random.integers(len(operators)))))


def graph_ends(random, model):
    graph = model.subgraphs[0]
    side = "inputs" if random.integers(2) else "outputs"
    setattr(graph, side, random.integers(0, len(graph.tensors), 1).astype(np.int32))


def grid(random, model):
    """Another scale or zero point."""
    with_grid = [t for t in model.subgraphs[0].tensors if t.quantization is not None]
    held = chosen(random, with_grid or model.subgraphs[0].tensors).quantization
    if held is None:
        return
    size = int(random.integers(1, 4))
    scales = random.choice([0.0, -1.0, 1e-38, 1e38, np.nan, np.inf, 1.0], size)
    held.scale = scales.astype(np.float32)
    if random.integers(2):
        held.zeroPoint = random.choice(NUMBERS, size).astype(np.int64)
    held.quantizedDimension = int(random.choice((0, 0, 0, 1, 3, -1, 2**30)))


def variable(random, model):
    chosen(random, model.subgraphs[0].tensors).isVariable = True


def sparse(random, model):
    """A constant that says of itself that it is stored sparsely."""
    tensor = chosen(random, model.subgraphs[0].tensors)
    held = tensor.sparsity = schema.SparsityParametersT()
    rank = int(random.integers(0, 4))
    held.traversalOrder = random.choice(NUMBERS[:4], rank).astype(np.int32)
    held.dimMetadata = []
    for _ in range(rank):
        dimension = schema.DimensionMetadataT()
        dimension.format, dimension.denseSize = int(random.integers(2)), int(random.choice(NUMBERS))
        dimension.arraySegmentsType = dimension.arrayIndicesType = 1
        dimension.arraySegments, dimension.arrayIndices = (schema.Int32VectorT() for _ in range(2))
        dimension.arraySegments.values = random.choice(NUMBERS, 3).astype(np.int32)
        dimension.arrayIndices.values = random.choice(NUMBERS, 3).astype(np.int32)
        held.dimMetadata.append(dimension)


def chosen(random, items):
    return items[int(random.integers(len(items)))]


TO_BYTES = (flips, random_bytes, zeros, truncation, splice, offsets, small_offsets)
TO_MEANING = (
    *(shape, tensor_type, constants, buffer_index, options, operator_code, operator_version),
    *(swapped_codes, ends, order, graph_ends, grid, variable, sparse),
)


def damaged(data, seed):
    """A damaged copy of a file, and how it was damaged.

    Returns
    -------
    (str, bytes)
    """
    from qlab.tflite.graph import pack
    from qlab.tflite.litemodel import LiteModel

    random = np.random.default_rng(seed)
    if random.integers(3) == 0:
        damage = chosen(random, TO_BYTES)
        return damage.__name__, damage(random, data)
    for _ in range(20):
        graph = LiteModel(data).graph()
        kinds = [chosen(random, TO_MEANING) for _ in range(random.integers(1, 3))]
        try:
            for damage in kinds:
                damage(random, graph)
            return "+".join(damage.__name__ for damage in kinds), pack(graph)
        except (struct.error, OverflowError, TypeError, ValueError, AttributeError):
            continue  # the damage is more than a file can hold; draw another
    raise AssertionError(f"seed {seed} gives no file")
