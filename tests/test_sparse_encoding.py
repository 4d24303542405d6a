"""Files without their zeros: LiteRT runs them, and they say the same as the dense ones."""

import copy

import engine
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from test_sparse_tensors import blocked, column_by_column

import qlab
from qlab import ModelError, Recipe
from qlab.arithmetic.sparsity import block_mask
from qlab.tflite import runtime
from qlab.tflite.graph import op_name
from qlab.tflite.sparse_encoding import encoded_bytes, sparse_file

KINDS = [
    (32, 32, "per-channel"),
    (16, 32, "per-channel"),
    (8, 32, "per-channel"),
    (8, 8, "per-channel"),
    (8, 8, "per-tensor"),
    (4, 4, "per-channel"),
    (32, 8, "per-channel"),
    (16, 8, "per-tensor"),
]


def outputs(model, images):
    [(_, [values])] = runtime.activations(
        model, images, [int(model.parsed.subgraphs[0].outputs[0])], batch=len(images)
    )
    return values


def weights(model):
    return [(x.name, x.weights.reshape(-1)) for x in model.layers if x.weights is not None]


def require_same(sparse, dense, images, names=True):
    np.testing.assert_array_equal(outputs(sparse, images), outputs(dense, images))
    for (name, ours), (expected, theirs) in zip(weights(sparse), weights(dense), strict=True):
        assert name == expected or not names
        np.testing.assert_array_equal(ours, theirs)


def operators(model):
    return [op_name(model.parsed, x) for x in model.parsed.subgraphs[0].operators]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sparse_file_is_smaller_and_gives_the_same_outputs(kind, fashion):
    compressor = engine.compressor("baseline")
    dense = compressor.compress(Recipe(*kind, sparsity=0.9))
    sparse = sparse_file(dense)
    assert sparse.file_bytes < 0.4 * dense.file_bytes
    assert encoded_bytes(dense) == sparse.file_bytes
    assert "DENSIFY" in operators(sparse)
    require_same(sparse, dense, fashion.test.images[:500])
    assert sum(sparse.anatomy().values()) == sparse.file_bytes
    assert sparse.anatomy()["weights"] < 0.2 * dense.anatomy()["weights"]


@pytest.mark.parametrize("name", [x for x in (*engine.NETWORKS, "mixture") if x != "baseline"])
@pytest.mark.parametrize("bits", [(32, 32), (8, 8)])
def test_learners_models_without_zeros(name, bits, fashion):
    dense = engine.compressor(name).compress(Recipe(*bits, sparsity=0.95))
    sparse = sparse_file(dense)
    assert sparse.file_bytes <= dense.file_bytes
    require_same(sparse, dense, fashion.test.images[:100])


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_an_int8_sparse_file_takes_any_batch(batch, fashion):
    dense = engine.compressor("baseline").compress(Recipe(sparsity=0.9))
    sparse, images = sparse_file(dense), fashion.test.images[:batch]
    np.testing.assert_array_equal(qlab.predict(sparse, images), qlab.predict(dense, images))


def test_it_can_be_saved_checked_and_read_again(tmp_path, fashion):
    dense = engine.compressor("baseline").compress(Recipe(sparsity=0.9))
    path = sparse_file(dense).save(tmp_path / "sparse.tflite")
    again = qlab.LiteModel.from_file(path)
    require_same(again, dense, fashion.test.images[:50])
    assert sparse_file(again).data == again.data  # nothing is left to leave out
    with pytest.raises(ModelError, match="already quantized"):
        qlab.Compressor(again, fashion.test.images[:4])


def test_a_sparse_float_file_is_not_called_quantized(fashion):
    sparse = sparse_file(engine.compressor("baseline").compress(Recipe(32, 32, sparsity=0.9)))
    with pytest.raises(ModelError, match=r"leaves out the zeros .* give the file from before that"):
        qlab.Compressor(sparse, fashion.test.images[:4])


def test_a_file_that_would_not_shrink_stays_as_it_is():
    compressor = engine.compressor("baseline")
    for recipe in (Recipe(), Recipe(32, 32), Recipe(sparsity=0.3), Recipe(32, 32, sparsity=0.2)):
        model = compressor.compress(recipe)
        assert sparse_file(model) is model
    for tenths in range(2, 10):
        for bits in ((32, 32), (8, 8)):
            model = compressor.compress(Recipe(*bits, sparsity=tenths / 10))
            assert encoded_bytes(model) <= model.file_bytes


@pytest.mark.parametrize("mode", ["dynamic-range", "int16x8"])
def test_what_litert_cannot_run_so_stays_dense(mode):
    model = qlab.pretrained(f"baseline-{mode}")

    def empty(graph):
        for tensor in graph.subgraphs[0].tensors:
            buffer = graph.buffers[tensor.buffer]
            if tensor.type == schema.TensorType.INT8 and buffer.data is not None:
                buffer.data = np.where(np.arange(len(buffer.data)) < 50, buffer.data, 0)

    pruned = engine.edited(model, empty)
    assert sum(x.weights is not None and (x.weights == 0).mean() > 0.9 for x in pruned.layers) == 3
    assert "DENSIFY" not in operators(sparse_file(pruned))


