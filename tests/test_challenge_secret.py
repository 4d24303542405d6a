"""The secret check: tables of answers are caught, each family of real models is not."""

import os
import stat
from datetime import UTC, datetime
from types import SimpleNamespace

import engine
import hostile
import numpy as np
import pytest

import qlab
from qlab import challenge, cli
from qlab.challenge import secret, weights
from qlab.challenge.command import lines
from qlab.challenge.grading import grade_bytes
from qlab.challenge.submissions import GradedSubmission
from qlab.tflite import artefacts
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel

SEED = b"only the teacher has this seed.."
FAMILIES = {
    "baseline": "float",
    "baseline-float16": "16 bits",
    "baseline-dynamic-range": "weights of 8 bits",
    "baseline-int8": "int8",
    "qat-w4-seed0": "4 bits",
    "qat-w2-seed0": "2 bits",
    "pruned-80-seed0": "pruned",
    "pruned-95-seed0": "pruned hard",
    "pruned-2of4-seed0": "pruned in a pattern",
    "pruned-filters-seed0": "without filters",
    "clustered-8-seed0": "clustered",
    "chain-int4-seed2": "the chain",
    "distilled-20k-600-taught-seed0": "student of few labels",
    "distilled-5k-50000-taught-seed0": "small student",
    "separable-seed0": "another network",
    "teacher": "teacher",
}


@pytest.fixture(scope="module")
def some(fashion):
    return SimpleNamespace(images=fashion.test.images[:2000], labels=fashion.test.labels[:2000])


@pytest.fixture(scope="module")
def hidden(fashion):
    return secret.changed(fashion.test.images[:2500], SEED)


# ---- who is caught, and who is not --------------------------------------------------------------
@pytest.mark.parametrize("made", ["pixels", "blocks", "directions"])
def test_a_table_of_answers_is_caught_however_coarse_its_hash(made, some):
    data = getattr(hostile, f"table_of_{made}")(some.images, some.labels)
    open_ = grade_bytes(data, some)
    assert open_.correct > 1900 and open_.suspicion == "" and "0.90" in open_.leagues
    verdict = grade_bytes(data, some, hidden=SEED)
    assert verdict.correct == open_.correct and verdict.fall > 0.3
    assert verdict.suspicion.startswith(f"falls by {100 * verdict.fall:.1f} points on the secret")
    assert f"secret    {verdict.suspicion}" in str(verdict)
    assert verdict.to_dict()["suspicion"] == verdict.suspicion


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_of_each_family_hardly_feels_the_change(name, fashion, hidden):
    model = qlab.pretrained(name)
    before, after = (
        (qlab.predict(model, images) == fashion.test.labels[:2500]).mean()
        for images in (fashion.test.images[:2500], hidden)
    )
    assert before - after < 0.75 * secret.MOST_FALL


def test_a_model_is_told_that_it_falls_as_models_do(some):
    verdict = grade_bytes(artefacts.path("qat-w2-seed0.tflite").read_bytes(), some, hidden=SEED)
    assert verdict.suspicion == "" and abs(verdict.fall) < secret.MOST_FALL
    assert f"falls by {100 * verdict.fall:.2f} points, as models do" in str(verdict)


def test_a_file_that_stumbles_over_the_secret_pictures_is_caught(some, monkeypatch):
    calls, real = [], challenge.sandbox.predict

    def once(*job):
        calls.append(job)
        if len(calls) > 1:
            raise challenge.Refused("it ended the process that ran it")
        return real(*job)

    monkeypatch.setattr(challenge.sandbox, "predict", once)
    data = artefacts.path("qat-w2-seed0.tflite").read_bytes()
    assert grade_bytes(data, some, hidden=SEED).suspicion.endswith("a model falls by 3 at most")


def test_the_better_of_two_runtimes_counts():
    numbers = {"n": 1000, "correct": 100, "micro_correct": 950, "secret_correct": 100}
    assert challenge.Verdict(secret="x", **numbers).suspicion.startswith("falls by 85.0 points")


