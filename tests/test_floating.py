"""Layers without an integer form stay in float, and everything around them is compressed."""

import functools

import engine
import float_zoo
import kinds
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab import Recipe, train
from qlab.engine.floating import WHOLE
from qlab.tflite import runtime, transforms
from qlab.tflite.graph import new_operator, op_name, stored_index
from qlab.trials import draws

FLOAT32 = schema.TensorType.FLOAT32


@functools.cache
def compressor(name):
    source = qlab.LiteModel.from_keras(float_zoo.untrained(name))
    return qlab.Compressor(source, engine.pictures()[: engine.CALIBRATION])


@functools.cache
def due_outputs(name, count=300):
    """What Keras answers, a row for each picture."""
    keras_model, images = float_zoo.untrained(name), engine.pictures()[-count:]
    scaled = images if name == "pixels" else images / np.float32(255)
    size = keras_model.input_shape[0] or 32
    return keras_model.predict(scaled, size, verbose=0).reshape(count, -1)


def real_outputs(model, count=300):
    """What a file answers, as real values."""
    parts = [x for _, [x] in runtime._outputs(model, engine.pictures()[-count:])]
    held = model.parsed.subgraphs[0].tensors[int(model.parsed.subgraphs[0].outputs[0])]
    codes = np.concatenate(parts).reshape(count, -1)
    if held.type != schema.TensorType.INT8:
        return codes
    return held.quantization.scale[0] * (codes.astype(float) - held.quantization.zeroPoint[0])


def their_error(name):
    """SQNR of the converter's own int8 file; None if it gives none."""
    try:
        converted = train.convert(float_zoo.untrained(name), "int8", engine.pictures()[:128])
    except ValueError:
        return None
    return engine.sqnr_db(due_outputs(name), real_outputs(qlab.LiteModel(converted)))


@pytest.mark.parametrize("name", [x for x in float_zoo.BUILDERS if x not in ("decided", "gru")])
def test_with_8_bits_it_is_as_near_to_float_as_the_converters_file(name):
    due, small = due_outputs(name), compressor(name).compress(Recipe())
    assert np.allclose(real_outputs(compressor(name).model), due, atol=1e-3)
    seen = real_outputs(qlab.LiteModel.from_bytes(small.data))
    if (theirs := their_error(name)) is not None:
        assert engine.sqnr_db(due, seen) > theirs - 1
    else:
        assert (seen.argmax(1) == due.argmax(1)).mean() >= 0.97


def test_graphs_that_are_called_stay_as_they_are():
    """The converter's own integer form of this one ends the process."""
    due, source = due_outputs("gru"), compressor("gru").model
    for recipe, least in ((Recipe(), 26), (Recipe(8, 32), 40), (Recipe(16, 32), 70)):
        small = qlab.LiteModel.from_bytes(compressor("gru").compress(recipe).data)
        assert engine.sqnr_db(due, real_outputs(small)) > least
        assert sum(small.anatomy().values()) == small.file_bytes
        assert len(small.parsed.subgraphs) == len(source.parsed.subgraphs) == 3
    kernels = 4 * 3 * 16 * (28 + 16)
    assert source.anatomy()["weights"] >= kernels + 4 * 16 * 10


def test_a_class_that_the_model_chooses_itself_is_a_whole_number():
    small = compressor("decided").compress(Recipe())
    assert (real_outputs(small) == due_outputs("decided")).mean() > 0.9
    assert small.parsed.subgraphs[0].tensors[small.layers[-1].output].type != FLOAT32


def in_float(model):
    """Places of the operators in a file that read or write float32 activations."""
    tensors = model.parsed.subgraphs[0].tensors
    looking = lambda x: () if x.op == "SHAPE" else x.inputs  # noqa: E731
    kinds = [{tensors[i].type for i in (*looking(x), x.output)} for x in model.layers]
    return [i for i, found in enumerate(kinds) if FLOAT32 in found]


@pytest.mark.parametrize("bits", [(8, 8), (4, 4)])
@pytest.mark.parametrize("name", float_zoo.BUILDERS)
def test_the_notes_name_exactly_the_layers_that_run_in_float(name, bits):
    source, recipe = compressor(name).model, Recipe(*bits)
    small, said = compressor(name).compress(recipe), "\n".join(compressor(name).notes(recipe))
    assert [x.op for x in small.layers] == [x.op for x in source.layers]
    reasons = compressor(name).plan(recipe).floating.reasons
    names = [source.layers[i].name for i in in_float(small)]
    assert names == [x.name for x in source.layers if reasons.get(x.name, WHOLE) != WHOLE]
    assert ("These layers stay in float: " in said) == bool(names)
    assert all(x in said or " more, because " in said for x in names)


