"""Grade a file: measure everything anew, and believe nothing that it says of itself."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from dataclasses import asdict, dataclass, replace
from importlib import metadata

import ai_edge_litert
import numpy as np

from qlab import data as course_data
from qlab.arithmetic.metrics import wilson_interval
from qlab.challenge import intake, judge, reader, rules, sandbox, secret
from qlab.challenge.intake import Refused
from qlab.tflite import micro_runtime
from qlab.tflite.boards import FLASH_BYTES, RAM_BYTES
from qlab.tflite.gzipping import GZIP_LEVEL, GZIPPED
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.pixels import PIXEL_SCALE

GRADER = f"4, gzip level {GZIP_LEVEL}, LiteRT {ai_edge_litert.__version__}"
"""Changes when the same file may get another verdict."""
MICRO = "micro"
LEAGUES = ("0.90", "0.85", MICRO)
"""Two leagues by the test accuracy that they ask for, and that of a microcontroller."""
SIZES = dict.fromkeys(LEAGUES, ("gzipped", "file")) | {MICRO: ("flash", "RAM")}
"""The names of the two sizes that a league shows."""
LEAST_PERCENT = {"0.90": 90, "0.85": 85, MICRO: 85}


def micro_version():
    """Version of TensorFlow Lite Micro, which may change what it says of a file; else empty."""
    return metadata.version("tflite-micro") if micro_runtime.available() else ""


@dataclass(frozen=True)
class Verdict:
    """What was measured of a file."""

    reason: str = ""
    file_bytes: int = 0
    gzip_bytes: int = 0
    sha256: str = ""
    correct: int = 0
    n: int = 0
    gaps: tuple[str, ...] = ()
    micro_correct: int = 0
    arena_bytes: int = 0
    micro_reason: str = ""
    """Why it does not run on the microcontroller of the last league, or why nobody could ask."""
    secret: str = ""
    """Which secret the check was made with; empty if none was."""
    secret_correct: int = 0

    @property
    def leagues(self):
        """tuple of str: the leagues that it is in, some of `LEAGUES`."""
        return tuple(
            league
            for league in LEAGUES
            if self.n
            and not (self.reason or (league == MICRO and self.micro_reason))
            and 100 * self.within(league).correct >= LEAST_PERCENT[league] * self.n
        )

    def within(self, league):
        """Return the verdict with the pictures that count in a league: those of its runtime."""
        return replace(self, correct=self.micro_correct) if league == MICRO else self

    def sizes(self, league):
        """tuple of int: the two sizes that a league shows."""
        both = (self.file_bytes, self.arena_bytes), (self.gzip_bytes, self.file_bytes)
        return both[league != MICRO]

    @property
    def qualifies(self):
        """bool: whether it is in a league."""
        return bool(self.leagues)

    @property
    def accuracy(self):
        """float in [0, 1]: fraction of the pictures; 0 if it was not run."""
        return self.correct / self.n if self.n else 0.0

    @property
    def fall(self):
        """float or None: by how much the accuracy falls on the secret pictures, if it was asked."""
        known = max(self.correct, self.micro_correct)
        return (known - self.secret_correct) / self.n if self.secret and self.n else None

    @property
    def suspicion(self):
        """str: what the secret check has against the file, with its numbers; mostly empty."""
        if self.fall is None or self.fall <= secret.MOST_FALL:
            return ""
        return (
            f"falls by {100 * self.fall:.1f} points on the secret pictures, to "
            f"{100 * self.secret_correct / self.n:.1f} %; a model falls by "
            f"{100 * secret.MOST_FALL:.0f} at most"
        )

    @property
    def interval(self):
        """(float, float): the 95 % interval of `accuracy` (Wilson)."""
        return wilson_interval(self.correct, self.n) if self.n else (0.0, 1.0)

    def to_dict(self):
        """All of it as plain values, for JSON."""
        return {
            "qualifies": self.qualifies,
            "leagues": list(self.leagues),
            **asdict(self),
            "gaps": list(self.gaps),
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "fall": self.fall,
            "suspicion": self.suspicion,
        }

    def __str__(self):
        return "\n".join(_lines(self))


def _lines(verdict):
    if verdict.reason:
        yield f"does not qualify: {verdict.reason}"
    elif verdict.leagues:
        leagues = " and ".join(f"league {league}" for league in verdict.leagues)
        yield f"qualifies for {leagues}"
    else:
        yield f"does not qualify: its test accuracy is below {LEAGUES[1]}"
    if verdict.n:
        low, high = (100 * end for end in verdict.interval)
        yield f"  accuracy  {100 * verdict.accuracy:.2f} %, 95 % interval {low:.2f} to {high:.2f} %"
        yield f"            {verdict.correct:,} of {verdict.n:,} test pictures, measured now"
        accuracy = 100 * verdict.within(MICRO).accuracy
        yield "  micro     " + (
            verdict.micro_reason
            or f"{verdict.arena_bytes:,} bytes of RAM; {accuracy:.2f} % in TensorFlow Lite Micro"
        )
    if verdict.fall is not None:
        yield "  secret    " + (
            verdict.suspicion or f"falls by {100 * verdict.fall:.2f} points, as models do"
        )
    if verdict.sha256:
        ranks = ": this is what ranks" if verdict.qualifies else ""
        yield f"  gzipped   {verdict.gzip_bytes:,} bytes, at level {GZIP_LEVEL}{ranks}"
        yield f"  file      {verdict.file_bytes:,} bytes"
        yield f"  SHA-256   {verdict.sha256}"
    if verdict.gaps:
        yield f"  This system could not limit its {', '.join(verdict.gaps)} while it ran."


def league_words(league):
    """What is asked for in a league."""
    if league == MICRO:
        return (
            f"League {MICRO}: the most accurate file that runs in TensorFlow Lite Micro, in "
            f"{FLASH_BYTES // 2**10} KB of flash and {RAM_BYTES // 2**10} KB of RAM"
        )
    return f"League {league}: the smallest file of test accuracy {league} or more, {GZIPPED}"


def grade(path, test=None, limits=None, hidden=None):
    """Measure a file for the challenge: the smallest `.tflite`, gzipped, that is accurate enough.

    A third league is for microcontrollers, and asks TensorFlow Lite Micro where that is installed.
    The file is read with care, taken apart by a reader that follows no offset unchecked, held
    against the rules, and run in a sealed process that sees the pictures in random order and never
    a label. A hostile file can at worst fail.

    Parameters
    ----------
    path : path-like
    test : object with ``images`` and ``labels``, or None
        Pictures of uint8, shape (n, 28, 28, 1), and their classes; None for the 10,000 test
        pictures, which are what counts.
    limits : Limits or None
        What it may use; None for the challenge's own.
    hidden : bytes or None
        The teacher's seed, from `qlab.challenge.read_secret`, to check the file on pictures that
        nobody has published; None to leave the check out.

    Returns
    -------
    Verdict
        Also of a file that cannot take part: it then says why.

    Raises
    ------
    TypeError
        If `path` is no path.
    JudgeError
        If the judge process could not start: nothing was graded.
    qlab.data.DataError
        If the test pictures are nowhere to be had.

    Examples
    --------
    >>> from qlab import artefacts
    >>> grade(artefacts.path("baseline-int8.tflite")).leagues
    ('0.85',)
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"grade takes the path of a file, not a {type(path).__name__}; save a model first: "
            "model.save('mine.tflite')"
        )
    try:
        data = intake.read(path)
    except Refused as refusal:
        return Verdict(reason=str(refusal))
    return grade_bytes(data, test, limits, hidden)


