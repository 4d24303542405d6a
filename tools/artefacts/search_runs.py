"""The search that ships as JSON: uniform recipes, greedy and random search, and the final score."""

import numpy as np

from qlab import data
from qlab.arithmetic.results import compare
from qlab.engine.compressor import Compressor
from qlab.tflite.gzipping import GZIP_LEVEL
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate
from qlab.trials.search import Scorer, best, row, run_search, smallest
from tools.artefacts.common import CALIBRATION_SIZE, as_json, facts, pair
from tools.artefacts.runs import SEEDS, Run

RECIPE = {
    "files": 500,  # a run
    "images": 5000,  # of the validation images, the first: to search by
    "point": 0.01,
    "share": 0.8,
    "agreement": 400,  # random recipes by which two halves of the validation images are compared
    "calibration_size": CALIBRATION_SIZE,
    "seeds": list(SEEDS),
    "gzip_level": GZIP_LEVEL,  # at another level another file may be the smallest
}


def searched(workshop, files, images, point, share, calibration_size, seeds, **more):
    """Search with each method and seed; score what was chosen on the test images, once."""
    model = LiteModel(workshop.path("baseline-seed0", "baseline.tflite").read_bytes())
    compressor = Compressor(model, data.calibration_images(calibration_size))
    few = tuple(x[:images] for x in pair("validation"))
    reference = evaluate(compressor.model, *few)
    plain = Scorer(compressor, *few)
    all_of(run_search(plain, 1, "uniform", 10**6))
    rival = smallest(plain.trials, reference.correct - point * images)
    budget = int(share * rival.gzip_bytes)
    runs = {
        method: [_run(compressor, few, budget, method, files, seed) for seed in seeds]
        for method in ("greedy", "random")
    }
    mixed = max((x["best"] for x in runs["greedy"]), key=lambda x: (x.correct, -x.gzip_bytes))
    found = {
        "float": facts(reference),
        "uniform": [row(x) for x in plain.trials],
        "rival": row(rival),
        "budget_bytes": budget,
        "runs": {m: [{**r, "best": row(r["best"])} for r in runs[m]] for m in runs},
        "mixed": row(mixed),
        "test": _final(compressor, rival.recipe, mixed.recipe),
        "agreement": agreement(compressor, images, more["agreement"]),
    }
    yield "search.json", as_json(found), {"model": "baseline.tflite"}


RUNS = [Run("search", searched, RECIPE, ("baseline-seed0",))]


def all_of(trials):
    """Run a search to its end."""
    for _ in trials:
        pass


def agreement(compressor, images, recipes):
    """How well the images to search by and the other validation images put recipes in order."""
    pictures, labels = pair("validation")
    score = Scorer(compressor, pictures, labels)
    all_of(run_search(score, 1, "random", recipes, seed=9))
    hits = [evaluate(compressor.compress(x.recipe), pictures, labels).hits for x in score.trials]
    ours, others = (np.array([h[part].mean() for h in hits])
                    for part in (slice(images), slice(images, None)))  # fmt: skip
    usable = others >= 0.8
    return {
        "recipes": int(usable.sum()),
        "rank_correlation": rank_correlation(ours[usable], others[usable]),
    }


def rank_correlation(a, b):
    """Spearman's rank correlation, ties in the order that they come."""
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def _run(compressor, few, budget, method, files, seed):
    score = Scorer(compressor, *few)
    all_of(run_search(score, budget, method, files, seed))
    chosen = best(score.trials, budget)
    return {"seed": seed, "files": len(score.trials), "best": chosen}


def _final(compressor, uniform, mixed):
    a, b = (evaluate(compressor.compress(x), *pair("test")) for x in (uniform, mixed))
    found = compare(a, b)
    return {
        "uniform": facts(a),
        "mixed": facts(b),
        "only_uniform": found.only_a,
        "only_mixed": found.only_b,
        "p_value": found.p_value,
    }
