"""Files written whole or not at all, files from others read with care, and where ours are."""

from __future__ import annotations

import argparse
import errno
import os
import secrets
import shutil
import stat
import tempfile
import time
from itertools import count
from pathlib import Path

import platformdirs

STALE_SECONDS = 3600  # what a save has not finished by then, a killed one has left


class UnfitFile(OSError):
    """A path that does not lead to a file as it was asked for; the message says why."""


class TooLarge(UnfitFile):
    """A file of more bytes than are read."""


def typed_path(text):
    """A path as somebody typed it after an option, with ``~`` as the home folder."""
    path = os.path.expanduser(text)
    if not path or path.startswith("~"):
        raise argparse.ArgumentTypeError(f"{text!r} is no path; give one such as ~/mine or ./mine")
    return path


def write_whole(path, data, private=False):
    """Write `data` so that a reader sees the old file or the new one, never a part."""
    path = Path(path)
    temporary = path.with_name(_temporary())
    _clear(path.parent)
    try:
        _make(temporary, path.parent, private)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def write_files(folder, contents, private=False):
    """Write files by name: a new folder appears with all of them, an old one once all are written.

    A write that fails before the first file takes its place leaves nothing behind.
    """
    folder = Path(folder)
    is_new = not os.path.lexists(folder)
    home = folder.parent if is_new else folder
    part = home / _temporary()
    _clear(home)
    try:
        part.mkdir(parents=is_new)
        for name, content in contents.items():
            _make(part / name, home, private)
            (part / name).write_bytes(content)
        if not is_new or not _took_its_place(part, folder):
            if any((folder / name).is_dir() for name in contents):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder))
            for name in contents:
                os.replace(part / name, folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [folder / name for name in contents]


def _make(file, folder, private):
    """Make an empty file; a private one is its owner's, and its group's in a setgid folder."""
    file.touch(0o600 if private else 0o666)
    if private and folder.is_dir() and folder.stat().st_mode & stat.S_ISGID:
        file.chmod(0o640)


def _took_its_place(part, folder):
    """Rename a folder; False if another process has just made one of that name."""
    try:
        os.rename(part, folder)
    except OSError:
        if not folder.is_dir():
            raise
        return False
    return True


def free_name(path, word):
    """The first of ``PATH.WORD-1``, ``PATH.WORD-2`` and so on that is not taken."""
    names = (path.with_name(f"{path.name}.{word}-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


def _temporary():
    """A name that no other process takes, and that no list of files shows."""
    return f".{secrets.token_hex(8)}.part"


def _clear(folder):
    """Remove what killed saves have left in a folder."""
    for left in folder.glob(f".{'[0-9a-f]' * 16}.part"):
        try:
            if time.time() - left.lstat().st_mtime < STALE_SECONDS:
                continue
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        except OSError:
            pass  # somebody else's, or somebody else was faster


def read_whole(path, most_bytes, follow_links=True):
    """Read a regular file of at most so many bytes; a pipe or a device is never waited for."""
    return read_with_status(path, most_bytes, follow_links)[0]


def read_with_status(path, most_bytes, follow_links=True):
    """The same, with what the system says of the very file that was read: its owner, its times."""
    flags = ["O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"]
    if not follow_links:
        if os.path.islink(path):
            raise UnfitFile("it is a link; give the file itself")
        flags.append("O_NOFOLLOW")  # it may have become a link since
    handle = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise UnfitFile("it is not a file")
    with os.fdopen(handle, "rb") as file:
        data = file.read(most_bytes + 1) if status.st_size <= most_bytes else b""
    if max(status.st_size, len(data)) > most_bytes:  # it may have grown
        raise TooLarge(f"it is larger than {most_bytes:,} bytes, the most that is read")
    return data, status


def is_anothers(path):
    """Whether somebody else owns what is there; root, who may change everything, is nobody else."""
    return hasattr(os, "geteuid") and os.lstat(path).st_uid not in (os.geteuid(), 0)


def refuse_anothers(path):
    """Raise `UnfitFile` if somebody else owns a file or folder, or a link that stands there."""
    for place in {str(path), os.path.realpath(path)}:
        if os.path.lexists(place) and is_anothers(place):
            raise UnfitFile(f"{place} belongs to somebody else, so it is left alone")


def user_folder(kind):
    """The user's folder for qlab's "state" or "cache"; a temporary one for who has no home."""
    try:
        return getattr(platformdirs, f"user_{kind}_path")("qlab", appauthor=False)
    except RuntimeError:
        folder = Path(tempfile.gettempdir(), f"qlab-{os.getuid()}")
    folder.mkdir(0o700, exist_ok=True)
    return (Path(tempfile.mkdtemp(prefix="qlab-")) if is_anothers(folder) else folder) / kind


def progress_file():
    """Where this learner's progress is: ``$QLAB_PROGRESS``, or in the user's state folder."""
    return _places()[0]


def models_folder():
    """Where the models that this learner keeps are: beside the progress."""
    return _places()[1]


def _places():
    named = os.environ.get("QLAB_PROGRESS")
    if named:
        progress = Path(os.path.abspath(os.path.expanduser(named)))
        return progress, progress.with_name(f"{progress.stem}-models")
    folder = user_folder("state")
    return folder / "progress.json", folder / "models"
