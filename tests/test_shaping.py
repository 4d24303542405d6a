"""Pruning and clustering in the engine: what the file then holds, and what it says about it."""

import engine
import numpy as np
import pytest

import qlab
from qlab import Recipe
from qlab.arithmetic import metrics
from qlab.arithmetic.sparsity import magnitude_masks
from qlab.engine.planning import Shape, Shaper

FLOAT = Recipe(32, 32)
BITS = [(32, 32), (16, 32), (8, 32), (8, 8), (4, 4), (32, 8)]


def dense(name="baseline"):
    return {x.name: x.weights for x in engine.float_model(name).layers if x.weights is not None}


def held(model):
    """Weights as a file holds them, codes or values."""
    return {x.name: x.weights for x in model.layers if x.weights is not None}


def values(weights):
    """How many different ones; as float32, for NumPy 2.4 sorts float16 wrongly on some machines."""
    return len(np.unique(weights.astype(np.float32)))


# ---- pruned -------------------------------------------------------------------------------------
@pytest.mark.parametrize("scope", ["global", "per-layer"])
@pytest.mark.parametrize("bits", BITS)
def test_the_file_holds_the_zeros_that_the_masks_say(bits, scope):
    masks = magnitude_masks(dense(), 0.7, scope)
    recipe = Recipe(*bits, sparsity=0.7, sparsity_scope=scope)
    model = engine.compressor("baseline").compress(recipe)
    for name, codes in held(model).items():
        assert (codes[~masks[name]] == 0).all()
        if bits[0] >= 16:
            assert (codes[masks[name]] != 0).all()


@pytest.mark.parametrize("name", [x for x in engine.NETWORKS if x != "baseline"])
def test_learners_models_can_be_pruned_and_clustered(name, fashion):
    images = fashion.test.images[:100]
    for bits in ((32, 32), (8, 8)):
        recipe = Recipe(*bits, "per-tensor", sparsity=0.5, clusters=8)
        model = engine.compressor(name).compress(recipe)
        assert qlab.predict(model, images).shape == (100,)
        zeros = np.concatenate([x.reshape(-1) for x in held(model).values()])
        assert metrics.sparsity(zeros) >= 0.5 - 1 / zeros.size
        assert all(values(x) <= 8 for x in held(model).values())


def test_a_pruned_float_file_is_the_float_file_with_zeros(fashion):
    source, images = engine.float_model("baseline"), fashion.test.images
    compressor = engine.compressor("baseline")
    pruned = compressor.compress(FLOAT.replace(sparsity=0.9))
    assert pruned.file_bytes == source.file_bytes
    assert pruned.gzip_bytes < 0.2 * source.gzip_bytes
    assert [x.name for x in pruned.layers] == [x.name for x in source.layers]
    for before, after in zip(source.layers, pruned.layers, strict=True):
        if before.weights is not None:
            kept = after.weights != 0
            np.testing.assert_array_equal(after.weights[kept], before.weights[kept])
            np.testing.assert_array_equal(after.bias, before.bias)
    again = qlab.LiteModel.from_bytes(pruned.to_bytes())
    labels = fashion.test.labels
    mild = compressor.compress(FLOAT.replace(sparsity=0.3))
    scores = [qlab.evaluate(x, images, labels).accuracy for x in (source, mild, again)]
    assert scores[0] - 0.01 < scores[1]
    assert scores[2] < scores[0] - 0.03


def test_the_source_is_not_changed():
    before = engine.float_model("baseline").data
    weights = {name: x.copy() for name, x in dense().items()}
    engine.compressor("baseline").compress(FLOAT.replace(sparsity=0.5, clusters=4))
    assert engine.float_model("baseline").data == before
    for name, x in dense().items():
        np.testing.assert_array_equal(x, weights[name])


def test_a_sparsity_of_zero_is_the_recipe_as_it_was():
    compressor = engine.compressor("baseline")
    for recipe in (Recipe(), Recipe(4, 4, "per-tensor"), Recipe(16, 32)):
        plain = compressor.compress(recipe)
        for same in ({"sparsity": 0}, {"sparsity_scope": "per-layer"}, {"clusters": None}):
            assert compressor.compress(recipe.replace(**same)).data == plain.data
    own = FLOAT.replace(overrides={"conv1": {"sparsity": 0.0, "clusters": None}})
    assert compressor.compress(own) is engine.float_model("baseline")


