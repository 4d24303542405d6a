"""Reads a `.tflite` file that nobody vouches for: the course's reader, with the challenge's rules.

The file must be as a writer makes it that stores nothing twice, and must hold nothing but what
the challenge knows (`qlab.challenge.allowed.TABLES`).
"""

from qlab.challenge.allowed import TABLES
from qlab.challenge.outside import Refused
from qlab.reading import Damaged, Reader, damaged, members

MOST_TABLES = 20_000


def read(data):
    """Read the bytes of a `.tflite` file.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    ModelT
        The schema's object tree; many numbers are NumPy arrays (views of `data`).

    Raises
    ------
    Refused
        If it is not a `.tflite` file, points outside of itself or to one place twice, or has
        parts that the challenge does not know.

    Examples
    --------
    >>> import qlab
    >>> model = read(qlab.pretrained("baseline").data)
    >>> model.version, len(model.subgraphs[0].operators)
    (3, 7)
    """
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
