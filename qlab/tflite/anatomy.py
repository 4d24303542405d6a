"""Where a `.tflite` file's bytes are: every byte belongs to one part, or to none (padding)."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types
from flatbuffers.table import Table

from qlab.tflite.litemodel import WEIGHTED, op_name, stored_index

PARTS = ("weights", "biases", "scales", "names", "graph", "padding")
NAMES, GRAPH, PADDING = 3, 4, 5
_UNIONS = {
    "BuiltinOptions": schema.BuiltinOptions,
    "BuiltinOptions2": schema.BuiltinOptions2,
    "Details": schema.QuantizationDetails,
    "ArraySegments": schema.SparseIndexVector,
    "ArrayIndices": schema.SparseIndexVector,
}


def anatomy(model):
    """Bytes of each part of a file."""
    counts = np.bincount(owners(model), minlength=len(PARTS))
    return dict(zip(PARTS, counts.tolist(), strict=True))


def compressed_anatomy(model):
    """Bytes that each part takes when it is compressed alone, as gzip does (DEFLATE, level 6)."""
    data, owner = np.frombuffer(model.data, np.uint8), owners(model)
    return {part: _deflated(data[owner == i]) for i, part in enumerate(PARTS)}


def owners(model):
    """Part that each byte of a file belongs to."""
    owner = np.full(len(model.data), PADDING, np.uint8)
    owner[:8] = GRAPH  # where the root table is, and the mark TFL3
    _visit(schema.Model.GetRootAs(model.data), "graph", owner, _roles(model.parsed))
    return owner


def _roles(graph):
    """Part of each buffer that holds weights or biases, looking through DEQUANTIZE and DENSIFY."""
    operators, tensors = graph.subgraphs[0].operators, graph.subgraphs[0].tensors
    roles = {}
    for operator in operators:
        if op_name(graph, operator) in WEIGHTED:
            for part, index in zip(("weights", "biases"), operator.inputs[1:], strict=False):
                if index >= 0:
                    roles.setdefault(tensors[stored_index(graph, int(index))].buffer, part)
    return roles


def _visit(table, vectors, owner, roles):
    """Read all that a table holds; its numeric vectors belong to the part `vectors`."""
    table._tab = _NotingTable(table._tab, vectors, owner)
    for field in _fields(type(table)):
        for i, child in enumerate(_children(table, field)):
            if isinstance(child, schema.Buffer):
                _visit(child, roles.get(i, "graph"), owner, roles)
            elif isinstance(child, schema.QuantizationParameters):
                _visit(child, "scales", owner, roles)
            elif hasattr(child, "_tab"):
                _visit(child, "graph", owner, roles)


def _children(table, field):
    """Read one field, whatever its kind; return the tables and strings in it, if it holds such."""
    if hasattr(table, f"{field}AsNumpy"):
        getattr(table, f"{field}AsNumpy")()
        return ()
    if hasattr(table, f"{field}IsNone"):
        return [getattr(table, field)(i) for i in range(getattr(table, f"{field}Length")())]
    child = getattr(table, field)()
    if type(child) is Table:
        kind = getattr(table, f"{field}Type")()
        names = {value: name for name, value in vars(_UNIONS[field]).items()}
        union = getattr(schema, names[kind])()
        union.Init(child.Bytes, child.Pos)
        return (union,)
    return (child,)


@cache
def _fields(kind):
    """Names of the fields that the schema gives a table."""
    inherited = (
        "GetRootAs",
        "Init",
        f"{kind.__name__}BufferHasIdentifier",
        f"GetRootAs{kind.__name__}",
    )
    named = [name for name in vars(kind) if name[0].isupper() and name not in inherited]
    vectors = {name.removesuffix("IsNone") for name in named if name.endswith("IsNone")}
    helpers = {f"{v}{suffix}" for v in vectors for suffix in ("IsNone", "Length", "AsNumpy")}
    return tuple(name for name in named if name not in helpers)


class _NotingTable(Table):
    """A flatbuffers table that notes for each byte read whose it is."""

    __slots__ = ("_owner", "_vectors")

    def __init__(self, table, vectors, owner):
        super().__init__(table.Bytes, table.Pos)
        self._vectors, self._owner = PARTS.index(vectors), owner
        vtable = self.Pos - self.Get(number_types.SOffsetTFlags, self.Pos)
        self._note(vtable, Table.Get(self, number_types.VOffsetTFlags, vtable))

    def _note(self, start, n_bytes, part=GRAPH):
        self._owner[start : start + n_bytes] = part

    def Get(self, flags, off):
        self._note(off, flags.bytewidth)
        return super().Get(flags, off)

    def Indirect(self, off):
        self._note(off, number_types.UOffsetTFlags.bytewidth)
        return super().Indirect(off)

    def Vector(self, off):
        start = super().Vector(off)
        self._note(start - 4, 4)
        return start

    def String(self, off):
        text = super().String(off)
        start = self.Indirect(off)
        self._note(start, 4 + len(text) + 1)  # length in front, zero byte behind
        self._note(start + 4, len(text), NAMES)
        return text

    def GetVectorAsNumpy(self, flags, off):
        vector = super().GetVectorAsNumpy(flags, off)
        self._note(self.Vector(off), vector.nbytes, self._vectors)
        return vector


def _deflated(data):
    """Length of the DEFLATE stream of these bytes; 0 for none."""
    if not data.size:
        return 0
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(stream.compress(data.tobytes())) + len(stream.flush())
