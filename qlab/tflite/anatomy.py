"""Where a `.tflite` file's bytes are: every byte belongs to one part, or to none (padding)."""

from __future__ import annotations

import copy

import numpy as np

from qlab.tflite.graph import carried, op_name
from qlab.tflite.gzipping import deflate_size
from qlab.tflite.reading import Reader, place

PARTS = ("weights", "biases", "scales", "names", "graph", "padding")
SCALES, NAMES, GRAPH, PADDING, APPENDED = 2, 3, 4, 5, 6


def byte_counts(data):
    """Bytes of each part of a file, by name; they add up to its size."""
    owner = owners(data)
    return {part: int((owner == i).sum()) for i, part in enumerate(_parts(owner))}


def compressed_byte_counts(data):
    """Bytes that each part takes when it is compressed alone, as gzip does."""
    owner, data = owners(data), np.frombuffer(data, np.uint8)
    parts = enumerate(_parts(owner))
    return {part: deflate_size(data[owner == i].tobytes()) for i, part in parts}


def _parts(owner):
    """The parts of a file; one more if something was put behind the model, such as label names."""
    return (*PARTS, "appended") if APPENDED in owner else PARTS


def owners(data):
    """Part that each byte of a file belongs to."""
    reader = _Noting(data)
    graph, owner = reader.model(), reader.owner
    for index, part in _roles(graph).items():
        _give(graph.buffers[index].data, PARTS.index(part), reader)
    for tensor in (x for subgraph in graph.subgraphs for x in subgraph.tensors):
        held = tensor.quantization
        for numbers in (held.min, held.max, held.scale, held.zeroPoint) if held else ():
            _give(numbers, SCALES, reader)
    end = len(data) - int((owner[::-1] != PADDING).argmax())
    behind = np.flatnonzero(np.frombuffer(data, np.uint8)[end:])
    owner[end + behind[0] if len(behind) else len(data) :] = APPENDED
    return owner


def _roles(graph):
    """Part of each buffer that holds weights or biases, those of a BatchNorm in MUL and ADD too."""
    roles, graph = {}, copy.copy(graph)
    for called in graph.subgraphs:
        graph.subgraphs = [called]
        for operator in called.operators:
            adds = op_name(graph, operator) in ("ADD", "SUB")
            for position, index in carried(graph, operator).items():
                part = "biases" if adds or position == 2 else "weights"
                roles.setdefault(called.tensors[index].buffer, part)
    return roles


def _give(numbers, part, reader):
    """Say that a vector of the file, which need not be there, belongs to a part."""
    if numbers is not None:
        start = place(numbers, reader.data)
        reader.owner[start : start + numbers.nbytes] = part


class _Noting(Reader):
    """A reader that notes for each byte read whose it is."""

    def __init__(self, data):
        super().__init__(data)
        self.owner = np.full(len(data), PADDING, np.uint8)

    def see(self, start, size, width=1, text=False):
        super().see(start, size, width)
        self.owner[start : start + size] = NAMES if text else GRAPH
