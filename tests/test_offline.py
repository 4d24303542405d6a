"""The bundle for a room without network: made, copied, installed from, and refused in words.

A tiny checkout with one locked package, a wheel made here, goes through the real scripts. pip is
sent to an index where nobody answers, so what is installed can only have come from the bundle.
"""

import hashlib
import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from qlab import data
from qlab.data import idx

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="set-up with make is for Linux and macOS")
VERSION = ".".join(platform.python_version_tuple()[:2])

# An own build backend: the tiny checkout must need nothing from outside, not even setuptools.
BACKEND = """
import zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    return wheel(folder, "qlab", "value = 1").name

"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "qlab"
version = "1.0"
"""
PROBE = "import tinydep, qlab; print(tinydep.value + qlab.value)"


def wheel(folder, name, source):
    """Write a wheel with one module, and return its path."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = Path(folder) / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return path


def environment(**changes):
    """No index that answers, no configuration of this machine's; the rest as it is."""
    theirs = ("PIP_", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(theirs)}
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    calm = {"PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1", "PYTHON": sys.executable}
    return {**kept, **nowhere, **proxies, **calm, **changes}


def run(folder, *command, **changes):
    return subprocess.run(
        command, cwd=folder, env=environment(**changes), capture_output=True, text=True
    )


def write_checkout(folder):
    """A checkout of one locked package; its wheel is in the folder ``index`` beside it."""
    index = folder.parent / "index"
    index.mkdir(exist_ok=True)
    digest = hashlib.sha256(wheel(index, "tinydep", "value = 41").read_bytes()).hexdigest()
    (folder / "tools").mkdir(parents=True)
    for name in ("setup.sh", "offline.py"):
        shutil.copy(ROOT / "tools" / name, folder / "tools")
    (folder / "requirements.txt").write_text(f"tinydep==1.0 --hash=sha256:{digest}\n")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND + inspect.getsource(wheel))
    return folder


def make(folder, *arguments, **changes):
    """`make offline` there, with pip looking into ``index`` alone."""
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder.parent / "index")}
    links["PYTHONPATH"] = str(ROOT)
    return run(folder, sys.executable, "tools/offline.py", "make", *arguments, **links | changes)


