"""Numbers that the environment sets: read in one place, and refused in words."""

import math
import os

NUMBERS = {  # what each may be: its type, the least, and that in words
    "QLAB_THREADS": (int, 1, "a whole number of threads, at least 1"),
    "QLAB_REMEMBERED_MB": (float, 0, "a number of megabytes, at least 0"),
}


class SettingError(OSError):
    """A variable of the environment holds what qlab cannot use; the message says what it may be."""


def number(name, otherwise=None):
    """What a variable of `NUMBERS` says; `otherwise` if it is not set."""
    said, (kind, least, words) = os.environ.get(name, "").strip(), NUMBERS[name]
    try:
        value = kind(said) if said else otherwise
    except ValueError:
        value = math.nan
    if said and not least <= value < math.inf:
        raise SettingError(f"{name} is {said!r}; set it to {words}, or unset it")
    return value
