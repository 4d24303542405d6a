"""Weight clustering: what ships, what is trained here, and what is refused."""

import numpy as np
import pytest
import zoo

import qlab
from qlab import train
from qlab.arithmetic import clusters
from qlab.arithmetic.metrics import sparsity
from qlab.tflite import artefacts

SEEDS = (0, 1, 2)
NAMES = ("conv1", "conv2", "dense1", "logits")
FILES = artefacts.manifest()["files"]
RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.integers(0, 256, (384, 28, 28, 1), np.uint8), RANDOM.integers(0, 10, 384)
PIXELS = IMAGES[:9] / np.float32(255)


@pytest.fixture(scope="module")
def base():
    return train.load("baseline")


def fitted(model):
    train.fit(model, IMAGES, LABELS, epochs=1, progress=False)
    return model


@pytest.fixture(scope="module")
def wrapped(base):
    return fitted(train.cluster_weights(base, 16))


@pytest.fixture(scope="module")
def sparse(base):
    """A pruned model: 80 % of dense1 and a little of conv2 at zero."""
    return train.strip_pruning(fitted(train.prune(base, {"dense1": 0.8, "conv2": 0.2})))


def values(model):
    """How many different weights each layer has."""
    return {name: len(np.unique(model.get_layer(name).kernel)) for name in NAMES}


# What ships


@pytest.mark.parametrize("k", [16, 8])
def test_the_shipped_files_have_as_few_weights_as_they_say(k, fashion):
    for seed in SEEDS:
        model = qlab.pretrained(f"clustered-{k}-seed{seed}")
        layers = [layer for layer in model.layers if layer.weights is not None]
        assert [layer.name for layer in layers] == list(NAMES)
        assert all(2 < len(np.unique(layer.weights)) <= k for layer in layers)
        # k different floats in the same float32 file: only compression finds them
        plain = qlab.pretrained(f"pruned-control-seed{seed}")
        assert abs(model.file_bytes - plain.file_bytes) < 2000
        assert model.gzip_bytes < 0.3 * plain.gzip_bytes


@pytest.mark.parametrize(("k", "loss"), [(16, 0.007), (8, 0.012)])
def test_the_shipped_files_are_near_their_controls(k, loss, fashion):
    for seed in SEEDS:
        ours, control = (
            qlab.evaluate(qlab.pretrained(name), fashion.test.images, fashion.test.labels)
            for name in (f"clustered-{k}-seed{seed}", f"pruned-control-seed{seed}")
        )
        assert ours.accuracy >= control.accuracy - loss


# Clustered here


@pytest.mark.parametrize("k", [2, 5, 16, 128])
def test_before_training_it_is_k_means(k, base):
    """The same centroids as in the live engine, on each layer's weights."""
    model = train.cluster_weights(base, k)
    stripped = train.strip_clustering(model)
    np.testing.assert_allclose(model(PIXELS), stripped(PIXELS), atol=1e-5)
    for name in NAMES:
        kernel = base.get_layer(name).kernel.numpy()
        centroids, indices = clusters.cluster(kernel, k, keep_zero=False)
        np.testing.assert_allclose(stripped.get_layer(name).kernel, centroids[indices], atol=1e-6)
        np.testing.assert_array_equal(stripped.get_layer(name).bias, base.get_layer(name).bias)


def test_256_clusters_for_the_layers_that_have_as_many(base):
    names = ["conv2", "dense1", "logits"]
    found = values(train.strip_clustering(train.cluster_weights(base, 256, layers=names)))
    assert found == {"conv1": 128, "conv2": 256, "dense1": 256, "logits": 256}


def test_training_moves_centroids_and_keeps_their_number(wrapped, base):
    stripped = train.strip_clustering(wrapped)
    before = train.strip_clustering(train.cluster_weights(base, 16))
    assert all(2 < found <= 16 for found in values(stripped).values())
    for name in NAMES:
        new, old = stripped.get_layer(name), before.get_layer(name)
        assert not np.allclose(np.unique(new.kernel)[:2], np.unique(old.kernel)[:2], atol=1e-6)
        assert not np.allclose(new.bias, old.bias, atol=1e-6)
    np.testing.assert_allclose(stripped(PIXELS), wrapped(PIXELS), atol=1e-5)


def test_the_model_that_was_given_stays_as_it_was(base, wrapped):
    before = [w.copy() for w in base.get_weights()]
    stripped = train.strip_clustering(wrapped)
    fitted(stripped)
    fitted(train.cluster_weights(base, 4, layers=["conv2"]))
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert values(train.strip_clustering(wrapped))["dense1"] <= 16


