"""The bundle for a room without network: `make offline` makes it, `make setup` takes it if present.

The folder ``offline/`` holds ``wheels/``, every package of requirements.txt for one Python on one
kind of machine; ``data/``, the four files of Fashion-MNIST; and ``manifest.json``, which says what
the bundle is for and lists the SHA-256 of each file. The trained models are in the checkout anyway.

`check` runs before anything is installed, so this file needs nothing but Python.
"""

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUNDLE, PARTIAL = ROOT / "offline", ROOT / "offline.partial"
LOCK = ROOT / "requirements.txt"
INSTEAD = "To install over the network instead, remove the folder offline."


class BundleError(Exception):
    """A bundle that cannot be made or used; says what to do."""


def main(argv=None):
    """Run `make`, `check` or `machine`; 0, or 1 after an error in words."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("make", help="fill offline/ (needs a network, and qlab installed)")
    made.add_argument("--python", default=sys.executable, help="the Python that the room has")
    commands.add_parser("check", help="say whether offline/ is whole and fits this Python")
    commands.add_parser("machine", help="print what this Python is, as JSON")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "make":
            make(arguments.python)
        elif arguments.command == "check":
            check()
        else:
            print(json.dumps(machine()))
    except BundleError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def machine():
    """What wheels depend on: the Python and the kind of machine."""
    return {
        "implementation": platform.python_implementation(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def make(python):
    """Fill a folder beside ``offline/``, and put it in that place when it is whole."""
    from qlab import data
    from qlab.data import idx

    shutil.rmtree(PARTIAL, ignore_errors=True)
    try:
        PARTIAL.mkdir()
        target = _download_wheels(python)
        folder = data.fetch()
        (PARTIAL / "data").mkdir()
        for name in idx.FILES:
            shutil.copyfile(folder / name, PARTIAL / "data" / name)
        files = _write_manifest(target)
        shutil.rmtree(BUNDLE, ignore_errors=True)
        PARTIAL.rename(BUNDLE)
    except OSError as error:
        raise BundleError(
            f"The bundle could not be written ({error}). It takes 1 GB: is there room on the disk, "
            "and is this folder writable? Then run make offline again."
        ) from None
    finally:
        shutil.rmtree(PARTIAL, ignore_errors=True)
    total = sum(entry["bytes"] for entry in files.values())
    print(f"offline: {len(files)} files, {total / 1e6:,.0f} MB, for {_words(target)}.")
    print("Copy this checkout, without .venv, to each machine of the room, and run make lab there.")


def _download_wheels(python):
    """Fetch the locked packages for `python` with a pip of its own; what that Python is."""
    environment = PARTIAL / "python"
    try:
        done = subprocess.run([python, __file__, "machine"], capture_output=True, check=True)
        subprocess.run([python, "-m", "venv", environment], check=True)
    except (OSError, subprocess.CalledProcessError):
        raise BundleError(
            f"{python} is not a Python that runs and has the module venv. Name one that is: "
            "make offline PYTHON=/path/to/python"
        ) from None
    target = json.loads(done.stdout)
    folder = environment / ("Scripts" if sys.platform == "win32" else "bin")
    command = [folder / "python", "-m", "pip", "download", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", LOCK, "-d", PARTIAL / "wheels"]
    if subprocess.run(command).returncode:
        raise BundleError(
            "make offline stopped: pip could not fetch the packages of requirements.txt for "
            f"{_words(target)}. The lines above say why: no network or a proxy (set HTTPS_PROXY), "
            "a full disk (the bundle takes 1 GB), or a Python that the course does not run on. "
            "Then run make offline again. A bundle made before is as it was."
        )
    shutil.rmtree(environment)
    return target


def _write_manifest(target):
    """Write what is in the bundle and what for; the files."""
    paths = sorted(path for path in PARTIAL.rglob("*") if path.is_file())
    files = {
        path.relative_to(PARTIAL).as_posix(): {
            "sha256": sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in paths
    }
    content = {
        "made": date.today().isoformat(),
        "for": target,
        "requirements_sha256": sha256(LOCK),
        "files": files,
    }
    (PARTIAL / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return files


def check():
    """Compare the bundle with its manifest, with requirements.txt and with this Python."""
    try:
        content = json.loads((BUNDLE / "manifest.json").read_text("utf-8"))
        target, lock, files = (content[key] for key in ("for", "requirements_sha256", "files"))
        wanted = {name: entry["sha256"] for name, entry in files.items()}
        fits = {key: target[key] for key in machine()} == machine()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BundleError(
            "The folder offline is not a whole bundle: its manifest.json is missing or damaged. "
            f"Copy the folder again, or make it again with make offline. {INSTEAD}"
        ) from None
    if not fits:
        raise BundleError(
            f"The bundle in offline is for {_words(target)}, and this is {_words(machine())}. Use "
            f"such a Python (make clean, then make setup PYTHON=python{target['python']}), or, on "
            f"a machine like this one with a network, make a bundle that fits: "
            f"make offline PYTHON=python{machine()['python']}. {INSTEAD}"
        )
    if lock != sha256(LOCK):
        raise BundleError(
            "The bundle in offline was made for another requirements.txt. Take the checkout and "
            f"the bundle from the same copy, or make the bundle again: make offline. {INSTEAD}"
        )
    for name, digest in wanted.items():
        problem = _problem(BUNDLE / name, digest)
        if problem:
            raise BundleError(
                f"The bundle in offline is damaged: {name} {problem}. Copy the folder again from "
                f"where it was made, or make it again with make offline. {INSTEAD}"
            )
    print(f"offline: {len(wanted)} files verified; nothing will be fetched.")


def _problem(path, digest):
    """What is wrong with a file, in words; empty if nothing is."""
    try:
        return "" if sha256(path) == digest else "is not the file that manifest.json describes"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def sha256(path):
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _words(target):
    return "{implementation} {python} on {system} {machine}".format(**target)


if __name__ == "__main__":
    sys.exit(main())
