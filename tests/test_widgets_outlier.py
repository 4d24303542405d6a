"""The outlier explorer, against NumPy and the engine asked directly."""

import csv
import io
import re

import numpy as np
import pytest
import traitlets

import qlab
from qlab.arithmetic.affine import symmetric_params
from qlab.plots import style
from qlab.plots.outlier_panels import ChannelsPanel
from qlab.tflite import runtime
from qlab.tflite.litemodel import ModelError
from qlab.tflite.transforms import equalizable, equalize, rescale, with_weights
from qlab.trials import outliers
from qlab.widgets import OutlierExplorer
from qlab.widgets.outlier_explorer import FACTORS
from tests import zoo

N, CALIBRATED = 500, 32


@pytest.fixture
def explorer(given):
    return OutlierExplorer(**given)


@pytest.fixture(scope="module")
def baseline():
    """On all 10,000 images, opened as a learner does."""
    return OutlierExplorer()


def loud(factor, channels=32, count=4):
    return np.where(np.arange(channels) < count, factor, 1)


def by_hand(factor=1, equalized=False):
    model = rescale(qlab.pretrained("baseline"), "conv1", loud(factor))
    return equalize(model) if equalized else model


@pytest.mark.parametrize("equalized", [False, True])
@pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
def test_the_file_is_the_one_that_the_engine_makes(explorer, given, granularity, equalized):
    explorer.set(factor=64, granularity=granularity, equalized=equalized, weight_bits=5)
    compressor = qlab.Compressor(by_hand(64, equalized), given["calibration_images"])
    recipe = qlab.Recipe(weight_bits=5, granularity=granularity, calibration_size=CALIBRATED)
    assert explorer.result.recipe == recipe
    assert explorer.result.model.data == compressor.compress(recipe).data
    expected = qlab.evaluate(explorer.result.model, given["images"], given["labels"])
    np.testing.assert_array_equal(explorer.result.measurement.predictions, expected.predictions)
    name, data = explorer.download.press()
    middle = "conv1-4x64-equalized" if equalized else "conv1-4x64"
    assert (name, data) == (f"qlab-{middle}-w5-{granularity}.tflite", explorer.result.model.data)


@pytest.mark.parametrize("bits", [3, 8])
def test_ranges_and_steps_per_tensor_are_those_of_the_weights(explorer, given, bits):
    explorer.set(factor=16, weight_bits=bits)
    model, result = qlab.pretrained("baseline"), explorer.result
    factors, top = loud(16), 2 ** (bits - 1) - 1
    made = np.abs(model.layer("conv1").weights).max((1, 2, 3)) * factors
    read = np.abs(model.layer("conv2").weights).max((0, 1, 2)) / factors
    (acts,) = zip(*(x for _, x in runtime.activations(
        by_hand(16), given["calibration_images"], [model.layer("conv1").output], CALIBRATED
    )), strict=True)  # fmt: skip
    between = np.abs(acts[0]).max((0, 1, 2))
    for held, ranges, step in (
        (result.out_of_first, made, made.max() / top),
        (result.into_second, read, read.max() / top),
        (result.between, between, between.max() / 255),
    ):
        np.testing.assert_allclose(held.ranges, ranges, rtol=1e-5)
        np.testing.assert_allclose(held.step_sizes, step, rtol=1e-5)
        assert np.abs(held.steps - ranges / step).max() <= 0.501
    assert result.loud.tolist() == [True] * 4 + [False] * 28


def test_steps_per_channel_are_those_of_the_rows(explorer):
    explorer.set(factor=64, granularity="per-channel")
    weights, result = by_hand(64).layer("conv2").weights, explorer.result
    assert (result.out_of_first.steps == 127).all()
    scales = symmetric_params(weights, 8, axis=0).scale
    codes = np.abs(np.rint(weights / scales[:, None, None, None])).max((0, 1, 2))
    np.testing.assert_array_equal(result.into_second.steps, codes)
    sizes = scales.min(), np.median(scales), scales.max()
    np.testing.assert_allclose(result.into_second.step_sizes[:, 7], sizes, rtol=1e-6)
    assert np.ptp(result.between.step_sizes) == 0


def test_a_depthwise_layer_reads_each_channel_on_its_own_step(given):
    from qlab.train import separable

    model = qlab.LiteModel.from_keras(separable())
    first = next(x.name for x, y in equalizable(model) if y.op == "DEPTHWISE_CONV_2D")
    explorer = OutlierExplorer(model, **given, granularity="per-channel", first_layer=first)
    explorer.factor = 64
    held = explorer.result.into_second
    assert np.ptp(held.step_sizes[0]) > 0
    assert (held.steps == 127).all()
    assert "grey band" not in explorer.notes.value


def test_the_float_model_does_not_change_and_the_number_is_counted(explorer, given):
    before = qlab.predict(qlab.pretrained("baseline"), given["images"])
    for factor, equalized in ((128, False), (128, True)):
        explorer.set(factor=factor, equalized=equalized)
        after = qlab.predict(by_hand(factor, equalized), given["images"])
        assert explorer.result.same_predictions == (before == after).sum() >= N - 2
    assert f"of {N} predictions are the same" in explorer.readout.value


def test_predictions_that_differ_are_not_called_the_same(explorer, monkeypatch):
    broken = lambda model, name, _: with_weights(model, {name: -model.layer(name).weights})  # noqa: E731
    monkeypatch.setattr(outliers, "rescale", broken)
    explorer.factor = 2
    assert explorer.result.same_predictions < N


