"""What ships in data/pretrained, and what happens when a file of it is wrong."""

import hashlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import qlab
from qlab.arithmetic.metrics import wilson_interval
from qlab.data import digits, texts
from qlab.data.fashion_mnist import VALIDATION_SEED, validation_indices
from qlab.tflite import artefacts, micro_runtime
from qlab.trials import pareto

MODELS = [f"{name}.tflite" for name in artefacts.classifiers()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the shipped files, to spoil."""
    copy = tmp_path / "pretrained"
    shutil.copytree(artefacts.folder(), copy)
    monkeypatch.setattr(artefacts, "folder", lambda: copy)
    return copy


def test_what_ships_is_what_the_manifest_says():
    listed = artefacts.manifest()["files"]
    assert artefacts.verify() == [(name, None) for name in listed]
    there = {p.name for p in artefacts.folder().iterdir() if not p.name.startswith(".")}
    assert there - {"manifest.json", micro_runtime.CACHED} == set(listed)
    for name, entry in listed.items():
        content = (artefacts.folder() / name).read_bytes()
        most = 6_000_000 if entry.get("dataset") == texts.NAME else 900_000
        assert entry["bytes"] == len(content) <= most
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert {"date", "cpu", "versions"} <= set(entry["made"])
        assert {"python", "numpy", "tensorflow", "ai-edge-litert"} <= set(entry["made"]["versions"])


def test_manifest_tells_how_the_baseline_was_trained():
    entry = artefacts.manifest()["files"]["baseline.tflite"]
    assert entry["recipe"] == {"seed": 0, "epochs": 10, "learning_rate": 0.001}
    (training,) = entry["trainings"]
    assert (training["optimizer"], training["order_seed"]) == ("Adam", 0)
    assert (training["epochs"], training["steps"], training["images"]) == (10, 3910, 50_000)
    assert set(training["learning_rates"]) == {"0.001"}


def test_manifest_tells_which_images_are_for_validation():
    known = artefacts.manifest()["data"]["validation"]
    indices = np.ascontiguousarray(validation_indices().astype("<i8"))
    assert (known["size"], known["seed"]) == (len(indices), VALIDATION_SEED)
    assert known["indices_sha256"] == hashlib.sha256(indices.tobytes()).hexdigest()


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("name", MODELS)
def test_the_accuracy_in_the_manifest_comes_out_again(name, split, fashion):
    entry = artefacts.manifest()["files"][name]
    known, of = entry[split], digits.load() if entry.get("dataset") == "digits" else fashion
    images = getattr(of, split)
    whole = len(images)
    assert known["n"] == whole == (359 if name.startswith("digits") else 10_000)
    assert known["accuracy"] == known["correct"] / whole
    np.testing.assert_allclose(
        known["interval"], wilson_interval(known["correct"], whole), atol=5e-5
    )
    # One of each family in full; of the other seeds, the teacher and slow kernels, a part.
    n = 1000 if re.search(r"int16x8|teacher|-seed[1-9]", name) else whole
    model = qlab.pretrained(name.removesuffix(".tflite"))
    score = qlab.evaluate(model, images.images[:n], images.labels[:n])
    if n == whole:  # another processor may round a few sums otherwise
        assert abs(score.correct - known["correct"]) <= max(2, whole // 1000)
    else:
        spread = (score.accuracy * (1 - score.accuracy) / n) ** 0.5
        assert abs(score.accuracy - known["accuracy"]) <= 4 * spread


def test_a_network_for_digits_comes_with_how_it_wants_its_pixels():
    split = digits.load().validation
    ways = {"digits": "0 to 1", "digits-raw": "0 to 255", "digits-int8": "0 to 1"}
    assert {name: qlab.pretrained(name).pixels for name in ways} == ways
    raw = qlab.LiteModel(artefacts.path("digits-raw.tflite").read_bytes())
    assert raw.pixels is None and b"0 to 255" not in raw.data
    assert (qlab.predict(raw, split.images) == split.labels).mean() < 0.2
    assert qlab.evaluate(qlab.pretrained("digits-raw"), split.images, split.labels).accuracy > 0.96
    assert "digits" not in {entry.name for entry in pareto.entries()}


def test_the_history_ends_where_the_model_is():
    histories, files = artefacts.history("baseline"), artefacts.manifest()["files"]
    assert list(histories) == [0, 1, 2]
    for seed, history in histories.items():
        assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
            ("loss", "accuracy", "validation_loss", "validation_accuracy"), 10
        )
        assert history["loss"] == sorted(history["loss"], reverse=True)
        entry = files[f"baseline-seed{seed}.tflite" if seed else "baseline.tflite"]
        assert abs(history["validation_accuracy"][-1] - entry["validation"]["accuracy"]) <= 0.001
    assert len({history["loss"][-1] for history in histories.values()}) == 3  # trained thrice
    assert list(artefacts.history("qat-w2-seed1")) == [1]
    with pytest.raises(artefacts.ArtefactError, match="no training is called 'qat'; did you mean"):
        artefacts.history("qat")


def test_pretrained_needs_no_tensorflow():
    code = (
        "import sys, qlab; m = qlab.pretrained('baseline'); print(m.file_bytes);"
        "assert not {'tensorflow', 'tf_keras', 'keras'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == artefacts.manifest()["files"]["baseline.tflite"]["bytes"]


def test_the_baseline_has_75609_weights():
    layers = [layer for layer in qlab.pretrained("baseline").layers if layer.weights is not None]
    assert sum(layer.weights.size + layer.bias.size for layer in layers) == 75_609


@pytest.mark.parametrize("name", ["basline", "baseline.tflite", "../baseline", ""])
def test_an_unknown_name_is_told_the_nearest_or_the_families(name):
    words = r"there are baseline, chain, .*" if not name else r"did you mean .*baseline\b.*\?"
    with pytest.raises(artefacts.ArtefactError, match=words + r" All \d+ names stand in manifest"):
        qlab.pretrained(name)
    with pytest.raises(artefacts.ArtefactError, match=r"there are baseline, case, chain, "):
        artefacts.path("nothing like it")


SPOIL = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:1000]),
    "altered": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\xff"),
    "empty": lambda file: file.write_bytes(b""),
    "missing": lambda file: file.unlink(),
    "swapped": lambda file: shutil.copy(file.parent / "baseline-int8.tflite", file),
}


@pytest.mark.parametrize("how", SPOIL)
def test_a_spoiled_file_is_refused_with_remedies(how, folder):
    SPOIL[how](folder / "baseline.tflite")
    for use in (lambda: qlab.pretrained("baseline"), lambda: artefacts.path("baseline.tflite")):
        with pytest.raises(artefacts.ArtefactError) as caught:
            use()
        for words in ("baseline.tflite", "git checkout", "make artefacts"):
            assert words in str(caught.value)
    problems = dict(artefacts.verify())
    assert problems.pop("baseline.tflite") is not None
    assert set(problems.values()) == {None}
    assert qlab.pretrained("baseline-int8").file_bytes > 0  # the others still load


@pytest.mark.parametrize("content", [None, "", "{", '{"files": 3'], ids=repr)
def test_a_spoiled_manifest_is_refused_with_remedies(content, folder):
    (folder / "manifest.json").unlink()
    if content is not None:
        (folder / "manifest.json").write_text(content)
    for use in (qlab.pretrained, artefacts.verify, artefacts.manifest):
        with pytest.raises(artefacts.ArtefactError, match=r"manifest.json.*make artefacts"):
            use()


CONTROLLED = [
    (name, control)
    for name, entry in artefacts.manifest()["files"].items()
    for control in (*entry.get("controls", ()), *filter(None, [entry.get("control")]))
]


def test_every_trained_technique_has_a_control():
    kinds = {name.partition("-")[0] for name, _ in CONTROLLED}
    assert kinds == {"qat", "pruned", "clustered", "chain", "distilled"}


@pytest.mark.parametrize(("name", "control"), CONTROLLED)
def test_a_control_was_trained_as_its_model_was_step_by_step(name, control):
    """Steps, learning rates, images and their order are what the trainings did, not their plan."""
    files = artefacts.manifest()["files"]
    done, beside = files[name]["trainings"], files[control]["trainings"]
    on_the_way = files[name].get("step", "").endswith(("pruned", "clustered"))
    assert done == (beside[: len(done)] if on_the_way else beside)
    assert files[name]["recipe"]["seed"] == files[control]["recipe"]["seed"]
