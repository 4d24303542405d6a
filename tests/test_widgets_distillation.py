"""The explorer of distillation, against teacher and students asked directly."""

import json
import re

import numpy as np
import pytest
import traitlets

import qlab
from qlab.arithmetic.distillation import class_similarity, loss_terms, permuted, softened
from qlab.plots.distillation_panels import GridPanel, nearest
from qlab.tflite import artefacts, runtime
from qlab.trials.distillation_scores import Answers, Grid, grid, seeds_of, shipped_students
from qlab.widgets.distillation_explorer import TEMPERATURES, DistillationExplorer

N = 400


@pytest.fixture(scope="module")
def some():
    return qlab.data.load().validation


@pytest.fixture
def explorer(some):
    return DistillationExplorer(images=some.images[:N], labels=some.labels[:N])


def test_answers_are_litert_logits_softened(explorer, some):
    explorer.set(temperature=8.0, garment="Coat", example=3)
    result = explorer.result
    assert some.labels[result["index"]] == 4
    image = some.images[result["index"]][None]
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


def test_similarity_terms_and_scores_are_those_of_the_files(explorer, some):
    images, labels = some.images[:N], some.labels[:N]
    asked = runtime.logits(qlab.pretrained("teacher"), images)
    explorer.temperature = 2.0
    want = class_similarity(asked, labels, 2.0)
    np.testing.assert_allclose(explorer._similarity.matrix.get_array(), want, atol=1e-6)
    student, count = shipped_students()[0]
    explorer.students = next(k for k, v in explorer._choices.items() if v == (student, count))
    stem = f"distilled-{student}-{count}"
    for arm, scores in explorer.result["arms"].scores.items():
        direct = [
            qlab.evaluate(qlab.pretrained(n), images, labels) for n in seeds_of(f"{stem}-{arm}")
        ]
        assert [m.correct for m in scores] == [m.correct for m in direct]
        assert len(direct) == 5
    answers = runtime.logits(qlab.pretrained(f"{stem}-taught-seed0"), images)
    terms = loss_terms(answers, asked, labels, 2.0, explorer.alpha)
    assert explorer.result["terms"].total == pytest.approx(terms.total, rel=1e-5)
    words = re.sub(r"<[^>]+>", " ", explorer.readout.value)
    assert f"{terms.soft:.3f}" in words and f"{terms.hard:.3f}" in words


@pytest.mark.parametrize("arm", ["plain", "smoothed", "permuted"])
def test_each_arm_can_be_shown_and_a_permuted_student_beside_its_own_teacher(explorer, some, arm):
    explorer.set(arm=arm, temperature=2.0, example=1)
    result, images, labels = explorer.result, some.images[:N], some.labels[:N]
    student = seeds_of("-".join(("distilled", *map(str, shipped_students()[0]), arm)))[0]
    answers = runtime.logits(qlab.pretrained(student), images)
    np.testing.assert_allclose(result["student"], softened(answers[result["index"]], 2.0))
    teacher = runtime.logits(qlab.pretrained("teacher"), images)
    teacher = permuted(teacher) if arm == "permuted" else teacher
    np.testing.assert_allclose(result["teacher"], softened(teacher[result["index"]], 2.0))
    np.testing.assert_allclose(result["similarity"], class_similarity(teacher, labels, 2.0))
    terms = loss_terms(answers, teacher, labels, 2.0, explorer.alpha)
    assert result["terms"].total == pytest.approx(terms.total, rel=1e-5)
    assert ("shuffled" in explorer.notes.value) == (arm == "permuted")
    drawn = explorer._pulls.lines["with T²"].get_data()
    at = np.interp(np.log(2.0), np.log(drawn[0]), drawn[1])
    assert at == pytest.approx(terms.gradient_sizes["soft"], rel=0.02)


def test_temperature_and_alpha_begin_where_the_files_say_the_students_learned(some):
    for student, labels in shipped_students():
        found = grid(labels)
        taught = artefacts.manifest()["files"][f"distilled-{student}-{labels}-taught-seed0.tflite"]
        assert found.chosen == (taught["temperature"], taught["alpha"])
    few = some.images[:N], some.labels[:N]
    explorer, first = DistillationExplorer(*few), grid(shipped_students()[0][1])
    assert (explorer.temperature, explorer.alpha) == first.chosen
    words = f"temperature {first.chosen[0]:g} and alpha {first.chosen[1]:g}"
    assert words in explorer.notes.value