@pytest.mark.parametrize("name", float_zoo.BUILDERS)
def test_weight_bits_reach_every_convolution_and_dense_layer(name):
    small = compressor(name).compress(Recipe(3, 8))
    weights = [x.weights for x in small.layers if x.weights is not None]
    assert weights
    assert all(x.dtype == np.int8 and np.abs(x).max() == 3 for x in weights)


def test_activation_bits_reach_what_float_layers_give_to_integer_layers():
    for bits in (2, 4):
        small = compressor("sines").compress(Recipe(8, bits))
        tensors = small.parsed.subgraphs[0].tensors
        read = [x.inputs[0] for x in small.layers if x.weights is not None][1:]
        [held] = [x for _, x in runtime.activations(small, engine.pictures()[:50], read, 64)]
        assert all(2 < len(np.unique(x)) <= 2**bits for x in held)
        assert {tensors[i].type for i in read} == {schema.TensorType.INT8}


def test_everything_in_float_says_nothing_of_float_layers():
    assert compressor("sines").notes(Recipe(32, 32)) == ()
    assert compressor("sines").compress(Recipe(32, 32)) is compressor("sines").model


def test_reasons():
    said = compressor("residual").notes(Recipe())[0]
    assert said.startswith("These layers stay in float: ")
    assert "because qlab has no integer form of SIN; pool and flatten" in said
    assert compressor("swish").notes(Recipe()) == ()


def test_what_only_float_layers_read_is_not_looked_at():
    source = compressor("norms").model
    root = next(x.name for x in source.layers if x.op == "RSQRT")
    assert compressor("norms").activation_params(root, Recipe()) is None
    for ask in (
        lambda: compressor("norms").activation_range(root, Recipe()),
        lambda: compressor("norms").activation_histogram(root, 10),
    ):
        with pytest.raises(ValueError, match=f"what {root} gives stays in float"):
            ask()


def test_a_state_is_no_business_of_the_next_image():
    source = compressor("lstm").model
    assert any(x.isVariable for x in source.parsed.subgraphs[0].tensors)
    for model in (source, compressor("lstm").compress(Recipe())):
        one = real_outputs(model, 40)
        assert np.array_equal(one[-1:], real_outputs(model, 1))


@pytest.mark.parametrize("which", ["weights", "bias"])
def test_weights_that_are_worked_out_while_the_model_runs(which):
    model, position = engine.float_model("baseline"), 1 + (which == "bias")

    at = next(i for i, x in enumerate(model.layers) if x.name == "dense1")

    def worked_out(graph):
        part = graph.subgraphs[0]
        dense = part.operators[at]
        dense.inputs = np.array(dense.inputs)
        index, last = int(dense.inputs[position]), len(part.tensors) + 1
        for place, (before, after) in enumerate(((index, last - 1), (last - 1, last))):
            part.tensors.append(schema.TensorT())
            made = part.tensors[-1]
            made.shape, made.type = part.tensors[index].shape, FLOAT32
            part.operators.insert(place, new_operator(graph, "NEG", 1, [before], after))
        dense.inputs[position] = last

    changed = engine.edited(model, worked_out)
    compressor = qlab.Compressor(changed, engine.pictures()[:128])
    small = compressor.compress(Recipe(8, 8))
    assert any("worked out while the model runs" in x for x in compressor.notes(Recipe(8, 8)))
    images = engine.pictures()[-300:]
    assert (qlab.predict(small, images) == qlab.predict(changed, images)).mean() > 0.97


@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
@pytest.mark.parametrize("name", ["transposed", "lstm", "solid"])
def test_weights_of_float_layers_are_rounded_too_and_the_kernels_answer_the_same(name, granularity):
    """A float file that has the rounded weights as floats answers the same, bit for bit."""
    source, weights = compressor(name).model, compressor(name).plan(Recipe()).floating.weights
    assert weights
    for bits in (8, 4, 16):
        recipe = Recipe(bits, 32, granularity=granularity)
        plan = compressor(name).plan(recipe)
        assert plan.constants.keys() == weights.keys()

        def rounded(graph, plan=plan):
            tensors = graph.subgraphs[0].tensors
            for index, held in plan.constants.items():
                graph.buffers[tensors[index].buffer].data = held.real.reshape(-1).view(np.uint8)

        dense = {x: plan.weights(x) for x in plan.stored}
        due = transforms.with_weights(engine.edited(source, rounded), dense)
        assert np.array_equal(real_outputs(due, 64), real_outputs(plan.model, 64))
        if bits <= 8:
            codes = [x.values for x in plan.constants.values()]
            assert all(np.abs(x).max() == 2 ** (bits - 1) - 1 for x in codes)
        assert plan.model.file_bytes < source.file_bytes
    said = " ".join(compressor(name).notes(Recipe(4, 8)))
    assert ("A DEQUANTIZE step brings the weights of" in said) == (name != "transposed")
    assert "rounded to 4 bits" in said


