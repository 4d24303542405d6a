"""Filters taken out of a file, against the same model with those weights at zero."""

import engine
import numpy as np
import pytest
import zoo

import qlab
from qlab.tflite.litemodel import ModelError
from qlab.tflite.runtime import activations
from qlab.tflite.transforms import (
    filter_masks,
    keep_filters,
    remove_filters,
    strongest_filters,
    with_weights,
)


def passing():
    """Convolutions with a layer between them through which channels pass that `zoo` lacks."""
    from qlab.train import keras, tf

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(12, 3, strides=2, name="first"),
            layers.Activation(engine.hard_swish, name="swish"),
            layers.ELU(name="elu"),
            layers.UpSampling2D(name="nearest"),
            layers.UpSampling2D(interpolation="bilinear", name="bilinear"),
            layers.Activation(tf.abs, name="abs"),
            layers.Conv2D(8, 3, strides=2, name="second"),
            layers.Flatten(),
            layers.Dense(10, name="logits"),
        ]
    )


BUILDERS = {"depthwise": zoo.depthwise, "tanh_mlp": zoo.tanh_mlp, "passing": passing}


@pytest.fixture(scope="module", params=["baseline", *BUILDERS])
def model(request):
    """Networks whose channels can be followed; untrained is enough."""
    if request.param == "baseline":
        return qlab.pretrained("baseline")
    return qlab.LiteModel.from_keras(BUILDERS[request.param]())


def outputs(model, images):
    last = int(model.parsed.subgraphs[0].outputs[0])
    return np.concatenate([values for _, (values,) in activations(model, images, [last])])


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9])
def test_gone_is_as_good_as_zero(model, fashion, fraction):
    images = fashion.test.images[:64]
    small = qlab.LiteModel.from_bytes(remove_filters(model, fraction).data)
    masks = filter_masks(model, strongest_filters(model, fraction))
    zeros = {name: np.where(m, model.layer(name).weights, 0) for name, m in masks.items()}
    expected = outputs(with_weights(model, zeros), images)
    np.testing.assert_allclose(outputs(small, images), expected, atol=2e-4)
    assert small.file_bytes < model.file_bytes
    for layer in small.layers:
        if layer.weights is not None:
            assert layer.weights.size == masks[layer.name].sum()


def test_the_weakest_go():
    model = qlab.pretrained("baseline")
    kept = strongest_filters(model, 0.75)["conv1"]
    strength = np.abs(model.layer("conv1").weights).sum((1, 2, 3))
    assert len(kept) == 8
    assert strength[kept].min() > np.delete(strength, kept).max()


def test_what_is_left_can_be_quantized(fashion):
    small = remove_filters(qlab.pretrained("baseline"), 0.25)
    images, labels = fashion.test.images[:500], fashion.test.labels[:500]
    int8 = qlab.Compressor(small, images[:32]).compress(qlab.Recipe(calibration_size=32))
    before, after = (qlab.evaluate(x, images, labels).accuracy for x in (small, int8))
    assert abs(before - after) < 0.03


def test_nothing_goes():
    model = qlab.pretrained("baseline")
    assert remove_filters(model, 0) is model
    assert remove_filters(model, 0.001) is model


@pytest.mark.parametrize("fraction", [1, -0.1, 50, "half"])
def test_wrong_fractions_are_refused_in_words(fraction):
    with pytest.raises(ValueError, match="fraction is"):
        remove_filters(qlab.pretrained("baseline"), fraction)


@pytest.mark.parametrize("build", [zoo.residual, zoo.concatenate])
def test_joined_channels_are_refused_by_name(build):
    model = qlab.LiteModel.from_keras(build())
    with pytest.raises(ModelError, match=r"(ADD|CONCATENATION)\) cannot be taken out"):
        remove_filters(model, 0.5)


def test_the_input_may_be_no_quantized_file_and_the_classes_stay():
    with pytest.raises(ModelError, match="float32 model only"):
        remove_filters(qlab.pretrained("baseline-int8"), 0.5)
    with pytest.raises(ModelError, match="lose classes"):
        keep_filters(qlab.pretrained("baseline"), {"logits": np.arange(5)})
