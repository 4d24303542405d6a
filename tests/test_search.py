"""The search: real files, honest images, a budget that is kept, and better than its rivals."""

import json
from itertools import islice

import numpy as np
import pytest

import qlab
from qlab.plots import style
from qlab.plots.cost_panels import TrialsPanel, climbing
from qlab.trials import search as module
from qlab.trials.search import Candidate, Scorer, best, run_search, search_images, smallest, uniform

BUDGET = 26_000


@pytest.fixture(scope="module")
def compressor():
    return qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))


@pytest.fixture(scope="module")
def pair():
    return search_images(600)


@pytest.fixture
def score(compressor, pair):
    return Scorer(compressor, *pair)


def run(score, method, files, seed=0, budget=BUDGET):
    for _ in run_search(score, budget, method, files, seed):
        pass
    return best(score.trials, budget)


def test_search_images_are_the_first_validation_images(fashion):
    images, labels = search_images(3000)
    np.testing.assert_array_equal(images, fashion.validation.images[:3000])
    np.testing.assert_array_equal(labels, fashion.validation.labels[:3000])


def test_what_is_remembered_changes_no_result(compressor, pair, monkeypatch):
    sooner, whole = Scorer(compressor, *pair), Scorer(compressor, *pair)
    run(sooner, "greedy", 60)
    monkeypatch.setattr(module.prefixes, "score", qlab.evaluate)
    run(whole, "greedy", 60)
    assert sooner.trials == whole.trials


@pytest.mark.parametrize("n", [0, -1, 60_000, 2.5, True])
def test_as_many_search_images_as_there_are(n):
    with pytest.raises(ValueError, match="whole number from 1 to 10,000"):
        search_images(n)


def test_a_trial_is_the_engine_asked_directly(score, compressor, pair):
    settings = {"dense1": {"weight_bits": 3, "sparsity": 0.5}, "conv1": {"weight_bits": 6}}
    recipe = score.base.replace(overrides=settings)
    trial = score(recipe)
    model = compressor.compress(recipe)
    assert trial.correct == qlab.evaluate(model, *pair).correct
    assert trial.gzip_bytes == model.packed().gzip_bytes
    # What is weighed computes what is scored:
    assert trial.correct == qlab.evaluate(model.packed(), *pair).correct
    assert score(recipe) is trial
    assert score.trials == [trial]


def test_best_keeps_to_the_budget_and_smallest_to_the_accuracy():
    facts = [(90, 70), (88, 35), (88, 33), (91, 90), (60, 10)]
    trials = [Candidate(i, qlab.Recipe(), hits, 100, size) for i, (hits, size) in enumerate(facts)]
    assert [best(trials, budget).number for budget in (100, 70, 40, 12)] == [3, 0, 2, 4]
    assert best(trials, 9) is None
    assert [smallest(trials, hits).number for hits in (91, 89, 88, 1)] == [3, 0, 2, 4]
    assert smallest(trials, 92) is None


def test_greedy_keeps_the_budget_and_beats_a_random_search_of_as_many_files(compressor, pair):
    greedy, random = Scorer(compressor, *pair), Scorer(compressor, *pair)
    found, other = run(greedy, "greedy", 80), run(random, "random", 80)
    assert len(greedy.trials) == len(random.trials) == 80
    assert found.gzip_bytes <= BUDGET
    assert found.correct > other.correct
    named = {layer for layer, _ in found.recipe.overrides}
    assert named == {"conv1", "conv2", "dense1", "logits"}


def test_the_first_steps_go_where_they_cost_nothing(compressor, pair):
    """One bit less in the largest layer costs few images and saves most bytes."""
    score = Scorer(compressor, *pair)
    run(score, "greedy", 40, budget=60_000)
    chosen = best(score.trials, 60_000).recipe
    assert chosen.setting("weight_bits", "dense1") < 8
    assert chosen.setting("weight_bits", "conv1") >= 7


def test_the_same_seed_makes_the_same_files(compressor, pair):
    images, labels = pair[0][:50], pair[1][:50]
    for method in ("greedy", "random"):
        runs = [Scorer(compressor, images, labels) for _ in range(3)]
        for score, seed in zip(runs, (1, 1, 2), strict=True):
            run(score, method, 45, seed)
        assert runs[0].trials == runs[1].trials
        assert runs[0].trials != runs[2].trials


def test_a_search_can_be_left_at_any_file_and_gone_on_with(score):
    steps = run_search(score, BUDGET, "greedy", 60)
    seen = list(islice(steps, 33))
    assert score.trials == seen
    assert best(score.trials, BUDGET).gzip_bytes <= BUDGET
    run(score, "greedy", 5)
    assert len(score.trials) == 38  # what is known is not made again
    assert [x.number for x in score.trials] == list(range(1, 39))


def test_a_budget_out_of_reach_ends_the_search(compressor, pair):
    score = Scorer(compressor, pair[0][:20], pair[1][:20])
    assert run(score, "greedy", 10**6, budget=4000) is None
    assert 0 < len(score.trials) < 400


