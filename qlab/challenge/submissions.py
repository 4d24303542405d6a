"""A class's submissions: a folder with a `.tflite` file and a note for each; and their board."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from qlab.challenge import intake, secret, weights
from qlab.challenge.grading import GRADER, MICRO, Verdict, grade_bytes, measure, micro_version
from qlab.challenge.intake import Refused
from qlab.challenge.sandbox import JudgeError
from qlab.data import DataError
from qlab.system.files import free_name, is_anothers, write_whole
from qlab.system.text import printable

ENDING, NOTE = ".tflite", ".json"
STAMP = "%Y%m%dT%H%M%S.%fZ"
MOST_NOTE = 4_096  # bytes
NUMBERS, TEXTS = (
    ("correct", "n", "micro_correct", "arena_bytes", "secret_correct"),
    ("reason", "micro_reason", "sha256", "secret"),
)
DROP = "drop"  # the folder that learners can write to, and not list
SECONDS = 1_800  # for all files of a board
LATE = 3_600  # seconds by which a note may differ from the system before the board says so


class BoardError(ValueError):
    """A folder that cannot hold a board; the message says what to do."""


@dataclass(frozen=True)
class Submission:
    """One file of the folder."""

    path: Path
    name: str
    when: datetime
    record: Verdict | None = None
    owner: str = ""
    """Who the system says it is from, where it was collected from a drop box."""


def submit(folder, file, name, test=None):
    """Grade a file and, if it is in a league, put a copy of it into the folder.

    Parameters
    ----------
    folder : path-like
        Must be there already. If it has a drop box, the copy goes there, and is on the board once
        the teacher has collected it.
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
    path = folder / _file_name(name, when)
    if has_drop_box(folder):
        path = write_whole(folder / DROP / path.name, data)
        os.chmod(path, 0o644)  # the teacher reads it; nobody else knows its name
        return verdict, Submission(path, name, when, verdict)
    for earlier in read_submissions(folder)[0]:
        same = earlier.record and earlier.record.sha256 == verdict.sha256
        if same and key(earlier.name) == key(name):
            return verdict, earlier
    submission = Submission(path, name, when, verdict)
    keep_note(submission)
    write_whole(path, data)
    return verdict, submission


def _file_name(name, when):
    """A name that nobody guesses, and that tells who and when."""
    slug = "".join("_" if c in '/\\~<>:"|?*' else c for c in name).lstrip(".")
    while len(slug.encode()) > 160:  # a file's name has at most 255 bytes
        slug = slug[:-1]
    return f"{slug or '_'}~{when.strftime(STAMP)}~{secrets.token_hex(16)}{ENDING}"


def has_drop_box(folder):
    """Whether a folder is one person's alone and has that person's drop box for all others."""
    folder = Path(folder)
    try:
        home, box = folder.stat(), (folder / DROP).lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(box.st_mode) and box.st_uid == home.st_uid
    return os.name == "posix" and ours and not home.st_mode & 0o022


def collect(folder):
    """Take what lies in a folder's drop box into the folder; owner and time are the system's.

    The first time, the drop box is made. The time of a file is when the system last saw it change,
    which its owner cannot set back.

    Returns
    -------
    list of str
        What there is to say: what stays in the box, and why.

    Raises
    ------
    BoardError
        If others can write to the folder, or the box is not the teacher's.
    """
    folder = _folder(folder)
    if os.name != "posix":
        raise BoardError("a drop box needs a system where files have owners: Linux or macOS")
    box, shown = folder / DROP, printable(folder)
    if stat.S_IMODE(folder.stat().st_mode) & 0o022:
        raise BoardError(
            f"others can write to {shown}, so that they could change what was collected. "
            f"Take that from them with chmod go-w, and let them only pass with chmod go+x"
        )
    if not os.path.lexists(box):
        box.mkdir(0o700)
        os.chmod(box, 0o1733)  # write and pass, not list; nobody removes another's file
        return [f"The drop box {printable(box)} is made. Learners submit with --submit and --name."]
    if not has_drop_box(folder) or is_anothers(box):
        raise BoardError(f"{printable(box)} is not a folder of yours; remove it and collect again")
    notices, there = [], {}
    for submission in read_submissions(folder)[0]:
        with contextlib.suppress(Refused):
            there[submission.owner, _sha256(submission.path)] = submission
    came = []
    for path in sorted(box.glob(f"*{ENDING}")):
        try:
            data, status = intake.with_status(path)
            if status.st_nlink != 1:
                raise Refused("it has a second name; copy the file itself")
        except Refused as refusal:
            notices.append(f"{printable(path.name)} stays in the drop box: {refusal}.")
        else:
            came.append((status.st_ctime_ns, path, data, status.st_uid))
    for nanoseconds, path, data, user in sorted(came, key=lambda x: x[:2]):
        owner, sha256 = _user_name(user), hashlib.sha256(data).hexdigest()
        if (owner, sha256) not in there:
            when = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
            name = _by_its_name(path).name
            kept = folder / _file_name(f"{owner}-{name}", when)
            there[owner, sha256] = Submission(kept, name, when, None, owner)
            keep_note(there[owner, sha256])
            write_whole(kept, data, private=True)
        path.unlink()
    return notices


