"""The drop-down of models, in every explorer that takes one."""

import dataclasses

import numpy as np
import pytest
import traitlets

import qlab
from qlab import widgets
from qlab.tflite.artefacts import NETWORKS
from qlab.trials import subjects
from qlab.widgets import ModelExplorer

N, CALIBRATED = 200, 32
OTHER = "depthwise-separable"
EXPLORERS = [
    widgets.AnatomyExplorer,
    widgets.CalibrationExplorer,
    widgets.ClusteringExplorer,
    widgets.FitExplorer,
    widgets.FlipGallery,
    widgets.OutlierExplorer,
    widgets.PruningExplorer,
    widgets.QuantizationExplorer,
    widgets.SearchExplorer,
    widgets.SensitivityExplorer,
    widgets.SparsitySensitivityExplorer,
]
every = pytest.mark.parametrize("kind", EXPLORERS, ids=lambda kind: kind.__name__)


def made(kind, given, model=None, /, **settings):
    """An explorer of `kind` on few images; a search is asked on the same as it chooses with."""
    if kind is widgets.SearchExplorer:
        given = given | {"test_images": given["images"], "test_labels": given["labels"]}
    return kind(model, **given, **settings)


def plain(value):
    """What can be compared of a result: all but times, and what was remembered when it was made."""
    if isinstance(value, qlab.LiteModel):
        return value.data
    if isinstance(value, qlab.Latency | qlab.Compressor):
        return type(value).__name__
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return [(key, plain(x)) for key, x in value.items()]
    if isinstance(value, list | tuple):
        return [plain(x) for x in value]
    if dataclasses.is_dataclass(value):
        names = (f.name for f in dataclasses.fields(value))
        fields = [name for name in names if name not in ("elapsed_ms", "how")]
        return type(value).__name__, [(name, plain(getattr(value, name))) for name in fields]
    return value


def settings_of(explorer):
    return {x: getattr(explorer, x) for x in explorer.settings if x != "model_name"}


def test_all_explorers_that_take_a_model_are_tried_here():
    found = (getattr(widgets, name) for name in widgets.__all__)
    takes = [x for x in found if isinstance(x, type) and issubclass(x, ModelExplorer)]
    assert {x for x in takes if len(x.offered) > 1} - {ModelExplorer} == set(EXPLORERS)


@every
def test_a_switched_explorer_is_one_built_with_that_model(kind, given):
    explorer = made(kind, given)
    first, settings = plain(explorer.result), settings_of(explorer)
    explorer.cards["model_name"].children[0].value = OTHER
    assert explorer.error == ""
    fresh = made(kind, given, "separable-seed0", **settings_of(explorer))
    assert plain(explorer.result) == plain(fresh.result) != first
    assert explorer.layers.keys() == fresh.layers.keys()
    assert explorer.subject.model.data == qlab.pretrained("separable-seed0").data
    for name, card in explorer.cards.items():
        assert card.children[0].value == getattr(explorer, name)
        if name != "model_name":
            other = fresh.cards[name].children
            assert [x.value for x in card.children] == [x.value for x in other]
            assert all(
                x.options == y.options
                for x, y in zip(card.children, other, strict=True)
                if x.has_trait("options")
            )
    explorer.model_name = "baseline"
    assert plain(explorer.result) == first
    assert settings_of(explorer) == settings
    assert explorer.model_names == tuple(kind.networks)
    assert explorer.model_names[:2] == ("baseline", OTHER) == tuple(NETWORKS)


@every
def test_after_a_switch_each_control_moves_the_new_model(kind, given):
    explorer = made(kind, given)
    explorer.model_name = OTHER
    fresh = made(kind, given, "separable", **settings_of(explorer))
    for name, card in list(explorer.cards.items()):
        box = card.children[0]
        if name == "model_name" or not box.has_trait("options"):
            continue
        box.value = (box._options_values or box.options)[-1]
        fresh.set(**{name: getattr(explorer, name)})
        assert (explorer.error, plain(explorer.result)) == (fresh.error, plain(fresh.result))


@pytest.mark.parametrize(
    ("kind", "measure"),
    [
        (widgets.CalibrationExplorer, lambda x: x.sweep()),
        (widgets.ClusteringExplorer, lambda x: x.sweep()),
        (widgets.OutlierExplorer, lambda x: x.sweep()),
        (widgets.PruningExplorer, lambda x: x.sweep()),
        (widgets.SearchExplorer, lambda x: x.search(files=5, uniform=5)),
        (widgets.SensitivityExplorer, lambda x: x.lower_harmless()),
        (widgets.SparsitySensitivityExplorer, lambda x: x.scan()),
    ],
)
def test_what_the_jobs_and_downloads_give_is_of_the_new_model(kind, measure, given):
    explorer = made(kind, given)
    measure(explorer)
    explorer.model_name = OTHER
    fresh = made(kind, given, "separable", **settings_of(explorer))
    assert plain(measure(explorer)) == plain(measure(fresh))
    assert plain(explorer.result) == plain(fresh.result)
    for old, new in zip(explorer.actions, fresh.actions, strict=True):
        if hasattr(old, "make"):
            assert old.make() == new.make()