def check(folder):
    return run(folder, sys.executable, "tools/offline.py", "check")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout with its bundle, and the run that made it."""
    folder = write_checkout(tmp_path_factory.mktemp("made") / "checkout")
    data.fetch(progress=False)
    return folder, make(folder)


@pytest.fixture
def copy(made, tmp_path):
    """A copy of that checkout, as on a machine of the room, to spoil."""

    def copy(source, target):  # the data is large, and no test writes into its files
        return (os.link if "/data/" in source else shutil.copy2)(source, target)

    return Path(shutil.copytree(made[0], tmp_path / "copy", copy_function=copy))


def alter(folder, **changes):
    """Change entries of the manifest."""
    path = folder / "offline" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# Made


def test_the_bundle_has_packages_data_and_their_checksums(made):
    folder, done = made
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / "offline" / "manifest.json").read_text())
    names = ["wheels/tinydep-1.0-py3-none-any.whl", *(f"data/{name}" for name in idx.FILES)]
    assert sorted(manifest["files"]) == sorted(names)
    for name, entry in manifest["files"].items():
        content = (folder / "offline" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"]
    assert f"5 files, 31 MB, for {platform.python_implementation()} {VERSION}" in done.stdout
    assert not (folder / "offline.partial").exists()


def test_the_data_of_the_bundle_is_the_real_data(made):
    for name in idx.FILES:
        assert idx.read_array(made[0] / "offline" / "data" / name).size


def test_without_a_network_making_stops_in_words_and_keeps_the_old_bundle(copy):
    before = (copy / "offline" / "manifest.json").read_text()
    done = make(copy, PIP_NO_INDEX="", PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "make offline stopped: pip could not fetch the packages" in done.stderr
    assert "set HTTPS_PROXY" in done.stderr and "Traceback" not in done.stderr
    assert (copy / "offline" / "manifest.json").read_text() == before
    assert not (copy / "offline.partial").exists()


def test_a_python_that_does_not_run_is_named(copy):
    done = make(copy, "--python", "no-such-python")
    assert done.returncode == 1
    assert "no-such-python is not a Python that runs" in done.stderr
    assert "make offline PYTHON=" in done.stderr


# Installed from


def test_set_up_takes_everything_from_the_bundle(copy):
    done = run(copy, "sh", "tools/setup.sh")
    assert done.returncode == 0, done.stderr
    assert "5 files verified; nothing will be fetched" in done.stdout
    assert run(copy, ".venv/bin/python", "-c", PROBE).stdout == "42\n"


def test_the_same_set_up_without_the_bundle_fails(copy):
    shutil.rmtree(copy / "offline")
    done = run(copy, "sh", "tools/setup.sh")
    assert done.returncode == 1
    assert "pip could not install" in done.stderr and "no network" in done.stderr


def test_a_package_that_the_bundle_lacks_is_told_from_a_missing_network(copy):
    lock = copy / "requirements.txt"
    lock.write_text(f"{lock.read_text()}other==1.0 --hash=sha256:{'0' * 64}\n")
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    alter(copy, requirements_sha256=digest)
    done = run(copy, "sh", "tools/setup.sh")
    assert done.returncode == 1
    assert "a bundle made on a newer system" in done.stderr and "HTTPS_PROXY" not in done.stderr


def test_set_up_tries_the_python_of_the_bundle_first(copy, tmp_path):
    alter(copy, **{"for": {"python": "3.12"}})
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, version in (("python3.11", "old"), ("python3.12", "new")):
        program = programs / name
        program.write_text(f"#!/bin/sh\n[ $1 = -c ] && echo ok || echo {version} >> used\n")
        program.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run(copy, "sh", "tools/setup.sh", PYTHON="", PATH=path)
    assert set((copy / "used").read_text().split()) == {"new"}


# Refused


def test_a_damaged_file_is_named_before_anything_is_installed(copy):
    (copy / "offline" / "wheels" / "tinydep-1.0-py3-none-any.whl").write_bytes(b"cut off")
    done = run(copy, "sh", "tools/setup.sh")
    assert done.returncode == 1
    assert "damaged: wheels/tinydep-1.0-py3-none-any.whl is not the file" in done.stderr
    assert "Copy the folder again" in done.stderr
    assert "qlab set-up stopped" in done.stderr
    assert not (copy / ".venv").exists()


def test_a_missing_file_is_named(copy):
    (copy / "offline" / "data" / "t10k-labels-idx1-ubyte.gz").unlink()
    done = check(copy)
    assert done.returncode == 1
    assert "damaged: data/t10k-labels-idx1-ubyte.gz is missing" in done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"for": 3, "files": []}'])
def test_half_a_bundle_is_refused(copy, content):
    (copy / "offline" / "manifest.json").write_text(content)
    done = check(copy)
    assert done.returncode == 1
    assert "not a whole bundle" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_without_manifest_is_refused(copy):
    (copy / "offline" / "manifest.json").unlink()
    assert "not a whole bundle" in check(copy).stderr


@pytest.mark.parametrize(
    ("key", "other", "words"),
    [
        ("python", "3.99", "3.99 on"),
        ("system", "Plan9", "on Plan9"),
        ("machine", "abacus", "abacus, and this is"),
    ],
)
def test_a_bundle_for_another_machine_says_what_it_is_for(copy, key, other, words):
    made_for = json.loads((copy / "offline" / "manifest.json").read_text())["for"]
    alter(copy, **{"for": made_for | {key: other}})
    done = check(copy)
    assert done.returncode == 1
    assert words in done.stderr
    assert f"{VERSION} on {platform.system()} {platform.machine()}" in done.stderr
    assert "make offline PYTHON=" in done.stderr


def test_a_bundle_of_another_lock_is_refused(copy):
    (copy / "requirements.txt").write_text("tinydep==2.0\n")
    done = check(copy)
    assert done.returncode == 1
    assert "made for another requirements.txt" in done.stderr
