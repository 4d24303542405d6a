"""The sensitivity explorer, against the engine asked directly."""

import numpy as np
import pytest

import qlab
from qlab.trials.sensitivity import scan
from qlab.widgets.quantization_explorer import QuantizationExplorer
from qlab.widgets.sensitivity_explorer import SensitivityExplorer

N = 1500


@pytest.fixture(scope="module")
def given(fashion):
    test = fashion.test
    return {
        "images": test.images[:N],
        "labels": test.labels[:N],
        "calibration_images": qlab.data.calibration_images(128),
    }


@pytest.fixture
def explorer(given):
    return SensitivityExplorer(**given)


@pytest.mark.parametrize("which", ["weight_bits", "activation_bits", "both"])
def test_the_bars_are_what_a_scan_yields(explorer, given, which):
    explorer.set(bits=2, lowered=which)
    compressor = qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])
    expected = scan(compressor, given["images"], given["labels"], 2, which=which)
    for entry, other in zip(explorer.result.entries, expected, strict=True):
        assert entry.layer == other.layer
        assert entry.comparison == other.comparison
        np.testing.assert_array_equal(entry.measurement.predictions, other.measurement.predictions)


@pytest.mark.parametrize(
    ("rounding", "settings", "words"),
    [
        ("nearest", {}, "nearest"),
        ("least squares", {"weight_observer": "mse"}, "nearest, least squares"),
        ("gptq", {"rounding": "gptq"}, "GPTQ"),
    ],
)
def test_rounding_reaches_the_lowered_layer_the_mix_and_its_rivals(
    explorer, given, rounding, settings, words
):
    explorer.set(bits=2, rounding=rounding, layer_bits={"dense1": 3})
    base = qlab.Recipe(**settings)
    compressor = qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])
    expected = scan(compressor, given["images"], given["labels"], 2, base)
    for entry, other in zip(explorer.result.entries, expected, strict=True):
        assert entry.recipe == other.recipe and entry.comparison == other.comparison
    result = explorer.result
    assert result.mixed.recipe == base.replace(overrides={"dense1": {"weight_bits": 3}})
    assert {b: x.recipe for b, x in result.uniform.items()} == {
        b: base.replace(weight_bits=b) for b in (8, 4)
    }
    assert f"rounding {words}: " in explorer.picture.alt
    assert f"rounding {words}</caption>" in explorer.tables()


def test_better_rounding_saves_most_of_what_a_layer_loses(explorer):
    explorer.bits = 2
    nearest = {x.layer: x.measurement.accuracy for x in explorer.result.entries}
    entries = explorer.result.entries
    explorer.rounding = "gptq"
    assert explorer.result.entries is not entries
    assert min(x.measurement.accuracy for x in explorer.result.entries) > min(nearest.values())
    explorer.rounding = "nearest"
    assert explorer.result.entries is entries


def test_the_rounding_is_at_first_that_of_the_base(given):
    base = qlab.Recipe(rounding="gptq", weight_observer="mse", bias_correction=True)
    explorer = SensitivityExplorer(**given, base=base)
    assert explorer.rounding == "gptq" and explorer.recipe == base
    explorer.rounding = "nearest"
    assert explorer.recipe == qlab.Recipe(bias_correction=True)
    explorer.rounding = "gptq"
    assert explorer.recipe == base
    assert SensitivityExplorer(**given, base=base, rounding="least squares").recipe == (
        qlab.Recipe(weight_observer="mse", bias_correction=True)
    )


def test_the_bits_of_the_boxes_flow_into_a_recipe_that_is_scored(explorer, given):
    explorer.table.boxes["dense1"].value = 4
    explorer.table.boxes["conv2"].value = 3
    recipe = qlab.Recipe(overrides={"dense1": {"weight_bits": 4}, "conv2": {"weight_bits": 3}})
    assert explorer.recipe == explorer.result.mixed.recipe == recipe
    compressor = qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])
    model = compressor.compress(explorer.recipe)
    expected = qlab.evaluate(model, given["images"], given["labels"])
    mixed = explorer.result.mixed
    np.testing.assert_array_equal(mixed.measurement.predictions, expected.predictions)
    assert mixed.sizes == compressor.sizes(model, recipe)
    assert mixed.packed_bytes == model.packed().file_bytes < model.file_bytes
    assert explorer.result.comparison == qlab.compare(
        explorer.result.uniform[8].measurement, expected, family=2
    )