@pytest.mark.parametrize("name", ["up_transposed", "autoencoder"])
def test_a_transposed_convolution_gives_the_codes_of_the_converters_file(name):
    keras_model, images = kinds.built(name), engine.pictures()
    theirs = qlab.LiteModel(train.convert(keras_model, "int8", images[:128]))
    ours = qlab.Compressor(qlab.LiteModel.from_keras(keras_model), images[:128]).compress(Recipe())
    codes = [
        np.concatenate([x for _, [x] in runtime._outputs(model, images[-300:])])
        for model in (ours, theirs)
    ]
    assert codes[0].dtype == np.int8
    assert (codes[0] == codes[1]).mean() > 0.999


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(4, 4), Recipe(8, 8, granularity="per-tensor")])
def test_a_transposed_convolution_on_integers_is_its_sums(recipe):
    """Each pixel adds the weights times its value to the places that it reaches."""
    plan = compressor("transposed").plan(recipe)
    layer = next(x for x in plan.source.layers if x.op == "TRANSPOSE_CONV")
    [stored] = plan.constants.values()
    at = next(i for i, x in enumerate(plan.model.layers) if x.op == "TRANSPOSE_CONV")
    ends = [plan.model.layers[at].inputs[-1], plan.model.layers[at].output]
    read, given = next(runtime.activations(plan.model, engine.pictures()[-20:], ends, 64))[1]
    read = read - plan.grids[layer.inputs[-1]].zero_point
    height, width = read.shape[1:3]
    sums = np.zeros((len(read), 2 * height + 1, 2 * width + 1, len(stored.values)), np.int64)
    for row, column in np.ndindex(stored.values.shape[1:3]):
        places = sums[:, row : row + 2 * height : 2, column : column + 2 * width : 2]
        places += read @ stored.values[:, row, column].astype(np.int64).T
    real = sums * (plan.grids[layer.inputs[-1]].scale * stored.params.scale.reshape(-1))
    grid = plan.model.parsed.subgraphs[0].tensors[ends[1]].quantization
    due = np.rint(real[:, : 2 * height, : 2 * width] / grid.scale) + grid.zeroPoint
    due = np.clip(due, -128, 127)
    assert np.abs(given - due).max() <= 1
    assert (given != due).mean() < 0.02  # of 4 bits, many sums end half-way
    assert len(np.unique(given)) > 4


PARTING = {
    "PACK": lambda x: train.tf.reduce_max(train.tf.stack([x[..., :4], x[..., 4:]]), 0),
    "UNPACK": lambda x: train.tf.concat(train.tf.unstack(x, axis=1)[::3], -1),
    "SPLIT": lambda x: train.tf.concat(train.tf.split(x, 2, -1)[::-1], -1),
    "SPLIT_V": lambda x: train.tf.concat(train.tf.split(x, [3, 5], -1)[::-1], -1),
}


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("op", PARTING)
def test_what_is_stacked_or_parted_keeps_its_codes(op, bits):
    layers = train.keras.layers
    first = layers.Conv2D(8, 3, strides=4, activation="relu"), layers.Lambda(PARTING[op])
    start = train.keras.Input((28, 28, 1))
    model = train.keras.Sequential([start, *first, layers.Flatten(), layers.Dense(10)])
    images = engine.pictures()[:64]
    plan = qlab.Compressor(qlab.LiteModel.from_keras(model), images).plan(
        Recipe(8, bits, calibration_size=64)
    )
    steps = {x.op: x for x in plan.model.layers}
    assert op in steps and not plan.floating.reasons
    ends = steps["CONV_2D"].output, steps["RESHAPE"].inputs[0]
    before, after = next(runtime.activations(plan.model, images, ends, 64))[1]
    assert len(np.unique(after)) > 2 ** (bits - 1)
    np.testing.assert_array_equal(after, PARTING[op](before))


def test_weights_that_many_steps_share_are_stored_once():
    source = compressor("unrolled").model
    for recipe in (Recipe(), Recipe(4, 32), Recipe(16, 32)):
        small = compressor("unrolled").compress(recipe)
        part = small.parsed.subgraphs[0]
        dense = [x for x in part.operators if op_name(small.parsed, x) == "FULLY_CONNECTED"]
        held = [part.tensors[stored_index(small.parsed, int(x.inputs[1]))].buffer for x in dense]
        assert (len(held), len(set(held))) == (57, 3)
        assert small.anatomy()["weights"] < 0.6 * source.anatomy()["weights"]
    assert (qlab.predict(small.packed(), engine.pictures()[:50])).shape == (50,)


def test_the_range_of_an_input_of_whole_pixels():
    for name, whole in (("pixels", True), ("sines", False)):
        small = compressor(name).compress(Recipe())
        assert small.takes_pixels == whole
        assert (draws.input_range(small) == (0, 255)) == whole
