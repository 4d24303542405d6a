"""Exhibit A: an int8 file that is not one, for want of a representative dataset."""

import qlab
from qlab.course import shipped
from qlab.course.museum.files import activations
from qlab.course.museum.repair import attempt, for_repair
from qlab.course.representative import representative_dataset
from qlab.lessons.exercises import EXERCISES, Exercise, Finding
from qlab.tflite.litemodel import LiteModel, ModelError

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


NO_DATASET = "The converter has seen no image. Give it a representative_dataset, from `images`."
INT8_ONLY = "Say that only int8 will do: target_spec.supported_ops = [...TFLITE_BUILTINS_INT8]."
ENDS = "Only the two ends are float: set inference_input_type and inference_output_type to tf.int8."
UNSCALED = "The calibration images are unscaled. The network was trained on pixel / 255."


def _judge(answer):
    images = qlab.data.calibration_images(64)
    data, stopped = attempt(answer, qlab.train.load("baseline"), images)
    if stopped:
        return Finding(stopped.problem, _why_stopped(stopped.problem))
    if not isinstance(data, bytes):
        return Finding(f"Your function should return bytes, and returned {type(data).__name__}.")
    try:
        small = LiteModel.from_bytes(data, "your file")
    except ModelError as error:
        return Finding(f"Your function should return the bytes of a .tflite file: {error}")
    kinds = activations(data)
    if "float32" in kinds:
        return Finding(f"Tensors that the file computes: {kinds}.", _why_float(kinds))
    return _score(small)


def _why_stopped(words):
    return NO_DATASET if "representative" in words or "must be tf.float32" in words else ""


def _why_float(kinds):
    if set(kinds) == {"float32"}:
        return NO_DATASET
    return ENDS if kinds["float32"] <= 2 else INT8_ONLY


def _score(small):
    test = qlab.data.load().test
    before = qlab.evaluate(shipped.model(), test.images, test.labels).accuracy
    after = qlab.evaluate(small, test.images, test.labels).accuracy
    if after < before - LOST:
        widest = small.parsed.subgraphs[0]
        scale = widest.tensors[widest.inputs[0]].quantization.scale[0]
        said = f"The file is int8, and its accuracy is {after:.1%} (float32: {before:.1%})."
        return Finding(said, UNSCALED if scale > 0.1 else "")
    return Finding(note=f"No float is left in the file, and its accuracy is {after:.1%}.")


EXERCISES.add(
    Exercise(
        "museum.a",
        for_repair(to_int8, _judge),
        to_int8_repaired,
        (
            "Of which types are the tensors that the file computes? The chip needs int8.",
            "Weights are known beforehand. To fix the ranges of activations, the converter must "
            "see images.",
            "Set representative_dataset, target_spec.supported_ops, inference_input_type and "
            "inference_output_type, as in notebook 02.",
        ),
    )
)
