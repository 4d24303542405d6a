"""The league of a microcontroller: TensorFlow Lite Micro measures, in the judge's process."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from test_micro import changed, needs_package, wide, with_operator

import qlab
from qlab import challenge
from qlab.challenge import grading, sandbox
from qlab.challenge.command import lines
from qlab.challenge.grading import MICRO, grade_bytes
from qlab.tflite import micro_runtime

pytestmark = needs_package
STUDENT = "distilled-5k-50000-taught-seed0"


@pytest.fixture(scope="module")
def few(fashion):
    return SimpleNamespace(images=fashion.test.images[:300], labels=fashion.test.labels[:300])


@pytest.fixture(scope="module")
def student():
    return qlab.Compressor(qlab.pretrained(STUDENT), qlab.data.calibration_images(128))


def without_package(monkeypatch):
    monkeypatch.setattr(micro_runtime, "PACKAGE", "no_such_package")


def test_a_file_is_worth_what_the_runtime_of_microcontrollers_makes_of_it(student, few):
    """With 8-bit weights alone the two runtimes differ; see `micro_runtime.ONE_SCALE`."""
    for recipe in (qlab.Recipe(), qlab.Recipe(activation_bits=32)):
        model = student.compress(recipe)
        report, verdict = qlab.micro(model, few.images), grade_bytes(model.data, few)
        assert verdict.micro_correct == (report.predictions == few.labels).sum()
        assert verdict.arena_bytes == report.arena_bytes and verdict.gaps == ()
        assert f"{report.arena_bytes:,} bytes of RAM" in str(verdict)
    assert verdict.micro_correct < verdict.correct - 5


def test_a_file_is_in_the_league_if_flash_and_ram_hold_it(student, few, monkeypatch):
    data = student.compress(qlab.Recipe()).data
    assert grade_bytes(data, few).leagues == ("0.85", MICRO)
    monkeypatch.setattr(grading, "RAM_BYTES", 4_607)
    verdict = grade_bytes(data, few)
    assert verdict.leagues == ("0.85",)
    assert verdict.micro_reason == "it needs 4,608 bytes of RAM, and has 4,607"
    monkeypatch.setattr(grading, "FLASH_BYTES", len(data) - 1)
    words = f"its {len(data):,} bytes do not fit the flash of {len(data) - 1:,}"
    assert grade_bytes(data, few).micro_reason == words


def test_what_the_runtime_refuses_is_said_and_the_other_leagues_stand(student, few):
    verdict = grade_bytes(student.compress(qlab.Recipe()).packed().data, few)
    assert verdict.leagues == ("0.85", MICRO)  # of 8 bits nothing is packed
    packed = student.compress(qlab.Recipe(overrides={"logits": {"weight_bits": 4}})).packed()
    verdict = grade_bytes(packed.data, few)
    assert verdict.leagues == ("0.85",)
    assert "Its FULLY_CONNECTED takes one weight a byte" in str(verdict)


def dangling(graph):
    graph.subgraphs[0].operators[0].inputs = [0, 10**6, 1]


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (lambda: changed(wide), "more than 67,108,864 bytes of RAM"),
        (lambda: with_operator("GELU"), "It has no operator GELU"),
        (lambda: changed(dangling), "it ended the process that ran it"),
    ],
    ids=["beyond memory", "refused operator", "crash"],
)
def test_a_hostile_file_becomes_a_sentence(hostile, words, few):
    with pytest.raises(challenge.Refused, match=words):
        sandbox.micro(hostile().data, few.images, np.zeros(256, np.int8), challenge.Limits())


def test_without_the_package_the_judge_says_so(student, few, monkeypatch):
    without_package(monkeypatch)
    verdict = grade_bytes(student.compress(qlab.Recipe()).data, few)
    assert verdict.leagues == ("0.85",)
    assert "TensorFlow Lite Micro is not installed here" in str(verdict)


def submitted(student, few, tmp_path):
    """A folder with three files of one student: of 8 bits, of 6, and of floats."""
    for name, recipe in {
        "Ada": qlab.Recipe(),
        "Eve": qlab.Recipe(6),
        "Grace": qlab.Recipe(activation_bits=32, weight_bits=32),
    }.items():
        student.compress(recipe).save(tmp_path / "mine.tflite")
        challenge.submit(tmp_path, tmp_path / "mine.tflite", name, few)
        (tmp_path / "mine.tflite").unlink()
    return challenge.board(tmp_path, test=few)


def test_the_board_ranks_by_accuracy_and_shows_flash_and_ram(student, few, tmp_path):
    board = submitted(student, few, tmp_path)
    rows = board.league(MICRO)
    scores = [row.entry.verdict.correct for row in rows]
    assert len(rows) == 3 and scores == sorted(scores, reverse=True)
    assert {row.entry.kind for row in rows} == {"cached"}
    ada = next(row.entry.verdict for row in rows if row.entry.name == "Ada")
    assert ada.sizes(MICRO) == (9_256, 4_608)
    told = "\n".join(lines(board)).split("League micro: ")[1]
    assert "flash" in told and "RAM" in told and "    9,256      4,608 " in told


def test_what_nobody_could_ask_is_asked_where_the_package_is(student, few, tmp_path):
    with pytest.MonkeyPatch.context() as elsewhere:
        without_package(elsewhere)
        assert submitted(student, few, tmp_path).league(MICRO) == ()
    board = challenge.board(tmp_path, test=few)
    assert len(board.league(MICRO)) == 3 and {x.kind for x in board.entries} == {"measured"}
    with pytest.MonkeyPatch.context() as elsewhere:  # and then believed elsewhere
        without_package(elsewhere)
        assert len(challenge.board(tmp_path, test=few).league(MICRO)) == 3


@pytest.mark.parametrize(
    "change", [{"arena_bytes": -1}, {"micro_correct": 301}, {"micro_reason": 7}]
)
def test_numbers_that_cannot_be_are_not_believed(change, student, few, tmp_path):
    board = submitted(student, few, tmp_path)
    note = tmp_path / f"{board.entries[0].file}.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    again = challenge.board(tmp_path, test=few)
    assert again.entries[0].kind == "measured" and "set aside" in again.notices[0]
    assert again.entries[0].verdict == board.entries[0].verdict
