"""A `.tflite` file as an object: read it, check it, list its layers, write it."""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.system import isolated
from qlab.system.files import TooLarge, read_whole, write_whole
from qlab.system.providers import provided
from qlab.system.text import printable
from qlab.tflite.anatomy import byte_counts
from qlab.tflite.graph import (
    DTYPES,
    PACKED_BITS,
    is_activation,
    op_name,
    pack,
    shape_of,
    signature,
    stored_bytes,
    stored_constant,
)
from qlab.tflite.gzipping import gzip_size
from qlab.tflite.operators import MOVING, PLUMBING, WEIGHTED
from qlab.tflite.packing import pack_weights
from qlab.tflite.pixels import require_pixels
from qlab.tflite.proof import disagreeing
from qlab.tflite.reading import Damaged, Reader
from qlab.tflite.sparse_tensors import LARGEST as MOST_UNPACKED
from qlab.tflite.sparse_tensors import expanded

LARGEST_FILE = 256 * 2**20
CALLING = ("WHILE", "IF", "CALL_ONCE")  # operators that run another graph of the file
REMEDY = (
    "convert the model again from where it was trained, with the operators that LiteRT has built in"
)
CONVERTED = {  # other files of models, and what makes a `.tflite` file of them
    **dict.fromkeys(
        (".keras", ".h5", ".hdf5"),
        "for a Keras model, tf.lite.TFLiteConverter.from_keras_model(model).convert() gives the "
        "bytes; if it is of Keras 2, qlab.LiteModel.from_keras(model).save('mine.tflite') writes "
        "them too",
    ),
    ".onnx": "the package onnx2tf does it, with onnx2tf -i FILE",
    **dict.fromkeys(
        (".pt", ".pth"),
        "for a PyTorch model, the package ai-edge-torch does it, with "
        "ai_edge_torch.convert(model.eval(), (sample,)).export('mine.tflite')",
    ),
    ".pb": "tf.lite.TFLiteConverter.from_saved_model(its folder).convert() gives the bytes",
}
MOST_AXES = 64  # of an array of NumPy
TRIAL_MEMORY = 4 * 2**30  # bytes, for running a file from outside once
_ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int)}


class ModelError(ValueError):
    """A file or model that qlab cannot work with; the message says what and what to do."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator of the graph, with the numbers it carries; those of `PLUMBING` are none.

    Parameters
    ----------
    name : str
        Short and unique, from the names in the file, such as ``conv1``.
    op : str
        TFLite's name of the operator, such as ``CONV_2D``.
    weights : ndarray or None
        As stored, output channel first (last for DEPTHWISE_CONV_2D); None if there are none.
    bias : ndarray or None
    inputs : tuple of int
        Indices of the activation tensors read (constants left out).
    output : int
        Index of the tensor written.
    activation : str
        Fused activation, such as ``RELU`` or ``NONE``.
    """

    name: str
    op: str
    weights: np.ndarray | None
    bias: np.ndarray | None
    inputs: tuple[int, ...]
    output: int
    activation: str

    @property
    def channel_axis(self):
        """int: which axis of the weights counts output channels."""
        return 3 if self.op == "DEPTHWISE_CONV_2D" else 0


