"""Set-up: the three dependency files in step, the Makefile, and what set-up says when it fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import qlab

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tools" / "setup.sh"
LOCK = (ROOT / "requirements.txt").read_text("utf-8")
EXTRAS_LOCK = (ROOT / "requirements-extras.txt").read_text("utf-8")
MORE = ("cluster", "hub", "book", "release")  # extras that no learner's installation grows by
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
needs_sh = pytest.mark.skipif(os.name == "nt", reason="set-up with make is for Linux and macOS")


def declared(more=False):
    """The requirements of pyproject.toml: a learner's with those of the tests, or what is more."""
    extras = PROJECT["optional-dependencies"]
    lines = [] if more else [*PROJECT["dependencies"]]
    lines += [line for name in extras if (name in MORE) is more for line in extras[name]]
    return [Requirement(line) for line in lines]


def locked(lock=LOCK):
    """Entries of a lock: ``{name: (version, text of the entry)}``."""
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
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


@pytest.mark.parametrize("requirement", declared(more=True), ids=lambda r: r.name)
def test_the_extras_lock_pins_what_pyproject_asks_for(requirement):
    version, entry = locked(EXTRAS_LOCK)[canonicalize_name(requirement.name)]
    assert version in requirement.specifier, "run `make lock`"
    assert "qlab (pyproject.toml)" in entry


def test_a_learner_installs_nothing_of_the_extras_lock():
    assert not set(locked()) & set(locked(EXTRAS_LOCK))
    assert "requirements-extras" not in SCRIPT.read_text("utf-8")


def test_the_lock_pins_nothing_that_pyproject_no_longer_asks_for():
    direct = {name for name, (_, entry) in locked().items() if "qlab (pyproject.toml)" in entry}
    assert direct == {canonicalize_name(r.name) for r in declared()}, "run `make lock`"


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 100), (EXTRAS_LOCK, 40)], ids=["all", "extras"])
def test_every_locked_package_has_hashes(lock, least):
    bare = [name for name, (_, entry) in locked(lock).items() if "--hash=sha256:" not in entry]
    assert len(locked(lock)) > least
    assert bare == []


@pytest.mark.parametrize("lock", [LOCK, EXTRAS_LOCK], ids=["all", "extras"])
def test_the_lock_holds_no_addresses_paths_or_options(lock):
    assert "://" not in lock
    assert not re.search(r"(^|\s)(/|\.\.?/|~)", lock), "a path"
    options = {line.split()[0] for line in lock.splitlines() if line.startswith("-")}
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
    shutil.copy(SCRIPT, tmp_path / "tools")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "rm", "sh"):
        (programs / name).symlink_to(shutil.which(name))

    def run(**variables):
        return subprocess.run(
            [shutil.which("sh"), "tools/setup.sh"],
            cwd=tmp_path,
            env={"PATH": str(programs)} | variables,
            capture_output=True,
            text=True,
            start_new_session=True,  # a pretended Python may end the whole set-up
        )

    run.programs, run.folder = programs, tmp_path
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
def test_a_machine_without_tensorflow_is_sent_elsewhere(checkout):
    pretend(checkout, "python3.12", "echo machine macOS 11.7")
    run = checkout()
    assert run.returncode == 1
    assert "(macOS 11.7)" in run.stderr and "a server or in a container" in run.stderr


@needs_sh
@pytest.mark.parametrize(
    ("here", "answer"),
    [
        ("", "ok"),
        ("platform.libc_ver = lambda: ('', '')", "machine Linux without glibc"),
        ("platform.machine = lambda: 'i686'", "machine Linux i686"),
        ("struct.calcsize = lambda kind: 4", "machine a Python of 32 bits"),
        (
            "platform.system, platform.machine, platform.mac_ver = "
            "lambda: 'Darwin', lambda: 'arm64', lambda: ('11.7.10', (), '')",
            "machine macOS 11.7.10",
        ),
        ("platform.system, platform.machine = lambda: 'Windows', lambda: 'ARM64'", "Windows ARM64"),
        ("sysconfig.get_config_var = lambda name: 1", "version"),
    ],
)
def test_a_candidate_says_which_machine_has_no_tensorflow(here, answer):
    code = re.search(r"^probe='\n(.*?)^'$", SCRIPT.read_text("utf-8"), re.M | re.S).group(1)
    pretended = f"import platform, struct, sysconfig\n{here}\n{code}"
    told = subprocess.run([sys.executable, "-c", pretended], capture_output=True, text=True)
    assert answer in told.stdout, told.stderr


