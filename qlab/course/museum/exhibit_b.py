"""Exhibit B: an app that feeds the model pixels as they come."""

import numpy as np

import qlab
from qlab.course.museum.repair import attempt, for_repair
from qlab.lessons.exercises import EXERCISES, Exercise, Finding
from qlab.tflite.runtime import interpreter

FILES = ("baseline", "baseline-int8")
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


MISTAKES = {
    "The zero point is missing: code = pixel / 255 / scale + zero_point.": (
        _wrong(shift=False),
        _wrong(shift=False, clip=False),
    ),
    "The int8 file gets real numbers cut to integers. Its input has a scale and a zero point.": (
        _wrong(scale=False),
    ),
    "The pixels are unscaled: both files want pixel / 255 first, and int8 then wants codes.": (
        _wrong(divide=False),
        _wrong(divide=False, clip=False),
        classify,
    ),
}


def _answers(function, engine, images):
    return np.array([int(function(engine, image)) for image in images])


def _judge(answer):
    for name in FILES:
        finding = _judge_file(answer, name)
        if finding.problem:
            return finding
    return Finding(note=f"Both files answer as qlab's own runtime does, on {IMAGES} images.")


def _judge_file(answer, name):
    model = qlab.LiteModel.from_file(qlab.artefacts.path(f"{name}.tflite"))
    images = qlab.data.load().test.images[:IMAGES]
    engine, truth = interpreter(model), qlab.predict(model, images)
    _, stopped = attempt(answer, engine, images[0])
    got, stopped = (None, stopped) if stopped else attempt(_answers, answer, engine, images)
    if stopped:
        return Finding(f"With {name}.tflite: {stopped.problem}", stopped.mistake)
    same = np.mean(got == truth)
    if same >= SAME:
        return Finding()
    problem = f"With {name}.tflite, {same:.0%} of {len(images)} answers are those of the model."
    return Finding(problem, _mistake(got, engine, images))


def _mistake(got, engine, images):
    """Name the mistake that gives nearly the same answers."""
    for hint, wrongs in MISTAKES.items():
        if any(np.mean(got == _answers(wrong, engine, images)) >= SAME for wrong in wrongs):
            return hint
    return ""


EXERCISES.add(
    Exercise(
        "museum.b",
        for_repair(classify, _judge),
        classify_repaired,
        (
            "Print the smallest and the largest number that goes into set_tensor, for both files.",
            "The network was trained on pixel / 255. An int8 file also wants codes: "
            "source['quantization'] is (scale, zero_point).",
            "pixels = image[np.newaxis] / 255. If scale is not 0: "
            "np.rint(pixels / scale + zero_point), then .astype(source['dtype']).",
        ),
    )
)
