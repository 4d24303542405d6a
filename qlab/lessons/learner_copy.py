"""A folder of the learner's own, into which the notebooks come without outputs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from itertools import count
from pathlib import Path
from typing import NamedTuple

from qlab.system.files import UnfitFile, is_anothers, read_whole, write_whole

RECORD = ".qlab-copies.json"  # of each copy, the digest of what was copied
MOST_BYTES = 200_000_000  # of a notebook that a learner has worked in, with its pictures
ASKS = re.compile(r"(?<![\w.])predict\(f?\"")  # a question, and not what a model predicts
# A stream, because other outputs would keep JupyterLab from trusting what the learner runs here.
RUN_ME = {
    "name": "stdout",
    "output_type": "stream",
    "text": ["Run this cell, and the question appears here.\n"],
}
NOTE_ID = "qlab-new-version"
NOTE = (
    "> **This is a new version of this notebook.** The course has been updated since you worked in "
    "[{old}]({old}). That file stays as you left it, because your work is in it. What you guessed "
    "and passed counts here too."
)


class CopyError(OSError):
    """The notebooks cannot be copied; the message says why, and what to do."""


class Copy(NamedTuple):
    """Where the learner's copy of a notebook is: under a new name if an older one stays."""

    original: str
    name: str
    is_news: bool  # whether it has just been put next to an older one


def bring_notebooks(source, folder):
    """Copy the notebooks of `source` into `folder`, and leave alone what the learner has touched.

    Returns a `Copy` of each; CopyError if the folder cannot be used.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_anothers(folder.resolve()):
            raise UnfitFile("it belongs to another user, who could change what you run")
        record = _read_record(folder)
        before = dict(record)
        copies = [_bring(path, folder, record) for path in sorted(Path(source).glob("*.ipynb"))]
        if record != before:
            write_whole(folder / RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        raise CopyError(
            f"the notebooks cannot be copied to {folder}, because {_why(error)}. Name another "
            "folder, for instance `qlab lab --to ~/my-course`"
        ) from None
    return copies


def _why(error):
    """An error of the system in words, with the file that it is about."""
    if isinstance(error, UnfitFile):
        return str(error)
    return f"of {error.filename2 or error.filename}: {error.strerror}"


def _bring(original, folder, record):
    """Put one notebook under the first name that is free, or whose file nobody has touched."""
    notebook = without_outputs(json.loads(original.read_text("utf-8")))
    digest = _digest(notebook)
    for name in _names(original):
        path = folder / name
        found = _found(path)
        if found == digest or (found and record.get(name) == digest):
            record[name] = digest
            return Copy(original.name, name, is_news=False)
        if found is None or found == record.get(name):
            break
    is_news = name != original.name
    if is_news:
        _put_note(notebook, original.name)
    write_whole(path, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    record[name] = digest
    return Copy(original.name, name, is_news)


def _names(original):
    yield original.name
    yield f"{original.stem}-new.ipynb"
    for number in count(2):
        yield f"{original.stem}-new-{number}.ipynb"


def without_outputs(notebook):
    """Take the outputs out of a notebook; where a question will stand, a line says so."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            asks = ASKS.search("".join(cell["source"]))
            cell.update(execution_count=None, outputs=[RUN_ME] if asks else [])
    return notebook


def _put_note(notebook, old):
    """Say on top of a notebook why there are two of it."""
    note = {"cell_type": "markdown", "id": NOTE_ID, "metadata": {}}
    notebook["cells"].insert(0, {**note, "source": [NOTE.format(old=old)]})


def _digest(notebook):
    """What tells whether a learner has changed or run a notebook, and not only opened it."""
    cells = [
        (cell["cell_type"], "".join(cell["source"]), cell.get("outputs", []))
        for cell in notebook["cells"]
        if cell.get("id") != NOTE_ID
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def _found(path):
    """The digest of the notebook that is there; None if nothing is, "" if it is no such file."""
    if not os.path.lexists(path):
        return None
    try:
        return _digest(json.loads(_read_own(path)))
    except OSError as error:
        why = error.strerror or error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        why = "it cannot be read as a notebook"
    print(f"{path} is left as it is ({why})", file=sys.stderr)
    return ""


def _read_record(folder):
    """What each copy was when it was made; nothing if that cannot be known."""
    try:
        record = json.loads(_read_own(folder / RECORD))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _read_own(path):
    """Read a file of the learner's own, and nothing else."""
    if os.path.islink(path):
        raise UnfitFile("it is a link")
    if is_anothers(path):
        raise UnfitFile("it belongs to another user")
    return read_whole(path, MOST_BYTES, follow_links=False)
