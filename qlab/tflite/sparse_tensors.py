"""A tensor without its zeros, as the `.tflite` format stores it: the others, and where they are."""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

LARGEST = 2**26  # elements of an unpacked tensor; more is taken for an attack
_NARROW = (
    (2**8, schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT, np.uint8),
    (2**16, schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT, np.uint16),
    (2**31, schema.SparseIndexVector.Int32Vector, schema.Int32VectorT, np.int32),
)


def compressed(values):
    """Leave the zeros of a tensor out, along its last axis."""
    rows = values.reshape(-1, values.shape[-1])
    kept = rows != 0
    kept[0, 0] |= not kept.any()
    where = schema.SparsityParametersT()
    where.traversalOrder = np.arange(values.ndim, dtype=np.int32)
    where.dimMetadata = [_dense(size) for size in values.shape[:-1]]
    level = schema.DimensionMetadataT()
    level.format = schema.DimensionType.SPARSE_CSR
    segments = np.concatenate([[0], np.cumsum(kept.sum(1))])
    level.arraySegmentsType, level.arraySegments = _narrow(segments)
    level.arrayIndicesType, level.arrayIndices = _narrow(np.nonzero(kept)[1])
    where.dimMetadata.append(level)
    return rows[kept], where


def expanded(others, shape, where):
    """Put the zeros of a sparse tensor back."""
    count = math.prod(shape)
    _require(min(shape, default=1) > 0 and count <= LARGEST, "its shape is empty or too large")
    # Every step of a level leads to a value, or to a segment of a compressed level: a file that
    # lists more steps than it holds of either is false, and is not unpacked to find that out.
    most = max([len(others), *(len(_numbers(x.arraySegments)) for x in where.dimMetadata or ())])
    places, above = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for level, (steps, stride) in zip(where.dimMetadata, _levels(shape, where), strict=True):
        if level.format == schema.DimensionType.DENSE:
            _require(level.denseSize == steps, "a level has another length than its axis")
            _require(len(above) * steps <= most, "it lists other places than it has values")
            repeated, index = np.repeat(np.arange(len(above)), steps), np.arange(steps)
            index = np.tile(index, len(above))
            above = above[repeated] * steps + index
        else:
            repeated, above, index = _listed(level, above, steps)
        places = places[repeated] + index * stride
    _require(len(places) == len(others), "it lists other places than it has values")
    dense = np.zeros(count, others.dtype)
    dense[places] = others
    return dense.reshape(shape)


def index_bytes(where):
    """Bytes that the indices and counts of a sparse tensor take, without what is around them."""
    parts = [p for x in where.dimMetadata for p in (x.arraySegments, x.arrayIndices) if p]
    return sum(part.values.nbytes for part in parts)


def _levels(shape, where):
    """(length, stride in the array) of each level, axes first, then blocks."""
    rank = len(shape)
    order, split = (
        [int(i) for i in (() if part is None else part)]
        for part in (where.traversalOrder, where.blockMap)
    )
    levels = where.dimMetadata or []
    blocks = list(range(rank, rank + len(split)))
    _require(len(levels) == len(order) == rank + len(split), "levels and axes differ in number")
    _require(sorted(order[:rank]) == list(range(rank)), "its axes are in no order")
    _require(order[rank:] == blocks, "its blocks are in no order")
    _require(split == sorted(set(split)) and set(split) <= set(range(rank)), "its blocks overlap")
    sizes = {axis: level.denseSize for axis, level in zip(split, levels[rank:], strict=True)}
    _require(all(n > 0 and shape[i] % n == 0 for i, n in sizes.items()), "a block does not fit")
    strides = [math.prod(shape[i + 1 :]) for i in range(rank)]
    outer = [(shape[i] // sizes.get(i, 1), strides[i] * sizes.get(i, 1)) for i in order[:rank]]
    return outer + [(sizes[i], strides[i]) for i in split]


def _listed(level, above, steps):
    """What a compressed level lists under each step of the level above."""
    segments, indices = _numbers(level.arraySegments), _numbers(level.arrayIndices)
    _require(len(segments) > above.max(initial=-1) + 1, "a level has too few segments")
    _require(len(indices) == 0 or 0 <= indices.min() <= indices.max() < steps, "an index is wrong")
    starts, ends = segments[above], segments[above + 1]
    fits = (starts >= 0) & (starts <= ends) & (ends <= len(indices))
    _require(fits.all() and (ends - starts).sum() <= len(indices), "its segments are in no order")
    counts = ends - starts
    repeated = np.repeat(np.arange(len(above)), counts)
    entries = np.arange(counts.sum()) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return repeated, entries, indices[entries]


def _numbers(part):
    """The numbers of a level's segments or indices; none if it has no such part."""
    return np.zeros(0, np.int64) if part is None else np.asarray(part.values, np.int64)


def _dense(size):
    level = schema.DimensionMetadataT()
    level.format, level.denseSize = schema.DimensionType.DENSE, int(size)
    return level


def _narrow(numbers):
    """The schema's narrowest vector for these numbers, and its kind."""
    for limit, kind, vector, dtype in _NARROW:
        if numbers.max(initial=0) < limit:
            new = vector()
            new.values = numbers.astype(dtype)
            return kind, new
    raise ValueError("more weights than an index has numbers for")


def _require(holds, words):
    if not holds:
        raise ValueError(f"this sparse tensor is damaged: {words}")