@pytest.mark.parametrize("bits", [2, 4])
def test_packed_weights_stay_packed(bits):
    packed = engine.compressor("baseline").compress(Recipe(bits, sparsity=0.9)).packed()
    assert sparse_file(packed) is packed


def test_a_shared_constant_stays_dense(fashion):
    model = engine.float_model("residual")
    pair = [x.name for x in model.layers if x.name.startswith("first")]

    def share(graph):
        first, second = (
            next(o for o, x in zip(graph.subgraphs[0].operators, model.layers, strict=True)
                 if x.name == name)
            for name in pair
        )  # fmt: skip
        second.inputs = np.array([second.inputs[0], first.inputs[1], second.inputs[2]], np.int32)
        buffer = graph.buffers[graph.subgraphs[0].tensors[int(first.inputs[1])].buffer]
        buffer.data = np.where(np.arange(len(buffer.data)) < 400, buffer.data, 0)

    dense = engine.edited(model, share)
    require_same(sparse_file(dense), dense, fashion.test.images[:20])


# ---- files of others ----------------------------------------------------------------------------
def test_the_converters_own_sparse_file_can_be_read(fashion):
    import tensorflow as tf

    from qlab import train

    network = train.load("baseline")
    for layer in network.layers:
        if layer.get_weights():
            kernel, bias = layer.get_weights()
            small = np.abs(kernel) < np.quantile(np.abs(kernel), 0.9)
            layer.set_weights([np.where(small, 0, kernel), bias])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    dense = qlab.LiteModel.from_keras(network)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    with qlab.system.output.quiet():
        theirs = qlab.LiteModel.from_bytes(converter.convert())
    assert "DENSIFY" in operators(theirs)
    require_same(theirs, dense, fashion.test.images[:200], names=False)
    assert encoded_bytes(dense) <= theirs.file_bytes


def relaid(layout):
    """The baseline with dense1 pruned in blocks and stored in another layout; and the dense one."""
    source = engine.float_model("baseline")
    kernel = source.layer("dense1").weights
    kernel = np.where(block_mask(kernel, 0.8, (1, 4)), kernel, np.float32(0))
    dense = qlab.tflite.transforms.with_weights(source, {"dense1": kernel})

    def store(graph):
        tensors = graph.subgraphs[0].tensors
        step = next(x for x in graph.subgraphs[0].operators if kind(graph, x) == "DENSIFY")
        sparse = tensors[int(step.inputs[0])]
        others, sparse.sparsity = layout(kernel)
        graph.buffers[sparse.buffer].data = np.ascontiguousarray(others).view(np.uint8)

    return engine.edited(sparse_file(dense), store), dense


def kind(graph, operator):
    return op_name(graph, operator)


@pytest.mark.parametrize(
    "layout", [lambda x: blocked(x, 4), lambda x: blocked(x, 2), column_by_column]
)
def test_other_layouts_are_read_as_litert_reads_them(layout, fashion):
    require_same(*relaid(layout), fashion.test.images[:100])


def sparse_part(graph):
    return next(x.sparsity for x in graph.subgraphs[0].tensors if x.sparsity is not None)


DAMAGE = {
    "counts": lambda g: vector(g, "arraySegments", lambda v: v[::-1]),
    "index": lambda g: vector(g, "arrayIndices", lambda v: np.full_like(v, np.iinfo(v.dtype).max)),
    "fewer": lambda g: vector(g, "arrayIndices", lambda v: v[:-1]),
    "level": lambda g: sparse_part(g).dimMetadata.pop(),
    "order": lambda g: setattr(sparse_part(g), "traversalOrder", np.array([7, 7, 7, 7], np.int32)),
    "length": lambda g: setattr(sparse_part(g).dimMetadata[0], "denseSize", -1),
    "block": lambda g: setattr(sparse_part(g), "blockMap", np.array([9], np.int32)),
}


def vector(graph, name, change):
    part = getattr(sparse_part(graph).dimMetadata[-1], name)
    part.values = change(part.values)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_sparse_file_is_refused_before_litert_sees_it(damage, monkeypatch):
    dense = engine.compressor("baseline").compress(Recipe(32, 32, sparsity=0.9))
    broken = engine.edited(sparse_file(dense), DAMAGE[damage])
    monkeypatch.setattr(qlab.tflite.litemodel, "_try_elsewhere", lambda *_: pytest.fail("was run"))
    with pytest.raises(ModelError, match="damaged"):
        qlab.LiteModel.from_bytes(copy.copy(broken.data))


def test_only_a_model_has_zeros_to_leave_out():
    with pytest.raises(TypeError, match=r"this takes a qlab\.LiteModel, not a bytes"):
        sparse_file(b"TFL3")
