"""Files that are no image classifier: looked at, made smaller, written; or refused in words."""

import functools

import engine
import kinds
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import qlab
from qlab import ModelError, Recipe, train
from qlab.export.writing import export
from qlab.system import isolated
from qlab.tflite import litemodel
from qlab.tflite.operations import count_operations

layers, keras, tf = train.keras.layers, train.keras, train.tf
FOUR = Recipe(weight_bits=4, activation_bits=32)
WIDGETS = [
    *("Anatomy", "Calibration", "Outlier", "Pruning", "Quantization", "Sensitivity"),
    *("SparsitySensitivity", "Clustering"),
]


@functools.cache
def two_inputs():
    keras.utils.set_random_seed(3)
    image, more = keras.Input((28, 28, 1), name="image"), keras.Input((3,), name="more")
    x = layers.Conv2D(4, 3, name="conv")(image)
    joined = layers.Concatenate()([layers.Flatten()(x), more])
    return qlab.LiteModel.from_keras(keras.Model([image, more], layers.Dense(10)(joined)))


@functools.cache
def two_outputs():
    keras.utils.set_random_seed(3)
    image = keras.Input((28, 28, 1))
    x = layers.Flatten()(image)
    answers = [layers.Dense(10, name="kind")(x), layers.Dense(3, name="colour")(x)]
    return qlab.LiteModel.from_keras(keras.Model(image, answers))


class Signatures(tf.Module):
    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.random.default_rng(0).random((784, 10), np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 28, 28, 1], tf.float32)])
    def near(self, x):
        return tf.reshape(x, [1, 784]) @ self.weights

    @tf.function(input_signature=[tf.TensorSpec([1, 28, 28, 1], tf.float32)])
    def far(self, x):
        return tf.reshape(x + 2.0, [1, 784]) @ self.weights

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def scalar(self, x):
        return tf.reshape(x * 2.0, [1])


@pytest.fixture(scope="module")
def two_graphs(tmp_path_factory):
    module, folder = Signatures(), str(tmp_path_factory.mktemp("saved"))
    names = {x: getattr(module, x).get_concrete_function() for x in ("near", "far")}
    tf.saved_model.save(module, folder, signatures=names)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[*names])
    return qlab.LiteModel.from_bytes(converter.convert())


@functools.cache
def scalar():
    module = Signatures()
    functions = [module.scalar.get_concrete_function()]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    return qlab.LiteModel.from_bytes(converter.convert())


def shadow():
    """No weights at all."""
    image = keras.Input((28, 28, 1))
    x = layers.Flatten()(layers.AveragePooling2D((14, 6))(image))
    return qlab.LiteModel.from_keras(keras.Model(image, layers.Softmax()(x)))


def run(model, given):
    """What each output holds; `given` has an array for each input, by the end of its shape."""
    interpreter = Interpreter(model_content=model.data, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], given[tuple(detail["shape"])])
    interpreter.invoke()
    return [interpreter.get_tensor(x["index"]) for x in interpreter.get_output_details()]


@pytest.mark.parametrize("make", [two_inputs, two_outputs])
def test_several_inputs_or_outputs_are_made_smaller_and_written(make, tmp_path):
    model, random = make(), np.random.default_rng(0)
    assert sum(model.anatomy().values()) == model.file_bytes
    compressor = qlab.Compressor(model)
    small = compressor.compress(FOUR)
    assert small.packed_bytes < model.file_bytes / 4
    given = {x: random.random(x, np.float32) for x in ((1, 28, 28, 1), (1, 3))}
    real = {x.name: compressor.weights(x.name, FOUR) for x in model.layers if x.weights is not None}
    due = run(qlab.tflite.transforms.with_weights(model, real), given)
    for got in (run(small, given), run(small.packed(), given)):
        for a, b in zip(got, due, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    files = export(small, tmp_path / "out")
    ends = model.parsed.subgraphs[0]
    card = files["model-card.md"].read_text()
    assert card.count("- Input: ") == len(ends.inputs)
    assert card.count("- Output: ") == len(ends.outputs)
    signature = small.parsed.signatureDefs[0]
    assert {x.tensorIndex for x in signature.inputs} == set(small.parsed.subgraphs[0].inputs)
    assert {x.tensorIndex for x in signature.outputs} == set(small.parsed.subgraphs[0].outputs)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (two_inputs, r"takes 2 inputs \(.*image.*28, 28, 1\).*write a model that takes the image"),
        (two_outputs, r"gives 2 outputs \(.*write a model that gives the one answer"),
        (scalar, r"takes a single number \(.*an input such as \(1, 28, 28, 1\)"),
    ],
)
def test_scoring_says_what_it_needs(fashion, make, words):
    images, labels = fashion.validation.images[:50], fashion.validation.labels[:50]
    doors = (
        lambda: qlab.predict(make(), images),
        lambda: qlab.evaluate(make(), images, labels),
        lambda: qlab.find_pixels(make(), images, labels),
        lambda: qlab.Compressor(make(), images),
        lambda: qlab.widgets.QuantizationExplorer(make(), images, labels, images),
    )
    for door in doors:
        with pytest.raises(ModelError, match=words):
            door()


