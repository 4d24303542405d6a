"""What the engine's tests share: models, compressors, the search for the first wrong layer."""

import functools

import numpy as np
import reference
import zoo

CALIBRATION = 128
NETWORKS = ("baseline", *zoo.BUILDERS)


@functools.cache
def pictures():
    """Calibration images: 1,024 of the training split, uint8."""
    from qlab import data

    return data.load().train.images[:1024]


@functools.cache
def keras_model(name):
    from qlab import train

    if name == "mixture":
        return every_layer()
    if name in zoo.KINDS:
        return zoo.untrained(name)
    return train.load("baseline") if name == "baseline" else zoo.trained(name)


@functools.cache
def float_model(name):
    import qlab

    if name == "baseline":
        return qlab.pretrained("baseline")
    return qlab.LiteModel.from_keras(keras_model(name))


@functools.cache
def compressor(name, images=CALIBRATION):
    import qlab

    return qlab.Compressor(float_model(name), pictures()[:images])


def hard_swish(x):
    """What the converter recognises and writes as HARD_SWISH."""
    from qlab.train import keras

    return x * keras.activations.relu(x + 3.0, max_value=6.0) / 6.0


@functools.cache
def every_layer():
    """An untrained Keras model of the operators that `zoo` lacks.

    ZeroPadding (PAD), a BatchNorm that cannot be folded (MUL and ADD with constants), a lone ReLU6,
    a sigmoid gate (LOGISTIC, MUL of two activations), average pooling over a padded edge, a hard
    swish, a tanh and a signed branch in one Concatenate.
    """
    from qlab.train import keras

    layers = keras.layers
    keras.utils.set_random_seed(4)
    x = inputs = keras.Input((28, 28, 1))
    x = layers.ZeroPadding2D(((1, 0), (0, 1)), name="pad")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(x)
    y = layers.Conv2D(8, 3, padding="same", activation="relu", name="side")(x)
    x = layers.Add(name="add")([x, y])
    x = layers.BatchNormalization(
        name="norm",
        gamma_initializer=keras.initializers.RandomUniform(0.5, 2.0),
        beta_initializer=keras.initializers.RandomUniform(-0.5, 0.5),
    )(x)
    x = layers.ReLU(6.0, name="six")(x)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="gate")(x)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.AveragePooling2D(3, strides=2, padding="same", name="average")(x)
    x = layers.Activation(hard_swish, name="swish")(x)
    curved = layers.Conv2D(6, 1, activation="tanh", name="curved")(x)
    signed = layers.Conv2D(6, 1, name="signed")(x)
    x = layers.Concatenate(name="join")([curved, signed])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="classes")(x))


def converted(name, mode):
    """The TFLite converter's own file of a network, calibrated on the same images, as LiteModel."""
    import qlab
    from qlab import train

    return qlab.LiteModel(train.convert(keras_model(name), mode, pictures()[:CALIBRATION]))


def tensor_grid(model, index):
    """(scales, zero points) of a tensor of a file."""
    held = model.parsed.subgraphs[0].tensors[index].quantization
    return np.asarray(held.scale, np.float64), np.asarray(held.zeroPoint)


def grid_of(model, layer):
    scale, zero_point = tensor_grid(model, layer.output)
    return float(scale[0]), int(zero_point[0])


def float_outputs(model, images):
    from qlab.tflite import runtime

    output = int(model.parsed.subgraphs[0].outputs[0])
    return np.concatenate([x for _, [x] in runtime.activations(model, images, [output])])


def real_outputs(model, images):
    """What a model with codes for an output answers, as real values."""
    scale, zero_point = grid_of(model, model.layers[-1])
    return scale * (float_outputs(model, images).astype(np.float64) - zero_point)


def sqnr_db(due, seen):
    return 10 * np.log10(np.square(due).sum() / np.square(seen - due).sum())


