"""Each byte's owner, checked against the schema's object tree, and by overwriting bytes."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab.tflite.anatomy import PARTS, byte_counts, compressed_byte_counts, owners

CONVERTED = ("int8", "float16", "dynamic-range", "int16x8")
RECIPES = {
    "weights 8, activations 8": {},
    "per tensor": {"granularity": "per-tensor"},
    "weights 4": {"weight_bits": 4},
    "weights 2, activations 2": {"weight_bits": 2, "activation_bits": 2},
    "weight-only 8": {"activation_bits": 32},
    "weight-only 3": {"weight_bits": 3, "activation_bits": 32},
    "float16": {"weight_bits": 16, "activation_bits": 32},
    "activations only": {"weight_bits": 32, "activation_bits": 8},
    "mixed": {"overrides": {"dense1": {"weight_bits": 4}, "conv1": {"weight_bits": 32}}},
}
PACKED = ("weights 4", "weights 2, activations 2", "weight-only 3", "mixed")
MODELS = ("float32", *CONVERTED, *RECIPES, *(f"{name}, packed" for name in PACKED))


@pytest.fixture(scope="module")
def compressor(fashion):
    return qlab.Compressor(qlab.pretrained("baseline"), fashion.test.images[:32])


@pytest.fixture(scope="module", params=MODELS)
def model(request, compressor):
    """Files of every family: float32, the converter's modes, the engine's recipes, packed."""
    name = request.param
    if name == "float32":
        return compressor.model
    if name in CONVERTED:
        return qlab.LiteModel.from_file(qlab.artefacts.path(f"baseline-{name}.tflite"))
    recipe = RECIPES[name.removesuffix(", packed")]
    compressed = compressor.compress(qlab.Recipe(calibration_size=32, **recipe))
    return compressed.packed() if name.endswith(", packed") else compressed


def stored(model, position):
    """Buffers at this input of the layers, read from the object tree; found by another route."""
    graph = model.parsed.subgraphs[0]
    codes = [code.builtinCode for code in model.parsed.operatorCodes]
    op = schema.BuiltinOperator
    weighted = (op.CONV_2D, op.DEPTHWISE_CONV_2D, op.FULLY_CONNECTED)
    found = set()
    for operator in graph.operators:
        if codes[operator.opcodeIndex] in weighted:
            index = operator.inputs[position]
            while not buffer_bytes(model, graph.tensors[index].buffer):
                index = next(o.inputs[0] for o in graph.operators if index in o.outputs)
            found.add(graph.tensors[index].buffer)
    return found


def buffer_bytes(model, index):
    data = model.parsed.buffers[index].data
    return 0 if data is None else len(data)


def strings(thing):
    """Every string in an object tree."""
    if isinstance(thing, bytes):
        yield thing
    elif isinstance(thing, list):
        for item in thing:
            yield from strings(item)
    elif hasattr(thing, "__dict__"):
        for value in vars(thing).values():
            yield from strings(value)


def test_the_parts_add_up_to_the_file(model):
    parts = model.anatomy()
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == model.file_bytes
    assert min(parts.values()) >= 0


def test_weights_and_biases_are_exactly_their_numbers(model):
    parts = byte_counts(model.data)
    assert parts["weights"] == sum(buffer_bytes(model, i) for i in stored(model, 1))
    assert parts["biases"] == sum(buffer_bytes(model, i) for i in stored(model, 2))


def test_scales_are_exactly_the_quantization_vectors(model):
    tables = [t.quantization for t in model.parsed.subgraphs[0].tensors if t.quantization]
    vectors = [getattr(t, name) for t in tables for name in ("scale", "zeroPoint", "min", "max")]
    assert byte_counts(model.data)["scales"] == sum(v.nbytes for v in vectors if v is not None)


def test_names_are_exactly_the_characters(model):
    parsed = model.parsed
    expected = sum(len(s) for s in strings(parsed))
    assert byte_counts(model.data)["names"] == expected > 0


def test_nothing_reads_the_padding(model, fashion):
    """Overwriting it changes neither what the schema reads nor what LiteRT answers."""
    altered = bytearray(model.data)
    padding = owners(model.data) == PARTS.index("padding")
    np.frombuffer(altered, np.uint8)[padding] = 0xAB
    altered = qlab.LiteModel(altered)
    assert padding.any()
    assert not np.frombuffer(model.data, np.uint8)[padding].any()
    assert altered.data != model.data
    assert tree(altered.parsed) == tree(model.parsed)
    images = fashion.test.images[:50]
    np.testing.assert_array_equal(qlab.predict(altered, images), qlab.predict(model, images))


def test_overwriting_names_changes_names_alone(model, fashion):
    altered = bytearray(model.data)
    np.frombuffer(altered, np.uint8)[owners(model.data) == PARTS.index("names")] = ord("x")
    altered = qlab.LiteModel(altered)
    assert set(b"".join(strings(altered.parsed))) == {ord("x")}
    assert tree(altered.parsed, names=False) == tree(model.parsed, names=False)


def tree(thing, names=True):
    """An object tree as plain nested values that can be compared."""
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if isinstance(thing, list):
        return [tree(item, names) for item in thing]
    if isinstance(thing, bytes):
        return thing if names else len(thing)
    if hasattr(thing, "__dict__"):
        return {"": type(thing).__name__, **{k: tree(v, names) for k, v in vars(thing).items()}}
    return thing


@pytest.mark.parametrize(("bits", "byte"), [(8, 1), (4, 0.5), (16, 2), (32, 4)])
def test_bytes_a_weight(compressor, bits, byte):
    model = compressor.compress(qlab.Recipe(bits, 32, calibration_size=32)).packed()
    assert byte_counts(model.data)["weights"] == byte * 75_426


def test_per_channel_costs_twelve_bytes_a_channel_twice(compressor):
    """A float32 scale and an int64 zero point, for weights and for biases, of 183 channels."""
    fine, coarse = (
        compressor.compress(qlab.Recipe(granularity=g, calibration_size=32)).anatomy()["scales"]
        for g in ("per-channel", "per-tensor")
    )
    assert fine - coarse == 2 * (4 + 8) * (183 - 4)


@pytest.mark.parametrize("name", ["depthwise", "residual", "concatenate", "tanh_mlp"])
def test_other_networks(name, fashion):
    from tests.zoo import BUILDERS

    model = qlab.LiteModel.from_keras(BUILDERS[name][0]())
    compressed = qlab.Compressor(model, fashion.test.images[:8]).compress(
        qlab.Recipe(calibration_size=8)
    )
    for each in (model, compressed):
        parts = byte_counts(each.data)
        weights = sum(x.weights.nbytes for x in each.layers if x.weights is not None)
        assert parts["weights"] == weights
        assert sum(parts.values()) == each.file_bytes
        assert parts["padding"] < 0.02 * each.file_bytes + 400


def test_compressed_alone(model):
    raw, alone = byte_counts(model.data), compressed_byte_counts(model.data)
    assert tuple(alone) == PARTS
    assert all(alone[p] <= raw[p] + 11 and (alone[p] > 0) == (raw[p] > 0) for p in PARTS)
    assert sum(alone.values()) == pytest.approx(model.gzip_bytes, rel=0.08)


def test_a_file_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"it is not a \.tflite file"):
        byte_counts(b"TFL3")
