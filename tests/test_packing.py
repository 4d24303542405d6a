"""Packed INT4 and INT2: the same numbers in a half and a quarter of the bytes."""

import engine
import numpy as np
import pytest
import reference
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import qlab
from qlab import Recipe, artefacts, train
from qlab.tflite import packing
from qlab.tflite.graph import pack, pack_codes, unpack_codes

MODELS = artefacts.classifiers()
SHIPPED_NETWORKS = [  # one for each shape of network
    "baseline", "distilled-20k-600-taught-seed0", "distilled-5k-600-taught-seed0",
    "pruned-filters-seed0", "separable-seed0",
]  # fmt: skip
TYPES = schema.TensorType


def codes_of(bits):
    codes = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return arrays.arrays(np.int8, st.integers(0, 33), elements=codes)


def unpacked(data, count, bits):
    """Codes from packed bytes, one at a time."""
    digits = []
    for byte in data.tolist():
        for _ in range(8 // bits):
            byte, digit = divmod(byte, 2**bits)
            digits.append(digit)
    return [n - 2**bits if n >= 2 ** (bits - 1) else n for n in digits[:count]]


def weight_types(model):
    """Stored types of the weights of the layers, in their order."""
    tensors = model.parsed.subgraphs[0].tensors
    return [tensors[index].type for index in packing._readers(model.parsed)]


def with_large_bias(bits, size=1.0, seed=0):
    """A dense network with a channel of tiny weights, whose bias has a code of about 2^27.6."""
    keras = train.keras
    layers = keras.layers
    layers = [layers.Input((64,)), layers.Dense(8, name="tiny"), layers.Dense(10, name="logits")]
    model = keras.Sequential(layers)
    weights, bias = model.layers[0].get_weights()
    weights[:, 3], bias[3] = 2e-5, 5 * size
    model.layers[0].set_weights([weights, bias])
    inputs = np.random.default_rng(seed).random((500, 64), np.float32)
    compressor = qlab.Compressor(qlab.LiteModel.from_keras(model), inputs[:128])
    return compressor.compress(Recipe(weight_bits=bits)), inputs


@pytest.mark.parametrize("bits", [2, 4])
@given(data=st.data())
def test_codes_survive_packing(bits, data):
    codes = data.draw(codes_of(bits))
    packed = pack_codes(codes, bits)
    assert packed.dtype == np.uint8
    assert len(packed) == -(-len(codes) * bits // 8)
    assert unpacked(packed, len(codes), bits) == codes.tolist()
    assert unpack_codes(packed, bits, codes.shape).tolist() == codes.tolist()


@pytest.mark.parametrize(("bits", "code"), [(4, -9), (4, 8), (4, 127), (2, -3), (2, 2), (2, -128)])
def test_a_code_that_does_not_fit(bits, code):
    with pytest.raises(ValueError, match=f"do not fit {bits} bits"):
        pack_codes(np.array([0, code], np.int8), bits)


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
@pytest.mark.parametrize(
    "recipe", [Recipe(4, 8), Recipe(4, 32), Recipe(2, 4, "per-tensor"), Recipe(3, 3)]
)
def test_packed_weights_are_the_same_codes_in_fewer_bytes(name, recipe, fashion, tmp_path):
    model = engine.compressor(name).compress(recipe)
    small = qlab.LiteModel.from_file(model.packed().save(tmp_path / "small.tflite"))
    for before, after in zip(model.layers, small.layers, strict=True):
        if before.weights is not None:
            assert np.array_equal(before.weights, after.weights), before.name
    before, after = model.anatomy()["weights"], small.anatomy()["weights"]
    layers = [x for x in small.layers if x.weights is not None]
    quarter = [x.op == "FULLY_CONNECTED" and recipe.weight_bits == 2 for x in layers]
    types = [TYPES.INT2 if x else TYPES.INT4 for x in quarter]
    assert weight_types(small) == types
    each = [(x.weights.size, 4 if few else 2) for x, few in zip(layers, quarter, strict=True)]
    assert before - after == sum(size - -(-size // shared) for size, shared in each)
    assert small.file_bytes < model.file_bytes - (before - after) + 500
    assert model.packed_bytes == small.file_bytes
    answers = [qlab.predict(m, fashion.test.images[:100]) for m in (model, small)]
    least = {32: 0.99, 8: 0.93}.get(recipe.activation_bits, 0)  # see the next test for why
    assert (answers[0] == answers[1]).mean() >= least


@pytest.mark.parametrize("bits", [(4, 8), (4, 4), (3, 3), (2, 8)])
def test_packed_baseline_is_fake_quantization_but_for_rounding_twice(fashion, bits):
    # Many of LiteRT's kernels for packed weights are not those of INT8: they round a sum to a
    # multiple of a power of two of the output's step, and then again to a whole step, a half
    # upwards. So a code is up to 3/4 of a step away where the nearest would be up to 1/2, and up
    # to a quarter of them are one too high. In float (activations of 32 bits) none is.
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


@pytest.mark.parametrize(
    ("bits", "size", "expected"),
    [(4, 1, TYPES.INT8), (4, -1, TYPES.INT8), (4, 0.1, TYPES.INT4), (2, 4, TYPES.INT2)],
)
def test_a_dense_layer_whose_sums_overflow_the_4_bit_kernel_stays_int8(bits, size, expected):
    model, inputs = with_large_bias(bits, size)
    assert (abs(model.layers[0].bias).max() > 2**27) == (bits == 2 or expected == TYPES.INT8)
    small = model.packed()
    assert weight_types(small) == [expected, TYPES.INT4 if bits == 4 else TYPES.INT2]
    assert small.file_bytes < model.file_bytes
    assert np.array_equal(qlab.predict(model, inputs), qlab.predict(small, inputs))


def test_inputs_count_towards_the_sum_and_not_the_bias_alone():
    largest = with_large_bias(4)[0].layers[0].bias.max()
    model, inputs = with_large_bias(4, (2**27 - 50_000) / largest)
    assert 2**27 - 100_000 < model.layers[0].bias.max() < 2**27
    small = model.packed()
    assert weight_types(small) == [TYPES.INT8, TYPES.INT4]
    assert np.array_equal(qlab.predict(model, inputs), qlab.predict(small, inputs))


def test_a_packed_file_that_answers_otherwise_never_leaves(monkeypatch):
    model, _ = with_large_bias(4)
    monkeypatch.setattr(packing, "LARGEST_SUM", np.inf)
    with pytest.raises(qlab.ModelError, match="otherwise for tiny; give that layer 8 bits, or"):
        model.packed()
    assert model.packed_bytes < model.file_bytes  # sizes alone are asked for without the proof


@pytest.mark.parametrize("recipe", [Recipe(4), Recipe(2), Recipe(2, 2), Recipe(4, 32)])
def test_codes_in_the_wrong_order_are_noticed_in_each_layer(recipe, monkeypatch):
    model = qlab.LiteModel(engine.compressor("baseline").compress(recipe).data)
    with monkeypatch.context() as patched:
        turned = lambda codes, bits: pack_codes(codes.reshape(-1)[::-1], bits)  # noqa: E731
        patched.setattr(packing, "pack_codes", turned)
        with pytest.raises(qlab.ModelError, match="conv1, conv2, dense1, logits; give"):
            model.packed()
    again = qlab.LiteModel(model.data)
    assert again.packed() is again.packed()


def test_a_form_that_litert_refuses_is_said_in_words(monkeypatch):
    model = qlab.LiteModel(engine.compressor("baseline").compress(Recipe(2)).data)
    monkeypatch.setattr(packing, "_kind", lambda *_: TYPES.INT2)  # of convolutions too
    with pytest.raises(qlab.ModelError, match="packed, LiteRT cannot run this model"):
        model.packed()


def test_a_packed_tensor_of_another_size_is_damaged():
    graph = engine.compressor("baseline").compress(Recipe(2)).packed().graph()
    [*_, index] = packing._readers(graph)
    buffer = graph.buffers[graph.subgraphs[0].tensors[index].buffer]
    buffer.data = buffer.data[:-1]
    with pytest.raises(qlab.ModelError, match="as many bytes as its shape says"):
        qlab.LiteModel.from_bytes(pack(graph))


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_is_packed_as_far_as_it_can_be(name):
    model = qlab.pretrained(name)
    assert model.packed() is model


@pytest.mark.parametrize("name", SHIPPED_NETWORKS)
@pytest.mark.parametrize("bits", [4, 2])
def test_a_shipped_network_answers_packed_as_it_did(name, bits, fashion):
    images, labels = (x[:1000] for x in (fashion.validation.images, fashion.validation.labels))
    compressor = qlab.Compressor(qlab.pretrained(name), engine.pictures()[:64])
    recipe = Recipe(bits, rounding="gptq", calibration_size=64)
    for activation_bits, least in ((32, 1), (8, 0.95)):  # kernels for integers round a sum twice
        model = compressor.compress(recipe.replace(activation_bits=activation_bits))
        before, after = (qlab.evaluate(x, images, labels) for x in (model, model.packed()))
        assert model.packed_bytes < model.file_bytes
        assert (before.predictions == after.predictions).mean() >= least
        assert qlab.compare(before, after).within_noise


def test_the_shipped_2_bit_model_fits_28_kilobytes():
    small = qlab.pretrained("qat-w2-seed0")
    assert small.file_bytes == 27_848
    assert weight_types(small) == [TYPES.INT4] * 2 + [TYPES.INT2] * 2
