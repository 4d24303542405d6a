"""Pruning while training: what ships, what is trained here, and what is refused."""

import numpy as np
import pytest
import zoo

import qlab
from qlab import train
from qlab.arithmetic.metrics import sparsity
from qlab.tflite import artefacts
from qlab.train.sparse_training import shared_by_magnitude

SEEDS = (0, 1, 2)
SHARES = {50: 0.5, 80: 0.8, 90: 0.9, 95: 0.95}
KINDS = (*(f"pruned-{percent}" for percent in SHARES), "pruned-2of4", "pruned-block")
NAMES = ("conv1", "conv2", "dense1", "logits")
FILES = artefacts.manifest()["files"]
RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.integers(0, 256, (512, 28, 28, 1), np.uint8), RANDOM.integers(0, 10, 512)


@pytest.fixture(scope="module")
def base():
    return train.load("baseline")


@pytest.fixture(scope="module")
def score(fashion):
    """Scores a shipped model on the 10,000 test pictures, each once."""
    known = {}

    def measure(name):
        if name not in known:
            model = qlab.pretrained(name)
            known[name] = qlab.evaluate(model, fashion.test.images, fashion.test.labels)
        return known[name]

    return measure


def fitted(model, epochs=1):
    train.fit(model, IMAGES, LABELS, epochs=epochs, progress=False)
    return model


@pytest.fixture(scope="module")
def wrapped(base):
    """One model pruned in each way for a moment, still wrapped."""
    return {
        "plain": fitted(train.prune(base, 0.8)),
        "global": fitted(train.prune(base, 0.8, scope="global")),
        "2of4": fitted(train.prune(base, n_of_m=(2, 4))),
        "block": fitted(train.prune(base, {"dense1": 0.8}, block=(4, 1))),
    }


def weights_of(name):
    layers = qlab.pretrained(name).layers
    return {layer.name: layer.weights for layer in layers if layer.weights is not None}


# What ships


def test_80_percent_are_within_half_a_point_of_the_control(score):
    for seed in SEEDS:
        ours, control = score(f"pruned-80-seed{seed}"), score(f"pruned-control-seed{seed}")
        assert ours.accuracy >= control.accuracy - 0.005


def test_90_percent_have_at_least_88_percent(score):
    assert all(score(f"pruned-90-seed{seed}").accuracy >= 0.88 for seed in SEEDS)


def test_more_zeros_cost_more(score):
    mean = [np.mean([score(f"pruned-{p}-seed{s}").accuracy for s in SEEDS]) for p in (80, 90, 95)]
    assert mean[0] > mean[1] > mean[2] > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_90_percent_in_int8_gzip_to_a_fourteenth(seed, fashion):
    pruned = qlab.pretrained(f"pruned-90-seed{seed}")
    small = qlab.Compressor(pruned, qlab.data.calibration_images(128)).compress(qlab.Recipe(8))
    assert 14 * small.gzip_bytes <= qlab.pretrained("baseline").gzip_bytes
    found = qlab.evaluate(small, fashion.test.images, fashion.test.labels)
    assert found.accuracy >= 0.88
    zeros = [layer.weights == 0 for layer in small.layers if layer.weights is not None]
    assert np.mean(np.concatenate([z.ravel() for z in zeros])) >= 0.899  # zeros stay zeros


def test_a_float_file_with_zeros_is_as_large_as_one_without():
    for kind in KINDS:
        sizes = {FILES[f"{kind}-seed{seed}.tflite"]["bytes"] for seed in SEEDS}
        assert max(sizes | {FILES["baseline.tflite"]["bytes"]}) - min(sizes) < 2000


@pytest.mark.parametrize("percent", SHARES)
def test_as_many_weights_are_zero_as_the_name_says(percent):
    for seed in SEEDS:
        weights = weights_of(f"pruned-{percent}-seed{seed}")
        assert len(weights) == 4
        share = sparsity(np.concatenate([w.ravel() for w in weights.values()]))
        assert share == pytest.approx(SHARES[percent], abs=5e-4)
        entry = FILES[f"pruned-{percent}-seed{seed}.tflite"]["sparsity"]
        assert sparsity(weights["dense1"]) == pytest.approx(entry["dense1"], abs=1e-6)
        assert sparsity(weights["conv1"]) < share < sparsity(weights["dense1"])  # one threshold


def test_2_of_4_neighbours_are_left():
    for seed in SEEDS:
        weights = weights_of(f"pruned-2of4-seed{seed}")
        for name in ("conv2", "dense1"):
            fours = weights[name].reshape(-1, 4)  # along the input channels, which come last
            assert (np.count_nonzero(fours, axis=1) <= 2).all()
            assert sparsity(fours) == pytest.approx(0.5, abs=0.001)
        assert sparsity(weights["conv1"]) == 0  # one input channel: no neighbours


