"""Models as people write them: what was once answered wrongly without a word."""

import copy
import functools
import io
import zipfile

import engine
import numpy as np
import pytest
import reference
import zoo
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab import ModelError, Recipe, train
from qlab.arithmetic.results import Measurement
from qlab.engine import floating
from qlab.export import model_card
from qlab.tflite import graph as graphs
from qlab.tflite import prefixes, runtime
from qlab.tflite.cleaning import cleaned
from qlab.tflite.operations import count_operations

layers = train.keras.layers
INT32 = schema.TensorType.INT32


def centred(images):
    """Pixels as many papers want them: float32 with mean 0 and variance 1."""
    return (images / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530)


def flat(*ending):
    """A small untrained Keras model of one dense layer and this ending."""
    train.keras.utils.set_random_seed(2)
    first = [train.keras.Input((28, 28, 1)), layers.Flatten(), *ending]
    return train.keras.Sequential(first)


@pytest.fixture(scope="module")
def baseline():
    return engine.float_model("baseline")


def due_outputs(keras_model, images):
    """What Keras answers to each picture alone."""
    return np.array([keras_model(x[None] / np.float32(255)).numpy().ravel() for x in images])


# ---- grids --------------------------------------------------------------------------------------
@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
@pytest.mark.parametrize("factor", [0, 1e-20, 1e-7])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "dense", "transposed"])
def test_channels_whose_weights_are_next_to_nothing_keep_their_biases(kind, factor, granularity):
    how = {"bias_initializer": train.keras.initializers.RandomUniform(-5, 5)}
    layer, axis = {
        "conv": (layers.Conv2D(8, 3, **how), -1),
        "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=8, **how), -1),
        "dense": (layers.Dense(8, **how), -1),
        "transposed": (layers.Conv2DTranspose(8, 3, **how), -2),
    }[kind]
    first = flat().layers if kind == "dense" else []
    model = train.keras.Sequential(
        [train.keras.Input((28, 28, 1)), *first, layer, layers.Flatten()]
    )
    weights, bias = layer.get_weights()
    few = slice(None, None, 1 if granularity == "per-tensor" else 2)
    np.moveaxis(weights, axis, 0)[few] *= factor
    layer.set_weights([weights, bias])
    compressor = qlab.Compressor(qlab.LiteModel.from_keras(model), engine.pictures()[:64])
    plan = compressor.plan(Recipe(granularity=granularity, calibration_size=64))
    [held] = (
        x for x in plan.model.parsed.subgraphs[0].tensors if x.type == INT32 and x.quantization
    )
    codes = plan.model.parsed.buffers[held.buffer].data.view("<i4")
    np.testing.assert_allclose(codes * held.quantization.scale, bias, atol=1e-5)


def test_a_kernel_dictates_no_grid_to_the_input_that_is_joined_with_its_output(fashion):
    images, calibration = centred(fashion.validation.images[:500]), centred(engine.pictures()[:128])
    model = engine.float_model("joined")
    due = engine.float_outputs(model, images)
    ours = qlab.Compressor(model, calibration).compress(Recipe())
    theirs = qlab.LiteModel(train.convert(zoo.untrained("joined"), "int8", calibration))
    errors = [engine.sqnr_db(due, engine.real_outputs(x, images)) for x in (ours, theirs)]
    assert errors[0] > errors[1] - 1
    grid = qlab.Compressor(model, calibration).activation_params("first", Recipe())
    assert grid.span[1] > images.max() - grid.scale


def test_what_has_the_same_dictated_grid_keeps_it_when_joined():
    grid = engine.compressor("joined").activation_params("shares_and_gate", Recipe())
    assert (grid.scale, grid.zero_point) == (1 / 256, -128)


@pytest.mark.parametrize("bits", [(8, 8), (4, 4), (2, 2)])
@pytest.mark.parametrize("name", [x for x in zoo.KINDS if x != "dilated"])  # not by image
def test_every_kind_is_fake_quantization_layer_by_layer(fashion, name, bits):
    source, images = engine.compressor(name).model, fashion.validation.images[:32]
    due = reference.activation_grids(source, engine.pictures()[: engine.CALIBRATION], bits[1])
    model = engine.compressor(name).compress(Recipe(*bits))
    assert engine.wrong_grid(source, model, due) is None
    # QUANTIZE from one grid to another multiplies with so few bits that a code near the middle of
    # two may go to the farther one, and of the 256 codes that come in, each stands for many.
    for layer, error in engine.divergence(source, model, images, due, bits[0]):
        assert error.max() < 0.8, layer.name


