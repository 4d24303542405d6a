"""What there is to say about a model that leaves the course: measured here and now, and written.

The provenance is JSON: checksums, recipe, machine, versions; no name of a person.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from qlab.arithmetic.metrics import beats_shuffling
from qlab.arithmetic.results import Measurement
from qlab.data import Dataset, FashionMNIST
from qlab.engine.recipes import recipe_dict
from qlab.system.machine import about_machine, versions
from qlab.tflite import artefacts
from qlab.tflite.gzipping import GZIP_LEVEL
from qlab.tflite.litemodel import LiteModel, ModelError, not_finite, require_sizes
from qlab.tflite.micro_form import micro_form
from qlab.tflite.micro_runtime import MicroReport, micro
from qlab.tflite.pixels import USUAL, FoundPixels
from qlab.tflite.runtime import predict
from qlab.tflite.timing import LatencyReport, latency_report
from qlab.trials import shelf, subjects

VERSION = 1
MICRO_IMAGES = 300  # asked of TensorFlow Lite Micro
PIECE = 1000  # images between two looks at the progress bar


@dataclass(frozen=True, eq=False)
class MeasuredFile:
    """One file, measured."""

    name: str
    model: LiteModel
    measurement: Measurement | None
    latency: LatencyReport

    @property
    def sha256(self):
        return hashlib.sha256(self.model.data).hexdigest()


@dataclass(frozen=True, eq=False)
class Examined:
    """All that card and provenance say."""

    stem: str
    whole: MeasuredFile
    packed: MeasuredFile | None
    for_micro: LiteModel
    """The file of the C array: the form that TensorFlow Lite Micro takes, if there is one."""
    micro: MicroReport
    source: dict
    recipe: dict
    dataset: Dataset | None  # None for the course's
    pixels: str | FoundPixels | None  # as the caller has it, or as scoring tells; None if unknown
    unfit: str = ""  # why it is not scored

    @property
    def files(self):
        """tuple of MeasuredFile: the one or two `.tflite` files."""
        return (self.whole,) if self.packed is None else (self.whole, self.packed)


def examine(model, stem, recipe=None, say=lambda words: None, progress=False, dataset=None):
    """Measure a model, and its packed form, on the test images and on this machine."""
    given, dataset = dataset is not None, subjects.other_data(dataset)
    if dataset is not None:
        subjects.require_fits(model, dataset)
    if problem := not_finite(model):
        raise ModelError(problem)
    require_sizes(subjects.sized(model, dataset))
    source, known, pixels = lookup(model)
    model, pixels = _ready(model, pixels, say, dataset)
    score = lambda file, model: _scored(file, model, dataset, say, progress)  # noqa: E731
    whole, small = score(f"{stem}.tflite", model), model.packed()
    packed = score(f"{stem}-packed.tflite", small) if small is not model else None
    unfit = subjects.misfit(model, dataset)
    if not (unfit or given or source) and (unfit := _of_other_data(whole.measurement)):
        whole, packed = (x and replace(x, measurement=None) for x in (whole, packed))
    say("running the file of the C array in TensorFlow Lite Micro")
    form = micro_form(subjects.sized(model, dataset))
    return Examined(
        stem,
        whole,
        packed,
        form,
        micro(form, dataset and dataset.validation.images[:MICRO_IMAGES]),
        source,
        known if recipe is None else recipe_dict(recipe),
        dataset,
        pixels,
        unfit,
    )


def _of_other_data(measurement):
    """Why the names of garments would be wrong for a model that nobody knows; empty if right."""
    if beats_shuffling(
        measurement.labels, measurement.predictions, len(FashionMNIST().class_names)
    ):
        return ""
    return (
        f"it names {100 * measurement.accuracy:.1f} % of the test images of Fashion-MNIST rightly, "
        "and with the names of the classes shuffled it does as well, so it seems to be made for "
        "other data"
    )


def lookup(model):
    """What is recorded about exactly this file: where it is from, recipe, and pixels."""
    sha = hashlib.sha256(model.data).hexdigest()
    for name, entry in artefacts.manifest()["files"].items():
        if entry["sha256"] == sha:
            source = {"artefact": name, "made": entry.get("made", {})}
            return source, recipe_dict(entry["recipe"]), entry.get("pixels", USUAL)
    for kept in shelf.kept():
        if kept.sha256 == sha:
            return {"kept_as": kept.name}, kept.recipe, kept.pixels
    return {}, {}, None


def _ready(model, known, say, dataset):
    """The model with how it wants its pixels, and what there is to say of that."""
    known = model.pixels or known
    if known or subjects.misfit(model, dataset):
        return (model.with_pixels(known) if known else model), known
    say("finding out how the model wants its pixels")
    model, found = subjects.ready(model, subjects.images_to_choose_with(dataset=dataset))
    if found is not None:
        say(str(found))
    return model, found


def _scored(file, model, dataset, say, progress):
    measurement = None
    if not subjects.misfit(model, dataset):
        test = (dataset or subjects.course_data()).test
        say(f"scoring {file} on {len(test.images):,} images")
        starts = tqdm(range(0, len(test.images), PIECE), file, delay=1, leave=False,
                      disable=not progress)  # fmt: skip
        answers = [predict(model, test.images[i : i + PIECE], threads=1) for i in starts]
        measurement = Measurement(np.concatenate(answers), test.labels)
    say(f"timing {file} with one and two threads")
    return MeasuredFile(file, model, measurement, latency_report(subjects.sized(model, dataset)))


def provenance(examined, contents):
    """Write the provenance of exported files."""
    document = {
        "qlab_provenance": VERSION,
        "name": examined.stem,
        "date": today(),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
        "source": {"sha256": examined.whole.sha256, **examined.source},
        "recipe": examined.recipe or None,
        "pixels": examined.pixels
        and {
            "range": getattr(examined.pixels, "pixels", examined.pixels),
            "found": str(examined.pixels) if isinstance(examined.pixels, FoundPixels) else None,
        },
        "measured": {file.name: _measured(file, examined.dataset) for file in examined.files},
        "microcontroller": _on_micro(examined.micro),
        "machine": about_machine(),
        "versions": versions(),
    }
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()


def _on_micro(report):
    """What TensorFlow Lite Micro made of the file of the C array."""
    names = ("runs", "why", "kind", "flash_bytes", "arena_bytes", "activations_bytes",
             "unpacked_bytes", "persistent_bytes", "compared", "equal")  # fmt: skip
    return {name: getattr(report, name) for name in names} | versions(("tflite-micro",))


def today():
    """The date in UTC, such as ``2026-01-31``."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _measured(file, dataset):
    """Accuracy, sizes and latencies of one file."""
    found = {
        "bytes": file.model.file_bytes,
        "gzip_bytes": file.model.gzip_bytes,
        "gzip_level": GZIP_LEVEL,
        "latency_ms": [
            {
                "threads": row.threads,
                "median": round(row.median_ms, 5),
                "p95": round(row.p95_ms, 5),
                "runs": row.runs,
            }
            for row in file.latency.rows
        ],
    }
    if file.measurement is not None:
        found["accuracy"] = {
            "dataset": f"{(dataset or FashionMNIST()).name}, test",
            "correct": file.measurement.correct,
            "n": file.measurement.n,
            "interval": [round(end, 4) for end in file.measurement.interval],
        }
    return found
