"""Fake quantization in plain NumPy: what a compressed model ought to compute, written without qlab.

Only the description of the layers comes from qlab (``LiteModel.layers``); grids, codes and every
layer's arithmetic are worked out here again, from the float weights and the pictures.
"""

import math

import numpy as np

MOVERS = (
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "RESHAPE",
    "SQUEEZE",
    "EXPAND_DIMS",
    "TRANSPOSE",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "CONCATENATION",
    "PAD",
    *("MIRROR_PAD", "STRIDED_SLICE", "GATHER", "TILE", "DEPTH_TO_SPACE"),
    *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
)  # one grid, in and out
CHOOSERS = ("MAXIMUM", "MINIMUM")  # what nobody else reads may be cut to what they give
FIXED = {
    "TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128),
    "LOG_SOFTMAX": (1 / 16, 127), "L2_NORMALIZATION": (1 / 128, 0),
}  # fmt: skip


# ---- layers ------------------------------------------------------------------------------------
def padded(x, window, strides, same, fill):
    """`x` with TensorFlow's padding: the odd one goes at the end."""
    if not same:
        return x
    pads = [(0, 0)]
    for size, span, stride in zip(x.shape[1:3], window, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=fill)


def windows(x, window, strides, same, fill=0.0):
    """(n, rows, columns, channels, window rows, window columns)"""
    x = padded(x, window, strides, same, fill)
    seen = np.lib.stride_tricks.sliding_window_view(x, window, axis=(1, 2))
    return seen[:, :: strides[0], :: strides[1]]


def conv(x, weights, strides, same):
    seen = windows(x, weights.shape[1:3], strides, same)
    return np.einsum("nrcixy,oxyi->nrco", seen, weights, optimize=True)


def depthwise(x, weights, strides, same):
    seen = windows(x, weights.shape[1:3], strides, same)
    multiplier = weights.shape[3] // x.shape[3]
    kernel = weights[0].reshape(*weights.shape[1:3], x.shape[3], multiplier)
    out = np.einsum("nrcixy,xyim->nrcim", seen, kernel, optimize=True)
    return out.reshape(*out.shape[:3], -1)


def max_pool(x, window, strides, same):
    return windows(x, window, strides, same, -np.inf).max(axis=(4, 5))


def average_pool(x, window, strides, same):
    counts = windows(np.ones_like(x), window, strides, same).sum(axis=(4, 5))
    return windows(x, window, strides, same).sum(axis=(4, 5)) / counts


def softmax(x, beta):
    powers = np.exp(beta * (x - x.max(axis=-1, keepdims=True)))
    return powers / powers.sum(axis=-1, keepdims=True)


def sliced(x, begin, end, steps, options):
    bits = lambda mask, axis: mask >> axis & 1  # noqa: E731
    cuts = zip(begin, end, steps, strict=True)
    return x[
        tuple(
            slice(
                None if bits(options.beginMask, i) else first,
                None if bits(options.endMask, i) else last,
                step,
            )
            for i, (first, last, step) in enumerate(cuts)
        )
    ]


def enlarged(x, sizes, linear):
    """Pixels have their middles at one half."""
    for axis, size in enumerate(sizes, 1):
        place = (np.arange(size) + 0.5) * x.shape[axis] / size
        shape = [-1 if i == axis else 1 for i in range(4)]
        if not linear:
            x = x.take(np.floor(place).astype(int), axis)
            continue
        place = np.clip(place - 0.5, 0, x.shape[axis] - 1)
        first = np.floor(place).astype(int)
        part, second = (place - first).reshape(shape), np.minimum(first + 1, x.shape[axis] - 1)
        x = x.take(first, axis) * (1 - part) + x.take(second, axis) * part
    return x


