"""Export a model: measure it, then write all its files, or none."""

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
import threading
import time
from pathlib import Path

from tqdm import tqdm

from qlab.data import Dataset
from qlab.data.datasets import CHANNELS
from qlab.export.measuring import examine, provenance
from qlab.export.microcontroller import (
    LARGEST,
    ExportError,
    c_array,
    compiled_bytes,
    file_stem,
    find_compiler,
)
from qlab.export.model_card import card, on_micro
from qlab.system.files import write_files
from qlab.system.isolated import Isolated
from qlab.system.text import one_line, printable
from qlab.tflite.litemodel import LiteModel, require_lite_model
from qlab.tflite.micro_runtime import micro

SECONDS = 300  # these two are the limits of the challenge's judge
MEMORY_BYTES = 2**30
ROOM = 3 * 2**30  # more, for pictures of one's own
MOST_ANSWER = 100_000  # bytes of one line
LOOK = 0.05  # seconds between two looks at what the process says
_START = "from qlab.export.writing import answer; answer()"


def export(
    model,
    to,
    name="model",
    recipe=None,
    force=False,
    verify=False,
    say=None,
    bar=False,
    dataset=None,
):
    """Measure a model and write it with its C array, model card and provenance.

    Parameters
    ----------
    model : LiteModel
    to : path-like
        Folder; made if it is missing.
    name : str
        Becomes the stem of all files.
    recipe : Recipe, mapping, str or None
        How the model was made. None looks it up in the manifest and on the learner's shelf.
    force : bool
        Replace files of an earlier export under this name.
    verify : bool
        Compile the C array here, compare it byte for byte with its file, run it in TensorFlow Lite
        Micro and compare its answers with LiteRT's.
    say : callable or None
        Told, in words, what is being done.
    bar : bool
        Show a progress bar on stderr while a slow model is scored.
    dataset : qlab.Dataset or None
        Its test images score the model, and its classes stand in the card; None for Fashion-MNIST.

    Returns
    -------
    dict of str to pathlib.Path
        By file name: ``NAME.tflite``; ``NAME-packed.tflite`` where weights fit 4 or 2 bits;
        ``NAME.h`` and ``NAME.c``, of the file in the form that TensorFlow Lite Micro takes, or
        with a sentence on top that says why it takes none; ``NAME-card.md``;
        ``NAME-provenance.json``.

    Raises
    ------
    ExportError
        If `to` is a file, files of that name are there, or the disk or compiler refuses. Nothing
        was written then.
    ValueError
        If the data set does not fit the model.

    Examples
    --------
    >>> import qlab, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = export(qlab.pretrained("baseline-int8"), folder, "small")
    >>> list(files)
    ['small.tflite', 'small.h', 'small.c', 'small-card.md', 'small-provenance.json']
    """
    require_lite_model(model)
    say = say or (lambda words: None)
    folder, stem = Path(to), file_stem(name)
    _require_free(folder, stem, model, force)
    examined = examine(model, stem, recipe, say, bar, dataset)
    contents = {file.name: file.model.data for file in examined.files}
    if examined.for_micro.file_bytes <= LARGEST:
        say("writing the C array")
        contents |= c_array(examined.for_micro, stem)
    else:
        say(f"no C array: the model is larger than {LARGEST:,} bytes")
    if verify:
        say(_verified(contents, stem, examined.for_micro))
    names = [*contents, f"{stem}-card.md", f"{stem}-provenance.json"]
    contents[f"{stem}-card.md"] = card(examined, names).encode()
    contents[f"{stem}-provenance.json"] = provenance(examined, contents)
    _write(folder, contents, stale=set(_names(stem)) - set(contents))
    return {name: folder / name for name in contents}


def main(file, to, name=None, force=False, verify=False, pictures=None, pixels=None, out=print):
    out(f"checking {printable(Path(file).name)} in a process of its own")
    try:
        model = LiteModel.from_file(file, pixels)
    except (ValueError, OSError) as error:
        raise ExportError(str(error)) from None
    _require_free(Path(to), file_stem(name or file), model, force)
    arguments = (model.data, pixels, to, name or file, force, verify, pictures)
    room = 0 if pictures is None else ROOM
    for path in map(Path, in_a_process(_export, *arguments, out=out, room=room)):
        out(f"wrote {printable(path.resolve())} ({path.stat().st_size:,} bytes)")
    return 0


def _export(data, pixels, to, name, force, verify, pictures, say):
    """In a process of its own: export a file that was checked."""
    model = LiteModel(data, pixels)
    dataset = None if pictures is None else data_from(pictures, model, say)
    files = export(model, to, name, None, force, verify, say, bar=True, dataset=dataset)
    return [str(path) for path in files.values()]


