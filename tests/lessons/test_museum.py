"""The bug museum: every exhibit shows its symptom, every repair passes, every mistake is named."""

import bz2
import gzip
import inspect
import lzma
import re
import sys
import zlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

import qlab
from qlab.course import museum
from qlab.course.museum import exhibits, scripts
from qlab.course.museum.repair import AS_FOUND, same_code
from qlab.course.ptq.representative import representative_dataset
from qlab.lessons import check, memory, solution
from qlab.lessons.exercises import EXERCISES
from qlab.tflite.runtime import interpreter

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "bug_museum.ipynb"
BROKEN = {
    "museum.a": exhibits.to_int8,
    "museum.b": exhibits.classify,
    "museum.c": exhibits.SCRIPT,
    "museum.d": exhibits.sparse_file,
    "museum.e": exhibits.accuracy_gained,
    "museum.f": exhibits.times_smaller,
    "museum.g": exhibits.small_model_grid,
}
FUNCTIONS = sorted(set(BROKEN) - {"museum.c"})


def hint_of(id, answer):
    """The one hint that a wrong answer gets."""
    verdict = check(id, answer)
    assert verdict.status == "not yet", verdict
    hints = [line for line in verdict.lines if line.startswith("Hint:")]
    assert len(hints) == 1, verdict
    return hints[0]


# As found, and repaired


def test_an_exhibit_as_found_is_not_an_attempt():
    verdicts = {id: check(id, exhibit) for id, exhibit in BROKEN.items()}
    said = {id: (verdict.status, verdict.lines) for id, verdict in verdicts.items()}
    assert said == dict.fromkeys(BROKEN, ("not attempted yet", (AS_FOUND,)))
    assert memory.failures == {}


@pytest.mark.parametrize("id", sorted(BROKEN))
def test_the_reference_passes_and_says_what_it_measured(id):
    reference = EXERCISES[id].reference
    verdict = check(id, reference() if id == "museum.c" else reference)
    assert verdict.passed and verdict.lines[0], verdict
    assert memory.progress()["exercises"][id]["passed"]


@pytest.mark.parametrize(
    ("id", "wrong"), [("museum.c", "raise SystemExit"), ("museum.f", lambda *args: 7)]
)
def test_hints_grow_to_the_solution(id, wrong):
    seen = [check(id, wrong) for _ in range(5)]
    assert 'solution("' + id in repr(seen[-1])
    levels = [int(n) for v in seen for n in re.findall(r"Hint (\d) of", repr(v))]
    assert levels == sorted(levels) and levels[-1] == len(EXERCISES[id].hints)
    assert EXERCISES[id].reference.__name__ in repr(solution(id))


@pytest.mark.parametrize("answer", [3, "text", [1]])
def test_something_else_than_a_function_is_told_in_words(answer):
    assert [id for id in FUNCTIONS if "function itself" not in check(id, answer).lines[0]] == []


@pytest.mark.parametrize("value", [None, "seven", b"", object(), [[1], [2, 3]], -1])
def test_nonsense_is_answered_in_words(value):
    verdicts = {id: check(id, lambda *args: value) for id in FUNCTIONS}
    said = {id: (verdict.status, bool(verdict.lines[0])) for id, verdict in verdicts.items()}
    assert said == dict.fromkeys(FUNCTIONS, ("not yet", True))


def test_an_exception_is_told_with_its_line():
    def stops(*args):
        raise RuntimeError("no more")

    told = 'RuntimeError: no more\nin the line: raise RuntimeError("no more")'
    assert [id for id in FUNCTIONS if told not in repr(check(id, stops))] == []


def test_the_notebook_shows_each_exhibit_word_for_word():
    cells = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    for id in FUNCTIONS:
        assert inspect.getsource(BROKEN[id]).rstrip() in cells, id
    namespace = {}
    exec(next(cell for cell in cells if cell.startswith("script = ")), namespace)
    assert namespace["script"] == exhibits.SCRIPT


# Exhibit A


def converted(network, images, **settings):
    """`to_int8_repaired` with some of it left out."""
    tf = qlab.train.tf
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if settings.get("dataset", True):
        scale = settings.get("scale", 255)
        feed = [[image[np.newaxis].astype(np.float32) / scale] for image in images]
        converter.representative_dataset = lambda: feed
    if settings.get("only", True):
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if settings.get("ends", True):
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def test_a_the_file_computes_in_float():
    network = qlab.train.load("baseline")
    data, finding = exhibits.attempt(exhibits.to_int8, network, None)
    assert finding is None and set(museum.activations(data)) == {"float32"}
    mended = converted(network, qlab.data.calibration_images(8))
    assert set(museum.activations(mended)) == {"int8"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": False, "ends": False}, "has seen no image"),
        ({"dataset": False, "only": False}, "has seen no image"),
        ({"ends": False}, "two ends"),
        ({"scale": 1}, "calibration images are unscaled"),
    ],
)
def test_a_mistakes(settings, words):
    assert words in hint_of("museum.a", lambda n, images: converted(n, images, **settings))


