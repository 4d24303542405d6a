"""The drop-down of models, in every explorer that takes one."""

import dataclasses

import numpy as np
import pytest

import qlab
from qlab import widgets
from qlab.tflite.artefacts import NETWORKS
from qlab.widgets import ModelExplorer

N = 300
OTHER = "depthwise-separable"
EXPLORERS = [
    widgets.AnatomyExplorer,
    widgets.CalibrationExplorer,
    widgets.ClusteringExplorer,
    widgets.FlipGallery,
    widgets.OutlierExplorer,
    widgets.PruningExplorer,
    widgets.QuantizationExplorer,
    widgets.SearchExplorer,
    widgets.SensitivityExplorer,
    widgets.SparsitySensitivityExplorer,
]
every = pytest.mark.parametrize("kind", EXPLORERS, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def given(fashion):
    few = fashion.validation
    return {
        "images": few.images[:N],
        "labels": few.labels[:N],
        "calibration_images": qlab.data.calibration_images(32),
    }


def made(kind, given, model=None, /, **settings):
    """An explorer of `kind` on few images; a search is asked on the same as it chooses with."""
    if kind is widgets.SearchExplorer:
        given = given | {"test_images": given["images"], "test_labels": given["labels"]}
    return kind(model, **given, **settings)


def plain(value):
    """What can be compared of a result: all but times, which differ from run to run."""
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
        fields = [f.name for f in dataclasses.fields(value) if f.name != "elapsed_ms"]
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
    assert explorer.model_names == ("baseline", OTHER) == tuple(NETWORKS)


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
