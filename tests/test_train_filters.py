"""Whole filters removed: the smaller network, what ships of it, and that it is really faster."""

import numpy as np
import pytest
import zoo

import qlab
from qlab import train
from qlab.tflite import artefacts
from qlab.train.filter_flow import follow
from qlab.train.filters import removable

SEEDS = (0, 1, 2)
FILES = artefacts.manifest()["files"]
IMAGES = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 1), np.uint8)
PIXELS = IMAGES / np.float32(255)


@pytest.fixture(scope="module")
def base():
    return train.load("baseline")


def accuracy(name, fashion):
    model = qlab.pretrained(name)
    return qlab.evaluate(model, fashion.test.images, fashion.test.labels).accuracy


def silenced(model, gone):
    """A copy whose filters `gone`, by layer, give nothing: weights, bias and what norms add."""
    copy = train.keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for name, filters in gone.items():
        layer = copy.get_layer(name)
        layer.set_weights([_without(values, filters) for values in layer.get_weights()])
    return copy


def _without(values, filters):
    values = values.copy()
    values[..., filters] = 0
    return values


# What ships


def test_it_is_at_most_a_point_and_a_half_below_its_control(fashion):
    for seed in SEEDS:
        control = accuracy(f"pruned-control-seed{seed}", fashion)
        assert accuracy(f"pruned-filters-seed{seed}", fashion) >= control - 0.015


@pytest.mark.parametrize("batch", [1, 250])
def test_it_is_faster_in_litert(batch):
    """The ratio of best medians, of rounds in which the two take turns; 2.3 on a quiet machine."""
    best = {"pruned-control-seed0": np.inf, "pruned-filters-seed0": np.inf}
    for turn in range(100):
        for name in best:
            runs = 400 if batch == 1 else 3
            taken = qlab.latency(qlab.pretrained(name), batch=batch, runs=runs).median_ms
            best[name] = min(best[name], taken)
        ratio = best["pruned-control-seed0"] / best["pruned-filters-seed0"]
        if turn >= 9 and ratio >= 1.7:
            break
    assert ratio >= 1.7


def test_its_channels_are_gone_from_the_file():
    for seed in SEEDS:
        layers = {
            layer.name: layer for layer in qlab.pretrained(f"pruned-filters-seed{seed}").layers
        }
        shapes = {n: layers[n].weights.shape for n in ("conv1", "conv2", "dense1", "logits")}
        assert shapes == {
            "conv1": (8, 2, 2, 1), "conv2": (16, 2, 2, 8), "dense1": (63, 576), "logits": (10, 63),
        }  # fmt: skip
        size = FILES[f"pruned-filters-seed{seed}.tflite"]["bytes"]
        assert size < 0.52 * FILES["baseline.tflite"]["bytes"]


def test_the_control_from_scratch_has_the_same_network_and_as_much_training():
    before = FILES["baseline.tflite"]["recipe"]
    for seed in SEEDS:
        recipe = FILES[f"pruned-scratch-seed{seed}.tflite"]["recipe"]
        assert recipe["trained_from"] == "random weights"
        assert {name: before[name] for name in ("epochs", "learning_rate")} == {
            name: recipe["before"][name] for name in ("epochs", "learning_rate")
        }
        ours = FILES[f"pruned-filters-seed{seed}.tflite"]["recipe"]
        assert all(recipe[name] == ours[name] for name in ("epochs", "learning_rate", "schedule"))
        shapes = [
            [
                layer.weights.shape
                for layer in qlab.pretrained(name).layers
                if layer.weights is not None
            ]
            for name in (f"pruned-scratch-seed{seed}", f"pruned-filters-seed{seed}")
        ]
        assert shapes[0] == shapes[1]


# Removed here


def test_the_weakest_filters_go(base):
    small = train.remove_filters(base, {"conv1": 0.25})
    kernel = base.get_layer("conv1").kernel.numpy()
    norms = np.abs(kernel).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(train.filter_norms(base.get_layer("conv1")), norms)
    strongest = np.sort(np.argsort(norms)[8:])
    np.testing.assert_array_equal(small.get_layer("conv1").kernel, kernel[..., strongest])


def test_filters_that_give_nothing_are_not_missed(base):
    gone = {"conv1": [3, 17, 30], "conv2": [0, 5], "dense1": [1, 2, 60, 124]}
    silent = silenced(base, gone)
    fractions = {"conv1": 3 / 32, "conv2": 2 / 16, "dense1": 4 / 125}
    small = train.remove_filters(silent, fractions)
    assert small.count_params() < silent.count_params()
    np.testing.assert_allclose(small(PIXELS), silent(PIXELS), atol=1e-4)
    assert not np.allclose(small(PIXELS), base(PIXELS), atol=1e-2)


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("depthwise", {"stem": [1, 5], "pointwise0": [0, 23], "pointwise1": [7]}),
        ("concatenate", {"near": [0, 9], "wide": [15], "mix": [3, 4, 5]}),
        ("residual", {"first0": [2], "first1": [0, 1, 2]}),
        ("tanh_mlp", {"hidden1": [95], "hidden2": [0, 1]}),
    ],
)
def test_the_same_through_norms_branches_and_depthwise(name, gone):
    model = zoo.BUILDERS[name][0]()
    silent = silenced(model, gone)
    widths = {layer: model.get_layer(layer).output_shape[-1] for layer in gone}
    small = train.remove_filters(silent, {x: len(gone[x]) / widths[x] for x in gone})
    for layer in gone:
        assert small.get_layer(layer).output_shape[-1] == widths[layer] - len(gone[layer])
    np.testing.assert_allclose(small(PIXELS), silent(PIXELS), atol=1e-4)
    assert qlab.LiteModel(train.convert(small)).layers


