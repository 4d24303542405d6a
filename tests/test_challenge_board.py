"""The board: many at once, damaged notes, same names, ties, and what a cheat can do."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import hostile
import pytest

from qlab import challenge, cli
from qlab.challenge import board, submit
from qlab.challenge import submissions as room
from qlab.challenge.command import board_main, lines
from qlab.challenge.intake import clean_name
from qlab.tflite import artefacts

SCRIPT = Path(__file__).with_name("submit_many.py")
EVIL = "<img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def few(fashion):
    return SimpleNamespace(images=fashion.test.images[:300], labels=fashion.test.labels[:300])


@pytest.fixture
def files(tmp_path):
    """Paths of files by name: the shipped ones, and a copy of one with some bytes behind it."""
    folder = tmp_path / "files"
    folder.mkdir()

    def path(name, padding=0):
        copy = folder / f"{name}-{padding}.tflite"
        copy.write_bytes(artefacts.path(f"{name}.tflite").read_bytes() + bytes(padding))
        return copy

    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


@pytest.fixture(scope="module")
def submitted(tmp_path_factory, few):
    """A folder with Ada's submission."""
    folder = tmp_path_factory.mktemp("submitted")
    submit(folder, artefacts.path("qat-w2-seed0.tflite"), "Ada", test=few)
    return folder


@pytest.fixture
def with_ada(submitted, tmp_path):
    """A folder of its own with Ada's submission, and the note of it."""
    folder = tmp_path / "with-ada"
    shutil.copytree(submitted, folder)
    return folder, next(folder.glob("*.json"))


@pytest.fixture
def no_grading(monkeypatch):
    """Any attempt to grade fails the test."""

    def graded(*_, **__):
        pytest.fail("graded again")

    monkeypatch.setattr(room, "grade_bytes", graded)


def names(rows):
    return [row.entry.name for row in rows]


def notes(folder):
    return sorted(x for x in folder.iterdir() if x.name.endswith(".json"))


# ---- ranking ------------------------------------------------------------------------------------
def entry(name, gzip_bytes, minutes=0, correct=95, sha256=None, file="a"):
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    sha256 = sha256 or f"{name}{gzip_bytes}"
    verdict = challenge.Verdict("", 9, gzip_bytes, sha256, correct, 100)
    return room.GradedSubmission(name, when, file, verdict, "measured")


def test_progress_is_told(folder, files, few):
    for name in ("Ada", "Eve"):
        (folder / f"{name}.tflite").write_bytes(b"text")
    told = []
    board(folder, test=few, progress=lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]


def test_the_smallest_file_leads_and_of_equals_the_first():
    entries = (entry("Late", 10, 5), entry("Large", 20), entry("Early", 10, 1), entry("Tiny", 9, 9))
    rows = challenge.Board(entries).league("0.90")
    assert names(rows) == ["Tiny", "Early", "Late", "Large"]
    assert [row.place for row in rows] == [1, 2, 3, 4]


def test_each_league_asks_for_its_accuracy():
    ranked = challenge.Board((entry("A", 9, correct=85), entry("B", 5, correct=84), entry("C", 10)))
    assert names(ranked.league("0.90")) == ["C"]
    assert names(ranked.league("0.85")) == ["A", "C"]


def test_the_best_of_a_name_counts_and_all_are_counted():
    entries = (entry("Ada", 12), entry("ada", 10, 1), entry("Ada", 11, 2, 80), entry("Eve", 11, 3))
    rows = challenge.Board(entries).league("0.90")
    assert [(row.entry.name, row.submissions) for row in rows] == [("ada", 3), ("Eve", 1)]


def test_the_same_file_of_another_is_said():
    first, copy = entry("Ada", 10, 1, sha256="x"), entry("Eve", 10, 2, sha256="x")
    ada, eve = challenge.Board((first, copy)).league("0.90")
    assert (ada.entry.name, ada.same_as) == ("Ada", "")
    assert (eve.entry.name, eve.same_as) == ("Eve", "Ada")
    printed = "\n".join(lines(challenge.Board((first, copy))))
    assert "Eve (the same file as Ada)" in printed