def test_several_graphs_are_made_smaller_and_not_scored(fashion, two_graphs, tmp_path):
    model = two_graphs
    assert sum(model.anatomy().values()) == model.file_bytes
    with pytest.raises(ModelError, match=r"2 graphs, .* the graph that you want alone"):
        qlab.predict(model, fashion.validation.images[:5])
    compressor = qlab.Compressor(model)
    small = compressor.compress(FOUR)
    assert small.file_bytes < model.file_bytes
    assert compressor.notes(FOUR)[-1].endswith("what else is in the 1 more stays as it is.")
    image = np.random.default_rng(0).random((1, 28, 28, 1), np.float32)
    [layer] = [x for x in model.layers if x.weights is not None]
    weights = compressor.weights(layer.name, FOUR)
    for name, more in (("near", 0), ("far", 2)):
        [got] = Interpreter(model_content=small.data).get_signature_runner(name)(x=image).values()
        due = (image + np.float32(more)).reshape(1, -1) @ weights.T
        np.testing.assert_allclose(got, due, rtol=1e-4)
    assert export(small, tmp_path / "out")["model.tflite"].stat().st_size == small.file_bytes


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(), "activation_bits below 32 needs calibration images"),
        (FOUR.replace(rounding="gptq"), "rounding 'gptq' needs calibration images"),
        (FOUR.replace(bias_correction=True), "bias_correction needs calibration images"),
    ],
)
def test_what_looks_at_images_is_refused_without_any(recipe, words):
    with pytest.raises(ValueError, match=words):
        qlab.Compressor(qlab.pretrained("baseline")).compress(recipe)


def test_weights_alone_are_the_same_with_images_and_without():
    recipe = FOUR.replace(calibration_size=16)
    model = qlab.pretrained("baseline")
    due = qlab.Compressor(model, engine.pictures()[:16]).compress(recipe)
    assert qlab.Compressor(model).compress(recipe).data == due.data


def test_a_scalar_input_is_counted():
    assert [x.op for x in count_operations(scalar())] == ["MUL", "RESHAPE"]


@pytest.mark.parametrize("name", WIDGETS)
def test_an_explorer_of_a_model_without_weights_says_so(fashion, name):
    images, labels = fashion.validation.images[:40], fashion.validation.labels[:40] % 8
    with pytest.raises(ModelError, match=r"no layer of this model has weights .* dense layer"):
        getattr(qlab.widgets, f"{name}Explorer")(shadow(), images, labels, images)


def test_a_bool_input_is_refused_in_words(fashion):
    cast = layers.Lambda(lambda x: tf.cast(x, "float32"))
    first = [keras.Input((28, 28, 1), dtype="bool"), cast, layers.Flatten()]
    model = qlab.LiteModel.from_keras(keras.Sequential([*first, layers.Dense(10)]))
    with pytest.raises(ModelError, match=r"takes bool without a scale.*write the file again"):
        qlab.predict(model, fashion.validation.images[:5])


def test_a_size_that_is_left_open_is_that_of_the_images(fashion):
    keras.utils.set_random_seed(3)
    first = [keras.Input((None, None, 1)), layers.Conv2D(8, 3), layers.GlobalAveragePooling2D()]
    keras_model = keras.Sequential([*first, layers.Dense(10)])
    model = qlab.LiteModel.from_bytes(train.convert(keras_model))
    images = fashion.validation.images[:200]
    due = keras_model(images / np.float32(255)).numpy().argmax(1)
    assert (qlab.predict(model, images) == due).mean() > 0.99
    small = qlab.Compressor(model, images[:100]).compress(Recipe(calibration_size=100))
    assert (qlab.predict(small, images) == due).mean() > 0.9
    with pytest.raises(ModelError, match=r"shape \(\?, \?, \?, 1\).*with a fixed size"):
        qlab.latency(model, runs=2)


