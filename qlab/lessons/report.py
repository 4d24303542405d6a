"""``qlab report``: what one learner did, or how a class predicted, as a page and a CSV."""

from dataclasses import dataclass
from pathlib import Path

from qlab.lessons import store
from qlab.lessons.document import ProgressError
from qlab.lessons.report_pages import class_page, learner_page
from qlab.lessons.spreadsheet import class_csv
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


def main(source=None, to=".", out=print):
    """Write ``qlab-report`` or, for a folder, ``qlab-class``, as ``.html`` and ``.csv``."""
    source = Path(source) if source is not None else progress_file()
    if source.is_dir():
        learners, broken = read_class(source)
        out(f"{_count(len(learners), 'learner')} in {printable(source)}")
        for file, why in broken:
            out(f"  left out: {printable(file)}: {why}")
        if not learners:
            raise ReportError(
                f"there is no usable progress file (*.json) in {printable(source)}. Learners find "
                "theirs with `qlab report`, which says where it is."
            )
        name, page = "qlab-class", class_page(learners, broken)
    else:
        learner = _read_own(source)
        out(f"progress of {printable(learner.name)}, from {printable(source)}")
        learners, name = [learner], "qlab-report"
        page = learner_page(learner)
    files = {f"{name}.html": page.encode(), f"{name}.csv": class_csv(learners)}
    try:
        written = write_files(to, files)
    except OSError as error:
        raise ReportError(
            f"the report cannot be written into {printable(to)} ({error.strerror or error}). "
            "Choose another folder with --to."
        ) from None
    for path in written:
        out(f"wrote {printable(path.resolve())}")
    return 0


def read_class(folder):
    """Read every ``*.json`` below a folder."""
    learners, broken = [], []
    for path in sorted(folder.rglob("*.json")):
        file = str(path.relative_to(folder))
        try:
            progress = store.read(path)
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