class LiteModel:
    """A `.tflite` model. Immutable: editing makes a new one.

    Parameters
    ----------
    data : bytes
        The file. Trusted: for anything from outside use `from_file` or `from_bytes`, which check.
    pixels : str or None
        How it wants its pixels, as in `with_pixels`; None if nobody has said.

    Examples
    --------
    >>> import qlab
    >>> model = qlab.pretrained("baseline")
    >>> [layer.name for layer in model.layers if layer.weights is not None]
    ['conv1', 'conv2', 'dense1', 'logits']
    """

    def __init__(self, data, pixels=None):
        self.data = bytes(data)
        self.pixels = None if pixels is None else require_pixels(pixels)

    @classmethod
    def from_file(cls, path, pixels=None):
        """Read and check a file.

        Parameters
        ----------
        path : str or Path
        pixels : str or None
            As in `with_pixels`.

        Returns
        -------
        LiteModel

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelError
            If it is not a `.tflite` file that LiteRT can run, or a weight is NaN or infinite.
        """
        path = Path(path)
        if path.is_dir():
            raise ModelError(
                f"{path.name} is a folder; give the .tflite file in it. If it is a SavedModel, "
                "tf.lite.TFLiteConverter.from_saved_model(folder).convert() gives such a file"
            )
        if how := CONVERTED.get(path.suffix.lower()):
            raise ModelError(f"{path.name} is no .tflite file, so convert it first: {how}")
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}; look at its name and at its folder")
        try:
            data = read_whole(path, LARGEST_FILE)
        except TooLarge:
            size = path.stat().st_size
            raise ModelError(
                f"{path.name} has {size:,} bytes; qlab reads at most {LARGEST_FILE:,}"
            ) from None
        return cls.from_bytes(data, path.name, pixels)

    @classmethod
    def from_bytes(cls, data, name="this model", pixels=None):
        """Check the bytes of a file, and try it in a process of its own.

        A malformed file can end the process that runs it. So its structure is read in Python
        first, in time and memory that its size bounds; then a child process loads it and runs one
        blank image.

        Parameters
        ----------
        data : bytes
        name : str
            What to call it in an error.
        pixels : str or None
            As in `with_pixels`.

        Returns
        -------
        LiteModel

        Raises
        ------
        ModelError
            If the bytes are not a `.tflite` file that LiteRT can run, or a weight is NaN or
            infinite.
        """
        model = cls(data)
        model._check(name)
        _try_elsewhere(model, name)
        return model if pixels is None else model.with_pixels(pixels)

    @classmethod
    def from_keras(cls, keras_model, pixels=None):
        """Convert a Keras 2 model to float32.

        Parameters
        ----------
        keras_model : tf_keras.Model
        pixels : str or None
            As in `with_pixels`.

        Returns
        -------
        LiteModel

        Raises
        ------
        TypeError
            If it is not a Keras 2 model.
        ValueError
            If the converter refuses it, or it has more than one output.
        """
        model = cls(provided("converter")(keras_model, "float32"))
        model._check(f"the model {keras_model.name}")
        return model if pixels is None else model.with_pixels(pixels)

    def with_pixels(self, pixels):
        """The same file, with what a pixel of 0 to 255 is to it; all that is made of it knows too.

        Parameters
        ----------
        pixels : str
            ``0 to 1``, as the course's models want it, ``0 to 255`` or ``-1 to 1``. It concerns
            images of uint8: those of float32 are taken as they are.

        Returns
        -------
        LiteModel

        Raises
        ------
        ValueError
            If it is none of the three, or the model takes whole pixels, which are never scaled.

        Examples
        --------
        >>> import qlab
        >>> qlab.pretrained("baseline").with_pixels("-1 to 1").pixels
        '-1 to 1'
        """
        if require_pixels(pixels) != "0 to 255" and self.takes_pixels:
            raise ValueError(
                f"this model takes whole numbers without a scale, the pixels 0 to 255 themselves, "
                f"so they cannot be {pixels}; choose '0 to 255'"
            )
        return type(self)(self.data, pixels)

    @property
    def takes_pixels(self):
        """bool: whether its input is of whole numbers without a scale: pixels, 0 to 255."""
        graph = self.parsed.subgraphs[0]
        tensor = graph.tensors[int(graph.inputs[0])]
        grid = tensor.quantization
        whole = DTYPES.get(tensor.type, np.dtype("f4")).kind in "iu"
        return whole and (grid is None or grid.scale is None or not len(grid.scale))

    @property
    def picture_shape(self):
        """tuple of int: sizes of one picture that it takes, -1 where the file leaves one open."""
        graph = self.parsed.subgraphs[0]
        return signature(graph.tensors[int(graph.inputs[0])])[1:]

    def edited(self, graph):
        """A model of an object tree that was made from this one; it wants its pixels alike."""
        return type(self)(pack(graph), self.pixels)

    def to_bytes(self):
        """Return the file's bytes."""
        return self.data

    def save(self, path):
        """Write the file, whole or not at all.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Path

        Raises
        ------
        OSError
            If the folder does not exist or cannot be written.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}; make it first")
        return write_whole(path, self.data)

    @property
    def file_bytes(self):
        """int: size of the file, bytes."""
        return len(self.data)

    @cached_property
    def gzip_bytes(self):
        """int: size of the file gzipped at level 6, bytes."""
        return gzip_size(self.data)

    def packed(self):
        """Return the same model with weights of few bits stored several to a byte.

        Those of 4 bits share a byte by twos, and in dense layers those of 2 bits by fours, since
        LiteRT has no convolution of 2 bits. It runs the file, more slowly. Where activations are
        float, the file predicts as this one does. Where they are integers, some of LiteRT's kernels
        for packed weights round a sum twice, so a code may differ by one step, and so may the
        answer to a picture that lies between two classes. Before you get the file, each packed
        layer has answered a few pictures so. It is this model itself if nothing fits.

        Raises
        ------
        ModelError
            If LiteRT answers otherwise, or not at all, once a layer is packed.
        """
        return self._proved

    @property
    def packed_bytes(self):
        """int: size of the file that `packed` gives, bytes; the file itself is not tried."""
        return self._packed.file_bytes

    @property
    def packed_gzip_bytes(self):
        """int: size of that file, gzipped, bytes."""
        return self._packed.gzip_bytes

    @cached_property
    def _packed(self):
        graph = self.graph()
        return self.edited(graph) if pack_weights(graph) else self

    @cached_property
    def _proved(self):
        """The packed model, once LiteRT has answered with it as with this one."""
        if self._packed is self:
            return self
        remedy = "use the file as it is, without packed()"
        try:
            wrong = disagreeing(self.parsed, self._packed.data)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"packed, LiteRT cannot run this model: {error}; {remedy}") from error
        if wrong:
            names = ", ".join(x.name for x in self.layers if x.output in wrong)
            raise ModelError(
                f"packed, LiteRT answers otherwise for {names}; give that layer 8 bits, or {remedy}"
            )
        return self._packed

    def graph(self):
        """Return a fresh, editable object tree of the file (the schema's ``ModelT``)."""
        return Reader(self.data).model()

    @cached_property
    def parsed(self):
        """ModelT: the object tree of the file; read only."""
        return self.graph()

    @cached_property
    def layers(self):
        """tuple of Layer: the operators, in the order in which they run."""
        model = self.parsed
        names, layers = set(), []
        for operator in model.subgraphs[0].operators:
            if op_name(model, operator) in PLUMBING:
                continue
            layer = _layer(model, operator, names)
            names.add(layer.name)
            layers.append(layer)
        return tuple(layers)

    def layer(self, name):
        """Return the layer of this name; ValueError lists the names if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"no layer is called {name!r}; there are {', '.join(x.name for x in self.layers)}"
        )

    def anatomy(self):
        """Where the file's bytes are; the parts add up to the size of the file.

        They are weights, biases, scales, names, graph and padding; and "appended" where something
        was put behind the model, such as a zip with the names of the classes.

        >>> import qlab
        >>> model = qlab.pretrained("baseline")
        >>> parts = model.anatomy()
        >>> sum(parts.values()) == model.file_bytes, parts["weights"] == 4 * 75_426
        (True, True)
        """
        return byte_counts(self.data)

    def __repr__(self):
        return f"LiteModel({self.file_bytes:,} bytes, {len(self.layers)} layers)"

    def _check(self, name):
        """Raise ModelError unless the structure is sound: indices in range, sizes that agree."""
        try:
            problem = _problem(self.parsed)
        except Damaged as error:
            words = str(error).removeprefix("it ")
            raise ModelError(f"{name} {words}; save or download it again") from error
        except (IndexError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{name} is damaged or truncated; save or download it again"
            ) from error
        if problem := problem or not_finite(self):
            raise ModelError(f"{name}: {problem}")


def require_lite_model(model):
    """Raise in words unless `model` is a `LiteModel`; a Keras model is the likeliest slip."""
    if isinstance(model, LiteModel):
        return
    kind = type(model).__name__
    remedy = "qlab.LiteModel.from_keras converts a Keras model"
    if isinstance(model, str | bytes | os.PathLike):
        remedy = "qlab.LiteModel.from_file reads a .tflite file"
    raise TypeError(f"this takes a qlab.LiteModel, not a {kind}; {remedy}")


def require_sizes(model):
    """Raise ModelError unless a file says how large its pictures are, and so what one costs."""
    graph = model.parsed.subgraphs[0]
    shapes = (signature(graph.tensors[int(i)]) for i in graph.inputs)
    if shape := next((x for x in shapes if -1 in x[1:]), None):
        raise ModelError(
            f"the input has the shape {with_gaps(shape)}, so what a picture costs depends on its "
            "size; give data of the size that you want, convert the model again with a fixed size, "
            "such as keras.Input((28, 28, 1)), or write the size into it with "
            "qlab.runtime.of_size(model, (28, 28, 1))"
        )


def with_gaps(shape):
    """A shape in words, with a question mark for a size that is left open."""
    return "(" + ", ".join("?" if n < 0 else str(int(n)) for n in shape) + ")"


def _layer(model, operator, taken):
    """Describe one operator under a name that is not in `taken`."""
    op = op_name(model, operator)
    inputs = [int(i) for i in operator.inputs if i >= 0]
    weights = bias = None
    if op in WEIGHTED and (weights := stored_constant(model, operator, 1)) is not None:
        inputs = inputs[:1]
        bias = stored_constant(model, operator, 2)
    fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return Layer(
        name=_short_name(model, operator, op, weights is not None, taken),
        op=op,
        weights=weights,
        bias=bias,
        inputs=tuple(i for i in inputs if is_activation(model, i)),
        output=int(operator.outputs[0]),
        activation=_ACTIVATIONS.get(fused, "NONE"),
    )


def _short_name(model, operator, op, weighted, taken):
    """Name of a layer out of the converter's long names: the part before the last operator word."""
    index = operator.inputs[1] if weighted else operator.outputs[0]
    full = (model.subgraphs[0].tensors[int(index)].name or b"").decode("utf-8", "replace")
    parts = [part for part in full.split(";")[-1].split(":")[0].split("/") if part]
    name = parts[-2] if len(parts) > 1 else op.lower()
    if name in taken:
        name = f"{name}_{op.lower()}"
    unique, i = name, 2
    while unique in taken:
        unique, i = f"{name}_{i}", i + 1
    return unique


def _problem(model):
    """What is wrong with a model's structure, in words; None if nothing is."""
    if not model.subgraphs:
        return "it has no graph; the file is damaged"
    graph, room = model.subgraphs[0], [MOST_UNPACKED]
    if not len(graph.inputs) or not len(graph.outputs):
        return "it takes nothing in or gives nothing out; write it again with both"
    problems = (_problem_of(model, x, room) for x in model.subgraphs)
    if problem := next((x for x in problems if x), None):
        return problem
    for one in model.signatureDefs or ():
        tensors = model.subgraphs[one.subgraphIndex].tensors
        ends = (*(one.inputs or ()), *(one.outputs or ()))
        if any(not 0 <= x.tensorIndex < len(tensors) for x in ends):
            return "a signature names a tensor that is not there; the file is damaged"
    for end, indices in (("takes", graph.inputs), ("answers with", graph.outputs)):
        for kind in {graph.tensors[int(i)].type for i in indices} - {*DTYPES}:
            name = {v: k for k, v in vars(schema.TensorType).items()}.get(kind, "an unknown type")
            return (
                f"it {end} {name}, and qlab works with plain numbers; write a model of numbers "
                "alone, and turn text into numbers before the model gets it"
            )
    return None


def not_finite(model):
    """Which weights or scales are NaN or infinite, in words; None if none are."""
    for layer in model.layers:
        for held, what in ((layer.weights, "NaN or infinite weights"),
                           (layer.bias, "a NaN or infinite bias")):  # fmt: skip
            if held is not None and held.dtype.kind == "f" and not np.isfinite(held).all():
                return f"layer {layer.name} has {what}; train it again"
    for tensor in (x for part in model.parsed.subgraphs for x in part.tensors):
        grid = tensor.quantization
        if grid is not None and grid.scale is not None and not np.isfinite(grid.scale).all():
            return "a scale is NaN or infinite; quantize the float model again"
    return None


def _problem_of(model, graph, room):
    """What is wrong with the structure of one graph; `room` is left for zeros left out."""
    tensors, buffers = graph.tensors or [], model.buffers or []
    for tensor in tensors:
        if not 0 <= tensor.buffer < len(buffers):
            return "a tensor names a buffer that is not there; the file is damaged"
        data = buffers[tensor.buffer].data
        try:
            name = (tensor.name or b"").decode("utf-8")
        except UnicodeDecodeError:
            return "a tensor's name is not text; the file is damaged"
        if data is None or not len(data):
            continue
        if _wrong_size(tensor, len(data)):
            return (
                f"tensor {name} does not have as many bytes as its shape says; the file is damaged"
            )
        if tensor.sparsity is not None:
            room[0] -= math.prod(shape_of(tensor))
        if room[0] < 0:
            return f"it leaves out zeros of more than {MOST_UNPACKED:,} numbers; qlab unpacks fewer"
    for operator in graph.operators or []:
        used = [*operator.inputs, *operator.outputs]
        if any(not -1 <= i < len(tensors) for i in used) or not len(operator.outputs):
            return "an operator names a tensor that is not there; the file is damaged"
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            return "an operator has no code; the file is damaged"
        if what := _without_room(model, operator, tensors):
            return f"an operator moves numbers into a tensor of another {what}; the file is damaged"
    if any(not 0 <= i < len(tensors) for i in [*graph.inputs, *graph.outputs]):
        return "an input or output is not there; the file is damaged"
    return None if graph.operators else "it has no operators"


def _without_room(model, operator, tensors):
    """What differs in the tensors of an operator for which LiteRT would leave its memory."""
    op = op_name(model, operator)
    read = operator.inputs[op == "SPLIT" :]  # its axis comes first
    if not len(read) or min(read[0], operator.outputs[0]) < 0:
        return None
    first, last = tensors[read[0]], tensors[operator.outputs[0]]
    kinds = {first.type, last.type}
    if op in MOVING and len(kinds) > 1 and not kinds & {*PACKED_BITS}:
        return "type"
    constant_too = model.buffers[first.buffer].data is not None and op in PLUMBING
    return "shape" if constant_too and shape_of(first) != shape_of(last) else None


def _wrong_size(tensor, n_bytes):
    shape = shape_of(tensor)
    if len(shape) > MOST_AXES or min(shape, default=0) < 0:
        return True
    if tensor.sparsity is not None and tensor.type in DTYPES:
        stored, rest = divmod(n_bytes, DTYPES[tensor.type].itemsize)
        expanded(np.zeros(stored, np.int8), shape, tensor.sparsity)  # raises unless it fits
        return rest != 0
    return stored_bytes(tensor.type, math.prod(shape)) not in (n_bytes, None)


_TRIAL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def run(content):
    interpreter = Interpreter(model_content=content, num_threads=1)
    for detail in interpreter.get_input_details():
        left_open = [left < 0 for left in detail["shape_signature"]]
        if any(left_open[1:]):
            shape = [64 if left else int(own) for left, own in zip(left_open, detail["shape"])]
            interpreter.resize_tensor_input(detail["index"], [1, *shape[1:]])
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()

try:
    run(sys.stdin.buffer.read())
except (RuntimeError, ValueError) as error:
    sys.exit(" ".join(str(error).split()))  # all of it in one line
"""


def _try_elsewhere(model, name, seconds=30):
    """Load and run the file once in a child process; raise ModelError if that fails."""
    ended = isolated.run(_TRIAL, seconds, TRIAL_MEMORY, model.data)
    if ended.timed_out:
        raise ModelError(
            f"{name}: one image took LiteRT over {seconds} s; qlab needs a smaller model"
        )
    if ended.code > 0:
        raise ModelError(f"{name}: LiteRT cannot run it: {in_words(model, ended.error)}")
    if ended.code:
        try:
            where = _first_failing(model)
        except Exception:  # whatever a damaged file makes of it, the crash is what matters
            where = "one of its operators"
        raise ModelError(
            f"{name}: LiteRT crashes in {where}. It did so in a process of its own, so nothing "
            f"here was harmed; {REMEDY}"
        )


def _first_failing(model):
    """The first operator with which a file cannot run, in words: found by halving."""
    operators, low = model.parsed.subgraphs[0].operators, 0
    high = len(operators)
    while high - low > 1:
        middle = (low + high) // 2
        graph = model.graph()
        part = graph.subgraphs[0]
        part.operators = part.operators[:middle]
        part.outputs, graph.signatureDefs = part.operators[-1].outputs, None
        failed = isolated.run(_TRIAL, 10, TRIAL_MEMORY, pack(graph)).code
        low, high = (low, middle) if failed else (middle, high)
    return _called(model, high - 1)


def _called(model, number):
    """Layer and operator of one step of the first graph, in words."""
    operator = model.parsed.subgraphs[0].operators[number]
    output, name = int(operator.outputs[0]), f"number {number}"
    with suppress(Exception):  # a damaged file may have no layers that can be listed
        name = next((x.name for x in model.layers if x.output == output), name)
    return f"layer {printable(name, 60)} ({printable(_full_name(model, operator), 60)})"


def _full_name(model, operator):
    """Name of an operator; that of a custom one is told by the file."""
    custom = model.parsed.operatorCodes[operator.opcodeIndex].customCode or b""
    name = op_name(model.parsed, operator)
    return f"{name} {custom.decode('utf-8', 'replace')}" if name == "CUSTOM" else name


def in_words(model, error):
    """What LiteRT's own message says of a file: which layer it is about, and what to do."""
    try:
        operators = model.parsed.subgraphs[0].operators
    except Damaged as damage:
        return f"{damage}; save or download it again"
    for number, op in re.findall(r"[Nn]ode number (\d+) \((\w+)\)", str(error)):
        if int(number) < len(operators) and op in _full_name(model, operators[int(number)]):
            called = f"it refuses {_called(model, int(number))}."
            if "SHAPE" in {op_name(model.parsed, x) for x in operators}:
                return (
                    f"{called} Sizes are worked out in it while it runs: convert the model again "
                    "for one picture at a time, with keras.Input((28, 28, 1), batch_size=1), so "
                    "that they are fixed"
                )
            return f"{called} {REMEDY[0].upper()}{REMEDY[1:]}"
    graph = model.parsed.subgraphs[0]
    shapes = [signature(graph.tensors[int(i)]) for i in graph.inputs]
    if shape := next((x for x in shapes if -1 in x[1:]), None):
        return (
            f"its input has the shape {with_gaps(shape)}, and the size that is left open does not "
            "suit its layers. Convert the model again with a fixed size, such as "
            "keras.Input((28, 28, 1))"
        )
    return f"{printable(str(error), 300).rstrip('. ')}. {REMEDY[0].upper()}{REMEDY[1:]}"
