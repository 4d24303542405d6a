"""The live engine against LiteRT alone and against the TFLite converter."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from functools import partial

import numpy as np

import qlab
from qlab.system.output import quiet
from qlab.system.threads import cores
from qlab.system.threads import threads as usual_threads
from qlab.system.workers import workers
from qlab.tflite import prefixes, runtime
from qlab.trials.search import Scorer, run_search, search_images
from qlab.trials.sensitivity import scan
from tools.bench.rows import Row

RECIPES = tuple(
    qlab.Recipe(weight_bits=w, activation_bits=a, granularity=g, calibration_size=n)
    for w, a, g, n in (
        (8, 8, "per-channel", 128),
        (4, 8, "per-channel", 128),
        (4, 4, "per-channel", 128),
        (8, 2, "per-tensor", 128),
        (3, 6, "per-tensor", 1024),
        (2, 8, "per-channel", 1),
    )
)
NETWORKS = ("baseline", "separable-seed0")
SEARCH_IMAGES, BUDGET_BYTES = 5000, 25_000
BATCHES = (100, 200, 250, 500, 1000)


def every_layer_against_runtime(rounds=8):
    """A recipe that changes every layer, against LiteRT alone on the whole file."""
    moves = list(itertools.chain.from_iterable([RECIPES] * rounds))
    name = "a move that changes every layer / LiteRT alone"
    return [_against_runtime(network, name, moves, 1.10, forget=True) for network in NETWORKS]


def dense_layers_against_runtime(moves=48):
    """A recipe that changes dense layers only, against LiteRT alone on the whole file."""
    name = "a move that changes dense layers only / LiteRT alone"
    return [
        _against_runtime(network, name, list(_dense_moves(network, moves)), 0.25)
        for network in NETWORKS
    ]


def sensitivity_against_scoring(rounds=6):
    """The sensitivity of all layers at one bit width, against one whole scoring."""
    test, engine = _workplace()
    base, ratios, ours, whole = engine.compress(qlab.Recipe()), [], [], []
    for bits in itertools.islice(itertools.cycle((4, 3, 2)), rounds):
        prefixes.MEMORY.clear()
        ours.append(_time(lambda: list(scan(engine, test.images, test.labels, bits))))  # noqa: B023
        whole.append(_time(lambda: qlab.evaluate(base, test.images, test.labels)))
        ratios.append(ours[-1] / whole[-1])
    note = f"{_ms(ours)} against {_ms(whole)}, medians, four layers and the file they start from"
    name = "sensitivity at one bit width / one whole scoring"
    return [Row(name, "x", 2.5, tuple(ratios), note=note)]


def slider_against_converter(rounds=5):
    """The same against TFLiteConverter and LiteRT, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.engine", str(rounds)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return [
            Row(_CONVERTER, "x", 8, (), True, note=lines[-1] if lines else "the process failed")
        ]
    converter, ours = json.loads(done.stdout.splitlines()[-1])
    note = f"{_ms(converter)} against {_ms(ours)}, medians, 128 calibration images, taken in turn"
    ratios = tuple(a / b for a, b in zip(converter, ours, strict=True))
    return [Row(_CONVERTER, "x", 8, ratios, True, note=note)]


def files_a_second(runs=8, files=12):
    """Files made, gzipped and scored a second by the greedy search for a recipe."""
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))
    score = Scorer(engine, *search_images(SEARCH_IMAGES))
    prefixes.MEMORY.clear()
    trials = run_search(score, BUDGET_BYTES, "greedy", 10**6)
    list(itertools.islice(trials, 2))  # warm
    samples = []
    for _ in range(runs):
        start = time.perf_counter()
        done = len(list(itertools.islice(trials, files)))
        samples.append(done / (time.perf_counter() - start))
    note = f"{files} recipes a sample, {SEARCH_IMAGES:,} images a file, {usual_threads()} threads"
    return [Row("search: files a second", "/s", 100, tuple(samples), at_least=True, note=note)]


def files_a_second_of_workers(files=120, counts=None):
    """The same with processes that make files ahead, against how many there are."""
    most = cores()
    counts = counts or sorted({1, *(x for x in (2, 4, 8) if x < most), most})
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))
    found = {}
    for count in counts:
        prefixes.MEMORY.clear()
        with workers(count) as (executor, there):
            score = Scorer(engine, *search_images(SEARCH_IMAGES), None, executor, 2 * there)
            trials = run_search(score, BUDGET_BYTES, "greedy", 10**6)
            list(itertools.islice(trials, 20))  # the processes are up, and know the images
            begun = time.perf_counter()
            found[count] = len(list(itertools.islice(trials, files)))
            found[count] /= time.perf_counter() - begun
    told = ", ".join(f"{count}: {rate:.0f}" for count, rate in found.items())
    name = "search: most processes / one"
    ratio = (found[counts[-1]] / found[1],) if len(counts) > 1 else ()
    note = f"files a second by processes: {told}; {SEARCH_IMAGES:,} images a file"
    return [Row(name, "x", 1.3, ratio, at_least=True, note=note)]


