"""The container and Binder: what their files name is there; tests/release does their steps."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from packaging.specifiers import SpecifierSet

from qlab.cli import build_parser
from tests.test_setup import PROJECT

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
BINDER = ROOT / ".binder"


def steps(kind):
    return re.findall(rf"^{kind} (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_container_has_a_python_that_the_course_runs_with_and_ends_as_no_root():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert re.search(r"python:(\d\.\d+)", steps("FROM")[0])[1] in allowed
    assert (BINDER / "runtime.txt").read_text().strip().removeprefix("python-") in allowed
    [user] = steps("USER")
    assert f"useradd --create-home {user}" in DOCKERFILE
    assert DOCKERFILE.index("USER") > DOCKERFILE.rindex("RUN")


def test_the_container_starts_the_course_by_a_command_there_is():
    program, *arguments = json.loads(steps("CMD")[0])
    asked, extra = build_parser().parse_known_args(arguments)
    assert (program, asked.command) == ("qlab", "lab")
    assert extra == ["--ip=0.0.0.0", f"--port={steps('EXPOSE')[0]}", "--no-browser"]


def test_what_is_copied_is_there_and_what_is_a_learners_stays_out():
    for words in steps("COPY"):
        *names, _ = shlex.split(words)
        assert all((ROOT / name).exists() for name in names)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "my-course", ".hub"} <= set(ignored)


def test_binder_installs_the_lock_and_starts_what_it_is_given(tmp_path):
    [line] = (BINDER / "requirements.txt").read_text().split("\n")[:-1]
    assert (BINDER / line.removeprefix("-r ")).resolve() == ROOT / "requirements.txt"
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)
    run = subprocess.run(
        [BINDER / "start", "sh", "-c", 'ls "$JUPYTER_CONFIG_PATH"; echo $QLAB_THREADS'],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.split() == ["labconfig", "1"]
    code = re.search(r"python -c '(.+)'", (BINDER / "postBuild").read_text())[1]
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "my-course" / "00_welcome.ipynb").is_file()
