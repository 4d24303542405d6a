"""What the shipped teacher answers to the training images: computed once, kept in the cache."""

import hashlib
import io
import sys
import zipfile

import numpy as np
from tqdm import tqdm

from qlab import data
from qlab.system.files import user_folder, write_whole
from qlab.tflite import artefacts
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import logits as _logits

TEACHER = "teacher.tflite"
FEW = 10_000
PIECE = 2_000  # images between two moves of the progress bar


def teacher_logits(indices=None, progress=True):
    """Logits of the shipped teacher for the training images, in their order.

    LiteRT computes them the first time, which takes up to a minute; afterwards a file of 2 MB in
    the user's cache folder holds them. The file carries the teacher's checksum and its own, so
    that logits of another teacher or from a damaged file are computed anew and never used.

    Parameters
    ----------
    indices : array_like of int, optional
        Which training images are wanted; by default all. Fewer than 10,000 that are not in the
        cache are computed alone, and are not kept.
    progress : bool
        Show a progress bar on stderr while they are computed.

    Returns
    -------
    ndarray of float32, shape (n, 10)

    Raises
    ------
    qlab.artefacts.ArtefactError
        If the teacher's file is missing or altered.

    Examples
    --------
    >>> from qlab import data, train
    >>> logits, labels = train.teacher_logits(range(200)), data.load().train.labels[:200]
    >>> logits.shape, bool((logits.argmax(axis=1) == labels).mean() > 0.9)
    ((200, 10), True)
    """
    content = artefacts.path(TEACHER).read_bytes()
    whole = _cached(content)
    wanted = slice(None) if indices is None else np.asarray(indices)
    if whole is None and indices is not None and len(wanted) < FEW:
        return _computed(content, data.load().train.images[wanted], progress)
    if whole is None:
        whole = _computed(content, data.load().train.images, progress)
        _keep(content, whole)
    return whole[wanted]


def cache_file(content=None):
    """Path of the cached logits of a teacher, by default the shipped one."""
    content = artefacts.path(TEACHER).read_bytes() if content is None else content
    name = f"logits-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    return user_folder("cache") / "teacher" / name


def _cached(content):
    """The logits in the cache; None if they are missing, damaged, or another teacher's."""
    try:
        with np.load(cache_file(content), allow_pickle=False) as file:
            kept, marks = file["logits"], [str(file["teacher"]), str(file["checksum"])]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return kept if marks == _marks(content, kept) and kept.shape == (50_000, 10) else None


def _marks(content, found):
    """Checksums of the teacher and of its logits."""
    return [hashlib.sha256(x).hexdigest() for x in (content, np.ascontiguousarray(found))]


def _keep(content, found):
    """Write the logits whole or not at all; without a place to write, say so and go on."""
    target, buffer = cache_file(content), io.BytesIO()
    teacher, checksum = _marks(content, found)
    np.savez(buffer, logits=found, teacher=teacher, checksum=checksum)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, buffer.getvalue())
    except OSError as error:
        print(f"The logits are not kept: {target}: {error.strerror}.", file=sys.stderr)


def _computed(content, images, progress):
    model, found = LiteModel(content), []
    bar = tqdm(total=len(images), disable=not progress, file=sys.stderr, unit="image")
    with bar:
        for start in range(0, len(images), PIECE):
            found.append(_logits(model, images[start : start + PIECE]))
            bar.update(len(found[-1]))
    return np.concatenate(found)


def main():
    """Compute the logits unless they are in the cache, and say where they are."""
    found = teacher_logits()
    labels = data.load().train.labels
    right = float((found.argmax(axis=1) == labels).mean())
    print(f"{cache_file()}\n{len(found):,} images; the teacher is right on {right:.2%} of them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
