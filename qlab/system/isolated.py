"""Python code in a process of its own, for what may crash, hang or do harm.

It starts isolated from the user's settings (``-I``) with this process's own import path, has limits
on processor time and memory, leaves no core dump, and is ended with all that it started when its
time is up.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import qlab
from qlab.system.machine import cores

_START = """
import json, sys
def _begin():
    paths, limits, code = json.loads(sys.argv.pop(1))
    sys.path[:] = paths
    try:
        import resource
    except ImportError:  # Windows
        limits = {}
    for name, limit in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (limit, limit))
        except (AttributeError, OSError, ValueError):
            pass  # this system does not have it, or has a lower one already
    return compile(code, "<string>", "exec")
exec(_begin())
"""


class Isolated(subprocess.Popen):
    """A process that runs Python code; to be used with ``with``, which ends it if need be."""

    def __init__(self, code, seconds, memory_bytes=None, options=(), **settings):
        limits = {"RLIMIT_CORE": 0}
        if memory_bytes is not None:
            # Processor time ends even a process that has left the group of this one.
            limits |= {"RLIMIT_AS": memory_bytes, "RLIMIT_CPU": math.ceil(seconds * cores())}
        paths = [str(Path(qlab.__file__).parents[1]), *(path or os.getcwd() for path in sys.path)]
        job = json.dumps([paths, limits, code])
        self.timed_out = False
        super().__init__(
            [sys.executable, "-I", *options, "-c", _START, job], start_new_session=True, **settings
        )
        self._clock = threading.Timer(seconds, self._time_is_up)
        self._clock.daemon = True
        self._clock.start()

    def _time_is_up(self):
        self.timed_out = self.returncode is None
        self.end()

    def end(self):
        """End the process, and its group where the system has groups."""
        if self.returncode is not None:
            return  # it was waited for, and its number may be another's by now
        if not hasattr(os, "killpg"):
            self.kill()
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def __exit__(self, *error):
        self._clock.cancel()
        self.end()  # also after Ctrl-C
        super().__exit__(*error)


class Ended(NamedTuple):
    """How a process ended: exit code (negative for a signal), output, last line of its errors."""

    code: int
    output: str
    error: str
    timed_out: bool


def run(code, seconds, memory_bytes, given=b"", **settings):
    """Run Python code to its end, with `given` as its standard input."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with Isolated(code, seconds, memory_bytes, **pipes, **settings) as process:
        output, errors = (x.decode("utf-8", "replace").strip() for x in process.communicate(given))
    lines = [line for line in errors.splitlines() if line.strip()]
    return Ended(process.returncode, output, lines[-1] if lines else "", process.timed_out)
