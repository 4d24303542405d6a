"""Search bits and zeros for each layer of a file, once a seed, and write the best that fits."""

from __future__ import annotations

import json
import time
from pathlib import Path

from qlab.export.microcontroller import ExportError, file_stem
from qlab.export.writing import data_from
from qlab.system.files import write_files
from qlab.system.text import printable
from qlab.system.workers import workers
from qlab.tflite.litemodel import LiteModel
from qlab.trials.search import Scorer, best, row, run_search, search_images
from qlab.trials.subjects import subject

TOLD = 25  # files between two lines


def main(
    file,
    to,
    budget_bytes,
    method="greedy",
    files=300,
    seeds=(0,),
    images=None,
    pictures=None,
    pixels=None,
    count=1,
    scheduler=None,
    out=print,
):
    """Search with each seed, tell of each, and write the best file of all with its recipe."""
    try:
        model = LiteModel.from_file(file, pixels)
    except (ValueError, OSError) as error:
        raise ExportError(str(error)) from None
    dataset = None if pictures is None else data_from(pictures, model)
    found = subject(model, dataset=dataset)
    pair = search_images(images, dataset)
    stem, rows, chosen = file_stem(Path(file).stem), [], []
    with workers(count, scheduler) as (executor, there):
        if executor:
            out(f"{there} workers")
        for seed in seeds:
            score = Scorer(found.compressor, *pair, executor=executor, ahead=2 * there)
            begun = time.monotonic()
            for trial in run_search(score, budget_bytes, method, files, seed):
                if trial.number % TOLD == 0:
                    out(f"seed {seed}: {_words(score, budget_bytes, time.monotonic() - begun)}")
            out(f"seed {seed}: {_words(score, budget_bytes, time.monotonic() - begun)}, the end")
            mine = best(score.trials, budget_bytes)
            rows.append({"seed": seed, "files": len(score.trials), "best": mine and row(mine)})
            chosen += [mine] if mine else []
    if not chosen:
        raise ExportError(
            f"no file within {budget_bytes:,} gzipped bytes was found, so nothing was written; "
            "give a larger budget, or more --files"
        )
    winner = best(chosen, budget_bytes)
    settings = {"model": stem, "method": method, "files": files, "images": len(pair[1])}
    told = settings | {"budget_bytes": budget_bytes, "searches": rows, "best": row(winner)}
    small = found.compressor.compress(winner.recipe).packed()
    contents = {
        f"{stem}-searched.tflite": small.data,
        f"{stem}-searched.json": (json.dumps(told, indent=1) + "\n").encode(),
    }
    write_files(Path(to), contents)
    out(
        f"best: {100 * winner.accuracy:.2f} % of {winner.n:,} validation images (measured, and "
        f"chosen by), {winner.gzip_bytes:,} bytes gzipped"
    )
    for name, content in contents.items():
        out(f"wrote {printable((Path(to) / name).resolve())} ({len(content):,} bytes)")
    return 0


def _words(score, budget_bytes, seconds):
    made, found = len(score.trials), best(score.trials, budget_bytes)
    so_far = f"{100 * found.accuracy:.2f} % in {found.gzip_bytes:,} bytes" if found else "none fits"
    return f"{made} files, {made / seconds:.1f} a second; best so far {so_far}"