def depth_to_space(x, block):
    n, rows, columns, depth = x.shape
    parts = x.reshape(n, rows, columns, block, block, depth // block**2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, rows * block, columns * block, -1)


def gelu(x, approximate):
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


ACTIVATIONS = {
    "NONE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
}


def run_layer(model, position, inputs, weights=None, bias=0.0):
    """Output of one layer in float64.

    `inputs` are all its operands in the order of the file, constants among them; `weights` and
    `bias` come on top. `position` counts layers of a float model from 0.
    """
    layer, operator = model.layers[position], model.parsed.subgraphs[0].operators[position]
    options, x = operator.builtinOptions, np.asarray(inputs[0], np.float64)
    strides = same = window = None
    if layer.op.endswith("_2D"):
        strides, same = (options.strideH, options.strideW), options.padding == 0
    if "POOL" in layer.op:
        window = (options.filterHeight, options.filterWidth)
    out = {
        "CONV_2D": lambda: conv(x, weights, strides, same) + bias,
        "DEPTHWISE_CONV_2D": lambda: depthwise(x, weights, strides, same) + bias,
        "FULLY_CONNECTED": lambda: x.reshape(len(x), -1) @ weights.T + bias,
        "MAX_POOL_2D": lambda: max_pool(x, window, strides, same),
        "AVERAGE_POOL_2D": lambda: average_pool(x, window, strides, same),
        "MEAN": lambda: x.mean(axis=tuple(inputs[1].reshape(-1)), keepdims=options.keepDims),
        "RESHAPE": lambda: x.reshape(len(x), *[abs(n) for n in inputs[1][1:]]),
        "PAD": lambda: np.pad(x, inputs[1]),
        "CONCATENATION": lambda: np.concatenate(inputs, axis=options.axis),
        "SQUEEZE": lambda: x.squeeze(tuple(options.squeezeDims)),
        "EXPAND_DIMS": lambda: np.expand_dims(x, int(inputs[1])),
        "TRANSPOSE": lambda: x.transpose(inputs[1]),
        "REDUCE_MAX": lambda: x.max(axis=tuple(inputs[1].reshape(-1)), keepdims=options.keepDims),
        "REDUCE_MIN": lambda: x.min(axis=tuple(inputs[1].reshape(-1)), keepdims=options.keepDims),
        "MAXIMUM": lambda: np.maximum(x, inputs[1]),
        "MINIMUM": lambda: np.minimum(x, inputs[1]),
        "MIRROR_PAD": lambda: np.pad(x, inputs[1], "reflect"),
        "STRIDED_SLICE": lambda: sliced(x, *inputs[1:], options),
        "GATHER": lambda: x.take(inputs[1], options.axis),
        "TILE": lambda: np.tile(x, inputs[1]),
        "DEPTH_TO_SPACE": lambda: depth_to_space(x, options.blockSize),
        "RESIZE_BILINEAR": lambda: enlarged(x, inputs[1], True),
        "RESIZE_NEAREST_NEIGHBOR": lambda: enlarged(x, inputs[1], False),
        "PRELU": lambda: np.where(x < 0, inputs[1] * x, x),
        "ELU": lambda: np.where(x < 0, np.expm1(x), x),
        "GELU": lambda: gelu(x, options.approximate),
        "ABS": lambda: np.abs(x),
        "L2_NORMALIZATION": lambda: x / np.sqrt((x * x).sum(-1, keepdims=True)),
        "LOG_SOFTMAX": lambda: np.log(softmax(x, 1)),
        "LEAKY_RELU": lambda: np.where(x < 0, options.alpha * x, x),
        "ADD": lambda: x + inputs[1],
        "SUB": lambda: x - inputs[1],
        "MUL": lambda: x * inputs[1],
        "TANH": lambda: np.tanh(x),
        "LOGISTIC": lambda: 1 / (1 + np.exp(-x)),
        "SOFTMAX": lambda: softmax(x, options.beta),
        "RELU": lambda: np.maximum(x, 0),
        "RELU6": lambda: np.clip(x, 0, 6),
        "HARD_SWISH": lambda: x * np.clip(x + 3, 0, 6) / 6,
    }[layer.op]()
    return ACTIVATIONS[layer.activation](out)


def constant_of(model, index):
    """The numbers stored for a tensor, or None for an activation."""
    tensor = model.parsed.subgraphs[0].tensors[index]
    data = model.parsed.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    dtype = {0: np.float32, 2: np.int32}[tensor.type]
    return np.asarray(data, np.uint8).view(dtype).reshape(tensor.shape)


def operands(model, position, values, spoil=lambda constant: constant):
    """All a layer reads besides weights and bias: activations from `values`, and constants."""
    layer, operator = model.layers[position], model.parsed.subgraphs[0].operators[position]
    indices = operator.inputs[:1] if layer.weights is not None else operator.inputs
    found = []
    for index in (int(i) for i in indices):
        stored = constant_of(model, index)
        if stored is not None and stored.dtype == np.float32:
            stored = spoil(stored)
        found.append(values[index] if stored is None else stored)
    return found


def float_forward(model, images):
    """{tensor: values} of a float model."""
    values = {int(model.parsed.subgraphs[0].inputs[0]): images.astype(np.float64) / 255}
    for position, layer in enumerate(model.layers):
        weights = None if layer.weights is None else layer.weights.astype(np.float64)
        inputs, bias = operands(model, position, values), 0.0 if layer.bias is None else layer.bias
        values[layer.output] = run_layer(model, position, inputs, weights, bias)
    return values


# ---- grids -------------------------------------------------------------------------------------
class Grid:
    """Codes of `bits` bits at the upper end of int8; `scale` and `zero_point` are plain numbers."""

    def __init__(self, scale, zero_point, bits=8):
        self.scale, self.zero_point, self.low = float(scale), int(zero_point), 128 - 2**bits

    def place(self, x):
        """Where real values lie on the grid, in steps, before they are rounded to codes."""
        return np.clip(x / self.scale + self.zero_point, self.low, 127)

    def real(self, x):
        return self.scale * (np.rint(self.place(x)) - self.zero_point)


def range_grid(low, high, bits):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    return Grid(scale, 128 - 2**bits + round(-low / scale), bits)


def weight_codes(weights, bits, axis):
    """(codes, scales) on the narrow symmetric grid; scales broadcast against the weights."""
    others = None if axis is None else tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights.astype(np.float64)).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)
    return np.rint(weights / scale), scale