def test_a_another_correct_way():
    def mine(network, images):
        return qlab.train.convert(network, "int8", images)

    assert check("museum.a", mine).passed


# Exhibit B


def prepared(*, divide=255, scale=True, shift=True, clip=True, round=np.rint):
    """`classify_repaired` with something left out."""

    def classify(engine, image):
        source = engine.get_input_details()[0]
        step, zero_point = source["quantization"]
        pixels = image[np.newaxis].astype(np.float64) / divide
        if scale and step:
            pixels = round(pixels / step + (zero_point if shift else 0))
            pixels = np.clip(pixels, -128, 127) if clip else pixels
        engine.set_tensor(source["index"], pixels.astype(source["dtype"]))
        engine.invoke()
        return engine.get_tensor(engine.get_output_details()[0]["index"]).argmax()

    return classify


@pytest.mark.parametrize("name", exhibits.FILES)
def test_b_pixels_as_they_come_lose_accuracy(name):
    model = qlab.LiteModel.from_file(qlab.artefacts.path(f"{name}.tflite"))
    engine, test = interpreter(model), qlab.data.load().test
    wrong = [exhibits.classify(engine, image) for image in test.images[:500]]
    right = [exhibits.classify_repaired(engine, image) for image in test.images[:500]]
    accuracy = [np.mean(np.array(got) == test.labels[:500]) for got in (wrong, right)]
    assert accuracy[0] < accuracy[1] - 0.05
    assert (right == qlab.predict(model, test.images[:500])).mean() > 0.99


def test_b_codes_written_into_the_function_are_named():
    def classify(engine, image):
        source = engine.get_input_details()[0]
        is_float = source["dtype"] == np.float32
        codes = np.float32(image) / 255 if is_float else np.int8(image.astype(int) - 128)
        engine.set_tensor(source["index"], codes[np.newaxis])
        engine.invoke()
        return engine.get_tensor(engine.get_output_details()[0]["index"]).argmax()

    assert "each file brings its own" in hint_of("museum.b", classify)


def test_b_a_class_as_text_is_no_class():
    verdict = check("museum.b", lambda *args: str(exhibits.classify_repaired(*args)))
    assert "class as a number, and returned str" in verdict.lines[0]


@pytest.mark.parametrize("changes", [{}, {"round": np.trunc}, {"round": np.floor}, {"clip": False}])
def test_b_correct_ways(changes):
    assert check("museum.b", prepared(**changes)).passed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"divide": 1}, "pixels are unscaled"),
        ({"divide": 1, "scale": False}, "pixels are unscaled"),
        ({"scale": False}, "cut to integers"),
        ({"shift": False, "clip": False}, "zero point is missing"),
    ],
)
def test_b_mistakes(changes, words):
    assert words in hint_of("museum.b", prepared(**changes))


# Exhibit C


def test_c_the_script_stops_as_published():
    ran = museum.run_script(exhibits.SCRIPT)
    assert ran.error.startswith("ValueError: `to_quantize` can only either be")


IMPORT = "import keras\n"
SET = 'import os\nos.environ["TF_USE_LEGACY_KERAS"] = "1"\n'
FROM_TF = "import tensorflow as tf\nkeras = tf.keras\n"  # tfmot then sets what is needed
TOUCHED = FROM_TF + "keras.layers\n"


@pytest.mark.parametrize(
    ("imports", "words"),
    [
        (SET + IMPORT, "always Keras 3"),
        (TOUCHED + SET, "when it is first touched"),
    ],
)
def test_c_mistakes(imports, words):
    assert words in hint_of("museum.c", exhibits.SCRIPT.replace(IMPORT, imports))


@pytest.mark.parametrize("imports", [SET + TOUCHED, FROM_TF])
def test_c_other_correct_ways(imports):
    assert check("museum.c", exhibits.SCRIPT.replace(IMPORT, imports)).passed


