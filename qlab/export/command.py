"""Export a model: measure it, then write all its files, or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from qlab.export import compiling
from qlab.export.apart import apart
from qlab.export.c_array import LARGEST, c_array
from qlab.export.card import card
from qlab.export.errors import ExportError
from qlab.export.facts import examine
from qlab.export.names import file_stem, plain
from qlab.export.provenance import provenance
from qlab.tflite.litemodel import LiteModel, ModelError, require_lite_model


def export(model, to, name="model", recipe=None, force=False, verify=False, say=None, bar=False):
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
        Compile the C array here and compare it with the model, byte for byte.
    say : callable or None
        Told, in words, what is being done.
    bar : bool
        Show a progress bar on stderr while a slow model is scored.

    Returns
    -------
    dict of str to pathlib.Path
        By file name: ``NAME.tflite``; ``NAME-packed.tflite`` where weights fit 4 bits;
        ``NAME.h`` and ``NAME.c``; ``NAME-card.md``; ``NAME-provenance.json``.

    Raises
    ------
    ExportError
        If `to` is a file, files of that name are there, or the disk or compiler refuses. Nothing
        was written then.

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
    facts = examine(model, stem, recipe, say, bar)
    contents = {x.file: x.model.data for x in facts.files}
    if model.file_bytes <= LARGEST:
        say("writing the C array")
        contents |= c_array(model, stem)
    else:
        say(f"no C array: the model is larger than {LARGEST:,} bytes")
    if verify:
        say(_verified(contents, stem, model))
    names = [*contents, f"{stem}-card.md", f"{stem}-provenance.json"]
    contents[f"{stem}-card.md"] = card(facts, names).encode()
    contents[f"{stem}-provenance.json"] = provenance(facts, contents)
    _write(folder, contents, stale=set(_names(stem)) - set(contents))
    return {name: folder / name for name in contents}


def main(file, to, name=None, force=False, verify=False, out=print):
    """Run ``qlab export FILE --to DIR``."""
    out(f"checking {plain_name(file)} in a process of its own")
    try:
        model = LiteModel.from_file(file)
    except (ModelError, OSError) as error:
        raise ExportError(str(error)) from None
    _require_free(Path(to), file_stem(name or file), model, force)
    for path in apart(_export, model.data, to, name or file, force, verify, out=out):
        out(f"wrote {path.resolve()} ({path.stat().st_size:,} bytes)")
    return 0


def _export(data, to, name, force, verify, say):
    """In a process of its own: export a file that was checked."""
    return list(export(LiteModel(data), to, name, None, force, verify, say, bar=True).values())


def plain_name(path):
    """A file's name as a terminal can show it."""
    return "".join(c if c.isprintable() else "?" for c in Path(path).name)


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
    """Compile the C array and compare; say so, or raise ExportError."""
    if f"{stem}.c" not in contents:
        return "nothing to compile"
    if compiling.compiled_bytes(contents_of_c(contents, stem), stem) != model.data:
        raise ExportError("the compiled C array is not the model; please report this")
    return f"compiled with {plain(Path(compiling.find_compiler()).name)}: equal, byte for byte"


def contents_of_c(contents, stem):
    """Only the header and the source."""
    return {name: contents[name] for name in (f"{stem}.h", f"{stem}.c")}


def _write(folder, contents, stale):
    """Write everything beside its place, then move it there; the provenance comes last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".qlab-export-", dir=folder) as part:
            for name, content in contents.items():
                Path(part, name).write_bytes(content)
            for name in contents:
                os.replace(Path(part, name), folder / name)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"the files cannot be written into {folder} ({error.strerror or error}). "
            "Choose another folder with --to"
        ) from None
