"""Files written whole or not at all, and files from outside read with care."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def write_whole(path, data):
    """Write `data` so that a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    path : path-like
    data : bytes

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OSError
        If it cannot be written; what was there is then as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a.txt"), b"whole").read_bytes()
    b'whole'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def read_whole(path, most_bytes):
    """Read a regular file of at most so many bytes; a pipe or a device is never waited for.

    Parameters
    ----------
    path : path-like
    most_bytes : int

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        If it cannot be read, is not a regular file, or is larger.

    Examples
    --------
    >>> read_whole(os.devnull, 10)
    Traceback (most recent call last):
    OSError: it is not a file
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is not a file")
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(f"it is larger than {most_bytes:,} bytes")
    return data
