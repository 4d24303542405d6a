"""A `.tflite` file as an object: read it, check it, list its layers, write it."""

from __future__ import annotations

import gzip
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.system import isolated
from qlab.system.files import write_whole
from qlab.system.providers import provided
from qlab.tflite.reading import Damaged, Reader
from qlab.tflite.sparse_tensors import LARGEST as MOST_UNPACKED
from qlab.tflite.sparse_tensors import expanded

LARGEST_FILE = 256 * 2**20
MOST_AXES = 64  # of an array of NumPy
TRIAL_MEMORY = 4 * 2**30  # bytes, for running a file from outside once
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
PLUMBING = ("QUANTIZE", "DEQUANTIZE", "DENSIFY")
DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT16: np.dtype("<i2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.BOOL: np.dtype("?"),
}
_OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
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

    Examples
    --------
    >>> import qlab
    >>> model = qlab.pretrained("baseline")
    >>> [layer.name for layer in model.layers if layer.weights is not None]
    ['conv1', 'conv2', 'dense1', 'logits']
    """

    def __init__(self, data):
        self.data = bytes(data)

    @classmethod
    def from_file(cls, path):
        """Read and check a file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        LiteModel

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelError
            If it is not a `.tflite` file that LiteRT can run.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}; look at its name and at its folder")
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelError(f"{path.name} has {size:,} bytes; qlab reads at most {LARGEST_FILE:,}")
        return cls.from_bytes(path.read_bytes(), name=path.name)

    @classmethod
    def from_bytes(cls, data, name="this model"):
        """Check the bytes of a file, and try it in a process of its own.

        A malformed file can end the process that runs it. So its structure is read in Python
        first, in time and memory that its size bounds; then a child process loads it and runs one
        blank image.

        Parameters
        ----------
        data : bytes
        name : str
            What to call it in an error.

        Returns
        -------
        LiteModel

        Raises
        ------
        ModelError
            If the bytes are not a `.tflite` file that LiteRT can run.
        """
        model = cls(data)
        model._check(name)
        _try_elsewhere(model.data, name)
        return model

    @classmethod
    def from_keras(cls, keras_model):
        """Convert a Keras 2 model to float32.

        Parameters
        ----------
        keras_model : tf_keras.Model

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
        return model

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
        """int: size of the gzipped file, bytes."""
        return len(gzip.compress(self.data, compresslevel=6, mtime=0))

    def packed(self):
        """Return the same model with weights of 4 bits or fewer stored two to a byte.

        Returns
        -------
        LiteModel

        Notes
        -----
        LiteRT runs it, more slowly; see `qlab.tflite.packing.packed`.
        """
        from qlab.tflite.packing import packed

        return packed(self)

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
        """Return the layer of this name.

        Raises
        ------
        ValueError
            If there is none; the message lists the names.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"no layer is called {name!r}; there are {', '.join(x.name for x in self.layers)}"
        )

    def anatomy(self):
        """Where the file's bytes are.

        Returns
        -------
        dict of str to int
            Bytes of ``weights``, ``biases``, ``scales``, ``names``, ``graph`` and ``padding``;
            they add up to the size of the file.

        Examples
        --------
        >>> import qlab
        >>> model = qlab.pretrained("baseline")
        >>> parts = model.anatomy()
        >>> sum(parts.values()) == model.file_bytes, parts["weights"] == 4 * 75_426
        (True, True)
        """
        from qlab.tflite.anatomy import anatomy

        return anatomy(self)

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
        if problem:
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