def test_only_the_named_layers(base):
    found = values(fitted(train.strip_clustering(train.cluster_weights(base, 4, ["conv2"]))))
    assert found["conv2"] > 4  # trained on without wrappers, all weights differ again
    found = values(train.strip_clustering(fitted(train.cluster_weights(base, 4, ["conv2"]))))
    assert found["conv2"] <= 4 and found["conv1"] == 128


def test_zeros_of_a_pruned_model_stay(sparse):
    for share in (True, False):
        model = train.strip_clustering(fitted(train.cluster_weights(sparse, 8, keep_zero=share)))
        was = sparse.get_layer("dense1").kernel.numpy() == 0
        now = model.get_layer("dense1").kernel.numpy() == 0
        assert now[was].all() == share
        assert all(found <= 8 for found in values(model).values())
        assert sparsity(model.get_layer("conv1").kernel) == 0


@pytest.mark.parametrize("keep_zero", [False, True])
def test_saved_and_loaded_wrapped_and_stripped(keep_zero, sparse, tmp_path):
    model = fitted(train.cluster_weights(sparse, 6, keep_zero=keep_zero))
    again = train.load(train.save(model, tmp_path / "wrapped.keras"))
    np.testing.assert_allclose(again(PIXELS), model(PIXELS), atol=1e-5)
    for old, new in zip(model.weights, again.weights, strict=True):  # centroids as well
        np.testing.assert_array_equal(old, new)
    stripped = train.strip_clustering(model)
    bare = train.load(train.save(stripped, tmp_path / "stripped.keras"))
    np.testing.assert_array_equal(bare(PIXELS), stripped(PIXELS))
    further = train.strip_clustering(fitted(again))  # and it is still clustered as it was
    assert all(found <= 6 for found in values(further).values())
    if keep_zero:
        was = sparse.get_layer("dense1").kernel.numpy() == 0
        assert (further.get_layer("dense1").kernel.numpy()[was] == 0).all()


def test_the_stripped_model_converts(wrapped):
    model = qlab.LiteModel(train.convert(train.strip_clustering(wrapped)))
    weights = {layer.name: layer.weights for layer in model.layers if layer.weights is not None}
    assert all(len(np.unique(w)) <= 16 for w in weights.values())


def test_a_learners_model_is_clustered():
    model = zoo.depthwise()
    stripped = train.strip_clustering(fitted(train.cluster_weights(model, 8)))
    plain = qlab.LiteModel.from_keras(model)
    assert [x.op for x in qlab.LiteModel.from_keras(stripped).layers] == [
        x.op for x in plain.layers
    ]
    kernels = [x.kernel for x in stripped.layers if hasattr(x, "kernel")]
    assert all(len(np.unique(kernel)) <= 8 for kernel in kernels)


# What is refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clusters": 1}, "choose 2 to 256"),
        ({"clusters": 257}, "choose 2 to 256"),
        ({"clusters": 8.0}, "whole number from 2 to 256"),
        ({"clusters": True}, "whole number from 2 to 256"),
        ({"clusters": 2, "keep_zero": True}, "say 3 or more"),
        ({"clusters": 200}, r"layer conv1: 200 clusters for 128 weights.*layers=\['conv2'"),
        ({"clusters": 8, "layers": ["pool2"]}, "layer pool2 is a MaxPooling2D.*clustered"),
        ({"clusters": 8, "layers": ["conv9"]}, "no layer 'conv9'"),
    ],
    ids=str,
)
def test_wrong_settings(settings, words, base):
    with pytest.raises(ValueError, match=words):
        train.cluster_weights(base, **settings)


def test_what_is_wrapped_is_not_wrapped_again_nor_converted(wrapped):
    for again in (
        train.cluster_weights,
        lambda model: train.prune(model, 0.5),
        train.convert,
    ):
        with pytest.raises(ValueError, match=r"wrapped for clustering.*train.strip_clustering"):
            again(wrapped)


def test_stripping_twice(wrapped, base):
    for bare in (train.strip_clustering(wrapped), base):
        with pytest.raises(ValueError, match="was stripped before, or never went through"):
            train.strip_clustering(bare)
    with pytest.raises(ValueError, match=r"is wrapped for clustering, so .* nothing of pruning"):
        train.strip_pruning(wrapped)


def test_keras_3_is_refused_with_the_remedy():
    import keras as keras_3

    other = keras_3.Sequential([keras_3.layers.Input((28, 28, 1)), keras_3.layers.Flatten()])
    for use in (train.cluster_weights, train.strip_clustering):
        with pytest.raises(TypeError, match=r"Keras 3 model.*from qlab.train import keras"):
            use(other)
