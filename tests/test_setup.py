"""Set-up: the three dependency files in step, the Makefile, and what set-up says when it fails."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import qlab

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.txt").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
needs_sh = pytest.mark.skipif(os.name == "nt", reason="set-up with make is for Linux and macOS")


def declared():
    """Every requirement of pyproject.toml, extras included."""
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


def locked():
    """Entries of the lock: ``{name: (version, text of the entry)}``."""
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    found = {}
    for entry in entries:
        name, version = re.match(r"([\w.-]+)==([\w.+!]+)", entry).groups()
        assert canonicalize_name(name) not in found, f"{name} is locked twice"
        found[canonicalize_name(name)] = (Version(version), entry)
    return found


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_the_lock_pins_what_pyproject_asks_for(requirement):
    version, entry = locked()[canonicalize_name(requirement.name)]
    assert version in requirement.specifier, "run `make lock`"
    assert "qlab (pyproject.toml)" in entry


def test_the_lock_pins_nothing_that_pyproject_no_longer_asks_for():
    direct = {name for name, (_, entry) in locked().items() if "qlab (pyproject.toml)" in entry}
    assert direct == {canonicalize_name(r.name) for r in declared()}, "run `make lock`"


def test_every_locked_package_has_hashes():
    bare = [name for name, (_, entry) in locked().items() if "--hash=sha256:" not in entry]
    assert len(locked()) > 100
    assert bare == []


def test_the_lock_holds_no_addresses_paths_or_options():
    assert "://" not in LOCK
    assert not re.search(r"(^|\s)(/|\.\.?/|~)", LOCK), "a path"
    options = {line.split()[0] for line in LOCK.splitlines() if line.startswith("-")}
    assert options == set()


def test_conda_asks_for_the_same_python_and_takes_the_rest_from_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *conda, pip = environment["dependencies"]
    python = next(Requirement(line) for line in conda if line.startswith("python"))
    assert python.specifier == Requirement(f"python {PROJECT['requires-python']}").specifier
    assert {Requirement(line).name for line in conda} == {"python", "pip"}
    assert pip == {"pip": ["-r requirements.txt"]}


def test_the_classifiers_name_the_pythons_that_may_install_it():
    allowed = Requirement(f"python {PROJECT['requires-python']}").specifier
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert named == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed]


def test_one_version_number():
    assert qlab.__version__ == PROJECT["version"]
    assert f"## {qlab.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_local_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_course_map_lists_every_notebook_with_its_minutes():
    rows = re.findall(r"\(notebooks/(\S+)\) \|.*\| \d+ \|$", (ROOT / "README.md").read_text(), re.M)
    assert rows == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def make(*arguments):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@needs_sh
def test_make_alone_lists_every_target():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split()
    run = make()
    assert run.returncode == 0
    assert run.stdout == make("help").stdout
    listed = [line.split()[1] for line in run.stdout.splitlines()]
    assert sorted(listed) == sorted(phony)


@pytest.fixture
def checkout(tmp_path):
    """A folder with the set-up script in it, an empty PATH beside it, and a runner."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "uname", "sh"):
        (programs / name).symlink_to(shutil.which(name))

    def run(**variables):
        return subprocess.run(
            [shutil.which("sh"), "tools/setup.sh"],
            cwd=tmp_path,
            env={"PATH": str(programs), **variables},
            capture_output=True,
            text=True,
        )

    run.programs = programs
    return run


def pretend(checkout, name, body):
    """Put a program on the otherwise empty PATH."""
    program = checkout.programs / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


@needs_sh
def test_without_python_set_up_says_what_to_install(checkout):
    run = checkout()
    assert run.returncode == 1
    assert "no CPython 3.11, 3.12 or 3.13 was found" in run.stderr
    assert "make setup PYTHON=" in run.stderr


@needs_sh
def test_a_python_that_does_not_fit_is_passed_over(checkout):
    pretend(checkout, "python3.11", "exit 127")  # a shim whose Python is not installed
    pretend(checkout, "python3", "echo version")
    assert "was found" in checkout().stderr


@needs_sh
def test_without_the_venv_module_set_up_says_what_to_install(checkout):
    pretend(checkout, "python3.11", "echo venv")
    run = checkout()
    assert run.returncode == 1
    assert "python3.11 has no venv module" in run.stderr
    assert "apt-get install python3-venv" in run.stderr


@needs_sh
def test_a_wrong_python_variable_is_named(checkout):
    run = checkout(PYTHON="no-such-python")
    assert run.returncode == 1
    assert "PYTHON=no-such-python is not" in run.stderr


@needs_sh
def test_a_machine_without_tensorflow_is_sent_to_colab(checkout):
    pretend(checkout, "python3.12", "echo machine")
    run = checkout()
    assert run.returncode == 1
    assert "Colab" in run.stderr


@needs_sh
def test_when_pip_fails_set_up_says_so_last(checkout):
    inside = '[ "$2" = pip ] && { echo "no network" >&2; exit 1; }; exit 0'
    folder = checkout.programs.parent / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f"#!/bin/sh\n{inside}\n")
    (folder / "python").chmod(0o755)
    pretend(checkout, "python3.11", "echo ok")
    run = checkout()
    assert run.returncode == 1
    assert run.stderr.index("no network") < run.stderr.index("pip could not install")
    assert "HTTPS_PROXY" in run.stderr