def grade_bytes(data, test=None, limits=None, hidden=None):
    """Grade the bytes of a file; see `grade`."""
    measured = measure(data)
    try:
        wanted = rules.check(reader.read(data))
        test = _test() if test is None else test
        order = np.random.default_rng(secrets.randbits(128)).permutation(len(test.labels))
        job = data, test.images[order], codes(wanted), limits or sandbox.Limits()
        classes, gaps = sandbox.predict(*job)
    except Refused as refusal:
        return Verdict(reason=str(refusal), **measured)
    right = functools.partial(_right, test.labels[order])
    verdict = Verdict(correct=right(classes), n=len(order), gaps=gaps, **measured)
    verdict = replace(verdict, **_on_a_microcontroller(job, right))
    return verdict if hidden is None else replace(verdict, **_in_secret(job, right, hidden))


def _in_secret(job, right, hidden):
    """How many of the secret pictures are right; none if the file stumbles over them."""
    data, images, *rest = job
    try:
        classes, _ = sandbox.predict(data, secret.changed(images, hidden), *rest)
    except Refused:
        classes = np.full(len(images), judge.NO_CLASS)
    return {"secret": secret.mark(hidden), "secret_correct": right(classes)}


def _right(labels, classes):
    return int((classes == labels).sum())


def _on_a_microcontroller(job, right):
    """What the last league asks, as `Verdict` names it."""
    try:
        if (size := len(job[0])) > FLASH_BYTES:
            raise Refused(f"its {size:,} bytes do not fit the flash of {FLASH_BYTES:,}")
        if not micro_runtime.available():
            raise Refused(f"{micro_runtime.NOT_HERE}.")
        classes, arena = sandbox.micro(*job)
    except Refused as refusal:
        return {"micro_reason": str(refusal)}
    found = {"micro_correct": right(classes), "arena_bytes": arena}
    if arena > RAM_BYTES:
        found["micro_reason"] = f"it needs {arena:,} bytes of RAM, and has {RAM_BYTES:,}"
    return found


@functools.cache
def _test():
    """The test pictures, read and verified once."""
    return course_data.load().test


def measure(data):
    """What needs no running: sizes and SHA-256 of a file's bytes, as `Verdict` names them."""
    return {
        "file_bytes": len(data),
        "gzip_bytes": LiteModel(data).gzip_bytes,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def codes(wanted):
    """What each brightness is to a model: pixel / 255, quantized by its input's own parameters."""
    real = np.arange(256, dtype=np.uint8) * np.float32(PIXEL_SCALE)
    if wanted.dtype.kind == "f":
        return real.astype(wanted.dtype)
    limits = np.iinfo(wanted.dtype)
    stored = np.rint(real / np.float32(wanted.scale)) + wanted.zero_point
    return np.clip(stored, limits.min, limits.max).astype(wanted.dtype)