def test_a_layer_with_its_own_sparsity_leaves_the_threshold_to_the_others():
    own = {"dense1": {"sparsity": 0.95}, "conv1": {"sparsity": 0.0}}
    model = engine.compressor("baseline").compress(FLOAT.replace(sparsity=0.5, overrides=own))
    weights = held(model)
    assert metrics.sparsity(weights["dense1"]) == pytest.approx(0.95, abs=1e-4)
    assert metrics.sparsity(weights["conv1"]) == 0
    rest = magnitude_masks({name: dense()[name] for name in ("conv2", "logits")}, 0.5)
    for name, mask in rest.items():
        np.testing.assert_array_equal(weights[name] != 0, mask)


def test_more_sparsity_after_less_costs_no_sorting(monkeypatch):
    shaper = Shaper(engine.float_model("baseline").layers)
    recipe = FLOAT.replace(sparsity=0.5)
    shaper.weights("dense1", shaper.shapes(recipe)["dense1"])
    monkeypatch.setattr(np, "argsort", lambda *_, **__: pytest.fail("sorted again"))
    for sparsity in (0.1, 0.7, 0.9):
        shape = shaper.shapes(recipe.replace(sparsity=sparsity))["conv2"]
        assert shaper.weights("conv2", shape).shape == dense()["conv2"].shape


def test_nothing_to_do_is_the_dense_array_itself():
    shaper = Shaper(engine.float_model("baseline").layers)
    assert shaper.shapes(Recipe())["conv1"] == Shape()
    assert shaper.weights("conv1", Shape()) is engine.float_model("baseline").layer("conv1").weights


def test_what_is_remembered_cannot_be_written_over():
    compressor = engine.compressor("baseline")
    for recipe in (FLOAT, FLOAT.replace(sparsity=0.5), FLOAT.replace(clusters=4)):
        with pytest.raises(ValueError, match="read-only"):
            compressor.shaped("conv1", recipe)[0] = 1
        compressor.weights("conv1", recipe)[0] = 1
    stored = compressor.plan(Recipe(4, 4)).stored["conv1"]
    for shared in (stored.values, stored.params.scale):
        with pytest.raises(ValueError, match="read-only"):
            shared[:] = 0


def test_the_bias_of_an_emptied_channel_stays_as_fine_as_it_was(fashion):
    # Zeros fit any scale. With scale 1 the bias would be stored in steps as large as the input's.
    compressor = engine.compressor("baseline")
    recipe = Recipe(overrides={"dense1": {"sparsity": 0.9999}})
    before, after = compressor.compress(Recipe()), compressor.compress(recipe)
    empty = ~after.layer("dense1").weights.any(1)
    assert empty.sum() > 100
    np.testing.assert_array_equal(
        before.layer("dense1").bias[empty], after.layer("dense1").bias[empty]
    )
    images = fashion.test.images[:50]
    source = engine.float_model("baseline")
    codes = engine.held_values(source, after, images)[source.layer("dense1").output]
    place = engine.resting(source, after)[source.layer("dense1").output]
    scale, zero = engine.tensor_grid(after, place)
    expected = np.maximum(source.layer("dense1").bias[empty], 0)
    real = (codes[:, empty].astype(float) - zero) * scale
    assert np.abs(real - expected).max() <= scale[0] / 2 + 1e-6


# ---- clustered ----------------------------------------------------------------------------------
@pytest.mark.parametrize("k", [2, 3, 16, 100])
@pytest.mark.parametrize("bits", [(32, 32), (16, 32), (8, 8)])
def test_each_layer_holds_at_most_k_values(bits, k):
    recipe = Recipe(*bits, "per-tensor", clusters=k)
    model = engine.compressor("baseline").compress(recipe)
    counts = [values(x) for x in held(model).values()]
    if bits[0] == 32:
        assert counts == [k] * 4
    assert max(counts) <= k


def test_zeros_of_pruning_are_one_of_the_clusters():
    recipe = FLOAT.replace(sparsity=0.8, sparsity_scope="per-layer")
    compressor = engine.compressor("baseline")
    pruned = held(compressor.compress(recipe))
    both = held(compressor.compress(recipe.replace(clusters=16)))
    for name, weights in both.items():
        assert len(np.unique(weights)) == 16
        np.testing.assert_array_equal(weights == 0, pruned[name] == 0)


def test_overrides_cluster_single_layers():
    own = {"dense1": {"clusters": 4}, "conv2": {"clusters": None}}
    weights = held(engine.compressor("baseline").compress(FLOAT.replace(clusters=8, overrides=own)))
    counts = {name: len(np.unique(x)) for name, x in weights.items()}
    assert counts["dense1"] == 4
    assert counts["conv1"] == counts["logits"] == 8
    np.testing.assert_array_equal(weights["conv2"], dense()["conv2"])