def shared(model):
    """{tensor: the frozenset of tensors that share its grid}; the input is joined by nothing."""
    first = int(model.parsed.subgraphs[0].inputs[0])
    sets = {first: {first}}
    for layer in model.layers:
        joined = {layer.output}
        if layer.op in MOVERS:
            read = [sets[i] for i in layer.inputs]
            others = [x for x in read if first not in x] or read
            joined = joined.union(*others)
        for i in layer.inputs if layer.op in CHOOSERS else ():
            if all(x.output in {*sets[i], layer.output} for x in model.layers if i in x.inputs):
                joined |= sets[i]
        for member in joined:
            sets[member] = joined
    return {tensor: frozenset(members) for tensor, members in sets.items()}


def kept(model):
    """Tensors that keep 8 bits: the input, the output, the logits, and what shares their grids."""
    groups, graph = shared(model), model.parsed.subgraphs[0]
    final = groups[int(graph.outputs[0])]
    squashed = [x.inputs[0] for x in model.layers if x.output in final and x.op in FIXED]
    return set().union(final, groups[int(graph.inputs[0])], *(groups[i] for i in squashed))


def moved_constants(model, group):
    """Float constants that are moved together with these tensors."""
    steps = zip(model.layers, model.parsed.subgraphs[0].operators, strict=True)
    read = [i for x, step in steps if x.op in MOVERS and x.output in group for i in step.inputs]
    found = [constant_of(model, int(i)) for i in read]
    return [x for x in found if x is not None and x.dtype == np.float32]


def activation_grids(model, images, bits):
    """{tensor: Grid} by min-max over float activations; input and logits stay at 8 bits or more."""
    values, groups, graph = float_forward(model, images), shared(model), model.parsed.subgraphs[0]
    made, grids, keeps = {layer.output: layer for layer in model.layers}, {}, kept(model)
    for tensor, group in groups.items():
        read = [i for x in model.layers if x.output in group and x.op in MOVERS for i in x.inputs]
        parts = {*group, *(int(i) for i in graph.inputs if i in read)}
        sources = [i for i in parts if i not in made or made[i].op not in MOVERS]
        sources = [i for i in sources if i in made and made[i].op in CHOOSERS] or sources
        width = max(bits, 8) if tensor in keeps else bits
        seen = [values[i] for i in sources] + moved_constants(model, group)
        low, high = min(x.min() for x in seen), max(x.max() for x in seen)
        dictated = {FIXED.get(made[i].op) if i in made else None for i in sources}
        fixed = dictated.pop() if len(dictated) == 1 else None
        if fixed is not None:
            scale, zero_point = fixed
            low, high = scale * (-128 - zero_point), scale * (128 - zero_point)
        if fixed is not None and width == 8:
            grids[tensor] = Grid(*fixed)
        else:
            grids[tensor] = range_grid(low, high, width)
    return grids


def spoiled(constant):
    """A float constant in an integer operator: rounded to 8 bits by its own range."""
    return range_grid(float(constant.min()), float(constant.max()), 8).real(constant)


def rounded_weights(layer, bits, per_channel, input_scale):
    """(weights, bias) after fake quantization; (None, 0) for a layer without.

    An integer kernel adds the bias to its int32 sum, so it is a whole number of sum's units,
    input scale times weight scale. At few bits that unit is coarse.
    """
    if layer.weights is None:
        return None, 0.0
    axis = (3 if layer.op == "DEPTHWISE_CONV_2D" else 0) if per_channel else None
    codes, scale = weight_codes(layer.weights, bits, axis)
    unit = input_scale * scale.reshape(-1)
    bias = 0.0 if layer.bias is None else np.rint(layer.bias / unit) * unit
    return codes * scale, bias


def rounded_layer(model, position, values, grids, weight_bits, per_channel):
    """Output of one layer with rounded weights, bias and constants, before it is rounded itself.

    Tanh, the sigmoid and softmax are rounded: their kernels write on one grid only, and what is
    planned comes after.
    """
    layer = model.layers[position]
    scale = grids[layer.inputs[0]].scale
    weights, bias = rounded_weights(layer, weight_bits, per_channel, scale)
    inputs = operands(model, position, values, spoiled)
    real = run_layer(model, position, inputs, weights, bias)
    return Grid(*FIXED[layer.op]).real(real) if layer.op in FIXED else real


def fake_quantized_forward(model, grids, weight_bits, per_channel, images):
    """{tensor: values} of the whole network on integer grids, in float."""
    first = int(model.parsed.subgraphs[0].inputs[0])
    values = {first: grids[first].real(images.astype(np.float64) / 255)}
    for position, layer in enumerate(model.layers):
        real = rounded_layer(model, position, values, grids, weight_bits, per_channel)
        values[layer.output] = grids[layer.output].real(real)
    return values
