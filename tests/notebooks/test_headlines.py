"""Each headline of the course is held to the number that it rests on, so that the two cannot part.

A headline is a sentence with places for numbers. They are measured here, from the files that ship,
and put into the sentence, which must then stand in some notebook: in its text, or in what one of
its cells printed. Numbers may differ by what another processor makes of them (``tolerances.py``).
"""

import functools
import json
import re

import nbformat
import numpy as np
import pytest
from execute import course
from tolerances import NUMBER, SIGNED, within

import qlab
from qlab.arithmetic.distillation import class_similarity, loss_terms
from qlab.arithmetic.metrics import crossed_interval
from qlab.arithmetic.results import in_points, percent
from qlab.lessons.registry import NOTEBOOKS
from qlab.tflite.operations import energy
from qlab.trials import language
from qlab.trials.distillation_scores import grid
from qlab.trials.search import UNIFORM

SEEDS = range(3)
BASELINES = ("baseline", "baseline-seed1", "baseline-seed2")


@functools.cache
def scored(name, split="test"):
    return score(qlab.pretrained(name), split)


def score(model, split="test"):
    images = getattr(qlab.data.load(), split)
    return qlab.evaluate(model, images.images, images.labels)


def family(stem, seeds=SEEDS):
    return [scored(f"{stem}-seed{seed}") for seed in seeds]


def mean(scores):
    return percent(np.mean([x.accuracy for x in scores]))


@functools.cache
def engine(name, images=128):
    return qlab.Compressor(qlab.pretrained(name), qlab.data.calibration_images(images))


def made(name, split="test", **settings):
    return score(engine(name).compress(qlab.Recipe(**settings)), split)


@functools.cache
def baseline():
    seen = [scored(name, "validation").accuracy for name in BASELINES]
    return {"test": scored("baseline"), "apart": 100 * (max(seen) - min(seen))}


@functools.cache
def ptq():
    before = scored("baseline")
    files = {"int8": scored("baseline-int8")}
    files |= {
        word: made("baseline", weight_bits=bits) for word, bits in (("four", 4), ("three", 3))
    }
    return {word: qlab.compare(before, after, family=6) for word, after in files.items()}


@functools.cache
def rounding():
    before, engines = [scored(name) for name in BASELINES], [engine(x, 1024) for x in BASELINES]
    recipe = qlab.Recipe(weight_bits=2, rounding="gptq")
    lost = r"80 draws of 3: the worst two lose (\S+) and (\S+) points, the middle one (\S+) points"
    [draws] = [found.groups() for text in said() if (found := re.search(lost, text))]
    return {
        "gptq": qlab.compare(before, [score(x.compress(recipe)) for x in engines], family=4),
        "draws": draws,  # it takes too long to measure them once more; nbval does so
    }


@functools.cache
def qat():
    controls = [f"qat-control-seed{seed}" for seed in SEEDS]
    rival = [made(name, weight_bits=2, rounding="gptq") for name in controls]
    trained = family("qat-w2")
    gain = qlab.compare(rival, trained, family=4)
    assert gain.verdict == "better" and 0.01 <= gain.difference <= 0.02  # "a point or two"
    assert qlab.compare([scored(x) for x in controls], trained).verdict == "worse"  # than float
    return {"qat": mean(trained), "gptq": mean(rival), "gain": gain}


@functools.cache
def pruning():
    return to_control(4, ninety="pruned-90", most="pruned-95")


@functools.cache
def clustering():
    return to_control(2, sixteen="clustered-16", eight="clustered-8")


@functools.cache
def giant():
    large, small = (language.language_subject(x) for x in ("language", "language-small"))
    make = lambda subject, bits, way: subject.trial(  # noqa: E731
        qlab.Recipe(bits, 32, rounding=way, calibration_size=language.CALIBRATION)
    )
    gptq, nearest, fewer = (make(small, *x) for x in ((2, "gptq"), (2, "nearest"), (8, "nearest")))
    apart = make(large, 2, "gptq").measurement.less(fewer.measurement)
    return {
        "nearest": nearest.comparison.mean, "gptq": gptq.comparison.mean, "small": small,
        "apart": apart.mean, "low": apart.interval[0], "high": apart.interval[1],
    }  # fmt: skip