@pytest.mark.parametrize("name", zoo.KINDS)
def test_every_kind_has_as_small_an_error_as_the_converters(fashion, name):
    images, source = fashion.validation.images[:300], engine.float_model(name)
    due = engine.float_outputs(source, images)
    files = engine.compressor(name).compress(Recipe()), engine.converted(name, "int8")
    ours, theirs = (engine.sqnr_db(due, engine.real_outputs(x, images)) for x in files)
    assert ours > theirs - 1


def test_activation_bits_reach_what_is_joined_with_the_input(fashion):
    recipe, source = Recipe(8, 2), engine.float_model("grown")
    model = engine.compressor("grown").compress(recipe)
    held = engine.held_values(source, model, fashion.validation.images[:50])
    values = {x.name: len(np.unique(held[x.output])) for x in source.layers}
    few = ("near", "near_joined", "far", "far_joined", "relu")
    assert max(values[name] for name in few) <= 4
    assert values["logits"] > 100
    assert len(np.unique(held[int(source.parsed.subgraphs[0].inputs[0])])) > 100
    first, *_, joins = engine.compressor("grown").notes(recipe)
    assert first == "The input, logits, shares and reshape stay at 8 bits."
    assert joins.startswith("The input is rounded once more on its way into near_joined")


def test_convolutions_with_holes_are_rounded_better_by_gptq(fashion):
    images, compressor = fashion.validation.images[:300], engine.compressor("dilated")
    due = engine.float_outputs(engine.float_model("dilated"), images)
    files = [compressor.compress(Recipe(3, 8, rounding=x)) for x in ("nearest", "gptq")]
    nearest, gptq = (engine.sqnr_db(due, engine.real_outputs(x, images)) for x in files)
    assert gptq > nearest + 3


@pytest.mark.parametrize("sizes", [(-1,), (14, 56, 1), (7, -1, 4)])
def test_a_reshape_is_one_operator_and_keeps_every_bit(fashion, sizes):
    keras_model = flat(layers.Dense(784), layers.Reshape(sizes), layers.Reshape((-1,)))
    source = qlab.LiteModel.from_keras(keras_model)
    model = cleaned(source)
    assert {"SHAPE", "STRIDED_SLICE", "PACK"} <= {x.op for x in source.layers}
    assert {x.op for x in model.layers} == {"RESHAPE", "FULLY_CONNECTED"}
    assert qlab.LiteModel.from_bytes(model.data).data == model.data  # LiteRT runs it
    for count in (1, 7):
        images = fashion.validation.images[:count]
        due, seen = (runtime.logits(x, images).reshape(count, -1) for x in (source, model))
        assert np.array_equal(due, seen)
    output = model.parsed.subgraphs[0].tensors[int(model.parsed.subgraphs[0].outputs[0])]
    assert list(output.shape) == [1, 784]
    assert cleaned(model) is model


def test_a_shape_that_the_model_reads_elsewhere_stays():
    def sized(x):
        return x * train.tf.cast(train.tf.shape(x)[0], train.tf.float32)

    model = qlab.LiteModel.from_keras(flat(layers.Lambda(sized), layers.Dense(10)))
    assert [x.op for x in cleaned(model).layers] == [x.op for x in model.layers]


def test_squeezing_is_integer_too(fashion):
    """The converter writes SQUEEZE as RESHAPE, but other writers do not."""
    keras_model = flat(layers.Reshape((28, 28, 1)), layers.Conv2D(10, 28), layers.Flatten())
    source = cleaned(qlab.LiteModel.from_keras(keras_model))

    def squeeze(graph):
        old = graph.subgraphs[0].operators[-1]
        options = schema.SqueezeOptionsT()
        options.squeezeDims = np.array([1, 2], np.int32)
        made = graphs.new_operator(graph, "SQUEEZE", 1, old.inputs[:1], old.outputs[0], options)
        graph.subgraphs[0].operators[-1] = made

    model, images = engine.edited(source, squeeze), fashion.validation.images[:200]
    small = qlab.Compressor(model, engine.pictures()[:128]).compress(Recipe())
    assert [x.op for x in small.layers] == ["RESHAPE", "RESHAPE", "CONV_2D", "SQUEEZE"]
    due = engine.float_outputs(source, images)
    assert engine.sqnr_db(due, engine.real_outputs(small, images)) > 30


