"""The search that ships as JSON: uniform recipes, greedy and random search, and the final score."""

import numpy as np

from qlab import data
from qlab.arithmetic.results import compare
from qlab.engine.compressor import Compressor
from qlab.engine.recipes import recipe_dict
from qlab.tflite.artefacts import pretrained
from qlab.tflite.runtime import evaluate
from qlab.trials.search import Scorer, best, run_search, search_images, smallest
from tools.artefacts.common import as_json, facts, pairs

SEEDS = (0, 1, 2)
FILES = 500  # a run
IMAGES = 5000
POINT = 0.01
SHARE = 0.8
AGREEMENT = 400  # random recipes by which search images and test images are compared
CALIBRATION_SIZE = 128


def searched():
    """Search with each method and seed; score what was chosen on the test images, once."""
    compressor = Compressor(pretrained("baseline"), data.calibration_images(CALIBRATION_SIZE))
    pair = search_images(IMAGES)
    reference = evaluate(compressor.model, *pair)
    plain = Scorer(compressor, *pair)
    all_of(run_search(plain, 1, "uniform", 10**6))
    rival = smallest(plain.trials, reference.correct - POINT * IMAGES)
    budget = int(SHARE * rival.gzip_bytes)
    runs = {
        method: [_run(compressor, pair, budget, method, seed) for seed in SEEDS]
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
        "agreement": agreement(compressor, pair),
    }
    recipe = {"model": "baseline.tflite", "images": IMAGES, "files": FILES, "seed": list(SEEDS)}
    yield "search.json", as_json(found), {"recipe": recipe}


PRODUCTS = {"search": searched}


def all_of(trials):
    """Run a search to its end."""
    for _ in trials:
        pass


def row(trial):
    """A trial as JSON has it."""
    facts = ("number", "correct", "n", "gzip_bytes")
    return {name: getattr(trial, name) for name in facts} | {"recipe": recipe_dict(trial.recipe)}


def agreement(compressor, pair):
    """How well search images put recipes in order, compared with how well other test images do."""
    test = pairs()[1]
    half = len(test[1]) // 2
    score = Scorer(compressor, *pair)
    all_of(run_search(score, 1, "random", AGREEMENT, seed=9))
    hits = [evaluate(compressor.compress(x.recipe), *test).hits for x in score.trials]
    first, second = (np.array([h[part].mean() for h in hits])
                     for part in (slice(half), slice(half, None)))  # fmt: skip
    ours = np.array([x.accuracy for x in score.trials])
    usable = second >= 0.8
    return {
        "recipes": int(usable.sum()),
        "search_images": rank_correlation(ours[usable], second[usable]),
        "other_test_images": rank_correlation(first[usable], second[usable]),
    }


def rank_correlation(a, b):
    """Spearman's rank correlation, ties in the order that they come."""
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def _run(compressor, pair, budget, method, seed):
    score = Scorer(compressor, *pair)
    all_of(run_search(score, budget, method, FILES, seed))
    chosen = best(score.trials, budget)
    print(f"{method}, seed {seed}: {chosen.accuracy:.4f} at {chosen.gzip_bytes:,}", flush=True)
    return {"seed": seed, "files": len(score.trials), "best": chosen}


def _final(compressor, uniform, mixed):
    test = pairs()[1]
    a, b = (evaluate(compressor.compress(x), *test) for x in (uniform, mixed))
    found = compare(a, b)
    return {
        "uniform": facts(a),
        "mixed": facts(b),
        "only_uniform": found.only_a,
        "only_mixed": found.only_b,
        "p_value": found.p_value,
    }