def to_control(at_once, **stems):
    """Mean test accuracy of each kind of network, and its difference to the control."""
    control, found = family("pruned-control"), {}
    for word, stem in stems.items():
        kind = family(stem)
        found |= {word: qlab.compare(control, kind, family=at_once), f"{word}_mean": mean(kind)}
    return found


@functools.cache
def distillation():
    arms = {
        (size, arm): family(f"distilled-{size}-600-{arm}", range(5))
        for size in ("5k", "20k")
        for arm in ("taught", "plain", "permuted")
    }
    hits = {key: np.array([x.hits for x in each], float) for key, each in arms.items()}
    small, large = (hits[size, "taught"] - hits[size, "plain"] for size in ("5k", "20k"))
    low, high = crossed_interval(large - small, alpha=0.05 / 3)
    validation = qlab.data.load().validation
    logits = {
        name: qlab.runtime.logits(qlab.pretrained(name), validation.images)
        for name in ("teacher", "distilled-5k-600-taught-seed0", *BASELINES)
    }
    alike = {name: class_similarity(x, validation.labels)[~np.eye(10, dtype=bool)]
             for name, x in logits.items()}  # fmt: skip
    correlations = [100 * np.corrcoef(alike["teacher"], alike[x])[0, 1] for x in BASELINES]
    pair = logits["distilled-5k-600-taught-seed0"], logits["teacher"], validation.labels
    pulls = {T: loss_terms(*pair, T).gradient_sizes["soft"] for T in (1, 5)}
    gains = {
        arm: qlab.compare(arms["20k", arm], arms["20k", "taught"], family=12)
        for arm in ("plain", "permuted")
    }
    assert low > 0 and all(gain.verdict == "better" for gain in gains.values())
    return gains | {
        "more": in_points((large - small).mean()),
        "more_low": in_points(low),
        "more_high": in_points(high),
        "least": min(correlations),
        "most": max(correlations),
        "pull_1": pulls[1],
        "pull_5": pulls[5],
        **by_the_grid(),
    }


def by_the_grid():
    """What temperature and alpha of version 0.1.0 cost with 50,000 labels, in points."""
    found = grid(50_000)
    row, old = found.alphas.index(found.chosen[1]), found.alphas.index(0.9)
    points = {t: 100 * found.accuracies[:, i] for i, t in enumerate(found.temperatures)}
    cost = points[found.chosen[0]][row] - points[4][old]
    half = 4.303 * cost.std(ddof=1) / np.sqrt(len(cost))  # t of two degrees of freedom
    steps = [points[t][row].mean() for t in (1, 4, 16)]
    return {
        "old": cost.mean(), "old_low": cost.mean() - half, "old_high": cost.mean() + half,
        "to_4": steps[0] - steps[1], "to_16": steps[1] - steps[2],
    }  # fmt: skip


@functools.cache
def combine():
    control, chain = family("chain-control"), family("chain-int8")
    sizes = [
        [qlab.pretrained(f"chain-{way}-seed{seed}").gzip_bytes for seed in SEEDS]
        for way in ("control", "int8")
    ]
    long = json.loads(qlab.artefacts.path("search.json").read_text("utf-8"))
    assert len(long["uniform"]) == UNIFORM == 133
    fitting = [x for x in long["uniform"] if x["gzip_bytes"] <= long["mixed"]["gzip_bytes"]]
    equal = max(fitting, key=lambda x: x["correct"])
    uniform, rival, mixed = (
        made("baseline", **x["recipe"]) for x in (equal, long["rival"], long["mixed"])
    )
    gained = qlab.compare(uniform, mixed)
    assert gained.verdict == "better"
    files = {"float": "chain-control-seed0", "int8": "chain-int8-seed0", "int4": "chain-int4-seed0"}
    return {
        "times": min(np.divide(*sizes)),
        "chain": qlab.compare(control, chain, family=3),
        "mixed": gained,
        "rival": qlab.compare(rival, mixed),
        **{
            word: energy(qlab.pretrained(name), "on-chip").total_nj / 1000
            for word, name in files.items()
        },
    }


@functools.cache
def claims():
    before, after = (qlab.pretrained(name).file_bytes for name in ("baseline", "baseline-int8"))
    return {"times": before / after}