def test_blocks_are_zero_as_a_whole():
    for seed in SEEDS:
        weights = weights_of(f"pruned-block-seed{seed}")
        blocks = weights["dense1"].reshape(125, 144, 4)
        empty = (blocks == 0).all(axis=2)
        assert empty.mean() == pytest.approx(0.8, abs=0.001)
        assert sparsity(blocks[~empty]) < 0.001
        assert all(sparsity(weights[name]) == 0 for name in ("conv1", "conv2", "logits"))


@pytest.mark.parametrize("kind", [*KINDS, "pruned-filters", "clustered-16", "clustered-8"])
def test_each_has_the_control_of_its_seed_and_a_history(kind):
    for seed in SEEDS:
        entry = FILES[f"{kind}-seed{seed}.tflite"]
        assert entry["control"] == f"pruned-control-seed{seed}.tflite"
        assert len(artefacts.history(kind)[seed]["loss"]) == entry["recipe"]["epochs"]


# Schedules


def test_a_decay_follows_the_papers_equation():
    schedule = train.polynomial_decay(0.9, 0.5, begin_step=100, end_step=500, power=2)
    for step, wanted in ((50, 0.5), (100, 0.5), (300, 0.9 - 0.4 / 4), (500, 0.9), (900, 0.9)):
        assert float(schedule(step)[1]) == pytest.approx(wanted)
    assert [step for step in range(700) if schedule(step)[0]] == [100, 200, 300, 400, 500]


def test_one_schedule_shared_among_layers_adds_up():
    kernels = {"a": RANDOM.normal(size=700), "b": 3 * RANDOM.normal(size=300)}
    shared = shared_by_magnitude(train.polynomial_decay(0.8, 0.4, end_step=10), kernels)
    for step, total in ((0, 0.4), (10, 0.8)):
        shares = {name: float(schedule(step)[1]) for name, schedule in shared.items()}
        assert 0.7 * shares["a"] + 0.3 * shares["b"] == pytest.approx(total, abs=1e-6)
        assert shares["a"] > shares["b"]


def test_a_layer_below_the_threshold_keeps_a_weight():
    kernels = {"weak": np.full(10, 1e-3), "strong": np.ones(90)}
    assert float(shared_by_magnitude(train.constant_sparsity(0.5), kernels)["weak"](0)[1]) < 1


# Pruned here


def test_each_layer_loses_its_share(wrapped):
    for share in train.sparsities(train.strip_pruning(wrapped["plain"])).values():
        assert share == pytest.approx(0.8, abs=0.005)


def test_one_threshold_spares_the_strong_layers(wrapped):
    stripped = train.strip_pruning(wrapped["global"])
    sizes = {name: stripped.get_layer(name).kernel.shape.num_elements() for name in NAMES}
    shares = train.sparsities(stripped)
    total = sum(shares[name] * sizes[name] for name in NAMES) / sum(sizes.values())
    assert total == pytest.approx(0.8, abs=0.001)
    assert shares["conv1"] < 0.4 < 0.8 < shares["dense1"]


def test_a_schedule_for_each_layer(base):
    model = fitted(train.prune(base, {"conv2": 0.5, "dense1": train.constant_sparsity(0.9)}))
    found = train.sparsities(train.strip_pruning(model))
    assert found == pytest.approx({"conv1": 0, "conv2": 0.5, "dense1": 0.9, "logits": 0})


def test_a_decay_is_walked_down(base):
    schedule = train.polynomial_decay(0.9, 0.3, begin_step=1, end_step=7, frequency=2)
    model = train.prune(base, schedule, layers=["dense1"])
    shares = []
    for _ in range(2):
        fitted(model)  # four steps, then four more: the second time it goes on
        shares.append(train.sparsities(model)["dense1"])
    assert shares == pytest.approx([0.9 - 0.6 * (4 / 6) ** 3, 0.9], abs=1e-4)


def test_the_model_that_was_given_stays_as_it_was(base):
    before = [w.copy() for w in base.get_weights()]
    model = fitted(train.prune(base, 0.5))
    stripped = train.strip_pruning(model)
    kept = [w.copy() for w in model.get_weights()]
    fitted(stripped)
    for old, new in zip([*before, *kept], [*base.get_weights(), *model.get_weights()], strict=True):
        np.testing.assert_array_equal(old, new)


def test_stripped_it_computes_the_same_and_has_the_same_layers(wrapped, base):
    for model in wrapped.values():
        stripped = train.strip_pruning(model)
        assert [x.name for x in stripped.layers] == [x.name for x in base.layers]
        assert stripped.count_params() == base.count_params()
        np.testing.assert_allclose(stripped(IMAGES[:9] / 255), model(IMAGES[:9] / 255), atol=1e-5)
        file = qlab.LiteModel(train.convert(stripped))
        assert file.file_bytes < 1.01 * qlab.pretrained("baseline").file_bytes


