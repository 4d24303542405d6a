"""Where files are made: here, in processes, or on the workers of a Dask scheduler."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from qlab.system.machine import versions
from qlab.system.threads import obey

WAIT = 10  # seconds for a scheduler to answer
SAME = ("python", "qlab", "numpy", "ai-edge-litert")  # what must not differ between machines


class WorkersError(OSError):
    """There is nobody to work; the message says why, and what to do."""


class Workers(NamedTuple):
    """An executor as `concurrent.futures` has them, and how many work for it at once."""

    executor: object
    count: int


@contextmanager
def workers(count=1, scheduler=None):
    """While it lasts, `Workers`: processes here, or those of a scheduler; with one, none but us."""
    if scheduler:
        with _dask(scheduler) as client:
            yield Workers(client.get_executor(), sum(client.nthreads().values()))
    elif count > 1:
        start = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, start, _one_thread) as pool:
            try:
                yield Workers(pool, count)
            finally:
                pool.shutdown(cancel_futures=True)
    else:
        yield Workers(None, 0)


def _one_thread():
    os.environ.setdefault("QLAB_THREADS", "1")
    obey()


def _dask(scheduler):
    """A client of the scheduler, all of whose workers have our versions."""
    try:
        from distributed import Client
    except ImportError:
        raise WorkersError(
            "a scheduler is reached by Dask, which is not installed here; install it with "
            "`pip install 'qlab[cluster]'`"
        ) from None
    try:
        client = Client(scheduler, timeout=WAIT)
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"no Dask scheduler answers at {scheduler} ({type(error).__name__}); start one with "
            "`dask scheduler`, which prints its address"
        ) from None
    try:
        _require_same(client.run(versions, on_error="return"))
    except BaseException:
        client.close()
        raise
    return client


def _require_same(theirs):
    """Raise WorkersError unless there are workers, which have our versions: else files differ."""
    if not theirs:
        raise WorkersError("the scheduler has no workers; start some with `dask worker ADDRESS`")
    ours = versions()
    for worker, found in theirs.items():
        if not isinstance(found, dict):
            raise WorkersError(f"the worker {worker} cannot use qlab ({found}); install it there")
        for name in SAME:
            if found.get(name) != ours.get(name):
                raise WorkersError(
                    f"the worker {worker} has {name} {found.get(name)}, and here it is "
                    f"{ours.get(name)}, so that files could differ; install the same there"
                )
