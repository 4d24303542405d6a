"""Zeros and clusters stored as what they are: a byte format of our own, after Deep Compression.

No runtime reads it; `decode` gives the `.tflite` file back, byte for byte. The weights of each
layer are cut out of the file and stored in the shortest of four ways, as two choices make them: all
weights, or one bit each to say which are not zero, and those; values as they are, or a list of the
different ones (at most 256) with an index of ``bits_per_weight`` bits for each weight.

All numbers are little-endian. Bits fill bytes from the highest one down::

    "QLABW1"                      6 bytes
    length of the .tflite file    uint32
    parts                         uint16
    for each part, in the order of the file:
        where it was              uint32
        weights                   uint32
        bytes of a weight         uint8, 1, 2 or 4
        way                       uint8, 1 zeros left out + 2 list of values
        (list) values - 1         uint8
        (list) the values
        (zeros) a bit a weight    rounded up to bytes
        the values, or the indices, rounded up to bytes
    the file without its parts

References
----------
Han et al., ICLR 2016, arXiv:1510.00149, sections 2 and 3. Its third step, Huffman coding, is what
gzip adds.
"""

from __future__ import annotations

import struct

import numpy as np

from qlab.litemodel import (
    DTYPES,
    LARGEST_FILE,
    WEIGHTED,
    LiteModel,
    ModelError,
    op_name,
    require_lite_model,
    stored_index,
)
from qlab.reading import place

MARK, HEAD, PART = b"QLABW1", struct.Struct("<IH"), struct.Struct("<IIBB")
ZEROS, LIST = 1, 2
WIDTHS = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}  # bits are kept, not values


def encode(model):
    """Store a model with its zeros and equal weights said briefly.

    Parameters
    ----------
    model : LiteModel

    Returns
    -------
    bytes
        In the format above.

    Examples
    --------
    >>> import qlab
    >>> engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(8))
    >>> recipe = qlab.Recipe(32, 32, sparsity=0.9, clusters=16, calibration_size=8)
    >>> model = engine.compress(recipe)
    >>> data = encode(model)
    >>> len(data) < 0.07 * model.file_bytes, decode(data).data == model.data
    (True, True)
    """
    require_lite_model(model)
    parts, rest, end = [], [], 0
    for start, values in _weights(model):
        parts.append(_encoded(start, values))
        rest.append(model.data[end:start])
        end = start + values.nbytes
    head = MARK + HEAD.pack(len(model.data), len(parts))
    return b"".join([head, *parts, *rest, model.data[end:]])


def decode(data):
    """Give the `.tflite` file back.

    Parameters
    ----------
    data : bytes
        From anywhere: it is checked, and so is the file that comes out.

    Returns
    -------
    LiteModel

    Raises
    ------
    ModelError
        If these are not the bytes of a model that LiteRT can run.
    """
    reader = _Reader(data)
    if reader.take(len(MARK)) != MARK:
        raise ModelError("this is not a coded model: it does not begin with QLABW1")
    length, count = reader.numbers(HEAD)
    if length > LARGEST_FILE:
        raise ModelError(f"it says to hold {length:,} bytes; qlab reads at most {LARGEST_FILE:,}")
    parts, room = [], length
    for _ in range(count):
        start, values = _decoded(reader, room)
        room -= values.nbytes
        parts.append((start, values))
    whole, end = [], 0
    for start, values in parts:
        whole += [reader.take(start - end), values.tobytes()]
        end = start + values.nbytes
    whole.append(reader.take(length - end))
    if reader.left:
        raise ModelError("this coded model is damaged: bytes are left over")
    return LiteModel.from_bytes(b"".join(whole), name="this coded model")


def coded_bytes(model):
    """Size of a model in the format above.

    Parameters
    ----------
    model : LiteModel

    Returns
    -------
    int
    """
    return len(encode(model))


def _weights(model):
    """(place in the file, bits of the values) of each layer's weights, in the order of the file."""
    graph = model.parsed
    tensors, found = graph.subgraphs[0].tensors, {}
    for operator in graph.subgraphs[0].operators:
        if op_name(graph, operator) in WEIGHTED:
            tensor = tensors[stored_index(graph, int(operator.inputs[1]))]
            values = graph.buffers[tensor.buffer].data
            if tensor.type in DTYPES and values is not None and values.size:
                width = WIDTHS.get(DTYPES[tensor.type].itemsize, WIDTHS[1])
                found[place(values, model.data)] = np.frombuffer(values, width)
    return sorted(found.items())


def _encoded(start, values):
    """One part: its head and its shortest body."""
    bodies = {way: _body(values, way) for way in range(4)}
    way = min((x for x in bodies if bodies[x] is not None), key=lambda x: len(bodies[x]))
    return PART.pack(start, values.size, values.itemsize, way) + bodies[way]


def _body(values, way):
    """The bytes of a part stored in one way; None if there are too many values to list."""
    where = b""
    if way & ZEROS:
        where = np.packbits(values != 0).tobytes()
        values = values[values != 0]
    if not way & LIST:
        return where + values.tobytes()
    different, indices = np.unique(values, return_inverse=True)
    if not 1 <= different.size <= 256:
        return None
    listed = bytes([different.size - 1]) + different.tobytes()
    return listed + where + _pack(indices, _bits(different.size))


def _decoded(reader, room):
    """(place, values) of the next part, which may fill so many bytes."""
    start, count, width, way = reader.numbers(PART)
    if width not in WIDTHS or way > 3 or count * width > room:
        raise ModelError("this coded model is damaged: a part is of no known kind or too large")
    dtype, listed, where = WIDTHS[width], None, None
    if way & LIST:
        listed = np.frombuffer(reader.take((reader.take(1)[0] + 1) * width), dtype)
    if way & ZEROS:
        where = _unpack(reader.take(-(-count // 8)), count, 1) != 0
    stored = count if where is None else int(where.sum())
    if listed is None:
        values = np.frombuffer(reader.take(stored * width), dtype)
    else:
        bits = _bits(listed.size)
        indices = _unpack(reader.take(-(-stored * bits // 8)), stored, bits)
        if indices.max(initial=0) >= listed.size:
            raise ModelError("this coded model is damaged: an index is past its list")
        values = listed[indices]
    if where is None:
        return start, values
    spread = np.zeros(count, dtype)
    spread[where] = values
    return start, spread


def _bits(different):
    """Bits of an index; none where there is but one value."""
    return (different - 1).bit_length()


def _pack(numbers, bits):
    """Numbers of so many bits each, one after the other."""
    spread = np.unpackbits(numbers.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(spread).tobytes()


def _unpack(data, count, bits):
    """The numbers again."""
    spread = np.unpackbits(np.frombuffer(data, np.uint8), count=count * bits)
    return np.packbits(np.pad(spread.reshape(count, bits), ((0, 0), (8 - bits, 0))), axis=1)[:, 0]


class _Reader:
    """Takes bytes from the front, and says so when there are too few."""

    def __init__(self, data):
        self._data, self._at = bytes(data), 0

    @property
    def left(self):
        """int: bytes not yet taken."""
        return len(self._data) - self._at

    def take(self, count):
        """Return the next bytes."""
        if not 0 <= count <= self.left:
            raise ModelError("this coded model is damaged or cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def numbers(self, form):
        """Return the next numbers."""
        return form.unpack(self.take(form.size))