@pytest.mark.parametrize("way", ["global", "2of4", "block"])
def test_saved_and_loaded_wrapped_and_stripped(way, wrapped, tmp_path):
    model = wrapped[way]
    again = train.load(train.save(model, tmp_path / "wrapped.keras"))
    for old, new in zip(model.weights, again.weights, strict=True):  # masks and steps as well
        np.testing.assert_array_equal(old, new)
    stripped = train.strip_pruning(model)
    bare = train.load(train.save(stripped, tmp_path / "stripped.keras"))
    assert train.sparsities(bare) == train.sparsities(stripped)
    assert train.sparsities(train.strip_pruning(again)) == train.sparsities(stripped)
    further = train.strip_pruning(fitted(again))  # and it is still pruned as it was
    assert train.sparsities(further) == pytest.approx(train.sparsities(stripped), abs=0.001)


def test_saved_before_training_it_is_pruned_in_its_pattern_afterwards(base, tmp_path):
    path = train.save(train.prune(base, n_of_m=(1, 4), layers=["conv2"]), tmp_path / "new.keras")
    stripped = train.strip_pruning(fitted(train.load(path)))
    fours = np.moveaxis(stripped.get_layer("conv2").kernel.numpy(), 2, -1).reshape(-1, 4)
    assert (np.count_nonzero(fours, axis=1) == 1).all()


def test_a_learners_model_is_pruned():
    model = zoo.depthwise()
    stripped = train.strip_pruning(fitted(train.prune(model, 0.75)))
    for share in train.sparsities(stripped).values():
        assert share == pytest.approx(0.75, abs=0.02)
    plain = qlab.LiteModel.from_keras(model)
    assert [x.op for x in qlab.LiteModel.from_keras(stripped).layers] == [
        x.op for x in plain.layers
    ]


def test_keras_own_fit_needs_the_callback(base):
    model = train.prune(base, 0.5)
    model.compile("adam", train.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pair = IMAGES / np.float32(255), LABELS
    with pytest.raises(train.tf.errors.InvalidArgumentError, match="UpdatePruningStep"):
        model.fit(*pair, verbose=0)
    model = train.prune(base, 0.5)
    model.compile("adam", train.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*pair, verbose=0, callbacks=[train.pruning_callback()])
    assert train.sparsities(train.strip_pruning(model))["dense1"] == 0.5


def test_what_tfmot_itself_has_wrapped_is_trained_saved_and_stripped(base, tmp_path):
    tools = train.tfmot.sparsity.keras  # it wraps the pooling layers as well
    network = train.keras.models.clone_model(base)
    always = tools.ConstantSparsity(0.75, begin_step=1)
    model = fitted(tools.prune_low_magnitude(network, pruning_schedule=always))
    again = train.load(train.save(model, tmp_path / "theirs.keras"))
    assert set(train.sparsities(train.strip_pruning(again)).values()) <= {0.75, 0.7504}


def test_fit_takes_the_callback_as_well(base):
    model = train.prune(base, 0.5)
    callback = train.pruning_callback()
    train.fit(model, IMAGES, LABELS, epochs=1, progress=False, callbacks=[callback])
    assert int(model.layers[0].pruning_step) == 4  # not counted twice
    assert len(callback.prunable_layers) == 4


def test_zeros_hold_when_training_stops_within_an_epoch(base):
    class Stop(train.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    model = train.prune(base, 0.9)
    train.fit(model, IMAGES, LABELS, epochs=1, progress=False, callbacks=[Stop()])
    assert train.sparsities(train.strip_pruning(model))["dense1"] == pytest.approx(0.9)


# What is refused


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "leaves no weights"),
        (1.0, "leaves no weights"),
        (-0.1, "fraction from 0"),
        (90, "give 0.9"),
        (100, "fraction from 0"),
        (float("nan"), "fraction from 0"),
        (True, "number from 0"),
        ("0.9", "number from 0"),
        (None, "how much to prune"),
        ({"conv1": 50}, "give 0.5"),
    ],
)
def test_a_wrong_sparsity(value, words, base):
    with pytest.raises(ValueError, match=words):
        train.prune(base, value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"final": 90}, "give 0.9"),
        ({"final": 0.9, "initial": -1}, "initial is -1"),
        ({"final": 0.5, "initial": 0.9}, "do not come back"),
        ({"final": 0.9, "end_step": 0}, "above begin_step"),
        ({"final": 0.9, "begin_step": -1}, "begin_step must be a whole number, 0 or more; got -1"),
        ({"final": 0.9, "frequency": 0}, "frequency must be a whole number, 1 or more; got 0"),
        ({"final": 0.9, "power": 0}, "power is 0"),
    ],
)
def test_a_wrong_schedule(settings, words):
    with pytest.raises(ValueError, match=words):
        train.polynomial_decay(**settings)
    with pytest.raises(ValueError, match=r"give 0\.9"):
        train.constant_sparsity(90)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": 0.5, "layers": ["pool1"]}, "layer pool1 is a MaxPooling2D"),
        ({"schedule": 0.5, "layers": ["conv3"]}, "no layer 'conv3'; there are: conv1"),
        ({"schedule": {"conv9": 0.5}}, "no layer 'conv9'"),
        ({"schedule": {"conv1": 0.5}, "layers": ["conv1"]}, "leave out layers"),
        ({"schedule": 0.5, "layers": []}, "no layer to be pruned"),
        ({"schedule": 0.5, "scope": "all"}, "choose one of global, per-layer"),
        ({"schedule": {"conv1": 0.5}, "scope": "global"}, "leave it out"),
        ({"schedule": 0.5, "block": (4, 4), "scope": "global"}, "leave it out"),
        ({"schedule": 0.5, "block": (4, 4), "layers": ["conv2"]}, "layer conv2 is a Conv2D"),
        ({"schedule": 0.5, "block": (0, 4)}, "two whole numbers"),
        ({"schedule": 0.5, "block": (1, 1)}, "leave out block"),
        ({"n_of_m": (4, 2)}, "n must be the smaller"),
        ({"n_of_m": (2, 4), "schedule": 0.5}, "leave out schedule"),
        ({"n_of_m": 2}, "two whole numbers"),
    ],
    ids=str,
)
def test_a_wrong_choice_of_layers_or_pattern(settings, words, base):
    with pytest.raises(ValueError, match=words):
        train.prune(base, **settings)


