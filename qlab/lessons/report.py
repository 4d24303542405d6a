"""``qlab report``: what one learner did, or how a class predicted, as a page and a CSV."""

import re
from dataclasses import dataclass
from pathlib import Path

from qlab.lessons import document, store
from qlab.lessons.document import ProgressError
from qlab.lessons.report_pages import class_page, learner_page
from qlab.lessons.spreadsheet import class_csv
from qlab.lessons.syllabus import parts
from qlab.system.files import progress_file, write_files
from qlab.system.text import printable


class ReportError(Exception):
    """A report that cannot be written; says what to do."""


@dataclass(frozen=True)
class Learner:
    """One readable progress file."""

    name: str
    file: str
    progress: dict


def main(source=None, to=".", notebooks=(), out=print):
    """Write ``qlab-report`` or, for a folder, ``qlab-class``, as ``.html`` and ``.csv``.

    They are for their owner alone. The exit code is 1 if a file of a class could not be read.
    """
    course, broken = _chosen(notebooks), []
    source = Path(source) if source is not None else progress_file()
    if source.is_dir():
        found, broken = read_class(source)
        learners = _each_once(found)
        out(f"{_count(len(learners), 'learner')} in {printable(source)}")
        for learner in found:
            if learner not in learners:
                out(
                    f"  counted once: a later file, or a copy, stands for {printable(learner.file)}"
                )
        for file, why in broken:
            out(f"  left out: {printable(file)}: {why}")
        if not learners:
            raise ReportError(
                f"there is no usable progress file (*.json) in {printable(source)}. Learners find "
                "theirs with `qlab report`, which says where it is."
            )
        name, page = "qlab-class", class_page(learners, broken, course)
    else:
        learner = _read_own(source)
        out(f"progress of {printable(learner.name)}, from {printable(source)}")
        learners, name = [learner], "qlab-report"
        page = learner_page(learner, course)
    files = {f"{name}.html": page.encode(), f"{name}.csv": class_csv(learners, course)}
    try:
        written = write_files(to, files, private=True)
    except OSError as error:
        raise ReportError(
            f"the report cannot be written into {printable(to)} ({error.strerror or error}). "
            "Choose another folder with --to."
        ) from None
    for path in written:
        out(f"wrote {printable(path.resolve())}")
    return 1 if broken else 0


def _chosen(notebooks):
    """The notebooks of these numbers or topics; all if none are named."""
    course = parts()
    known = {part.number or part.topic for part in course}
    if unknown := set(notebooks) - known:
        raise ReportError(
            f"there is no notebook {', '.join(sorted(unknown))}; there are "
            f"{', '.join(sorted(known))}"
        )
    return [part for part in course if not notebooks or (part.number or part.topic) in notebooks]


def _each_once(learners):
    """Leave out what a learner handed in twice, earlier or in a copy; the latest stays."""
    latest = {}
    for learner in sorted(learners, key=lambda learner: max(_times(learner, "last"), default="")):
        latest[_who(learner)] = learner
    return [learner for learner in learners if latest[_who(learner)] is learner]


def _who(learner):
    """What the files of one learner share: a name and the beginning, or else the whole content."""
    begun = min(_times(learner, "first"), default="")
    if not begun:
        return learner.file
    named = learner.progress["learner"].strip()
    return (named, begun) if named else document.to_bytes(learner.progress)


def _times(learner, field):
    return [entry[field] for entry in learner.progress["notebooks"].values() if field in entry]


def read_class(folder):
    """Read every ``*.json`` below a folder, but for what tells of kept models."""
    learners, broken = [], []
    for path in sorted(folder.rglob("*.json")):
        file = str(path.relative_to(folder))
        if path.name == "about.json" and re.fullmatch("[0-9a-f]{64}", path.parent.name):
            continue
        try:
            progress = store.read(path, follow_links=False)
        except ProgressError as error:
            broken.append((file, str(error)))
        except OSError as error:
            broken.append((file, error.strerror or str(error)))
        else:
            learners.append(Learner(progress["learner"].strip() or path.stem, file, progress))
    return learners, broken


def _read_own(path):
    try:
        progress = store.read(path)
    except FileNotFoundError:
        raise ReportError(
            f"there is no progress in {printable(path)} yet. Take a notebook first: `qlab lab`. "
            "For another learner's file or a class's folder: `qlab report FILE-OR-FOLDER`."
        ) from None
    except ProgressError as error:
        raise ReportError(
            f"{printable(path)} cannot be used: {error}. The next notebook sets it aside and "
            "begins a new one."
        ) from None
    except OSError as error:
        raise ReportError(f"{printable(path)} cannot be read: {error.strerror or error}") from None
    return Learner(progress["learner"].strip() or "this learner", path.name, progress)


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
