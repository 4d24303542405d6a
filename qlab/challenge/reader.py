"""Reads a file that nobody vouches for: the course's reader, with the challenge's rules."""

from qlab.challenge.allowed import TABLES
from qlab.challenge.intake import Refused
from qlab.tflite.reading import Damaged, Reader, damaged, members

MOST_TABLES = 20_000


def read(data):
    """Read the bytes of a `.tflite` file."""
    try:
        return _Strict(data).model()
    except Damaged as error:
        raise Refused(str(error)) from None


class _Strict(Reader):
    """Counts each byte once, and takes neither numbers out of line nor unknown parts."""

    share, most_tables = 1, MOST_TABLES

    def see(self, start, size, width=1, text=False):
        if start % width:
            raise damaged("numbers are not in line")
        super().see(start, size, width)

    def fields(self, kind, slots):
        if slots > TABLES[kind.__name__]:
            raise Refused(f"its {kind.__name__} has a part that the challenge does not know")
        return super().fields(kind, slots)

    def member(self, union, number):
        name = members(union).get(number, f"{union} of number {number}")
        if name not in TABLES:
            raise Refused(f"it has {name}, which are not allowed here")
        return super().member(union, number)