@pytest.mark.parametrize("kind", ["STRING", "FLOAT64", "UINT32", "BFLOAT16"])
def test_unusual_constants_are_no_damage(kind):
    def add(graph):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        sizes = {"STRING": 21, "FLOAT64": 16, "UINT32": 8, "BFLOAT16": 4}
        buffer.data, tensor.shape = np.zeros(sizes[kind], np.uint8), np.array([2], np.int32)
        tensor.type, tensor.buffer = getattr(schema.TensorType, kind), len(graph.buffers)
        graph.buffers.append(buffer)
        graph.subgraphs[0].tensors.append(tensor)

    model = engine.edited(qlab.pretrained("baseline"), add)
    model._check("it")
    wrong = engine.edited(model, lambda g: setattr(g.buffers[-1], "data", np.zeros(3, np.uint8)))
    if kind != "STRING":
        with pytest.raises(ModelError, match="as many bytes as its shape says"):
            wrong._check("it")


def test_a_crash_is_traced_to_its_layer(monkeypatch):
    """A file of LiteRT's that crashes depends on its version, so the child itself crashes here."""
    crashing = """
import os, sys
from ai_edge_litert.interpreter import Interpreter
names = {x["op_name"] for x in Interpreter(
    model_content=sys.stdin.buffer.read(), experimental_op_resolver_type=OFF
)._get_ops_details()}
if "MAX_POOL_2D" in names and "RESHAPE" in names:
    os.kill(os.getpid(), 11)
"""
    off = "from ai_edge_litert.interpreter import OpResolverType\n"
    off += crashing.replace("OFF", "OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    monkeypatch.setattr(litemodel, "_TRIAL", off)
    words = r"LiteRT crashes in layer flatten \(RESHAPE\).*Convert|convert the model again"
    with pytest.raises(ModelError, match=words):
        qlab.LiteModel.from_bytes(qlab.pretrained("baseline").data)


def test_an_operator_of_ones_own_is_named():
    def own(graph):
        code = graph.operatorCodes[1]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"MyOp"

    model = engine.edited(qlab.pretrained("baseline"), own)
    with pytest.raises(ModelError, match=r"refuses layer pool1 \(CUSTOM MyOp\)\. Convert the"):
        qlab.LiteModel.from_bytes(model.data)


def test_an_error_of_litert_names_the_layer():
    def stride_of_zero(graph):
        graph.subgraphs[0].operators[2].builtinOptions.strideH = 0

    model = engine.edited(qlab.pretrained("baseline"), stride_of_zero)
    with pytest.raises(ModelError, match=r"refuses layer conv2 \(CONV_2D\)\. Convert the model"):
        qlab.LiteModel.from_bytes(model.data)
    with pytest.raises(ModelError, match=r"refuses layer conv2 \(CONV_2D\)\. Convert the model"):
        qlab.predict(model, engine.pictures()[:2])
    assert isolated.run(litemodel._TRIAL, 30, litemodel.TRIAL_MEMORY, model.data).code == 1


def test_sizes_that_the_converter_got_wrong_are_fixed_by_a_batch_of_one(fashion):
    """GroupNormalization: the converter writes a BROADCAST_TO to no size at all."""

    def network(**how):
        keras.utils.set_random_seed(3)
        steps = kinds.few(), layers.GroupNormalization(4), layers.ReLU()
        return kinds.classes(*steps, **how)

    with pytest.raises(ModelError, match=r"\(BROADCAST_TO\)\. Sizes .* batch_size=1"):
        qlab.predict(qlab.LiteModel.from_keras(network()), engine.pictures()[:2])
    images, model = fashion.validation.images[:50], qlab.LiteModel.from_keras(network(batch_size=1))
    due = network().predict(images / np.float32(255), verbose=0).argmax(1)
    small = qlab.Compressor(model, engine.pictures()[:64]).compress(Recipe(calibration_size=64))
    assert (qlab.predict(model, images) == due).all()
    assert (qlab.predict(small, images) == due).mean() > 0.9