# ---- notes: each tensor and each kernel is as they say -------------------------------------------
def test_notes_speak_of_the_layers_that_differ_from_the_recipe():
    notes = lambda *bits, **x: engine.compressor("baseline").notes(Recipe(*bits, overrides=x))  # noqa: E731
    assert notes(8, 8) == ()
    assert notes(8, 4) == ("The input and logits stay at 8 bits.",)
    assert notes(8, 4, logits={"activation_bits": 4})[0] == "The input stays at 8 bits."
    pool = next(x.name for x in engine.float_model("baseline").layers if x.op == "MAX_POOL_2D")
    [few] = notes(8, 8, **{pool: {"activation_bits": 3}})
    assert few.startswith("conv1 has only 3 bits, because")
    assert notes(8, 8, conv2={"weight_bits": 32}) == (
        "The kernels of conv2 run in float; a QUANTIZE step rounds what they give.",
    )
    assert notes(8, 8, conv1={"activation_bits": 32})[-1].startswith(
        "The kernels of conv1 and conv2 run in float; a DEQUANTIZE"
    )
    assert notes(8, 32) == (
        "All kernels with weights run in float; a DEQUANTIZE step gives them weights.",
    )


# ---- answers ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("activation", "threshold"), [("sigmoid", 0.5), ("tanh", 0)])
@pytest.mark.parametrize("recipe", [None, Recipe(), Recipe(8, 4), Recipe(8, 32)])
def test_one_output_is_compared_with_its_threshold(fashion, activation, threshold, recipe):
    keras_model, images = flat(layers.Dense(1, activation=activation)), fashion.validation.images
    model = qlab.LiteModel.from_keras(keras_model)
    if recipe is not None:
        model = qlab.Compressor(model, engine.pictures()[:128]).compress(recipe)
    due = due_outputs(keras_model, images[:300])[:, 0] > threshold
    assert 0.1 < due.mean() < 0.9
    assert (qlab.predict(model, images[:300]) == due).mean() > 0.97
    score = qlab.evaluate(model, images[:300], due.astype(int))
    assert score.accuracy > 0.97


@pytest.mark.parametrize("activation", [None, "relu", "softmax"])
def test_one_output_that_names_no_class_is_refused(fashion, activation):
    model = qlab.LiteModel.from_keras(flat(layers.Dense(1, activation=activation)))
    with pytest.raises(
        ModelError, match=r"one number, made by \w+, .* names no class\. End it with"
    ):
        qlab.predict(model, fashion.validation.images[:3])


@pytest.mark.parametrize(
    "decide",
    [
        lambda x: train.tf.argmax(x, -1),
        lambda x: train.tf.argmax(x, -1, output_type=train.tf.int32)[:, None],
        lambda x: train.tf.cast(train.tf.argmax(x, -1), train.tf.float32),
    ],
)
def test_a_model_that_decides_itself_is_believed(fashion, decide):
    keras_model = flat(layers.Dense(10), layers.Lambda(decide))
    images = fashion.validation.images[:300]
    due = due_outputs(keras_model, images)[:, 0]
    assert len(set(due)) > 4
    assert np.array_equal(qlab.predict(qlab.LiteModel.from_keras(keras_model), images), due)


def test_classes_of_many_places_are_refused(fashion):
    pixels = layers.Lambda(lambda x: train.tf.argmax(x, -1))
    model = qlab.LiteModel.from_keras(
        flat(layers.Reshape((28, 28, 1)), layers.Conv2D(3, 1), pixels)
    )
    with pytest.raises(ModelError, match=r"an array of shape \(28, 28\), such as a map"):
        qlab.predict(model, fashion.validation.images[:3])


def test_two_rows_of_numbers_for_an_image_are_refused(fashion):
    rows = layers.Lambda(lambda x: train.tf.reshape(x, [-1, 5]))
    model = qlab.LiteModel.from_keras(flat(layers.Dense(10), rows))
    with pytest.raises(ModelError, match=r"an array of shape \(2, 5\), such as a map"):
        qlab.predict(model, fashion.validation.images[:3])


def test_text_is_refused(baseline):
    def of_text(graph):
        part = graph.subgraphs[0]
        part.tensors[part.inputs[0]].type = schema.TensorType.STRING

    with pytest.raises(ModelError, match=r"takes STRING, .* turn text into numbers before"):
        qlab.LiteModel.from_bytes(engine.edited(baseline, of_text).data)


