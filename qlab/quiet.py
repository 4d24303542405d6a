"""Keep what C++ code prints to file descriptor 2 off the screen; exceptions still come through."""

import contextlib
import os
import sys
import warnings


@contextlib.contextmanager
def quiet():
    """Send file descriptor 2 to the null device, and ignore Python warnings, for a while.

    TensorFlow and LiteRT print there whatever ``sys.stderr`` is. An exception still travels out.

    Examples
    --------
    >>> with quiet():
    ...     written = os.write(2, b"from C++")
    >>> written
    8
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
