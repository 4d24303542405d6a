"""Other weights in the same file."""

import engine
import numpy as np
import pytest

import qlab
from qlab.tflite.transforms import with_weights


def test_only_the_weights_named_change(fashion):
    source = engine.float_model("baseline")
    new = {"dense1": source.layer("dense1").weights / 2}
    model = with_weights(source, new)
    assert model.file_bytes == source.file_bytes
    for before, after in zip(source.layers, model.layers, strict=True):
        if before.weights is not None:
            expected = new.get(before.name, before.weights)
            np.testing.assert_array_equal(after.weights, expected)
    assert qlab.predict(model, fashion.test.images[:10]).shape == (10,)
    assert with_weights(source, {}).data == source.data


def test_a_constant_that_two_layers_read_is_parted():
    source = engine.float_model("residual")
    names = ["first0", "first1"]

    def share(graph):
        operators = graph.subgraphs[0].operators
        first, second = (
            next(o for o, x in zip(operators, source.layers, strict=True) if x.name == name)
            for name in names
        )
        second.inputs = np.array([second.inputs[0], first.inputs[1], second.inputs[2]], np.int32)

    shared = engine.edited(source, share)
    same = [x for x in shared.layers if x.weights is not None and x.op == "CONV_2D"]
    pair = [x for x in same if np.array_equal(x.weights, source.layer("first0").weights)]
    assert len(pair) == 2
    model = with_weights(shared, {pair[0].name: np.zeros_like(pair[0].weights)})
    assert not model.layer(pair[0].name).weights.any()
    np.testing.assert_array_equal(model.layer(pair[1].name).weights, pair[1].weights)
    assert qlab.predict(model, engine.pictures()[:5]).shape == (5,)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"conv9": np.zeros(3)}, "no layer is called 'conv9'"),
        ({"pool1": np.zeros(3)}, "pool1 has no float32 weights"),
        ({"conv1": np.zeros(3)}, r"conv1 has no float32 weights of shape \(3,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        with_weights(engine.float_model("baseline"), weights)


def test_a_quantized_model_is_refused():
    small = engine.compressor("baseline").compress(qlab.Recipe())
    with pytest.raises(ValueError, match="no float32 weights"):
        with_weights(small, {"conv1": np.zeros((32, 2, 2, 1), np.float32)})


def test_a_file_with_steps_between_its_layers_is_refused():
    """Its layers and its operators do not go in step: the wrong ones would be written to."""
    mixed = engine.compressor("baseline").compress(qlab.Recipe(32, 8))
    with pytest.raises(qlab.ModelError, match="plain float32 model only"):
        with_weights(mixed, {"dense1": np.zeros_like(mixed.layer("dense1").weights)})