# ---- submitting ---------------------------------------------------------------------------------
def test_a_submission_is_on_the_board(folder, files, few):
    verdict, submission = submit(folder, files("qat-w2-seed0"), " Ada  Lovelace ", test=few)
    assert verdict.qualifies and submission.name == "Ada Lovelace"
    assert submission.path.read_bytes() == files("qat-w2-seed0").read_bytes()
    assert submission.path.name.startswith("Ada Lovelace~20")
    ranked = board(folder, test=few)
    assert names(ranked.league("0.85")) == ["Ada Lovelace"] and ranked.notices == ()
    (shown,) = ranked.entries
    assert shown.kind == "cached" and shown.verdict == verdict
    assert len(os.listdir(folder)) == 2


def test_what_does_not_qualify_is_not_kept(folder, few, tmp_path):
    path = tmp_path / "mine.tflite"
    for content in (hostile.honest(), hostile.endless(), b"text"):
        path.write_bytes(content)
        verdict, submission = submit(folder, path, "Ada", test=few)
        assert not verdict.qualifies and submission is None
    assert submit(folder, tmp_path / "none", "Ada")[0].reason.startswith("there is no such file")
    assert os.listdir(folder) == []


def test_the_same_file_again_is_one_submission(folder, files, few):
    first = submit(folder, files("qat-w2-seed0"), "Ada", test=few)[1]
    again = submit(folder, files("qat-w2-seed0"), "ADA", test=few)[1]
    assert again.path == first.path
    submit(folder, files("qat-w2-seed0"), "Eve", test=few)
    assert names(board(folder, test=few).league("0.85")) == ["Ada", "Eve"]


@pytest.mark.parametrize("name", ["", "   ", "\x1b\x00", "\u202e", "\u3164", "\u2800", "()"])
def test_a_name_must_say_something(folder, name):
    with pytest.raises(ValueError, match="the name is empty; give one that others know you by"):
        submit(folder, "mine.tflite", name)


def test_names_are_one_short_printable_line():
    assert clean_name("a\nb\tc") == "a b c"
    assert clean_name("x" * 500) == "x" * 39 + "…"
    assert clean_name("Cafe\u0301") == "Café"
    assert clean_name("Bob (the same file as Ada)") == "Bob the same file as Ada"
    assert clean_name("Bob［Ada］") == "Bob Ada" and clean_name("A\u3164d\ufe0fa") == "Ada"
    assert "\x1b" not in clean_name(EVIL) and "\u202e" not in clean_name(EVIL)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", ".hidden", "a/b\\c", "CON", EVIL, "日本語 ~ é", "~~~"]
)
def test_a_name_cannot_choose_a_path(folder, files, few, name):
    _, submission = submit(folder, files("qat-w2-seed0"), name, test=few)
    assert submission.path.parent == folder and not submission.path.name.startswith(".")
    assert names(board(folder, test=few).league("0.85")) == [clean_name(name)]
    assert sorted(os.listdir(folder)) == [submission.path.name, f"{submission.path.name}.json"]


def test_a_folder_that_is_not_there(tmp_path):
    for work in (lambda: board(tmp_path / "none"), lambda: submit(tmp_path / "none", "x", "Ada")):
        with pytest.raises(room.BoardError, match=r"there is no folder .*none; make it first"):
            work()


@pytest.mark.parametrize("failing", [1, 2])
def test_a_disk_that_is_full_leaves_nothing_that_counts(folder, files, few, monkeypatch, failing):
    calls, real = [], os.replace

    def full(*paths):
        calls.append(paths)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        real(*paths)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        submit(folder, files("qat-w2-seed0"), "Ada", test=few)
    monkeypatch.undo()
    assert board(folder, test=few).entries == ()
    assert [x for x in os.listdir(folder) if x.endswith((".part", ".tflite"))] == []
    submit(folder, files("qat-w2-seed0"), "Ada", test=few)
    assert names(board(folder, test=few).league("0.85")) == ["Ada"]


