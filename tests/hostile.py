"""Files for the challenge, made by hand: honest small ones, and malicious ones of each kind."""

import flatbuffers
import numpy as np
import psutil
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel

FLOAT32, INT32, INT64 = (getattr(schema.TensorType, x) for x in ("FLOAT32", "INT32", "INT64"))
TYPES = {"float32": FLOAT32, "int32": INT32, "int64": INT64, "int8": schema.TensorType.INT8}
PICTURE = (1, 28, 28, 1)


class Graph:
    """A graph in the making: tensors, then operators, then `bytes()`."""

    def __init__(self, shape=PICTURE, kind=FLOAT32):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self.picture = self.tensor(shape, kind)
        self.graph.inputs = [self.picture]

    def tensor(self, shape, kind=FLOAT32, buffer=0):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), kind, buffer
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values):
        values = np.asarray(values)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self.tensor(values.shape, TYPES[values.dtype.name], len(self.model.buffers) - 1)

    def add(self, name, inputs, shape, kind=FLOAT32, options=None, **settings):
        """Append an operator that writes one new tensor; return that tensor."""
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(127, code.builtinCode), 1
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for key, value in settings.items():
                setattr(operator.builtinOptions, key, value)
        operator.inputs, operator.outputs = list(inputs), [self.tensor(shape, kind)]
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def means(self, source=None):
        """The picture's mean brightness ten times: an honest, useless classifier."""
        source = self.picture if source is None else source
        axes = self.constant(np.array([1, 2], np.int32))
        mean = self.add("MEAN", [source, axes], (1, 1), options="ReducerOptions")
        return self.add("MUL", [mean, self.constant(np.ones(10, np.float32))], (1, 10))

    def bytes(self, output):
        self.graph.outputs = [output]
        return pack(self.model)


def honest():
    graph = Graph()
    return graph.bytes(graph.means())


def endless():
    """WHILE true: a loop that LiteRT itself runs without complaint."""
    graph = Graph()
    answer = graph.means()
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHILE
    graph.model.operatorCodes.append(code)
    operator.opcodeIndex = len(graph.model.operatorCodes) - 1
    operator.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    operator.builtinOptions = schema.WhileOptionsT()
    operator.builtinOptions.condSubgraphIndex, operator.builtinOptions.bodySubgraphIndex = 1, 2
    operator.inputs, operator.outputs = [answer], [graph.tensor((1, 10))]
    graph.graph.operators.append(operator)
    graph.model.subgraphs += [_condition(graph.model), _body(graph.model)]
    return graph.bytes(operator.outputs[0])


def _subgraph(model, name, types):
    graph, code, operator = schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    graph.operators, graph.tensors = [operator], []
    for shape, kind in types:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = np.array(shape, np.int32), kind, b"x"
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs = [0], [len(types) - 1]
    operator.inputs, operator.outputs = [0, 0], graph.outputs
    return graph