def test_numbers_that_are_moved_keep_their_type(baseline):
    def narrower(graph):
        part = graph.subgraphs[0]
        pool = next(x for x in part.operators if graphs.op_name(graph, x) == "MAX_POOL_2D")
        part.tensors[pool.outputs[0]].type = schema.TensorType.FLOAT16

    with pytest.raises(ModelError, match="moves numbers into a tensor of another type"):
        qlab.LiteModel.from_bytes(engine.edited(baseline, narrower).data)


def test_weights_that_are_unpacked_keep_their_shape(baseline):
    """LiteRT would read past the end of what it unpacks."""

    def wider(graph):
        part = graph.subgraphs[0]
        step = next(x for x in part.operators if graphs.op_name(graph, x) == "DEQUANTIZE")
        tensor = part.tensors[step.outputs[0]]
        tensor.shape = tensor.shape[::-1]

    half = qlab.Compressor(baseline).compress(Recipe(16, 32))
    with pytest.raises(ModelError, match="moves numbers into a tensor of another shape"):
        qlab.LiteModel.from_bytes(engine.edited(half, wider).data)


def test_a_signature_of_a_tensor_that_is_not_there_is_refused(baseline):
    def elsewhere(graph):
        graph.signatureDefs[0].outputs[0].tensorIndex = len(graph.subgraphs[0].tensors)

    with pytest.raises(ModelError, match="a signature names a tensor that is not there"):
        qlab.LiteModel.from_bytes(engine.edited(baseline, elsewhere).data)


def test_an_answer_that_nothing_works_out_is_refused(baseline):
    def without(graph):
        tensors = graph.subgraphs[0].tensors
        tensors.append(copy.copy(tensors[graph.subgraphs[0].outputs[0]]))
        graph.subgraphs[0].outputs = [len(tensors) - 1]

    with pytest.raises(ModelError, match="no operator of this model works out its answer"):
        qlab.Compressor(engine.edited(baseline, without), engine.pictures()[:4])


def test_a_layer_that_reads_a_constant_alone_stays_in_float(baseline):
    def blind(graph):
        part = graph.subgraphs[0]
        first, constant = part.operators[0], schema.BufferT()
        constant.data = np.ones(784, "<f4").view(np.uint8)
        graph.buffers.append(constant)
        part.tensors.append(copy.copy(part.tensors[first.inputs[0]]))
        part.tensors[-1].buffer = len(graph.buffers) - 1
        part.tensors[-1].shapeSignature = None
        first.inputs = [len(part.tensors) - 1, *first.inputs[1:]]

    compressor = qlab.Compressor(engine.edited(baseline, blind), engine.pictures()[:4])
    recipe = Recipe(calibration_size=4)
    assert "conv1, because weights or biases" in " ".join(compressor.notes(recipe))
    assert compressor.compress(recipe).file_bytes < baseline.file_bytes / 2


def test_constants_of_a_type_that_nobody_calculates_with_are_counted_and_stay():
    """They are bytes to qlab, whatever an operator makes of them."""
    source = engine.float_model("mixture")
    steps = zip(source.layers, source.parsed.subgraphs[0].operators, strict=True)
    [(name, index), *_] = [
        (layer.name, found[1])
        for layer, step in steps
        if layer.op == "MUL" and (found := graphs.carried(source.parsed, step))
    ]

    def odd(graph):
        graph.subgraphs[0].tensors[index].type = schema.TensorType.FLOAT8_E5M2

    model = engine.edited(source, odd)
    assert sum(model.anatomy().values()) == model.file_bytes
    reasons = qlab.Compressor(model).plan(Recipe(8, 32)).floating.reasons
    assert reasons[name] == floating.NO_FORM


# ---- what belongs to which image -----------------------------------------------------------------
SHAPES = {  # outputs of which the first axis does not count images, and one of which it does
    "fixed": lambda x: train.tf.reshape(x, [10]),
    "squeezed": lambda x: train.tf.squeeze(x),
    "transposed": lambda x: train.tf.transpose(x),
    "longer": lambda x: train.tf.reshape(x, [-1, 10, 1, 1]),
}


@functools.cache
def shaped(name):
    """A Keras model that answers in one of these shapes, and its file."""
    keras_model = flat(layers.Dense(10), layers.Lambda(SHAPES[name]))
    if name in ("fixed", "squeezed"):
        alone = train.keras.Input((28, 28, 1), batch_size=1)
        keras_model = train.keras.Model(alone, keras_model(alone))
    return keras_model, qlab.LiteModel.from_keras(keras_model)


