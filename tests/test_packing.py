"""Packed INT4: the same numbers in half the bytes."""

import engine
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import qlab
from qlab import Recipe
from qlab.tflite.graph import pack_int4

CODES = arrays.arrays(np.int8, st.integers(0, 33), elements=st.integers(-8, 7))


def unpacked(data, count):
    """Codes from packed bytes, one nibble at a time."""
    nibbles = [n for byte in data.tolist() for n in (byte % 16, byte // 16)]
    return [n - 16 if n > 7 else n for n in nibbles[:count]]


@given(CODES)
def test_codes_survive_packing(codes):
    data = pack_int4(codes)
    assert data.dtype == np.uint8
    assert len(data) == (len(codes) + 1) // 2
    assert unpacked(data, len(codes)) == codes.tolist()


@pytest.mark.parametrize("code", [-128, -9, 8, 127])
def test_a_code_that_does_not_fit(code):
    with pytest.raises(ValueError, match="do not fit 4 bits"):
        pack_int4(np.array([0, code], np.int8))


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
@pytest.mark.parametrize(
    "recipe", [Recipe(4, 8), Recipe(4, 32), Recipe(2, 4, "per-tensor"), Recipe(3, 3)]
)
def test_packed_weights_are_the_same_codes_in_half_the_bytes(name, recipe, fashion, tmp_path):
    model = engine.compressor(name).compress(recipe)
    small = qlab.LiteModel.from_file(model.packed().save(tmp_path / "small.tflite"))
    for before, after in zip(model.layers, small.layers, strict=True):
        if before.weights is not None:
            assert np.array_equal(before.weights, after.weights), before.name
    before, after = model.anatomy()["weights"], small.anatomy()["weights"]
    layers = sum(x.weights is not None for x in model.layers)
    assert before / 2 <= after <= before / 2 + layers
    assert small.file_bytes < model.file_bytes - before / 2 + 500
    answers = [qlab.predict(m, fashion.test.images[:100]) for m in (model, small)]
    least = {32: 0.99, 8: 0.93}.get(recipe.activation_bits, 0)  # see the next test for why
    assert (answers[0] == answers[1]).mean() >= least


@pytest.mark.parametrize("bits", [(4, 8), (4, 4), (3, 3)])
def test_packed_baseline_is_fake_quantization_but_for_rounding_twice(fashion, bits):
    # LiteRT's INT4 kernels are not those of INT8: they round a sum to a multiple of a power of
    # two of the output's step, and then again to a whole step, a half upwards. So a code is up
    # to 3/4 of a step away where the nearest would be up to 1/2, and up to a quarter of them are
    # one too high. In float (activations of 32 bits) there is no such thing.
    source = engine.float_model("baseline")
    due = reference.activation_grids(source, engine.pictures()[:128], bits[1])
    model = engine.compressor("baseline").compress(Recipe(*bits)).packed()
    assert engine.wrong_grid(source, model, due) is None
    images = fashion.test.images[:64]
    for layer, error in engine.divergence(source, model, images, due, bits[0]):
        assert error.max() <= 0.76, layer.name
        assert (error > 0.501).mean() < 0.35, layer.name


def test_only_layers_whose_codes_fit_are_packed():
    overrides = {"dense1": {"weight_bits": 4}}
    model = engine.compressor("baseline").compress(Recipe(overrides=overrides))
    small = model.packed()
    assert model.file_bytes - small.file_bytes == pytest.approx(72_000 / 2, abs=64)
    assert np.array_equal(small.layer("conv2").weights, model.layer("conv2").weights)


def test_a_model_without_small_weights_stays_itself():
    model = engine.compressor("baseline").compress(Recipe(weight_bits=8))
    assert model.packed() is model
    assert engine.float_model("baseline").packed() is engine.float_model("baseline")


def test_packing_twice_is_packing_once():
    small = engine.compressor("baseline").compress(Recipe(weight_bits=4)).packed()
    assert small.packed() is small


def test_packing_keeps_the_other_model():
    model = engine.compressor("baseline").compress(Recipe(weight_bits=4))
    before = model.data
    model.packed()
    assert model.data == before
