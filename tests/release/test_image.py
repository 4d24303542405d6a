"""The steps of the Dockerfile and of Binder, carried out in a folder, for want of a container."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of what is committed, and a new Python into which the Dockerfile's RUNs install."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run(
        f"git -C {shlex.quote(str(ROOT))} archive HEAD | tar -x -C {shlex.quote(str(folder))}",
        shell=True, check=True,
    )  # fmt: skip
    if (ROOT / "data" / "fashion-mnist").is_dir():
        shutil.copytree(ROOT / "data" / "fashion-mnist", folder / "data" / "fashion-mnist")
    subprocess.run([sys.executable, "-m", "venv", folder / ".image"], check=True)
    settings = {**os.environ, "PATH": f"{folder / '.image' / 'bin'}:{os.environ['PATH']}"}

    def run(command):
        return subprocess.run(
            command, shell=True, cwd=folder, env=settings, capture_output=True, text=True
        )

    for command in re.findall(r"^RUN (.+)$", (folder / "deploy/Dockerfile").read_text(), re.M):
        if not command.startswith("useradd"):
            done = run(command)
            assert done.returncode == 0, done.stderr[-2000:]
    run.folder = folder
    return run


def test_the_image_has_all_that_the_course_needs(built):
    done = built("qlab doctor")
    assert "all that the course needs is here" in done.stdout, done.stdout


def test_binders_steps_bring_a_copy_without_outputs(built):
    done = built(".binder/postBuild")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (built.folder / "my-course" / "00_welcome.ipynb").is_file()
    done = built(".binder/start jupyter lab --version")
    assert done.returncode == 0, done.stderr
