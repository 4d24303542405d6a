"""Files written whole or not at all, and files from outside read with care."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def write_whole(path, data):
    """Write `data` so that a reader sees the old file or the new one, never a part."""
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
    """Read a regular file of at most so many bytes; a pipe or a device is never waited for."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is not a file")
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(f"it is larger than {most_bytes:,} bytes")
    return data
