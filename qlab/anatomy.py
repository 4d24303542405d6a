"""Where a `.tflite` file's bytes are: every byte belongs to one part, or to none (padding).

The file is read once, by a reader that notes which bytes it looked at. So the account needs no
second description of the format, and what nobody read is padding.
"""

from __future__ import annotations

import zlib

import numpy as np

from qlab.litemodel import WEIGHTED, op_name, stored_index
from qlab.reading import Reader, place

PARTS = ("weights", "biases", "scales", "names", "graph", "padding")
SCALES, NAMES, GRAPH, PADDING = 2, 3, 4, 5


def anatomy(model):
    """Bytes of each part of a file.

    Parameters
    ----------
    model : LiteModel

    Returns
    -------
    dict of str to int
        In this order, adding up to the size of the file:

        - ``weights``: the numbers of all layers' weights, and nothing around them;
        - ``biases``: likewise their biases;
        - ``scales``: scales, zero points and ranges of all tensors;
        - ``names``: the characters of every name;
        - ``graph``: what joins them: tables, offsets, lengths, shapes, options, other constants;
        - ``padding``: bytes that nothing reads, there so that numbers start at round addresses.

    Raises
    ------
    ValueError
        If the bytes are no `.tflite` file; `LiteModel.from_bytes` checks that.

    References
    ----------
    .. [1] FlatBuffers, "FlatBuffer Internals": tables, vtables, vectors, strings.

    Examples
    --------
    >>> import qlab
    >>> parts = anatomy(qlab.pretrained("baseline"))
    >>> list(parts)
    ['weights', 'biases', 'scales', 'names', 'graph', 'padding']
    >>> parts["weights"], parts["biases"], parts["scales"]
    (301704, 732, 0)
    """
    counts = np.bincount(owners(model), minlength=len(PARTS))
    return dict(zip(PARTS, counts.tolist(), strict=True))


def compressed_anatomy(model):
    """Bytes that each part takes when it is compressed alone, as gzip does (DEFLATE, level 6).

    In a gzipped file the parts share one stream and lend each other patterns, so these numbers need
    not add up to `LiteModel.gzip_bytes`; they tell how well each part compresses.

    Parameters
    ----------
    model : LiteModel

    Returns
    -------
    dict of str to int
        The same parts as `anatomy`. No headers are counted; a part without bytes has 0.

    References
    ----------
    .. [1] Deutsch, DEFLATE Compressed Data Format, RFC 1951.

    Examples
    --------
    >>> import qlab
    >>> model = qlab.pretrained("baseline")
    >>> raw, alone = anatomy(model), compressed_anatomy(model)
    >>> alone["weights"] > 0.9 * raw["weights"], alone["names"] < 0.5 * raw["names"]
    (True, True)
    """
    data, owner = np.frombuffer(model.data, np.uint8), owners(model)
    return {part: _deflated(data[owner == i]) for i, part in enumerate(PARTS)}


def owners(model):
    """Part that each byte of a file belongs to.

    Parameters
    ----------
    model : LiteModel

    Returns
    -------
    ndarray of uint8, shape (file bytes,)
        Indices into `PARTS`.

    Examples
    --------
    >>> import qlab
    >>> PARTS[owners(qlab.pretrained("baseline"))[0]]
    'graph'
    """
    reader = _Noting(model.data)
    graph, owner = reader.model(), reader.owner
    for index, part in _roles(graph).items():
        _give(graph.buffers[index].data, PARTS.index(part), reader)
    for tensor in (x for subgraph in graph.subgraphs for x in subgraph.tensors):
        held = tensor.quantization
        for numbers in (held.min, held.max, held.scale, held.zeroPoint) if held else ():
            _give(numbers, SCALES, reader)
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


def _deflated(data):
    """Length of the DEFLATE stream of these bytes; 0 for none."""
    if not data.size:
        return 0
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(stream.compress(data.tobytes())) + len(stream.flush())
