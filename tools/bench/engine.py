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
from qlab.tflite import runtime
from qlab.trials.search import Scorer, run_search, search_images
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
SEARCH_IMAGES = 5000
BATCHES = (100, 200, 250, 500, 1000)


def slider_against_runtime(rounds=8):
    """One recipe changed, against LiteRT alone on the converter's int8 file."""
    test, engine = _workplace()
    converted = qlab.pretrained("baseline-int8")
    ready = (test.images ^ 0x80).view(np.int8)
    batch = min(
        BATCHES,
        key=lambda b: min(_time(lambda: _score_alone(converted, ready, b)) for _ in range(5)),
    )
    ratios, ours, alone = [], [], []
    for recipe in itertools.chain.from_iterable([RECIPES] * rounds):
        ours.append(_time(partial(_compress_and_score, engine, recipe, test)))
        alone.append(_time(lambda: _score_alone(converted, ready, batch)))
        ratios.append(ours[-1] / alone[-1])
    note = f"{_ms(ours)} against {_ms(alone)} at its best batch of {batch}, medians, taken in turn"
    return [Row("compress and score 10,000 / LiteRT alone", "x", 1.35, tuple(ratios), note=note)]


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
    """Files made, gzipped and scored a second by the search for a recipe."""
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))
    score = Scorer(engine, *search_images(SEARCH_IMAGES))
    trials = run_search(score, 1, "random", 10**6)
    list(itertools.islice(trials, 2))  # warm
    samples = []
    for _ in range(runs):
        start = time.perf_counter()
        done = len(list(itertools.islice(trials, files)))
        samples.append(done / (time.perf_counter() - start))
    note = (
        f"{files} random recipes a sample, {SEARCH_IMAGES:,} images a file, "
        f"{qlab.runtime.default_threads()} threads"
    )
    return [Row("search: files a second", "/s", 15, tuple(samples), at_least=True, note=note)]


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
    slider_against_runtime,
    slider_against_converter,
    files_a_second,
    rounding_the_first_time,
)


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


def _workplace():
    """Test split and a warm compressor on the shipped baseline."""
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(1024))
    test = qlab.data.load().test
    for recipe in RECIPES:
        _compress_and_score(engine, recipe, test)
    return test, engine


def _compress_and_score(engine, recipe, test):
    return qlab.evaluate(engine.compress(recipe), test.images, test.labels)


def _score_alone(model, images, batch):
    """What LiteRT needs without qlab: load the file, score images that are int8 already."""
    with quiet():
        interpreter = runtime.Interpreter(
            model_content=model.data, num_threads=runtime.default_threads()
        )
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
