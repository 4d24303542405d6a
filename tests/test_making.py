"""What ships is made anew: runs that resume, refuse to mix, log what they did, and are whole."""

import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

import qlab
from qlab import data, train
from qlab.data.fashion_mnist import validation_indices
from qlab.tflite import artefacts, runtime
from tools.artefacts import case_study, common, distilled_files, pruned_files, table
from tools.artefacts import run as making
from tools.artefacts.runs import Run, Workshop, digest

REPOSITORY = Path(__file__).parents[1]
RUNS = making.all_runs()
N = 256  # images to train with here: two batches
SHORT = {  # of a recipe's epochs, here
    "chain-seed0": {"epochs": [12, 1, 1]},  # the first pruning comes after ten steps
    "chain-control-seed0": {"epochs": [12, 1, 1]},
    "chain-int4-control-seed0": {"epochs": [12, 2]},
    "teacher": {"epochs": 2, "precision": "float32"},
    "conversions": {},
    "teacher-logits": {},
    "qat-2-bits-2-seed0": {"stages": [[4, 1], [2, 1]]},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, fashion):
    """A workshop where recipes run for an epoch or two on few images; it makes what is asked."""
    parts = {
        "train": data.Split(fashion.train.images[:N], fashion.train.labels[:N]),
        "validation": data.Split(fashion.validation.images[:100], fashion.validation.labels[:100]),
        "test": data.Split(fashion.test.images[:100], fashion.test.labels[:100]),
    }
    folder = tmp_path_factory.mktemp("workshop")

    def made(name):
        for need in () if name.startswith("distilled-grid") else RUNS[name].needs:
            made(need)
        if making.state(folder, name) is None:
            run = RUNS[name]
            short = SHORT.get(name, {"epochs": 1})
            making.make(dataclasses.replace(run, recipe=run.recipe | short), "", folder)
        return making.state(folder, name)["files"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common.data, "load", lambda: types.SimpleNamespace(**parts))
        yield types.SimpleNamespace(made=made, folder=folder)


def content(shop, run, name):
    return (shop.folder / run / name).read_bytes()


# What runs there are


def test_no_run_needs_a_later_one_and_every_recipe_is_plain_json():
    seen = set()
    for name, run in RUNS.items():
        assert name == run.name and seen >= set(run.needs)
        assert json.loads(json.dumps(run.recipe)) == run.recipe | {
            key: [list(x) if isinstance(x, tuple) else x for x in value]
            for key, value in run.recipe.items()
            if isinstance(value, list | tuple)
        }
        seen.add(name)


def test_every_technique_starts_from_the_baseline_of_its_own_seed():
    for name, run in RUNS.items():
        family = name.split("-")[0]
        if family in ("qat", "pruned", "clustered", "chain", "longer") and "seed" in name:
            seed = run.recipe["seed"]
            assert name.endswith(f"seed{seed}")
            wanted = () if name.startswith("pruned-scratch") else (f"baseline-seed{seed}",)
            assert run.needs == wanted


def test_a_recipe_or_one_that_it_needs_changes_the_digest():
    before = making.digests(RUNS)
    first = RUNS["baseline-seed0"]
    longer = dataclasses.replace(first, recipe=first.recipe | {"epochs": 11})
    after = making.digests(RUNS | {"baseline-seed0": longer})
    changed = {name for name in RUNS if before[name] != after[name]}
    assert {"baseline-seed0", "qat-w4-seed0", "chain-seed0", "qat-2-bits", "search"} <= changed
    assert not {"baseline-seed1", "qat-w4-seed1", "teacher", "pruned-scratch-seed0"} & changed


# What they do


