"""A class's submissions: a folder with a `.tflite` file for each, and a small note beside it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from qlab.challenge import outside
from qlab.challenge.grading import GRADER, grade_bytes
from qlab.challenge.outside import Refused
from qlab.challenge.verdict import Verdict
from qlab.system.files import write_whole

ENDING, NOTE = ".tflite", ".json"
STAMP = "%Y%m%dT%H%M%S.%fZ"
MOST_NOTE = 4_096  # bytes


class BoardError(ValueError):
    """A folder that cannot hold a board; the message says what to do."""


@dataclass(frozen=True)
class Submission:
    """One file of the folder."""

    path: Path
    name: str
    when: datetime
    record: Verdict | None = None


def submit(folder, file, name, test=None, limits=None):
    """Grade a file and, if it is in a league, put a copy of it into the folder.

    Parameters
    ----------
    folder : path-like
        Must be there already.
    file : path-like
    name : str
        Who submits. All submissions of a name count as one participant's.
    test, limits
        As for `qlab.challenge.grade`.

    Returns
    -------
    verdict : Verdict
    submission : Submission or None
        None if the file is in no league, and was not kept. If the same file was submitted under
        this name before, that submission.

    Raises
    ------
    ValueError
        If the folder is not there or the name is empty.
    OSError
        If the folder cannot be written; nothing is left in it.
    """
    folder, name, when = _folder(folder), outside.clean_name(name), datetime.now(UTC)
    try:
        data = outside.read(file)
    except Refused as refusal:
        return Verdict(reason=str(refusal)), None
    verdict = grade_bytes(data, test, limits)
    if not verdict.qualifies:
        return verdict, None
    for earlier in submissions(folder)[0]:
        same = earlier.record and earlier.record.sha256 == verdict.sha256
        if same and key(earlier.name) == key(name):
            return verdict, earlier
    slug = "".join(c if c.isalnum() or c in " -_" else "_" for c in name)
    path = folder / f"{slug}~{when.strftime(STAMP)}~{secrets.token_hex(4)}{ENDING}"
    submission = Submission(path, name, when, verdict)
    keep_note(submission)
    write_whole(path, data)
    return verdict, submission


def key(name):
    """What two names have in common that count as one participant's."""
    return name.casefold()


def submissions(folder):
    """List a folder's submissions."""
    found, notices = [], []
    for path in sorted(_folder(folder).glob(f"*{ENDING}")):
        if path.name.startswith("."):
            continue
        found.append(_submission(path, notices))
    return found, notices


def keep_note(submission):
    """Write the note beside a file, whole or not at all."""
    note = {"challenge": 1, "name": submission.name, "when": submission.when.isoformat()}
    verdict = submission.record
    if verdict is not None:
        measured = {"sha256": verdict.sha256, "correct": verdict.correct, "n": verdict.n}
        note |= {"grader": GRADER, **measured, "reason": verdict.reason}
    write_whole(_note(submission.path), json.dumps(note, indent=1).encode())


def _folder(folder):
    folder = Path(folder)
    if not folder.is_dir():
        raise BoardError(f"there is no folder {outside.printable(str(folder))}; make it first")
    return folder


def _note(path):
    return path.with_name(f"{path.name}{NOTE}")


def _submission(path, notices):
    """Read a file's note; a damaged one is set aside, and the file's own name takes its place."""
    plain = _by_its_name(path)
    try:
        return _parsed(plain, outside.read(_note(path), MOST_NOTE))
    except Refused as refusal:
        if not os.path.lexists(_note(path)):
            return plain
        why = str(refusal)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        why = "it is damaged"
    aside = next(x for x in _free_names(_note(path)) if not os.path.lexists(x))
    try:
        os.rename(_note(path), aside)
        done = f"set aside as {outside.printable(aside.name)}"
    except OSError as error:
        done = f"left where it is ({error.strerror})"
    shown = outside.printable(_note(path).name)
    notices.append(f"The note {shown} could not be used: {why}. It is {done}; the file counts.")
    return plain


def _free_names(path):
    return (path.with_name(f"{path.name}.broken-{number}") for number in count(1))


def _by_its_name(path):
    """What a file's name and date say of it."""
    name, *rest = path.name.removesuffix(ENDING).split("~")
    try:
        when = datetime.strptime(rest[0], STAMP).replace(tzinfo=UTC)
    except (IndexError, ValueError):
        name, when = path.name.removesuffix(ENDING), _changed(path)
    try:
        return Submission(path, outside.clean_name(name), when)
    except ValueError:
        return Submission(path, "(no name)", when)


def _changed(path):
    return datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)


def _parsed(plain, data):
    """A submission with what its note says; anything unexpected raises."""
    note = json.loads(data)
    name, when = outside.clean_name(note["name"]), datetime.fromisoformat(note["when"])
    submission = replace(plain, name=name, when=when.astimezone(UTC))
    if note.get("grader") != GRADER:
        return submission
    correct, n, reason = note["correct"], note["n"], outside.printable(note["reason"], 300)
    if type(correct) is not int or type(n) is not int or not 0 <= correct <= n <= 10**6:
        raise ValueError("no numbers of pictures")
    sha256 = outside.printable(note["sha256"], 64)
    return replace(submission, record=Verdict(reason, 0, 0, sha256, correct, n))