def resting(source, model):
    """{tensor of the float model: tensor of the compressed one}, matched by name."""
    names = {t.name: i for i, t in enumerate(model.parsed.subgraphs[0].tensors)}
    tensors = source.parsed.subgraphs[0].tensors
    activations = [int(source.parsed.subgraphs[0].inputs[0]), *(x.output for x in source.layers)]
    return {i: names[tensors[i].name] for i in activations}


def held_values(source, model, images):
    """{tensor of the float model: what the compressed model holds there, as stored}."""
    from qlab.tflite import runtime

    place = resting(source, model)
    batches = [b for _, b in runtime.activations(model, images, list(place.values()))]
    return {
        i: np.concatenate(parts) for i, parts in zip(place, zip(*batches, strict=True), strict=True)
    }


def divergence(source, model, images, grids, weight_bits, per_channel=True):
    """Yield (layer, error of each code in steps of its scale), one layer after another.

    Each layer of the reference is fed with what LiteRT itself computed before it, so that an error
    shows in the layer that makes it and not in those after. An error up to half a step is
    rounding; of two codes equally near, either is right.
    """
    codes = held_values(source, model, images)
    values = {
        i: grids[i].scale * (codes[i].astype(np.float64) - grids[i].zero_point) for i in codes
    }
    for position, layer in enumerate(source.layers):
        real = reference.rounded_layer(source, position, values, grids, weight_bits, per_channel)
        yield layer, np.abs(grids[layer.output].place(real) - codes[layer.output])


def first_divergence(source, model, images, grids, weight_bits, per_channel=True, allowed=1e-3):
    """First layer whose codes are not the nearest ones; None if there is none.

    Returns (layer name, largest error in steps of its scale, fraction of codes that are wrong).
    """
    for layer, error in divergence(source, model, images, grids, weight_bits, per_channel):
        wrong = float((error > 0.501).mean())
        if error.max() > 1 or wrong > allowed:
            return layer.name, float(error.max()), wrong
    return None


def wrong_grid(source, model, grids):
    """First activation whose grid in the file is not the expected one, in words; None if none."""
    names = {x.output: x.name for x in source.layers}
    for tensor, index in resting(source, model).items():
        scale, zero_point = tensor_grid(model, index)
        expected = grids[tensor]
        if abs(scale[0] / expected.scale - 1) > 1e-5 or zero_point[0] != expected.zero_point:
            held = f"scale {scale[0]:.7g}, zero point {zero_point[0]}"
            wanted = f"scale {expected.scale:.7g}, zero point {expected.zero_point}"
            return f"{names.get(tensor, 'input')}: {held} where {wanted} is due"
    return None


def edited(model, change):
    """A copy of a model whose object tree went through `change`."""
    from qlab.tflite import graph as graphs
    from qlab.tflite import litemodel

    graph = model.graph()
    change(graph)
    return litemodel.LiteModel(graphs.pack(graph))


def with_numbers(model, layer, position, numbers):
    """A copy with other weights (position 1) or another bias (position 2) in one layer."""
    index = [x.name for x in model.layers].index(layer)

    def change(graph):
        tensor = graph.subgraphs[0].tensors[graph.subgraphs[0].operators[index].inputs[position]]
        flat = np.ascontiguousarray(numbers).reshape(-1)
        graph.buffers[tensor.buffer].data = flat.view(np.uint8)
        tensor.shape = np.array(numbers.shape, np.int32)

    return edited(model, change)


def fixed_batch(model, batch):
    """A copy of the baseline that insists on so many images a call."""

    def change(graph):
        tensors = graph.subgraphs[0].tensors
        for operator in graph.subgraphs[0].operators:
            if graph.operatorCodes[operator.opcodeIndex].deprecatedBuiltinCode == 22:  # RESHAPE
                buffer = graph.buffers[tensors[operator.inputs[1]].buffer]
                shape = np.asarray(buffer.data, np.uint8).view(np.int32).copy()
                shape[0] = batch
                buffer.data = shape.view(np.uint8)
        first = tensors[graph.subgraphs[0].inputs[0]]
        first.shape = np.array([batch, *first.shape[1:]], np.int32)
        for tensor in tensors:
            tensor.shapeSignature = None

    return edited(model, change)