def test_a_layer_with_fewer_weights_keeps_them_and_the_notes_say_so():
    compressor, recipe = engine.compressor("baseline"), FLOAT.replace(clusters=256)
    weights = held(compressor.compress(recipe))
    np.testing.assert_array_equal(weights["conv1"], dense()["conv1"])
    assert len(np.unique(weights["dense1"])) == 256
    assert any("than clusters in conv1: they stay" in x for x in compressor.notes(recipe))


def test_more_clusters_than_weights_are_refused_in_words():
    compressor = engine.compressor("baseline")
    own = FLOAT.replace(overrides={"conv1": {"clusters": 200}})
    with pytest.raises(ValueError, match="200 clusters are more than the 128 weights of conv1"):
        compressor.compress(own)
    tiny = qlab.Compressor(small_model(), engine.pictures()[:2])
    with pytest.raises(ValueError, match=r"256 clusters are more than the \d+ weights of the larg"):
        tiny.compress(Recipe(clusters=256, calibration_size=2))


def small_model():
    from qlab.train import keras

    inputs = keras.Input((28, 28, 1))
    x = keras.layers.AveragePooling2D(14)(inputs)
    return qlab.LiteModel.from_keras(
        keras.Model(inputs, keras.layers.Dense(10, name="only")(keras.layers.Flatten()(x)))
    )


# ---- what the engine says -----------------------------------------------------------------------
@pytest.mark.parametrize("bits", [(32, 32), (16, 32), (8, 8), (3, 8), (4, 32)])
@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_weights_are_those_of_the_file_in_real_values(bits, granularity):
    compressor = engine.compressor("baseline")
    recipe = Recipe(*bits, granularity, sparsity=0.6, clusters=12)
    model = compressor.compress(recipe)
    for name, codes in held(model).items():
        weights, params = compressor.weights(name, recipe), compressor.weight_params(name, recipe)
        assert weights.dtype == np.float32
        assert weights.shape == codes.shape
        scale = 1 if params is None else np.reshape(params.scale, (-1, *[1] * (codes.ndim - 1)))
        np.testing.assert_allclose(weights, codes.astype(np.float32) * scale, rtol=1e-6)
        shaped = compressor.shaped(name, recipe)
        assert len(np.unique(shaped)) <= 12
        assert np.abs(weights - shaped).max() <= np.max(scale) / 2 + 1e-6 or params is None


def test_notes_say_what_is_unexpected():
    compressor = engine.compressor("baseline")
    assert compressor.notes(Recipe()) == ()
    [note] = compressor.notes(Recipe(sparsity=0.5))
    assert "those of logits too; biases are kept" in note
    assert compressor.notes(FLOAT.replace(overrides={"dense1": {"sparsity": 0.5}})) == ()
    rounded = " ".join(compressor.notes(Recipe(2, 8, sparsity=0.5)))
    assert "Rounding makes more zeros: 50.0% were pruned" in rounded
    parted = " ".join(compressor.notes(Recipe(clusters=16)))
    assert "the 16 values of dense1 become" in parted
    assert "grid of its own" not in " ".join(
        compressor.notes(Recipe(8, 8, "per-tensor", clusters=16))
    )
    empty = " ".join(compressor.notes(FLOAT.replace(sparsity=0.9999)))
    assert "Nothing is left of the weights of" in empty


@pytest.mark.parametrize("setting", [{"sparsity": 0.5}, {"clusters": 4}, {"weight_bits": 4}])
def test_a_layer_without_weights_can_not_be_pruned(setting):
    recipe = FLOAT.replace(overrides={"pool1": setting})
    compressor, [name] = engine.compressor("baseline"), setting
    for ask in (compressor.compress, compressor.notes, lambda x: compressor.weights("conv1", x)):
        with pytest.raises(ValueError, match=f"pool1 has no weights, so {name} cannot be set"):
            ask(recipe)


@pytest.mark.parametrize("layer", ["conv9", "pool1"])
def test_weights_of_a_layer_that_has_none(layer):
    compressor = engine.compressor("baseline")
    for ask in (compressor.weights, compressor.shaped):
        with pytest.raises(ValueError, match=r"there are conv1|pool1 has no weights"):
            ask(layer, FLOAT)
    with pytest.raises(ValueError, match="no layer is called 'conv9'"):
        compressor.compress(FLOAT.replace(overrides={"conv9": {"sparsity": 0.5}}))
