"""What TensorFlow Lite Micro needs to know of a model: its operators, and what it cannot run."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.litemodel import WEIGHTED, op_name, require_lite_model

# The operators of MicroMutableOpResolver, by TFLite's names.
KNOWN = frozenset([
    "ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "CAST",
    "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DEPTH_TO_SPACE", "DEPTHWISE_CONV_2D",
    "DEQUANTIZE", "ELU", "EQUAL", "EXP", "EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD",
    "FULLY_CONNECTED", "GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH",
    "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND",
    "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL",
    "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "REDUCE_MAX", "RELU", "RELU6",
    "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "ROUND", "RSQRT", "SHAPE", "SIN",
    "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "SQRT",
    "SQUARE", "STRIDED_SLICE", "SUB", "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
    "ZEROS_LIKE",
])  # fmt: skip
_SPELT = {"CUMSUM": "CumSum", "PADV2": "PadV2"}


def operators(model):
    """Operators of a model, each once."""
    require_lite_model(model)
    graph = model.parsed
    return tuple(sorted({op_name(graph, x) for x in graph.subgraphs[0].operators}))


def resolver_calls(model):
    """Lines of C++ that register the operators of a model, and no others."""
    known = [op for op in operators(model) if op in KNOWN]
    calls = [f"resolver.Add{_SPELT.get(op) or _camel(op)}();" for op in known]
    return (f"tflite::MicroMutableOpResolver<{len(known)}> resolver;", *calls)


def obstacles(model):
    """Why TensorFlow Lite Micro could not run this model as it is."""
    found = [f"It has no operator {op}." for op in operators(model) if op not in KNOWN]
    pairs = set(_pairs(model.parsed))
    kinds = schema.TensorType
    if any(
        data == kinds.FLOAT32 and weights in (kinds.INT8, kinds.INT4) for data, weights in pairs
    ):
        found.append(
            "It does not run dynamic range quantization: integer weights need integer activations."
        )
    if _unpacks_float16(model.parsed):
        found.append("Its DEQUANTIZE takes int8 and int16, not the float16 weights of this model.")
    return tuple(found)


def needs_int4(model):
    """Whether the model has weights of 4 bits, packed two to a byte."""
    return any(weights == schema.TensorType.INT4 for _, weights in _pairs(model.parsed))


def _camel(op):
    """``MAX_POOL_2D`` as ``MaxPool2D``."""
    return op.title().replace("_", "")


def _pairs(graph):
    """Types of the input and of the weights of each layer that has weights."""
    tensors = graph.subgraphs[0].tensors
    for operator in graph.subgraphs[0].operators:
        if op_name(graph, operator) in WEIGHTED:
            yield tensors[operator.inputs[0]].type, tensors[operator.inputs[1]].type


def _unpacks_float16(graph):
    tensors = graph.subgraphs[0].tensors
    return any(
        tensors[x.inputs[0]].type == schema.TensorType.FLOAT16
        for x in graph.subgraphs[0].operators
        if op_name(graph, x) == "DEQUANTIZE"
    )
