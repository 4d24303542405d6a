"""Python code in a process of its own, for what may crash, hang or do harm.

It starts isolated from the user's settings (``-I``) with this process's own import path but for the
folder it was started in, has limits
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
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import qlab
from qlab.system.threads import POOLS, cores

MOST_TOLD = 2**20  # bytes of output that are read
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


# A child scores one file: more threads of NumPy would only take address space from its limit.
ONE_THREAD = dict.fromkeys(POOLS, "1")


def elsewhere(paths):
    """An import path without the folder that somebody happens to work in: it may be a stranger's.

    Modules in it would take the place of NumPy's and of our own.
    """
    here, ours = os.path.realpath(os.getcwd()), os.path.realpath(Path(qlab.__file__).parents[1])
    return [x for x in paths if x and (here == ours or os.path.realpath(x) != here)]


class Isolated(subprocess.Popen):
    """A process that runs Python code; to be used with ``with``, which ends it if need be."""

    def __init__(self, code, seconds, memory_bytes=None, options=(), env=os.environ, **settings):
        limits = {"RLIMIT_CORE": 0}
        if memory_bytes is not None:
            # Processor time ends even a process that has left the group of this one.
            limits |= {"RLIMIT_AS": memory_bytes, "RLIMIT_CPU": math.ceil(seconds * cores())}
        paths = [str(Path(qlab.__file__).parents[1]), *elsewhere(sys.path)]
        job = json.dumps([paths, limits, code])
        self.timed_out = False
        super().__init__(
            [sys.executable, "-I", *options, "-c", _START, job],
            start_new_session=True,
            env={**env, **ONE_THREAD},
            **settings,
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
        except (ProcessLookupError, PermissionError):  # none of it runs any more
            pass

    def ended(self, wait=False):
        """Whether the process has ended, or wait until it has; then its group ends as well."""
        if self.returncode is None and hasattr(os, "waitid"):
            # Looked at and not yet waited for, so that its number is still its group's.
            look = os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)
            if os.waitid(os.P_PID, self.pid, look) is None:
                return False
            self.end()
            wait = True
        return (self.wait() if wait else self.poll()) is not None

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


def run(code, seconds, memory_bytes=None, given=b"", **settings):
    """Run Python code to its end, with `given` as its standard input."""
    # Files and no pipes: a process that has left the group may hold a pipe open for ever.
    file = tempfile.TemporaryFile
    with file() as asked, file() as output, file() as errors:
        asked.write(given)
        asked.seek(0)
        files = {"stdin": asked, "stdout": output, "stderr": errors}
        with Isolated(code, seconds, memory_bytes, **files, **settings) as process:
            process.ended(wait=True)
        told, failed = map(_end_of, (output, errors))
    lines = [line for line in failed.splitlines() if line.strip()]
    return Ended(process.returncode, told, lines[-1] if lines else "", process.timed_out)


def _end_of(file):
    """The last part of what a process wrote, as text."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_TOLD))
    return file.read(MOST_TOLD).decode("utf-8", "replace").strip()
