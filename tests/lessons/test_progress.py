"""What is remembered between kernels, and that no file or disk can break a notebook."""

import errno
import json
import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import filelock
import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlab.lessons import check, document, learner, memory, predict, progress, reveal, solution
from qlab.lessons import store as stores
from qlab.lessons.document import ProgressError
from qlab.lessons.store import Store
from qlab.lessons.syllabus import parts
from qlab.system.files import progress_file

NOON = "2025-01-31T12:00:00Z"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The progress file of this test; it does not exist yet."""
    path = tmp_path / "state" / "progress.json"
    monkeypatch.setenv("QLAB_PROGRESS", str(path))
    monkeypatch.delenv("QLAB_LEARNER", raising=False)
    return path


def on_disk(path):
    return document.parse(path.read_bytes())


def new_kernel():
    memory._stores.clear()


def at(monkeypatch, *times):
    """Let each event happen at the next of `times`, given as HH:MM:SS."""
    moments = iter(f"2025-01-31T{time}Z" for time in times)
    monkeypatch.setattr(document, "now", lambda: next(moments))


# What is remembered


def test_a_guess_is_there_in_another_process(path):
    code = "from qlab.lessons import memory; memory.record_guess('welcome.size', '4 times or more')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert predict("welcome.size").control.value == "4 times or more"
    code = "from qlab.lessons import reveal; print(reveal('welcome.size', 3.6).guess)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "4 times or more\n"


def test_hints_go_on_growing_in_a_new_kernel(path):
    wrong = lambda *_: -5  # noqa: E731
    assert "Hint 1 of" in repr(check("ptq.packed_bytes", wrong))
    new_kernel()
    assert "Hint 2 of" in repr(check("ptq.packed_bytes", wrong))


def test_guess_truth_time_and_verdict_are_kept(path, monkeypatch):
    at(monkeypatch, "12:00:00", "12:01:00", "12:02:00")
    predict("welcome.size").guess("4 times or more")
    reveal("welcome.size", 3.62)
    assert on_disk(path)["questions"]["welcome.size"] == {
        "guess": "4 times or more",
        "guessed": "2025-01-31T12:01:00Z",
        "counted": "4 times or more",
        "truth": 3.62,
        "measured": "3.62 times smaller, so: between 3 and 4 times",
        "right": False,
        "revealed": "2025-01-31T12:02:00Z",
    }


def test_the_guess_made_before_the_truth_is_the_one_that_counts(path):
    predict("welcome.size").guess("4 times or more")
    reveal("welcome.size", 3.62)
    predict("welcome.size").guess("between 3 and 4 times")
    assert reveal("welcome.size", 3.62).right  # what the learner sees
    entry = on_disk(path)["questions"]["welcome.size"]
    assert (entry["counted"], entry["right"]) == ("4 times or more", False)
    assert entry["guess"] == "between 3 and 4 times" and "late" not in entry


def test_a_guess_after_the_truth_is_marked(path):
    reveal("welcome.size", 3.62)
    assert "right" not in on_disk(path)["questions"]["welcome.size"]
    predict("welcome.size").guess("between 3 and 4 times")
    reveal("welcome.size", 3.62)
    entry = on_disk(path)["questions"]["welcome.size"]
    assert entry["late"] and entry["right"]


def test_attempts_mistakes_hints_and_solution_are_kept_up_to_the_pass(path, monkeypatch):
    bits = lambda count, bits: count * bits  # noqa: E731
    right = lambda count, bits: -(-count * bits // 8)  # noqa: E731
    check("ptq.packed_bytes", ...)
    assert "ptq.packed_bytes" not in on_disk(path)["exercises"]
    check("ptq.packed_bytes", bits)
    check("ptq.packed_bytes", lambda count, bits: -5)
    solution("ptq.packed_bytes")
    check("ptq.packed_bytes", right)
    entry = on_disk(path)["exercises"]["ptq.packed_bytes"]
    assert entry["attempts"] == 3 and entry["failures"] == 0 and entry["hints"] == [1]
    assert len(entry["mistakes"]) == 1 and "bits" in entry["mistakes"][0]
    assert entry["solution"] and entry["passed"]
    check("ptq.packed_bytes", bits)
    check("ptq.packed_bytes", right)
    assert on_disk(path)["exercises"]["ptq.packed_bytes"]["attempts"] == 3


def test_a_solution_looked_at_after_the_pass_does_not_count(path):
    check("ptq.packed_bytes", lambda count, bits: -(-count * bits // 8))
    solution("ptq.packed_bytes")
    assert "solution" not in on_disk(path)["exercises"]["ptq.packed_bytes"]


def test_minutes_leave_out_long_pauses_and_clocks_set_back(path, monkeypatch):
    at(monkeypatch, "12:00:00", "12:03:00", "12:13:00", "12:23:01", "12:20:00", "12:20:30")
    for _ in range(6):
        memory.seen("ptq.packed_bytes")
    notebook = on_disk(path)["notebooks"]["ptq"]
    assert notebook == {
        "first": "2025-01-31T12:00:00Z",
        "last": "2025-01-31T12:20:30Z",
        "seconds": 3 * 60 + 10 * 60 + 30,
    }


def test_run_all_with_nothing_answered_notes_only_the_notebook(path):
    predict("welcome.size")
    check("welcome.fewest_bits", ...)
    done = on_disk(path)
    assert done["questions"] == done["exercises"] == {}
    assert list(done["notebooks"]) == ["welcome"]


def test_the_name_comes_from_the_learner_or_from_outside(path, monkeypatch):
    assert learner() == ""
    monkeypatch.setenv("QLAB_LEARNER", "hub-user-7")
    assert learner() == "hub-user-7"
    memory.seen("welcome.size")
    assert on_disk(path)["learner"] == "hub-user-7"
    assert learner(" Ada ") == "Ada"
    memory.seen("welcome.size")
    assert on_disk(path)["learner"] == "Ada" == learner()


def test_a_guess_that_is_no_longer_offered_is_no_guess(path):
    memory.record_guess("welcome.size", "an option of last year")
    memory.record_guess("rounding.blank", "thirty")
    assert predict("welcome.size").control.value is None
    assert predict("rounding.blank").control.value == ""
    assert reveal("welcome.size", 3.62).guess is reveal("rounding.blank", 10.0).guess is None


def test_any_truth_can_be_kept(path):
    for truth in (float("inf"), 10**400, "\ud800", "x" * 10_000, object()):
        memory.forget()
        memory.record_reveal(
            "welcome.size", truth, str(truth)[:10_000] if truth != 10**400 else "", 0
        )
        assert list(on_disk(path)["questions"]) == ["welcome.size"]


# Where


def test_the_tests_do_not_touch_the_users_own_file():
    mine = platformdirs.user_state_path("qlab", appauthor=False) / "progress.json"
    assert progress_file() != mine


def test_without_a_word_it_is_in_the_state_folder(monkeypatch):
    monkeypatch.delenv("QLAB_PROGRESS")
    mine = platformdirs.user_state_path("qlab", appauthor=False) / "progress.json"
    assert progress_file() == mine


def test_a_linked_file_stays_a_link(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.json")
    learner("Ada")
    assert path.is_symlink() and on_disk(tmp_path / "elsewhere.json")["learner"] == "Ada"


as_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives away")


@as_root
@pytest.mark.parametrize("planted", ["link", "file", "lock"])
def test_what_somebody_planted_is_refused_in_words(path, tmp_path, planted, capsys):
    path.parent.mkdir()
    precious = tmp_path / ".bashrc"
    precious.write_text("alias ll='ls -l'")
    place = path.with_name("progress.json.lock") if planted == "lock" else path
    if planted == "file":
        place.write_bytes(GOOD)
    else:
        place.symlink_to(precious)
    os.chown(place, 54321, 54321, follow_symlinks=False)
    before = {each.name for each in path.parent.iterdir()}
    predict("welcome.size").guess("4 times or more")
    memory.forget()
    assert reveal("welcome.size", 3.62).measured
    assert (
        precious.read_text() == "alias ll='ls -l'"
        and not tmp_path.joinpath(".bashrc.lock").exists()
    )
    assert {each.name for each in path.parent.iterdir()} == before
    err = capsys.readouterr().err
    assert "cannot be saved" in err and "belongs to somebody else" in err


def test_a_file_of_a_newer_version_stays_where_it_is_and_is_said_so(path, capsys):
    path.parent.mkdir()
    path.write_bytes(newer := with_(version=2, learner="Ada"))
    predict("welcome.size").guess("4 times or more")
    assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert path.read_bytes() == newer and len(list(path.parent.glob("*.json*"))) <= 2  # the lock
    err = capsys.readouterr().err
    assert err.count("cannot be saved") == 1 and "its version is 2" in err and "update qlab" in err
    memory.forget()
    assert path.with_name("progress.json.kept-1").read_bytes() == newer


# Two at once


def write_many(path, number):
    """What one of several notebooks does, in a process of its own."""
    os.environ["QLAB_PROGRESS"] = str(path)
    for turn in range(25):
        memory.record_guess(f"n{number}.q{turn}", turn)
        memory.record_check("shared", passed=False)


def test_processes_writing_at_once_lose_nothing(path, capfd):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=write_many, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    done = on_disk(path)
    wanted = {f"n{number}.q{turn}": turn for number in range(4) for turn in range(25)}
    assert {id: entry["guess"] for id, entry in done["questions"].items()} == wanted
    assert done["exercises"]["shared"] == {"attempts": 100, "failures": 100, "general": 0}
    assert capfd.readouterr().err == ""
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def test_two_kernels_see_each_other(path):
    one, two = Store(path), Store(path)
    one.update(lambda whole: whole["questions"].update(a={"guess": 1}))
    two.update(lambda whole: whole["questions"].update(b={"guess": 2}))
    assert (
        one.read()["questions"] == two.read()["questions"] == {"a": {"guess": 1}, "b": {"guess": 2}}
    )


def test_asking_the_test_images_is_counted_for_each_file_and_is_no_work_on_a_notebook(path):
    assert [memory.record_asked(sha) for sha in ("ab", "cd", "ab")] == [1, 1, 2]
    new_kernel()
    assert memory.record_asked("ab") == 3
    assert on_disk(path) == {
        **document.empty(),
        "test_images": {"cd": {"asked": 1}, "ab": {"asked": 3}},
    }


def test_an_older_file_goes_on_and_a_count_ends_where_the_file_allows(path):
    path.parent.mkdir()
    asked = {"ab": {"asked": document.MOST_COUNT}, "cd": {}}
    path.write_bytes(with_(questions={"welcome.size": {"guess": "12"}}))
    assert memory.record_asked("ab") == 1
    path.write_bytes(with_(test_images=asked))
    assert memory.record_asked("ab") == document.MOST_COUNT
    assert memory.record_asked("cd") == 1
    on_disk(path)


def test_of_too_many_files_that_not_asked_about_for_longest_is_forgotten(path):
    path.parent.mkdir()
    path.write_bytes(with_(test_images={f"{i:064x}": {"asked": 2} for i in range(1000)}))
    assert memory.record_asked(f"{0:064x}") == 3
    assert memory.record_asked("new") == 1
    asked = on_disk(path)["test_images"]
    assert len(asked) == 1000 and f"{0:064x}" in asked and f"{1:064x}" not in asked


# Broken files

GOOD = document.to_bytes(
    {**document.empty(), "questions": {"welcome.size": {"guess": "12", "right": True}}}
)


def with_(**parts):
    return json.dumps({"version": 1, **parts} if "name" in parts else
                      {"version": 1, "learner": "", **parts}).encode()  # fmt: skip


BROKEN = {
    "empty": b"",
    "truncated": GOOD[: len(GOOD) // 2],
    "binary": bytes(range(256)),
    "not an object": b"[]",
    "null": b"null",
    "somebody else's": b'{"nbformat": 4}',
    "older": with_(version=0),
    "another's": with_(name="a model", recipe={}),
    "version as text": with_(version="1"),
    "version as a part": with_(version=1.5),
    "version as truth": with_(version=True),
    "version without end": b'{"version": ' + b"1" * 5000 + b"}",
    "huge": with_(learner="x" * document.MOST_BYTES),
    "deep": b"[" * 200_000,
    "deep inside": b'{"version": 1, "questions": ' + b'{"a":' * 50_000,
    "name": with_(learner=["Ada"]),
    "long name": with_(learner="x" * 501),
    "lone surrogate": b'{"version": 1, "learner": "\\ud800"}',
    "surrogate id": b'{"version": 1, "questions": {"\\udfff": {}}}',
    "a list of questions": with_(questions=[]),
    "an entry that is a text": with_(questions={"welcome.size": "guess"}),
    "too many": with_(questions={str(i): {} for i in range(1001)}),
    "guess": with_(questions={"welcome.size": {"guess": {}}}),
    "guess is not a number": b'{"version": 1, "questions": {"welcome.size": {"guess": NaN}}}',
    "guess without end": b'{"version": 1, "questions": {"welcome.size": {"guess": Infinity}}}',
    "large guess": with_(questions={"welcome.size": {"guess": 10**16}}),
    "right": with_(questions={"welcome.size": {"right": "yes"}}),
    "null inside": with_(questions={"welcome.size": {"right": None}}),
    "time": with_(questions={"welcome.size": {"revealed": "yesterday"}}),
    "no such day": with_(questions={"welcome.size": {"revealed": "2025-02-30T12:00:00Z"}}),
    "year 0": with_(notebooks={"00": {"last": "0000-01-01T00:00:00Z"}}),
    "negative count": with_(exercises={"a": {"attempts": -1}}),
    "count as truth": with_(exercises={"a": {"attempts": True}}),
    "fraction": with_(exercises={"a": {"attempts": 1.5}}),
    "hints": with_(exercises={"a": {"hints": 1}}),
    "hints as text": with_(exercises={"a": {"hints": ["1"]}}),
    "many hints": with_(exercises={"a": {"hints": [1] * 51}}),
    "mistakes": with_(exercises={"a": {"mistakes": [1]}}),
    "seconds": with_(notebooks={"00": {"seconds": "9"}}),
    "files asked about": with_(test_images=["ab"]),
    "too many files": with_(test_images={str(i): {} for i in range(1001)}),
    "long checksum": with_(test_images={"a" * 501: {"asked": 1}}),
    "asked without end": with_(test_images={"ab": {"asked": 10**9 + 1}}),
    "asked as text": with_(test_images={"ab": {"asked": "1"}}),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_set_aside_and_said_so(data, path, capsys):
    path.parent.mkdir()
    path.write_bytes(data)
    assert reveal("welcome.size", 3.62).guess is None
    aside = path.with_name("progress.json.broken-1")
    assert aside.read_bytes() == data
    err = capsys.readouterr().err
    assert err.startswith("The progress file could not be used: ") and str(aside) in err
    predict("welcome.size").guess("4 times or more")
    assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert on_disk(path)["questions"]["welcome.size"]["guess"] == "4 times or more"
    assert capsys.readouterr().err == ""
    assert str(aside) in str(progress())


def test_a_file_that_breaks_while_the_kernel_lives_is_set_aside(path, capsys):
    learner("Ada")
    path.write_bytes(b"{")
    assert learner() == ""
    path.write_bytes(b"{{")
    memory.seen("welcome.size")
    assert path.with_name("progress.json.broken-1").read_bytes() == b"{"
    assert path.with_name("progress.json.broken-2").read_bytes() == b"{{"
    assert capsys.readouterr().err.count("set aside") == 2


def test_a_usable_file_is_not_set_aside_for_a_broken_one(path):
    path.parent.mkdir()
    path.write_bytes(GOOD)
    Store(path).set_aside()
    assert path.read_bytes() == GOOD


def test_fields_of_a_later_course_are_dropped_not_refused(path):
    path.parent.mkdir()
    path.write_bytes(with_(learner="Ada", badges=[1], questions={"a": {"guess": 1, "mood": {}}}))
    assert memory.progress() == {
        **document.empty(),
        "learner": "Ada",
        "questions": {"a": {"guess": 1}},
    }


def test_deleting_the_file_starts_afresh(path):
    predict("welcome.size").guess("4 times or more")
    path.unlink()
    assert memory.guesses == {}
    predict("welcome.accuracy").guess("100 to 499")
    assert list(on_disk(path)["questions"]) == ["welcome.accuracy"]


def test_forget_keeps_the_old_file(path):
    learner("Ada")
    memory.forget()
    assert learner() == "" and not path.exists()
    assert on_disk(path.with_name("progress.json.kept-1"))["learner"] == "Ada"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = sorted({name for fields in document.FIELDS.values() for name in fields})
ENTRIES = st.dictionaries(st.text(), st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={"learner": JSON, **dict.fromkeys(document.FIELDS, ENTRIES | JSON)},
)


@given(st.binary() | (JSON | DOCUMENTS).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_read_is_usable_or_a_progress_error(data):
    try:
        read = document.parse(data)
    except ProgressError:
        return
    assert document.parse(document.to_bytes(read)) == read


# Disks that cannot be written


def fails_with(code):
    def replace(*_):
        raise OSError(code, os.strerror(code))

    return replace


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_said_once_and_made_up_for(code, path, monkeypatch, capsys):
    learner("Ada")
    before = path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fails_with(code))
        predict("welcome.size").guess("4 times or more")
        assert reveal("welcome.size", 3.62).guess == "4 times or more"
        check("ptq.packed_bytes", lambda count, bits: "nonsense")
        assert path.read_bytes() == before
        err = capsys.readouterr().err
        assert err.count("cannot be saved") == 1 and os.strerror(code) in err
        assert "cannot be saved" in str(progress())
    assert not list(path.parent.glob(".*")), "a half-written file was left"
    memory.seen("welcome.size")
    done = on_disk(path)
    assert done["learner"] == "Ada" and done["questions"]["welcome.size"]["right"] is False
    assert done["exercises"]["ptq.packed_bytes"]["attempts"] == 1
    assert "cannot be saved" not in str(progress())


def test_a_place_that_cannot_be(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "file" / "progress.json"))
    predict("welcome.size").guess("4 times or more")
    assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert capsys.readouterr().err.count("cannot be saved") == 1


@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_a_folder_or_a_pipe_is_left_as_it_is(make, path, capsys):
    path.parent.mkdir()
    make(path)
    kind = path.stat().st_mode
    predict("welcome.size").guess("4 times or more")
    assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert path.stat().st_mode == kind
    assert "cannot be saved" in capsys.readouterr().err


def test_a_broken_file_that_cannot_be_renamed_is_not_overwritten(path, monkeypatch, capsys):
    path.parent.mkdir()
    path.write_bytes(b"{")
    monkeypatch.setattr(os, "rename", fails_with(errno.EACCES))
    predict("welcome.size").guess("4 times or more")
    assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert path.read_bytes() == b"{"
    assert capsys.readouterr().err.count("cannot be saved") == 1


def test_a_file_that_cannot_be_read_is_not_overwritten(path, monkeypatch, capsys):
    learner("Ada")
    before = path.read_bytes()
    new_kernel()
    with monkeypatch.context() as broken:
        broken.setattr(stores, "read", fails_with(errno.EACCES))
        predict("welcome.size").guess("4 times or more")
        assert predict("welcome.size").control.value == "4 times or more"
        assert path.read_bytes() == before
    assert "cannot be saved" in capsys.readouterr().err
    memory.seen("welcome.size")
    assert on_disk(path)["learner"] == "Ada" and "welcome.size" in on_disk(path)["questions"]


def test_a_lock_that_another_holds_does_not_stop_the_notebook(path, monkeypatch, capsys):
    monkeypatch.setattr(stores, "LOCK_SECONDS", 0.01)
    learner("Ada")
    new_kernel()
    with filelock.FileLock(f"{path}.lock"):
        predict("welcome.size").guess("4 times or more")
        assert reveal("welcome.size", 3.62).guess == "4 times or more"
    assert capsys.readouterr().err.count("cannot be saved") == 1
    memory.seen("welcome.size")
    assert on_disk(path)["questions"]["welcome.size"]["guess"] == "4 times or more"


# The map


def test_its_text_is_fixed_and_its_picture_is_the_same_for_every_new_learner(path):
    first = progress()._repr_html_()
    assert repr(progress()) == "Progress()"
    learner("Ada")
    assert repr(progress()) == "Progress()" and progress()._repr_html_() != first
    memory.forget()
    assert progress()._repr_html_() == first


def test_the_map_tells_what_is_done(path, monkeypatch):
    monkeypatch.setattr(document, "now", lambda: NOON)
    for id, guess, truth in (
        ("welcome.size", "between 3 and 4 times", 3.62),
        ("welcome.accuracy", "500 to 1,999", 12),
    ):
        predict(id).guess(guess)
        reveal(id, truth)
    text = re.sub(" +", " ", str(progress()))
    assert (
        "00 Welcome begun 2 of 2 made: 1 right, 1 wrong 0 of 1 passed 0 of 5 right under 5 min"
        in text
    )
    memory.record_check("welcome.fewest_bits", passed=True)
    monkeypatch.setattr(document, "now", lambda: "2025-01-31T12:08:00Z")
    memory.seen("welcome.size")
    text = re.sub(" +", " ", str(progress()))
    assert (
        "00 Welcome done 2 of 2 made: 1 right, 1 wrong 1 of 1 passed 0 of 5 right about 10 min"
        in text
    )
    assert "01 Baseline not begun" in text and "Next: 01 Baseline." in text


def test_the_map_is_a_table_that_a_screen_reader_can_walk(path):
    memory.seen("welcome.size")
    html = progress()._repr_html_()
    assert "<caption" in html and html.count('scope="row"') == len(parts())
    assert html.count('scope="col"') == 6
    assert "begun" in html and "var(--jp-" in html
    colours = re.findall(r"(?<![\w-])color:([^;\"]+)", html)
    assert colours and all(c == "inherit" or c.startswith("var(--jp-") for c in colours)


def test_names_and_notices_are_escaped(path):
    learner("<script>alert(1)</script>")
    html = progress()._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html


def test_the_course_ends(path, monkeypatch):
    whole = document.empty()
    for part in parts():
        whole["notebooks"][part.topic] = {"first": NOON, "last": NOON}
        whole["questions"].update({q.id: {"guess": 1, "right": True} for q in part.questions})
        whole["exercises"].update({e.id: {"passed": NOON} for e in part.exercises})
    path.parent.mkdir()
    path.write_bytes(document.to_bytes(whole))
    assert str(progress()).endswith("All done.") and "begun" not in str(progress())


def test_every_notebook_there_is_has_a_title_on_the_map():
    notebooks = sorted(Path(__file__).parents[2].glob("notebooks/[0-9]*.ipynb"))
    titled = {part.number: part.title for part in parts()}
    for notebook in notebooks:
        number, name = notebook.stem.split("_", 1)
        assert titled[number].lower().replace("-", "_").replace(" ", "_") == name.lower()
