"""How many threads this process takes: ``$QLAB_THREADS``, or the cores that it may use."""

import ctypes
import math
import os
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from threading import Lock

from qlab.system.settings import SettingError, number

MOST = 4  # threads, unless more are asked for: models this small gain nothing from others
POOLS = (  # what libraries read when they are loaded, TensorFlow's last
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_LOCK, _INSIDE = Lock(), []  # who computes with one thread: how many there were before the first
CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def threads():
    """How many threads a computation takes: what ``$QLAB_THREADS`` says, or the cores, at most 4.

    >>> threads() >= 1
    True
    """
    return number("QLAB_THREADS") or min(MOST, cores())


def cores():
    """How many cores this process may use: by its affinity, and by the quota of its container."""
    known = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return max(1, min([count, *map(math.ceil, _quotas())]))


def obey():
    """Let NumPy, TensorFlow and child processes take as many threads as ``$QLAB_THREADS`` says."""
    try:
        count = number("QLAB_THREADS")
    except SettingError:
        return  # `threads` says what is wrong with it, where somebody reads that
    if count:
        for name in POOLS:
            os.environ.setdefault(name, str(count))
        if "numpy" in sys.modules:
            _limit_loaded_numpy(count)


@contextmanager
def _one_thread():
    """Let NumPy compute with one thread: with more, each of many small products waits for all."""
    with _LOCK:
        _INSIDE.append(_INSIDE[0] if _INSIDE else [ask() for ask, _ in _openblas()])
        _limit_loaded_numpy(1)
    try:
        yield
    finally:
        with _LOCK:
            before = _INSIDE.pop()
            for (_, tell), count in zip(_openblas(), before if not _INSIDE else (), strict=False):
                tell(count)


one_thread = _one_thread()  # @one_thread: what a function computes, it computes with one thread


def _limit_loaded_numpy(count):
    """Tell NumPy's own OpenBLAS, which reads the environment only once."""
    for _, tell in _openblas():
        tell(count)


@cache
def _openblas():
    """How to ask each OpenBLAS of NumPy's own for its threads, and how to tell it."""
    folder = Path(sys.modules["numpy"].__file__).parents[1] / "numpy.libs"
    names = [f"scipy_openblas_{verb}_num_threads64_" for verb in ("get", "set")]
    found = [ctypes.CDLL(str(path)) for path in folder.glob("*openblas*")]
    return [[getattr(x, name) for name in names] for x in found if hasattr(x, names[1])]


def _quotas():
    """Cores that each cgroup above this process allows, in both versions of cgroups."""
    for line in _read(OWN_CGROUP).splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and "cpu" not in kinds.split(","):
            continue
        top = CGROUPS / kinds
        inside = PurePosixPath(path.lstrip("/"))
        for folder in (top / inside, *(top / parent for parent in inside.parents)):
            quota, period = _second_version(folder) if not kinds else _first_version(folder)
            if quota.isdigit() and period.isdigit() and int(quota) and int(period):
                yield int(quota) / int(period)


def _second_version(folder):
    return [*_read(folder / "cpu.max").split(), "", ""][:2]


def _first_version(folder):
    return [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]


def _read(path):
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
