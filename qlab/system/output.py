"""Keep what C++ code prints to file descriptor 2 off the screen; exceptions still come through."""

import contextlib
import os
import sys
import threading
import warnings

_LOCK = threading.Lock()
_OPEN = {"depth": 0, "saved": None}


@contextlib.contextmanager
def quiet():
    """Send file descriptor 2 to the null device, and ignore Python warnings, for a while.

    TensorFlow and LiteRT print there whatever ``sys.stderr`` is. An exception still travels out.
    Several threads may be quiet at once; the last to leave gives the descriptor back.

    Examples
    --------
    >>> with quiet():
    ...     written = os.write(2, b"from C++")
    >>> written
    8
    """
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # a closed one
            sys.stderr.flush()
    _enter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _leave()


def _enter():
    with _LOCK:
        if not _OPEN["depth"]:
            _OPEN["saved"] = _duplicate()
            null = os.open(os.devnull, os.O_WRONLY)
            if null != 2:  # as it may be if 2 was closed; then it stays there
                os.dup2(null, 2)
                os.close(null)
        _OPEN["depth"] += 1


def _leave():
    with _LOCK:
        _OPEN["depth"] -= 1
        if not _OPEN["depth"] and _OPEN["saved"] is not None:
            os.dup2(_OPEN["saved"], 2)
            os.close(_OPEN["saved"])


def _duplicate():
    """A second handle of file descriptor 2; None if it is closed."""
    try:
        return os.dup(2)
    except OSError:
        return None
