"""The button that keeps an explorer's file on the Pareto board: the file, its score, its recipe."""

import hashlib
import inspect

import pytest

import qlab
from qlab import widgets
from qlab.engine import recipes
from qlab.tflite.graph import pack
from qlab.trials import pareto, shelf
from qlab.trials.search import search_images
from qlab.widgets.kit.download import Download

KEEPERS = {  # explorers with a file of the learner's, and how to come to one
    widgets.QuantizationExplorer: {"weight_bits": 4},
    widgets.AnatomyExplorer: {"weight_bits": 4, "packed": True},
    widgets.SensitivityExplorer: {"layer_bits": {"dense1": 4}},
    widgets.PruningExplorer: {"sparsity": 0.8, "weight_bits": 8},
    widgets.ClusteringExplorer: {"clusters": 8},
    widgets.OutlierExplorer: {"factor": 64, "granularity": "per-channel"},
    widgets.SparsitySensitivityExplorer: {"layer_sparsity": {"dense1": 0.8}},
}


@pytest.fixture(scope="module")
def few(fashion):
    return {
        "images": fashion.test.images[:200],
        "labels": fashion.test.labels[:200],
        "calibration_images": qlab.data.calibration_images(16),
    }


def on_the_board():
    """The learner's own entries, and the bytes of each."""
    return {x.name: x for x in pareto.entries() if x.origin == "yours"}


def accuracy_of(data, fashion):
    model, split = qlab.LiteModel(data), fashion.validation
    return qlab.evaluate(model, split.images, split.labels, threads=1).accuracy


@pytest.mark.parametrize("kind", KEEPERS, ids=lambda kind: kind.__name__)
def test_what_is_kept_is_the_file_to_take_away(kind, few, fashion):
    known = inspect.signature(kind).parameters
    explorer = kind(**{x: few[x] for x in few if x in known}, **KEEPERS[kind])
    name, data = explorer.download.press()
    explorer.download.keep()
    [entry] = on_the_board().values()
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert f"qlab-{entry.name}.tflite" == name
    assert entry.accuracy == accuracy_of(data, fashion)  # all 10,000, not the explorer's 200
    shown = explorer.download.link
    assert ["b", entry.name] in shown.words and f"{entry.gzip_bytes:,} bytes gzipped" in shown.text
    assert not shown.name and f"qlab.pareto.drop({entry.name!r}) takes it off" in shown.text
    words = recipes.recipe_words(entry.recipe)
    for value in KEEPERS[kind].values():
        assert isinstance(value, dict | bool) or str(value) in words
    assert isinstance(explorer, widgets.PruningExplorer) or entry.recipe == recipes.recipe_dict(
        explorer.download.recipe()
    )


def test_the_next_setting_takes_the_words_away_and_the_model_stays(few):
    explorer = widgets.QuantizationExplorer(**few, weight_bits=4)
    explorer.download.keep()
    explorer.weight_bits = 3
    assert explorer.download.link.text == ""
    explorer.download.keep()
    assert set(on_the_board()) == {"w4-a8-per-channel", "w3-a8-per-channel"}
    assert pareto.drop("w4-a8-per-channel") == 1
    assert set(on_the_board()) == {"w3-a8-per-channel"}


def test_the_button_does_it_and_can_be_reached(few):
    explorer = widgets.QuantizationExplorer(**few)
    _, again, _ = explorer.download.children
    assert again.description == "Keep on the board" and again.tooltip
    again.click()
    assert set(on_the_board()) == {"w8-a8-per-channel"}


def test_a_search_without_a_file_says_so_and_keeps_the_best_one_afterwards(fashion):
    images, labels = search_images(200)
    explorer = widgets.SearchExplorer(
        images=images, labels=labels, calibration_images=qlab.data.calibration_images(16), files=40
    )
    explorer.budget_kb = 1
    explorer.guard(explorer.download.keep)
    assert "within the budget" in explorer.error
    assert on_the_board() == {}
    explorer.budget_kb = 40
    explorer.search(uniform=1)
    entry = explorer.download.keep()
    assert entry.recipe == recipes.recipe_dict(explorer.result.recipe)


def test_without_training_there_is_nothing_to_keep(few):
    explorer = widgets.QatExplorer(**few)
    explorer.guard(explorer.download.keep)
    assert "Nothing is trained yet" in explorer.error


def test_a_model_of_other_images_is_refused_in_words(few):
    model = qlab.pretrained("baseline")
    graph = model.graph()
    images = graph.subgraphs[0].tensors[graph.subgraphs[0].inputs[0]]
    images.shape, images.shapeSignature = [1, 14, 14, 1], [-1, 14, 14, 1]
    other = qlab.LiteModel(pack(graph))
    button = Download("Save", lambda: ("qlab-x.tflite", other.data, ""), recipe=dict)
    with pytest.raises(shelf.ShelfError, match="cannot be scored"):
        button.keep()
    assert on_the_board() == {}


def test_a_full_disk_is_told_in_the_explorer(few, monkeypatch):
    explorer = widgets.QuantizationExplorer(**few)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf, "write_files", full)
    explorer.guard(explorer.download.keep)
    assert "cannot be kept" in explorer.error and "No space left" in explorer.error
    assert explorer.result is not None


def test_a_table_has_no_such_button(few):
    explorer = widgets.QuantizationExplorer(**few)
    assert [len(x.children) for x in explorer.actions] == [3, 2]
