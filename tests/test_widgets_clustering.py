"""The explorer of clustering, against the engine asked directly."""

import numpy as np
import pytest
import traitlets

import qlab
from qlab.engine.recipes import Recipe
from qlab.trials.shipped import families
from qlab.widgets import ClusteringExplorer
from qlab.widgets.clustering_explorer import indexed_bytes

N = 400


@pytest.fixture(scope="module")
def given(fashion):
    return {"images": fashion.validation.images[:N], "labels": fashion.validation.labels[:N]}


@pytest.fixture(scope="module")
def bare(given):
    """Without the trained models: each update is short."""
    return ClusteringExplorer(model=qlab.pretrained("baseline"), **given)


@pytest.fixture
def explorer(bare):
    bare.set(clusters=16, weight_bits=4, granularity="per-tensor", layer="dense1")
    return bare


@pytest.mark.parametrize(("clusters", "bits"), [(2, 2), (16, 5), (100, 8)])
def test_both_files_are_what_the_engine_makes(explorer, given, clusters, bits):
    explorer.set(clusters=clusters, weight_bits=bits)
    compressor, result = explorer.subject.compressor, explorer.result
    shared = {"activation_bits": 32, "calibration_size": 1}
    recipes = (
        Recipe(weight_bits=32, clusters=clusters, **shared),
        Recipe(weight_bits=bits, granularity="per-tensor", **shared),
    )
    expected = []
    for way, recipe in zip((result.clusters, result.rounded), recipes, strict=True):
        model = compressor.compress(recipe)
        assert way.model.data == model.data
        expected.append(qlab.evaluate(model, given["images"], given["labels"]))
        np.testing.assert_array_equal(way.measurement.predictions, expected[-1].predictions)
    assert result.to_rounded == qlab.compare(expected[1], expected[0], family=2)
    assert result.to_float == qlab.compare(
        explorer.subject.float_measurement, expected[0], family=2
    )
    assert "Because two files are compared at once" in explorer.notes.value


def test_a_learners_own_pictures_calibrate(given):
    own, model = given["images"][:16], qlab.pretrained("baseline")
    compressor = ClusteringExplorer(model, **given, calibration_images=own).subject.compressor
    (expected, _), (found, _) = (
        x.activation_histogram("dense1", 16) for x in (qlab.Compressor(model, own), compressor)
    )
    np.testing.assert_array_equal(found, expected)


def test_the_file_holds_no_more_values_than_clusters(explorer):
    explorer.clusters = 7
    for layer in explorer.result.clusters.model.layers:
        if layer.weights is not None:
            assert len(np.unique(layer.weights)) == 7
    stored = explorer.result.clusters.model.layer("dense1").weights
    assert "Clusters of dense1" in explorer.tables()
    assert all(f"<td>{value:.4f}</td>" in explorer.tables() for value in np.unique(stored))
    assert "7 clusters" in explorer._panel.words[0].get_text()


def test_sizes_are_those_of_the_files(explorer):
    ways = explorer.result.clusters, explorer.result.rounded
    assert ways[0].model.file_bytes == qlab.pretrained("baseline").file_bytes
    assert ways[0].model.gzip_bytes < 0.25 * ways[0].model.file_bytes
    for way in ways:
        for count in (way.model.file_bytes, way.model.gzip_bytes, way.packed_bytes):
            assert f"{count:,}" in explorer.readout.value
    assert indexed_bytes(ways[0]) == 75_426 // 2 + 4 * 4 * 16
    assert f"{indexed_bytes(ways[0]):,}" in explorer.notes.value


def test_the_curves_grow_and_the_button_fills_them(explorer):
    explorer._tried = {"clusters": {}}
    explorer.update()
    assert {name: len(curve) for name, curve in explorer._tried.items()} == {
        "clusters": 1, "per-tensor": 1,
    }  # fmt: skip
    explorer.job.start()
    assert "Done" in explorer.job.status.value
    curves = explorer.sweep()
    assert sorted(curves["clusters"]) == [2, 4, 8, 16, 32, 64, 128, 256]
    assert sorted(curves["per-tensor"]) == [3, 7, 15, 31, 63, 127, 255]
    size, accuracy = curves["clusters"][16]
    assert size == explorer.result.clusters.model.gzip_bytes
    assert accuracy == explorer.result.clusters.measurement.accuracy
    assert f"{size:,}" in explorer.tables()
    assert len(explorer._counts.clusters.get_xdata()) == 8
    explorer.granularity = "per-channel"
    assert len(explorer._counts.rounded.get_xdata()) == 1
    assert "for each output channel" in explorer.notes.value


def test_the_button_stops_and_keeps_what_it_had(explorer):
    explorer._tried = {"clusters": {}}
    steps = explorer._sweep()
    assert [next(steps)[:2] for _ in range(3)] == [(1, 15), (2, 15), (3, 15)]
    steps.close()
    assert sorted(explorer._tried["clusters"]) == [2, 4, 8]


def test_picture_words_and_table_follow(explorer):
    before = explorer.picture.png
    explorer.set(clusters=4, layer="conv2")
    assert explorer.picture.png != before
    assert "Weights of conv2 share 4 values" in explorer.picture.alt
    accuracy = explorer.result.clusters.measurement.accuracy
    assert f"{100 * accuracy:.2f} %" in explorer.tables()
    assert "Clusters of conv2" in explorer.tables()
    assert repr(explorer) == "ClusteringExplorer()"
    assert len(explorer.children[2].children) == 4


def test_the_file_taken_away_scores_the_same(explorer, given):
    explorer.clusters = 8
    name, data, words = explorer.tflite()
    again = qlab.evaluate(qlab.LiteModel.from_bytes(data), given["images"], given["labels"])
    assert name == "qlab-clusters-8.tflite"
    assert words == f"Scored again: {100 * again.accuracy:.2f} %."
    assert again.accuracy == explorer.result.clusters.measurement.accuracy


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"clusters": 1}, "choose 2 to 256"),
        ({"clusters": 257}, "choose 2 to 256"),
        ({"weight_bits": 16}, "weight_bits"),
        ({"layer": "flatten"}, "there are conv1, conv2, dense1, logits"),
    ],
)
def test_what_cannot_be_is_refused_in_words(explorer, setting, words):
    before = explorer.result
    with pytest.raises(traitlets.TraitError, match=words):
        explorer.set(**setting)
    assert explorer.result is before


def test_trained_models_stand_beside_at_their_number_of_clusters(given):
    assert list(families(r"clustered-\d+")) == ["clustered-16", "clustered-8"]
    explorer = ClusteringExplorer(**given)
    [family] = [x for x in explorer.tuned if x.name == "clustered-16"]
    assert "Clusters, trained" in explorer.readout.value
    assert f"{100 * family.measurements[2].accuracy:.2f}" in explorer.tables()
    assert len(explorer._counts.trained.get_xdata()) == 6
    assert set(explorer._counts.trained.get_xdata()) == {8, 16}
    explorer.clusters = 32
    assert "Clusters, trained" not in explorer.readout.value