# A Python that makes .venv with a copy of itself, and fails where it is told to.
PYTHON = """
call=$*
case $call in *platform.libc_ver*) call=probe ;; esac
echo "$call" >> "$HOME/calls"
[ "$(wc -l < "$HOME/calls")" != "${KILL_AT:-0}" ] || kill -9 0
case $call in
    probe) echo ok ;;
    "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *"-m pip"*)
        touch .venv/half
        [ -z "${PIP_FAILS:-}" ] || { echo "a line"; echo "ERROR: no network" >&2; exit 1; }
        [ "$(wc -l < "$HOME/calls")" != "${KILL_IN:-0}" ] || kill -9 0 ;;
esac
"""


@pytest.fixture
def python(checkout):
    """A checkout with one Python on its PATH, and a runner that has what this one needs."""
    pretend(checkout, "python3.11", PYTHON)
    for name in ("wc", "mkdir", "cp", "touch"):
        (checkout.programs / name).symlink_to(shutil.which(name))
    home = checkout.folder / "home"
    home.mkdir()

    def run(**variables):
        (home / "calls").unlink(missing_ok=True)
        run.ended = checkout(HOME=str(home), **variables)
        return (home / "calls").read_text("utf-8").splitlines()

    return run


@needs_sh
@pytest.mark.parametrize(
    "moment", [{"KILL_AT": n} for n in "12345"] + [{"KILL_IN": n} for n in "45"]
)
def test_a_set_up_that_was_killed_begins_afresh(python, checkout, moment):
    stamp = checkout.folder / ".venv" / ".qlab-setup"
    python(**moment)
    assert python.ended.returncode == -signal.SIGKILL and not stamp.exists()
    left = (checkout.folder / ".venv").exists()
    calls = python()
    assert python.ended.returncode == 0 and stamp.exists()
    assert "-m venv --clear .venv" in calls
    assert ("begins afresh" in python.ended.stdout) is left


@needs_sh
def test_a_second_set_up_keeps_the_environment_and_a_killed_one_after_it_is_seen(python, checkout):
    python()
    assert not [call for call in python() if "venv --clear" in call]
    python(KILL_IN="3")
    assert python.ended.returncode == -signal.SIGKILL
    assert [call for call in python() if "venv --clear" in call]


@needs_sh
@pytest.mark.parametrize("answer", ["exit 127", "echo version", "echo venv", "echo machine x"])
def test_a_python_that_does_not_fit_does_not_end_the_search(python, checkout, answer):
    (checkout.programs / "python3.11").rename(checkout.programs / "python3.13")
    pretend(checkout, "python3.11", answer)
    python()
    assert python.ended.returncode == 0, python.ended.stderr


@needs_sh
def test_the_path_of_a_python_may_have_a_space(python, checkout):
    place = checkout.folder / "my programs"
    checkout.programs.rename(place)
    python(PYTHON=str(place / "python3.11"), PATH=str(place))
    assert python.ended.returncode == 0, python.ended.stderr


def test_git_on_windows_leaves_every_byte_as_it_is(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    for file in (ROOT / ".gitattributes", SCRIPT, ROOT / "data" / "pretrained" / "manifest.json"):
        shutil.copy(file, source)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=true"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=source, check=True, capture_output=True)
    subprocess.run([*git, "clone", "-q", str(source), str(copy)], check=True)
    for name in ("setup.sh", "manifest.json"):
        assert (copy / name).read_bytes() == (source / name).read_bytes()


@needs_sh
def test_when_pip_fails_set_up_says_so_last_and_names_the_log(python, checkout):
    python(PIP_FAILS="1")
    said = python.ended.stderr
    assert python.ended.returncode == 1
    assert said.index("ERROR: no network") < said.index("pip could not install")
    assert "HTTPS_PROXY" in said and "a line" not in said + python.ended.stdout
    log = re.search(r"pip said is in (\S+)\.", said).group(1)
    assert "a line\nERROR: no network" in (checkout.folder / log).read_text("utf-8")