def test_what_is_known_on_the_validation_images(baseline):
    """Loud channels cost points; per channel is no cure; equalizing is, whatever the factor."""
    found = {}
    for granularity in ("per-tensor", "per-channel"):
        for equalized in (False, True):
            baseline.set(granularity=granularity, equalized=equalized, factor=64)
            found[granularity, equalized] = baseline.result.measurement.accuracy
            assert baseline.result.same_predictions == 10_000
    scored = baseline.subject.float_measurement.accuracy
    assert found["per-tensor", False] < found["per-channel", False] - 0.01
    assert found["per-channel", False] < scored - 0.015
    assert min(found["per-tensor", True], found["per-channel", True]) > scored - 0.004
    assert "10,000 validation images" in baseline.readout.value


def test_equalizing_makes_the_ranges_alike_again(explorer):
    explorer.set(factor=128, equalized=True)
    out, into = explorer.result.out_of_first, explorer.result.into_second
    np.testing.assert_allclose(out.ranges, into.ranges, rtol=1e-4)
    assert "Equalization then divides" in explorer.notes.value


def test_a_sweep_scores_every_factor_once_and_the_curve_shows_it(explorer):
    explorer.factor = 8
    before = explorer.result
    swept = explorer.sweep()
    assert sorted(swept) == list(FACTORS) and explorer.result is before
    assert swept[8] == before.measurement.accuracy
    assert list(explorer._measuring()) == []
    curve = explorer._curves.curves["per-tensor", False]
    assert curve.get_xydata().tolist() == [[x, swept[x]] for x in FACTORS]
    explorer.granularity = "per-channel"
    assert curve.get_xydata().tolist() == [[x, swept[x]] for x in FACTORS]
    explorer.weight_bits = 4
    assert not len(curve.get_xydata())
    rows = list(csv.DictReader(io.StringIO(explorer.save_trail.press()[1].decode())))
    assert len(rows) == len(FACTORS) + 2
    assert {row["factor"]: float(row["accuracy"]) for row in rows[:8]} == {
        str(x): y for x, y in swept.items()
    }


def test_another_pair_of_layers(explorer):
    explorer.set(first_layer="dense1", factor=32, loud_channels=2)
    assert explorer.result.second_layer == "logits" and len(explorer.result.loud) == 125
    assert "Weights into logits" in explorer.picture.alt
    assert "The first 2 channels of the 125 that dense1 makes" in explorer.notes.value


def test_a_rescaled_model_is_remembered(explorer):
    explorer.factor = 4
    kept = explorer.result.compressor
    explorer.set(weight_bits=3, granularity="per-channel")
    assert explorer.result.compressor is kept
    explorer.factor = 8
    assert explorer.result.compressor is not kept
    assert explorer._rescaler.rescaled.cache_info().maxsize == 16


def test_alt_text_and_tables_hold_the_numbers(explorer):
    explorer.factor = 64
    result, said = explorer.result, explorer.picture.alt
    others = np.sort(result.out_of_first.steps[~result.loud])[14]
    assert re.search(rf"^Weights out of conv1: the median loud .* of the others {others}\.", said)
    assert said.endswith("with factor 64.")
    for held in (result.out_of_first, result.between, result.into_second):
        for reach in held.ranges:
            assert f"<td>{reach:.4g}</td>" in explorer.tables()
    assert f"<td>{qlab.widgets.kit.readout.score(result)}</td>" in explorer.tables()


def test_a_model_without_a_pair_is_refused_in_one_sentence(given):
    with pytest.raises(ModelError, match="no two layers of this model can be equalized; give a"):
        OutlierExplorer(qlab.LiteModel.from_keras(zoo.tanh_mlp()), **given)


def test_too_many_loud_channels_are_refused_in_words(explorer):
    explorer.set(first_layer="conv2", loud_channels=16)
    assert explorer.error.startswith("conv2 has 16 channels, so at most 15 of them can be loud")
    assert explorer.result is None
    explorer.job.start()
    assert "this setting did not work" in explorer.error
    explorer.loud_channels = 8
    assert explorer.error == "" and explorer.result.loud.sum() == 8
    with pytest.raises(traitlets.TraitError, match="conv1, conv2, dense1"):
        explorer.first_layer = "logits"


def test_five_settings_are_in_sight(explorer):
    controls = next(x for x in explorer.children if "qlab-controls" in x._dom_classes)
    labels = [card.children[0].description for card in controls.children]
    assert labels == ["Outlier factor", "Equalize", "Granularity", "Weight bits", "First layer"]


def test_the_solid_part_of_a_bar_stands_on_the_step():
    panel = ChannelsPanel(style.new_axes())
    panel.frame("Weights", "channel", 3, (0.001, 100))
    ranges, which = np.array([8.0, 0.5, 0.0]), np.array([True, False, False])
    panel.show(ranges, np.full((3, 3), 2.0), which)
    values, _, feet = panel.loud.get_data()
    assert np.nanmax(values) == 8 and np.isfinite(values).sum() == 1
    assert feet[np.isfinite(values).argmax()] == 2
    assert not np.isfinite(panel.quiet.get_data()[0]).any()  # 0.5 is less than a step, 0 is dead
    assert np.nanmax(panel.quiet_low.get_data()[0]) == 0.5
    assert np.isfinite(panel.quiet_low.get_data()[0]).sum() == 1


def test_a_value_that_is_not_offered_is_refused_in_words(explorer):
    with pytest.raises(traitlets.TraitError, match="factor is 65; choose one of 1, 2, 4, 8"):
        explorer.factor = 65