@pytest.mark.parametrize("name", zoo.BUILDERS)
def test_a_single_number_narrows_all_that_can_be(name):
    model = zoo.BUILDERS[name][0]()
    small = train.remove_filters(model, 0.5)
    for layer in model.layers:
        if layer.name in removable(model):
            width = layer.output_shape[-1]
            assert small.get_layer(layer.name).output_shape[-1] == width - round(width / 2)
    assert small.output_shape == model.output_shape
    labels = np.arange(16) % 10
    train.fit(small, IMAGES, labels, epochs=1, progress=False)  # an ordinary model
    assert np.isfinite(small(PIXELS).numpy()).all()


def test_what_can_lose_filters_by_itself():
    found = {name: removable(build()) for name, (build, *_) in zoo.BUILDERS.items()}
    assert found == {
        "depthwise": ["stem", "pointwise0", "pointwise1"],
        "residual": ["first0", "first1"],
        "concatenate": ["stem", "near", "wide", "mix"],
        "tanh_mlp": ["hidden1", "hidden2"],
    }


def test_a_depthwise_multiplier_and_pooling_to_a_vector():
    keras = train.keras
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 3, name="first"),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.ZeroPadding2D(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(10),
        ]
    )
    silent = silenced(model, {"first": [0, 4]})
    small = train.remove_filters(silent, {"first": 1 / 3})
    assert [x.output_shape[-1] for x in small.layers] == [4, 8, 8, 8, 10]
    np.testing.assert_allclose(small(PIXELS), silent(PIXELS), atol=1e-5)


def test_the_model_that_was_given_stays_as_it_was(base):
    before = [w.copy() for w in base.get_weights()]
    small = train.remove_filters(base, 0.5)
    train.fit(small, IMAGES, np.arange(16) % 10, epochs=1, progress=False)
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_at_least_one_filter_stays_and_nothing_may_go(base):
    small = train.remove_filters(base, {"conv1": 0.999})
    assert small.get_layer("conv1").filters == 1
    whole = train.remove_filters(base, 0)
    np.testing.assert_array_equal(whole(PIXELS), base(PIXELS))


# What is refused


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (1, "leaves no"),
        (50, r"give 0\.5"),
        (-0.5, "fraction from 0"),
        ({"conv1": 75}, r"fraction of conv1 is 75.*give 0\.75"),
        ({"conv7": 0.5}, "no layer 'conv7'"),
        ({"pool1": 0.5}, "layer pool1 is a MaxPooling2D"),
        ({"logits": 0.5}, "comes from layer logits, and would lose classes"),
    ],
    ids=str,
)
def test_a_wrong_fraction(fraction, words, base):
    with pytest.raises(ValueError, match=words):
        train.remove_filters(base, fraction)


def test_channels_that_are_added_must_stay():
    model = zoo.BUILDERS["residual"][0]()
    with pytest.raises(ValueError, match="layer add0 adds channel to channel"):
        train.remove_filters(model, {"second0": 0.5})


def built(*middle):
    layers = train.keras.layers
    start = [train.keras.Input((28, 28, 1)), layers.Conv2D(4, 3, name="first")]
    return train.keras.Sequential([*start, *middle, layers.Flatten(), layers.Dense(10)])


def test_layers_through_which_nothing_can_be_followed_are_named():
    layers = train.keras.layers
    for layer, words in (
        (layers.Reshape((26 * 26, 4), name="bend"), "layer bend is a Reshape, through which"),
        (layers.Conv2D(4, 3, groups=2, name="pairs"), "layer pairs convolves in 2 groups"),
        (layers.LayerNormalization(name="norm"), "layer norm is a LayerNormalization"),
    ):
        with pytest.raises(ValueError, match=words):
            train.remove_filters(built(layer), {"first": 0.5})


def test_a_layer_used_twice_is_refused():
    layers = train.keras.layers
    inputs = train.keras.Input((28, 28, 1))
    twice = layers.Conv2D(1, 3, padding="same", name="twice")
    model = train.keras.Model(inputs, layers.Dense(10)(layers.Flatten()(twice(twice(inputs)))))
    with pytest.raises(ValueError, match="layer twice is used twice"):
        follow(model, {})


def test_keras_3_and_wrapped_models_are_refused():
    import keras as keras_3

    other = keras_3.Sequential([keras_3.layers.Input((28, 28, 1)), keras_3.layers.Flatten()])
    with pytest.raises(TypeError, match=r"Keras 3 model.*from qlab.train import keras"):
        train.remove_filters(other, 0.5)
