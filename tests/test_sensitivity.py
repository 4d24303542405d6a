"""One layer at a time, against the engine asked directly."""

import numpy as np
import pytest

import qlab
from qlab.data import digits
from qlab.plots import style
from qlab.plots.sensitivity_panels import SensitivityPanel
from qlab.tflite.sparse_encoding import encoded_bytes
from qlab.trials.sensitivity import layers_with, lowered, scan

N = 1500


@pytest.fixture(scope="module")
def compressor():
    return qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))


@pytest.fixture(scope="module")
def images(fashion):
    return fashion.test.images[:N]


@pytest.fixture(scope="module")
def labels(fashion):
    return fashion.test.labels[:N]


@pytest.mark.parametrize("which", ["weight_bits", "activation_bits", "both"])
def test_each_entry_is_the_engine_with_that_one_override(compressor, images, labels, which):
    base = qlab.Recipe()
    before = qlab.evaluate(compressor.compress(base), images, labels)
    names = ("weight_bits", "activation_bits") if which == "both" else (which,)
    entries = tuple(scan(compressor, images, labels, 2, which=which))
    assert [entry.layer for entry in entries] == ["conv1", "conv2", "dense1", "logits"]
    for entry in entries:
        recipe = qlab.Recipe(overrides={entry.layer: dict.fromkeys(names, 2)})
        after = qlab.evaluate(compressor.compress(recipe), images, labels)
        assert entry.recipe == recipe
        np.testing.assert_array_equal(entry.measurement.predictions, after.predictions)
        assert entry.comparison == qlab.compare(before, after, family=4)
        assert entry.measurement.kind == "measured"


@pytest.mark.parametrize(("bits", "kept"), [(4, 0.5), (2, 0.25), (5, 1)])
def test_bytes_saved_are_those_of_the_packed_file(bits, kept, compressor, images, labels):
    whole = compressor.compress(qlab.Recipe()).file_bytes
    sizes = {x.name: (x.weights.size, x.op) for x in compressor.layers if x.weights is not None}
    for entry in scan(compressor, images[:50], labels[:50], bits):
        assert entry.bytes_saved == whole - compressor.compress(entry.recipe).packed().file_bytes
        size, op = sizes[entry.layer]
        left = 0.5 if (bits, op) == (2, "CONV_2D") else kept
        assert entry.bytes_saved == pytest.approx(size * (1 - left), abs=64)
    only_activations = scan(compressor, images[:50], labels[:50], bits, which="activation_bits")
    assert max(entry.bytes_saved for entry in only_activations) == 0  # a step more makes it larger


def test_each_layer_can_be_pruned_alone(compressor, images, labels):
    base = qlab.Recipe(32, 32)
    before = qlab.evaluate(compressor.compress(base), images, labels)
    entries = tuple(scan(compressor, images, labels, 0.9, base, "sparsity"))
    assert [entry.layer for entry in entries] == ["conv1", "conv2", "dense1", "logits"]
    for entry in entries:
        recipe = base.replace(overrides={entry.layer: {"sparsity": 0.9}})
        model = compressor.compress(recipe)
        after = qlab.evaluate(model, images, labels)
        assert entry.recipe == recipe
        assert entry.comparison == qlab.compare(before, after, family=4)
        assert entry.bytes_saved == encoded_bytes(compressor.model) - encoded_bytes(model)
    assert max(entries, key=lambda x: x.bytes_saved).layer == "dense1"
    for wrong in (90, 1):
        with pytest.raises(ValueError, match=r"conv1: sparsity is"):
            next(scan(compressor, images, labels, wrong, base, "sparsity"))


def test_a_layer_lowered_to_what_it_has_changes_nothing(compressor, images, labels):
    for entry in scan(compressor, images, labels, 8):
        assert entry.comparison.only_a == entry.comparison.only_b == 0
        assert entry.comparison.within_noise


def test_the_base_is_kept_for_all_other_layers(compressor, images, labels):
    base = qlab.Recipe(4, 6, "per-tensor", overrides={"logits": {"weight_bits": 8}})
    entries = scan(compressor, images[:50], labels[:50], 2, base)
    by_layer = {entry.layer: entry.recipe for entry in entries}
    assert by_layer["conv2"] == base.replace(
        overrides={"logits": {"weight_bits": 8}, "conv2": {"weight_bits": 2}}
    )
    assert by_layer["logits"].bits("weight_bits", "logits") == 2


def test_a_scan_can_be_left_halfway(compressor, images, labels):
    steps = scan(compressor, images[:50], labels[:50], 4)
    assert next(steps).layer == "conv1"
    steps.close()
    assert list(steps) == []


def test_lowered_keeps_what_was_overridden_before():
    base = qlab.Recipe(overrides={"a": {"activation_bits": 6}})
    assert dict(lowered(base, {"a": 4}).overrides)["a"] == (
        ("activation_bits", 6),
        ("weight_bits", 4),
    )


def test_what_cannot_be_lowered_is_said_in_words(compressor, images, labels):
    words = "choose one of weight_bits, activation_bits, both, sparsity"
    with pytest.raises(ValueError, match=words):
        layers_with(compressor.model, "bias")
    with pytest.raises(ValueError, match="weight_bits is 9"):
        next(scan(compressor, images[:10], labels[:10], 9))


def test_the_picture_shows_each_layer_and_its_test(compressor, images, labels):
    base = qlab.evaluate(compressor.compress(qlab.Recipe()), images, labels)
    entries = tuple(scan(compressor, images, labels, 2))
    ax = style.new_axes()
    panel = SensitivityPanel(ax, base.accuracy, len(entries))
    panel.frame([entry.layer for entry in entries])
    panel.show(base, entries)
    assert [text.get_text() for text in ax.texts] == [str(e.comparison) for e in entries]
    ends = [bar.get_x() for bar in ax.patches[-4:]]
    assert ends == pytest.approx([min(e.measurement.accuracy, base.accuracy) for e in entries])


def test_layers_that_stay_in_float_have_no_activation_bits_to_lower():
    model = qlab.pretrained("digits")
    cleaned = qlab.Compressor(model, digits.load().calibration_images(16)).model
    names = layers_with(cleaned, "activation_bits")
    assert names == (
        "conv1_1",
        "conv2_1",
        "conv3_1",
        "skip_1",
        "dense1_1",
        "moments",
        "norm2_1_add_3",
        "logits_1",
    )
