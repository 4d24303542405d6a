"""The chain: what each step keeps, what the naive steps destroy, and the files that ship."""

import warnings

import numpy as np
import pytest

import qlab
from qlab.tflite import artefacts
from qlab.tflite.litemodel import LiteModel
from qlab.trials import stages

N = 2000
SPARSITY = {"conv2": 0.5, "dense1": 0.85, "logits": 0.5}
LAYERS = ("conv1", "conv2", "dense1", "logits")


@pytest.fixture(scope="module")
def pair(fashion):
    return fashion.test.images[:N], fashion.test.labels[:N]


@pytest.fixture(scope="module")
def few(pair):
    """The baseline pruned and clustered by the live engine's masks and centroids, untrained."""
    from qlab import train

    recipe = qlab.Recipe(
        32,
        32,
        calibration_size=16,
        overrides={n: {"sparsity": s} for n, s in SPARSITY.items()},
        clusters=16,
    )
    engine = qlab.Compressor(qlab.pretrained("baseline"), pair[0][:16])
    model = train.load("baseline")
    for name in LAYERS:
        layer, shaped = model.get_layer(name), engine.shaped(name, recipe)
        keras_order = shaped.T if shaped.ndim == 2 else shaped.transpose(1, 2, 3, 0)
        layer.kernel.assign(keras_order)
    return model


def kernels(model):
    return {name: model.get_layer(name).kernel.numpy() for name in LAYERS}


def stored(file):
    """Weights in a file, in Keras' order of axes."""
    held = {x.name: x.weights for x in LiteModel(file).layers if x.weights is not None}
    return {n: w.T if w.ndim == 2 else w.transpose(1, 2, 3, 0) for n, w in held.items()}


def trained(model, pair):
    from qlab import train

    train.fit(model, *pair, epochs=1, progress=False)
    return model


@pytest.fixture(scope="module")
def kept(few, pair):
    from qlab import train

    return {bits: trained(train.preserving(few, bits), pair) for bits in (8, 4)}


@pytest.mark.parametrize("bits", [8, 4])
def test_zeros_stay_zero_through_training_and_into_the_file(few, kept, bits):
    from qlab import train

    file = stored(train.convert_quantized(kept[bits]))
    for name, before in kernels(few).items():
        assert (file[name][before == 0] == 0).all(), name
        assert np.count_nonzero(file[name]) > 0.5 * np.count_nonzero(before)


def test_a_layer_without_zeros_is_welcome_and_not_worth_a_warning(few, pair, caplog):
    from qlab import train

    assert (kernels(few)["conv1"] != 0).all()
    trained(train.preserving(few, 8), pair)
    assert caplog.records == []


def kept_weights(model):
    """Kernels as training left them, before rounding."""
    from qlab.train.fake_quantization import weight_quantizer

    found = {layer: weight_quantizer(layer) for layer in model.layers}
    return {layer.layer.name: kept[0].numpy() for layer, kept in found.items() if kept}


def test_equal_weights_stay_equal_and_learn(few, kept):
    for name, after in kept_weights(kept[8]).items():
        before = kernels(few)[name]
        assert np.unique(after).size <= 16
        assert not np.array_equal(before, after)


def test_one_grid_a_tensor_shows_the_clusters_in_the_codes(kept):
    from qlab import train

    file = stored(train.convert_quantized(kept[8]))
    assert np.unique(file["dense1"]).size <= 16
    assert np.unique(file["logits"]).size <= 16


def test_plain_training_fills_the_zeros_and_parts_the_equal(few, pair):
    from qlab import train

    aware = trained(train.quantization_aware(few), pair)
    file = stored(train.convert_quantized(aware))["dense1"]
    before = kernels(few)["dense1"]
    assert (file[before == 0] == 0).mean() < 0.9
    assert np.unique(file).size > 50


def test_a_layer_without_zeros_does_not_switch_the_keeping_off(few, kept):
    """Tfmot shares a quantizer between conv1, which has no zeros, and conv2."""
    assert (kernels(few)["conv1"] != 0).all()
    assert np.isclose((kept_weights(kept[8])["conv2"] == 0).mean(), SPARSITY["conv2"], atol=0.001)


@pytest.mark.parametrize("bits", [8, 4])
def test_litert_computes_what_keras_promised(kept, pair, bits):
    from qlab import train
    from qlab.train.parity_meter import keras_score

    images, labels = pair[0][:500], pair[1][:500]
    lite = qlab.evaluate(LiteModel(train.convert_quantized(kept[bits])), images, labels)
    assert abs(lite.accuracy - keras_score(kept[bits], images, labels).accuracy) <= 0.01
    assert lite.accuracy > 0.8