# ---- many at once -------------------------------------------------------------------------------
@pytest.mark.skipif(sys.platform == "win32", reason="the script forks")
def test_forty_at_once_and_none_is_lost(folder, tmp_path, few, no_grading):
    files = tmp_path / "many"
    files.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(files), "40"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    ranked = board(folder, test=few)
    assert ranked.notices == ()
    assert {x.name for x in ranked.entries} == {f"Participant {i}" for i in range(40)}
    rows = ranked.league("0.85")
    assert [row.place for row in rows] == list(range(1, 41))
    first = min(ranked.entries, key=lambda x: x.when)
    assert rows[0].entry == first and {row.weights_of for row in rows[1:]} == {first.name}
    order = [(row.entry.verdict.gzip_bytes, row.entry.when) for row in rows[1:]]
    assert order == sorted(order)
    assert len(os.listdir(folder)) == 80


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_processes_killed_in_the_middle_lose_nothing_of_others(folder, tmp_path, files, few):
    before = submit(folder, files("qat-w4-seed0"), "Before", test=few)[1]
    many = tmp_path / "many"
    many.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(many), "12"],
        start_new_session=True,
        env=environment,
    )
    deadline = time.monotonic() + 60
    while len(os.listdir(folder)) < 6 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ranked = board(folder, test=few)
    assert ranked.notices == ()  # whatever is there is whole
    on_disk = {x.name for x in folder.glob("*.tflite")}
    assert {x.file for x in ranked.entries} == on_disk and before.path.name in on_disk


# ---- notes --------------------------------------------------------------------------------------
BROKEN = [
    b"",
    b"{",
    b"null",
    b"[" * 4000,
    b'{"name": "Ada"}',
    b'{"name": "", "when": "2026-01-01T00:00:00+00:00"}',
    b'{"name": "Ada", "when": "yesterday"}',
    b'{"name": "Ada", "when": 5}',
    b'{"name": ["Ada"], "when": "9999-12-31T23:59:59-23:00"}',
    b"\xff\xfe",
    b"x" * 10_000,
]