def pack(graph):
    """Write an object tree as the bytes of a `.tflite` file.

    Parameters
    ----------
    graph : ModelT

    Returns
    -------
    bytes
    """
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def op_name(model, operator):
    """TFLite's name of an operator, such as ``CONV_2D``."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _OP_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "unknown")


def constant(model, index):
    """The numbers of a constant tensor, in its shape and dtype; None for an activation."""
    if index < 0:
        return None
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    values = np.frombuffer(np.asarray(data, np.uint8), DTYPES[tensor.type])
    if tensor.sparsity is not None:
        return expanded(values, _shape(tensor), tensor.sparsity)
    return values.reshape(_shape(tensor))


def stored_index(model, index):
    """The constant behind a tensor: itself, or what DENSIFY and DEQUANTIZE steps make it from."""
    for _ in range(2):
        for producer in model.subgraphs[0].operators:
            if index in producer.outputs and op_name(model, producer) in ("DENSIFY", "DEQUANTIZE"):
                index = int(producer.inputs[0])
                break
    return index


def _layer(model, operator, taken):
    """Describe one operator under a name that is not in `taken`."""
    op = op_name(model, operator)
    inputs = [int(i) for i in operator.inputs if i >= 0]
    weights = bias = None
    if op in WEIGHTED:
        inputs = inputs[:1]
        weights = _stored(model, operator, 1)
        bias = _stored(model, operator, 2)
    fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return Layer(
        name=_short_name(model, operator, op, weights is not None, taken),
        op=op,
        weights=weights,
        bias=bias,
        inputs=tuple(i for i in inputs if _is_activation(model, i)),
        output=int(operator.outputs[0]),
        activation=_ACTIVATIONS.get(fused, "NONE"),
    )


def _stored(model, operator, position):
    """Constant at this input position, looking through DEQUANTIZE and DENSIFY; None if absent."""
    if len(operator.inputs) <= position:
        return None
    index = stored_index(model, int(operator.inputs[position]))
    if index < 0:
        return None
    if model.subgraphs[0].tensors[index].type == schema.TensorType.INT4:
        return unpack_int4(model, index)
    return constant(model, index)


def unpack_int4(model, index):
    """Codes of a packed INT4 tensor, as int8; the low half of each byte comes first."""
    tensor = model.subgraphs[0].tensors[index]
    packed = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[
        : int(np.prod(_shape(tensor)))
    ]
    return ((codes ^ 8).astype(np.int8) - 8).reshape(_shape(tensor))


def _is_activation(model, index):
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is None or len(data) == 0


def _shape(tensor):
    return tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()


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
    if not model.subgraphs or len(model.subgraphs) != 1:
        return f"it has {len(model.subgraphs or ())} graphs; qlab works with models of one"
    graph, room = model.subgraphs[0], MOST_UNPACKED
    tensors, buffers = graph.tensors or [], model.buffers or []
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        counts = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        return f"it has {counts}; qlab works with one of each"
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
            room -= math.prod(_shape(tensor))
        if room < 0:
            return f"it leaves out zeros of more than {MOST_UNPACKED:,} numbers; qlab unpacks fewer"
    for operator in graph.operators or []:
        used = [*operator.inputs, *operator.outputs]
        if any(not -1 <= i < len(tensors) for i in used) or not len(operator.outputs):
            return "an operator names a tensor that is not there; the file is damaged"
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            return "an operator has no code; the file is damaged"
    if any(not 0 <= i < len(tensors) for i in [*graph.inputs, *graph.outputs]):
        return "an input or output is not there; the file is damaged"
    return None if graph.operators else "it has no operators"


def _wrong_size(tensor, n_bytes):
    shape = _shape(tensor)
    if len(shape) > MOST_AXES or min(shape, default=0) < 0:
        return True
    if tensor.sparsity is not None and tensor.type in DTYPES:
        stored, rest = divmod(n_bytes, DTYPES[tensor.type].itemsize)
        expanded(np.zeros(stored, np.int8), shape, tensor.sparsity)  # raises unless it fits
        return rest != 0
    count = math.prod(shape)
    if tensor.type == schema.TensorType.INT4:
        return n_bytes != (count + 1) // 2
    dtype = DTYPES.get(tensor.type)
    return dtype is None or n_bytes != count * dtype.itemsize


_TRIAL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_content=sys.stdin.buffer.read(), num_threads=1)
interpreter.allocate_tensors()
for detail in interpreter.get_input_details():
    interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
interpreter.invoke()
"""


def _try_elsewhere(data, name, seconds=30):
    """Load and run the file once in a child process; raise ModelError if that fails."""
    ended = isolated.run(_TRIAL, seconds, TRIAL_MEMORY, data)
    if ended.timed_out:
        raise ModelError(
            f"{name}: one image took LiteRT over {seconds} s; qlab needs a smaller model"
        )
    if ended.code:
        reason = ended.error if ended.error and ended.code > 0 else "its process ended"
        raise ModelError(f"{name}: LiteRT cannot run it ({reason})")
