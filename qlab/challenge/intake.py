"""What comes in from others: their files, read with care, and their names, made fit to show."""

import unicodedata

from qlab.system.files import UnfitFile, read_whole
from qlab.system.text import one_line

MOST_BYTES = 5_000_000


class Refused(ValueError):
    """A file that the challenge does not take; the message says why, in words safe to print."""


def read(path, most_bytes=MOST_BYTES):
    """Read a regular file that is no link, and no more of it than is allowed."""
    try:
        return read_whole(path, most_bytes, follow_links=False)
    except FileNotFoundError:
        raise Refused("there is no such file; look at its name and at its folder") from None
    except UnfitFile as error:
        raise Refused(str(error)) from None
    except (OSError, ValueError) as error:
        raise Refused(f"it cannot be read ({getattr(error, 'strerror', error)})") from None


def clean_name(text):
    """A participant's name as it is shown: one line, at most 40 characters."""
    name = one_line(unicodedata.normalize("NFC", str(text)), 40)
    if not name.strip("\ufffd "):
        raise ValueError("the name is empty; give one that others know you by")
    return name
