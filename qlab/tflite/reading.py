"""Reads any `.tflite` file in bounded time: every offset is checked before it is followed."""

from functools import cache
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types, packer
from flatbuffers.table import Table

# The unions that are not called as the field that holds them.
_UNIONS = {
    "details": "QuantizationDetails",
    "arraySegments": "SparseIndexVector",
    "arrayIndices": "SparseIndexVector",
}


class Damaged(ValueError):
    """A file that cannot be read; the message says why, and begins with "it"."""


class Field(NamedTuple):
    """What a table may hold in one of its slots."""

    name: str
    """As in the schema's object tree, such as ``zeroPoint``."""
    slot: int
    form: str
    """``number``, ``text``, ``numbers``, ``table``, ``tables`` or ``union``."""
    of: object
    """The flatbuffers type of the number, the class of the table, or the name of the union."""


class Reader:
    """A file, and how much of it may still be read."""

    # A writer may store equal names or shapes once and point there often; that saves it little, as
    # each pointer lies in a table of its own. Nothing honest comes near four times the file.
    share = 4
    # A table becomes an object of some hundred bytes. The course's largest network has 152.
    most_tables = 250_000

    def __init__(self, data):
        self.data = data
        self.bytes_left, self.tables_left = self.share * len(data), self.most_tables

    def model(self):
        if self.data[4:8] != b"TFL3":
            raise Damaged("it is not a .tflite file: it does not carry the mark TFL3")
        self.see(4, 4)
        return self.table(self.follow(0), schema.Model)

    def see(self, start, size, width=1, text=False):
        """Make sure that the file holds these bytes, numbers of so many bytes each or a text."""
        if not 0 <= start <= len(self.data) - size:
            raise damaged("a part is outside of the file")

    def claim(self, size):
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise damaged("its parts lie on top of each other")

    def number(self, form, position):
        self.see(position, form.size, form.size)
        return form.unpack_from(self.data, position)[0]

    def follow(self, position):
        """Where the reference at `position` points to: always further on, so never in a circle."""
        offset = self.number(packer.uoffset, position)
        if not offset:
            raise damaged("a part is missing")
        return position + offset

    def table(self, position, kind):
        """Read the table at `position` as an object, with the fields that are there."""
        self.tables_left -= 1
        if self.tables_left < 0:
            raise Damaged(f"it has more than {self.most_tables:,} parts")
        vtable = position - self.number(packer.soffset, position)
        slots, odd = divmod(self.number(packer.voffset, vtable) - 4, 2)
        size = self.number(packer.voffset, vtable + 2)
        # In half a slot the schema's own code would find a field that is not read here.
        if slots < 0 or odd or size < 4 or position + size > len(self.data):
            raise damaged("a table has no room for what it holds")
        self.claim(size)
        made = getattr(schema, f"{kind.__name__}T")()
        known = self.fields(kind, slots)
        slots = min(slots, known[-1].slot + 1 if known else 0)
        self.see(vtable, 4 + 2 * slots, 2)
        for field in known:
            if field.slot >= slots:
                break
            offset = self.number(packer.voffset, vtable + 4 + 2 * field.slot)
            if not offset:
                continue
            width = field.of.bytewidth if field.form == "number" else 4
            if offset < 4 or offset + width > size:
                raise damaged("a field is outside of its table")
            setattr(made, field.name, self.value(field, position + offset, made))
        return made

    def fields(self, kind, slots):
        """Fields that are read of a table with so many slots; later ones are for later readers."""
        return fields(kind)

    def value(self, field, position, made):
        """Read the field at `position`; `made` holds the fields before it."""
        if field.form == "number":
            return self.number(field.of.packer_type, position)
        if field.form == "union":
            member = self.member(field.of, getattr(made, f"{field.name}Type"))
            return None if member is None else self.table(self.follow(position), member)
        target = self.follow(position)
        if field.form == "table":
            return self.table(target, field.of)
        if field.form == "tables":
            count = self.vector(target, 4)
            return [self.table(self.follow(target + 4 + 4 * i), field.of) for i in range(count)]
        if field.form == "text":
            return self.text(target)
        count = self.vector(target, field.of.bytewidth)
        return np.frombuffer(self.data, number_types.to_numpy_type(field.of), count, target + 4)

    def member(self, union, number):
        """Class of a union's member; None for one that the schema does not know."""
        return getattr(schema, members(union).get(number, "NONE"), None)

    def vector(self, position, width):
        """Check a vector and return its length; its numbers begin 4 bytes after `position`."""
        count = self.number(packer.uint32, position)
        self.see(position + 4, count * width, width)
        self.claim(4 + count * width)
        return count

    def text(self, position):
        """Read a text, which ends in a zero that its length does not count."""
        count = self.vector(position, 1)
        if self.number(packer.uint8, position + 4 + count):
            raise damaged("a text does not end")
        self.see(position + 4, count, text=True)
        return self.data[position + 4 : position + 4 + count]


def damaged(what):
    return Damaged(f"it is damaged or truncated: {what}")


def place(values, data):
    """Where in a file some numbers are."""
    return values.ctypes.data - np.frombuffer(data, np.uint8).ctypes.data


@cache
def members(union):
    """Names of a union's tables."""
    return {v: k for k, v in vars(getattr(schema, union)).items() if k[0] != "_"}


@cache
def fields(kind):
    """What the schema puts in a table, in the order of the slots."""
    found = []
    for name in vars(getattr(schema, f"{kind.__name__}T")()):
        accessor = name[0].upper() + name[1:]
        table = kind()
        asked = table._tab = _Asked()
        if hasattr(kind, f"{accessor}AsNumpy"):
            getattr(table, f"{accessor}AsNumpy")()
        elif hasattr(kind, f"{accessor}IsNone"):
            asked.form, asked.of = "tables", type(getattr(table, accessor)(0))
        else:
            child = getattr(table, accessor)()
            if asked.form == "union":
                asked.of = _UNIONS.get(name, accessor)
            elif hasattr(child, "_tab"):
                asked.form, asked.of = "table", type(child)
        found.append(Field(name, asked.slot, asked.form, asked.of))
    return tuple(found)


class _Asked(Table):
    """Stands in for a file's table, and notes what an accessor asks of it."""

    def __init__(self):
        super().__init__(b"", 0)
        self.slot = self.form = self.of = None

    def Offset(self, vtableOffset):
        self.slot = vtableOffset // 2 - 2
        return 4

    def Get(self, flags, off):
        self.form, self.of = "number", flags

    def GetVectorAsNumpy(self, flags, off):
        self.form, self.of = "numbers", flags

    def String(self, off):
        self.form = "text"

    def Union(self, t2, off):
        self.form = "union"

    def Vector(self, off):
        return 0

    def Indirect(self, off):
        return 0
