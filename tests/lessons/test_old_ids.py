"""What version 0.1.0 wrote is read: its progress file, and its ids in a learner's own notebooks.

Version 0.1.0 itself made ``version_0_1_0/progress.json`` and its report of it: guesses (one late,
one a number, some whose names have changed), a quiz, mistakes, hints, a solution, passes.
"""

import copy
import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from qlab import cli
from qlab.lessons import check, document, memory, predict, progress, quiz, reveal, solution
from qlab.lessons.claims import CLAIMS, check_claim
from qlab.lessons.exercises import EXERCISES
from qlab.lessons.old_ids import MOVED, RENAMED, TOPICS, current
from qlab.lessons.predictions import QUESTIONS
from qlab.lessons.quizzes import ITEMS
from qlab.lessons.registry import NOTEBOOKS, topic_of

OLD = Path(__file__).parent / "version_0_1_0"
RAW = json.loads((OLD / "progress.json").read_text("utf-8"))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A learner's progress file, as version 0.1.0 left it."""
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "progress.json"))
    return Path(shutil.copy(OLD / "progress.json", tmp_path))


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


# Ids


RETIRED = {"distillation.quiz.smoothing"}  # true of one setting alone, once all was trained anew
RETIRED |= {"combine.layer", "combine.c_source", "qat.first_gain"}  # no longer asked
ASKED_SINCE = {"baseline.seeds", "distillation.permuted", "distillation.quiz.neighbours"}
ASKED_SINCE |= {"ptq.quiz.rest", "ptq.quiz.changed", "rounding", "rounding.better_end"}
ASKED_SINCE |= {f"rounding.{x}" for x in ("bias", "feedback", "outlier", "collapse")}
ASKED_SINCE |= {f"rounding.quiz.{x}" for x in ("zero", "errors", "regained")}
ASKED_SINCE |= {f"rounding.{x}" for x in ("corrected_bias", "gptq_row", "equalize_pair")}
ASKED_SINCE |= {"own_model", "own_model.as_it_wants", "own_model.small_recipe"}
ASKED_SINCE |= {f"own_model.{x}" for x in ("width", "stays", "wrong", "two_bits", "hurts")}
ASKED_SINCE |= {
    f"own_model.quiz.{x}" for x in ("one_point", "floats", "won_back", "converter", "tested")
}
ASKED_SINCE |= {
    "giant",
    *(f"giant.{x}" for x in ("breaks", "four_bits", "calibration", "outliers")),
}
ASKED_SINCE |= {f"giant.{x}" for x in ("half", "cache", "bits_a_character", "gptq_row")}
ASKED_SINCE |= {"giant.cache_bytes", "giant.best_under"}
ASKED_SINCE |= {"combine.fits_board", "combine.ram", "distillation.board", "pruning.ram"}
ASKED_SINCE |= {"ptq.integer_layer", "ptq.on_a_chip", "qat.over_the_best", "pruning.quiz.longer"}
ASKED_SINCE |= {"clustering", "clustering.together", "clustering.make_up"}
ASKED_SINCE |= {f"clustering.quiz.{x}" for x in ("coder", "entropy", "small_layer", "spared")}
ASKED_SINCE |= {f"claims.{x}" for x in ("special_optimizer", "all_optimizations", "energy")}
ASKED_SINCE |= {"claims.saved_pruned", "claims.winner", "claims.half_can_go", "museum.g"}


def test_every_old_id_has_one_that_is_asked_today():
    old = {row["id"] for row in rows((OLD / "qlab-report.csv").read_bytes())}
    today = {current(id) for id in old}
    assert len(today) == len(old)
    assert today - RETIRED <= {*QUESTIONS, *EXERCISES, *ITEMS, *NOTEBOOKS}
    assert set(RENAMED) <= old and {*TOPICS.values(), "museum"} <= set(NOTEBOOKS)


def test_what_moved_to_a_notebook_of_its_own_is_asked_there():
    asked = {**QUESTIONS, **EXERCISES, **ITEMS}
    assert set(MOVED.values()) <= set(asked) and not set(MOVED) & set(asked)
    assert current("04.sixteen") == current("pruning.sixteen_values") == "clustering.sixteen_values"


def test_ids_of_today_and_of_nowhere_stay():
    ids = [*QUESTIONS, *EXERCISES, *ITEMS, *NOTEBOOKS, "99.mine", "", "."]
    assert [current(id) for id in ids] == ids


# The file


@pytest.mark.parametrize("kind", sorted(RAW.keys() & document.FIELDS))
def test_all_entries_are_carried_over(path, kind):
    assert RAW[kind]
    assert memory.progress()[kind] == {current(id): entry for id, entry in RAW[kind].items()}


def test_reading_changes_no_file_and_the_first_thing_done_writes_all_of_it(path):
    before = path.read_bytes()
    memory.progress(), str(progress())
    assert path.read_bytes() == before
    predict("welcome.size").guess("less than 2 times")
    written = json.loads(path.read_bytes())
    for kind in document.FIELDS:
        assert set(written[kind]) == {current(id) for id in RAW.get(kind, ())}
    assert written["questions"]["welcome.size"]["counted"] == "4 times or more"


def test_the_learner_goes_on_where_it_was(path):
    assert predict("qat.eight_bits").control.value == "in none"
    assert reveal("rounding.blank", 10.0).guess == 14
    assert "Hint 2 of" in repr(check("ptq.quantize", lambda x, params: -5))
    text = re.sub(" +", " ", str(progress()))
    assert "Progress of Ada" in text and "00 Welcome begun 2 of 2 made: 1 right, 1 wrong" in text
    assert re.search(r"01 Baseline begun .* 1 of 5 passed 1 of 5 right", text)
    assert "03 Better rounding begun 1 of 9 made: 1 right" in text  # it was asked in 02