def test_a_space_that_is_used_up_ends_the_search(compressor, pair, monkeypatch):
    monkeypatch.setattr(module, "WEIGHT_BITS", (8, 4))
    monkeypatch.setattr(module, "SPARSITIES", (0.0,))
    for method in ("greedy", "random"):
        score = Scorer(compressor, pair[0][:10], pair[1][:10])
        run(score, method, 10**6, budget=10**6)
        assert len(score.trials) <= 2**4
        assert len(score.trials) > 8


def test_uniform_recipes_are_all_there_and_name_no_layer(compressor, pair):
    score = Scorer(compressor, pair[0][:10], pair[1][:10])
    trials = list(uniform(score))
    assert len(trials) == module.UNIFORM
    assert {x.recipe.overrides for x in trials} == {()}
    assert [x.recipe.weight_bits for x in trials[:7]] == list(module.WEIGHT_BITS)
    assert {x.recipe.sparsity_scope for x in trials} == {"global", "per-layer"}


def test_the_base_is_kept_in_every_recipe(compressor, pair):
    base = qlab.Recipe(activation_bits=6, observer="percentile", calibration_size=1024)
    score = Scorer(compressor, pair[0][:10], pair[1][:10], base)
    run(score, "random", 5)
    assert {(x.recipe.activation_bits, x.recipe.observer) for x in score.trials} == {
        (6, "percentile")
    }
    assert {x.recipe.calibration_size for x in score.trials} == {128}  # as many as there are


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "best"}, "choose one of greedy, random, uniform"),
        ({"budget_bytes": 0}, "budget_bytes is 0"),
        ({"files": -3}, "files is -3"),
        ({"budget_bytes": float("nan")}, "budget_bytes is nan"),
    ],
)
def test_what_cannot_be_is_said_in_words(score, settings, words):
    with pytest.raises(ValueError, match=words):
        run_search(score, **{"budget_bytes": BUDGET, **settings})


def test_the_picture_shows_each_file_and_the_best(score):
    run(score, "greedy", 40)
    chosen, ax = best(score.trials, BUDGET), style.new_axes()
    TrialsPanel(ax, 0.92, 100_000).show({"greedy": score.trials}, BUDGET, chosen)
    clouds = {line.get_marker(): line.get_xydata() for line in ax.lines}
    assert len(clouds["o"]) == 40
    assert clouds["*"].tolist() == [[chosen.gzip_bytes / 1000, chosen.accuracy]]
    files, heights = climbing(score.trials, BUDGET)
    assert heights[-1] == chosen.accuracy
    assert files[-1] == 40


# What ships: a long search, verified by making its recipes' files anew.


@pytest.fixture(scope="module")
def shipped():
    return json.loads(qlab.artefacts.path("search.json").read_text("utf-8"))


def remade(row):
    return qlab.Recipe(**row["recipe"])


def test_the_shipped_recipe_is_a_fifth_smaller_and_as_good_on_the_search_images(
    shipped, compressor
):
    score = Scorer(compressor, *search_images(shipped["rival"]["n"]))
    rival, mixed = score(remade(shipped["rival"])), score(remade(shipped["mixed"]))
    assert mixed.gzip_bytes <= 0.8 * rival.gzip_bytes
    assert mixed.correct >= rival.correct - 10
    for trial, row in ((rival, "rival"), (mixed, "mixed")):
        assert trial.gzip_bytes == shipped[row]["gzip_bytes"]
        assert abs(trial.correct - shipped[row]["correct"]) <= 5  # another processor's rounding


def test_the_rival_is_the_smallest_uniform_one_within_a_point_of_float(shipped):
    least = shipped["float"]["correct"] - 0.01 * shipped["float"]["n"]
    good = [row["gzip_bytes"] for row in shipped["uniform"] if row["correct"] >= least]
    assert len(shipped["uniform"]) == module.UNIFORM
    assert shipped["rival"]["gzip_bytes"] == min(good)


def test_the_manifest_tells_what_the_test_images_said_of_both(shipped, compressor, fashion):
    test = fashion.test
    for row, name in (("rival", "uniform"), ("mixed", "mixed")):
        file = compressor.compress(remade(shipped[row]))
        score = qlab.evaluate(file, test.images, test.labels)
        assert abs(score.correct - shipped["test"][name]["correct"]) <= 10


def test_greedy_beat_random_with_every_seed_and_thousands_of_files_were_made(shipped):
    runs = shipped["runs"]
    worst = min(run["best"]["correct"] for run in runs["greedy"])
    assert worst > max(run["best"]["correct"] for run in runs["random"])
    assert sum(run["files"] for runs in runs.values() for run in runs) >= 2000


def test_search_images_order_recipes_about_as_other_images_do(shipped):
    agreement = shipped["agreement"]
    assert agreement["recipes"] >= 50 and agreement["rank_correlation"] > 0.95


def test_the_bench_counts_files_that_were_scored():
    from tools.bench.engine import files_a_second

    [row] = files_a_second(runs=2, files=3)
    assert len(row.samples) == 2
    assert min(row.samples) > 0
    assert row.at_least
    assert "5,000 images a file" in row.note
