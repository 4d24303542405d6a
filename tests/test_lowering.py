"""The integer graph against fake quantization in plain NumPy, layer by layer.

In LiteRT's XNNPACK kernels every code turned out to be the nearest one, on every layer, at every
bit width; the tests leave room for one code in a thousand, for processors with other kernels.
"""

import functools

import engine
import numpy as np
import pytest
import reference

import qlab
from qlab.arithmetic.affine import affine_params
from qlab.engine.lowering import needs_lower_clamp
from qlab.tflite import runtime
from qlab.tflite.graph import op_name, pack

WEIGHT_BITS = (2, 3, 4, 5, 6, 7, 8)
ACTIVATION_BITS = (8, 4, 3, 2)
SELECTION = [(8, 8), (4, 8), (8, 4), (4, 4), (3, 3), (2, 2)]
LEARNERS = [x for x in (*engine.NETWORKS, "mixture") if x != "baseline"]


@functools.cache
def grids(name, activation_bits):
    images = engine.pictures()[: engine.CALIBRATION]
    return reference.activation_grids(engine.float_model(name), images, activation_bits)


def compressed(name, weight_bits, activation_bits, granularity="per-channel"):
    recipe = qlab.Recipe(
        weight_bits=weight_bits, activation_bits=activation_bits, granularity=granularity
    )
    return engine.compressor(name).compress(recipe)


def require_agreement(name, weight_bits, activation_bits, granularity, images):
    model = compressed(name, weight_bits, activation_bits, granularity)
    source, due = engine.float_model(name), grids(name, activation_bits)
    assert engine.wrong_grid(source, model, due) is None
    found = engine.first_divergence(
        source, model, images, due, weight_bits, granularity == "per-channel"
    )
    if found:
        layer, steps, part = found
        pytest.fail(
            f"{name}, weights {weight_bits} bits, activations {activation_bits} bits, "
            f"{granularity}: first divergence in {layer}, by up to {steps:.2f} steps, "
            f"{part:.2%} of codes wrong"
        )


@pytest.mark.parametrize("activation_bits", ACTIVATION_BITS)
@pytest.mark.parametrize("weight_bits", WEIGHT_BITS)
def test_baseline_is_fake_quantization_layer_by_layer(fashion, weight_bits, activation_bits):
    images = fashion.test.images[:64]
    require_agreement("baseline", weight_bits, activation_bits, "per-channel", images)


@pytest.mark.parametrize("bits", SELECTION)
def test_baseline_per_tensor_is_fake_quantization_too(fashion, bits):
    require_agreement("baseline", *bits, "per-tensor", fashion.test.images[:64])


@pytest.mark.parametrize("bits", SELECTION)
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_models_are_fake_quantization_layer_by_layer(fashion, name, bits):
    require_agreement(name, *bits, "per-channel", fashion.test.images[:64])


@pytest.mark.parametrize("name", ["depthwise", "concatenate"])
def test_learners_models_per_tensor_are_fake_quantization_too(fashion, name):
    require_agreement(name, 4, 4, "per-tensor", fashion.test.images[:64])


@pytest.mark.parametrize(
    ("name", "bits", "least"),
    [
        ("baseline", (8, 8), 0.99),
        ("baseline", (4, 4), 0.99),
        ("baseline", (3, 2), 0.99),
        ("residual", (4, 4), 0.99),
        ("concatenate", (4, 4), 0.99),
        # Averages of four codes, and tanh at -1, often lie midway between two codes. NumPy takes
        # the even one, the kernels the one further out; at 4 bits that is seen at the far end.
        ("depthwise", (8, 4), 0.9),
        ("tanh_mlp", (8, 4), 0.9),
    ],
)
def test_whole_networks_predict_as_fake_quantization_does(fashion, name, bits, least):
    # No layer is fed what LiteRT computed: rounding differences may pile up from end to end.
    images = fashion.test.images[:300]
    source, model = engine.float_model(name), compressed(name, *bits)
    values = reference.fake_quantized_forward(source, grids(name, bits[1]), bits[0], True, images)
    expected = values[source.layers[-1].output].argmax(1)
    assert (qlab.predict(model, images) == expected).mean() >= least


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
def test_the_reference_itself_computes_what_litert_computes_in_float(fashion, name):
    images, source = fashion.test.images[:32], engine.float_model(name)
    tensors = [layer.output for layer in source.layers]
    [(_, held)] = runtime.activations(source, images, tensors)
    values = reference.float_forward(source, images)
    for layer, seen in zip(source.layers, held, strict=True):
        largest = np.abs(seen).max()
        assert np.abs(values[layer.output] - seen).max() <= 1e-5 * max(largest, 1), layer.name


