"""The seven exhibits: each pipeline as found, the repaired one, and the judge of a learner's.

As-found pipelines stand in the notebook word for word, in a cell to be mended. The exhibits have
letters for names, so that no name gives the bug away.
"""

import bz2
import gzip
import lzma
import math
from functools import cache, partial
from types import SimpleNamespace

import numpy as np

import qlab
from qlab.course import shipped_model as shipped
from qlab.course.museum.exhibit_files import activations, operators, zeroed
from qlab.course.museum.repair import AS_FOUND, attempt, for_repair
from qlab.course.museum.scripts import run_script
from qlab.course.ptq.representative import representative_dataset
from qlab.lessons.exercises import Finding
from qlab.lessons.judges import numbers
from qlab.tflite.gzipping import gzip_size
from qlab.tflite.litemodel import LiteModel, ModelError
from qlab.tflite.runtime import interpreter
from qlab.trials import subjects


def _file(data):
    """The model that returned bytes hold, and what stops the judge if there is none."""
    if not isinstance(data, bytes):
        said = f"Your function should return bytes, and returned {type(data).__name__}."
        return None, Finding(said, plain=True)
    try:
        return LiteModel.from_bytes(data, "your file"), None
    except ModelError as error:
        said = f"Your function should return the bytes of a .tflite file: {error}"
        return None, Finding(said, plain=True)


def _number(answer, *args):
    """The number that the learner's function returns, and what stops the judge if it is none."""
    got, stopped = attempt(answer, *args)
    if stopped:
        return None, stopped
    number = numbers(got)
    if number is None or number.ndim:
        said = f"Your function should return a number, and returned {type(got).__name__}."
        return None, Finding(said, plain=True)
    return float(number), None


# Exhibit A: an int8 file that is not one, because it has no representative dataset

LOST = 0.05  # an accuracy this much lower means that the ranges are wrong


def to_int8(network, images):
    """Make the .tflite bytes of `network`, for a chip without float arithmetic."""
    converter = qlab.train.tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [qlab.train.tf.lite.Optimize.DEFAULT]
    return converter.convert()