# ---- the pictures and the teacher's file --------------------------------------------------------
def test_the_pictures_are_the_seeds_and_nearly_the_old_ones(some):
    first, again = (secret.changed(some.images, SEED) for _ in range(2))
    other = secret.changed(some.images, b"x" * 32)
    assert first.dtype == np.uint8 and first.shape == some.images.shape
    assert (first == again).all() and (first != other).any(axis=(1, 2, 3)).all()
    assert (first != some.images).any(axis=(1, 2, 3)).all()
    assert np.abs(first.astype(int) - some.images).mean() < 12


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path):
    path = tmp_path / "secret"
    seed = challenge.read_secret(path)
    assert len(seed) == 32 and challenge.read_secret(path) == seed
    assert challenge.read_secret(tmp_path / "another") != seed
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_is_no_secret_is_refused(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    with pytest.raises(challenge.SecretError, match="lies in the folder of the submissions"):
        challenge.read_secret(folder / "secret", folder)
    path = tmp_path / "secret"
    path.write_text("fourteen bytes")
    with pytest.raises(challenge.SecretError, match=r"others may read .*chmod 600"):
        challenge.read_secret(path)
    path.chmod(0o600)
    with pytest.raises(challenge.SecretError, match="has 14 bytes, which can be guessed"):
        challenge.read_secret(path)
    path.unlink()
    (tmp_path / "other").write_text("x" * 40)
    path.symlink_to(tmp_path / "other")
    with pytest.raises(challenge.SecretError):
        challenge.read_secret(path)


def test_the_command_takes_the_teachers_file(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        challenge, "grade", lambda file, hidden: asked.append(hidden) or challenge.Verdict("why")
    )
    assert cli.main(["grade", "mine.tflite", "--secret", str(tmp_path / "secret")]) == 1
    assert asked == [challenge.read_secret(tmp_path / "secret")]


# ---- the board ----------------------------------------------------------------------------------
def put(folder, name, data):
    (folder / f"{name}.tflite").write_bytes(data)


def test_the_board_marks_a_table_and_puts_it_behind_models(tmp_path, some):
    put(tmp_path, "Eve", hostile.table_of_pixels(some.images, some.labels))
    put(tmp_path, "Ada", engine.compressor("baseline").compress(qlab.Recipe(weight_bits=6)).data)
    plain = challenge.board(tmp_path, test=some).league("0.85")
    assert [x.entry.name for x in plain] == ["Eve", "Ada"]  # without a secret, a table wins
    for kind in ("measured", "cached"):
        ranked = challenge.board(tmp_path, test=some, hidden=SEED)
        assert {x.kind for x in ranked.entries} == {kind}
        ada, eve = ranked.league("0.85")
        assert (ada.entry.name, challenge.remark(ada)) == ("Ada", "")
        assert challenge.remark(eve) == f" ({eve.entry.verdict.suspicion})"
        assert eve.entry.verdict.suspicion.startswith("falls by ")
    assert challenge.remark(eve) in "\n".join(lines(challenge.board(tmp_path, test=some)))
    other = challenge.board(tmp_path, test=some, hidden=b"y" * 32)
    assert {x.kind for x in other.entries} == {"measured"}


# ---- copies and shipped files -------------------------------------------------------------------
def disguised(data):
    """The same weights under other names and in another order, with a note."""
    graph = LiteModel(data).graph()
    part = graph.subgraphs[0]
    for number, tensor in enumerate(part.tensors):
        tensor.name = b"x%d" % number
    graph.description, graph.signatureDefs, graph.metadata = b"mine", None, None
    graph.metadataBuffer, part.name = None, b"y"
    order = np.random.default_rng(0).permutation(np.arange(1, len(graph.buffers)))
    places = {0: 0, **{int(old): new for new, old in enumerate(order, 1)}}
    graph.buffers = [graph.buffers[0], *(graph.buffers[i] for i in order)]
    for tensor in part.tensors:
        tensor.buffer = places[tensor.buffer]
    return pack(graph)


def entry(name, data, minutes):
    found, verdict = weights.rows(data), challenge.grading.measure(data)
    return GradedSubmission(
        name,
        datetime(2026, 1, 1, 0, minutes, tzinfo=UTC),
        f"{name}.tflite",
        challenge.Verdict(correct=95, n=100, **verdict),
        "measured",
        weights=found,
        shipped=weights.shipped(verdict["sha256"], found),
    )


def test_the_same_weights_under_other_names_are_shown_as_such():
    data = artefacts.path("qat-w4-seed0.tflite").read_bytes()
    copy = disguised(data)
    assert copy != data
    ranked = challenge.Board((entry("Ada", data, 1), entry("Eve", copy, 2)))
    ada, eve = ranked.league("0.90")
    assert (ada.entry.name, ada.weights_of) == ("Ada", "")
    assert (eve.entry.name, eve.weights_of) == ("Eve", "Ada")
    assert "the same weights as Ada" in challenge.remark(eve)


@pytest.mark.parametrize("change", [bytes, disguised, lambda x: LiteModel(x).packed().data])
def test_a_shipped_file_is_known_in_each_disguise(change):
    data = change(artefacts.path("qat-w4-seed0.tflite").read_bytes())
    assert entry("Ada", data, 1).shipped == "qat-w4-seed0.tflite"


def test_shipped_models_of_other_seeds_are_others():
    found = {}
    for name in ("qat-w2-seed0", "qat-w2-seed1", "chain-int4-seed2", "pruned-95-seed0"):
        known = weights.rows(artefacts.path(f"{name}.tflite").read_bytes())
        found[name] = weights.shipped("", known)
    assert found == {name: f"{name}.tflite" for name in found}


def test_own_work_is_not_marked():
    model = LiteModel(artefacts.path("qat-w4-seed0.tflite").read_bytes())
    graph = model.graph()
    random = np.random.default_rng(0)
    for buffer in graph.buffers:
        if buffer.data is not None and len(buffer.data) > 200:
            buffer.data = random.permutation(np.asarray(buffer.data, np.uint8))
    assert entry("Ada", pack(graph), 1).shipped == ""
    assert weights.rows(b"text") == {}