@pytest.mark.parametrize("content", [None, *BROKEN])
def test_a_damaged_note_is_set_aside_and_the_file_counts(with_ada, few, content):
    folder, note = with_ada
    whole = note.read_bytes()
    content = whole[: len(whole) // 2] if content is None else content
    note.write_bytes(content)
    ranked = board(folder, test=few)
    assert names(ranked.league("0.85")) == ["Ada"]
    (said,) = ranked.notices
    assert f"{note.name} could not be used" in said
    assert f"It is set aside as {note.name}.broken-1; the file counts." in said
    assert note.with_name(f"{note.name}.broken-1").read_bytes() == content
    assert json.loads(note.read_bytes())["sha256"] == json.loads(whole)["sha256"]
    again = board(folder, test=few)
    assert again.notices == () and [x.kind for x in again.entries] == ["cached"]
    assert again.entries[0].when == ranked.entries[0].when


@pytest.mark.parametrize(
    "change",
    [
        {"correct": -1},
        {"correct": 301},
        {"correct": 10**9, "n": 10**9},
        {"correct": True},
        {"correct": 2.5},
        {"correct": "295"},
        {"n": None},
        {"sha256": 7},
        {"reason": {}},
    ],
)
def test_numbers_that_cannot_be_are_not_believed(with_ada, few, change):
    folder, note = with_ada
    verdict = board(folder, test=few).entries[0].verdict
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    ranked = board(folder, test=few)
    assert ranked.entries[0].verdict == verdict and ranked.entries[0].kind == "measured"
    assert "set aside" in ranked.notices[0]


def test_a_note_of_another_grader_is_not_believed(with_ada, few):
    folder, note = with_ada
    told = note.read_text()
    assert room.GRADER in told
    note.write_text(told.replace(room.GRADER, "0, an earlier one"))
    ranked = board(folder, test=few)
    assert [x.kind for x in ranked.entries] == ["measured"] and ranked.notices == ()


def test_a_file_that_was_exchanged_is_measured_anew(folder, files, few):
    _, submission = submit(folder, files("qat-w2-seed0"), "Eve", test=few)
    submission.path.write_bytes(hostile.honest())
    ranked = board(folder, test=few)
    assert ranked.league("0.85") == () and ranked.entries[0].kind == "measured"
    assert "is not the file that its note is about; it is measured anew" in ranked.notices[0]


def test_a_false_note_is_found_by_measuring_all_anew(folder, few):
    path = folder / "Eve.tflite"
    path.write_bytes(hostile.honest())
    assert board(folder, test=few).league("0.85") == ()
    (note,) = notes(folder)
    note.write_text(json.dumps({**json.loads(note.read_text()), "correct": 300}))
    ranked = board(folder, test=few)
    assert names(ranked.league("0.90")) == ["Eve"]  # believed, and the board says so
    assert "--regrade measures anew" in list(lines(ranked))[-1]
    ranked = board(folder, regrade=True, test=few)
    assert ranked.league("0.85") == () and ranked.entries[0].kind == "measured"
    assert not list(lines(ranked))[-1].startswith("Anyone")
    assert board(folder, test=few).league("0.85") == ()  # and kept


def test_sizes_are_never_taken_from_a_note(with_ada, few):
    folder, note = with_ada
    verdict = board(folder, test=few).entries[0].verdict
    note.write_text(json.dumps({**json.loads(note.read_text()), "gzip_bytes": 1, "file_bytes": 1}))
    assert board(folder, test=few).entries[0].verdict == verdict


# ---- what else lies in the folder ---------------------------------------------------------------
def test_files_put_there_by_hand_count_under_their_names(folder, files, few):
    (folder / "Grace Hopper.tflite").write_bytes(files("qat-w2-seed0").read_bytes())
    (folder / "notes.txt").write_text("nothing")
    (folder / ".hidden.tflite").write_text("nothing")
    ranked = board(folder, test=few)
    assert names(ranked.league("0.85")) == ["Grace Hopper"]
    changed = (folder / "Grace Hopper.tflite").stat().st_mtime
    assert ranked.entries[0].when == datetime.fromtimestamp(changed, UTC)


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
def test_links_pipes_and_folders_are_left_out_and_said(folder, files, few):
    (folder / "link.tflite").symlink_to(files("qat-w2-seed0"))
    (folder / "round.tflite").symlink_to(folder / "round.tflite")
    (folder / "folder.tflite").mkdir()
    os.mkfifo(folder / "pipe.tflite")
    with open(folder / "huge\x1b[2J.tflite", "wb") as file:
        file.truncate(2**40)
    ranked = board(folder, test=few)
    assert ranked.entries == () and len(ranked.notices) == 5
    assert "link.tflite is left out: it is a link; give the file itself." in ranked.notices
    assert "huge\ufffd[2J.tflite is left out: it is larger than" in "\n".join(ranked.notices)


def test_a_note_that_is_a_link_is_not_followed(with_ada, few, tmp_path):
    folder, note = with_ada
    target = tmp_path / "target"
    target.write_bytes(note.read_bytes())
    note.unlink()
    note.symlink_to(target)
    ranked = board(folder, test=few)
    assert "it is a link" in ranked.notices[0] and names(ranked.league("0.85")) == ["Ada"]
    assert not note.is_symlink() and target.exists()


def test_a_folder_that_cannot_be_written_is_still_ranked(folder, files, few, monkeypatch):
    (folder / "Ada.tflite").write_bytes(files("qat-w2-seed0").read_bytes())
    (folder / "Eve.tflite").write_bytes(files("qat-w2-seed0").read_bytes())

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    ranked = board(folder, test=few)
    assert names(ranked.league("0.85")) == ["Ada", "Eve"]
    assert ranked.notices == (
        "Results cannot be kept in this folder (Permission denied); they are not lost.",
    )


# ---- the drop box -------------------------------------------------------------------------------
POSIX = pytest.mark.skipif(os.name != "posix", reason="a drop box needs files with owners")
OTHER = 65534  # a user who is not the one that runs the tests


@pytest.fixture
def quick(monkeypatch):
    """Grading that takes no time: a file is as accurate as its first byte says."""

    def graded(data, *_, **__):
        return challenge.Verdict(correct=data[0], n=100, **challenge.grading.measure(data))

    monkeypatch.setattr(room, "grade_bytes", graded)


@pytest.fixture
def box(folder):
    """A folder with a drop box."""
    folder.chmod(0o711)
    assert "is made" in room.collect(folder)[0]
    return folder / "drop"


def as_another(work):
    """What an exception is called that `work` ends with when another user does it; mostly empty."""
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    reading, writing = os.pipe()
    if not (child := os.fork()):
        said = ""
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            work()
        except BaseException as error:
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        return answer.read()


@POSIX
def test_learners_write_to_the_drop_box_and_see_nothing_in_it(quick):
    with tempfile.TemporaryDirectory(prefix="qlab-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "mine.tflite").write_bytes(b"\x5fmine")
        (folder / "mine.tflite").chmod(0o644)
        room.collect(folder)
        box = folder / "drop"
        (box / "other.tflite").write_bytes(b"\x5fother")
        kept = folder / "kept.tflite"
        kept.write_bytes(b"\x5fkept")
        kept.chmod(0o600)
        assert as_another(lambda: submit(folder, folder / "mine.tflite", "Eve")) == ""
        assert as_another(lambda: os.listdir(box)) == "PermissionError"
        assert as_another(lambda: (box / "other.tflite").unlink()) == "PermissionError"
        assert as_another(lambda: (folder / "new").write_bytes(b"")) == "PermissionError"
        assert as_another(kept.read_bytes) == "PermissionError"
        assert room.collect(folder) == [] and os.listdir(box) == []
        eve = next(x for x in board(folder).entries if x.name == "Eve")
        assert eve.owner == room._user_name(OTHER) != room._user_name(os.geteuid())
        assert eve.shown == f"Eve [{eve.owner}]"
        assert (folder / eve.file).stat().st_mode & 0o077 == 0


@POSIX
def test_owner_and_time_are_the_systems_and_not_the_files(folder, box, quick):
    stamp = "20200101T000000.000000Z"
    dropped = box / f"Ada~{stamp}~0.tflite"
    dropped.write_bytes(b"\x5fada")
    note = {"challenge": 1, "name": "Eve", "when": "2020-01-01T00:00:00+00:00", "owner": "root"}
    (box / f"{dropped.name}.json").write_text(json.dumps(note))
    os.utime(dropped, (0, 0))
    changed = dropped.stat().st_ctime
    assert room.collect(folder) == []
    for regrade in (False, True):
        (ada,) = board(folder, regrade).entries
        assert (ada.name, ada.owner) == ("Ada", room._user_name(os.geteuid()))
        assert ada.when.timestamp() == pytest.approx(changed, abs=1e-3)


@POSIX
def test_the_first_collected_is_first_and_a_file_comes_once(folder, box, quick):
    for name in ("Zoe", "Ada"):
        (box / f"{name}.tflite").write_bytes(b"\x5f" + name.encode())
        time.sleep(0.02)  # the system's clock for files has steps
    room.collect(folder)
    (box / "again.tflite").write_bytes(b"\x5fZoe")
    room.collect(folder)
    ranked = board(folder)
    assert [x.name for x in ranked.entries] == ["Zoe", "Ada"] and os.listdir(box) == []
    (row,) = ranked.league("0.90")  # both are of one owner, and count as one participant's
    assert row.submissions == 2


@POSIX
def test_what_is_no_plain_file_stays_in_the_drop_box(folder, box, quick):
    secret = folder.parent / "secret.tflite"
    secret.write_bytes(b"\x5fsecret")
    (box / "link.tflite").symlink_to(secret)
    os.link(secret, box / "second.tflite")
    os.mkfifo(box / "pipe.tflite")
    (box / "mem.tflite").symlink_to("/proc/self/mem")
    said = room.collect(folder)
    assert len(said) == 4 and all("stays in the drop box: it " in x for x in said)
    assert "second.tflite stays in the drop box: it has a second name" in "\n".join(said)
    assert board(folder).entries == ()


@POSIX
def test_a_folder_that_others_write_to_has_no_drop_box(folder, tmp_path):
    folder.chmod(0o777)
    with pytest.raises(room.BoardError, match=r"others can write to .* with chmod go-w"):
        room.collect(folder)
    (folder / "drop").mkdir()
    assert not room.has_drop_box(folder)
    folder.chmod(0o711)
    assert room.has_drop_box(folder)
    (folder / "drop").rmdir()
    (folder / "drop").symlink_to(tmp_path)
    with pytest.raises(room.BoardError, match="is not a folder of yours"):
        room.collect(folder)


def test_the_owner_in_a_note_counts_only_beside_a_drop_box(folder, quick):
    (folder / "Eve.tflite").write_bytes(b"\x5f")
    note = {"name": "Eve", "when": "2026-01-01T00:00:00+00:00", "owner": "ada"}
    (folder / "Eve.tflite.json").write_text(json.dumps(note))
    assert board(folder).entries[0].owner == ""


@POSIX
def test_the_command_collects_and_tells_a_learner_where_the_file_is(
    folder, tmp_path, capsys, quick
):
    folder.chmod(0o711)
    assert cli.main(["board", str(folder), "--collect"]) == 0
    assert "The drop box " in capsys.readouterr().out
    (tmp_path / "mine.tflite").write_bytes(b"\x5fmine")
    given = ["--submit", str(tmp_path / "mine.tflite"), "--name", "Ada"]
    assert cli.main(["board", str(folder), *given]) == 0
    assert "It lies in the drop box." in capsys.readouterr().out
    assert cli.main(["board", str(folder)]) == 0 and "Ada" not in capsys.readouterr().out
    assert cli.main(["board", str(folder), "--collect"]) == 0
    assert f"Ada [{room._user_name(os.geteuid())}]" in capsys.readouterr().out


# ---- what a cheat tries with names and times ----------------------------------------------------
def test_a_replayed_and_back_dated_submission_is_dated_by_the_system(with_ada, quick):
    folder, note = with_ada
    data = note.with_suffix("").read_bytes()
    (folder / "Eve.tflite").write_bytes(data)
    told = {**json.loads(note.read_text()), "name": "Eve", "when": "2020-01-01T00:00:00+00:00"}
    (folder / "Eve.tflite.json").write_text(json.dumps(told))
    assert board(folder).entries[0].name == "Eve"  # believed
    ranked = board(folder, regrade=True)
    assert [x.name for x in ranked.entries] == ["Ada", "Eve"]
    assert "Eve.tflite says that it is of 2020-01-01 00:00; the system says" in ranked.notices[0]


@pytest.mark.parametrize("name", ["\u0410da", "ADA", "A\u0064\u0430", "Ad\u00e4", "A da"])
def test_a_name_that_looks_like_anothers_is_said(name):
    first, second = entry("Ada", 10, 1), entry(name, 9, 2)
    rows = {row.entry.name: row for row in challenge.Board((first, second)).league("0.90")}
    assert rows[name].looks_like == ("" if name == "ADA" else "Ada")
    if name != "ADA":  # which is the same participant
        assert "a name that looks like Ada" in challenge.remark(rows[name])
        assert rows["Ada"].looks_like == ""


def test_no_name_can_say_what_the_board_says(folder, quick):
    (folder / "x.tflite").write_bytes(b"\x5f")
    note = {"name": "Eve （the same file as Ada） [ada]", "when": "2026-01-01T00:00:00+00:00"}
    (folder / "x.tflite.json").write_text(json.dumps(note))
    printed = "\n".join(lines(board(folder)))
    assert "Eve the same file as Ada ada" in printed and "(the same" not in printed


# ---- one bad entry never stops the board --------------------------------------------------------
def test_a_time_beyond_all_calendars(folder, quick, monkeypatch):
    assert room._moment(2**38).year == 9999  # it is the year 10680
    (folder / "Ada.tflite").write_bytes(b"\x5f")
    os.utime(folder / "Ada.tflite", (2**38, 2**38))
    assert names(board(folder).league("0.90")) == ["Ada"]


def test_a_file_that_goes_while_the_board_is_read(folder, quick, monkeypatch):
    for name in ("Ada", "Bob", "Eve"):
        (folder / f"{name}.tflite").write_bytes(b"\x5f" + name.encode())
    real = room._by_its_name

    def gone(path):
        if path.name == "Ada.tflite":
            path.unlink()
        return real(path)

    monkeypatch.setattr(room, "_by_its_name", gone)
    ranked = board(folder, progress=lambda done, _: done == 1 and (folder / "Eve.tflite").unlink())
    assert [x.name for x in ranked.entries] == ["Bob"]
    assert ranked.notices[0].startswith("Ada.tflite is left out: No such file")
    assert ranked.notices[1].startswith("Eve.tflite is left out: there is no such file")


def test_what_goes_wrong_with_one_file_is_said_and_the_others_count(folder, quick, monkeypatch):
    real, errors = room.grade_bytes, {1: challenge.JudgeError("no"), 2: ZeroDivisionError("why")}

    def graded(data, *args, **settings):
        if data[0] in errors:
            raise errors[data[0]]
        return real(data)

    monkeypatch.setattr(room, "grade_bytes", graded)
    for name, first in (("Ada", 95), ("Bob", 1), ("Eve", 2)):
        (folder / f"{name}.tflite").write_bytes(bytes([first]))
    ranked = board(folder)
    assert [x.name for x in ranked.entries] == ["Ada"]
    said = ("Bob.tflite is left out: no.", "Eve.tflite is left out: ZeroDivisionError: why.")
    assert ranked.notices == said
    (folder / "Ada.tflite").unlink()
    with pytest.raises(challenge.JudgeError):  # it is this machine, and no file
        board(folder)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has it")
def test_the_memory_of_the_judge_itself_is_no_file():
    assert challenge.grade("/proc/self/mem").reason.startswith("it cannot be read")


def test_a_board_whose_time_is_up_shows_what_is_known(folder, quick):
    (folder / "Ada.tflite").write_bytes(b"\x5fada")
    board(folder)
    (folder / "Eve.tflite").write_bytes(b"\x5feve")
    ranked = board(folder, seconds=0)
    assert [(x.name, x.kind) for x in ranked.entries] == [("Ada", "cached")]
    assert "After 0 s these were not measured yet: Eve.tflite. " in ranked.notices[0]
    assert [x.name for x in board(folder).entries] == ["Ada", "Eve"]


def test_a_terminal_that_lacks_the_letters_of_a_name(folder, quick, monkeypatch):
    for name in ("Ada🦊", "Ада"):
        (folder / f"{name}.tflite").write_bytes(b"\x5f" + name.encode())
    with io.TextIOWrapper(io.BytesIO(), encoding="cp1252") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        assert cli.main(["board", str(folder)]) == 0
        screen.flush()
        shown = screen.buffer.getvalue().decode("cp1252")
    assert "Ada?" in shown and "???" in shown


# ---- the command --------------------------------------------------------------------------------
def test_the_command_submits_and_ranks(folder, files, capsys):
    line = ["board", str(folder), "--submit", str(files("qat-w4-seed0")), "--name", EVIL]
    assert cli.main(line) == 0
    said = capsys.readouterr().out
    assert "qualifies for league 0.90 and league 0.85\n" in said
    assert said.count(clean_name(EVIL)) == 2 and "\x1b" not in said and "\u202e" not in said
    assert cli.main(["board", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    right = artefacts.manifest()["files"]["qat-w4-seed0.tflite"]["test"]["correct"]
    assert [row["place"] for row in shown["leagues"]["0.90"]] == [1]
    assert shown["leagues"]["0.90"][0]["correct"] == right and shown["notices"] == []


def test_the_command_says_what_was_not_taken(folder, tmp_path, capsys):
    path = tmp_path / "mine.tflite"
    path.write_bytes(b"text")
    assert cli.main(["board", str(folder), "--submit", str(path), "--name", "Ada"]) == 1
    said = capsys.readouterr().out
    assert "does not qualify: it is not a .tflite file" in said and "nobody yet" in said


@pytest.mark.parametrize("given", [{"file": "a"}, {"name": "a"}])
def test_the_command_needs_file_and_name(folder, given):
    with pytest.raises(room.BoardError, match="both: --submit FILE and --name NAME"):
        board_main(folder, **given)


def test_the_command_names_a_folder_that_is_not_there(tmp_path, capsys):
    assert cli.main(["board", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("qlab: there is no folder ")
