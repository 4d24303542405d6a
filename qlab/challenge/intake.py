"""What comes in from others: their files, read with care, and their names, made fit to show."""

import unicodedata

from qlab.system.files import UnfitFile, read_with_status
from qlab.system.text import one_line

MOST_BYTES = 5_000_000
# Signs that show nothing and count as letters or symbols: fillers, joiners, a blank of Braille.
_UNSEEN = dict.fromkeys((0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0))
_UNSEEN |= dict.fromkeys((*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
# Letters of other alphabets, and digits, that look like a Latin one.
_LOOKS = str.maketrans(
    "авеѕіјкмнорстухһԁԛԝӏαβεζηικμνορτυχɡ01|i",
    "abesijkmhopctyxhdqwlabezhikmnoptuxgolll",
)


class Refused(ValueError):
    """A file that the challenge does not take; the message says why, in words safe to print."""


def read(path, most_bytes=MOST_BYTES):
    """Read a regular file that is no link, and no more of it than is allowed."""
    return with_status(path, most_bytes)[0]


def with_status(path, most_bytes=MOST_BYTES):
    """The same, with what the system says of the file: its owner, its times."""
    try:
        return read_with_status(path, most_bytes, follow_links=False)
    except FileNotFoundError:
        raise Refused("there is no such file; look at its name and at its folder") from None
    except UnfitFile as error:
        raise Refused(str(error)) from None
    except (OSError, ValueError) as error:
        raise Refused(f"it cannot be read ({getattr(error, 'strerror', error)})") from None


def clean_name(text):
    """A participant's name as it is shown: one line of at most 40 characters, without brackets.

    What the board itself says of a name stands in brackets, so that no name can say it.
    """
    name = unicodedata.normalize("NFKC", str(text)).translate(_UNSEEN)
    name = "".join(" " if unicodedata.category(c) in ("Ps", "Pe") else c for c in name)
    name = one_line(name, 40)
    if not any(unicodedata.category(c)[0] in "LNS" and c != "\ufffd" for c in name):
        raise ValueError("the name is empty; give one that others know you by")
    return name


def look(name):
    """What two names have in common that the eye takes for one, such as Ada with a Cyrillic A."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_LOOKS).translate(_LOOKS)
    plain = "".join(c for c in plain if c.isalnum()) or name
    return plain.replace("rn", "m").replace("vv", "w")