@pytest.mark.parametrize("by", ["control", "trait", "set"])
def test_a_model_that_is_refused_leaves_all_as_it_was_and_says_why(given, by):
    base = qlab.Recipe(overrides={"conv2": {"weight_bits": 4}})
    explorer = made(widgets.SensitivityExplorer, given, base=base)
    explorer.layer_bits = {"dense1": 4}
    result, png, children = explorer.result, explorer.picture.png, explorer._buttons.children
    if by == "control":
        explorer.cards["model_name"].children[0].value = OTHER
    elif by == "trait":
        explorer.model_name = OTHER
    else:
        explorer.set(bits=2, model_name=OTHER)
    assert "conv2" in explorer.error and "conv2" in explorer.alert.value
    assert explorer.model_name == explorer.cards["model_name"].children[0].value == "baseline"
    assert (explorer.bits, explorer.layer_bits) == (3, {"dense1": 4})
    assert explorer.result is result and explorer.picture.png == png
    assert explorer._buttons.children == children and explorer.table in children
    assert "qlab-busy" not in explorer._dom_classes and "progress" not in explorer._status.value
    explorer.table.boxes["conv1"].value = 5
    assert explorer.error == "" and dict(explorer.recipe.overrides)["conv1"]


def test_a_model_that_cannot_be_loaded_leaves_all_as_it_was(given, monkeypatch, tmp_path):
    explorer = made(widgets.FlipGallery, given)
    result, picture = explorer.result, explorer.picture
    monkeypatch.setattr("qlab.tflite.artefacts.folder", lambda: tmp_path)
    explorer.model_name = OTHER
    assert "cannot be read" in explorer.error
    assert (explorer.model_name, explorer.result, explorer.picture) == ("baseline", result, picture)
    monkeypatch.undo()
    explorer.model_name = OTHER
    assert explorer.error == "" and explorer.subject.model.layer("pointwise3")


def test_several_settings_with_the_model_cause_one_update(given):
    explorer = made(widgets.QuantizationExplorer, given)
    explorer.set(weight_bits=4, layer="pointwise3", model_name=OTHER)
    assert explorer.error == "" and len(explorer.trail) == 1
    assert (explorer.layer, explorer.result.recipe.weight_bits) == ("pointwise3", 4)
    trail, result = explorer.trail, explorer.result
    with pytest.raises(traitlets.TraitError, match="pointwise3"):
        explorer.set(weight_bits=2, model_name="baseline", layer="pointwise3")
    assert (explorer.model_name, explorer.weight_bits, explorer.layer) == (OTHER, 4, "pointwise3")
    assert explorer.trail is trail and explorer.result is result
    with pytest.raises(traitlets.TraitError, match="choose one of baseline, depthwise-separable"):
        explorer.model_name = "resnet"


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        (widgets.QuantizationExplorer, "overrides", {"weight_bits": 4}),
        (widgets.SensitivityExplorer, "layer_bits", 4),
        (widgets.SparsitySensitivityExplorer, "layer_sparsity", 0.5),
    ],
)
def test_what_was_set_for_layers_that_are_gone_is_taken_back_in_words(kind, name, values, given):
    explorer = made(kind, given, **{name: dict.fromkeys(("conv1", "conv2", "dense1"), values)})
    explorer.model_name = OTHER
    assert explorer.error == ""
    assert getattr(explorer, name) == {"conv1": values}
    assert "for conv2, dense1 is taken back" in explorer._status.value
    explorer.model_name = "baseline"
    assert explorer._status.value == ""


def test_a_running_job_ends_with_its_model(given):
    explorer = made(widgets.SearchExplorer, given)
    job = explorer.job
    job._steps = steps = iter(job.work())
    assert job._advance(steps) and job.running
    explorer.model_name = OTHER
    assert not job.running and not job._advance(steps)
    assert explorer.job is not job and explorer.job in explorer._buttons.children
    assert {x.method for x in explorer.trials["greedy"]} == set()


def test_your_own_model_comes_first_and_names_do_as_well(given):
    own = qlab.pretrained("baseline-seed1")
    explorer = made(widgets.AnatomyExplorer, given, own)
    assert explorer.model_names == ("your model", "baseline", OTHER)
    assert explorer.subject.model is own
    explorer.model_name = OTHER
    explorer.model_name = "your model"
    assert explorer.subject.model is own
    named = made(widgets.AnatomyExplorer, given, "baseline-seed1")
    assert named.model_names == ("baseline-seed1", "baseline", OTHER)
    assert named.result.model.data == explorer.result.model.data
    for name in ("separable", "separable-seed0", OTHER):
        assert made(widgets.AnatomyExplorer, given, name).model_name == OTHER
    assert made(widgets.AnatomyExplorer, given, model_name=OTHER).model_name == OTHER
    with pytest.raises(ValueError, match="no shipped model is called 'separabel'"):
        made(widgets.AnatomyExplorer, given, "separabel")


def test_shipped_models_are_calibrated_once_for_all_explorers():
    first = widgets.AnatomyExplorer("separable")
    second = widgets.AnatomyExplorer()
    second.model_name = OTHER
    assert second.subject is first.subject
    assert 1 < subjects._shipped.cache_info().maxsize <= 8


def test_the_test_images_are_asked_about_the_new_model(monkeypatch):
    explorer = widgets.QuantizationExplorer(weight_bits=4)
    before, scored = explorer.download, []

    def asked(model, dataset):
        scored.append(model.data)
        yield 0, 1, ""
        return explorer.result.measurement

    monkeypatch.setattr(subjects, "asked", asked)
    explorer.model_name = OTHER
    assert explorer.download is not before
    explorer.download.asking.start()
    wanted = widgets.QuantizationExplorer("separable", weight_bits=4).tflite()[1]
    name, data = explorer.download.press()
    assert scored == [wanted] == [data]
    assert name == "qlab-depthwise-separable-w4-a8-per-channel.tflite"


def test_of_qat_there_is_one_network_and_nothing_to_choose(given):
    explorer = widgets.QatExplorer(**given | {"calibration_images": None})
    assert explorer.model_names == ("baseline",) and "model_name" not in explorer.cards