@pytest.mark.parametrize("count", [1, 5, 10, 300])
@pytest.mark.parametrize("name", SHAPES)
def test_each_image_gets_its_own_answer(fashion, name, count):
    keras_model, model = shaped(name)
    images = fashion.validation.images[:count]
    due = due_outputs(keras_model, images)
    assert np.array_equal(qlab.predict(model, images), due.argmax(1))
    for _ in range(3):  # what is remembered of a file answers as the file does
        assert prefixes.score(model, images, due.argmax(1)).accuracy == 1
    seen = runtime.logits(model, images)
    assert np.allclose(seen.reshape(count, -1), due, atol=1e-4)
    assert qlab.latency(model, batch=5, runs=2).batch == (5 if name == "longer" else 1)


@pytest.mark.parametrize("name", [x for x in SHAPES if x != "transposed"])
def test_shapes_without_a_batch_are_compressed_too(fashion, name):
    keras_model, model = shaped(name)
    images = fashion.validation.images[:300]
    recipe = Recipe(rounding="gptq", bias_correction=True)
    small = qlab.Compressor(model, engine.pictures()[:128]).compress(recipe)
    due = due_outputs(keras_model, images).argmax(1)
    assert (qlab.predict(small, images) == due).mean() > 0.97


def test_answers_of_a_fixed_batch_that_belong_to_nobody_are_refused(baseline, fashion):
    def transpose(graph):
        tensors = graph.subgraphs[0].tensors
        [output] = graph.subgraphs[0].outputs
        tensors[output].shape = np.array([8, 5], np.int32)
        operator = graphs.new_operator(graph, "RESHAPE", 1, [output], len(tensors))
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = np.array([8, 5], np.int32)
        tensors.append(copy.copy(tensors[output]))
        graph.subgraphs[0].outputs = [len(tensors) - 1]
        graph.subgraphs[0].operators.append(operator)

    model = engine.edited(engine.fixed_batch(baseline, 4), transpose)
    with pytest.raises(ModelError, match=r"4 images with an array of shape \(8, 5\), so nobody"):
        qlab.predict(model, fashion.validation.images[:8])


# ---- pixels -------------------------------------------------------------------------------------
@functools.cache
def of_pixels(dtype):
    """A Keras model that takes the pixels themselves, and its file."""
    pixels = train.keras.Input((28, 28, 1), dtype=dtype)
    keras_model = train.keras.Model(
        pixels, flat(layers.Dense(10))(layers.Rescaling(1 / 255)(pixels))
    )
    return keras_model, qlab.LiteModel.from_keras(keras_model)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_whole_numbers_without_a_scale_are_the_pixels_themselves(fashion, dtype):
    (keras_model, model), images = of_pixels(dtype), fashion.validation.images[:300]
    due = keras_model.predict(images.astype(dtype), verbose=0).argmax(1)
    assert len(set(due)) > 4
    assert (qlab.predict(model, images) == due).mean() > 0.99
    with pytest.raises(
        ValueError, match=f"the pixels 0 to 255 themselves \\({dtype}\\).* give uint8"
    ):
        qlab.predict(model, images / np.float32(255))


@pytest.mark.parametrize("dtype", ["int8", "bool"])
def test_an_input_that_cannot_hold_a_pixel_is_refused_in_words(fashion, dtype):
    with pytest.raises(ModelError, match=f"takes {dtype} without a scale"):
        qlab.predict(of_pixels(dtype)[1], fashion.validation.images[:3])


def test_the_card_says_what_a_pixel_is_to_the_model():
    models = of_pixels("uint8")[1], *map(qlab.pretrained, ("baseline", "baseline-int8"))
    scaled = "pixel / 255, in [0, 1]"
    assert [*map(model_card._real_input, models)] == ["the pixel itself, 0 to 255", scaled, scaled]


