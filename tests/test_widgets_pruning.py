"""The explorer of pruning, and its sensitivity half, against the engine asked directly."""

import numpy as np
import pytest
import traitlets

import qlab
from qlab.engine.recipes import Recipe
from qlab.tflite.sparse_encoding import sparse_file
from qlab.trials.pruned import SHIPPED
from qlab.trials.sensitivity import scan
from qlab.trials.shipped import TunedModels, count_weights, families
from qlab.trials.subjects import subject
from qlab.widgets import PruningExplorer, SparsitySensitivityExplorer

N = 400


@pytest.fixture(scope="module")
def compressor(given):
    return qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])


@pytest.fixture(scope="module")
def bare(given):
    """Without the trained models, which are scored in tests of their own: each update is short."""
    return PruningExplorer(model=qlab.pretrained("baseline"), **given)


@pytest.fixture
def explorer(bare):
    bare.set(sparsity=0.8, method="single", scope="global", weight_bits=32, layer="dense1")
    return bare


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("scope", ["global", "per-layer"])
def test_single_weights_are_what_the_engine_prunes(explorer, given, compressor, scope, bits):
    explorer.set(sparsity=0.9, scope=scope, weight_bits=bits)
    recipe = Recipe(weight_bits=bits, activation_bits=bits, sparsity=0.9, sparsity_scope=scope)
    model = compressor.compress(recipe)
    expected = qlab.evaluate(model, given["images"], given["labels"])
    result = explorer.result
    assert result.file.model.data == model.data
    np.testing.assert_array_equal(result.measurement.predictions, expected.predictions)
    assert result.absent == pytest.approx(1 - count_weights(model) / 75_426)
    assert 0.9 <= round(result.absent, 3) < 0.92
    dense = compressor.compress(recipe.replace(sparsity=0.0))
    unpruned = qlab.evaluate(dense, given["images"], given["labels"])
    assert result.comparison == qlab.compare(unpruned, expected)


def test_two_of_each_four(explorer):
    explorer.method = "2of4"
    for name in ("conv2", "dense1"):
        weights = explorer.result.file.model.layer(name).weights
        assert ((weights.reshape(-1, 4) != 0).sum(1) == 2).all()
        original = explorer.pruner.weights[name]
        groups = np.abs(original).reshape(-1, 4), weights.reshape(-1, 4) != 0
        kept_least = np.where(groups[1], groups[0], np.inf).min(1)
        assert (kept_least >= np.where(groups[1], 0, groups[0]).max(1)).all()
    assert explorer.result.file.masks["logits"].all()
    assert "Left whole: conv1, logits" in explorer.notes.value


def test_blocks_of_four(explorer):
    explorer.set(method="block", sparsity=0.75)
    weights = explorer.result.file.model.layer("dense1").weights
    blocks = (weights.reshape(-1, 4) != 0).sum(1)
    assert set(blocks) == {0, 4}
    assert (blocks == 0).mean() == 0.75
    assert explorer.result.file.masks["conv2"].all()


@pytest.mark.parametrize("bits", [32, 8])
def test_filters_are_gone(explorer, bits):
    explorer.set(method="filters", sparsity=0.5, weight_bits=bits)
    file, dense = explorer.result.file, explorer.result.dense
    assert [x.weights.shape for x in file.model.layers if x.weights is not None] == [
        (16, 2, 2, 1), (8, 2, 2, 16), (63, 288), (10, 63),
    ]  # fmt: skip
    assert file.file_bytes < 0.35 * dense.file_bytes
    assert "gone from the file" in explorer.notes.value
    assert "are gone" in explorer._hole.note.get_text()


@pytest.mark.parametrize("method", ["single", "2of4", "block"])
def test_zeros_shrink_no_file_until_they_are_left_out(explorer, given, method):
    explorer.set(method=method, sparsity=0.9)
    file, dense = explorer.result.file, explorer.result.dense
    assert file.file_bytes == dense.file_bytes == 305_676
    assert file.gzip_bytes < 0.7 * dense.gzip_bytes
    assert file.sparse_bytes == sparse_file(file.model).file_bytes < 0.8 * file.file_bytes
    again = qlab.evaluate(file.sparse, given["images"], given["labels"])
    np.testing.assert_array_equal(again.predictions, explorer.result.measurement.predictions)
    assert "as before" in explorer.notes.value and f"{file.sparse_bytes:,}" in explorer.notes.value
    assert f"{file.gzip_bytes:,}" in explorer.readout.value


