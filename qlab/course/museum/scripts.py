"""Run a script in a Python of its own, as a reader of a web page would."""

import os
from dataclasses import dataclass

from qlab.system import isolated

SECONDS = 180
MEMORY_BYTES = 16 * 2**30  # of addresses: TensorFlow reserves far more than it uses


@dataclass(frozen=True)
class Ran:
    """How a script ended. ``error`` is the last line of its traceback, empty if it ran through."""

    output: str
    error: str


def run_script(source):
    """Run Python source in a fresh interpreter, which has imported nothing yet."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("TF_USE_LEGACY_KERAS")}
    ended = isolated.run(
        source,
        SECONDS,
        MEMORY_BYTES,
        options=("-W", "ignore"),
        env={**outside, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if ended.timed_out:
        return Ran("", f"it did not end within {SECONDS} seconds")
    why = ended.error or f"it ended with code {ended.code}"
    return Ran(ended.output, why if ended.code else "")
