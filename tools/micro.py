"""Ask TensorFlow Lite Micro about every file that ships: ``python -m tools.micro``, `make micro`.

What it says goes into ``data/pretrained/micro.json``, for machines that cannot have that runtime.
Files of integers answer the 10,000 test images in both runtimes, others 300 validation images.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import re
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab.data import digits
from qlab.system.files import write_whole
from qlab.system.machine import about_machine, versions
from qlab.system.text import markdown
from qlab.tflite import artefacts, micro_runtime
from qlab.tflite.boards import holding
from qlab.tflite.micro_form import micro_form
from qlab.tflite.transforms import keep_filters, strongest_filters

KEPT = ("runs", "why", "arena_bytes", "activations_bytes", "unpacked_bytes", "persistent_bytes",
        "compared", "equal")  # fmt: skip
IN_NOTEBOOKS = ("baseline", "pruned-90-seed0", "pruned-filters-seed0",
                "distilled-5k-50000-taught-seed0")  # fmt: skip
FEW = 300  # images that a file of floats answers
HEAD = (
    "| file | flash | RAM (arena) | activations | unpacked | persistent | answers as in LiteRT "
    "| accuracy there and in LiteRT | smallest board | |\n|---|" + 7 * "---:|" + "---|---|"
)


def shipped():
    """Yield the name and model of every file of images that ships."""
    for name in artefacts.classifiers():
        yield name, qlab.pretrained(name)


def made(models):
    """Yield what qlab makes of the first seed of each float network."""
    for name, model in models:
        if re.search(r"-seed[1-9]|^digits", name) or takes_integers(model):
            continue
        try:
            images = qlab.data.calibration_images(256)
            engine = qlab.Compressor(model, images)
            yield f"{name}, int8", engine.compress(qlab.Recipe())
        except ValueError as error:
            print(f"{name} stays as it is: {error}", file=sys.stderr)
            continue
        if name not in artefacts.NETWORKS.values():
            continue
        for granularity in ("per-channel", "per-tensor"):
            recipe = qlab.Recipe(activation_bits=32, granularity=granularity)
            yield f"{name}, 8-bit weights {granularity}", engine.compress(recipe)
        for layer, stay in strongest_filters(model, 0.5).items():
            half = qlab.Compressor(keep_filters(model, {layer: stay}), images)
            yield f"{name}, half of {layer}, int8", half.compress(qlab.Recipe())
        four = engine.compress(qlab.Recipe(weight_bits=4))
        yield f"{name}, 4-bit weights, packed", four.packed()
        yield f"{name}, 4-bit weights, for microcontrollers", micro_form(four)


def for_notebooks(models):
    """Yield what the notebooks make and ask about, where it is not a file that ships."""
    yield from made((name, model) for name, model in models if name in IN_NOTEBOOKS)


def entries(named, reports):
    """What is kept of each report, by the SHA-256 of its file."""
    return {
        hashlib.sha256(model.data).hexdigest(): {"name": name}
        | {x: getattr(report, x) for x in KEPT}
        for (name, model), report in zip(named, reports, strict=True)
    }


def takes_integers(model):
    graph = model.parsed.subgraphs[0]
    return graph.tensors[int(graph.inputs[0])].type == schema.TensorType.INT8


def asked(model, limit, data):
    """The report of a model, and how many answers of each runtime are right, if many were asked."""
    report = qlab.micro(model, data.validation.images[:FEW])
    if not report.runs or not takes_integers(model):
        return report, None
    images, labels = data.test.images[:limit], data.test.labels[:limit]
    report = qlab.micro(model, images)
    here = qlab.evaluate(model, images, labels).correct
    return report, (int(np.sum(report.predictions == labels)), here, len(labels))


def asked_aloud(lines, name, model, limit):
    """The report of a model, with its line printed and added to `lines`."""
    data = digits.load() if name.startswith("digits") else qlab.data.load()
    report, correct = asked(model, limit, data)
    lines.append(row(name, report, correct))
    print(lines[-1], flush=True)
    return report


def row(name, report, correct):
    """A line of the table, in Markdown."""
    number = lambda n: "" if n is None else f"{n:,}"  # noqa: E731
    parts = (report.arena_bytes, report.activations_bytes, report.unpacked_bytes,
             report.persistent_bytes)  # fmt: skip
    same = f"{report.equal:,} of {report.compared:,}" if report.compared else ""
    scores = f"{correct[0] / correct[2]:.4f}, {correct[1] / correct[2]:.4f}" if correct else ""
    board = next(iter(holding(report.flash_bytes, report.arena_bytes)), None) if report.runs else 0
    board = board.name if board else "" if board == 0 else "none"
    why = markdown(report.why or "runs", 300)
    cells = (name, number(report.flash_bytes), *map(number, parts), same, scores, board, why)
    return "| " + " | ".join(cells) + " |"


def document(**entries):
    """What the file of cached answers holds: `files` that ship, and `made` by the notebooks."""
    measured = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "how": "make micro",
        "machine": about_machine(),
        "versions": versions(("numpy", "ai-edge-litert", "tflite-micro")),
    }
    return json.dumps({"measured": measured, **entries}, indent=1) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.micro", description=__doc__)
    parser.add_argument(
        "--table",
        metavar="FILE",
        help="write a table in Markdown, also of what qlab makes",
    )
    parser.add_argument("--images", type=int, default=10_000, help="that files of integers answer")
    chosen = parser.parse_args(arguments)
    if not micro_runtime.available():
        sys.exit(micro_runtime.UNAVAILABLE)
    files, lines = list(shipped()), [HEAD]
    reports = [asked_aloud(lines, *named, chosen.images) for named in files]
    others = list(for_notebooks(files))
    kept = document(
        files=entries(files, reports),
        made=entries(others, [qlab.micro(model) for _, model in others]),
    )
    write_whole(artefacts.folder() / micro_runtime.CACHED, kept.encode())
    if chosen.table:
        for named in made(files):
            asked_aloud(lines, *named, chosen.images)
        write_whole(chosen.table, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
