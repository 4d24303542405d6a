"""A class's submissions: a folder with a `.tflite` file and a note for each; and their board."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from qlab.challenge import intake
from qlab.challenge.grading import GRADER, MICRO, Verdict, grade_bytes, measure, micro_version
from qlab.challenge.intake import Refused
from qlab.system.files import free_name, write_whole
from qlab.system.text import printable

ENDING, NOTE = ".tflite", ".json"
STAMP = "%Y%m%dT%H%M%S.%fZ"
MOST_NOTE = 4_096  # bytes
NUMBERS, TEXTS = (
    ("correct", "n", "micro_correct", "arena_bytes"),
    ("reason", "micro_reason", "sha256"),
)


class BoardError(ValueError):
    """A folder that cannot hold a board; the message says what to do."""


@dataclass(frozen=True)
class Submission:
    """One file of the folder."""

    path: Path
    name: str
    when: datetime
    record: Verdict | None = None


def submit(folder, file, name, test=None):
    """Grade a file and, if it is in a league, put a copy of it into the folder.

    Parameters
    ----------
    folder : path-like
        Must be there already.
    file : path-like
    name : str
        Who submits. All submissions of a name count as one participant's.
    test : qlab.data.Split or None
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
    folder, name, when = _folder(folder), intake.clean_name(name), datetime.now(UTC)
    try:
        data = intake.read(file)
    except Refused as refusal:
        return Verdict(reason=str(refusal)), None
    verdict = grade_bytes(data, test)
    if not verdict.qualifies:
        return verdict, None
    for earlier in read_submissions(folder)[0]:
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


def read_submissions(folder):
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
        measured = {name: getattr(verdict, name) for name in (*NUMBERS, *TEXTS)}
        note |= {"grader": GRADER, "micro": micro_version(), **measured}
    write_whole(_note(submission.path), json.dumps(note, indent=1).encode())


def _folder(folder):
    folder = Path(folder)
    if not folder.is_dir():
        raise BoardError(f"there is no folder {printable(folder)}; make it first")
    return folder


def _note(path):
    return path.with_name(f"{path.name}{NOTE}")


def _submission(path, notices):
    """Read a file's note; a damaged one is set aside, and the file's own name takes its place."""
    plain = _by_its_name(path)
    try:
        return _parsed(plain, intake.read(_note(path), MOST_NOTE))
    except Refused as refusal:
        if not os.path.lexists(_note(path)):
            return plain
        why = str(refusal)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        why = "it is damaged"
    aside = free_name(_note(path), "broken")
    try:
        os.rename(_note(path), aside)
        done = f"set aside as {printable(aside.name)}"
    except OSError as error:
        done = f"left where it is ({error.strerror})"
    shown = printable(_note(path).name)
    notices.append(f"The note {shown} could not be used: {why}. It is {done}; the file counts.")
    return plain


def _by_its_name(path):
    """What a file's name and date say of it."""
    name, *rest = path.name.removesuffix(ENDING).split("~")
    try:
        when = datetime.strptime(rest[0], STAMP).replace(tzinfo=UTC)
    except (IndexError, ValueError):
        name, when = path.name.removesuffix(ENDING), _changed(path)
    try:
        return Submission(path, intake.clean_name(name), when)
    except ValueError:
        return Submission(path, "(no name)", when)


def _changed(path):
    return datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)


def _parsed(plain, data):
    """A submission with what its note says; anything unexpected raises."""
    note = json.loads(data)
    name, when = intake.clean_name(note["name"]), datetime.fromisoformat(note["when"])
    submission = replace(plain, name=name, when=when.astimezone(UTC))
    if note.get("grader") != GRADER or micro_version() not in ("", note.get("micro")):
        return submission
    numbers, texts = ({name: note[name] for name in names} for names in (NUMBERS, TEXTS))
    correct, n, there, arena = numbers.values()
    if any(type(x) is not int for x in numbers.values()) or not (
        0 <= correct <= n <= 10**6 and 0 <= there <= n and 0 <= arena <= 2**40
    ):
        raise ValueError("no numbers of pictures")
    if any(not isinstance(x, str) for x in texts.values()):
        raise ValueError("no texts")
    texts = {name: printable(text, 300) for name, text in texts.items()}
    return replace(submission, record=Verdict(**numbers, **texts))


