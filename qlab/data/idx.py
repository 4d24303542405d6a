"""Read one file of Fashion-MNIST and prove that it is the right one."""

import hashlib
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

FILES = {
    "train-images-idx3-ubyte.gz": (
        (60000, 28, 28),
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    ),
    "train-labels-idx1-ubyte.gz": (
        (60000,),
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    ),
    "t10k-images-idx3-ubyte.gz": (
        (10000, 28, 28),
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        (10000,),
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
}


class BadFile(ValueError):
    """A data file is missing, damaged or another one than its name says."""


def read_array(path):
    """Read a file of Fashion-MNIST, verified."""
    path = Path(path)
    shape, digest = FILES[path.name]
    header = struct.pack(f">I{len(shape)}I", 0x800 | len(shape), *shape)
    size = len(header) + math.prod(shape)
    content = _unzip(path, size)
    if content[: len(header)] != header:
        raise BadFile(f"{path.name} is another file than its name says: {_describe(content)}")
    if len(content) < size:
        raise BadFile(f"{path.name} is truncated: {len(content):,} of {size:,} bytes")
    values = memoryview(content)[len(header) :]
    if len(content) > size or hashlib.sha256(values).hexdigest() != digest:
        raise BadFile(f"{path.name} does not hold Fashion-MNIST: its checksum is wrong")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _unzip(path, size):
    """At most one byte more than `size`, however much the file would unpack to."""
    if not os.path.isfile(path):
        raise BadFile(f"{path.name} is missing")
    try:
        with open(path, "rb") as file:
            packed = file.read(size + (1 << 20))
        return zlib.decompressobj(wbits=31).decompress(packed, size + 1)
    except OSError as error:
        raise BadFile(f"{path.name} cannot be read: {error.strerror}") from None
    except zlib.error:
        raise BadFile(f"{path.name} is damaged, or not a gzip file") from None


def _describe(content):
    if len(content) < 8 or content[:3] != b"\0\0\x08" or not content[3]:
        return "it is no idx file of bytes"
    dimensions = struct.unpack_from(f">{min(content[3], (len(content) - 4) // 4)}I", content, 4)
    return f"it holds an array of {' x '.join(map(str, dimensions))}"
