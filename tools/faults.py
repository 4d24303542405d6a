"""Plants known faults, one at a time, and says whether the tests that should catch them do.

``tools/faults.toml`` holds the faults: one line of the course each, as a careless developer could
have written it, and the tests that notice. ``make faults`` proves that they still do; run it after
a change to the tests. Each fault lives in a copy of the checkout and nowhere else.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAULTS = Path(__file__).with_suffix(".toml")
DATA = Path("data", "fashion-mnist")
SECONDS = 600  # for all tests that see one fault
FAILED = 1  # exit code of pytest if tests ran and some failed


def faults():
    """Read the list of faults, with ``file``, ``old``, ``new``, ``caught_by`` and ``why`` each."""
    return tomllib.loads(FAULTS.read_text("utf-8"))["fault"]


def planted(text, fault):
    """Return the text of a file with the fault in it; ValueError if its place is not there once."""
    times = text.count(fault["old"])
    if times != 1:
        raise ValueError(
            f"{fault['file']} has {fault['old']!r} {times} times, and it must be there once: "
            "correct this fault in tools/faults.toml"
        )
    return text.replace(fault["old"], fault["new"])


def main(argv=None):
    """Plant the chosen faults; 0 if each is caught, else 1."""
    known = faults()
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="only these, from 1")
    only = parser.parse_args(argv).only or range(1, len(known) + 1)
    if not all(1 <= number <= len(known) for number in only):
        parser.error(f"the faults have the numbers 1 to {len(known)}")
    chosen = {number: known[number - 1] for number in only}
    tests = list(dict.fromkeys(test for fault in chosen.values() for test in fault["caught_by"]))
    print(f"without a fault, {len(tests)} tests: ", end="", flush=True)
    code, words = run(tests)
    print("pass" if code == 0 else f"DO NOT PASS\n{words}", flush=True)
    if code:
        return 1
    missed = [number for number, fault in chosen.items() if not caught(number, len(known), fault)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults caught")
    return 1 if missed else 0


def caught(number, total, fault):
    """Plant one fault, run its tests, and print what came of it."""
    print(f"{number:2} of {total}  {fault['file']}: {fault['why']} ", end="", flush=True)
    start = time.perf_counter()
    try:
        code, words = run(fault["caught_by"], fault)
    except ValueError as error:
        code, words = None, str(error)
    seconds = f"({time.perf_counter() - start:.0f} s)"
    print("caught" if code == FAILED else f"NOT CAUGHT\n{words}", seconds, flush=True)
    return code == FAILED


def run(tests, fault=None):
    """Run tests in a copy of the checkout, with a fault or without; exit code and last lines."""
    with tempfile.TemporaryDirectory(prefix="qlab-fault-") as folder:
        copy = Path(folder, "checkout")
        copy_checkout(copy)
        if fault:
            path = copy / fault["file"]
            path.write_text(planted(path.read_text("utf-8"), fault), "utf-8", newline="")
        return pytest(copy, tests)


def copy_checkout(to):
    """Copy what git knows of the checkout, and link the data, if it is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    if (ROOT / DATA).is_dir():
        (to / DATA).symlink_to(ROOT / DATA)


def pytest(checkout, tests):
    """Run pytest in a checkout, on that checkout's own qlab."""
    settings = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    lean = ["-p", "no:cacheprovider", "-p", "no:nbval", "-o", "addopts="]  # quick to start
    command = [sys.executable, "-m", "pytest", "-q", "-x", *lean, *tests]
    try:
        done = subprocess.run(
            command, cwd=checkout, env=settings, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return None, f"the tests took over {SECONDS} s"
    return done.returncode, (done.stdout + done.stderr)[-2000:].strip()


if __name__ == "__main__":
    sys.exit(main())
