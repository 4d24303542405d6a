"""The teacher and the students that ship: every claim measured again, from the files."""

import functools
import json

import numpy as np
import pytest

import qlab
from qlab import train
from qlab.tflite import artefacts, runtime
from qlab.tflite.operations import count_operations
from qlab.trials.distillation_scores import grid

SEEDS, ARMS = range(5), ("taught", "plain", "smoothed", "permuted")
FILES = artefacts.manifest()["files"]
SETTINGS = sorted(
    {tuple(x.split("-")[1:3]) for x in FILES if x.startswith("distilled-") and "seed" in x}
)
GRIDS = [x.split("-")[2].removesuffix(".json") for x in FILES if x.startswith("distilled-grid-")]
COMPARISONS = 12  # that notebook 06 makes at once: four settings, three controls


@functools.cache
def score(name, split="test"):
    images = getattr(qlab.data.load(), split)
    return qlab.evaluate(qlab.pretrained(name), images.images, images.labels)


def against(student, labels, control):
    """From a control to the taught students, over all seeds."""
    before, after = (
        [score(f"distilled-{student}-{labels}-{arm}-seed{seed}") for seed in SEEDS]
        for arm in (control, "taught")
    )
    return qlab.compare(before, after, family=COMPARISONS)


def test_the_teacher_is_worth_learning_from():
    assert score("teacher").accuracy >= 0.93
    assert FILES["teacher.tflite"]["bytes"] + FILES["teacher.keras"]["bytes"] < 3_000_000
    epochs = FILES["teacher.tflite"]["recipe"]["epochs"]
    assert len(artefacts.history("teacher")[0]["loss"]) == epochs


def test_keras_and_litert_have_the_same_teacher(fashion):
    model, few = train.load("teacher"), fashion.test.images[:500]
    lite = runtime.logits(qlab.pretrained("teacher"), few)
    found = model(few / np.float32(255), training=False).numpy()
    np.testing.assert_allclose(lite, found, atol=0.05)  # its weights are float16 there
    assert (lite.argmax(axis=1) == found.argmax(axis=1)).mean() > 0.99


@pytest.mark.parametrize("control", ["plain", "permuted"])
def test_with_600_labels_the_larger_student_gains_from_a_teacher_and_its_neighbours(control):
    found = against("20k", 600, control)
    assert found.agree and found.verdict == "better"


@pytest.mark.parametrize("control", ["plain", "permuted"])
def test_with_600_labels_all_seeds_of_the_smallest_gain_but_not_beyond_luck(control):
    found = against("5k", 600, control)
    assert found.agree and found.difference > 0.005 and found.within_noise


@pytest.mark.parametrize("student", ["5k", "20k"])
def test_with_600_labels_luck_may_explain_what_a_teacher_has_over_label_smoothing(student):
    found = against(student, 600, "smoothed")
    assert found.difference > 0 and found.within_noise


@pytest.mark.parametrize("labels", [6_000, 50_000])
@pytest.mark.parametrize("control", ARMS[1:])
def test_with_more_labels_a_teacher_neither_helps_nor_harms_beyond_luck(control, labels):
    found = against("5k", labels, control)
    assert found.within_noise and abs(found.difference) < 0.005


@pytest.mark.parametrize(("student", "labels"), SETTINGS)
def test_each_student_has_its_controls_and_the_manifests_numbers(student, labels):
    for seed in SEEDS:
        names = [f"distilled-{student}-{labels}-{arm}-seed{seed}.tflite" for arm in ARMS]
        taught = FILES[names[0]]
        assert taught["controls"] == names[1:] and taught["teacher"] == "teacher.tflite"
        for name in names:
            entry = FILES[name]
            assert (entry["recipe"], entry["trainings"]) == (taught["recipe"], taught["trainings"])
            for split in ("validation", "test"):
                again = score(name.removesuffix(".tflite"), split)
                assert abs(again.correct - entry[split]["correct"]) <= 5
        settings = [(FILES[name]["temperature"], FILES[name]["alpha"]) for name in names]
        found = grid(int(labels))
        smoothed = 1.0, found.strength
        assert settings == [found.chosen, (1.0, 0.0), smoothed, found.chosen]


@pytest.mark.parametrize(("student", "weights"), [("5k", 5_001), ("20k", 19_740)])
def test_students_have_the_weights_that_their_names_say(student, weights):
    model = qlab.pretrained(f"distilled-{student}-600-taught-seed0")
    assert (
        sum(x.weights.size + x.bias.size for x in model.layers if x.weights is not None) == weights
    )


@pytest.mark.parametrize("student", ["5k", "20k"])
def test_students_work_less_than_the_baseline(student):
    names = "baseline", f"distilled-{student}-600-taught-seed0"
    baseline, ours = (
        sum(x.macs for x in count_operations(qlab.pretrained(name))) for name in names
    )
    assert ours < 0.9 * baseline


@pytest.mark.parametrize("labels", GRIDS)
def test_the_grid_is_whole_and_its_chosen_cell_is_the_shipped_students(labels):
    kept = json.loads(artefacts.path(f"distilled-grid-{labels}.json").read_text())
    for runs, arm in ((kept["runs"], "taught"), (kept["smoothing"], "smoothed")):
        keys = {(run["temperature"], run["alpha"], run["seed"]) for run in runs}
        temperatures, alphas, seeds = (sorted({key[i] for key in keys}) for i in range(3))
        assert len(keys) == len(runs) == len(temperatures) * len(alphas) * len(seeds)
        assert len(alphas) >= 3 and len(seeds) >= 3
        assert len(temperatures) >= 5 or arm == "smoothed"
        chosen = kept["chosen" if arm == "taught" else "smoothed"]
        again = [x for x in runs if all(x[key] == value for key, value in chosen.items())]
        assert {x["seed"] for x in again} == set(seeds)
        for run in again:
            shipped = FILES[f"distilled-5k-{labels}-{arm}-seed{run['seed']}.tflite"]
            assert abs(run["correct"] - shipped["validation"]["correct"]) <= 5


def test_there_is_a_grid_for_each_number_of_labels():
    assert set(GRIDS) == {labels for _, labels in SETTINGS} == {"600", "6000", "50000"}


def test_the_teachers_logits_come_out_again():
    logits = train.teacher_logits(range(300), progress=False)
    split = qlab.data.load().train
    again = runtime.logits(qlab.pretrained("teacher"), split.images[:300])
    np.testing.assert_allclose(logits, again, atol=1e-3)
    assert (logits.argmax(axis=1) == split.labels[:300]).mean() > 0.93
