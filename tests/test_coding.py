"""Our own bytes for zeros and clusters: exact, small, and wary of what comes back."""

import functools
import struct

import engine
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import qlab
from qlab import ModelError, Recipe
from qlab.clusters import bits_per_weight
from qlab.coding import HEAD, MARK, PART, _decoded, _encoded, _Reader, coded_bytes, decode, encode
from qlab.rewriting import with_weights
from qlab.sparse_encoding import sparse_file

VALUES = st.sampled_from([0, 0, 0, 1, 2, 3]) | st.integers(0, 255)
ARRAYS = st.sampled_from(["u1", "<u2", "<u4"]).flatmap(
    lambda dtype: hnp.arrays(dtype, st.integers(1, 400), elements=VALUES)
)


@functools.cache
def coded():
    model = engine.compressor("baseline").compress(Recipe(sparsity=0.9, clusters=8))
    return encode(model)


@given(ARRAYS)
def test_a_part_comes_back(values):
    data = _encoded(77, values)
    start, again = _decoded(_Reader(data), values.nbytes)
    assert start == 77
    assert again.dtype == values.dtype
    np.testing.assert_array_equal(again, values)
    assert len(data) <= PART.size + values.nbytes


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
@pytest.mark.parametrize("recipe", [Recipe(32, 32), Recipe(16, 32), Recipe(), Recipe(3, 4)])
def test_the_file_comes_back_byte_for_byte(name, recipe, monkeypatch):
    monkeypatch.setattr(qlab.litemodel, "_try_elsewhere", lambda *_: None)  # tried below
    for changes in ({}, {"sparsity": 0.9}, {"clusters": 4}, {"sparsity": 0.5, "clusters": 16}):
        model = engine.compressor(name).compress(recipe.replace(**changes))
        for given_model in (model, model.packed(), sparse_file(model)):
            assert decode(encode(given_model)).data == given_model.data


def test_what_comes_back_has_been_run():
    assert decode(coded()).data == engine.compressor("baseline").compress(
        Recipe(sparsity=0.9, clusters=8)
    ).data  # fmt: skip


def test_sizes_are_what_the_format_says():
    source = engine.float_model("baseline")
    weights = {x.name: x.weights for x in source.layers if x.weights is not None}
    count = sum(x.size for x in weights.values())
    rest = source.file_bytes - 4 * count + len(MARK) + HEAD.size + 4 * PART.size
    assert coded_bytes(source) == rest + 4 * count
    for k in (2, 16, 64):
        model = engine.compressor("baseline").compress(Recipe(32, 32, clusters=k))
        indices = sum(-(-x.size * bits_per_weight(k) // 8) for x in weights.values())
        assert coded_bytes(model) == rest + 4 * (1 + 4 * k) + indices
    blank = with_weights(source, {name: np.zeros_like(x) for name, x in weights.items()})
    assert coded_bytes(blank) == rest + 4 * (1 + 4)


def test_pruning_clustering_and_both():
    compressor, sizes = engine.compressor("baseline"), []
    for changes in ({}, {"sparsity": 0.9}, {"clusters": 16}, {"sparsity": 0.9, "clusters": 16}):
        sizes.append(coded_bytes(compressor.compress(Recipe(32, 32).replace(**changes))))
    plain, pruned, clustered, both = sizes
    assert both < 0.5 * min(pruned, clustered)
    assert max(pruned, clustered) < 0.2 * plain


# ---- hostile ------------------------------------------------------------------------------------
def head(length, parts):
    return MARK + HEAD.pack(length, parts)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged or cut short"),
        (b"QLAB", "damaged or cut short"),
        (b"TFL3" * 10, "does not begin with QLABW1"),
        (head(2**32 - 1, 0), "says to hold 4,294,967,295 bytes"),
        (head(100, 1), "cut short"),
        (head(100, 1) + PART.pack(0, 10, 3, 0), "no known kind"),
        (head(100, 1) + PART.pack(0, 10, 4, 4), "no known kind"),
        (head(100, 1) + PART.pack(0, 2**32 - 1, 4, 1), "too large"),
        (head(100, 1) + PART.pack(0, 26, 4, 0) + bytes(104), "too large"),
        (head(100, 2) + 2 * (PART.pack(0, 20, 4, 2) + bytes(5)), "too large"),
        (head(100, 1) + PART.pack(99, 8, 1, 0) + bytes(108), "cut short"),
        (head(100, 1) + PART.pack(0, 8, 1, 2) + bytes([2, 1, 2, 3, 255, 255]), "past its list"),
        (head(100, 1) + PART.pack(0, 8, 1, 2) + bytes([255, 0]), "cut short"),
        (head(4, 0) + bytes(5), "bytes are left over"),
        (head(4, 0) + bytes(4), "not a .tflite file"),
        (head(20, 0) + b"\0\0\0\0TFL3" + bytes(12), "this coded model is damaged or truncated"),
    ],
)
def test_bytes_that_are_no_model_are_refused_in_words(data, words):
    with pytest.raises(ModelError, match=words):
        decode(data)


def test_a_coded_model_cut_anywhere_is_refused():
    data = coded()
    for end in [*range(0, 200, 7), *range(200, len(data), len(data) // 40), len(data) - 1]:
        with pytest.raises(ModelError):
            decode(data[:end])


def test_damage_is_refused_or_gives_a_file_that_was_checked(monkeypatch):
    monkeypatch.setattr(qlab.litemodel, "_try_elsewhere", lambda *_: None)
    random, data, refused = np.random.default_rng(0), coded(), 0
    for _ in range(300):
        changed = bytearray(data)
        for place in random.integers(0, 120, 3):
            changed[place] = random.integers(256)
        try:
            decode(bytes(changed))
        except ModelError:
            refused += 1
    assert refused > 200


def test_parts_out_of_order_are_refused():
    parts = PART.pack(8, 4, 1, 0) + bytes(4) + PART.pack(0, 4, 1, 0) + bytes(4)
    with pytest.raises(ModelError, match="cut short"):
        decode(head(16, 2) + parts + bytes(8))


def test_only_a_model_is_encoded():
    with pytest.raises(TypeError, match=r"takes a qlab\.LiteModel"):
        encode(struct.pack("<I", 3))
