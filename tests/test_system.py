"""The services: files whole or not at all, files read with care, safe text, processes that end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hostile import has_ended
from hypothesis import given
from hypothesis import strategies as st

from qlab.system import isolated, threads
from qlab.system.files import (
    TooLarge,
    UnfitFile,
    models_folder,
    progress_file,
    read_whole,
    write_files,
    write_whole,
)
from qlab.system.settings import NUMBERS, SettingError, number
from qlab.system.text import fill, markdown, one_line, printable, to_csv

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")


# ---- files --------------------------------------------------------------------------------------
@needs_posix
def test_a_private_file_is_for_its_owner_alone(tmp_path):
    assert write_whole(tmp_path / "mine", b"1", private=True).stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["mine"]


@needs_posix
def test_the_group_of_a_shared_folder_may_read_what_is_private(tmp_path):
    tmp_path.chmod(0o2750)
    assert write_whole(tmp_path / "mine", b"1", private=True).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("there", [False, True])
def test_files_are_written_together_or_not_at_all(tmp_path, monkeypatch, there):
    folder = tmp_path / "a" / "b"
    if there:
        folder.mkdir(parents=True)
        (folder / "one").write_bytes(b"old")
    write = Path.write_bytes

    def full(path, content):
        if path.name == "two":
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            write_files(folder, {"one": b"1", "two": b"2"})
    assert folder.exists() == there
    assert [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()] == [b"old"] * there
    paths = write_files(folder, {"one": b"1", "two": b"2"})
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    assert sorted(os.listdir(folder)) == ["one", "two"]


def test_a_folder_in_the_place_of_one_keeps_both_from_being_replaced(tmp_path):
    (tmp_path / "one").write_bytes(b"old")
    (tmp_path / "two").mkdir()
    with pytest.raises(IsADirectoryError):
        write_files(tmp_path, {"one": b"1", "two": b"2"})
    assert (tmp_path / "one").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


@needs_posix
def test_only_a_regular_file_of_a_sensible_size_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert read_whole(tmp_path / "file", 5) == read_whole(tmp_path / "link", 5) == b"12345"
    with pytest.raises(TooLarge, match="larger than 4 bytes"):
        read_whole(tmp_path / "file", 4)
    with pytest.raises(UnfitFile, match="it is a link"):
        read_whole(tmp_path / "link", 5, follow_links=False)
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(UnfitFile, match="it is not a file"):
            read_whole(path, 5)


@pytest.mark.parametrize(
    "write", ["write_whole(folder / 'a', b'1')", "write_files(folder, {'a': b'1'})"]
)
def test_what_a_killed_save_left_is_cleared_by_a_later_one(tmp_path, write):
    killed = (
        "import os, signal, sys; from pathlib import Path; from qlab.system.files import *\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        f"folder = Path(sys.argv[1]); {write}"
    )
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)])
    (left,) = tmp_path.iterdir()
    write_whole(tmp_path / "b", b"1")
    assert left.exists()  # it may be another process at work
    os.utime(left, (0, 0))
    write_files(tmp_path, {"c": b"1"})
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


def homeless(*_, **__):
    raise RuntimeError("could not determine the home directory")


@needs_posix
def test_without_a_home_there_is_a_folder_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_state_path", homeless)
    monkeypatch.delenv("QLAB_PROGRESS", raising=False)
    own = tmp_path / f"qlab-{os.getuid()}"
    assert progress_file() == own / "state" / "progress.json"
    assert own.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("qlab.system.files.is_anothers", lambda path: path == own)
    assert progress_file().parents[1] != own
    assert progress_file().parents[1].stat().st_mode & 0o777 == 0o700


@needs_posix
def test_a_user_without_a_home_takes_a_notebook_the_doctor_and_a_report(tmp_path):
    code = (
        "import pwd; pwd.getpwuid = {}.__getitem__  # this system does not know the user\n"
        "from qlab.lessons import memory; memory.record_check('welcome.size', passed=True)\n"
        "from qlab import cli, doctor; doctor.check_data()\n"
        "[check] = doctor.check_jupyter(); assert 'Set HOME' in check.text\n"
        f"raise SystemExit(cli.main(['report', '--to', {str(tmp_path / 'out')!r}]))"
    )
    poor = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    line = [sys.executable, "-c", code]
    run = subprocess.run(line, cwd="/", env=poor, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@needs_posix
@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-"])
def test_a_closed_stderr_stops_nothing(closed, tmp_path):
    code = (
        "from qlab.system.output import quiet\n"
        "with quiet():\n    import os; os.write(2, b'noise')\n"
        "file = open('mine', 'w'); file.write('kept'); file.close()\n"
        "with quiet():\n    os.write(2, b'noise')\n"
        "print(open('mine').read())"
    )
    run = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "kept\n")


def test_models_are_kept_beside_the_progress(monkeypatch, tmp_path):
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "ada.json"))
    assert progress_file() == tmp_path / "ada.json"
    assert models_folder() == tmp_path / "ada-models"
    monkeypatch.delenv("QLAB_PROGRESS")
    assert progress_file().with_name("models") == models_folder()


# ---- settings and threads -----------------------------------------------------------------------
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("said", ["lots", "-1", "nan", "inf", "1e999", "1,5"])
def test_a_number_in_the_environment_is_refused_in_words(monkeypatch, name, said):
    monkeypatch.setenv(name, said)
    with pytest.raises(SettingError) as refused:
        number(name)
    assert str(refused.value) == f"{name} is {said!r}; set it to {NUMBERS[name][2]}, or unset it"


def test_a_number_in_the_environment_is_read_when_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("QLAB_REMEMBERED_MB", " 1.5 ")
    assert number("QLAB_REMEMBERED_MB", 64) == 1.5
    monkeypatch.setenv("QLAB_REMEMBERED_MB", "")
    assert number("QLAB_REMEMBERED_MB", 64) == 64
    for said in ("0", "2.5"):
        monkeypatch.setenv("QLAB_THREADS", said)
        with pytest.raises(SettingError):
            threads.threads()
    monkeypatch.setenv("QLAB_THREADS", "3")
    assert threads.threads() == 3


def test_qlab_is_imported_and_says_so_when_a_number_is_unfit():
    code = "import qlab, qlab.tflite.prefixes\nprint(qlab.tflite.prefixes.MEMORY.room)"
    setting = {**os.environ, "QLAB_REMEMBERED_MB": "lots", "QLAB_THREADS": "many"}
    ended = isolated.run(code, 60, env=setting)
    assert "SettingError: QLAB_REMEMBERED_MB is 'lots'; set it to a number" in ended.error


CPU_MAX, V1 = {"cpu.max": "150000 100000"}, {"cpu.cfs_quota_us": "50000"}
PERIOD = {"cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(
    ("mine", "files", "most"),
    [
        ("0::/a/b", {"a/b": CPU_MAX}, 2),
        ("0::/a/b", {"a": CPU_MAX, "a/b": {"cpu.max": "max 100000"}}, 2),
        ("0::/../x", {"": CPU_MAX}, 2),
        ("0::/", {"": {"cpu.max": "max 100000"}}, 64),
        ("3:cpuset:/\n2:cpu,cpuacct:/k", {"cpu,cpuacct/k": V1 | PERIOD}, 1),
        ("2:cpu:/host/path", {"cpu": V1 | PERIOD}, 1),
        ("2:cpu:/", {"cpu": {"cpu.cfs_quota_us": "-1"} | PERIOD}, 64),
        ("2:cpu:/", {"cpu": V1}, 64),
        ("2:memory:/", {"memory": V1 | PERIOD}, 64),
        ("", {}, 64),
    ],
)
def test_the_quota_of_a_container_counts_as_affinity_does(monkeypatch, tmp_path, mine, files, most):
    for folder, contents in {".": {"own": mine}, **files}.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (tmp_path / folder / name).write_text(text)
    monkeypatch.setattr(threads, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(threads, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(64), raising=False)
    monkeypatch.delenv("QLAB_THREADS", raising=False)
    assert threads.cores() == most and threads.threads() == min(4, most)


def test_numpy_and_what_is_started_obey_the_setting():
    code = """
