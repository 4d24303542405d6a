"""Reads a `.tflite` file that nobody vouches for: every offset is checked before it is followed."""

import struct

import numpy as np

from qlab.challenge.intake import Refused
from qlab.challenge.tables import TABLES, UNIONS, union_member

MOST_TABLES = 20_000
_U16, _I32, _U32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")


def read(data):
    """Read the bytes of a `.tflite` file into plain Python."""
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise Refused("it is not a .tflite file: it does not carry the mark TFL3")
    reader = _Reader(data)
    return reader.table(reader.follow(0), "Model")


class _Reader:
    """The file, and how many bytes and tables of it may still be read."""

    def __init__(self, data):
        self.data, self.bytes_left, self.tables_left = data, len(data), MOST_TABLES

    def number(self, form, position):
        """Unpack a number; the file must hold all of it, at a multiple of its size."""
        if not 0 <= position <= len(self.data) - form.size or position % form.size:
            raise _damaged("a number is outside of the file or not in line")
        return form.unpack_from(self.data, position)[0]

    def follow(self, position):
        """Where the reference at `position` points to."""
        target = position + self.number(_U32, position)
        if target == position or target >= len(self.data):
            raise _damaged("a part is outside of the file")
        return target

    def take(self, position, size):
        """Claim a stretch of the file."""
        if position + size > len(self.data):
            raise _damaged("a part reaches beyond the end of the file")
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise _damaged("its parts lie on top of each other")

    def table(self, position, name):
        """Read the table at `position` as a dict of the fields that are there."""
        self.tables_left -= 1
        if self.tables_left < 0:
            raise Refused(f"it has more than {MOST_TABLES:,} parts")
        vtable = position - self.number(_I32, position)
        size, slots = self.number(_U16, vtable + 2), self.number(_U16, vtable) // 2 - 2
        self.take(position, size)
        if size < 4 or slots < 0:
            raise _damaged("a table has no room")
        if slots > len(TABLES[name]):
            raise Refused(f"its {name} has a part that the challenge does not know")
        found = {}
        for slot, field in enumerate(TABLES[name][:slots]):
            offset = self.number(_U16, vtable + 4 + 2 * slot)
            if not offset:
                continue
            width = int(field.of[1]) if field.form == "number" else 4
            if offset < 4 or offset + width > size:
                raise _damaged("a field is outside of its table")
            found[field.name] = self.value(field, position + offset, found)
        return found

    def value(self, field, position, found):
        """Read the field at `position`; `found` holds the fields before it."""
        if field.form == "number":
            return self.number(_NUMBERS[field.of], position)
        if field.form == "union":
            return self.union(field, position, found)
        target = self.follow(position)
        if field.form == "table":
            return self.table(target, field.of)
        if field.form == "tables":
            count = self.vector(target, 4)
            return [self.table(self.follow(target + 4 + 4 * i), field.of) for i in range(count)]
        if field.form == "text":
            return self.text(target)
        count = self.vector(target, int(field.of[1]))
        return np.frombuffer(self.data, f"<{field.of}", count, target + 4)

    def union(self, field, position, found):
        """Read a table whose kind the field before it says."""
        kind = found.get(f"{field.name}_type", 0)
        if kind not in UNIONS[field.of]:
            raise Refused(f"it has {union_member(field.of, kind)}, which are not allowed here")
        return self.table(self.follow(position), UNIONS[field.of][kind])

    def vector(self, position, width):
        """Check a vector and return its length; its numbers begin 4 bytes after `position`."""
        count = self.number(_U32, position)
        if (position + 4) % width:
            raise _damaged("numbers are not in line")
        self.take(position, 4 + count * width)
        return count

    def text(self, position):
        """Read a text, which ends in a zero that its length does not count."""
        end = position + 4 + self.vector(position, 1)
        self.take(end, 1)
        if self.data[end]:
            raise _damaged("a text does not end")
        return bytes(self.data[position + 4 : end])


_NUMBERS = {
    code: struct.Struct(f"<{letter}")
    for code, letter in zip(
        ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4"), "bBhHiIqQf", strict=True
    )
}


def _damaged(what):
    return Refused(f"it is damaged or truncated: {what}")