def test_a_channel_that_pruning_emptied_converts(few, pair):
    from qlab import train

    model = train.load("baseline")
    for name in LAYERS[:3]:
        kernel = model.get_layer(name).kernel
        whole = kernel.numpy()
        whole[..., 0] = 0
        kernel.assign(whole)
    aware = train.preserving(model, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = LiteModel(train.convert_quantized(aware))
    before = qlab.evaluate(LiteModel(train.convert(model)), *pair)
    after = qlab.evaluate(file, *pair)
    assert abs(after.accuracy - before.accuracy) < 0.03


@pytest.fixture(scope="module")
def chains(pair):
    from qlab import train
    from tools.artefacts.chain_files import clustered, pruned, quantized

    model = train.load("baseline")
    before = [x.copy() for x in model.get_weights()]
    sparse, _ = pruned(model, SPARSITY, 1, pair, seed=0)
    made = {}
    for keep in (True, False):
        few, _ = clustered(sparse, 16, keep, 1, pair, seed=0)
        aware, _ = quantized(few, 8, keep, 1, pair, seed=0)
        files = {"pruned": train.convert(sparse), "clustered": train.convert(few)}
        made[keep] = files | {"quantized": train.convert_quantized(aware)}
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return made


def test_each_step_keeps_what_was_made_or_the_naive_one_destroys_it(chains):
    facts = {
        keep: {step: stages.contents(LiteModel(file)) for step, file in made.items()}
        for keep, made in chains.items()
    }
    for step in facts[True].values():
        assert step["zeros"]["dense1"] == pytest.approx(0.85, abs=0.002)
    assert facts[True]["clustered"]["different"] == dict.fromkeys(LAYERS, 16)
    assert facts[True]["quantized"]["different"]["dense1"] <= 16
    naive = facts[False]
    assert naive["pruned"]["zeros"]["dense1"] == pytest.approx(0.85, abs=0.002)
    assert naive["quantized"]["zeros"]["dense1"] < 0.8
    assert naive["quantized"]["different"]["dense1"] > 2 * 16
    kept, destroyed = (LiteModel(chains[keep]["quantized"]).gzip_bytes for keep in (True, False))
    assert destroyed > 1.25 * kept


@pytest.mark.parametrize(
    ("bits", "words"), [(9, "weight_bits is 9; choose one of 2"), (16, "weight_bits is 16")]
)
def test_bits_that_cannot_be_are_refused(few, bits, words):
    from qlab import train

    with pytest.raises(ValueError, match=words):
        train.preserving(few, bits)


def test_a_model_that_is_quantization_aware_already_is_refused(kept):
    from qlab import train

    with pytest.raises(ValueError, match="already quantization-aware"):
        train.preserving(kept[8])


# What ships.


@pytest.fixture(scope="module")
def shipped(fashion):
    images, labels = fashion.test.images, fashion.test.labels
    return {chain: stages.chain_stages(images, labels, chain) for chain in ("kept", "naive")}


@pytest.mark.parametrize("ending", ["int8", "int4"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_file_is_14_times_smaller_and_within_a_point_of_its_control(fashion, ending, seed):
    file = qlab.pretrained(f"chain-{ending}-seed{seed}")
    entry = artefacts.manifest()["files"][f"chain-{ending}-seed{seed}.tflite"]
    control = qlab.pretrained(entry["control"].removesuffix(".tflite"))
    assert control.gzip_bytes >= 14 * file.gzip_bytes
    scores = [qlab.evaluate(x, fashion.test.images, fashion.test.labels) for x in (control, file)]
    assert scores[1].accuracy >= scores[0].accuracy - 0.01
    assert abs(entry["test"]["correct"] - scores[1].correct) <= 10
    assert entry["gzip_bytes"] == file.gzip_bytes


def test_each_shipped_step_made_its_file_smaller_and_kept_the_zeros(shipped):
    sizes = [stage.model.gzip_bytes for stage in shipped["kept"]]
    assert sizes == sorted(sizes, reverse=True)
    for stage in shipped["kept"][1:]:
        assert stage.zeros["dense1"] == pytest.approx(0.85, abs=0.002)
    assert shipped["kept"][2].different == dict.fromkeys(LAYERS, 16)
    assert shipped["kept"][3].different["dense1"] <= 16


def test_the_shipped_naive_chain_destroyed_them(shipped):
    kept, naive = shipped["kept"], shipped["naive"]
    assert naive[1].model.data == kept[1].model.data  # the same pruned model
    assert naive[-1].zeros["dense1"] < 0.6
    assert naive[-1].different["dense1"] > 4 * 16
    assert naive[-1].model.gzip_bytes > 1.7 * kept[3].model.gzip_bytes


def test_no_such_chain_is_said_in_words(pair):
    with pytest.raises(ValueError, match="choose one of kept, naive"):
        stages.chain_stages(*pair, "long")