def test_without_the_factor_the_pull_fades_and_with_it_it_stays(explorer):
    lines = {name: line.get_data() for name, line in explorer._pulls.lines.items()}
    hot = lines["with T²"][0] >= 8
    with_factor, without = lines["with T²"][1][hot], lines["without T²"][1][hot]
    assert with_factor[-1] / with_factor[0] > 0.6 > without[-1] / without[0]
    np.testing.assert_allclose(without * lines["with T²"][0][hot] ** 2, with_factor, rtol=1e-6)


def test_the_grid_is_the_shipped_one_and_the_frame_follows(explorer):
    labels = shipped_students()[0][1]
    found = explorer.result["grid"]
    assert np.isfinite(found.accuracies).all() and found.accuracies.shape[2] >= 3
    kept = json.loads(artefacts.path(f"distilled-grid-{labels}.json").read_text())
    one = kept["runs"][-1]
    place = found.alphas.index(one["alpha"]), found.temperatures.index(one["temperature"])
    assert one["accuracy"] in found.accuracies[place]
    i, j = found.alphas.index(found.chosen[1]), found.temperatures.index(found.chosen[0])
    assert found.accuracies[i, j].mean() == found.accuracies.mean(axis=-1).max()
    assert found.strengths[found.strength] == max(found.strengths.values())
    box = explorer._heat.chosen.get_bbox()
    assert ((box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2) == pytest.approx((i, j))
    explorer.set(temperature=found.temperatures[0], alpha=found.alphas[-1])
    assert explorer._heat.here.get_xy() == (-0.5, len(found.alphas) - 1.5)
    assert f"{100 * found.accuracies[-1, 0].mean():.2f} %" in explorer.picture.alt
    assert "cached" in explorer.notes.value and "cached" in explorer.tables()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; choose 0.5 to 20"),
        ({"temperature": -1.0}, "choose 0.5 to 20"),
        ({"alpha": 1.5}, "alpha is 1.5; choose 0 to 1"),
        ({"garment": "Hat"}, "choose one of T-shirt/top"),
        ({"example": 0}, "choose 1 to 500"),
        ({"students": "giants"}, "choose one of"),
        ({"arm": "shuffled"}, "permuted"),
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
    (seldom,) = (x for x in explorer.children if "qlab-more" in x._dom_classes)
    assert all(card.children[0].description for card in (*controls, *seldom.children))
    assert seldom.children == (explorer.cards["example"],)
    slider = controls[0].children[1]
    slider.value = TEMPERATURES[-1]
    assert explorer.temperature == TEMPERATURES[-1]
    assert "temperature 20" in explorer.picture.alt


def test_numbers_are_there_as_text(explorer):
    text = explorer.tables()
    arms = "taught", "labels alone", "label smoothing", "permuted teacher"
    for name in ("class", "teacher", "student", *arms, "alpha", "strength"):
        assert f'<th scope="col">{name}</th>' in text
    assert repr(explorer) == "DistillationExplorer()"


def test_images_without_labels_are_refused(some):
    with pytest.raises(ValueError, match="belong together"):
        DistillationExplorer(images=some.images[:N])


def test_answers_know_a_missing_class(some):
    others = some.labels != 3
    answers = Answers(some.images[others][:50], some.labels[others][:50])
    with pytest.raises(ValueError, match="is of class 3"):
        answers.example(3, 1)


def test_logits_want_a_float_output(some):
    with pytest.raises(ValueError, match="answers in int8"):
        runtime.logits(qlab.pretrained("baseline-int8"), some.images[:2])


def test_nearest_cell_counts_temperatures_by_their_ratio():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    panel = GridPanel(ax)
    for labels, accuracy in ((600, 0.5), (6_000, 0.7)):
        table = [1.0, 4.0, 16.0], [0.1, 0.9], np.full((2, 3, 3), accuracy)
        panel.frame(Grid("5k", labels, *table, (4.0, 0.9), {0.1: accuracy}, 0.1))
    assert len(ax.texts) == 6 and len(ax.images) == 1
    assert panel.show(7.0, 0.6) == (1, 1) and panel.show(9.0, 0.2) == (0, 2)
    assert nearest([1, 2, 3], 2.2) == 1
    plt.close(figure)


def test_a_grid_that_does_not_ship_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"no grid is of 7 labels; there are [\d,]+"):
        grid(7)