def rounding_the_first_time(rounds=4):
    """Second moments of all layers, and then GPTQ at bits that were not asked for before."""
    images, moments, rounded = qlab.data.calibration_images(512), [], []
    for _ in range(rounds):
        engine = qlab.Compressor(qlab.pretrained("baseline"), images)
        corrected = qlab.Recipe(bias_correction=True)  # it needs the mean inputs, and no more
        engine.plan(corrected.replace(bias_correction=False))
        moments.append(1e3 * _time(partial(engine.plan, corrected)))
        for bits in (4, 3, 2):
            recipe = qlab.Recipe(weight_bits=bits, rounding="gptq")
            rounded.append(1e3 * _time(partial(engine.plan, recipe)))
    note = "baseline, all layers, 512 images; ranges are chosen too, which tries 17 of them"
    return [
        Row("second moments of all layers", "ms", 500, tuple(moments)),
        Row("GPTQ of all layers, the first time", "ms", 150, tuple(rounded), note=note),
    ]


_CONVERTER = "TFLiteConverter and LiteRT / compress and score"
STEPS = (
    every_layer_against_runtime,
    dense_layers_against_runtime,
    sensitivity_against_scoring,
    slider_against_converter,
    files_a_second,
    files_a_second_of_workers,
    rounding_the_first_time,
)


def _against_runtime(network, name, moves, target, forget=False):
    """Make and score the file of each recipe, and let LiteRT alone run it whole, in turn."""
    test, engine = _workplace(network)
    ready = (test.images ^ 0x80).view(np.int8)
    batch = min(
        BATCHES, key=lambda b: _time(lambda: _score_alone(engine.compress(moves[0]), ready, b))
    )
    ratios, ours, alone = [], [], []
    for recipe in moves:
        if forget:  # the recipes come again and again, as a learner's do not
            prefixes.MEMORY.clear()
        ours.append(_time(partial(_compress_and_score, engine, recipe, test)))
        alone.append(_time(partial(_score_alone, engine.compress(recipe), ready, batch)))
        ratios.append(ours[-1] / alone[-1])
    note = f"{_ms(ours)} against {_ms(alone)} at its best batch of {batch}, medians, taken in turn"
    return Row(f"{network}: {name}", "x", target, tuple(ratios), note=note)


def _dense_moves(network, count):
    """Recipes that differ in the weight bits of dense layers alone."""
    dense = [x.name for x in qlab.pretrained(network).layers if x.op == "FULLY_CONNECTED"]
    widths = itertools.product(range(8, 1, -1), repeat=len(dense))
    for bits in itertools.islice(itertools.cycle(widths), count):
        own = {layer: {"weight_bits": n} for layer, n in zip(dense, bits, strict=True)}
        yield qlab.Recipe(overrides=own)


def _converter_times(rounds):
    """Seconds of converting and scoring, and of compressing and scoring, taken in turn."""
    from qlab import train

    test, engine = _workplace()
    keras_model, images = train.load("baseline"), qlab.data.calibration_images(128)

    def convert_and_score():
        model = qlab.LiteModel(train.convert(keras_model, "int8", images))
        return qlab.evaluate(model, test.images, test.labels)

    convert_and_score()  # the first conversion in a process is slower; leave it out
    pairs = [
        (_time(convert_and_score), _time(partial(_compress_and_score, engine, recipe, test)))
        for recipe in itertools.islice(itertools.cycle(RECIPES), rounds)
    ]
    return tuple(zip(*pairs, strict=True))


def _workplace(network="baseline"):
    """Test split and a warm compressor on a shipped network."""
    engine = qlab.Compressor(qlab.pretrained(network), qlab.data.calibration_images(1024))
    test = qlab.data.load().test
    for recipe in RECIPES:
        _compress_and_score(engine, recipe, test)
    return test, engine


def _compress_and_score(engine, recipe, test):
    return prefixes.score(engine.compress(recipe), test.images, test.labels)


def _score_alone(model, images, batch):
    """What LiteRT needs without qlab: load the file, score images that are int8 already."""
    with quiet():
        interpreter = runtime.Interpreter(model_content=model.data, num_threads=usual_threads())
    first, last = (
        interpreter.get_input_details()[0]["index"],
        interpreter.get_output_details()[0]["index"],
    )
    interpreter.resize_tensor_input(first, [batch, *images.shape[1:]])
    interpreter.allocate_tensors()
    classes = np.empty(len(images), np.int64)
    for start in range(0, len(images), batch):
        interpreter.set_tensor(first, images[start : start + batch])
        interpreter.invoke()
        classes[start : start + batch] = interpreter.get_tensor(last).argmax(1)
    return classes


def _time(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _ms(seconds):
    return f"{1e3 * float(np.median(seconds)):.0f} ms"


if __name__ == "__main__":
    print(json.dumps(_converter_times(int(sys.argv[1]))))