# ---- constants that are weights of no layer -----------------------------------------------------
def test_the_constants_of_a_batchnorm_are_in_the_notes_and_in_the_sizes():
    source, compressor = engine.float_model("normed"), engine.compressor("normed")
    assert [x.op for x in source.layers][1:3] == ["MUL", "ADD"]
    notes = lambda *bits: [x for x in compressor.notes(Recipe(*bits)) if "constants" in x]  # noqa: E731
    because = ", because weight bits reach convolutions and dense layers only."
    assert notes(2, 8) == ["The constants of norm and norm_add have 8 bits" + because]
    assert notes(2, 32) == ["The constants of norm and norm_add stay in float" + because]
    assert notes(8, 8) == notes(32, 32) == []
    small, kernels = compressor.compress(Recipe(2, 8)), 9 * 8 + 13 * 13 * 8 * 10
    for model, byte, each in ((source, 4, 4), (small, 1, 1)):
        parts = model.anatomy()
        assert parts["weights"] == byte * kernels + 8 * each
        assert parts["biases"] == 4 * (8 + 10) + 8 * each
        rows = {row.name: row.weight_bytes for row in count_operations(model)}
        assert rows["norm"] == rows["norm_add"] == 8 * each
        assert sum(rows.values()) == parts["weights"] + parts["biases"]


# ---- what does not fit --------------------------------------------------------------------------
def test_axes_in_another_order_are_refused_with_the_remedy(fashion):
    colours = np.repeat(fashion.validation.images[:8], 3, axis=3)
    first = np.ascontiguousarray(colours.transpose(0, 3, 1, 2))
    to_model = lambda *shape: train.keras.Sequential(  # noqa: E731
        [train.keras.Input(shape), layers.Flatten(), layers.Dense(10)]
    )
    for shape, right, wrong, order in (
        ((3, 28, 28), first, colours, "0, 3, 1, 2"),
        ((28, 28, 3), colours, first, "0, 2, 3, 1"),
    ):
        keras_model = to_model(*shape)
        model = qlab.LiteModel.from_keras(keras_model)
        due = keras_model.predict(right / np.float32(255), verbose=0).argmax(1)
        assert np.array_equal(qlab.predict(model, right), due)
        assert np.array_equal(qlab.predict(model, right.reshape(8, -1)), due)
        with pytest.raises(ValueError, match=rf"images\.transpose\({order}\)"):
            qlab.predict(model, wrong)
    grey = qlab.LiteModel.from_keras(to_model(1, 28, 28))  # here the order makes no difference
    assert qlab.predict(grey, fashion.validation.images[:8]).shape == (8,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y + 1, "labels go from 1 to 10, .* from 0 to 9; subtract 1 from each"),
        (lambda y: y - 1, "labels go from -1 to 8"),
        (lambda y: 2 * y, "labels go from 0 to 18, and this model counts its classes from 0 to 9$"),
        (
            lambda y: np.array(list("abcdefghij"))[y],
            "labels are words, such as .; give the number of each class",
        ),
        (lambda y: y / 2, "hold [0-9.]+, which counts no class"),
        (lambda y: np.where(y, y, np.inf), "hold inf, which counts no class"),
        (lambda y: np.eye(10)[y], r"with labels\.argmax\(1\)"),
    ],
)
def test_labels_that_are_not_the_models_classes(baseline, fashion, change, words):
    validation = fashion.validation
    with pytest.raises(ValueError, match=words):
        qlab.evaluate(
            baseline, validation.images[:200], change(validation.labels[:200].astype(int))
        )


def test_a_measurement_of_names_is_refused():
    with pytest.raises(ValueError, match="labels are <U3; give the number of each class"):
        Measurement([0, 1], ["cat", "dog"])


def test_only_a_batch_is_counted_as_images():
    one = train.keras.Input((28,), batch_size=28)  # the picture's 28 rows
    joined = layers.Lambda(lambda x: train.tf.reshape(x, [1, 784]))(one)
    keras_model = train.keras.Model(one, layers.Dense(10)(joined))
    rows = count_operations(qlab.LiteModel.from_keras(keras_model))
    assert sum(row.macs for row in rows) == 784 * 10


def test_the_work_of_images_of_any_size_is_not_counted():
    keras_model = train.keras.Sequential(
        [
            train.keras.Input((None, None, 1)),
            layers.Conv2D(4, 3),
            layers.GlobalAveragePooling2D(),
        ]
    )
    with pytest.raises(ModelError, match=r"the shape \(\?, \?, \?, 1\), so what a picture costs"):
        count_operations(qlab.LiteModel.from_keras(keras_model))


def test_what_is_put_behind_a_model_is_no_padding(baseline):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("labels.txt", "cat dog")
    behind, before = archive.getvalue(), baseline.anatomy()
    parts = qlab.LiteModel(baseline.data + behind).anatomy()
    assert parts == before | {"appended": len(behind)}
    assert "appended" not in before
    assert qlab.LiteModel(baseline.data + bytes(40)).anatomy() == before | {
        "padding": before["padding"] + 40
    }