def test_a_recipe_set_in_code_moves_the_boxes(explorer):
    explorer.layer_bits = {"logits": 5}
    assert {name: box.value for name, box in explorer.table.boxes.items()} == {
        "conv1": 8, "conv2": 8, "dense1": 8, "logits": 5,
    }  # fmt: skip
    explorer.layer_bits = {}
    assert explorer.recipe == qlab.Recipe()
    assert explorer.table.boxes["logits"].value == 8


def test_what_is_lowered_decides_which_bits_the_boxes_mean(explorer):
    explorer.set(layer_bits={"conv1": 4}, lowered="both")
    assert dict(explorer.recipe.overrides)["conv1"] == (("activation_bits", 4), ("weight_bits", 4))
    explorer.lowered = "activation_bits"
    assert dict(explorer.recipe.overrides)["conv1"] == (("activation_bits", 4),)
    assert explorer.result.uniform[4].recipe == qlab.Recipe(activation_bits=4)


def test_uniform_recipes_stand_beside(explorer, given):
    compressor = qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])
    for bits in (8, 4):
        model = compressor.compress(qlab.Recipe(weight_bits=bits))
        measured = qlab.evaluate(model, given["images"], given["labels"])
        candidate = explorer.result.uniform[bits]
        assert candidate.measurement.accuracy == measured.accuracy
        assert candidate.packed_bytes == model.packed().file_bytes
        assert f"{candidate.packed_bytes:,}" in explorer.readout.value


def test_harmless_layers_are_lowered_and_no_others(explorer):
    explorer.bits = 2
    harmless = {x.layer for x in explorer.result.entries if x.comparison.within_noise}
    assert harmless != {x.layer for x in explorer.result.entries}
    recipe = explorer.lower_harmless()
    assert {layer for layer, _ in recipe.overrides} == harmless
    explorer.bits = 7
    explorer.job.start()
    lowered = {layer for layer, _ in explorer.recipe.overrides}
    assert (
        lowered == {x.layer for x in explorer.result.entries if x.comparison.within_noise} != set()
    )


def test_the_recipe_can_be_handed_on(explorer, given):
    explorer.layer_bits = {"dense1": 4}
    other = QuantizationExplorer(
        **given, overrides={k: dict(v) for k, v in explorer.recipe.overrides}
    )
    assert other.result.measurement.accuracy == explorer.result.mixed.measurement.accuracy


def test_the_file_taken_away_is_packed_and_scores_the_same(explorer, given):
    explorer.layer_bits = {"dense1": 4}
    name, data, note = explorer.tflite()
    model = qlab.LiteModel.from_bytes(data)
    assert name == "qlab-mixed.tflite"
    assert len(data) == explorer.result.mixed.packed_bytes
    again = qlab.evaluate(model, given["images"], given["labels"])
    assert f"{100 * again.accuracy:.2f} %" in note


def test_moving_a_box_does_not_lower_the_layers_again(explorer):
    entries = explorer.result.entries
    explorer.layer_bits = {"conv1": 3}
    assert explorer.result.entries is entries
    explorer.bits = 4
    assert explorer.result.entries is not entries


def test_picture_and_table_follow(explorer):
    before = explorer.picture.png
    explorer.bits = 2
    assert explorer.picture.png != before
    worst = min(explorer.result.entries, key=lambda x: x.measurement.accuracy)
    assert f"{worst.layer} hurts most" in explorer.picture.alt
    assert f"{100 * worst.measurement.accuracy:.2f} %" in explorer.tables()
    assert repr(explorer) == "SensitivityExplorer()"


def test_what_cannot_be_is_said_in_words(explorer):
    explorer.layer_bits = {"conv9": 4}
    assert "no layer is called 'conv9'; there are conv1" in explorer.error
    assert explorer.result is None
    explorer.layer_bits = {"conv1": 9}
    assert "weight_bits is 9" in explorer.error
    explorer.layer_bits = {"conv1": 4}
    assert explorer.error == ""
    assert explorer.result.mixed.recipe.bits("weight_bits", "conv1") == 4
