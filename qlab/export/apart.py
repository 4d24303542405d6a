"""Work on a file from outside, in a process of its own: at worst that process ends."""

from __future__ import annotations

import multiprocessing
import os
import time

from qlab.export.errors import ExportError

SECONDS = 900
MEMORY_BYTES = 4 * 2**30


def apart(work, *arguments, out=print, seconds=SECONDS):
    """Call ``work(*arguments, say)`` in a process of its own, with limits."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, work, arguments), daemon=True)
    process.start()
    sender.close()
    deadline = time.monotonic() + seconds
    try:
        while receiver.poll(max(0.0, deadline - time.monotonic())):
            kind, value = receiver.recv()
            if kind == "done":
                return value
            if kind == "failed":
                raise ExportError(value)
            out(value)
    except EOFError:
        raise ExportError(
            "the model ended the process that scored it. The file is damaged, or LiteRT cannot "
            "run it on more than one image; nothing was written"
        ) from None
    finally:
        process.kill()
        process.join()
    raise ExportError(
        f"scoring and timing the model took over {seconds:.0f} s; nothing was written"
    )


def _run(sender, work, arguments):
    """In the child: limit the memory, do the work, send what comes of it."""
    _limit_memory()
    try:
        sender.send(("done", work(*arguments, lambda words: sender.send(("said", words)))))
    except KeyboardInterrupt:
        os._exit(130)  # the parent says so
    except MemoryError:
        sender.send(("failed", f"the model needs over {MEMORY_BYTES:,} bytes of memory"))
    except Exception as error:
        known = type(error).__module__.startswith("qlab.") or isinstance(error, OSError)
        words = str(error) if known else f"{type(error).__name__}: {error}"
        sender.send(("failed", words))


def _limit_memory():
    """Where the system can, refuse memory beyond the limit."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, OSError, ValueError):
        pass
