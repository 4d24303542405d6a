"""The flip gallery, driven by its traits and checked against predictions made here."""

import re

import numpy as np
import pytest
import traitlets

import qlab
from qlab.plots.answer_panels import GalleryPanel
from qlab.trials.flips import KINDS, commonest_change, flip_kinds
from qlab.widgets.flip_gallery import FlipGallery

N = 1500


@pytest.fixture(scope="module")
def data(fashion):
    return fashion.test.images[:N], fashion.test.labels[:N], fashion.test.images[N : N + 32]


@pytest.fixture
def gallery(data):
    return FlipGallery(None, *data)


def answers(data, weight_bits, activation_bits=8):
    """Both models' answers, without the gallery."""
    model = qlab.pretrained("baseline")
    recipe = qlab.Recipe(weight_bits, activation_bits, calibration_size=32)
    compressed = qlab.Compressor(model, data[2]).compress(recipe)
    return qlab.predict(model, data[0]), qlab.predict(compressed, data[0])


def test_opens_without_arguments_on_the_baseline(fashion):
    gallery = FlipGallery()
    assert gallery.result.measurement.n == len(fashion.test)
    assert gallery.class_names == fashion.class_names
    assert len(gallery.result.shown) == 24
    assert repr(gallery) == "FlipGallery()"


@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (3, 8), (2, 2), (8, 2)])
def test_counts_are_those_of_the_two_models(gallery, data, weight_bits, activation_bits):
    gallery.set(weight_bits=weight_bits, activation_bits=activation_bits)
    before, after = answers(data, weight_bits, activation_bits)
    labels, result = data[1], gallery.result
    for k in range(10):
        of = labels == k
        assert result.newly_wrong[k] == sum(of & (before == k) & (after != k))
        assert result.newly_right[k] == sum(of & (before != k) & (after == k))
    assert result.newly_wrong.sum() == result.comparison.only_a
    assert result.newly_right.sum() == result.comparison.only_b
    np.testing.assert_array_equal(result.matching, np.flatnonzero(before != after))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garment", ["all", "Shirt", "Trouser"])
def test_filters(gallery, data, kind, garment):
    gallery.set(weight_bits=3, kind=kind, of_class=garment)
    before, after = answers(data, 3)
    labels = data[1]
    wanted = {
        "all": before != after,
        "newly wrong": (before == labels) & (after != labels),
        "newly right": (before != labels) & (after == labels),
        "wrong either way": (before != labels) & (after != labels) & (before != after),
    }[kind]
    if garment != "all":
        wanted = wanted & (labels == gallery.class_names.index(garment))
    np.testing.assert_array_equal(gallery.result.matching, np.flatnonzero(wanted))
    np.testing.assert_array_equal(gallery.result.shown, np.flatnonzero(wanted)[:24])
    assert f"{len(gallery.result.shown)} of {wanted.sum():,} shown" in gallery.readout.value


def test_filters_alone_do_not_score_again(gallery):
    measured = gallery.result.measurement
    gallery.set(kind="newly wrong", of_class="Coat")
    assert gallery.result.measurement is measured
    gallery.weight_bits = 8
    assert gallery.result.measurement is not measured


def test_the_gallery_says_what_the_result_says(gallery, data):
    """Each garment: its class, then both answers, each with a mark and not by colour alone."""
    gallery.set(weight_bits=3)
    written = [what for what, *_ in gallery._gallery.sheet.items if isinstance(what, str)]
    names, result = gallery.class_names, gallery.result
    assert len(written) == 3 * len(result.shown)
    for i, (what, old, new) in zip(
        result.shown, zip(*[iter(written)] * 3, strict=True), strict=True
    ):
        label, before, after = data[1][i], result.before[i], result.after[i]
        assert what == names[label]
        assert old == f"{'✓' if before == label else '✗'} {names[before]}"
        assert new == f"→ {'✓' if after == label else '✗'} {names[after]}"


def test_tables_hold_counts_and_garments(gallery):
    gallery.set(weight_bits=2)
    first, second = re.findall(r"<table>.*?</table>", gallery.tables())
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", first)[1:]]
    assert [int(row[1]) for row in rows] == gallery.result.newly_wrong.tolist()
    assert [int(row[2]) for row in rows] == gallery.result.newly_right.tolist()
    assert second.count("<tr>") == 1 + len(gallery.result.shown)
    assert f"{gallery.result.comparison.only_a:,} newly wrong" in gallery.picture.alt


def test_nothing_changed_is_said(gallery):
    gallery.set(weight_bits=32, activation_bits=32)
    assert len(gallery.result.shown) == 0
    assert "Every answer is the float model's" in gallery.notes.value
    assert [what for what, *_ in gallery._gallery.sheet.items] == ["No answer changed."]
    gallery.set(kind="newly right", of_class="Bag")
    assert gallery._gallery.sheet.items[0][0] == "No answer is newly right among Bag."


def test_the_picture_changes_with_bits_and_with_filters(gallery):
    seen = {gallery.picture.png}
    gallery.weight_bits = 2
    seen.add(gallery.picture.png)
    gallery.kind = "newly right"
    seen.add(gallery.picture.png)
    gallery.of_class = "Shirt"
    seen.add(gallery.picture.png)
    assert len(seen) == 4


def test_a_control_moves_setting_and_result(gallery):
    gallery.cards["of_class"].children[0].value = "Dress"
    assert gallery.of_class == "Dress"
    assert set(gallery.result.measurement.labels[gallery.result.shown].tolist()) == {3}


def test_wrong_settings_are_refused_and_nothing_changes(gallery):
    before = gallery.result
    with pytest.raises(traitlets.TraitError, match="choose one of all, T-shirt/top"):
        gallery.of_class = "Hat"
    with pytest.raises(traitlets.TraitError):
        gallery.kind = "sideways"
    assert (gallery.of_class, gallery.kind, gallery.result) == ("all", "all", before)


def test_class_names_of_a_learner(data):
    own = FlipGallery(None, *data, class_names=[f"kind of thing {i}" for i in range(10)])
    own.of_class = "kind of thing 6"
    assert set(data[1][own.result.shown].tolist()) <= {6}
    assert any(str(what).endswith("…") for what, *_ in own._gallery.sheet.items)
    with pytest.raises(ValueError, match="3 class names for 10 classes"):
        FlipGallery(None, *data, class_names=["a", "b", "c"])


def test_float_images_show_like_the_same_pixels(data):
    scaled = FlipGallery(
        None, (data[0] / 255).astype(np.float32), data[1], (data[2] / 255).astype(np.float32)
    )
    plain = FlipGallery(None, *data)
    np.testing.assert_array_equal(scaled.result.shown, plain.result.shown)
    first, second = (x._gallery.sheet.items[0][0] for x in (scaled, plain))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_flip_kinds_cover_every_pair():
    labels = np.zeros(9, int)
    before, after = np.divmod(np.arange(9), 3)
    assert flip_kinds(labels, before, after).tolist() == [0, 1, 1, 2, 0, 3, 2, 3, 0]


def test_commonest_change():
    assert commonest_change([1, 1, 2, 2], [3, 3, 0, 0]) == ((1, 3), 2)
    with pytest.raises(ValueError, match="no answer changed"):
        commonest_change([1, 2], [1, 2])


def test_at_most_24_fit():
    assert GalleryPanel.capacity == 24
