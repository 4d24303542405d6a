"""The search for a recipe: how many real files a second."""

from __future__ import annotations

import time
from itertools import islice

import qlab
from qlab.trials.search import Scorer, search, search_images
from tools.bench import Row

IMAGES = 5000


def files_a_second(runs=8, files=12):
    """Files made, gzipped and scored a second by the search for a recipe."""
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))
    score = Scorer(engine, *search_images(IMAGES))
    trials = search(score, 1, "random", 10**6)
    list(islice(trials, 2))  # warm
    samples = []
    for _ in range(runs):
        start = time.perf_counter()
        done = len(list(islice(trials, files)))
        samples.append(done / (time.perf_counter() - start))
    note = (
        f"{files} random recipes a sample, {IMAGES:,} images a file, "
        f"{qlab.runtime.default_threads()} threads"
    )
    return [Row("search: files a second", "/s", 15, tuple(samples), at_least=True, note=note)]