@dataclass(frozen=True)
class GradedSubmission:
    """A submission with its verdict."""

    name: str
    when: datetime
    file: str
    verdict: Verdict
    kind: str


@dataclass(frozen=True)
class Row:
    """A place on the board: a participant's best entry of a league."""

    place: int
    entry: GradedSubmission
    submissions: int
    """How many the participant has made, of all leagues."""
    same_as: str
    """Who submitted the very same file earlier; mostly empty."""


@dataclass(frozen=True)
class Board:
    """All entries of a folder, and what became of the rest."""

    entries: tuple[GradedSubmission, ...]
    notices: tuple[str, ...] = ()

    def league(self, league):
        """Rank a league by gzipped bytes, that of microcontrollers by accuracy.

        Of equals, the one submitted first is ahead.
        """
        best, first = {}, {}
        for entry in self.entries:
            first.setdefault(entry.verdict.sha256, entry)
        within = [x for x in self.entries if league in x.verdict.leagues]
        for entry in sorted(within, key=lambda x: _order(x, league)):
            best.setdefault(key(entry.name), replace(entry, verdict=entry.verdict.within(league)))
        names = [key(entry.name) for entry in self.entries]
        return tuple(
            Row(place, entry, names.count(name), _earlier(first, entry))
            for place, (name, entry) in enumerate(best.items(), 1)
        )


def _order(entry, league):
    verdict = entry.verdict
    first = -verdict.micro_correct if league == MICRO else verdict.gzip_bytes
    return first, entry.when, entry.file


def _earlier(first, entry):
    name = first[entry.verdict.sha256].name
    return "" if key(name) == key(entry.name) else name


def remark(row):
    """What there is to say beside a name, in brackets; mostly nothing."""
    parts = [f"{row.submissions} submissions"] if row.submissions > 1 else []
    parts += [f"the same file as {row.same_as}"] if row.same_as else []
    return f" ({', '.join(parts)})" if parts else ""


def board(folder, regrade=False, test=None, progress=None):
    """Read a folder of submissions, grade what was not graded, and rank.

    Who may write into the folder can forge a note; `regrade` measures every file anew.
    """
    found, notices = read_submissions(folder)
    entries = []
    for done, submission in enumerate(found, 1):
        try:
            data = intake.read(submission.path)
        except Refused as refusal:
            notices.append(f"{printable(submission.path.name)} is left out: {refusal}.")
        else:
            entries.append(_entry(submission, data, regrade, test, notices))
        if progress is not None:
            progress(done, len(found))
    return Board(tuple(sorted(entries, key=lambda x: (x.when, x.file))), tuple(notices))


def _entry(submission, data, regrade, test, notices):
    """Believe the note of a file or grade it, and then keep what was measured."""
    sizes, record, kind = measure(data), submission.record, "cached"
    if record is not None and record.sha256 != sizes["sha256"]:
        notices.append(
            f"{printable(submission.path.name)} is not the file that its note is about; "
            "it is measured anew."
        )
        record = None
    if regrade or record is None:
        record, kind = grade_bytes(data, test), "measured"
        _keep(replace(submission, record=record), notices)
    verdict = replace(record, **sizes)
    return GradedSubmission(submission.name, submission.when, submission.path.name, verdict, kind)


def _keep(submission, notices):
    try:
        keep_note(submission)
    except OSError as error:
        words = f"Results cannot be kept in this folder ({error.strerror}); they are not lost."
        if words not in notices:
            notices.append(words)
