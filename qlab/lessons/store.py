"""One learner's progress file: read, changed under a lock, written whole."""

import os
import sys
import threading
from pathlib import Path

import filelock

from qlab.lessons import document
from qlab.system.files import TooLarge, free_name, read_whole, refuse_anothers, write_whole

LOCK_SECONDS = 3


def read(path, follow_links=True):
    try:
        return document.parse(read_whole(path, document.MOST_BYTES, follow_links))
    except TooLarge as error:
        raise document.ProgressError(str(error)) from None


class Store:
    """The progress in one file, and what could not be written to it yet."""

    def __init__(self, path):
        self._named, self.path = path, Path(os.path.realpath(path))  # a link stays a link
        self._set_aside, self._unsaved = [], ""
        self._lock = filelock.FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS)
        self._thread = threading.RLock()
        self._document, self._signature, self._waiting = None, None, []

    @property
    def notices(self):
        """What the learner should know about the file, in words; each was said once on stderr."""
        return (*self._set_aside, *filter(None, [self._unsaved]))

    def read(self):
        """Return the newest document, with what waits to be written. Not to be changed."""
        with self._thread:
            signature = _signature(self.path)
            if self._document is None or signature != self._signature:
                try:
                    self._document = self._load()
                except OSError as error:
                    self._say_unsaved(error)
                    self._document = document.empty()
                self._signature = _signature(self.path)
                for change in self._waiting:
                    change(self._document)
            return self._document

    def update(self, change):
        """Change the newest document and write it."""
        with self._thread:
            self._waiting.append(change)
            self._document = None
            try:
                self._write()
            except OSError as error:  # a lock's timeout is one too
                self._say_unsaved(error)
            return self.read()

    def set_aside(self, only_broken=True):
        """Rename the file, so that progress starts afresh and nothing is lost."""
        if not os.path.lexists(self.path):
            return
        self._refuse_anothers()
        with self._lock:
            why = _complaint(self.path)
            if (only_broken and not why) or not os.path.lexists(self.path):
                return
            aside = free_name(self.path, "broken" if why else "kept")
            try:
                os.rename(self.path, aside)
            except OSError as error:
                raise OSError(f"{why or 'it is in use'}; renaming it: {error.strerror}") from None
        if why:
            self._set_aside.append(
                f"The progress file could not be used: {why}. It is set aside as {aside}, and a "
                "new one begins. The notebooks work as before."
            )
            print(self._set_aside[-1], file=sys.stderr)

    def forget(self):
        """Start afresh; a file that is there is set aside."""
        with self._thread:
            self._waiting = []
            try:
                self.set_aside(only_broken=False)
            except OSError as error:
                self._say_unsaved(error)
            self._document = None

    def _write(self):
        self._refuse_anothers()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Having waited in vain once, do not make every later click wait too.
        with self._lock.acquire(timeout=0 if self._unsaved else LOCK_SECONDS):
            changed = self._load()
            for change in self._waiting:
                change(changed)
            write_whole(self.path, document.to_bytes(changed), private=True)
            self._document, self._signature = changed, _signature(self.path)
        self._waiting, self._unsaved = [], ""

    def _refuse_anothers(self):
        for path in (self._named, self._lock.lock_file):
            refuse_anothers(path)

    def _load(self):
        """The file's document, an empty one if there is none; a broken file is set aside."""
        refuse_anothers(self._named)
        try:
            return read(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return document.empty()
        except document.NewerVersion as error:
            raise OSError(f"{error}: update qlab, or name another file in QLAB_PROGRESS") from None
        except document.ProgressError:
            self.set_aside()
            return self._load()

    def _say_unsaved(self, error):
        if self._unsaved:
            return
        self._unsaved = (
            f"Your progress cannot be saved in {self.path} ({error.strerror or error}). It is kept "
            "while this notebook's kernel runs, and saved as soon as that works again."
        )
        print(self._unsaved, file=sys.stderr)


def _complaint(path):
    """Why a file's content cannot be used; empty if it can, or if there is none."""
    try:
        read(path)
    except document.NewerVersion:
        pass  # a later qlab can use it
    except document.ProgressError as error:
        return str(error)
    except FileNotFoundError:
        pass
    return ""


def _signature(path):
    """What changes whenever the file is replaced; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
