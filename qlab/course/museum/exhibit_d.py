"""Exhibit D: a pruned file that grew, for the wrappers were stripped too late."""

import qlab
from qlab.course.museum.files import operators
from qlab.course.museum.repair import attempt, for_repair
from qlab.lessons.exercises import EXERCISES, Exercise, Finding
from qlab.tflite.litemodel import LiteModel, ModelError

SPARSITY, IMAGES = 0.75, 640  # a little less than the pipeline asks for: small layers round


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


WRAPPED = (
    "The wrapper was not stripped: the file holds a mask for each weight, and the work to apply "
    "it. strip_pruning returns a new model. Convert that one."
)
DENSE = "The weights in this file are not zero. Convert the model that was trained with masks."


def _judge(answer):
    train = qlab.data.load().train
    pair = train.images[:IMAGES], train.labels[:IMAGES]
    data, stopped = attempt(answer, qlab.train.load("baseline"), *pair)
    if stopped:
        return stopped
    if not isinstance(data, bytes):
        return Finding(f"Your function should return bytes, and returned {type(data).__name__}.")
    try:
        found = operators(data)
    except (ValueError, TypeError, IndexError) as error:
        return Finding(f"These are not the bytes of a .tflite file: {error}")
    if "VAR_HANDLE" in found:
        return Finding(f"The file has {len(found)} operators and {len(data):,} bytes.", WRAPPED)
    return _zeros(data, found)


def _zeros(data, found):
    try:
        model = LiteModel.from_bytes(data, "your file")
    except ModelError as error:
        return Finding(str(error))
    heaviest = max(
        (layer.weights for layer in model.layers if layer.weights is not None),
        key=lambda weights: weights.size,
    )
    zeros = qlab.metrics.sparsity(heaviest)
    if zeros < SPARSITY:
        return Finding(f"{zeros:.0%} of the weights are zero, and 80 % should be.", DENSE)
    return Finding(note=f"{len(found)} operators, and {zeros:.0%} of the weights are zero.")


EXERCISES.add(
    Exercise(
        "museum.d",
        for_repair(sparse_file, _judge),
        sparse_file_repaired,
        (
            "Look at the operators of the file. Which of them are not in the baseline?",
            "While it trains, a wrapper keeps a mask beside each weight. Nobody needs masks later.",
            "strip_pruning gives back a model without wrappers: "
            "qlab.train.convert(tools.strip_pruning(wrapped)).",
        ),
    )
)
