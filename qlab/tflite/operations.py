"""What one image costs, counted from the graph: multiply-accumulates, bytes moved, an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import (
    DTYPES,
    PACKED_BITS,
    carried,
    constant,
    op_name,
    shape_of,
    stored_bytes,
    stored_constant,
    stored_index,
)
from qlab.tflite.litemodel import ModelError, require_lite_model, require_sizes
from qlab.tflite.operators import OPERATORS, PLUMBING, WEIGHTED

COUNTED = tuple(row.name for row in OPERATORS.values() if row.work)
# Picojoules in 45 nm CMOS at 0.9 V, and the widths of what they are for: Horowitz, "Computing's
# energy problem", ISSCC 2014, figure 1.1.9. Caches and DRAM are for 64 bits.
PICOJOULES = {
    "int8 multiply": 0.2, "int32 add": 0.1, "float32 multiply": 3.7, "float32 add": 0.9,
    "a cache of 8 KB": 10.0, "a cache of 32 KB": 20.0, "a cache of 1 MB": 100.0, "DRAM": 1300.0,
}  # fmt: skip
HOLDS = {"a cache of 8 KB": 2**13, "a cache of 32 KB": 2**15, "a cache of 1 MB": 2**20}  # bytes
SOURCE = "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, 45 nm"
MAC_PJ = {
    "float32": PICOJOULES["float32 multiply"] + PICOJOULES["float32 add"],
    "int8": PICOJOULES["int8 multiply"] + PICOJOULES["int32 add"],
    # A multiplier grows with the product of its widths (the source's 8 and 32 bits are 1 : 16).
    "int16x8": 2 * PICOJOULES["int8 multiply"] + 2 * PICOJOULES["int32 add"],
}
PLACES = ("on-chip", "off-chip")


@dataclass(frozen=True)
class LayerWork:
    """What one layer does for one image."""

    name: str
    op: str
    arithmetic: str
    macs: int
    nonzero_macs: int
    weight_bytes: int
    activation_bytes: int

    @property
    def moved_bytes(self):
        """int: weights and activations; a lower bound, since kernels read some of them again."""
        return self.weight_bytes + self.activation_bytes


@dataclass(frozen=True)
class Energy:
    """An estimate of the energy for one image, in nanojoules; no runtime executed it."""

    arithmetic_nj: float
    weights_nj: float
    activations_nj: float
    weights_in: str  # the memory whose price was taken
    activations_in: str
    kind: str = "simulated"
    source: str = SOURCE

    @property
    def total_nj(self):
        return self.arithmetic_nj + self.weights_nj + self.activations_nj


def count_operations(model):
    """Count what each layer does for one image: a `LayerWork` each, in the order in which they run.

    Each QUANTIZE or DEQUANTIZE of activations has a row too. ModelError names an operator whose
    work qlab cannot count.

    >>> import qlab
    >>> rows = count_operations(qlab.pretrained("baseline"))
    >>> {row.name: row.macs for row in rows if row.macs}
    {'conv1': 93312, 'conv2': 294912, 'dense1': 72000, 'logits': 1250}
    """
    require_lite_model(model)
    graph, names = model.parsed, {layer.output: layer.name for layer in model.layers}
    require_sizes(model)
    batch, known = _batch(graph), set()  # outputs of steps that work out shapes
    rows = []
    for operator in graph.subgraphs[0].operators:
        op, output = op_name(graph, operator), int(operator.outputs[0])
        behind = stored_index(graph, int(operator.inputs[0]))
        if op in PLUMBING and constant(graph, behind) is not None:
            continue  # weights, brought into form once, when the model is loaded
        if op == "SHAPE" or _only_of(known, graph, operator):
            known |= {int(i) for i in operator.outputs}
            continue
        name = names.get(output, op.lower())
        if op not in COUNTED:
            raise ModelError(
                f"{name}: qlab does not count the work of {op}; it counts {', '.join(COUNTED)}"
            )
        rows.append(_work(graph, operator, op, name, batch))
    return tuple(rows)


def energy(model, weights_in="off-chip"):
    """Estimate the energy for one image from the counts [1]_.

    Each multiply-accumulate, each weight read once and each activation read or written once is
    priced as in 45 nm CMOS. ``off-chip`` weights are in DRAM. ``on-chip`` ones are in the smallest
    cache of the source that holds them all, or in DRAM if none does. Activations are in the
    smallest memory that holds what any one step reads and writes. Control, instruction fetch and
    idle time are left out; in a general processor they cost more than the arithmetic.

    .. [1] Horowitz, ISSCC 2014, figure 1.1.9.

    >>> import qlab
    >>> floats, ints = (energy(qlab.pretrained(x)) for x in ("baseline", "baseline-int8"))
    >>> floats.kind, round(floats.total_nj / ints.total_nj), ints.activations_in
    ('simulated', 4, 'a cache of 32 KB')
    >>> energy(qlab.pretrained("baseline-int8"), "on-chip").weights_in
    'a cache of 1 MB'
    """
    if weights_in not in PLACES:
        raise ValueError(f"weights_in is {weights_in!r}; choose one of {', '.join(PLACES)}")
    rows = count_operations(model)
    weights = sum(row.weight_bytes for row in rows)
    activations = sum(row.activation_bytes for row in rows)
    near = _memory(max((row.activation_bytes for row in rows), default=0))
    place = _memory(weights) if weights_in == "on-chip" else "DRAM"
    return Energy(
        sum(row.macs * MAC_PJ[row.arithmetic] for row in rows if row.macs) / 1000,
        weights * PICOJOULES[place] / 8 / 1000,
        activations * PICOJOULES[near] / 8 / 1000,
        place,
        near,
    )


def _memory(size):
    """The smallest memory of the source that holds so many bytes."""
    return next((name for name, most in HOLDS.items() if size <= most), "DRAM")


def _batch(graph):
    """Images of one call: the first axis of the input, if that of the output is the same."""
    part = graph.subgraphs[0]
    given, answer = (part.tensors[int(x[0])] for x in (part.inputs, part.outputs))
    first = shape_of(given)[:1]
    return first[0] if first and first == shape_of(answer)[:1] else 1


def _only_of(known, graph, operator):
    """Whether a step reads known shapes and constants alone, such as STRIDED_SLICE and PACK."""
    read = [int(i) for i in operator.inputs if constant(graph, int(i)) is None and i >= 0]
    return bool(read) and known.issuperset(read)


def _work(graph, operator, op, name, batch):
    output = int(operator.outputs[0])
    weights = int(operator.inputs[1]) if op in WEIGHTED else -1
    if op in WEIGHTED:
        stored = [int(i) for i in operator.inputs[1:] if i >= 0]
    else:
        stored = [int(operator.inputs[i]) for i in carried(graph, operator)]
    moving = [int(i) for i in operator.inputs if i >= 0 and int(i) not in stored]
    macs = count_macs(graph, op, weights, output) // batch if op in WEIGHTED else 0
    values = stored_constant(graph, operator, 1) if op in WEIGHTED else None
    share = 1.0 if values is None else np.count_nonzero(values) / values.size
    activations = [i for i in [*moving, output] if constant(graph, i) is None]
    return LayerWork(
        name,
        op,
        _arithmetic(graph, int(operator.inputs[0]), weights, name),
        macs,
        round(macs * share),
        sum(_bytes(graph, i) for i in stored),
        0 if OPERATORS[op].work == "view" else sum(_bytes(graph, i) for i in activations) // batch,
    )


def count_macs(graph, op, weights, output):
    """Each output number takes one multiply-accumulate for each weight that it sees."""
    shape = shape_of(graph.subgraphs[0].tensors[weights])
    seen = shape[1:3] if op == "DEPTHWISE_CONV_2D" else shape[1:]
    return math.prod(shape_of(graph.subgraphs[0].tensors[output])) * math.prod(seen)


def _arithmetic(graph, data, weights, name):
    """What a layer multiplies, by the types of its input and its weights."""
    kinds = schema.TensorType
    tensors = graph.subgraphs[0].tensors
    found = tensors[data].type
    if weights < 0:
        return "float32" if found == kinds.FLOAT32 else DTYPES.get(found, np.dtype("i1")).name
    if tensors[weights].type in (kinds.FLOAT32, kinds.FLOAT16):
        return "float32"
    if tensors[weights].type in (kinds.INT8, kinds.UINT8, *PACKED_BITS):
        return "int16x8" if found == kinds.INT16 else "int8"
    raise ModelError(f"{name}: qlab does not know what its kernel multiplies")


def _bytes(graph, index):
    """Bytes of a tensor, those of packed codes rounded up."""
    tensor = graph.subgraphs[0].tensors[index]
    return stored_bytes(tensor.type, math.prod(shape_of(tensor))) or 0