def _sha256(path):
    return hashlib.sha256(intake.read(path)).hexdigest()


def _user_name(number):
    import pwd  # not on Windows

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def key(name):
    """What two names have in common that count as one participant's."""
    return name.casefold()


def read_submissions(folder):
    """List a folder's submissions."""
    found, notices = [], []
    for path in sorted(_folder(folder).glob(f"*{ENDING}")):
        if path.name.startswith("."):
            continue
        try:
            found.append(_submission(path, notices))
        except OSError as error:  # it is gone meanwhile
            notices.append(f"{printable(path.name)} is left out: {error.strerror or error}.")
    return found, notices


def keep_note(submission):
    """Write the note beside a file, whole or not at all."""
    note = {"challenge": 1, "name": submission.name, "when": submission.when.isoformat()}
    verdict = submission.record
    if verdict is not None:
        measured = {name: getattr(verdict, name) for name in (*NUMBERS, *TEXTS)}
        note |= {"grader": GRADER, "micro": micro_version(), **measured}
    if submission.owner:
        note["owner"] = submission.owner
    content = json.dumps(note, indent=1).encode()
    write_whole(_note(submission.path), content, private=bool(submission.owner))


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
    return _moment(os.lstat(path).st_mtime)


def _moment(seconds):
    """A time of the system; the last that there is for one beyond, such as in the year 10680."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _parsed(plain, data):
    """A submission with what its note says; anything unexpected raises."""
    note = json.loads(data)
    name, when = intake.clean_name(note["name"]), datetime.fromisoformat(note["when"])
    owner = note.get("owner", "")
    if not isinstance(owner, str):
        raise ValueError("no owner")
    if not has_drop_box(plain.path.parent):
        owner = ""  # anybody could have written it
    owner = printable(owner, 40)
    submission = replace(plain, name=name, when=when.astimezone(UTC), owner=owner)
    if note.get("grader") != GRADER or micro_version() not in ("", note.get("micro")):
        return submission
    numbers, texts = ({name: note[name] for name in names} for names in (NUMBERS, TEXTS))
    correct, n, there, arena, hidden = numbers.values()
    if any(type(x) is not int for x in numbers.values()) or not (
        0 <= correct <= n <= 10**6 and 0 <= there <= n and 0 <= arena <= 2**40 and 0 <= hidden <= n
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
    owner: str = ""
    weights: dict = field(default_factory=dict, repr=False, compare=False)
    """By digest, how many numbers each row of its weights has."""
    shipped: str = ""
    """The shipped file that it is or whose weights it has; mostly empty."""

    @property
    def participant(self):
        """Whose it is: the system's word where there is one."""
        return ("owner", self.owner) if self.owner else ("name", key(self.name))

    @property
    def shown(self):
        """str: the name, with the owner behind it in square brackets, which no name has."""
        return f"{self.name} [{self.owner}]" if self.owner else self.name


@dataclass(frozen=True)
class Row:
    """A place on the board: a participant's best entry of a league."""

    place: int
    entry: GradedSubmission
    submissions: int
    """How many the participant has made, of all leagues."""
    same_as: str
    """Who submitted the very same file earlier; mostly empty."""
    weights_of: str = ""
    """Who submitted another file with the same weights earlier; mostly empty."""
    looks_like: str = ""
    """Who came earlier under a name that looks like this one; mostly empty."""


@dataclass(frozen=True)
class Board:
    """All entries of a folder, and what became of the rest."""

    entries: tuple[GradedSubmission, ...]
    notices: tuple[str, ...] = ()

    def league(self, league):
        """Rank a league by gzipped bytes, that of microcontrollers by accuracy.

        Of equals, the one submitted first is ahead. Behind all others are the files that are
        nobody's own work: shipped ones, copies, and those that the secret check suspects.
        """
        best = {}
        within = [x for x in self.entries if league in x.verdict.leagues]
        for entry in sorted(within, key=lambda x: (self._marks(x), *_order(x, league))):
            best.setdefault(entry.participant, entry)
        everybody = [entry.participant for entry in self.entries]
        return tuple(
            Row(
                place,
                replace(entry, verdict=entry.verdict.within(league)),
                everybody.count(participant),
                *self._origins[entry],
                self._look_alike(entry),
            )
            for place, (participant, entry) in enumerate(best.items(), 1)
        )

    def _marks(self, entry):
        """How much speaks against a file: it is a copy, shipped, suspected."""
        return sum(map(bool, (*self._origins[entry], entry.shipped, entry.verdict.suspicion)))

    @cached_property
    def _origins(self):
        """By entry, who had the very same file before, and who another one with its weights."""
        first, known, origins = {}, weights.Known(), {}
        for number, entry in enumerate(self.entries):
            same = first.setdefault(entry.verdict.sha256, entry)
            origin = known.origin(entry.weights)
            if origin is None:
                known.add(entry.weights, number)
            alike = entry if origin is None else self.entries[origin]
            of = [x.shown if x.participant != entry.participant else "" for x in (same, alike)]
            origins[entry] = of[0], "" if of[0] else of[1]
        return origins

    def _look_alike(self, entry):
        """Who of others came first under a name that the eye takes for this one."""
        looks = intake.look(entry.name)
        for other in self.entries:
            if intake.look(other.name) == looks:
                return "" if other.participant == entry.participant else other.shown
        return ""


