"""The explorer of distillation, against teacher and students asked directly."""

import json
import re

import numpy as np
import pytest
import traitlets

import qlab
from qlab.arithmetic.distillation import class_similarity, loss_terms, softened
from qlab.plots.distillation_panels import GridPanel, nearest
from qlab.tflite import artefacts, runtime
from qlab.trials.distillation_scores import Answers, grid, seeds_of, shipped_students
from qlab.widgets.distillation_explorer import TEMPERATURES, DistillationExplorer

N = 400


@pytest.fixture(scope="module")
def test_split():
    return qlab.data.load().test


@pytest.fixture
def explorer(test_split):
    return DistillationExplorer(images=test_split.images[:N], labels=test_split.labels[:N])


def test_answers_are_litert_logits_softened(explorer, test_split):
    explorer.set(temperature=8.0, garment="Coat", example=3)
    result = explorer.result
    assert test_split.labels[result["index"]] == 4
    image = test_split.images[result["index"]][None]
    asked = runtime.logits(qlab.pretrained("teacher"), image)[0]
    np.testing.assert_allclose(result["teacher"], softened(asked, 8.0), atol=1e-5)
    assert explorer._answer.bars[0].get_width() == pytest.approx(result["teacher"][0])
    np.testing.assert_allclose(explorer._answer.student.get_data()[0], result["student"])


def test_examples_come_least_certain_first(explorer):
    tops = []
    for rank in (1, 5, 20):
        explorer.set(temperature=1.0, garment="Pullover", example=rank)
        p = explorer.result["teacher"]
        tops.append(-(p * np.log(p)).sum())
    assert tops == sorted(tops, reverse=True)
    explorer.example = 500  # there are fewer: the last one
    assert explorer.error == "" and explorer.result["teacher"].max() > 0.9


def test_similarity_terms_and_scores_are_those_of_the_files(explorer, test_split):
    images, labels = test_split.images[:N], test_split.labels[:N]
    asked = runtime.logits(qlab.pretrained("teacher"), images)
    explorer.temperature = 2.0
    want = class_similarity(asked, labels, 2.0)
    np.testing.assert_allclose(explorer._similarity.matrix.get_array(), want, atol=1e-6)
    student, count = shipped_students()[0]
    explorer.students = next(k for k, v in explorer._choices.items() if v == (student, count))
    stem = f"distilled-{student}-{count}"
    for arm in ("taught", "plain", "smoothed"):
        direct = [
            qlab.evaluate(qlab.pretrained(n), images, labels) for n in seeds_of(f"{stem}-{arm}")
        ]
        assert [m.correct for m in getattr(explorer.result["arms"], arm)] == [
            m.correct for m in direct
        ]
        assert len(direct) == 5
    answers = runtime.logits(qlab.pretrained(f"{stem}-taught-seed0"), images)
    terms = loss_terms(answers, asked, labels, 2.0, explorer.alpha)
    assert explorer.result["terms"].total == pytest.approx(terms.total, rel=1e-5)
    words = re.sub(r"<[^>]+>", " ", explorer.readout.value)
    assert f"{terms.soft:.3f}" in words and f"{terms.hard:.3f}" in words


def test_without_the_factor_the_pull_fades_and_with_it_it_stays(explorer):
    lines = {name: line.get_data() for name, line in explorer._pulls.lines.items()}
    hot = lines["with T²"][0] >= 8
    with_factor, without = lines["with T²"][1][hot], lines["without T²"][1][hot]
    assert with_factor[-1] / with_factor[0] > 0.6 > without[-1] / without[0]
    np.testing.assert_allclose(without * lines["with T²"][0][hot] ** 2, with_factor, rtol=1e-6)


def test_the_grid_is_the_shipped_one_and_the_frame_follows(explorer):
    found = grid(600)
    assert np.isfinite(found.accuracies).all() and found.accuracies.shape[2] >= 3
    runs = json.loads(artefacts.path("distilled-grid-600.json").read_text())
    one = runs[-1]
    place = found.alphas.index(one["alpha"]), found.temperatures.index(one["temperature"])
    assert one["accuracy"] in found.accuracies[place]
    explorer.set(temperature=found.temperatures[0], alpha=found.alphas[-1])
    assert explorer._heat.here.get_xy() == (-0.5, len(found.alphas) - 1.5)
    assert f"{100 * found.accuracies[-1, 0].mean():.2f} %" in explorer.picture.widget.tooltip
    assert "cached" in explorer.notes.value and "cached" in explorer.numbers.value


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; choose 0.5 to 20"),
        ({"temperature": -1.0}, "choose 0.5 to 20"),
        ({"alpha": 1.5}, "alpha is 1.5; choose 0 to 1"),
        ({"garment": "Hat"}, "choose one of T-shirt/top"),
        ({"example": 0}, "choose 1 to 500"),
        ({"students": "giants"}, "choose one of"),
        ({"T": 4}, "has no setting 'T'"),
    ],
)
def test_a_wrong_setting_is_refused_in_words_and_changes_nothing(explorer, setting, words):
    before = explorer.temperature, explorer.alpha, explorer.garment, explorer.example
    with pytest.raises(traitlets.TraitError, match=re.escape(words)):
        explorer.set(**setting)
    assert (explorer.temperature, explorer.alpha, explorer.garment, explorer.example) == before


def test_controls_are_linked_and_named(explorer):
    controls = explorer.children[1].children
    assert len(controls) == 5
    assert all(card.children[0].description for card in controls)
    slider = controls[0].children[1]
    slider.value = TEMPERATURES[-1]
    assert explorer.temperature == TEMPERATURES[-1]
    assert "temperature 20" in explorer.picture.widget.tooltip


def test_numbers_are_there_as_text(explorer):
    text = explorer.numbers.value
    for name in ("class", "teacher", "student", "labels alone", "label smoothing", "alpha"):
        assert f'<th scope="col">{name}</th>' in text
    assert repr(explorer) == "DistillationExplorer()"


def test_images_without_labels_are_refused(test_split):
    with pytest.raises(ValueError, match="belong together"):
        DistillationExplorer(images=test_split.images[:N])


def test_answers_know_a_missing_class(test_split):
    some = test_split.labels != 3
    answers = Answers(test_split.images[some][:50], test_split.labels[some][:50])
    with pytest.raises(ValueError, match="is of class 3"):
        answers.example(3, 1)


def test_logits_want_a_float_output(test_split):
    with pytest.raises(ValueError, match="answers in int8"):
        runtime.logits(qlab.pretrained("baseline-int8"), test_split.images[:2])


def test_nearest_cell_counts_temperatures_by_their_ratio():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    panel = GridPanel(ax)
    panel.frame((1.0, 4.0, 16.0), (0.1, 0.9), np.full((2, 3, 3), 0.5), "600 labels")
    panel.frame((1.0, 4.0, 16.0), (0.1, 0.9), np.full((2, 3, 3), 0.7), "6,000 labels")
    assert len(ax.texts) == 6 and len(ax.images) == 1
    assert panel.show(7.0, 0.6) == (1, 1) and panel.show(9.0, 0.2) == (0, 2)
    assert nearest([1, 2, 3], 2.2) == 1
    plt.close(figure)