def test_c_a_script_that_avoids_the_question_does_not_pass():
    assert "Keep the name" in hint_of("museum.c", "print('3 layers')")
    dodge = exhibits.repaired_script().replace("tfmot.quantization.keras.quantize_model", "")
    assert "no layer of `aware`" in check("museum.c", dodge).lines[0]
    assert "as text" in check("museum.c", 3).lines[0]
    assert "before its last line" in check("museum.c", "raise SystemExit").lines[0]


def test_a_script_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(scripts, "SECONDS", 1)
    assert "did not end" in museum.run_script("while True: pass").error


def test_a_script_runs_in_a_python_of_its_own():
    assert museum.run_script("import sys; print('qlab' in sys.modules)").output == "False"
    assert museum.run_script("import sys; print(sys.executable)").output == sys.executable
    assert "code 3" in museum.run_script("raise SystemExit(3)").error


# Exhibit D


def test_d_the_wrapped_file_is_larger_and_holds_the_masks():
    train = qlab.data.load().train
    pair = train.images[:640], train.labels[:640]
    plain = qlab.pretrained("baseline").data
    broken, _ = exhibits.attempt(exhibits.sparse_file, qlab.train.load("baseline"), *pair)
    assert len(broken) > 1.9 * len(plain)
    assert {"VAR_HANDLE", "MUL"} <= set(museum.operators(broken))
    assert not {"VAR_HANDLE", "MUL"} & set(museum.operators(plain))


def test_d_mistakes():
    def stripped_in_vain(network, images, labels):
        return exhibits.sparse_file(network, images, labels)

    assert "wrapper was not stripped" in hint_of("museum.d", stripped_in_vain)
    untouched = lambda network, images, labels: qlab.train.convert(network)  # noqa: E731
    assert "not zero" in hint_of("museum.d", untouched)


# Exhibit E


def test_e_the_gain_is_not_there_on_test_images():
    model, data = qlab.pretrained("baseline"), qlab.data.load()
    assert exhibits.accuracy_gained(model, data) > 0.01
    assert abs(exhibits.accuracy_gained_repaired(model, data)) < 0.003


def test_e_each_way_of_scoring_has_its_own_result():
    model, data = exhibits.shipped.model(), exhibits._trial_data()
    ways = [exhibits.accuracy_gained_repaired, *exhibits.WRONG_GAINS.values()]
    results = sorted(way(model, data) for way in ways)
    assert min(np.diff(results)) > 1.9 * exhibits.NEAR_GAIN, results


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (lambda m, d: float(exhibits.accuracy_gained(m, d)), "still scored on images"),
        (exhibits._both_on_training, "Both are scored on training images"),
        (lambda m, d: 100 * exhibits.accuracy_gained_repaired(m, d), "fraction"),
        (lambda m, d: -exhibits.accuracy_gained_repaired(m, d), "sign"),
    ],
)
def test_e_mistakes(way, words):
    assert words in hint_of("museum.e", way)


def test_e_calibrating_on_the_images_of_the_score_is_named():
    assert "no longer say how well" in hint_of("museum.e", exhibits.calibrated_on_test)


def test_e_scoring_on_validation_images_is_not_called_scoring_on_training_images():
    def mine(model, data):
        data.test = data.validation
        return exhibits.accuracy_gained_repaired(model, data)

    said = repr(check("museum.e", lambda model, data: mine(model, SimpleNamespace(**vars(data)))))
    assert "Hint:" not in said


def test_e_on_dark_training_images_the_two_ways_to_calibrate_are_far_apart():
    model, data = exhibits.shipped.model(), exhibits._dark_training()
    ways = exhibits.accuracy_gained_repaired, exhibits.calibrated_on_test
    right, wrong = (way(model, data) for way in ways)
    assert right - wrong > 4 * exhibits.NEAR_GAIN


@pytest.mark.parametrize(
    "chosen", [lambda data: data.train.images[-128:], lambda data: data.validation.images]
)
def test_e_another_calibration_set_is_as_good(chosen):
    def mine(model, data):
        small = qlab.Compressor(model, chosen(data)).compress(qlab.Recipe())
        scores = (qlab.evaluate(m, data.test.images, data.test.labels) for m in (model, small))
        return qlab.compare(*scores).difference

    assert check("museum.e", mine).passed


# Exhibit F


def test_f_zeros_save_nothing_until_the_file_is_compressed():
    before, after = qlab.pretrained("baseline"), museum.zeroed(qlab.pretrained("baseline"), 0.8)
    assert exhibits.times_smaller(before.data, after.data) == pytest.approx(1, abs=0.01)
    assert exhibits.times_smaller_repaired(before.data, after.data) > 3


PACKERS = [zlib.compress, lzma.compress, bz2.compress]
PACKERS += [partial(gzip.compress, compresslevel=level) for level in range(1, 10)]