def test_layers_must_be_a_list(base):
    with pytest.raises(TypeError, match=r"say \['conv1'\]"):
        train.prune(base, 0.5, layers="conv1")


def with_layer(layer):
    keras = train.keras
    return keras.Sequential([keras.Input((28, 28, 1)), layer, keras.layers.Flatten()])


def test_a_layer_that_cannot_be_pruned_is_named():
    with pytest.raises(ValueError, match="layer both is a SeparableConv2D, which cannot be pruned"):
        train.prune(with_layer(train.keras.layers.SeparableConv2D(2, 3, name="both")), 0.5)
    with pytest.raises(ValueError, match="no layer to be pruned"):
        train.prune(with_layer(train.keras.layers.ReLU()), 0.5)


def test_what_is_wrapped_is_not_wrapped_again_nor_converted(wrapped, tmp_path):
    for again in (
        lambda model: train.prune(model, 0.5),
        train.cluster_weights,
        train.convert,
        qlab.LiteModel.from_keras,
        train.quantization_aware,
        train.preserving,
    ):
        with pytest.raises(ValueError, match=r"still wrapped for pruning.*train.strip_pruning"):
            again(wrapped["plain"])
    aware = train.quantization_aware(train.load("baseline"), calibration=IMAGES[:4])
    for use in (lambda model: train.prune(model, 0.5), train.convert):
        with pytest.raises(ValueError, match=r"this model is quantization-aware.*float_twin"):
            use(aware)


def test_stripping_what_is_not_wrapped_or_not_trained(base, wrapped):
    once = train.strip_pruning(wrapped["plain"])
    for bare in (once, base):
        with pytest.raises(ValueError, match="was stripped before, or never went through"):
            train.strip_pruning(bare)
    with pytest.raises(ValueError, match=r"never trained.*Recipe\(sparsity"):
        train.strip_pruning(train.prune(base, 0.5))
    late = train.prune(base, train.polynomial_decay(0.9, begin_step=200, end_step=1000))
    with pytest.raises(ValueError, match=r"for 4 steps, .* prunes for the first time at step 200"):
        train.strip_pruning(fitted(late))


def test_training_that_ends_before_the_schedule_is_said(base):
    model = train.prune(base, train.polynomial_decay(0.9, 0.1, 1, 400, frequency=1))
    with pytest.warns(UserWarning, match="its schedule ends at 90%"):
        train.strip_pruning(fitted(model))


def test_keras_3_is_refused_with_the_remedy():
    import keras as keras_3

    other = keras_3.Sequential([keras_3.layers.Input((28, 28, 1)), keras_3.layers.Flatten()])
    for use in (lambda model: train.prune(model, 0.5), train.strip_pruning):
        with pytest.raises(TypeError, match=r"Keras 3 model.*from qlab.train import keras"):
            use(other)