def test_a_report_of_an_old_file_says_what_it_said(path, tmp_path):
    assert cli.main(["report", "--to", str(tmp_path)]) == 0
    new = {row["id"]: row for row in rows((tmp_path / "qlab-report.csv").read_bytes())}
    old = rows((OLD / "qlab-report.csv").read_bytes())
    assert new.keys() - {current(row["id"]) for row in old} == ASKED_SINCE
    for row in [row for row in old if current(row["id"]) not in RETIRED]:
        today = current(row["id"])  # what notebook 02 asked may be asked in 03 now
        renamed = {**row, "id": today, "notebook": topic_of(today)}
        assert new[renamed["id"]] == renamed
    page = (tmp_path / "qlab-report.html").read_text("utf-8")
    assert "Left out: 1 entries for questions or exercises not in this version." in page


# Old and new ids in one file, where an older qlab is still used as well

NOON, ONE = "2025-01-31T12:00:00Z", "2025-01-31T13:00:00Z"


def merged(kind, old, new):
    """What is read of a file with both entries, in whichever order."""
    ids = {"questions": ("03.eight", "qat.eight_bits"), "notebooks": ("03", "qat")}
    pair = dict(zip(ids.get(kind, ("03.gain", "qat.gain")), (old, new), strict=True))
    whole = {**document.empty(), kind: copy.deepcopy(pair)}
    [entry] = document.clean(whole)[kind].values()
    turned = {**whole, kind: dict(reversed(pair.items()))}
    [same] = document.clean(turned)[kind].values()
    for one in (entry, same):  # lists keep the order in which the file has the entries
        one.update({name: sorted(one[name]) for name in ("hints", "mistakes") if name in one})
    assert entry == same
    assert document.parse(document.to_bytes(whole))[kind].keys() == {pair_id(kind)}
    return entry


def pair_id(kind):
    return {"questions": "qat.eight_bits", "notebooks": "qat"}.get(kind, "qat.gain")


def test_the_latest_guess_stands_and_the_first_that_was_answered_counts():
    first = {"guess": "a", "guessed": NOON, "counted": "a", "right": True, "revealed": NOON}
    second = {"guess": "b", "guessed": ONE, "counted": "b", "right": False, "revealed": ONE}
    kept = {"guess": "b", "guessed": ONE, "counted": "a", "right": True, "revealed": NOON}
    assert merged("questions", first, second) == merged("questions", second, first) == kept


def test_a_reveal_with_a_guess_goes_before_one_without():
    seen = {"truth": 0, "measured": "in none", "revealed": NOON}
    answered = {"guess": "b", "guessed": ONE, "counted": "b", "right": False, "revealed": ONE}
    assert merged("questions", seen, answered) == answered
    assert merged("questions", seen, {"guess": "b"}) == {**seen, "guess": "b"}
    assert merged("questions", seen, {}) == seen


def test_attempts_add_up_and_what_was_reached_first_stays():
    tried = {"attempts": 3, "failures": 2, "hints": [1, 2], "mistakes": ["x"], "solution": ONE}
    done = {"attempts": 1, "failures": 0, "mistakes": ["x", "y"], "passed": ONE, "solution": NOON}
    assert merged("exercises", tried, done) == {
        "attempts": 4,
        "failures": 2,
        "hints": [1, 2],
        "mistakes": ["x", "y"],
        "solution": NOON,
        "passed": ONE,
    }
    assert merged("exercises", {**tried, "attempts": 10**9}, done)["attempts"] == 10**9


def test_time_adds_up_from_the_first_visit_to_the_last():
    one, other = {"first": NOON, "last": NOON, "seconds": 60}, {"first": ONE, "last": ONE}
    assert merged("notebooks", one, other) == {"first": NOON, "last": ONE, "seconds": 60}
    assert merged("notebooks", one, {"seconds": 5})["seconds"] == 65


def test_an_id_that_grows_too_long_is_told():
    with pytest.raises(document.ProgressError, match="an id in questions should be a short text"):
        document.parse(json.dumps({"version": 1, "questions": {"05." + "x" * 497: {}}}).encode())


# Old ids in a learner's own copy of a notebook


def test_old_calls_work_and_are_kept_under_the_ids_of_today(tmp_path, monkeypatch):
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "progress.json"))
    predict("03.eight").guess("in none")
    assert reveal("03.eight", 0).right and reveal("qat.eight_bits", 0).right
    assert repr(check("02.packed_bytes", ...)) == "ptq.packed_bytes: not attempted yet"
    assert check("02.packed_bytes", lambda count, bits: -(-count * bits // 8)).passed
    assert solution("01.accuracy").source == solution("baseline.accuracy").source
    shown = quiz(
        "04", **dict.fromkeys(("whole", "sparse", "small", "tiny", "mean", "work", "at_90"))
    )
    assert repr(shown).startswith("Quiz 05: 5 questions")
    assert check_claim("07.third", {"int8": 3.6}).claim is CLAIMS["claims.third"]
    done = memory.progress()
    assert list(done["questions"]) == ["qat.eight_bits"]
    assert list(done["exercises"]) == ["ptq.packed_bytes", "baseline.accuracy"]
    assert list(done["notebooks"]) == ["qat", "ptq", "baseline", "pruning"]


def test_an_old_id_that_never_was_names_the_nearest_of_today():
    with pytest.raises(ValueError, match=r"no question '02.flip'. Did you mean 'ptq.flips'"):
        predict("02.flip")