def to_int8_repaired(network, images):
    """Make the .tflite bytes of `network`, for a chip without float arithmetic."""
    converter = qlab.train.tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [qlab.train.tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: representative_dataset(images)
    converter.target_spec.supported_ops = [qlab.train.tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = qlab.train.tf.int8
    converter.inference_output_type = qlab.train.tf.int8
    return converter.convert()


def _judge_int8(answer):
    images = qlab.data.calibration_images(64)
    data, stopped = attempt(answer, qlab.train.load("baseline"), images)
    if stopped:
        words = stopped.problem
        unseen = "representative" in words or "must be tf.float32" in words
        return Finding(words, "no_dataset" if unseen else "")
    small, stopped = _file(data)
    if stopped:
        return stopped
    kinds = activations(data)
    if "float32" in kinds:
        return Finding(f"Tensors that the file computes: {kinds}.", _why_float(kinds))
    return _score(small)


def _why_float(kinds):
    if set(kinds) == {"float32"}:
        return "no_dataset"
    return "float_ends" if kinds["float32"] <= 2 else "not_int8_only"


def _score(small):
    before, after = (
        subjects.scored(model, subjects.course_images()).accuracy
        for model in (shipped.model(), small)
    )
    if after < before - LOST:
        graph = small.parsed.subgraphs[0]
        scale = graph.tensors[graph.inputs[0]].quantization.scale[0]
        said = f"The file is int8, and its accuracy is {after:.1%} (float32: {before:.1%})."
        return Finding(said, "unscaled" if scale > 0.1 else "")
    return Finding(note=f"No float is left in the file, and its accuracy is {after:.1%}.")


judge_a = for_repair(to_int8, _judge_int8)


# Exhibit B: an app that feeds the model pixels as they come

FILES = ("baseline", "baseline-int8")
OTHER_CODES = "an int8 file that has another scale"
IMAGES = 300
SAME = 0.99  # of the answers; truncating a code instead of rounding it moves less than that


def classify(interpreter, image):
    """Return the class of one image: uint8, 28 by 28 by 1."""
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(source["index"], image[np.newaxis].astype(source["dtype"]))
    interpreter.invoke()
    return int(interpreter.get_tensor(target["index"]).argmax())


def classify_repaired(interpreter, image):
    """Return the class of one image: uint8, 28 by 28 by 1."""
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    pixels = image[np.newaxis] / np.float32(255)
    scale, zero_point = source["quantization"]
    if scale:  # 0 in a float file
        pixels = np.clip(np.rint(pixels / scale + zero_point), -128, 127)
    interpreter.set_tensor(source["index"], pixels.astype(source["dtype"]))
    interpreter.invoke()
    return int(interpreter.get_tensor(target["index"]).argmax())


def _fixed_codes(interpreter, image):
    """`classify_repaired` with the scale and the zero point of one file written into it."""
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    codes = image.astype(int) - 128 if source["dtype"] == np.int8 else image / np.float32(255)
    interpreter.set_tensor(source["index"], codes[np.newaxis].astype(source["dtype"]))
    interpreter.invoke()
    return int(interpreter.get_tensor(target["index"]).argmax())


def _wrong(*, divide=True, scale=True, shift=True, clip=True):
    """`classify_repaired` with one thing left out."""

    def answer(interpreter, image):
        source = interpreter.get_input_details()[0]
        pixels = image[np.newaxis] / np.float32(255 if divide else 1)
        step, zero_point = source["quantization"]
        if scale and step:
            pixels = np.rint(pixels / step + zero_point * shift)
            pixels = np.clip(pixels, -128, 127) if clip else pixels
        interpreter.set_tensor(source["index"], pixels.astype(source["dtype"]))
        interpreter.invoke()
        return int(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).argmax())

    return answer


WRONG_ANSWERS = {
    "fixed_codes": (_fixed_codes,),
    "no_zero_point": (_wrong(shift=False), _wrong(shift=False, clip=False)),
    "no_scale": (_wrong(scale=False),),
    "unscaled": (_wrong(divide=False), _wrong(divide=False, clip=False), classify),
}


def _answers(function, engine, images):
    return [function(engine, image) for image in images]


@cache
def _app_files():
    """The two files of the exhibit, and one whose codes no file before it has taught."""
    shipped_files = {f"{name}.tflite": qlab.pretrained(name) for name in FILES}
    brighter = qlab.data.calibration_images(128) * np.float32(2 / 255)
    other = qlab.Compressor(shipped.model(), brighter).compress(qlab.Recipe())
    return {**shipped_files, OTHER_CODES: other}


def _judge_app(answer):
    for name, model in _app_files().items():
        finding = _judge_on(answer, name, model)
        if finding.problem:
            return finding
    note = f"Both files, and {OTHER_CODES}, answer as qlab's own runtime does"
    return Finding(note=f"{note}, on {IMAGES} images.")


def _judge_on(answer, name, model):
    images = subjects.course_images().images[:IMAGES]
    engine, truth = interpreter(model), qlab.predict(model, images)
    _, stopped = attempt(answer, engine, images[0])
    got, stopped = (None, stopped) if stopped else attempt(_answers, answer, engine, images)
    if stopped:
        return Finding(f"With {name}: {stopped.problem}", stopped.mistake)
    classes = numbers(got)
    if classes is None or classes.ndim > 1:
        said = f"should return the class as a number, and returned {type(got[0]).__name__}"
        return Finding(f"With {name}: Your function {said}.", plain=True)
    same = np.mean(classes == truth)
    if same >= SAME:
        return Finding()
    problem = f"With {name}, {same:.0%} of {len(images)} answers are those of the model."
    return Finding(problem, _mistake_in(classes, engine, images))


def _mistake_in(got, engine, images):
    """Name the mistake that gives nearly the same answers."""
    for mistake, wrongs in WRONG_ANSWERS.items():
        if any(np.mean(got == _answers(wrong, engine, images)) >= SAME for wrong in wrongs):
            return mistake
    return ""


judge_b = for_repair(classify, _judge_app)


# Exhibit C: quantization-aware training that refuses the model, because Keras 3 came first

SCRIPT = """
import keras
import tensorflow_model_optimization as tfmot

model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(),
                          keras.layers.Dense(10)])
aware = tfmot.quantization.keras.quantize_model(model)
print(len(aware.layers), "layers, ready for quantization-aware training")
"""

PROBE = """
if not any("Quantize" in type(layer).__name__ for layer in aware.layers):
    raise SystemExit("no layer of `aware` is quantization-aware")
print("reached the end")
"""


def repaired_script():
    """Give the script with Keras 2, which lives on as tf_keras; nothing else has changed."""
    return SCRIPT.replace("import keras\n", "import tf_keras as keras\n")


def judge_c(answer):
    """Run the learner's script, and ask it at the end whether its model is quantization-aware."""
    if not isinstance(answer, str):
        got = type(answer).__name__
        return Finding(f"This check needs the script as text, and got {got}.", plain=True)
    if answer.split() == SCRIPT.split():
        return Finding(attempted=False, note=AS_FOUND)
    ran = run_script(answer + PROBE)
    if ran.output.endswith("reached the end") and not ran.error:
        return Finding(note=ran.output.removesuffix("reached the end").strip())
    if not ran.error:
        return Finding("The script ends before its last line.")
    if "'aware' is not defined" in ran.error:
        return Finding("The script does not make `aware`.", "other_name")
    return Finding(f"The script ends with {ran.error}", _whose_keras(answer, ran.error))


def _whose_keras(source, error):
    if "can only either be a keras Sequential" not in error:
        return ""
    lines = [line.strip() for line in source.splitlines()]
    if any(line.startswith(("import keras", "from keras")) for line in lines):
        return "keras_3"
    return "touched_too_early" if "tf.keras" in source or "tensorflow.keras" in source else ""


# Exhibit D: a pruned file that grew, because the wrappers were stripped too late

SPARSITY, FEW = 0.75, 640  # a little less than the pipeline asks for: small layers round


def sparse_file(network, images, labels):
    """Zero 80 % of the weights, tune the others, and return the bytes of a .tflite file."""
    tools, keras = qlab.train.tfmot.sparsity.keras, qlab.train.keras
    always = tools.ConstantSparsity(0.8, begin_step=0, frequency=1)
    wrapped = tools.prune_low_magnitude(network, always)
    wrapped.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    steps = [tools.UpdatePruningStep()]
    wrapped.fit(images / 255, labels, batch_size=128, callbacks=steps, verbose=0)
    converter = qlab.train.tf.lite.TFLiteConverter.from_keras_model(wrapped)
    tools.strip_pruning(wrapped)
    return converter.convert()


def sparse_file_repaired(network, images, labels):
    """Zero 80 % of the weights, tune the others, and return the bytes of a .tflite file."""
    tools, keras = qlab.train.tfmot.sparsity.keras, qlab.train.keras
    always = tools.ConstantSparsity(0.8, begin_step=0, frequency=1)
    wrapped = tools.prune_low_magnitude(network, always)
    wrapped.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    steps = [tools.UpdatePruningStep()]
    wrapped.fit(images / 255, labels, batch_size=128, callbacks=steps, verbose=0)
    return qlab.train.convert(tools.strip_pruning(wrapped))


def _judge_sparse(answer):
    train = qlab.data.load().train
    data, stopped = attempt(
        answer, qlab.train.load("baseline"), train.images[:FEW], train.labels[:FEW]
    )
    if stopped:
        return stopped
    if not isinstance(data, bytes):
        said = f"Your function should return bytes, and returned {type(data).__name__}."
        return Finding(said, plain=True)
    try:
        found = operators(data)
    except (ValueError, TypeError, IndexError) as error:
        return Finding(f"These are not the bytes of a .tflite file: {error}", plain=True)
    if "VAR_HANDLE" in found:
        return Finding(f"The file has {len(found)} operators and {len(data):,} bytes.", "wrapped")
    return _zeros(data, found)


def _zeros(data, found):
    try:
        model = LiteModel.from_bytes(data, "your file")
    except ModelError as error:
        return Finding(str(error))
    weights = (layer.weights for layer in model.layers if layer.weights is not None)
    zeros = qlab.metrics.sparsity(max(weights, key=lambda weights: weights.size))
    if zeros < SPARSITY:
        return Finding(f"{zeros:.0%} of the weights are zero, and 80 % should be.", "dense")
    return Finding(note=f"{len(found)} operators, and {zeros:.0%} of the weights are zero.")


judge_d = for_repair(sparse_file, _judge_sparse)


# Exhibit E: quantization that seems to gain accuracy, because it was scored on training images

NEAR_GAIN = 0.13  # another calibration set moves the result on the trial data by less


def accuracy_gained(model, data):
    """Return how much higher the accuracy of the 8-bit file is, as a fraction."""
    images, labels = data.train.images[:10_000], data.train.labels[:10_000]
    small = qlab.Compressor(model, images[:1000]).compress(qlab.Recipe())
    before = qlab.evaluate(model, data.test.images, data.test.labels)
    after = qlab.evaluate(small, images, labels)
    return after.accuracy - before.accuracy


def accuracy_gained_repaired(model, data):
    """Return how much higher the accuracy of the 8-bit file is, as a fraction."""
    small = qlab.Compressor(model, data.train.images[:1000]).compress(qlab.Recipe())
    before = qlab.evaluate(model, data.test.images, data.test.labels)
    after = qlab.evaluate(small, data.test.images, data.test.labels)
    return after.accuracy - before.accuracy


def _both_on_training(model, data):
    train = SimpleNamespace(images=data.train.images[:10_000], labels=data.train.labels[:10_000])
    return accuracy_gained_repaired(model, SimpleNamespace(train=data.train, test=train))


WRONG_GAINS = {
    "training_images": accuracy_gained,
    "both_on_training": _both_on_training,
    "percent": lambda model, data: 100 * accuracy_gained_repaired(model, data),
    "reversed": lambda model, data: -accuracy_gained_repaired(model, data),
}


def _held_out(images, small):
    """Images to calibrate on that nobody trained on; scored on, they give a result of their own."""
    before, after = (qlab.predict(m, images) for m in (shipped.model(), small))
    differ = np.flatnonzero(before != after)
    some = np.concatenate([np.resize(differ, 600), np.flatnonzero(before == after)[:400]])
    return SimpleNamespace(images=images[some], labels=after[some])


@cache
def _trial_data():
    """Real images, chosen and labelled so that each way of scoring has a result of its own."""
    real, model = qlab.data.load(), shipped.model()
    small = qlab.Compressor(model, real.train.images[:1000]).compress(qlab.Recipe())
    few = real.train.images[:2000]
    train = SimpleNamespace(images=few, labels=(qlab.predict(model, few) + 5) % 10)
    before, after = (qlab.predict(m, real.test.images) for m in (model, small))
    differ = np.flatnonzero(before != after)
    some = np.concatenate([differ, np.flatnonzero(before == after)[: 2 * len(differ)]])
    labels = np.where(before != after, after, real.test.labels)
    test = SimpleNamespace(images=real.test.images[some], labels=labels[some])
    validation = _held_out(real.validation.images, small)
    return SimpleNamespace(train=train, validation=validation, test=test)


def calibrated_on_test(model, data):
    """`accuracy_gained_repaired`, but the test images have chosen the ranges."""
    return accuracy_gained_repaired(model, SimpleNamespace(train=data.test, test=data.test))


@cache
def _dark_training():
    """Real images, the training ones dark: only ranges found on them give the labels."""
    real, model = qlab.data.load(), shipped.model()
    train = SimpleNamespace(images=real.train.images[:2000] // 8, labels=real.train.labels[:2000])
    small = qlab.Compressor(model, train.images[:1000]).compress(qlab.Recipe())
    some = real.test.images[:2000]
    before, after = (qlab.predict(m, some) for m in (model, small))
    differ = before != after
    test = SimpleNamespace(images=some[differ], labels=after[differ])
    validation = _held_out(real.validation.images // 8, small)
    return SimpleNamespace(train=train, validation=validation, test=test)


def _judge_gain(answer):
    finding = _judge_gain_on(answer, _trial_data(), WRONG_GAINS)
    if finding.problem:
        return finding
    return _judge_gain_on(answer, _dark_training(), {"calibrated_on_test": calibrated_on_test})


def _judge_gain_on(answer, data, wrong):
    model = shipped.model()
    got, stopped = _number(answer, model, data)
    if stopped:
        return stopped
    truth = accuracy_gained_repaired(model, data)
    if abs(got - truth) <= NEAR_GAIN:
        return Finding(note="On images that nobody trained on, the gain is gone.")
    said = f"On a trial data set: expected {truth:+.3f}, got {got:+.3f}."
    near = (name for name, f in wrong.items() if abs(got - f(model, data)) <= NEAR_GAIN)
    return Finding(said, next(near, ""))


judge_e = for_repair(accuracy_gained, _judge_gain)


# Exhibit F: a file of zeros that is no smaller, because nobody compressed it

NEAR_RATIO = 0.05  # neighbours among gzip's levels differ by less than one of these does
PACKERS = (
    *(partial(gzip.compress, compresslevel=level) for level in (9, 4, 1)),
    bz2.compress,
    lzma.compress,
)


def times_smaller(before, after):
    """Return how many times smaller pruning made the download; both are bytes of files."""
    return len(before) / len(after)


def times_smaller_repaired(before, after):
    """Return how many times smaller pruning made the download; both are bytes of files."""
    return gzip_size(before) / gzip_size(after)


def _right_ratio(raw, packed):
    return packed[0] / packed[1]


WRONG_RATIOS = {
    "raw": lambda raw, packed: raw[0] / raw[1],
    "after_only": lambda raw, packed: raw[0] / packed[1],
    "before_only": lambda raw, packed: packed[0] / raw[1],
    "upside_down": lambda raw, packed: packed[1] / packed[0],
    "part_saved": lambda raw, packed: 1 - packed[1] / packed[0],
}


@cache
def _pairs():
    """Two pairs of files, as one pair cannot tell every packer from a mistake with another."""
    zeros = {share: zeroed(shipped.model(), share).data for share in (0.5, 0.8, 0.9)}
    return (shipped.model().data, zeros[0.8]), (zeros[0.5], zeros[0.9])


@cache
def _sizes(packer):
    """Bytes before and after, raw and packed, of each pair."""
    return [[tuple(map(len, pair)), tuple(len(packer(x)) for x in pair)] for pair in _pairs()]


def _is_ratio(got, ratio):
    """Whether the numbers for the pairs are this ratio, with one packer or another."""
    return any(
        all(_near(number, ratio(*sizes)) for number, sizes in zip(got, _sizes(packer), strict=True))
        for packer in PACKERS
    )


def _judge_ratio(answer):
    got = []
    for pair in _pairs():
        number, stopped = _number(answer, *pair)
        if stopped:
            return stopped
        got.append(number)
    if _is_ratio(got, _right_ratio):
        return Finding(note=f"Compressed, the file is {got[0]:.1f} times smaller.")
    near = (name for name, wrong in WRONG_RATIOS.items() if _is_ratio(got, wrong))
    return Finding(f"Got {got[0]:.2f} for a file with 80 % zeros.", next(near, ""))


def _near(got, truth):
    return math.isclose(got, truth, rel_tol=NEAR_RATIO)


judge_f = for_repair(times_smaller, _judge_ratio)


# Exhibit G: the pictures of the quantized model that show the float model's answers

GRID = 15


def small_model_grid(network, small, data, seed):
    """Return (image, class, colour) of 15 test pictures: what `small` says, green if right."""
    images, labels = data.test.images, data.test.labels
    answers, answers_small = (qlab.predict(model, images) for model in (network, small))
    chosen = np.random.default_rng(seed).choice(len(images), 15, replace=False)
    colours = ["green" if answers[i] == labels[i] else "red" for i in chosen]
    return [(int(i), int(answers[i]), c) for i, c in zip(chosen, colours, strict=True)]


def small_model_grid_repaired(network, small, data, seed):
    """Return (image, class, colour) of 15 test pictures: what `small` says, green if right."""
    images, labels = data.test.images, data.test.labels
    answers_small = qlab.predict(small, images)
    chosen = np.random.default_rng(seed).choice(len(images), 15, replace=False)
    colours = ["green" if answers_small[i] == labels[i] else "red" for i in chosen]
    return [(int(i), int(answers_small[i]), c) for i, c in zip(chosen, colours, strict=True)]


@cache
def _grid_models():
    """Two networks that answer differently, and pictures labelled so that both are half right."""
    large = shipped.model()
    small = qlab.Compressor(large, qlab.data.calibration_images(128)).compress(qlab.Recipe(2))
    images = qlab.data.load().validation.images[:1500]
    before, after = (qlab.predict(m, images) for m in (large, small))
    images, before, after = (x[before != after] for x in (images, before, after))
    labels = np.where(np.arange(len(images)) % 3 == 0, before, after)
    third = np.arange(len(images)) % 3 == 1
    labels[third] = (np.maximum(before, after)[third] + 1) % 10
    test = SimpleNamespace(images=images, labels=labels)
    return large, small, SimpleNamespace(test=test), before, after


def _judge_grid(answer):
    large, small, data, before, after = _grid_models()
    labels = data.test.labels
    got, stopped = attempt(answer, large, small, data, 1)
    if stopped:
        return stopped
    try:
        rows = [(int(i), int(said), str(colour)) for i, said, colour in got]
        of = [(labels[i], before[i], after[i]) for i, _, _ in rows]
    except (TypeError, ValueError, IndexError):
        said = "Your function should return triples: the number of an image, a class, a colour."
        return Finding(said, plain=True)
    if len({i for i, _, _ in rows}) != GRID or any(i < 0 for i, _, _ in rows):
        return Finding(f"Expected {GRID} different pictures, got {len(rows)} rows.", plain=True)
    right = {"green": True, "red": False}
    says = [(said, right.get(colour)) for _, said, colour in rows]
    if says == [(c, c == label) for label, _, c in of]:
        return Finding(note=f"All {GRID} answers and their colours are the small model's own.")
    wrong = {
        "still_float": [(b, b == label) for label, b, _ in of],
        "float_colours": [(c, b == label) for label, b, c in of],
        "float_classes": [(b, c == label) for label, b, c in of],
        "agreement": [(c, c == b) for _, b, c in of],
        "true_classes": [(label, c == label) for label, _, c in of],
    }
    same = sum(said == c for (said, _), (_, _, c) in zip(says, of, strict=True))
    problem = f"{same} of {GRID} classes are what the small model says of that picture"
    return Finding(f"{problem}.", next((x for x in wrong if wrong[x] == says), ""))


judge_g = for_repair(small_model_grid, _judge_grid)