import ctypes, os, sys, numpy, qlab
from pathlib import Path
for path in Path(numpy.__file__).parents[1].glob("numpy.libs/*openblas*"):
    print(ctypes.CDLL(str(path)).scipy_openblas_get_num_threads64_())
print(*[os.environ[name] for name in qlab.system.threads.POOLS])
"""
    unset = {name: x for name, x in os.environ.items() if name not in threads.POOLS}
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**unset, "QLAB_THREADS": "1", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    assert told[-2] == "1 2 1 1 1 1"
    assert set(told[:-2]) <= {"1"}


# ---- text ---------------------------------------------------------------------------------------
@given(st.text() | st.binary(), st.none() | st.integers(1, 20))
def test_any_text_becomes_printable(text, most):
    shown = printable(text, most)
    assert shown.isprintable() and (most is None or len(shown) <= most)
    assert printable(shown, most) == shown
    assert one_line(text, most).isprintable() and "  " not in one_line(text, most)


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
def test_no_sign_begins_a_formula(sign):
    begun = [f"{sign}1", f" {sign}1", f";{sign}1", f"a; {sign}1"]
    safe = [f"'{sign}1", f"' {sign}1", f";'{sign}1", f"a;' {sign}1"]
    assert to_csv([], [begun]).decode().splitlines()[1].split(",") == safe


def test_what_looks_like_a_formula_stays_text():
    assert to_csv(["a", "b"], [["=1+1", -1], [" @x", "x\ny"]]) == b"a,b\n'=1+1,-1\n' @x,x y\n"
    assert to_csv(["a"], [["é"]], spreadsheet=True) == b"\xef\xbb\xbfa\r\n\xc3\xa9\r\n"


def test_a_template_escapes_for_its_kind(tmp_path):
    for name, shown in (("page.html", "&lt;b&gt; [x] \ufffd"), ("card.md", r"&lt;b&gt; \[x\] �")):
        (tmp_path / name).write_text("{{ words }}")
        assert fill(tmp_path / name, words="<b> [x] \x1b") == shown
    assert markdown("a|b\n# c") == r"a\|b \# c"


# ---- a process of its own -----------------------------------------------------------------------
def test_code_runs_isolated_and_answers():
    code = "import qlab, sys; print(sys.flags.isolated, len(sys.stdin.read()), 'é')"
    assert isolated.run(code, 60, 2**32, b"x" * 10**6) == (0, "1 1000000 é", "", False)
    ended = isolated.run("from __future__ import annotations\nraise ValueError('so')", 60, 2**32)
    assert (ended.code, ended.error) == (1, "ValueError: so")


@needs_posix
def test_it_has_limits():
    code = "import resource as r; print([r.getrlimit(x)[0] for x in (r.RLIMIT_CORE, r.RLIMIT_AS)])"
    assert isolated.run(code, 60, 2**32).output == f"[0, {2**32}]"
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_CPU)[1] >= 7)"
    assert isolated.run(code, 7, 2**32).output == "True"


@needs_posix
def test_all_that_it_started_ends_with_its_time(tmp_path):
    code = (
        "import os, sys, time\n"
        f"child = os.fork()\nchild and open({str(tmp_path / 'child')!r}, 'w').write(str(child))\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    ended = isolated.run(code, 2, 2**32)
    assert ended.timed_out and ended.code == -9 and time.monotonic() - began < 30
    assert has_ended(int((tmp_path / "child").read_text()))


@needs_posix
def test_what_it_leaves_in_its_group_ends_with_it():
    code = (
        "import os, time\nchild = os.fork()\nchild or time.sleep(60)\nprint(child, flush=True)\n"
        "os._exit(0)"
    )
    ended = isolated.run(code, 30, 2**32)
    assert (ended.code, ended.timed_out) == (0, False) and has_ended(int(ended.output))


def test_a_process_that_left_the_group_does_not_hold_up_the_call():
    code = (
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(subprocess.Popen(sleep, start_new_session=True).pid, flush=True)\n"
        "time.sleep(60)"
    )
    ended = isolated.run(code, 3, 2**31)
    assert ended.timed_out
    escaped = psutil.Process(int(ended.output))  # it holds what it inherited, and runs on
    assert escaped.status() != psutil.STATUS_ZOMBIE
    escaped.kill()


def test_numpy_computes_with_one_thread_inside_and_with_as_many_as_before_after_it():
    before = [ask() for ask, _ in threads._openblas()]

    @threads.one_thread
    def inside(deeper=1):
        if deeper:
            with pytest.raises(ValueError, match=r"^$"):
                inside(deeper - 1)
        assert [ask() for ask, _ in threads._openblas()] == [1] * len(before)
        raise ValueError

    for _, tell in threads._openblas():
        tell(2)
    with pytest.raises(ValueError, match=r"^$"):
        inside()
    assert [ask() for ask, _ in threads._openblas()] == [2] * len(before)
    for (_, tell), count in zip(threads._openblas(), before, strict=True):
        tell(count)