def _condition(model):
    """Whether the first of the ten equals itself: always."""
    graph = _subgraph(model, "EQUAL", [((1, 10), FLOAT32), ((1, 10), schema.TensorType.BOOL)])
    reduce, code, axes = schema.OperatorT(), schema.OperatorCodeT(), schema.TensorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.REDUCE_ANY
    model.operatorCodes.append(code)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array([0, 1], np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    axes.shape, axes.type, axes.buffer = np.array([2], np.int32), INT32, len(model.buffers) - 1
    answer = schema.TensorT()
    answer.shape, answer.type = np.array([], np.int32), schema.TensorType.BOOL
    axes.name = answer.name = b"y"
    graph.tensors += [axes, answer]
    reduce.opcodeIndex = len(model.operatorCodes) - 1
    reduce.inputs, reduce.outputs = [1, 2], [3]
    reduce.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
    reduce.builtinOptions = schema.ReducerOptionsT()
    graph.operators.append(reduce)
    graph.outputs = [3]
    return graph


def _body(model):
    graph = _subgraph(model, "MAXIMUM", [((1, 10), FLOAT32), ((1, 10), FLOAT32)])
    graph.operators[0].builtinOptionsType = schema.BuiltinOptions.MaximumMinimumOptions
    graph.operators[0].builtinOptions = schema.MaximumMinimumOptionsT()
    return graph


def enlarged(side, declared=(1, 1, 1, 1)):
    """A picture blown up to `side` by `side`, while the file claims the shape `declared`."""
    graph = Graph()
    size = graph.constant(np.array([side, side], np.int32))
    large = graph.add(
        "RESIZE_BILINEAR", [graph.picture, size], declared, options="ResizeBilinearOptions"
    )
    return graph.bytes(graph.means(large))


def nothing_but_nan():
    graph = Graph()
    nan = graph.constant(np.full(10, np.nan, np.float32))
    return graph.bytes(graph.add("MUL", [graph.means(), nan], (1, 10)))


def reshaped_while_running(shape):
    """A RESHAPE whose target is computed only when it runs, so that LiteRT cannot plan for it."""
    graph = Graph()
    wanted = graph.constant(np.array(shape, np.int64))
    wanted = graph.add("CAST", [wanted], (len(shape),), INT32, "CastOptions", inDataType=INT64)
    graph.graph.operators[-1].builtinOptions.outDataType = INT32
    # It depends on the picture too, or LiteRT would compute it once and for all.
    zero = graph.constant(np.zeros((), np.float32))
    axes = graph.constant(np.array([0, 1, 2, 3], np.int32))
    mean = graph.add("MEAN", [graph.picture, axes], (), options="ReducerOptions")
    nothing = graph.add("MUL", [mean, zero], (), options="MulOptions")
    nothing = graph.add("CAST", [nothing], (), INT32, "CastOptions", outDataType=INT32)
    wanted = graph.add("ADD", [wanted, nothing], (len(shape),), INT32, "AddOptions")
    ten = graph.means()
    return graph.bytes(graph.add("RESHAPE", [ten, wanted], (1, 10), options="ReshapeOptions"))


def answers_by_position(labels):
    """A file that never looks: it holds the class of each picture, in the order of the test set."""
    graph = Graph((len(labels), 28, 28, 1))
    ten = graph.means()
    blank = graph.add("MUL", [ten, graph.constant(np.zeros(10, np.float32))], (len(labels), 10))
    answers = graph.constant(np.eye(10, dtype=np.float32)[labels])
    return graph.bytes(graph.add("ADD", [blank, answers], (len(labels), 10)))


SLOTS = 2**18  # of a table of answers


def table_of_pixels(images, labels):
    """A table of answers, looked up by a hash of all pixels as they are."""
    graph, factors = Graph(), np.random.default_rng(1).integers(1, 8192, 784).astype(np.int32)
    numbers = _whole_numbers(graph, graph.picture, 255.0, 784)
    slots = (images.reshape(-1, 784).astype(np.int64) * factors).sum(1) % SLOTS
    return _table(graph, _hashed(graph, numbers, factors), slots, labels)


def table_of_blocks(images, labels):
    """The same with a coarser hash: the brightness of 7 by 7 blocks, in 8 steps."""
    graph, factors = Graph(), np.random.default_rng(2).integers(1, 2**20, 49).astype(np.int32)
    sizes = {"strideH": 4, "strideW": 4, "filterHeight": 4, "filterWidth": 4}
    sizes["padding"] = schema.Padding.VALID
    blocks = graph.add(
        "AVERAGE_POOL_2D", [graph.picture], (1, 7, 7, 1), options="Pool2DOptions", **sizes
    )
    numbers = _whole_numbers(graph, blocks, 255 / 32, 49)
    means = images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49)
    slots = (np.floor(means / 32 + 0.5).astype(np.int64) * factors).sum(1) % SLOTS
    return _table(graph, _hashed(graph, numbers, factors), slots, labels)


def table_of_directions(images, labels, bits=18):
    """The coarsest: on which side of the median a picture is, along the directions of most change.

    Equal slots are shared by pictures that are alike, so that it is half a model itself.
    """
    graph, real = Graph(), images.reshape(-1, 784) / np.float32(255)
    values, vectors = np.linalg.eigh(np.cov(real[:2000].T))
    weights = vectors[:, np.argsort(-values)[:bits]].T.astype(np.float32)
    sides = real @ weights.T
    middle = np.median(sides, 0).astype(np.float32)
    flat = graph.add(
        "RESHAPE", [graph.picture, graph.constant(np.array([1, 784], np.int32))], (1, 784)
    )
    inputs = [flat, graph.constant(weights), graph.constant(-middle)]
    side = graph.add("FULLY_CONNECTED", inputs, (1, bits), options="FullyConnectedOptions")
    zero = graph.constant(np.zeros((), np.float32))
    above = graph.add("GREATER", [side, zero], (1, bits), schema.TensorType.BOOL)
    number = graph.add(
        "CAST", [above], (1, bits), INT32, "CastOptions",
        inDataType=schema.TensorType.BOOL, outDataType=INT32,
    )  # fmt: skip
    powers = (2 ** np.arange(bits)).astype(np.int32)
    slots = ((sides > middle) * powers).sum(1)
    return _table(graph, _hashed(graph, number, powers), slots, labels)