@pytest.mark.parametrize("pack", PACKERS)
def test_f_correct_ways(pack):
    assert check("museum.f", lambda a, b: len(pack(a)) / len(pack(b))).passed


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (lambda a, b: float(len(a)) / len(b), "raw sizes"),
        (lambda a, b: len(a) / len(gzip.compress(b)), "flatters"),
        (lambda a, b: len(a) / len(lzma.compress(b)), "flatters"),
        (lambda a, b: len(a) / len(bz2.compress(b)), "flatters"),
        (lambda a, b: len(gzip.compress(a)) / len(b), "Only the first"),
        (lambda a, b: len(gzip.compress(b)) / len(gzip.compress(a)), "upside down"),
        (lambda a, b: 1 - len(gzip.compress(b)) / len(gzip.compress(a)), "fraction saved"),
    ],
)
def test_f_mistakes(way, words):
    assert words in hint_of("museum.f", way)


def test_every_classic_mistake_of_the_tables_is_reached():
    assert len(exhibits.WRONG_ANSWERS) == 4 and len(exhibits.WRONG_GAINS) == 4
    assert len(exhibits.WRONG_RATIOS) == 5


# What the exhibits share


def test_comments_do_not_mend_a_function():
    def one(x):
        # a comment
        return x + 1

    def other(x):
        return x + 1

    assert same_code(one, other) and not same_code(one, lambda x: x + 2)
    assert not same_code(len, other)


@pytest.mark.parametrize("fraction", [-0.1, 1, 2, float("nan")])
def test_a_fraction_of_zeros_out_of_range_is_told(fraction):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        museum.zeroed(qlab.pretrained("baseline"), fraction)


def test_zeroed_files_run_and_hold_as_many_zeros_as_asked():
    model = museum.zeroed(qlab.pretrained("baseline"), 0.5)
    for layer in model.layers:
        if layer.weights is not None:
            assert qlab.metrics.sparsity(layer.weights) == pytest.approx(0.5, abs=0.01)
    assert len(qlab.predict(model, qlab.data.load().test.images[:3])) == 3


def test_calibration_images_of_the_reference_are_scaled():
    [batch] = next(representative_dataset(np.full((1, 28, 28, 1), 255, np.uint8)))
    assert batch.max() == 1


# Exhibit G


def grid_of(said, coloured_by):
    """A grid whose classes and colours come from `said` and `coloured_by`, of both models."""

    def grid(network, small, data, seed):
        images, labels = data.test.images, data.test.labels
        answers = {"float": qlab.predict(network, images), "small": qlab.predict(small, images)}
        answers["truth"] = labels
        green = answers["small"] == answers["float"]
        if coloured_by != "agreement":
            green = answers[coloured_by] == labels
        chosen = np.random.default_rng(seed + 7).permutation(len(images))[:15]
        return [(i, answers[said][i], "green" if green[i] else "red") for i in chosen]

    return grid


def test_g_the_grid_is_green_though_the_file_is_mostly_wrong(fashion):
    network = qlab.pretrained("baseline")
    small = qlab.Compressor(network, qlab.data.calibration_images(128)).compress(qlab.Recipe(2))
    data = SimpleNamespace(test=fashion.test)
    accuracy = qlab.evaluate(small, data.test.images, data.test.labels).accuracy
    grids = [exhibits.small_model_grid, exhibits.small_model_grid_repaired]
    found, mended = (
        [x for *_, x in grid(network, small, data, 0)].count("green") for grid in grids
    )
    assert found >= 12 and mended <= 8 and accuracy < 0.5


@pytest.mark.parametrize(
    ("said", "coloured_by", "words"),
    [
        ("float", "float", "still the answers of `network`"),
        ("small", "float", "the colours judge `network`'s answers"),
        ("float", "small", "the classes are `network`'s"),
        ("small", "agreement", "both models agree"),
        ("truth", "small", "These are the labels"),
    ],
)
def test_g_mistakes(said, coloured_by, words):
    assert words in hint_of("museum.g", grid_of(said, coloured_by))


def test_g_pictures_may_be_drawn_in_another_way():
    assert check("museum.g", grid_of("small", "small")).passed


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda rows: rows[:14], "Expected 15"), (lambda rows: [x for x, *_ in rows], "triples")],
)
def test_g_a_grid_of_another_form_is_told_in_words(change, words):
    verdict = check("museum.g", lambda *args: change(grid_of("small", "small")(*args)))
    assert verdict.status == "not yet" and words in verdict.lines[0]