def test_the_mask_and_the_hole_are_those_of_the_file(explorer):
    explorer.set(sparsity=0.7, layer="conv2", weight_bits=8)
    codes = explorer.result.file.model.layer("conv2").weights
    np.testing.assert_array_equal(explorer.result.file.masks["conv2"], codes != 0)
    drawn = np.asarray(explorer._mask.table.get_array())[..., 0] < 255  # blue, not white
    np.testing.assert_array_equal(drawn, (codes != 0).reshape(16, 128)[:, :96])
    original = explorer.subject.model.layer("conv2").weights
    inside = np.abs(original) <= explorer._hole.edges[-1]
    assert inside.mean() > 0.998
    assert explorer._hole.all.get_data().values.sum() == inside.sum()
    assert explorer._hole.kept.get_data().values.sum() == ((codes != 0) & inside).sum()
    assert f"{100 * (codes == 0).mean():.1f} % of conv2" in explorer.picture.alt


def test_the_curve_grows_by_what_is_tried_and_the_button_fills_it(explorer, given, compressor):
    explorer._once.clear()
    explorer.set(sparsity=0.35)
    explorer.sparsity = 0.45
    assert len(explorer._curve()) == 2
    explorer.job.start()
    curve = explorer.sweep()
    assert "Done" in explorer.job.status.value
    assert len(curve) == 2 + 15
    assert min(curve) == 0.0 and max(curve) == pytest.approx(0.99, abs=1e-4)
    recipe = Recipe(weight_bits=32, activation_bits=32, sparsity=0.6)
    expected = qlab.evaluate(compressor.compress(recipe), given["images"], given["labels"])
    assert curve[min(curve, key=lambda x: abs(x - 0.6))] == expected.accuracy
    assert explorer.tables().count("<tr>") > 17
    explorer.scope = "per-layer"
    assert len(explorer._curve()) == 1


def test_the_button_stops_and_keeps_what_it_had(explorer):
    explorer._once.clear()
    steps = explorer._sweep()
    for _ in range(4):
        done, total, _ = next(steps)
    steps.close()
    assert (done, total, len(explorer._curve())) == (4, 15, 4)


def test_controls_that_would_change_nothing_cannot_be_moved(explorer):
    boxes = {
        card.children[0].description: card.children[0] for card in explorer.children[2].children
    }
    assert list(boxes) == ["Sparsity", "Method", "Scope", "Weight bits", "Layer shown"]
    for method in SHIPPED:
        explorer.method = method
        assert boxes["Sparsity"].disabled == (method == "2of4")
        assert boxes["Scope"].disabled == (method != "single")


def test_a_number_between_the_stops_is_pruned(explorer):
    explorer.cards["sparsity"].children[0].value = 0.63
    assert explorer.sparsity == 0.63
    assert explorer.result.absent == pytest.approx(0.63, abs=1e-4)


def test_files_taken_away_score_the_same(explorer, given):
    explorer.set(sparsity=0.9, weight_bits=8)
    accuracy = f"{100 * explorer.result.measurement.accuracy:.2f} %"
    for made, kind in ((explorer.tflite(), "pruned"), (explorer.sparse_tflite(), "sparse")):
        name, data, words = made
        assert name == f"qlab-{kind}-single-90-w8.tflite"
        assert words == f"Scored again: {accuracy}."
        model = qlab.LiteModel.from_bytes(data)
        again = qlab.evaluate(model, given["images"], given["labels"])
        np.testing.assert_array_equal(again.predictions, explorer.result.measurement.predictions)
    explorer.sparsity = 0.1
    assert "Too few zeros" in explorer.sparse_tflite()[2]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"sparsity": 90}, "for 90 % give 0.9"),
        ({"sparsity": 1}, "leaves no weights"),
        ({"sparsity": -0.2}, "fraction from 0"),
        ({"layer": "pool1"}, "there are conv1, conv2, dense1, logits"),
        ({"weight_bits": 4}, "weight_bits"),
        ({"method": "all"}, "method"),
    ],
)
def test_what_cannot_be_is_refused_in_words(explorer, setting, words):
    before = explorer.result
    with pytest.raises(traitlets.TraitError, match=words):
        explorer.set(**setting)
    assert explorer.result is before


