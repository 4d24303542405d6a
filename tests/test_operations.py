"""Counts of arithmetic and bytes, against hand counts and against Keras's own shapes."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from zoo import concatenate, depthwise, residual

import qlab
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel, ModelError
from qlab.tflite.operations import HOLDS, MAC_PJ, PICOJOULES, count_operations, energy

MACS = {"conv1": 27 * 27 * 32 * 4, "conv2": 12 * 12 * 16 * 4 * 32, "dense1": 576 * 125}
MACS["logits"] = 125 * 10


def macs(model):
    return {row.name: row.macs for row in count_operations(model) if row.macs}


@pytest.mark.parametrize(
    "name", ["baseline", "baseline-float16", "baseline-int8", "baseline-int16x8", "qat-w4-seed0"]
)
def test_quantization_changes_no_count_of_macs(name):
    assert macs(qlab.pretrained(name)) == MACS


@pytest.mark.parametrize("build", [depthwise, residual, concatenate])
def test_macs_are_those_of_keras(build):
    keras_model = build()
    expected = []
    for layer in keras_model.layers:
        kernel = getattr(layer, "depthwise_kernel", None)
        if kernel is not None:
            taps = int(np.prod(kernel.shape[:2]))
        elif hasattr(layer, "kernel"):
            taps = int(np.prod(layer.kernel.shape[:-1]))
        else:
            continue
        expected.append(int(np.prod(layer.output.shape[1:])) * taps)
    found = count_operations(LiteModel.from_keras(keras_model))
    assert sorted(row.macs for row in found if row.macs) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "weights", "activations"),
    [
        # 72,000 weights and 125 biases; 576 numbers read and 125 written
        ("baseline", 4 * 72_000 + 4 * 125, 4 * 576 + 4 * 125),
        ("baseline-float16", 4 * 72_000 + 4 * 125, 4 * 576 + 4 * 125),  # turned back when loaded
        ("baseline-int8", 72_000 + 4 * 125, 576 + 125),
        ("baseline-int16x8", 72_000 + 8 * 125, 2 * 576 + 2 * 125),
        ("qat-w4-seed0", 36_000 + 4 * 125, 576 + 125),
        ("baseline-dynamic-range", 72_000 + 4 * 125, 4 * 576 + 4 * 125),
    ],
)
def test_bytes_moved_by_a_dense_layer(name, weights, activations):
    row = next(row for row in count_operations(qlab.pretrained(name)) if row.name == "dense1")
    assert (row.weight_bytes, row.activation_bytes) == (weights, activations)
    assert row.moved_bytes == weights + activations


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [
        ("baseline", "float32"),
        ("baseline-float16", "float32"),
        ("baseline-dynamic-range", "int8"),
        ("baseline-int16x8", "int16x8"),
        ("qat-w4-seed0", "int8"),
    ],
)
def test_what_is_multiplied(name, arithmetic):
    rows = count_operations(qlab.pretrained(name))
    assert next(row for row in rows if row.name == "dense1").arithmetic == arithmetic


def test_pooling_moves_bytes_and_reshape_moves_none():
    rows = {row.op: row for row in count_operations(qlab.pretrained("baseline"))}
    assert rows["MAX_POOL_2D"].macs == 0 < rows["MAX_POOL_2D"].moved_bytes
    assert rows["RESHAPE"].moved_bytes == 0


def test_zeros_are_counted_apart():
    graph = qlab.pretrained("baseline").graph()
    dense = next(x for x in graph.subgraphs[0].tensors if list(x.shape) == [125, 576])
    buffer = graph.buffers[dense.buffer]
    values = np.array(buffer.data).view("<f4").reshape(125, 576).copy()
    values[:, :144] = 0
    buffer.data = values.reshape(-1).view(np.uint8)
    row = next(row for row in count_operations(LiteModel(pack(graph))) if row.name == "dense1")
    assert row.macs == 72_000
    assert row.nonzero_macs == 54_000


def test_a_model_of_a_fixed_batch_is_counted_per_image():
    graph = qlab.pretrained("baseline-int8").graph()
    for tensor in graph.subgraphs[0].tensors:
        data = graph.buffers[tensor.buffer].data
        if data is None or not len(data):
            tensor.shape = [4, *tensor.shape[1:]]
    assert macs(LiteModel(pack(graph))) == MACS
    before = count_operations(qlab.pretrained("baseline-int8"))
    assert count_operations(LiteModel(pack(graph))) == before


def test_quantize_steps_of_a_float_boundary_are_rows():
    images = qlab.data.load().test.images[:16]
    engine = qlab.Compressor(qlab.pretrained("baseline"), images)
    model = engine.compress(qlab.Recipe(weight_bits=8, activation_bits=32, calibration_size=16))
    rows = count_operations(model)
    assert macs(model) == MACS
    assert all(row.op != "DEQUANTIZE" for row in rows)  # of weights alone, done when loaded


def test_weights_without_their_zeros_are_read_with_them():
    from qlab.tflite.sparse_encoding import sparse_file

    images = qlab.data.load().test.images[:16]
    engine = qlab.Compressor(qlab.pretrained("baseline"), images)
    recipe = qlab.Recipe(weight_bits=32, activation_bits=32, calibration_size=16, sparsity=0.8)
    model = engine.compress(recipe)
    smaller = sparse_file(model)
    assert smaller.file_bytes < model.file_bytes
    assert count_operations(smaller) == count_operations(model)
    rows = count_operations(smaller)
    share = sum(row.nonzero_macs for row in rows) / sum(row.macs for row in rows)
    assert 0.1 < share < 0.6


def test_an_operator_that_is_not_counted_is_named():
    graph = qlab.pretrained("baseline").graph()
    graph.operatorCodes[0].builtinCode = schema.BuiltinOperator.SVDF
    graph.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.SVDF
    with pytest.raises(ModelError, match="does not count the work of SVDF"):
        count_operations(LiteModel(pack(graph)))
    with pytest.raises(TypeError, match=r"takes a qlab\.LiteModel"):
        count_operations("baseline.tflite")


def test_energy_is_simulated_and_adds_up():
    found = energy(qlab.pretrained("baseline-int8"))
    assert found.kind == "simulated"
    assert "Horowitz" in found.source and "45 nm" in found.source
    assert found.arithmetic_nj == pytest.approx(sum(MACS.values()) * 0.3 / 1000)
    weights = sum(row.weight_bytes for row in count_operations(qlab.pretrained("baseline-int8")))
    assert found.weights_nj == pytest.approx(weights * 1300 / 8 / 1000)
    assert found.total_nj == pytest.approx(
        found.arithmetic_nj + found.weights_nj + found.activations_nj
    )


def test_weights_on_the_chip_cost_less_and_floats_cost_more():
    near = energy(qlab.pretrained("baseline-int8"), "on-chip")
    far = energy(qlab.pretrained("baseline-int8"), "off-chip")
    assert near.weights_nj < far.weights_nj
    assert near.arithmetic_nj == far.arithmetic_nj
    assert MAC_PJ["int8"] < MAC_PJ["int16x8"] < MAC_PJ["float32"] == pytest.approx(4.6)
    with pytest.raises(ValueError, match="choose one of on-chip, off-chip"):
        energy(qlab.pretrained("baseline"), "nowhere")


@pytest.mark.parametrize("name", ["baseline", "baseline-int8", "chain-int4-seed0", "teacher"])
def test_a_price_is_that_of_the_smallest_memory_that_holds_the_bytes(name):
    """Weights that are 76 KB were once priced as in a cache of 32 KB, in which they do not fit."""
    model = qlab.pretrained(name)
    rows, found = count_operations(model), energy(model, "on-chip")
    sizes = {
        "weights": (sum(x.weight_bytes for x in rows),) * 2,
        "activations": (
            sum(x.activation_bytes for x in rows),
            max(x.activation_bytes for x in rows),
        ),
    }
    assert sizes["weights"][0] > 32 * 1024
    for what, (moved, held) in sizes.items():
        memory = getattr(found, f"{what}_in")
        smaller = [x for x in HOLDS if PICOJOULES[x] < PICOJOULES[memory]]
        assert HOLDS.get(memory, held) >= held > max((HOLDS[x] for x in smaller), default=-1)
        assert getattr(found, f"{what}_nj") == pytest.approx(moved * PICOJOULES[memory] / 8000)
    assert found.weights_in == "a cache of 1 MB"


def test_what_fits_no_cache_is_in_dram(monkeypatch):
    model = qlab.pretrained("baseline-int8")
    monkeypatch.setitem(HOLDS, "a cache of 1 MB", 40_000)
    assert energy(model, "on-chip").weights_in == "DRAM"
    assert energy(model, "on-chip") == energy(model, "off-chip")
