"""The secret check: test pictures changed a little, in a way that only the teacher's file decides.

A model looks at what is on a picture and hardly feels the change. A table looks its answer up by
the exact pixels, or by a rough form of them, and does not find it any more.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import numpy as np

from qlab.challenge.intake import Refused, read
from qlab.system.files import is_anothers
from qlab.system.text import printable

MOST_FALL = 0.03
"""Fraction of the pictures; more than any shipped model loses (tests/test_challenge_secret.py)."""
LEAST_BYTES, MOST_BYTES = 16, 4_096  # of the teacher's file
_SHIFT = 0.3  # of a pixel, the most to each side
_GAIN = 0.05  # how much brighter or darker
_NOISE = 2  # of 255, the most up or down


class SecretError(ValueError):
    """The teacher's file cannot keep a secret; the message says what to do."""


def read_secret(path, folder=None):
    """What the teacher's file holds, as a seed; a file that is missing is made.

    It must be the teacher's alone, and lie outside of the `folder` of the submissions.
    """
    path, shown = Path(path), printable(path)
    if folder is not None and Path(folder).resolve() in path.resolve().parents:
        raise SecretError(f"{shown} lies in the folder of the submissions; keep it elsewhere")
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(32).hex() + "\n")
    if is_anothers(path):
        raise SecretError(f"{shown} belongs to somebody else; name a file of your own")
    if os.name == "posix" and stat.S_IMODE(path.lstat().st_mode) & 0o077:
        raise SecretError(f"others may read {shown}; make it yours alone with chmod 600")
    try:
        data = read(path, MOST_BYTES)
    except Refused as refusal:
        raise SecretError(f"{shown} cannot be the secret: {refusal}") from None
    if len(data) < LEAST_BYTES:
        raise SecretError(
            f"{shown} has {len(data)} bytes, which can be guessed; remove it, and a new one is made"
        )
    return hashlib.sha256(data).digest()


def mark(secret):
    """What tells one secret from another, and from which nobody finds it."""
    return hashlib.sha256(b"which secret" + secret).hexdigest()[:16]


def changed(images, secret):
    """Pictures moved by a part of a pixel, a little brighter or darker, with a little noise."""
    random = np.random.default_rng(int.from_bytes(secret, "little"))
    down, right = random.uniform(-_SHIFT, _SHIFT, (2, len(images), 1, 1, 1)).astype(np.float32)
    gain = random.uniform(1 - _GAIN, 1 + _GAIN, (len(images), 1, 1, 1)).astype(np.float32)
    noise = random.integers(-_NOISE, _NOISE, images.shape, np.int8, endpoint=True)
    moved = _moved(_moved(images.astype(np.float32), down, 1), right, 2)
    return np.clip(np.rint(moved * gain + noise), 0, 255).astype(np.uint8)


def _moved(images, by, axis):
    """Move pictures along an axis by a part of a pixel; what comes in is black."""
    black = np.zeros_like(images.take([0], axis))
    last = images.shape[axis] - 1
    before = np.concatenate([black, images.take(range(last), axis)], axis)
    after = np.concatenate([images.take(range(1, last + 1), axis), black], axis)
    return images + np.maximum(by, 0) * (before - images) + np.maximum(-by, 0) * (after - images)