def test_it_shows_without_a_kernel(explorer):
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "PruningExplorer()"
    assert bundle["image/png"].startswith("iVBOR")


def test_a_learners_own_model_is_pruned_too(given):
    import zoo

    model = qlab.LiteModel.from_keras(zoo.depthwise())
    given = {name: values[:50] for name, values in given.items()}
    explorer = PruningExplorer(model, **given)
    for method in SHIPPED:
        explorer.set(method=method, sparsity=0.6)
        assert explorer.error == ""
        assert 0.05 < explorer.result.absent < 0.95
    assert explorer.tuned == ()
    joined = PruningExplorer(qlab.LiteModel.from_keras(zoo.residual()), **given)
    joined.method = "filters"
    assert "joins channels of several layers" in joined.error


class TestTrained:
    def test_every_method_has_trained_models_with_controls(self):
        files = qlab.artefacts.manifest()["files"]
        for pattern in SHIPPED.values():
            found = families(pattern)
            assert found
            for by_seed in found.values():
                assert sorted(by_seed) == [0, 1, 2]
                for model, control in by_seed.values():
                    assert f"{model}.tflite" in files and f"{control}.tflite" in files
        assert list(families(SHIPPED["single"])) == [f"pruned-{x}" for x in (50, 80, 90, 95)]

    def test_they_are_scored_as_the_manifest_says(self, fashion):
        files = qlab.artefacts.manifest()["files"]
        [tuned] = TunedModels(subject()).tuned("pruned-90")
        for seed, measured, control in zip(
            tuned.seeds, tuned.measurements, tuned.controls, strict=True
        ):
            entry = files[f"pruned-90-seed{seed}.tflite"]
            assert measured.correct == entry["validation"]["correct"]
            name = families("pruned-90")["pruned-90"][seed][1]
            assert control.correct == files[f"{name}.tflite"]["validation"]["correct"]
        assert tuned.absent == pytest.approx(0.9, abs=0.01)
        assert tuned.comparison == qlab.compare(tuned.controls, tuned.measurements)
        assert {x.families for x in TunedModels(subject()).tuned(SHIPPED["single"])} == {4}

    def test_they_stand_beside_at_their_sparsity_and_only_there(self, given):
        explorer = PruningExplorer(**given, sparsity=0.9)
        assert [x.name for x in explorer.tuned] == [f"pruned-{x}" for x in (50, 80, 90, 95)]
        assert explorer.trained_alike(explorer.result).name == "pruned-90"
        assert "Trained, 90 % pruned" in explorer.readout.value
        assert "Trained to its control" in explorer.readout.value
        assert explorer.trained_alike(explorer.result).comparison.level == 1 - 0.05 / 4
        assert "Because four trained families are compared at once" in explorer.notes.value
        assert len(explorer._cliff.tuned.get_xdata()) == 12
        assert explorer.tables().count("pruned-90") == 4
        explorer.sparsity = 0.65
        assert explorer.trained_alike(explorer.result) is None
        assert "Trained to its control" not in explorer.readout.value
        assert "Trained models of this method are" in explorer.notes.value
        before = explorer._trained._scored.copy()
        explorer.sparsity = 0.9
        assert explorer._trained._scored == before

    def test_at_8_bits_they_are_quantized_first(self, given):
        models = TunedModels(subject(**given))
        [float_], [int8] = models.tuned("pruned-2of4"), models.tuned("pruned-2of4", 8)
        for a, b in zip(float_.gzip_bytes, int8.gzip_bytes, strict=True):
            assert b < 0.5 * a
        assert int8.measurements[0].accuracy > 0.8


@pytest.fixture(scope="module")
def mixer(given):
    return SparsitySensitivityExplorer(**given)


