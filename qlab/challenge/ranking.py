"""The board: who has the smallest file in each league."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from qlab.challenge import outside
from qlab.challenge.grading import grade_bytes, measure
from qlab.challenge.outside import Refused
from qlab.challenge.submissions import Submission, keep_note, key, submissions
from qlab.challenge.verdict import Verdict


@dataclass(frozen=True)
class Entry:
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
    entry: Entry
    submissions: int
    """How many the participant has made, of all leagues."""
    same_as: str
    """Who submitted the very same file earlier; mostly empty."""


@dataclass(frozen=True)
class Board:
    """All entries of a folder, and what became of the rest."""

    entries: tuple[Entry, ...]
    notices: tuple[str, ...] = ()

    def league(self, league):
        """Rank a league by gzipped bytes; of equals, the one submitted first is ahead."""
        best, first = {}, {}
        for entry in self.entries:
            first.setdefault(entry.verdict.sha256, entry)
        for entry in sorted(self.entries, key=_order):
            if league in entry.verdict.leagues:
                best.setdefault(key(entry.name), entry)
        names = [key(entry.name) for entry in self.entries]
        return tuple(
            Row(place, entry, names.count(name), _earlier(first, entry))
            for place, (name, entry) in enumerate(best.items(), 1)
        )


def _order(entry):
    return entry.verdict.gzip_bytes, entry.when, entry.file


def _earlier(first, entry):
    name = first[entry.verdict.sha256].name
    return "" if key(name) == key(entry.name) else name


def remark(row):
    """What there is to say beside a name, in brackets; mostly nothing."""
    parts = [f"{row.submissions} submissions"] if row.submissions > 1 else []
    parts += [f"the same file as {row.same_as}"] if row.same_as else []
    return f" ({', '.join(parts)})" if parts else ""


def board(folder, regrade=False, test=None, limits=None, progress=None):
    """Read a folder of submissions, grade what was not graded, and rank."""
    found, notices = submissions(folder)
    entries = []
    for done, submission in enumerate(found, 1):
        try:
            data = outside.read(submission.path)
        except Refused as refusal:
            notices.append(f"{outside.printable(submission.path.name)} is left out: {refusal}.")
        else:
            entries.append(_entry(submission, data, regrade, (test, limits), notices))
        if progress is not None:
            progress(done, len(found))
    return Board(tuple(sorted(entries, key=lambda x: (x.when, x.file))), tuple(notices))


def _entry(submission, data, regrade, terms, notices):
    """Believe the note of a file or grade it, and then keep what was measured."""
    sizes, record, kind = measure(data), submission.record, "cached"
    if record is not None and record.sha256 != sizes["sha256"]:
        notices.append(
            f"{outside.printable(submission.path.name)} is not the file that its note is about; "
            "it is measured anew."
        )
        record = None
    if regrade or record is None:
        record, kind = grade_bytes(data, *terms), "measured"
        _keep(replace(submission, record=record), notices)
    verdict = replace(record, **sizes)
    return Entry(submission.name, submission.when, submission.path.name, verdict, kind)


def _keep(submission: Submission, notices):
    try:
        keep_note(submission)
    except OSError as error:
        words = f"Results cannot be kept in this folder ({error.strerror}); they are not lost."
        if words not in notices:
            notices.append(words)