HEADLINES = {
    baseline: [
        "the baseline has {test} on the test pictures",
        "Our three are {apart:.2f} points apart on the validation pictures",
    ],
    ptq: [
        "8 bits cost nothing that 10,000 test pictures can show: {int8}.",
        "With each weight at its nearest code, 4 bits cost {four}, and 3 bits {three}.",
    ],
    rounding: [
        "GPTQ at 2 bits, compared with float32 over the three baselines, is at {gptq}.",
        "Of 80 draws of 3 pictures the worst lost {draws[0]} points and the next {draws[1]}, while "
        "the middle one lost {draws[2]}.",
    ],
    qat: ["2 bits: QAT {qat}, GPTQ {gptq} QAT's gain: {gain}"],
    pruning: ["90 % zero {ninety_mean} {ninety}", "95 % zero {most_mean} {most}"],
    distillation: [
        "With 600 labels and 20,000 weights the taught student gains {plain.points} points "
        "({plain.interval_words}) over labels alone",
        "and {permuted.points} points ({permuted.interval_words}) over the permuted teacher",
        "over plain {more} points (98.333 % interval {more_low} to {more_high})",
        "With 50,000 labels the old setting costs {old:.1f} points compared with the chosen one "
        "(95 % interval {old_low:.1f} to {old_high:.1f}, over three seeds)",
        "going from T = 1 to T = 4 alone costs {to_4:.1f} points, and on to T = 16 another "
        "{to_16:.1f}",
        "the correlations are {least:.0f} to {most:.0f} %",
        "T = 1: with T² {pull_1:.2f},",
        "T = 5: with T² {pull_5:.2f},",
    ],
    combine: [
        "the chain's int8 file is {times:.1f} times smaller, gzipped, and costs {chain}",
        "mixing gained {mixed.points} points ({mixed.interval_words}) over the best of all 133 "
        "uniform files",
        "mixed, compared with its rival: {rival}",
        "weights in a cache of 1 MB: float {float:.2f}, int8 {int8:.2f}, int4 {int4:.2f}",
    ],
    clustering: ["16 clusters {sixteen_mean} {sixteen}", "8 clusters {eight_mean} {eight}"],
    giant: [
        "small in float: {small.float_measurement}",
        "nearest {nearest:+.3f} bits more than float GPTQ, verse {gptq:+.3f} bits more than float",
        "large compared with small: {apart:+.3f} bits (95 % interval {low:+.3f} to {high:+.3f})",
    ],
    claims: ["baseline as int8: {times:.2f} times smaller"],
}


@functools.cache
def said():
    """What each cell of the notebooks says: its text and what it printed, in one line."""
    cells = [cell for path in course() for cell in nbformat.read(path, as_version=4).cells]
    return [" ".join(f"{cell.source} {printed(cell)}".split()) for cell in cells]


def printed(cell):
    found = [
        x.get("text") or x.get("data", {}).get("text/plain", "") for x in cell.get("outputs", ())
    ]
    return " ".join(found)


def stands(sentence, text):
    """Whether a sentence stands in a text, its numbers as near as its units ask for."""
    skeleton = SIGNED.join(map(re.escape, NUMBER.split(sentence)))
    return any(within(sentence, found) == found for found in re.findall(skeleton, text))


SENTENCES = [(measure, sentence) for measure, them in HEADLINES.items() for sentence in them]


@pytest.mark.parametrize(("measure", "sentence"), SENTENCES)
def test_a_headline_says_what_is_measured(measure, sentence):
    headline = sentence.format(**measure())
    assert any(stands(headline, text) for text in said()), headline


def test_each_notebook_that_measures_has_a_headline():
    topics = [measure.__name__ for measure in HEADLINES]
    assert set(NOTEBOOKS) - set(topics) == {"welcome", "own_model", "museum"}


def test_another_number_or_another_word_would_be_noticed():
    text = "the chain costs −0.49 points (95 % interval −1.00 to 0.01): too close to call."
    assert stands("the chain costs −0.41 points (95 % interval −1.00 to 0.01): too close", text)
    assert not stands("the chain costs −0.89 points (95 % interval −1.00 to 0.01): too close", text)
    assert not stands("the chain costs −0.49 points (95 % interval −1.00 to 0.01): worse", text)
