"""What a progress file holds, and the checks that make anybody's file safe to read."""

import itertools
import json
import re
from datetime import UTC, datetime

from qlab.lessons.old_ids import current

VERSION = 1
MOST_BYTES = 1_000_000
MOST_ENTRIES = 1_000
MOST_TEXT = 500
LARGEST = 1e15
MOST_COUNT = 10**9
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class ProgressError(ValueError):
    """A progress file that cannot be used; the message says why."""


class NewerVersion(ProgressError):
    """A progress file that a later qlab has written."""


def empty():
    """A document in which nothing has been done."""
    return {"version": VERSION, "learner": "", **{kind: {} for kind in FIELDS}}


def parse(data):
    """Read and check the bytes of a progress file."""
    if len(data) > MOST_BYTES:
        raise ProgressError(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ProgressError("it is nested too deeply") from None
    except ValueError:
        raise ProgressError("it is not JSON, or only the beginning of it") from None
    return clean(raw)


def clean(raw):
    """Return a checked copy of `raw` under today's ids; ProgressError if it cannot be used."""
    if not isinstance(raw, dict) or "version" not in raw or not raw.keys() & {"learner", *FIELDS}:
        raise ProgressError("it is not a progress file of qlab")
    version = raw["version"]
    if type(version) is not int or version != VERSION:
        known = version if type(version) is int and 0 <= version < 10**6 else "unknown"
        error = NewerVersion if known == version > VERSION else ProgressError
        raise error(f"its version is {known}, and this qlab reads version {VERSION}")
    learner = raw.get("learner", "")
    _insist(_is_text(learner), "learner", "a short text")
    kinds = {kind: _clean_kind(kind, raw.get(kind, {})) for kind in FIELDS}
    return {"version": VERSION, "learner": learner, **kinds}


def _clean_kind(kind, entries):
    _insist(isinstance(entries, dict), kind, "an object")
    _insist(len(entries) <= MOST_ENTRIES, kind, f"at most {MOST_ENTRIES:,} entries")
    for id, entry in entries.items():
        _insist(_is_text(id) and _is_text(current(id)), f"an id in {kind}", "a short text")
        _insist(isinstance(entry, dict), f"an entry of {kind}", "an object")
        for name, (fits, words) in FIELDS[kind].items():
            _insist(name not in entry or fits(entry[name]), f"{name} in {kind}", words)
    kept = {}
    for id, entry in entries.items():
        known, id = {name: entry[name] for name in FIELDS[kind] if name in entry}, current(id)
        kept[id] = _merged(kept[id], known) if id in kept else known
    return kept


def _merged(one, other):
    """One entry of two: an older qlab goes on writing its own ids into the same file."""
    both = {name: [e[name] for e in (one, other) if name in e] for name in {**one, **other}}
    merged = {name: COMBINED[name](values) for name, values in both.items() if name in COMBINED}
    # Of two guesses the latest is shown again; of two reveals the first that had a guess counts.
    guessed = max(other, one, key=lambda e: ("guess" in e, e.get("guessed", "")))
    revealed = min(one, other, key=lambda e: ("counted" not in e, e.get("revealed", "9")))
    for entry, names in ((guessed, GUESSED), (revealed, REVEALED)):
        merged.update({name: entry[name] for name in names if name in entry})
    return merged


def _insist(fits, where, words):
    if not fits:
        raise ProgressError(f"{where} should be {words}")


def _is_text(value):
    """Short, and without the lone surrogates that JSON lets in and no file can hold."""
    return isinstance(value, str) and len(value) <= MOST_TEXT and value == _encodable(value)


def _is_number(value):
    return type(value) in (int, float) and abs(value) <= LARGEST  # NaN is not


def _is_count(value):
    return type(value) is int and 0 <= value <= MOST_COUNT


def _is_when(value):
    if not isinstance(value, str) or not _WHEN.fullmatch(value):
        return False
    try:
        return bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_list(of):
    return lambda value: isinstance(value, list) and len(value) <= 50 and all(map(of, value))


def _encodable(text):
    return text.encode("utf-8", "replace").decode("utf-8")


_VALUE = (lambda v: _is_text(v) or _is_number(v), "a short text or a number")
_TRUTH = (lambda v: isinstance(v, bool) or _VALUE[0](v), "a short text or a number")
_TEXT = (_is_text, "a short text")
_FLAG = (lambda v: isinstance(v, bool), "true or false")
_COUNT = (_is_count, "a count")
_WHEN_FIELD = (_is_when, "a time such as 2025-01-31T12:00:00Z")

# What each kind of entry may hold. Every field may be missing: it has then not happened yet.
FIELDS = {
    "questions": {
        "guess": _VALUE,  # the latest, shown again by predict()
        "guessed": _WHEN_FIELD,
        "counted": _VALUE,  # the guess that stood when its truth was first shown
        "late": _FLAG,  # the truth had been shown before the first guess
        "truth": _TRUTH,
        "measured": _TEXT,  # the truth as it was shown
        "right": _FLAG,
        "revealed": _WHEN_FIELD,
    },
    "exercises": {
        "attempts": _COUNT,  # up to the first pass
        "failures": _COUNT,  # in a row
        "general": _COUNT,  # of these, those that were answered with a general hint
        "hints": (_is_list(_is_count), "a list of levels"),
        "mistakes": (_is_list(_is_text), "a list of short texts"),
        "solution": _WHEN_FIELD,  # first looked at before a pass
        "passed": _WHEN_FIELD,
    },
    "notebooks": {"first": _WHEN_FIELD, "last": _WHEN_FIELD, "seconds": _COUNT},
    "test_images": {"asked": _COUNT},  # by the SHA-256 of the file that they were asked about
}

GUESSED = ("guess", "guessed")
REVEALED = ("counted", "late", "truth", "measured", "right", "revealed")
COMBINED = {  # of every other field: one value from those of two entries
    "attempts": lambda counts: min(sum(counts), MOST_COUNT),
    "seconds": lambda counts: min(sum(counts), MOST_COUNT),
    "asked": lambda counts: min(sum(counts), MOST_COUNT),
    "failures": max,
    "general": max,
    "hints": lambda lists: list(dict.fromkeys(itertools.chain(*lists)))[:50],
    "mistakes": lambda lists: list(dict.fromkeys(itertools.chain(*lists)))[:50],
    "solution": min,
    "passed": min,
    "first": min,
    "last": max,
}


def to_bytes(document):
    """The bytes of a progress file: JSON that a person can read too."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def plain(value):
    """NumPy scalars as Python's own, so that equality and printing are those of Python."""
    return value.item() if hasattr(value, "item") else value


def storable(value):
    """A guess or a truth as a progress file can hold it: a number, True, False or a short text."""
    value = plain(value)
    if isinstance(value, bool) or _is_number(value):
        return value
    return _encodable(str(value)[:MOST_TEXT])


def now():
    """Now, in UTC, to the second, as a progress file writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_between(earlier, later):
    """Seconds from one time to another."""
    difference = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return int(difference.total_seconds())
