"""The learner's shelf: models kept from any notebook, one folder for each content."""

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from qlab.arithmetic.results import Latency
from qlab.engine.recipes import recipe_dict
from qlab.system.files import models_folder as folder
from qlab.system.files import read_whole, refuse_anothers, write_files
from qlab.system.machine import machine_name
from qlab.system.text import one_line, printable
from qlab.tflite.litemodel import LiteModel, require_lite_model
from qlab.tflite.pixels import WAYS

ABOUT, MODEL = "about.json", "model.tflite"
VERSION = 1
MOST_MODELS = 500
LARGEST_MODEL = 16 * 2**20
LARGEST_ABOUT = 64_000
LONGEST_NAME = 80
_FOLDER = re.compile(r"[0-9a-f]{64}")


class ShelfError(ValueError):
    """The shelf cannot be used; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A model on the shelf, and what was measured when it was put there."""

    name: str
    recipe: dict
    sha256: str
    file_bytes: int
    correct: int
    n: int
    images_are: str
    data: str  # digest of the images, if they are not the course's
    latency: Latency | None
    machine: str
    when: str
    pixels: str | None  # how it wants them; None in a description that does not say
    place: Path

    @property
    def content(self):
        """bytes: the file, read and compared with its checksum."""
        return _verified(self.place)

    def model(self):
        """Check the file as one from outside, and return it."""
        return LiteModel.from_bytes(self.content, self.name, self.pixels)


def put(model, name, recipe, score, latency=None, data=""):
    """Put a model on the shelf, whole or not at all; the same file again gets the new name."""
    require_lite_model(model)
    name = clean_name(name)
    if model.file_bytes > LARGEST_MODEL:
        raise ShelfError(f"the model has {model.file_bytes:,} bytes; the shelf takes "
                         f"{LARGEST_MODEL:,} at most")  # fmt: skip
    sha = hashlib.sha256(model.data).hexdigest()
    about = _about(name, recipe, score, latency, model.pixels, data)
    place = folder() / sha
    try:
        refuse_anothers(folder())
        refuse_anothers(place)
        if not place.is_dir() and len(_names()) >= MOST_MODELS:
            raise ShelfError(f"the shelf is full: {MOST_MODELS} models; qlab.pareto.drop(name) "
                             "takes one away")  # fmt: skip
        write_files(place, {MODEL: model.data, ABOUT: about})
    except OSError as error:
        raise ShelfError(
            f"the model cannot be kept in {folder()} ({error.strerror or error}); "
            "it is unharmed here, and its download still works"
        ) from None
    return place


def kept(troubles=None):
    """All models on the shelf, oldest first."""
    found = []
    for name in _names():
        try:
            found.append(_read(folder() / name))
        except (OSError, ValueError, RecursionError) as error:
            if troubles is not None:
                words = getattr(error, "strerror", None) or str(error)
                troubles.append(
                    f"{_short(name)} on the shelf cannot be used: {words}; "
                    f'qlab.pareto.drop("{_short(name)}") takes it away'
                )
    return sorted(found, key=lambda kept: (kept.when, kept.name))


def drop(name):
    """Take the models of this name off the shelf; what cannot be used has its folder's name."""
    found = {each.sha256: each.name for each in kept()}
    gone = [sha for sha in _names() if name == found.get(sha, _short(sha))]
    for sha in gone:
        shutil.rmtree(folder() / sha, ignore_errors=True)
    return len(gone)


def _short(folder_name):
    """What a folder without a usable model is called where its trouble is told."""
    return folder_name[:8]


def _names():
    """Folders that look like a model's, at most so many."""
    try:
        refuse_anothers(folder())
        names = [
            entry.name for entry in os.scandir(folder()) if entry.is_dir(follow_symlinks=False)
        ]
    except OSError:
        return []
    return sorted(name for name in names if _FOLDER.fullmatch(name))[:MOST_MODELS]


def _about(name, recipe, score, latency, pixels, data):
    """What is known of a model, as JSON."""
    document = {
        "version": VERSION,
        "name": name,
        "recipe": recipe_dict(recipe),
        **dict(zip(("correct", "n", "images_are"), score, strict=True)),
        "data": data,
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if pixels is not None:
        document["pixels"] = pixels
    if latency is not None:
        document["latency"] = vars(latency)
        document["machine"] = machine_name()
    return json.dumps(document, indent=1).encode()


def _read(place):
    """One model, checked; ValueError or OSError in words if it cannot be used."""
    about = json.loads(read_whole(place / ABOUT, LARGEST_ABOUT).decode("utf-8"))
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise ValueError("its description is not one of this version of qlab")
    correct, n = about.get("correct"), about.get("n")
    if type(correct) is not int or type(n) is not int or not 0 <= correct <= n <= 10**7 or n < 1:
        raise ValueError("its score is not one")
    images_are = _line(about.get("images_are", "test images"))  # as version 0.1.0 had it
    return Kept(
        name=clean_name(about.get("name")),
        recipe=recipe_dict(about.get("recipe") if isinstance(about.get("recipe"), dict) else None),
        sha256=place.name,
        file_bytes=len(_verified(place)),
        correct=correct,
        n=n,
        images_are=images_are,
        data=_line(about.get("data", images_are.partition(" images")[2])),
        latency=_latency(about.get("latency")),
        machine=_line(about.get("machine", "")),
        when=_line(about.get("when", "")),
        pixels=next((x for x in WAYS if x == about.get("pixels")), None),
        place=place,
    )


def _verified(place):
    """The file in a model's folder, if it still is the one that the folder is named after."""
    data = read_whole(place / MODEL, LARGEST_MODEL)
    if hashlib.sha256(data).hexdigest() != place.name:
        raise ValueError("its file is not the one that was kept; it is damaged or was changed")
    return data


def _latency(entry):
    if not isinstance(entry, dict):
        return None
    times = [entry.get(name) for name in ("median_ms", "p95_ms")]
    counts = [entry.get(name) for name in ("batch", "threads", "runs")]
    sound = all(type(x) in (int, float) and 0 <= x <= 1e7 for x in times)
    if not sound or not all(type(x) is int and 1 <= x <= 10**6 for x in counts):
        return None
    return Latency(*map(float, times), *counts)


def clean_name(name):
    r"""A name that can stand in a table."""
    words = one_line(name if isinstance(name, str) else "", LONGEST_NAME)
    if not words.strip("\ufffd "):
        raise ShelfError("a kept model needs a name, such as 'my 4 bits'")
    return words


def _line(text):
    return printable(text, 300) if isinstance(text, str) else ""
