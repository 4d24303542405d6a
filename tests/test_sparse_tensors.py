"""Zeros left out and put back: any array, any layout that LiteRT knows, and layouts that lie."""

import copy

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qlab.tflite.sparse_tensors import LARGEST, compressed, expanded, index_bytes

ARRAYS = st.sampled_from([np.int8, np.float16, np.float32]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=7),
        elements=st.sampled_from([0, 0, 0, 1, -3, 7]),
    )
)


def level(size=None, segments=None, indices=None):
    new = schema.DimensionMetadataT()
    if size is not None:
        new.format, new.denseSize = schema.DimensionType.DENSE, size
        return new
    new.format = schema.DimensionType.SPARSE_CSR
    for name, numbers in (("arraySegments", segments), ("arrayIndices", indices)):
        vector = schema.Int32VectorT()
        vector.values = np.array(numbers, np.int32)
        setattr(new, name, vector)
        setattr(new, f"{name}Type", schema.SparseIndexVector.Int32Vector)
    return new


def layout(order, levels, blocks=()):
    where = schema.SparsityParametersT()
    where.traversalOrder, where.dimMetadata = np.array(order, np.int32), levels
    where.blockMap = np.array(blocks, np.int32) if blocks else None
    return where


def blocked(values, width):
    """A matrix with its rows cut into blocks, of which only those with a value are stored."""
    rows = len(values)
    blocks = values.reshape(rows, -1, width)
    kept = blocks.any(-1)
    segments = np.concatenate([[0], np.cumsum(kept.sum(1))])
    levels = [level(rows), level(segments=segments, indices=np.nonzero(kept)[1]), level(width)]
    return blocks[kept].reshape(-1), layout([0, 1, 2], levels, [1])


def column_by_column(values):
    others, where = compressed(np.ascontiguousarray(values.T))
    where.traversalOrder = np.array([1, 0], np.int32)
    return others, where


@given(ARRAYS)
def test_what_was_left_out_comes_back(values):
    others, where = compressed(values)
    assert len(others) == max(np.count_nonzero(values), 1)
    assert others.dtype == values.dtype
    np.testing.assert_array_equal(expanded(others, values.shape, where), values)


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 6), st.just(8)), elements=st.integers(0, 1)))
def test_blocks_and_columns_come_back_too(values):
    for others, where in (blocked(values, 4), blocked(values, 2), column_by_column(values)):
        np.testing.assert_array_equal(expanded(others, values.shape, where), values)


def test_indices_are_as_narrow_as_they_can_be():
    narrow, wide = np.eye(256, dtype=np.int8), np.eye(257, dtype=np.int8)
    assert index_bytes(compressed(narrow)[1]) == 256 + 2 * 257  # the last count is 256
    assert index_bytes(compressed(wide)[1]) == 2 * 257 + 2 * 258
    assert index_bytes(compressed(narrow[:200])[1]) == 200 + 201


LIES = {
    "too few segments": (lambda w: set_segments(w, [0, 1]), "too few segments"),
    "segments that fall": (lambda w: set_segments(w, [0, 3, 1]), "in no order"),
    "segments past the end": (lambda w: set_segments(w, [0, 2, 99]), "in no order"),
    "negative segments": (lambda w: set_segments(w, [-5, 2, 3]), "in no order"),
    "segments twice over": (lambda w: set_segments(w, [0, 3, 3]), "other places"),
    "an index too far": (lambda w: set_indices(w, [0, 1, 3]), "an index is wrong"),
    "a negative index": (lambda w: set_indices(w, [0, -1, 2]), "an index is wrong"),
    "a longer level": (
        lambda w: setattr(w.dimMetadata[0], "denseSize", 2**31 - 1),
        "another length",
    ),
    "no levels": (lambda w: setattr(w, "dimMetadata", None), "differ in number"),
    "a level too many": (lambda w: w.dimMetadata.append(level(1)), "differ in number"),
    "an axis twice": (lambda w: setattr(w, "traversalOrder", np.array([0, 0])), "no order"),
    "no order": (lambda w: setattr(w, "traversalOrder", None), "differ in number"),
    "all dense": (lambda w: w.dimMetadata.__setitem__(1, level(3)), "other places"),
    "no arrays": (lambda w: setattr(w.dimMetadata[1], "arraySegments", None), "too few segments"),
}


def set_segments(where, numbers):
    where.dimMetadata[1].arraySegments.values = np.array(numbers)


def set_indices(where, numbers):
    where.dimMetadata[1].arrayIndices.values = np.array(numbers)


@pytest.mark.parametrize("lie", LIES)
def test_a_layout_that_lies_is_refused_in_words(lie):
    others, where = compressed(np.array([[0, 5, 0], [7, 0, 9]], np.int8))
    where = copy.deepcopy(where)
    change, words = LIES[lie]
    change(where)
    if lie == "segments twice over":
        others = others[:2]
    with pytest.raises(ValueError, match=words):
        expanded(others, (2, 3), where)


@pytest.mark.parametrize(
    ("blocks", "sizes", "words"),
    [
        ([1], [3], "a block does not fit"),
        ([1], [0], "a block does not fit"),
        ([1], [-2], "a block does not fit"),
        ([2], [2], "blocks overlap"),
        ([-1], [2], "blocks overlap"),
        ([1, 1], [2, 2], "blocks overlap"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(blocks, sizes, words):
    levels = [level(2), level(2), *(level(n) for n in sizes)]
    where = layout(range(2 + len(blocks)), levels, blocks)
    with pytest.raises(ValueError, match=words):
        expanded(np.ones(8, np.int8), (2, 4), where)


@pytest.mark.parametrize("shape", [(LARGEST + 1, 1), (0, 3), (2**20, 2**20)])
def test_a_shape_that_would_fill_the_memory_is_refused(shape):
    where = layout([0, 1], [level(shape[0]), level(segments=[0], indices=[])])
    with pytest.raises(ValueError, match="is empty or too large"):
        expanded(np.zeros(0, np.int8), shape, where)
