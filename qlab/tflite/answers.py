"""From what a model answers to a class: the largest of several, one against a threshold, or it."""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.system.text import printable
from qlab.tflite.graph import op_name, shape_of, signature
from qlab.tflite.litemodel import CALLING, ModelError, require_lite_model, with_gaps
from qlab.tflite.operators import MOVING, PLUMBING, named
from qlab.tflite.reading import Damaged

THRESHOLDS = {"LOGISTIC": 0.5, "TANH": 0.0}  # of one answer; above it, the class is 1
PASSING = (*PLUMBING, *MOVING, *named(work="view"), "CAST")
STILL = (
    "Without scoring, its anatomy, qlab.Compressor(model) for its weights and the export work as "
    "it is"
)
_WHOLE = (schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)


def require_scorable(model):
    """Raise ModelError, saying what to do, unless a model takes one image and answers once."""
    require_lite_model(model)
    try:
        part, *others = model.parsed.subgraphs
    except Damaged as error:
        words = f"LiteRT cannot run this model: {error}; save or download it again"
        raise ModelError(words) from error
    if others and not any(op_name(model.parsed, x) in CALLING for x in part.operators):
        raise ModelError(
            f"this file has {1 + len(others)} graphs, and qlab scores a file with one, and those "
            f"that it calls; to score it, write a file with the graph that you want alone. {STILL}"
        )
    for verb, indices, remedy in (
        ("takes", part.inputs, "the image alone, and has the others as constants inside"),
        ("gives", part.outputs, "the one answer that names the class"),
    ):
        if len(indices) != 1:
            kind = "inputs" if verb == "takes" else "outputs"
            listed = ", ".join(described(part.tensors[int(i)]) for i in indices)
            raise ModelError(
                f"this model {verb} {len(indices)} {kind} ({listed}), and qlab scores with one "
                f"image and one answer each; to score it, write a model that {verb} {remedy}. "
                + STILL
            )
    if not shape_of(part.tensors[int(part.inputs[0])]):
        raise ModelError(
            f"this model takes a single number ({described(part.tensors[int(part.inputs[0])])}), "
            "and no image; to score it, write a model with an input such as (1, 28, 28, 1)"
        )


def require_classes(model):
    """Raise ModelError, saying what to do, unless the one answer of a model can name a class."""
    require_scorable(model)
    part = model.parsed.subgraphs[0]
    _require_one_row(shape_of(part.tensors[int(part.outputs[0])]))


def _require_one_row(shape):
    """Raise ModelError if an answer has more than one axis behind that of the batch, as a map."""
    if len([n for n in shape[1:] if n > 1]) > 1:
        raise ModelError(
            f"this model answers a picture with an array of shape {with_gaps(shape[1:])}, such as "
            "a map or another picture, and that names no class. To score it, write a model that "
            f"ends with one number for each class. {STILL}"
        )


def described(tensor):
    """Name and shape of a tensor; a size that is left open is a question mark."""
    name = printable((tensor.name or b"").decode("utf-8", "replace"), 60)
    return f"{name} {with_gaps(signature(tensor))}"


def shape_with_gaps(tensor):
    """A tensor's shape in words, with a question mark for each size behind the batch left open."""
    return with_gaps((*shape_of(tensor)[:1], *signature(tensor)[1:]))


def decided(model, answers):
    """The class of each image, from a row of answers for each; of equals the first."""
    _require_one_row(answers.shape)
    rows = answers.reshape(len(answers), -1)
    if rows.dtype.kind == "f" and (lost := int(np.isnan(rows).any(1).sum())):
        raise ModelError(
            f"this model answers {lost:,} of {len(rows):,} pictures with NaN, which names no "
            "class; a weight may be NaN or too large, so train it again with a smaller learning "
            "rate"
        )
    if rows.shape[1] > 1 and answers.dtype.name in ("int8", "uint8", "int16"):
        return rows.argmax(1)  # codes: the file need not be read to know what they are
    made_by, _ = _decider(model.parsed)
    if made_by is None and rows.shape[1] == 1:  # it has decided itself, as with ARG_MAX
        return rows[:, 0].astype(np.int64)
    if made_by in THRESHOLDS and rows.shape[1] == 1:
        return (_real(model, rows[:, 0]) > THRESHOLDS[made_by]).astype(np.int64)
    if made_by is None or rows.shape[1] == 1:
        raise ModelError(_meaningless(made_by, rows.shape[1]))
    return rows.argmax(1)


def decision(model):
    """What names the class in a model's answer, in words."""
    made_by, _ = _decider(model.parsed)
    if made_by is None:
        return "The output is itself the number of the class"
    if made_by in THRESHOLDS and _answer_count(model) == 1:
        return f"The class is 1 if the real output is above {THRESHOLDS[made_by]:g}, and else 0"
    return "The largest output names the class"


def class_count(model):
    """How many classes a model tells apart; None if it decides itself, and does not say."""
    return 2 if (answers := _answer_count(model)) == 1 else answers


def _answer_count(model):
    """How many numbers a model answers with; None if it decides itself."""
    graph, (made_by, made) = model.parsed.subgraphs[0], _decider(model.parsed)
    given, answer = (shape_of(graph.tensors[int(i)]) for i in (graph.inputs[0], made))
    if made_by is None:
        return None
    return math.prod(answer) // max(1, given[0] if given else 1)


def _decider(graph):
    """What makes the answers, behind what passes them on, and its tensor; None if it decides."""
    part = graph.subgraphs[0]
    makers = {int(x.outputs[0]): x for x in part.operators}
    index = int(part.outputs[0])
    while part.tensors[index].type not in _WHOLE:
        if index not in makers:
            return "the input", index
        maker = makers.pop(index)  # so that a file which runs in a circle comes to an end
        if (name := op_name(graph, maker)) not in PASSING:
            return name, index
        index = int(maker.inputs[0])
    return None, index


def _real(model, codes):
    """The real values of codes, on the grid of the output; float answers are real already."""
    graph = model.parsed.subgraphs[0]
    held = graph.tensors[int(graph.outputs[0])].quantization
    if codes.dtype.kind == "f" or held is None or held.scale is None or not len(held.scale):
        return codes
    return np.float64(held.scale[0]) * (codes.astype(np.int64) - int(held.zeroPoint[0]))


def _meaningless(made_by, count):
    if made_by is None:
        return f"this model answers {count} whole numbers for each image, which name no one class"
    return (
        f"this model answers one number, made by {made_by}, for each image; that names no class. "
        "End it with one output for each class, or with one sigmoid or tanh for two classes"
    )