def _whole_numbers(graph, source, factor, count):
    """Numbers times a factor, to the nearest whole one, in a row."""
    shape = graph.constant(np.array([1, count], np.int32))
    row = graph.add("RESHAPE", [source, shape], (1, count))
    scaled = graph.add(
        "MUL", [row, graph.constant(np.array(factor, np.float32))], (1, count), options="MulOptions"
    )
    half = graph.constant(np.array(0.5, np.float32))
    moved = graph.add("ADD", [scaled, half], (1, count), options="AddOptions")
    return graph.add(
        "CAST", [moved], (1, count), INT32, "CastOptions", inDataType=FLOAT32, outDataType=INT32
    )


def _hashed(graph, numbers, factors):
    """A slot: the sum of whole numbers, each times its factor, as a remainder."""
    count = len(factors)
    times = graph.add(
        "MUL", [numbers, graph.constant(factors)], (1, count), INT32, options="MulOptions"
    )
    axis = graph.constant(np.array([1], np.int32))
    total = graph.add("SUM", [times, axis], (1,), INT32, options="ReducerOptions")
    return graph.add("FLOOR_MOD", [total, graph.constant(np.array(SLOTS, np.int32))], (1,), INT32)


def _table(graph, slot, slots, labels):
    """Look a class up, and write it as ten numbers; of pictures in one slot the most count."""
    votes = np.zeros((SLOTS, 10), np.int32)
    np.add.at(votes, (slots, labels), 1)
    table = graph.constant(votes.argmax(1).astype(np.int8))
    answer = graph.add("GATHER", [table, slot], (1,), TYPES["int8"], "GatherOptions")
    answer = graph.add(
        "CAST", [answer], (1,), INT32, "CastOptions",
        inDataType=TYPES["int8"], outDataType=INT32,
    )  # fmt: skip
    ten = graph.constant(np.eye(10, dtype=np.float32))
    return graph.bytes(graph.add("GATHER", [ten, answer], (1, 10), options="GatherOptions"))


def custom(name=b"FlexWriteFile"):
    graph = Graph()
    answer = graph.means()
    graph.model.operatorCodes[-1].builtinCode = schema.BuiltinOperator.CUSTOM
    graph.model.operatorCodes[-1].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    graph.model.operatorCodes[-1].customCode = name
    return graph.bytes(answer)


def one_tensor_many_times(times, graphs=1, numbers=50_000):
    """A vector of pointers that all lead to one tensor, in a graph that is pointed at likewise."""
    builder = flatbuffers.Builder(1 << 16)
    shape = builder.CreateNumpyVector(np.zeros(numbers, np.int32))
    return _stored_once(builder, shape, builder.CreateString("x"), times, graphs)


def equal_tensors(count):
    """Tensors that share one shape and one name, as a thrifty writer might store them."""
    builder = flatbuffers.Builder(1 << 16)
    shape = builder.CreateNumpyVector(np.array(PICTURE, np.int32))
    return _stored_once(builder, shape, builder.CreateString("picture" * 3), count, distinct=True)


def _stored_once(builder, shape, name, times, graphs=1, distinct=False):
    tensors = []
    for _ in range(times if distinct else 1):
        schema.TensorStart(builder)
        schema.TensorAddShape(builder, shape)
        schema.TensorAddName(builder, name)
        tensors.append(schema.TensorEnd(builder))
    tensors = _vector(builder, tensors if distinct else tensors * times)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graphs = _vector(builder, [schema.SubGraphEnd(builder)] * graphs)
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _vector(builder, tables):
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def out_of_line():
    """An honest file with all but its first bytes moved by one."""
    data = honest()
    return (int.from_bytes(data[:4], "little") + 1).to_bytes(4, "little") + b"TFL3\0" + data[8:]


def takes_bytes(model, dtype):
    """A copy of a full-integer file that takes pictures as `dtype`: one more QUANTIZE in front."""
    graph = LiteModel(model).graph()
    main = graph.subgraphs[0]
    held = main.tensors[main.inputs[0]]
    first, code, operator = schema.TensorT(), schema.OperatorCodeT(), schema.OperatorT()
    first.shape, first.type, first.name = held.shape, getattr(schema.TensorType, dtype), b"bytes"
    first.quantization = schema.QuantizationParametersT()
    first.quantization.scale = np.array(held.quantization.scale, np.float32)
    first.quantization.zeroPoint = np.array([0], np.int64)
    main.tensors.append(first)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    graph.operatorCodes.append(code)
    operator.opcodeIndex = len(graph.operatorCodes) - 1
    operator.inputs, operator.outputs = [len(main.tensors) - 1], list(main.inputs)
    main.operators.insert(0, operator)
    main.inputs = [len(main.tensors) - 1]
    graph.signatureDefs = None
    return pack(graph)


def has_ended(number):
    """Whether the process of this number is over, or will be in a moment."""
    try:
        process = psutil.Process(number)
        return process.status() == psutil.STATUS_ZOMBIE or process.wait(30) is None
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
