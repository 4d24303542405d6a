"""The board's front and standings by brute force; the learner's shelf, also in hostile hands."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qlab
from qlab.arithmetic.results import Latency, Measurement
from qlab.engine.recipes import recipe_dict, recipe_words
from qlab.tflite import artefacts
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel
from qlab.trials import fronts, pareto, shelf

COST = st.sampled_from([1.0, 2.0, 3.0, 4.0, float("nan")])
POINTS = st.lists(st.tuples(COST, st.sampled_from([0.1, 0.5, 0.6, 0.9])), max_size=12)


SCORE = 1, 2, "validation images"


@pytest.fixture(scope="module")
def small():
    return qlab.pretrained("baseline-int8")


def renamed(model, words):
    """The same model in other bytes."""
    graph = model.graph()
    graph.description = words.encode()
    return LiteModel(pack(graph))


def entry(name="m", cost=100, correct=900, origin="shipped", **others):
    known = {
        "recipe": {},
        "n": 1000,
        "kind": "cached",
        "images_are": "images",
        "file_bytes": cost,
        "sha256": name,
    }
    known |= {"latency": None, "latency_kind": "", **others}
    return pareto.Entry(name=name, origin=origin, correct=correct, gzip_bytes=cost, **known)


# the front


@given(POINTS)
def test_the_front_is_what_nobody_beats(points):
    costs, accuracies = [c for c, _ in points], [a for _, a in points]
    found = set(pareto.front(costs, accuracies).tolist())
    for i, (cost, accuracy) in enumerate(points):
        beaten = cost != cost or any(
            (c <= cost and a >= accuracy and (c < cost or a > accuracy))
            or ((c, a) == (cost, accuracy) and j < i)
            for j, (c, a) in enumerate(points)
        )
        assert (i in found) == (not beaten)


@given(POINTS)
def test_along_the_front_cost_and_accuracy_rise(points):
    costs, accuracies = [c for c, _ in points], [a for _, a in points]
    found = pareto.front(costs, accuracies)
    assert np.all(np.diff(np.asarray(costs)[found]) > 0)
    assert np.all(np.diff(np.asarray(accuracies)[found]) > 0)


def scored(name, cost, right, start=0):
    """An entry that was scored here: right on so many images from one on."""
    labels = np.zeros(1000, int)
    predictions = np.ones(1000, int)
    predictions[np.arange(start, start + right) % 1000] = 0
    return entry(name, cost, right, measurement=Measurement(predictions, labels))


def test_a_model_is_beaten_if_its_rival_is_better_on_the_same_images():
    """Two models of equal accuracy: the first is wrong where the rival is, the second elsewhere."""
    board = [
        *(scored("a", 10, 900), scored("nested", 20, 885), scored("elsewhere", 20, 885, 500)),
        *(scored("d", 5, 600), scored("e", 30, 901)),
    ]
    low, high = board[1].interval
    assert low < board[0].accuracy < high  # so that the intervals alone would not have told
    assert [x and x.name for x in fronts.rivals(board)] == [None, "a", "a", None, None]
    assert pareto.standings(board) == [
        *(fronts.FRONT, fronts.BEATEN, fronts.NEAR, fronts.FRONT, fronts.FRONT),
    ]
    nested = fronts.comparisons(board)[1]
    assert nested == qlab.compare(board[1].measurement, board[0].measurement, family=5)
    assert (nested.only_a, nested.only_b) == (0, 15)


def test_without_answers_image_by_image_nothing_is_compared():
    board = [scored("a", 10, 900), entry("b", 20, 100), scored("c", 30, 700)]
    assert pareto.standings(board) == [fronts.FRONT, fronts.APART, fronts.BEATEN]
    assert fronts.comparisons(board)[:2] == [None, None]
    assert pareto.standings([entry("a", 10, 900), scored("c", 30, 700)])[1] == fronts.APART


def test_what_other_images_scored_is_not_compared():
    """A model kept by version 0.1.0 was scored on the test images; it beats no other."""
    old = entry("old", 10, 990, images_are="test images")
    board = [scored("a", 20, 900), old, entry("b", 30, 950)]
    assert pareto.standings(board) == [fronts.FRONT, fronts.APART, fronts.FRONT]
    assert fronts.rivals(board) == [None, None, None]
    place(about={name: value for name, value in GOOD.items() if name != "images_are"})
    assert [kept.images_are for kept in shelf.kept()] == ["test images"]


def test_a_model_that_was_never_timed_has_no_standing_in_latency():
    timed = entry("a", latency=Latency(0.1, 0.2, 1, 1, 9), latency_kind="measured")
    assert pareto.standings([timed, entry("b", correct=999)], "latency_ms") == [
        fronts.FRONT,
        fronts.APART,
    ]
    with pytest.raises(ValueError, match="choose one of gzip_bytes"):
        pareto.standings([timed], "price")


# shipped models


def test_every_scored_shipped_model_is_there_with_its_own_sizes():
    found = {x.name: x for x in pareto.entries() if x.origin == "shipped"}
    files = artefacts.manifest()["files"]
    scored = {
        n.removesuffix(".tflite")
        for n, e in files.items()
        if "validation" in e and "dataset" not in e
    }
    assert set(found) == {x for x in scored if f"{x}.tflite" in files}
    for name, each in found.items():
        model = qlab.pretrained(name)
        assert (each.file_bytes, each.gzip_bytes) == (model.file_bytes, model.gzip_bytes)
        assert each.latency.median_ms > 0
        assert each.accuracy == pytest.approx(files[f"{name}.tflite"]["validation"]["accuracy"])


def test_measuring_makes_cached_numbers_measured(fashion, monkeypatch):
    monkeypatch.setattr(pareto, "_measured", {})
    chosen = [x for x in pareto.entries() if x.name in ("baseline-int8", "qat-w2-seed0")]
    assert {x.kind for x in chosen} == {"cached"}
    steps = list(pareto.remeasure(chosen))
    assert [step[:2] for step in steps] == [(0, 2), (1, 2), (2, 2)]
    found = {x.name: x for x in pareto.entries()}
    assert found["baseline"].kind == "cached" and found["baseline"].measurement is None
    for name in ("baseline-int8", "qat-w2-seed0"):
        split = fashion.validation
        again = qlab.evaluate(qlab.pretrained(name), split.images, split.labels, threads=1)
        assert (found[name].kind, found[name].correct) == ("measured", again.correct)
        np.testing.assert_array_equal(found[name].measurement.hits, again.hits)
        assert found[name].latency.runs == pareto.RUNS


def test_a_damaged_shipped_file_is_left_out_and_said(tmp_path, monkeypatch):
    keep = ("baseline.tflite", "baseline-int8.tflite", "qat-w2-seed0.tflite")
    whole = artefacts.manifest()
    for name in keep:
        (tmp_path / name).write_bytes((artefacts.folder() / name).read_bytes())
    (tmp_path / "baseline.tflite").write_bytes(b"changed")
    (tmp_path / "qat-w2-seed0.tflite").unlink()
    kept = {"files": {name: whole["files"][name] for name in keep}}
    (tmp_path / artefacts.MANIFEST).write_text(json.dumps(kept))
    monkeypatch.setattr(artefacts, "folder", lambda: tmp_path)
    troubles = []
    assert [x.name for x in pareto.entries(troubles)] == ["baseline-int8"]
    assert len(troubles) == 2
    assert "baseline.tflite is not the shipped file" in " ".join(troubles)
    assert "qat-w2-seed0.tflite cannot be read" in " ".join(troubles)


# keeping


def test_a_kept_model_is_measured_and_outlives_the_kernel(small, fashion, monkeypatch):
    mine = pareto.keep(renamed(small, "a"), " my\n int8 ", qlab.Recipe(weight_bits=8))
    split = fashion.validation
    again = qlab.evaluate(small, split.images, split.labels, threads=1)
    assert (mine.name, mine.origin, mine.kind) == ("my int8", "yours", "measured")
    assert (mine.correct, mine.n) == (again.correct, 10_000)
    assert mine.latency_kind == "measured"
    monkeypatch.setattr(pareto, "_measured", {})
    monkeypatch.setattr(pareto, "_timed", {})
    found = next(x for x in pareto.entries() if x.origin == "yours")
    assert (found.kind, found.latency_kind) == ("cached", "cached")
    assert (found.correct, found.recipe["weight_bits"]) == (again.correct, 8)
    assert found.latency == mine.latency
    assert pareto.drop("my int8") == 1
    assert all(x.origin == "shipped" for x in pareto.entries())


def test_the_same_file_is_kept_once_and_a_taken_name_gets_a_number(small):
    first = pareto.keep(renamed(small, "a"), "mine")
    assert pareto.keep(renamed(small, "a"), "still mine").sha256 == first.sha256
    assert [x.name for x in shelf.kept()] == ["still mine"]
    assert pareto.keep(renamed(small, "b"), "still mine").name == "still mine 2"
    assert pareto.keep(renamed(small, "c"), "baseline").name == "baseline 2"
    assert pareto.keep(renamed(small, "b"), "still mine 2").name == "still mine 2"


def test_what_cannot_be_kept_is_said_in_words(small, monkeypatch, tmp_path):
    graph = small.graph()
    graph.subgraphs[0].tensors[graph.subgraphs[0].outputs[0]].shape = [1, 3]
    with pytest.raises(
        shelf.ShelfError, match=r"cannot be scored: .* tells 3 classes apart.*dataset="
    ):
        pareto.keep(LiteModel(pack(graph)), "other")
    with pytest.raises(shelf.ShelfError, match="needs a name"):
        pareto.keep(small, " \n")
    with pytest.raises(TypeError, match=r"takes a qlab\.LiteModel, not a str"):
        pareto.keep("model.tflite", "x")
    with pytest.raises(TypeError, match="a recipe is"):
        shelf.put(small, "x", 4, SCORE)
    shelf.folder().parent.mkdir(parents=True, exist_ok=True)
    shelf.folder().write_text("in the way")
    with pytest.raises(shelf.ShelfError, match="cannot be kept in"):
        shelf.put(small, "x", None, SCORE)
    assert shelf.kept() == []


def test_a_full_shelf_and_a_large_model_are_refused(small, monkeypatch):
    monkeypatch.setattr(shelf, "MOST_MODELS", 1)
    shelf.put(renamed(small, "a"), "a", None, SCORE)
    shelf.put(renamed(small, "a"), "again", None, SCORE)
    with pytest.raises(shelf.ShelfError, match="the shelf is full: 1 models"):
        shelf.put(renamed(small, "b"), "b", None, SCORE)
    monkeypatch.setattr(shelf, "LARGEST_MODEL", 1000)
    with pytest.raises(shelf.ShelfError, match="1,000 at most"):
        shelf.put(renamed(small, "c"), "c", None, SCORE)


def test_an_interrupted_write_leaves_no_half_model(small, monkeypatch):
    write = shelf.Path.write_bytes

    def full(path, content):
        if path.name == shelf.ABOUT:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(shelf.Path, "write_bytes", full)
    with pytest.raises(shelf.ShelfError, match="No space left on device"):
        shelf.put(small, "a", None, SCORE)
    assert os.listdir(shelf.folder()) == []


def test_many_at_once_lose_nothing(small):
    models = [renamed(small, str(i)) for i in range(8)]
    work = [
        threading.Thread(target=shelf.put, args=(model, f"m{i}", None, SCORE))
        for i, model in enumerate(models)
        for _ in range(3)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sorted(x.name for x in shelf.kept()) == [f"m{i}" for i in range(8)]
    assert len(os.listdir(shelf.folder())) == 8


def test_another_process_sees_it(small):
    shelf.put(small, "mine", "by hand", (9034, 10_000, "validation images"))
    code = "from qlab.trials import shelf; print([(x.name, x.recipe) for x in shelf.kept()])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[('mine', {'words': 'by hand'})]"


def test_what_cannot_be_used_is_dropped_by_the_name_that_its_trouble_gives(small):
    kept = shelf.put(small, "mine", None, SCORE)
    empty = shelf.folder() / ("ab" * 32)
    empty.mkdir()
    troubles = []
    shelf.kept(troubles)
    assert 'qlab.pareto.drop("abababab")' in troubles[0]
    assert pareto.drop("abababab") == 1 and os.listdir(shelf.folder()) == [kept.name]
    assert pareto.drop(kept.name[:8]) == 0 and pareto.drop("mine") == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("plant", ["folder", "link"])
def test_a_shelf_that_somebody_planted_takes_and_gives_nothing(small, plant, tmp_path):
    theirs = shelf.folder() if plant == "folder" else tmp_path / "theirs"
    theirs.mkdir(parents=True)
    (theirs / ("ab" * 32)).mkdir()
    if plant == "link":
        shelf.folder().parent.mkdir(parents=True, exist_ok=True)
        shelf.folder().symlink_to(theirs)
    os.chown(shelf.folder(), 54321, 54321, follow_symlinks=False)
    with pytest.raises(shelf.ShelfError, match="belongs to somebody else"):
        shelf.put(small, "mine", None, SCORE)
    assert os.listdir(theirs) == ["ab" * 32] and shelf._names() == []


# a shelf from somebody else


GOOD = {"version": 1, "name": "theirs", "recipe": {}, "correct": 1, "n": 2, "when": "2026"}


def place(content=b"anything", about=GOOD, name=None):
    """Lay a folder on the shelf by hand."""
    folder = shelf.folder() / (name or hashlib.sha256(content).hexdigest())
    folder.mkdir(parents=True)
    (folder / shelf.MODEL).write_bytes(content)
    (folder / shelf.ABOUT).write_bytes(
        about if isinstance(about, bytes) else json.dumps(about).encode()
    )
    return folder


@pytest.mark.parametrize(
    "about",
    [
        *(b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'"x"', b"null"),
        b'{"version": 1, "name": "x", "n": 1e999}' + b" " * shelf.LARGEST_ABOUT,
        *({}, {**GOOD, "version": 2}, {**GOOD, "name": ""}, {**GOOD, "name": 3}),
        *({**GOOD, "name": "\ud800\u202e"}, {**GOOD, "correct": 3}, {**GOOD, "correct": True}),
        *({**GOOD, "n": 0, "correct": 0}, {**GOOD, "n": 1e3}, {**GOOD, "correct": -1}),
    ],
)
def test_a_hostile_description_is_left_out_and_said(about, small):
    shelf.put(small, "mine", None, SCORE)
    place(about=about)
    troubles = []
    assert [x.name for x in shelf.kept(troubles)] == ["mine"]
    assert len(troubles) == 1 and "cannot be used" in troubles[0]
    assert len(troubles[0]) < 300


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": "words"},
        {"recipe": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}},
        {"recipe": {"x" * 1000: ["y" * 300] * 100, "n": float("nan"), "big": 10**400}},
        {"latency": {"median_ms": "fast"}},
        {"latency": {"median_ms": float("inf"), "p95_ms": 1, "batch": 1, "threads": 1, "runs": 1}},
        {"latency": [1], "machine": {"a": 1}, "when": 5},
        {"machine": "\x1b[31m" * 1000, "name": "\x1b[2J=1+1" * 100},
    ],
)
def test_hostile_details_are_tamed(changes):
    place(about={**GOOD, **changes})
    (kept,) = shelf.kept()
    text = json.dumps(recipe_dict(kept.recipe)) + kept.name + kept.machine + kept.when
    assert len(text) < 30_000
    assert "\x1b" not in kept.name + kept.machine + recipe_words(kept.recipe)
    assert kept.latency is None
    assert len(kept.name) <= shelf.LONGEST_NAME


def test_a_changed_or_foreign_file_is_left_out():
    place(name="0" * 64)
    changed = place(b"one")
    (changed / shelf.MODEL).write_bytes(b"two")
    place(name="not-a-checksum")
    (shelf.folder() / ("1" * 64)).write_text("a file, not a folder")
    os.symlink("/", shelf.folder() / ("2" * 64))
    pipe = place(b"three")
    (pipe / shelf.MODEL).unlink()
    os.mkfifo(pipe / shelf.MODEL)
    troubles = []
    assert shelf.kept(troubles) == []
    assert len(troubles) == 3  # the other three do not look like a model's folder


def test_a_kept_file_is_checked_before_it_runs():
    content = b"\x00\x00\x00\x00TFL3" + bytes(100)
    place(content)
    (mine,) = [x for x in pareto.entries() if x.origin == "yours"]
    assert (mine.kind, mine.latency) == ("cached", None)
    with pytest.raises(qlab.ModelError, match="theirs"):
        list(pareto.remeasure([mine]))


def test_a_model_that_was_dropped_meanwhile_is_said(small):
    shelf.put(small, "mine", None, SCORE)
    (mine,) = [x for x in pareto.entries() if x.origin == "yours"]
    pareto.drop("mine")
    with pytest.raises(shelf.ShelfError, match="no longer on the shelf"):
        list(pareto.remeasure([mine]))


# rows


def test_rows_come_with_the_front_first_and_the_same_keys():
    board = [entry("a", 10, 700), entry("b", 20, 900), entry("c", 20, 100), entry("d", 9, 699)]
    found = pareto.rows(board)
    assert [row["model"] for row in found] == ["d", "a", "b", "c"]
    assert len({tuple(row) for row in found}) == 1
    assert found[0]["latency_ms"] == "" and found[0]["low"] < 0.699 < found[0]["high"]


def test_a_control_is_known_by_its_name():
    assert entry("qat-control-seed0").is_control
    assert not entry("qat-w4-seed0").is_control


def test_recipes_of_all_kinds_become_words():
    recipe = qlab.Recipe(weight_bits=4, overrides={"conv_1": {"weight_bits": 3}})
    words = recipe_words(recipe_dict(recipe))
    assert "overrides (conv_1 (weight bits 3))" in words
    assert "weight bits 4" in words
    assert recipe_words(recipe_dict(None)) == "not recorded"
    assert recipe_words(recipe_dict({"seed": np.int64(3), "ok": True})) == "seed 3, ok True"
    with pytest.raises(TypeError, match="this is a int"):
        recipe_dict(3)
    assert dataclasses.is_dataclass(recipe)