def _order(entry, league):
    verdict = entry.verdict
    first = -verdict.micro_correct if league == MICRO else verdict.gzip_bytes
    return first, entry.when, entry.file


def remark(row):
    """What there is to say beside a name, in brackets; mostly nothing."""
    entry = row.entry
    parts = [f"{row.submissions} submissions"] if row.submissions > 1 else []
    parts += [f"the same file as {row.same_as}"] if row.same_as else []
    parts += [f"the same weights as {row.weights_of}"] if row.weights_of else []
    parts += [f"a shipped file or its weights: {entry.shipped}"] if entry.shipped else []
    parts += [entry.verdict.suspicion] if entry.verdict.suspicion else []
    parts += [f"a name that looks like {row.looks_like}"] if row.looks_like else []
    return f" ({', '.join(parts)})" if parts else ""


def board(folder, regrade=False, test=None, progress=None, hidden=None, seconds=SECONDS):
    """Read a folder of submissions, grade what was not graded, and rank.

    Who may write into the folder can forge a note; `regrade` measures every file anew, and takes
    its time from the system, unless it was collected from a drop box. With the teacher's seed,
    `hidden`, each file is also checked on the secret pictures. After `seconds`, what was not
    graded yet is left out, and a notice says so.
    """
    found, notices = read_submissions(folder)
    entries, late, ends, unjudged = [], [], time.monotonic() + seconds, None
    for done, submission in enumerate(found, 1):
        name = printable(submission.path.name)
        try:
            entry = _entry(submission, regrade, test, hidden, notices, time.monotonic() < ends)
            entries.append(entry) if entry else late.append(name)
        except DataError:
            raise  # it is about all files
        except Exception as error:
            unjudged = error if isinstance(error, JudgeError) else unjudged
            known = isinstance(error, Refused | JudgeError)
            why = str(error) if known else printable(f"{type(error).__name__}: {error}", 200)
            notices.append(f"{name} is left out: {why}.")
        if progress is not None:
            progress(done, len(found))
    if unjudged is not None and not entries:
        raise unjudged
    if late:
        notices.append(
            f"After {seconds:g} s these were not measured yet: {', '.join(late[:9])}"
            f"{' and others' * (len(late) > 9)}. Ask again, or give the board more --seconds."
        )
    return Board(tuple(sorted(entries, key=lambda x: (x.when, x.file))), tuple(notices))


def _entry(submission, regrade, test, hidden, notices, in_time):
    """Believe the note of a file or grade it, and then keep what was measured; None if too late."""
    data = intake.read(submission.path)
    sizes, record, kind = measure(data), submission.record, "cached"
    if regrade:
        submission = _dated(submission, notices)
    if record is not None and record.sha256 != sizes["sha256"]:
        notices.append(
            f"{printable(submission.path.name)} is not the file that its note is about; "
            "it is measured anew."
        )
        record = None
    if hidden is not None and record is not None and record.secret != secret.mark(hidden):
        record = None
    if regrade or record is None:
        if not in_time:
            return None
        record, kind = grade_bytes(data, test, hidden=hidden), "measured"
        _keep(replace(submission, record=record), notices)
    verdict = replace(record, **sizes)
    found = {} if verdict.reason else weights.rows(data)
    return GradedSubmission(
        submission.name,
        submission.when,
        submission.path.name,
        verdict,
        kind,
        submission.owner,
        found,
        weights.shipped(verdict.sha256, found) if found else "",
    )


def _dated(submission, notices):
    """With the time of the system, which knows better than a note when a file came."""
    if submission.owner:
        return submission  # taken from the system when it was collected
    when = _moment(os.lstat(submission.path).st_ctime)
    if abs((when - submission.when).total_seconds()) > LATE:
        notices.append(
            f"{printable(submission.path.name)} says that it is of "
            f"{submission.when:%Y-%m-%d %H:%M}; the system says {when:%Y-%m-%d %H:%M}, and that "
            "counts."
        )
    return replace(submission, when=when)


def _keep(submission, notices):
    try:
        keep_note(submission)
    except OSError as error:
        words = f"Results cannot be kept in this folder ({error.strerror}); they are not lost."
        if words not in notices:
            notices.append(words)