class TestSensitivity:
    @pytest.fixture
    def explorer(self, mixer):
        mixer.set(layer_sparsity={}, budget_bytes=100_000, weight_bits=32)
        return mixer

    def test_the_curves_are_what_a_scan_yields(self, explorer, given, compressor):
        base = Recipe(weight_bits=32, activation_bits=32)
        pair = given["images"], given["labels"]
        expected = tuple(scan(compressor, *pair, 0.8, base, "sparsity", levels=9))
        assert [x.layer for x in expected] == list(explorer.curves)
        for entry in expected:
            found = explorer.curves[entry.layer][0.8]
            assert found.comparison == entry.comparison
            assert found.comparison.family == 36
            np.testing.assert_array_equal(
                found.measurement.predictions, entry.measurement.predictions
            )

    def test_more_sparsities_are_measured_on_demand_and_can_be_stopped(self, explorer):
        explorer._measured.clear()
        explorer.update()
        assert {len(curve) for curve in explorer.curves.values()} == {3}
        steps = explorer._sweep()
        assert next(steps)[:2] == (1, 24)
        steps.close()
        assert [len(curve) for curve in explorer.curves.values()] == [4, 3, 3, 3]
        curves = explorer.scan()
        assert {len(curve) for curve in curves.values()} == {9}
        assert "0.98" in explorer.tables()

    def test_the_boxes_flow_into_a_recipe_that_is_scored(self, explorer, given, compressor):
        explorer.table.boxes["dense1"].value = 0.85
        explorer.table.boxes["conv2"].value = 0.3
        recipe = Recipe(
            weight_bits=32,
            activation_bits=32,
            overrides={"dense1": {"sparsity": 0.85}, "conv2": {"sparsity": 0.3}},
        )
        assert explorer.recipe == recipe
        model = compressor.compress(recipe)
        expected = qlab.evaluate(model, given["images"], given["labels"])
        mixed = explorer.result.mixed
        np.testing.assert_array_equal(mixed.measurement.predictions, expected.predictions)
        assert mixed.sparse_bytes == sparse_file(model).file_bytes
        assert len(explorer._panel.chosen.get_xdata()) == 1 + (0.3 in explorer.curves["conv2"])

    def test_the_budget_is_met_or_it_is_said_by_how_much_not(self, explorer):
        assert not explorer.result.fits
        assert "over the budget" in explorer.readout.value
        explorer.layer_sparsity = {"dense1": 0.9}
        assert explorer.result.fits
        assert "within the budget" in explorer.readout.value
        assert "within the budget of 100,000" in explorer.picture.alt

    @pytest.mark.parametrize("scope", ["global", "per-layer"])
    def test_uniform_recipes_are_the_least_sparse_that_meet_it(self, explorer, compressor, scope):
        explorer.budget_bytes = 60_000
        way = explorer.result.uniform[scope]
        assert way.sparse_bytes <= 60_000
        less = way.recipe.replace(sparsity=round(way.recipe.sparsity - 0.01, 2))
        assert sparse_file(compressor.compress(less)).file_bytes > 60_000
        assert way.recipe.sparsity_scope == scope

    def test_a_budget_that_nothing_meets_is_said(self, explorer):
        explorer.budget_bytes = 500
        assert explorer.result.uniform == {}
        assert explorer.notes.value.count("no sparsity meets this budget") == 2

    def test_the_file_taken_away_has_the_size_shown(self, explorer, given):
        explorer.set(layer_sparsity={"dense1": 0.9}, weight_bits=8)
        name, data, words = explorer.tflite()
        assert name == "qlab-sparse-mixed.tflite"
        assert len(data) == explorer.result.mixed.sparse_bytes
        model = qlab.LiteModel.from_bytes(data)
        again = qlab.evaluate(model, given["images"], given["labels"])
        assert f"{100 * again.accuracy:.2f} %" in words
        assert f"{100 * again.accuracy:.2f} %" in explorer.readout.value

    def test_what_cannot_be_is_said_in_words(self, explorer):
        explorer.layer_sparsity = {"pool1": 0.5}
        assert "no layer with weights is called 'pool1'" in explorer.error
        explorer.layer_sparsity = {"dense1": 90}
        assert "for 90 % give 0.9" in explorer.error
        with pytest.raises(traitlets.TraitError, match="choose 1 to 305,676"):
            explorer.budget_bytes = 0
        explorer.layer_sparsity = {}
        assert explorer.error == ""
        assert repr(explorer) == "SparsitySensitivityExplorer()"