def test_the_case_study_is_run_as_printed_with_its_control(shop, monkeypatch):
    for part in case_study.PARTS:
        monkeypatch.setitem(RUNS, f"case-study-{part}-seed0", case_study.part_run(part, 0))
    parts = {
        part: json.loads(content(shop, f"case-study-{part}-seed0", "found.json"))
        for part in case_study.PARTS
        if shop.made(f"case-study-{part}-seed0")
    }
    labels = common.pair("test")[1]
    for part, found in parts.items():
        assert found["log"]["images"] == N + 100 and found["log"]["steps"] == -(-(N + 100) // 32)
        digits = np.array(list(map(int, found["answers"])))
        assert np.mean(digits == labels) == pytest.approx(found["test"]["accuracy"]), part
        assert set(found["history"]) >= {"loss", "validation_loss"}
    sizes = [{k: x["bytes"] for k, x in parts[p]["files"].items()} for p in ("float", "aware")]
    assert all(size["DEFAULT"] < 0.35 * size["float32"] for size in sizes)
    assert sizes[0]["float32"] == pytest.approx(306_000, rel=0.02)
    assert parts["aware"]["log"] == parts["longer"]["log"]  # as many steps, in the same order


def test_the_case_study_learns_from_all_published_pictures_in_their_order(fashion, monkeypatch):
    monkeypatch.setattr(common.data, "load", lambda: fashion)
    images, labels = case_study._as_published()
    published = data.fashion_mnist._read_split("train")
    assert np.array_equal(images, published.images[..., 0])
    assert np.array_equal(labels, published.labels)


SAME = ("epochs", "steps", "images", "images_sha256", "order_seed", "learning_rates_sha256")


def done(entry):
    """What a file's trainings did, one after the other: all that a control must have too."""
    return [[log[fact] for fact in SAME] for log in entry["trainings"]]


@pytest.mark.parametrize(
    ("run", "file", "control"),
    [
        ("qat-w4-seed0", "qat-w4-seed0", "qat-control-seed0"),
        ("pruned-2of4-seed0", "pruned-2of4-seed0", "pruned-control-seed0"),
        ("clustered-8-seed0", "clustered-8-seed0", "pruned-control-seed0"),
        ("chain-seed0", "chain-int8-seed0", "chain-control-seed0"),
        ("chain-seed0", "chain-naive-int8-seed0", "chain-control-seed0"),
        ("chain-seed0", "chain-int4-seed0", "chain-int4-control-seed0"),
    ],
)
def test_a_control_did_step_by_step_what_its_model_did(shop, run, file, control):
    entry = shop.made(run)[f"{file}.tflite"]
    assert entry["control"] == f"{control}.tflite"
    other = shop.made(control)[f"{control}.tflite"]
    assert done(entry) == done(other) and "float control" in other["role"]
    assert content(shop, run, f"{file}.tflite") != content(shop, control, f"{control}.tflite")


def test_a_log_says_what_was_done_and_not_what_was_planned(shop):
    (log,) = shop.made("pruned-control-seed0")["pruned-control-seed0.tflite"]["trainings"]
    assert (log["epochs"], log["steps"], log["images"], log["optimizer"]) == (1, 2, N, "Adam")
    assert [float(x) for x in log["learning_rates"]] == pytest.approx([2e-3, 1e-3])  # of 2 steps
    (log,) = shop.made("baseline-seed0")["baseline.tflite"]["trainings"]
    assert [float(x) for x in log["learning_rates"]] == pytest.approx([1e-3, 1e-3])
    images, labels = common.pair("train")
    assert log["images_sha256"] == digest(images, labels.astype("<i8"))


def test_the_narrow_control_was_trained_as_long_as_wide_and_narrow_together(shop):
    logs = shop.made("pruned-scratch-seed0")["pruned-scratch-seed0.tflite"]["trainings"]
    assert [log["epochs"] for log in logs] == [pruned_files.BASELINE["epochs"], 1]


def test_the_same_run_makes_the_same_bytes(shop, tmp_path):
    shop.made("qat-w4-seed0")
    shutil.copytree(shop.folder / "baseline-seed0", tmp_path / "baseline-seed0")
    run = RUNS["qat-w4-seed0"]
    making.make(dataclasses.replace(run, recipe=run.recipe | {"epochs": 1}), "", tmp_path)
    for name in ("qat-w4-seed0.tflite", "qat-w4-seed0.keras"):
        assert (tmp_path / run.name / name).read_bytes() == content(shop, run.name, name)


def test_a_keras_file_does_not_say_when_it_was_written():
    model = train.student("5k")
    first, second = common.keras_bytes(model), common.keras_bytes(model)
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as file:
        assert {x.date_time[0] for x in file.infolist()} == {1980}


def test_conversions_are_the_converters_other_four_modes(shop):
    made = shop.made("conversions")
    assert {entry["mode"] for entry in made.values()} == set(train.MODES[1:])
    for name, entry in made.items():
        assert entry["bytes"] == artefacts.manifest()["files"][name]["bytes"]


def test_the_network_for_digits_is_made_in_keras_3_and_the_same_each_time(shop, tmp_path):
    made = shop.made("digits")
    assert list(made) == ["digits.tflite", "digits-int8.tflite"]
    known = artefacts.manifest()["files"]
    assert {name: made[name]["bytes"] for name in made} == {n: known[n]["bytes"] for n in made}
    (log,) = made["digits.tflite"]["trainings"]
    assert (log["epochs"], log["steps"], log["images"]) == (1, 34, 1079)
    assert made["digits.tflite"]["dataset"] == "digits"
    run = RUNS["digits"]
    making.make(dataclasses.replace(run, recipe=run.recipe | {"epochs": 1}), "", tmp_path)
    for name in made:
        assert (tmp_path / "digits" / name).read_bytes() == content(shop, "digits", name)


def test_what_helps_at_two_bits_is_trained_in_stages(shop):
    shop.made("qat-2-bits-2-seed0")
    found = json.loads(content(shop, "qat-2-bits-2-seed0", "qat-2-bits-seed0.json"))
    assert [log["order_seed"] for log in found["trainings"]] == [0, 100]
    assert found["validation"]["n"] == found["test"]["n"] == 100


# Teacher and students


def test_the_teacher_goes_on_where_it_was_interrupted(shop, monkeypatch):
    class Stop(train.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    whole = train.fit_teacher
    monkeypatch.setattr(
        train, "fit_teacher",
        lambda *a, callbacks=(), **k: whole(*a, callbacks=[*callbacks, Stop()], **k),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        shop.made("teacher")
    assert making.state(shop.folder, "teacher") is None
    monkeypatch.undo()
    entry = shop.made("teacher")["teacher.tflite"]
    (log,) = entry["trainings"]
    assert (log["epochs"], log["steps"]) == (2, 4)
    assert sorted(entry["history"]) == sorted(
        ("loss", "accuracy", "validation_loss", "validation_accuracy")
    )
    assert {len(values) for values in entry["history"].values()} == {2}


@pytest.fixture(scope="module")
def grids(shop):
    """A grid of a few students, taught by the tiny teacher."""
    shop.made("teacher-logits")
    few = {"epochs": 2, "seeds": [0, 1]}
    rows = [
        ("distilled-grid-600-t2", {**few, "alphas": [0.5, 1.0]}),
        ("distilled-grid-600-smoothed", {**few, "alphas": [0.1]}),
    ]
    for name, short in rows:
        run = RUNS[name]
        making.make(dataclasses.replace(run, recipe=run.recipe | short), "", shop.folder)
    run = RUNS["distilled-grid-600"]
    short = {"rows": [["distilled-grid-600-t2", "taught-2.json"]]}
    making.make(dataclasses.replace(run, recipe=run.recipe | short), "", shop.folder)
    return json.loads(content(shop, run.name, "distilled-grid-600.json"))


def test_temperature_and_alpha_are_chosen_by_validation_images(grids):
    assert [(x["temperature"], x["alpha"], x["seed"]) for x in grids["runs"]] == [
        (2.0, alpha, seed) for alpha in (0.5, 1.0) for seed in (0, 1)
    ]
    assert {x["n"] for x in grids["runs"]} == {100}
    assert grids["smoothed"] == {"temperature": 1.0, "alpha": 0.1}
    right = {a: sum(x["correct"] for x in grids["runs"] if x["alpha"] == a) for a in (0.5, 1.0)}
    assert right[grids["chosen"]["alpha"]] == max(right.values())


def test_of_equal_settings_the_first_is_chosen():
    runs = [{"temperature": t, "alpha": 0.5, "correct": c} for t, c in ((4, 9), (2, 9), (1, 8))]
    assert distilled_files.best(runs) == {"temperature": 4, "alpha": 0.5}


def test_a_student_and_its_controls_differ_in_what_teaches_them_alone(shop, grids):
    made = shop.made("distilled-5k-600-seed0")
    assert {entry["arm"] for entry in made.values()} == set(distilled_files.ARMS)
    assert len({entry["sha256"] for entry in made.values()}) == 4
    assert len({json.dumps(done(entry)) for entry in made.values()}) == 1
    taught = made["distilled-5k-600-taught-seed0.tflite"]
    assert set(taught["controls"]) == set(made) - {"distilled-5k-600-taught-seed0.tflite"}
    assert {"temperature": taught["temperature"], "alpha": taught["alpha"]} == grids["chosen"]


def test_a_student_is_trained_as_its_recipe_says(shop):
    shop.made("teacher-logits")
    images, labels = common.pair("train")
    settings = {"temperature": 2.0, "alpha": 0.5}
    training = {"epochs": 2, **distilled_files.TRAINING}
    workshop = Workshop(shop.folder)
    model, _ = distilled_files.trained(workshop, "5k", 64, "taught", 3, settings, **training)
    some = distilled_files.chosen(N, 64, 3)
    teacher = qlab.LiteModel(content(shop, "teacher", "teacher.tflite"))
    answers = runtime.logits(teacher, images)[some]
    ours = train.student("5k", 3)
    train.distil(
        ours, answers, images[some], labels[some], **settings, **training, seed=3, progress=False
    )
    for a, b in zip(ours.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_permuted_teacher_is_as_confident_and_knows_no_neighbours():
    answers = np.random.default_rng(0).normal(0, 3, (2000, 10)).astype(np.float32)
    answers[:, 3] += np.float32(4)  # class 3 is everybody's neighbour
    found = distilled_files.permuted(answers, 5)
    np.testing.assert_array_equal(np.sort(found), np.sort(answers))
    np.testing.assert_array_equal(found.argmax(axis=1), answers.argmax(axis=1))
    other = answers.argmax(axis=1) != 3
    assert answers[other, 3].mean() > found[other, 3].mean() + 2
    np.testing.assert_array_equal(found, distilled_files.permuted(answers, 5))
    assert (found != distilled_files.permuted(answers, 6)).any()


# Runs in processes of their own. They do not train: what is tested is who does what, and when.


FAKE = """
import sys, time
from pathlib import Path
from tools.artefacts import run as making
from tools.artefacts.runs import Run

def write(workshop, text, seconds=0, **more):
    time.sleep(seconds)
    if text == "fail":
        raise ValueError("this one fails")
    yield f"{text}.json", text.encode(), {}

RUNS = {runs}
making.all_runs = lambda: {run.name: run for run in RUNS}
making.__spec__ = type("Spec", (), {"name": "fake"})
if __name__ == "__main__":
    sys.exit(making.main())
"""


@pytest.fixture
def fake(tmp_path):
    """Start the command with made-up runs; returns the function that does."""

    def start(*arguments, runs):
        source = FAKE.replace("{runs}", f"[{', '.join(runs)}]")
        (tmp_path / "fake.py").write_text(textwrap.dedent(source))
        paths = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
        return subprocess.Popen(
            [sys.executable, "-m", "fake", "--folder", str(tmp_path / "made"), *arguments],
            env={**os.environ, "PYTHONPATH": paths}, text=True, cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def told(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


A, B = "Run('a', write, {'text': 'a'})", "Run('b', write, {'text': 'b'}, ('a',))"


def test_what_is_done_is_kept_and_another_recipe_is_not_mixed_with_it(fake, tmp_path):
    code, out, err = told(fake("--no-ship", runs=[A, B.replace("'b'}", "'fail'}")]))
    assert (code, "this one fails" in err, "not made: b" in err) == (1, True, True)
    assert "1 of 2: a done" in out and not (tmp_path / "made" / "b").exists()
    made = (tmp_path / "made" / "a" / "run.json").stat().st_mtime_ns

    code, out, _ = told(fake("--no-ship", runs=[A, B]))
    assert code == 0 and "1 of 2 runs are done" in out and "2 of 2: b done" in out
    assert (tmp_path / "made" / "a" / "run.json").stat().st_mtime_ns == made

    other = A.replace("'a'}", "'other'}")
    code, out, err = told(fake("--no-ship", runs=[other, B]))
    assert code == 1 and "2 runs in" in err and "made by another recipe" in err and "a, b" in err
    assert not (tmp_path / "made" / "a" / "other.json").exists()
    code, out, _ = told(fake("--no-ship", "--again", runs=[other, B]))
    assert code == 0 and (tmp_path / "made" / "a" / "other.json").exists()


def test_two_at_once_and_an_end_that_leaves_no_process(fake, tmp_path):
    slow = "Run('slow', write, {'text': 'slow', 'seconds': 600})"
    first = fake("--no-ship", runs=[slow])
    assert "0 of 1 runs are done" in first.stdout.readline()
    code, _, err = told(fake("--no-ship", runs=[slow]))
    assert code == 1 and "another training is at work" in err
    children = wait_for(lambda: child_processes(first.pid))
    first.send_signal(signal.SIGTERM)
    code, _, err = told(first)
    assert code == 130 and "the same command goes on" in err
    assert not [x for x in children if Path(f"/proc/{x}").exists()]
    assert [x.name for x in (tmp_path / "made").iterdir()] == [".lock"]


def wait_for(condition):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


def child_processes(pid):
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return " ".join(x.read_text() for x in threads).split()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--only", "nothing"], "begins with 'nothing'"), (["--workers", "0"], "1 or more; got 0")],
)
def test_a_wrong_argument_is_said_in_words(arguments, words, capsys):
    with pytest.raises(SystemExit):
        making.main(arguments)
    assert words in capsys.readouterr().err


def test_only_brings_what_it_needs_and_list_says_what_is_done(tmp_path, capsys):
    assert making.main(["--only", "qat-w4", "--list", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [
        *(f"baseline-seed{seed}" for seed in (0, 1, 2)),
        *(f"qat-w4-seed{seed}" for seed in (0, 1, 2)),
    ]


# Shipping


@pytest.fixture
def finished(tmp_path):
    """A folder with one finished run, and a place to ship to where an old file lies."""

    def give(workshop, seed):
        yield "baseline.tflite", artefacts.path("baseline.tflite").read_bytes(), {"trainings": []}
        yield "logits.npy", b"1", {"part": True}

    run = Run("baseline-seed0", give, {"seed": 0})
    making.make(run, "digest", tmp_path / "made")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old.tflite").write_bytes(b"old")
    return {run.name: run}, tmp_path / "made", tmp_path / "target"


def test_what_ships_by_the_same_recipe_is_kept_and_what_it_needed_is_not_made(tmp_path):
    """Nothing is trained: all that ships is laid out anew, and ships again as it was."""
    wanted = making.digests(RUNS)
    assert "teacher-logits" in making.to_do(RUNS, tmp_path)
    making.restore(RUNS, wanted, tmp_path)
    assert making.to_do(RUNS, tmp_path) == []
    assert making.state(tmp_path, "teacher-logits") is None
    known = artefacts.manifest()["files"]["qat-w2-seed0.tflite"]
    entry = making.state(tmp_path, "qat-w2-seed0")["files"]["qat-w2-seed0.tflite"]
    assert set(known) - set(entry) == {*making.ADDED}
    assert entry == {key: known[key] for key in entry}
    assert (tmp_path / "qat-w2-seed0" / "qat-w2-seed0.tflite").read_bytes() == (
        artefacts.path("qat-w2-seed0.tflite").read_bytes()
    )

    first = dataclasses.replace(RUNS["baseline-seed0"], recipe={"seed": 0, "epochs": 11})
    other = RUNS | {first.name: first}
    making.restore(other, making.digests(other), tmp_path / "other")
    missing = making.to_do(other, tmp_path / "other")
    assert {"baseline-seed0", "qat-w2-seed0", "qat-2-bits-0-seed1"} <= {*missing}
    assert not {"baseline-seed1", "teacher", "pruned-scratch-seed0"} & {*missing}


def test_shipping_scores_both_splits_and_leaves_nothing_old(finished, monkeypatch):
    making.ship(*finished)
    target = finished[-1]
    assert {x.name for x in target.iterdir() if x.name != ".lock"} == {
        "baseline.tflite", "manifest.json",
    }  # fmt: skip
    monkeypatch.setattr(artefacts, "folder", lambda: target)
    assert artefacts.verify() == [("baseline.tflite", None)]
    manifest = artefacts.manifest()
    entry, model = manifest["files"]["baseline.tflite"], qlab.pretrained("baseline")
    for split in ("validation", "test"):
        score = qlab.evaluate(model, *common.pair(split))
        assert (entry[split]["correct"], entry[split]["n"]) == (score.correct, score.n)
    known = manifest["data"]["validation"]
    assert known["indices_sha256"] == digest(validation_indices().astype("<i8"))
    assert (entry["run"], entry["recipe"]) == ("baseline-seed0", {"seed": 0})


def test_the_table_has_a_line_a_family_with_an_interval_over_its_seeds(tmp_path):
    for seed in (0, 1, 2):
        name = f"qat-w2-seed{seed}.tflite"
        shutil.copy(artefacts.path(name), tmp_path / name)
    shutil.copy(artefacts.path("baseline.tflite"), tmp_path / "baseline.tflite")
    files = {path.name: path for path in tmp_path.iterdir()}
    splits = {x: [part[:100] for part in common.pair(x)] for x in table.SPLITS}
    _, _, *rows = table.lines(files, splits.get)
    assert [row.split(" | ")[:2] for row in rows] == [["| baseline", "1"], ["| qat-w2", "3"]]
    found = [
        [qlab.evaluate(qlab.LiteModel(files[f"qat-w2-seed{x}.tflite"].read_bytes()), *pair).accuracy
         for x in (0, 1, 2)]
        for pair in splits.values()
    ]  # fmt: skip
    for cell, scores in zip(rows[1].split(" | ")[3:], found, strict=True):
        mean, low, high = (float(x) for x in re.findall(r"\d+\.\d+", cell)[:3])
        assert mean == pytest.approx(100 * np.mean(scores), abs=0.01)
        assert low < min(mean, 100 * min(scores)) <= max(mean, 100 * max(scores)) < high


def test_a_file_that_was_changed_after_it_was_made_is_not_shipped(finished):
    _, made, target = finished
    (made / "baseline-seed0" / "baseline.tflite").write_bytes(b"changed")
    with pytest.raises(ValueError, match="changed after it was made"):
        making.ship(*finished)
    assert [x.name for x in target.iterdir()] == ["old.tflite"]
