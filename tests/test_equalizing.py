"""Channels multiplied in one layer and divided in the next: the same function in other numbers."""

import engine
import numpy as np
import pytest
import zoo

import qlab
from qlab.tflite.litemodel import ModelError
from qlab.tflite.transforms import equalizable, equalize, rescale, with_weights
from tests.test_filters import outputs

PAIRS = {
    "baseline": [("conv1", "conv2"), ("conv2", "dense1"), ("dense1", "logits")],
    "separable": [
        ("conv1", "depthwise2"),
        *(
            pair
            for i in (2, 3, 4, 5)
            for pair in (
                (f"depthwise{i}", f"pointwise{i}"),
                (f"pointwise{i}", f"depthwise{i + 1}" if i < 5 else "logits"),
            )
        ),
    ],
}


def several(*between, second=None):
    """A convolution, what is between, and another one."""
    from qlab.train import keras

    second = second or keras.layers.Conv2D(4, 3, name="second")
    head = [keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
    first = keras.layers.Conv2D(8, 3, name="first")
    return qlab.LiteModel.from_keras(
        keras.Sequential([keras.Input((28, 28, 1)), first, *between, second, *head])
    )


@pytest.fixture(scope="module", params=PAIRS)
def named(request):
    if request.param == "baseline":
        return request.param, qlab.pretrained("baseline")
    from qlab import train

    return request.param, qlab.LiteModel.from_keras(train.separable())


def ranges(model, first, second):
    """The largest magnitude of each channel, where it is made and where it is read."""
    made, read = model.layer(first), model.layer(second)
    axes = tuple(i for i in range(made.weights.ndim) if i != made.channel_axis)
    made = np.abs(made.weights).max(axes)
    if read.op == "DEPTHWISE_CONV_2D":
        return made, np.abs(read.weights).max((0, 1, 2))
    return made, np.abs(read.weights).reshape(-1, made.size).max(0)


def test_the_pairs_that_can_be_equalized(named):
    name, model = named
    assert [(x.name, y.name) for x, y in equalizable(model)] == PAIRS[name]


def test_the_model_computes_the_same_and_its_ranges_match(named, fashion):
    name, model = named
    even, images = qlab.LiteModel.from_bytes(equalize(model).data), fashion.test.images[:64]
    before, after = outputs(model, images), outputs(even, images)
    np.testing.assert_allclose(after, before, atol=1e-4 * np.abs(before).max())
    for pair in PAIRS[name]:
        made, read = ranges(even, *pair)
        np.testing.assert_allclose(made, read, rtol=0.05)
    assert max(np.ptp(np.log(ranges(model, *x)[0] / ranges(model, *x)[1])) for x in PAIRS[name]) > 1


def test_uneven_channels_cost_accuracy_per_tensor_and_equalizing_brings_it_back(fashion):
    model, split = qlab.pretrained("baseline"), fashion.validation
    uneven = rescale(model, "conv1", np.where(np.arange(32) < 4, 64, 1))
    pair = split.images, split.labels
    calibration = qlab.data.calibration_images(128)

    def quantized(file):
        recipe = qlab.Recipe(granularity="per-tensor")
        return qlab.evaluate(qlab.Compressor(file, calibration).compress(recipe), *pair)

    floats = [qlab.evaluate(x, *pair) for x in (model, uneven, equalize(uneven))]
    assert len({x.correct for x in floats}) == 1
    plain, broken, repaired = map(quantized, (model, uneven, equalize(uneven)))
    assert plain.accuracy - broken.accuracy > 0.02
    assert qlab.compare(plain, repaired).within_noise


def test_a_channel_that_is_dead_stays_as_it_is():
    model = qlab.pretrained("baseline")
    weights = model.layer("conv1").weights.copy()
    weights[3] = 0
    even = equalize(with_weights(model, {"conv1": weights}))
    assert not even.layer("conv1").weights[3].any()
    np.testing.assert_array_equal(
        even.layer("conv2").weights[..., 3] != 0, model.layer("conv2").weights[..., 3] != 0
    )
    assert np.isfinite(even.layer("conv2").weights).all()


def test_what_is_not_proportional_is_left_alone():
    from qlab.train import keras

    layers = keras.layers
    assert [x.name for x, _ in equalizable(several(layers.ReLU()))] == ["first", "second"]
    swish = layers.Activation(engine.hard_swish)
    for between in (layers.ReLU(6.0), layers.Activation("tanh"), swish):
        assert len(equalizable(several(between))) == 1  # the second one and the dense layer
    grouped = several(second=layers.Conv2D(8, 3, groups=2, name="second"))
    assert len(equalizable(grouped)) == 1


def test_a_channel_that_two_layers_read_is_left_alone():
    model = qlab.LiteModel.from_keras(zoo.residual())
    readers = {x.name: [y for y in model.layers if x.output in y.inputs] for x in model.layers}
    assert any(len(found) > 1 for found in readers.values())
    assert all(len(readers[first.name]) == 1 for first, _ in equalizable(model))


def test_a_model_without_such_layers_is_refused_in_words():
    with pytest.raises(ModelError, match=r"no two layers of this model can be equalized.*ReLU6"):
        equalize(qlab.LiteModel.from_keras(zoo.tanh_mlp()))
    with pytest.raises(ModelError, match="float32 model only"):
        equalize(qlab.pretrained("baseline-int8"))


@pytest.mark.parametrize("factors", [[1.0], np.zeros(32), np.full(32, np.nan), -np.ones(32)])
def test_factors_are_positive_numbers_one_for_each_channel(factors):
    with pytest.raises(ValueError, match="32 numbers above 0"):
        rescale(qlab.pretrained("baseline"), "conv1", factors)


def test_the_last_layer_has_nobody_who_could_undo_it():
    with pytest.raises(ModelError, match="multiplies the channels of logits cannot be undone"):
        rescale(qlab.pretrained("baseline"), "logits", np.ones(10))
