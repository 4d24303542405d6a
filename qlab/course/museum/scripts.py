"""Run a script in a Python of its own, as a reader of a web page would."""

import os
import subprocess
import sys
from dataclasses import dataclass

SECONDS = 180


@dataclass(frozen=True)
class Ran:
    """How a script ended. ``error`` is the last line of its traceback, empty if it ran through."""

    output: str
    error: str


def run_script(source):
    """Run Python source in a fresh interpreter, which has imported nothing yet."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("TF_USE_LEGACY_KERAS")}
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    try:
        run = subprocess.run(
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**outside, **settings},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Ran("", f"it did not end within {SECONDS} seconds")
    lines = [line for line in run.stderr.strip().splitlines() if line.strip()]
    why = lines[-1] if lines else f"it ended with code {run.returncode}"
    return Ran(run.stdout.strip(), why if run.returncode else "")
