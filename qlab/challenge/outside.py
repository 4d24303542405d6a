"""What comes from outside: a file is opened with care, and text is made safe to show."""

import os
import stat
import unicodedata

MOST_BYTES = 5_000_000


class Refused(ValueError):
    """A file that the challenge does not take; the message says why, in words safe to print."""


def read(path, most_bytes=MOST_BYTES):
    """Read a regular file that is no link, and no more of it than is allowed."""
    if os.path.islink(path):
        raise Refused("it is a link; give the file itself")
    # O_NOFOLLOW: it may become a link now. O_NONBLOCK: opening a pipe would wait for a writer.
    flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
    try:
        handle = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    except FileNotFoundError:
        raise Refused("there is no such file; look at its name and at its folder") from None
    except (OSError, ValueError) as error:
        raise Refused(f"it cannot be read ({getattr(error, 'strerror', error)})") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise Refused("it is not a file")
    with os.fdopen(handle, "rb") as file:
        data = file.read(most_bytes + 1) if status.st_size <= most_bytes else b""
    if max(status.st_size, len(data)) > most_bytes:  # it may have grown
        raise Refused(f"it is larger than {most_bytes:,} bytes, the most that is read")
    return data


def printable(text, most=200):
    r"""Return text without control characters and reversed writing, and not too long."""
    if isinstance(text, bytes):
        text = text[: 4 * most].decode("utf-8", "replace")
    text = "".join(
        c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text[: 2 * most]
    )
    return text if len(text) <= most else f"{text[: most - 1]}…"


def clean_name(text):
    """Return a participant's name as it is shown: one line, at most 40 characters."""
    name = " ".join(printable(unicodedata.normalize("NFC", str(text)), 200).split())
    if not name.strip("\ufffd "):
        raise ValueError("the name is empty; give one that others know you by")
    return printable(name, 40)