def data_from(pictures, model, say=lambda words: None):
    """The data set of a ``.npz`` file, or of a folder, scaled to what the model takes."""
    say(f"reading {printable(Path(pictures).name)}")
    if Path(pictures).suffix.lower() == ".npz":
        return Dataset.from_npz(pictures)
    sizes = model.picture_shape
    known = len(sizes) == 2 or (len(sizes) == 3 and sizes[2] in (-1, *CHANNELS))
    size = sizes[:2] if known and min(sizes[:2]) > 0 else None
    colour = False if len(sizes) == 2 else {(1,): False, (3,): True}.get(sizes[2:])
    return Dataset.from_folder(pictures, size, colour)


def in_a_process(work, *arguments, out=print, seconds=SECONDS, room=0):
    """Call ``work(*arguments, say)`` where it can at worst end a process of its own.

    What it returns must fit into JSON: nothing that a hostile model could send is ever unpickled.
    """
    with (
        tempfile.TemporaryFile() as job,
        tempfile.TemporaryDirectory(prefix="qlab-", ignore_cleanup_errors=True) as folder,
        open(Path(folder, "said"), "wb") as said,
        open(said.name, "rb") as told,
    ):
        pickle.dump((work, arguments), job)
        job.seek(0)
        with Isolated(_START, seconds, MEMORY_BYTES + room, stdin=job, stdout=said) as process:
            for kind, value in _answers(process, told):
                if kind == "done":
                    return value
                if kind == "failed":
                    raise ExportError(printable(value))
                out(printable(value))
        timed_out = process.timed_out
    raise ExportError(
        f"scoring and timing the model took over {seconds:.0f} s; nothing was written. If you "
        "trust the file, qlab.export.export(model, folder) in Python has no such limit"
        if timed_out
        else "the model ended the process that scored it. The file is damaged, or LiteRT cannot "
        "run it on more than one image; nothing was written"
    )


def _answers(process, told):
    """What the process says in a file, as long as it makes sense."""
    # A file and no pipe: a process that has left the group may hold a pipe open for ever.
    rest, ended = b"", False
    while len(rest) <= MOST_ANSWER:
        heard = told.read(MOST_ANSWER)
        if not heard and ended:
            return
        *lines, rest = (rest + heard).split(b"\n")
        for line in lines:
            try:
                kind, value = json.loads(line)
            except (ValueError, TypeError, RecursionError):
                return
            yield kind, value
        if not heard:
            ended = process.ended()
            time.sleep(0 if ended else LOOK)


def answer():
    """In the child: do what standard input asks for, and send what comes of it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what others print is no answer

    def send(kind, value):
        print(json.dumps([kind, value]), file=answers, flush=True)

    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a killed process leaves
    work, arguments = pickle.load(sys.stdin.buffer)
    try:
        send("done", work(*arguments, lambda words: send("said", words)))
    except MemoryError:
        send("failed", f"the model needs over {MEMORY_BYTES:,} bytes of memory")
    except Exception as error:
        known = type(error).__module__.startswith("qlab.") or isinstance(error, OSError)
        send("failed", str(error) if known else f"{type(error).__name__}: {error}")


def _names(stem):
    """Every file that an export of this name may write."""
    endings = (".tflite", "-packed.tflite", ".h", ".c", "-card.md", "-provenance.json")
    return [f"{stem}{ending}" for ending in endings]


def _require_free(folder, stem, model, force):
    """Raise ExportError if the folder cannot take these files; the model itself may be there."""
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder} is a file; choose another folder with --to")
    there = [name for name in _names(stem) if os.path.lexists(folder / name)]
    if there[:1] == [f"{stem}.tflite"] and _holds(folder / there[0], model.data):
        del there[0]
    if there and not force:
        raise ExportError(
            f"{folder} already has {', '.join(there)}; choose another folder (--to) or another "
            "name (--name), or replace them (--force; in Python, force=True)"
        )
    folders = [name for name in there if (folder / name).is_dir()]
    if folders:
        raise ExportError(f"{folder / folders[0]} is a folder; it is not replaced")


def _holds(path, data):
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _verified(contents, stem, model):
    """Compile the C array, compare and run it; say so, or raise ExportError."""
    files = {name: contents[name] for name in (f"{stem}.h", f"{stem}.c") if name in contents}
    if not files:
        return "nothing to compile"
    compiled = LiteModel(compiled_bytes(files, stem), model.pixels)
    if compiled.data != model.data:
        raise ExportError("the compiled C array is not the model; please report this")
    words = f"compiled with {one_line(Path(find_compiler()).name)}: equal, byte for byte. "
    report = micro(compiled)
    return words + on_micro(report)


def _write(folder, contents, stale):
    """Write all files, the provenance last, then remove those of an earlier export."""
    try:
        write_files(folder, contents)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"the files cannot be written into {folder} ({error.strerror or error}). "
            "Choose another folder with --to"
        ) from None