@pytest.mark.parametrize("activation_bits", [8, 4, 2])
@pytest.mark.parametrize("name", ["baseline", "residual"])
def test_values_beyond_the_range_are_clamped_at_both_ends(fashion, name, activation_bits):
    # Calibrated on one picture, so that others go well beyond what was seen.
    source, images = engine.float_model(name), fashion.test.images[:4000]
    due = reference.activation_grids(source, engine.pictures()[:1], activation_bits)
    recipe = qlab.Recipe(activation_bits=activation_bits, calibration_size=1)
    model = engine.compressor(name).compress(recipe)
    assert engine.wrong_grid(source, model, due) is None
    assert engine.first_divergence(source, model, images[:64], due, 8) is None
    held = engine.held_values(source, model, images)
    signed = [x for x in source.layers if x.weights is not None and x.activation == "NONE"]
    for layer in signed:
        assert held[layer.output].min() == due[layer.output].low, layer.name
        assert held[layer.output].max() == 127, layer.name


# ---- the search for the first divergence does find one ------------------------------------------
@pytest.mark.parametrize("layer", ["conv1", "conv2", "dense1", "logits"])
def test_one_wrong_layer_is_found_by_name(fashion, layer):
    source, images = engine.float_model("baseline"), fashion.test.images[:64]
    model = compressed("baseline", 8, 8)
    codes = model.layer(layer).weights.copy()
    codes[0] //= 2
    position = next(
        i for i, operator in enumerate(model.parsed.subgraphs[0].operators)
        if int(operator.outputs[0]) == model.layer(layer).output
    )  # fmt: skip

    def halve(graph):
        tensor = graph.subgraphs[0].tensors[graph.subgraphs[0].operators[position].inputs[1]]
        graph.buffers[tensor.buffer].data = codes.reshape(-1).view(np.uint8)

    damaged = engine.edited(model, halve)
    due = grids("baseline", 8)
    assert engine.first_divergence(source, model, images, due, 8) is None
    assert engine.first_divergence(source, damaged, images, due, 8)[0] == layer


def test_a_wrong_bias_is_found_by_name(fashion):
    source, model = engine.float_model("baseline"), compressed("baseline", 8, 4)

    def shift(graph):
        operator = graph.subgraphs[0].operators[2]
        tensor = graph.subgraphs[0].tensors[operator.inputs[2]]
        bias = np.asarray(graph.buffers[tensor.buffer].data, np.uint8).view(np.int32) + 3000
        graph.buffers[tensor.buffer].data = bias.view(np.uint8)

    found = engine.first_divergence(
        source, engine.edited(model, shift), fashion.test.images[:64], grids("baseline", 4), 8
    )
    assert found[0] == "conv2"


def test_a_wrong_grid_is_found_by_name():
    source, model, due = (
        engine.float_model("residual"),
        compressed("residual", 8, 8),
        grids("residual", 8),
    )
    index = engine.resting(source, model)[source.layer("add0").output]

    def stretch(graph):
        held = graph.subgraphs[0].tensors[index].quantization
        held.scale = held.scale * np.float32(1.01)

    assert engine.wrong_grid(source, model, due) is None
    assert engine.wrong_grid(source, engine.edited(model, stretch), due).startswith("add0: scale")


# ---- the shape of the graph ---------------------------------------------------------------------
def operators(model):
    return [op_name(model.parsed, x) for x in model.parsed.subgraphs[0].operators]


def test_a_relu_network_needs_no_extra_step_at_any_bits():
    for bits in (2, 5, 8):
        model = compressed("baseline", bits, bits)
        assert operators(model) == operators(engine.float_model("baseline"))


def test_a_signed_output_below_eight_bits_passes_one_extra_step_that_the_notes_mention():
    plain, low = compressed("residual", 8, 8), compressed("residual", 8, 4)
    assert "QUANTIZE" not in operators(plain)
    assert operators(low).count("QUANTIZE") == 2  # second0 and second1, which have no ReLU
    assert engine.compressor("residual").notes(qlab.Recipe()) == ()
    notes = " ".join(engine.compressor("residual").notes(qlab.Recipe(activation_bits=4)))
    assert "second0, second1" in notes
    assert "8 bits" in notes


@pytest.mark.parametrize(
    ("low", "bits", "activation", "needed"),
    [
        (-1.0, 4, "NONE", True),
        (-1.0, 7, "TANH", True),
        (-1.0, 8, "NONE", False),  # the codes of int8 end there
        (0.0, 4, "NONE", False),  # zero is the first code, and nothing lies below it
        (-1.0, 4, "RELU", False),
        (-1.0, 4, "RELU6", False),
    ],
)
def test_what_needs_the_extra_step(low, bits, activation, needed):
    assert needs_lower_clamp(affine_params(low, 1.0, bits), activation) is needed


def test_lowering_leaves_the_float_model_as_it_was():
    source = engine.float_model("mixture")
    before = pack(source.graph())
    compressed("mixture", 4, 4)
    assert pack(source.parsed) == before
