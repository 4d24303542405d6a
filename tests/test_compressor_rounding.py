"""The engine's better rounding: GPTQ, weight ranges and corrected biases, in real files."""

import numpy as np
import pytest

import qlab
from qlab import Recipe, train
from qlab.arithmetic import rounding
from qlab.arithmetic.affine import dequantize, quantize
from qlab.engine.inputs import as_matrix, from_matrix
from qlab.engine.recipes import recipe_dict, recipe_words
from qlab.tflite import runtime
from qlab.tflite.transforms import with_weights
from tests.engine import CALIBRATION, compressor, float_model, pictures

FLOAT = {"activation_bits": 32}


@pytest.fixture(scope="module")
def baseline():
    return qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(512))


def layers(engine):
    return [x for x in engine.layers if x.weights is not None]


def output_errors(engine, layer, recipe):
    """Mean squared error of each output of a layer, over what the layer sees in calibration."""
    stored = engine.plan(recipe).stored[layer.name]
    weights, codes = (as_matrix(x, layer.channel_axis) for x in (layer.weights, stored.values))
    moments = engine._inputs.curvature(layer.name).moments
    return rounding.output_error(weights, codes, stored.params.scale, moments)


def output(model, tensor, images):
    """What a tensor holds for all images."""
    return np.concatenate([x for _, (x,) in runtime.activations(model, images, [tensor])])


def test_what_was_always_so_is_the_default_and_is_not_said():
    same = Recipe(weight_observer="min-max", rounding="nearest", bias_correction=False)
    engine = compressor("depthwise")
    plain = Recipe(weight_bits=3, calibration_size=8)
    named = plain.replace(weight_observer="min-max")
    assert engine.compress(plain).data == engine.compress(named).data
    assert not {"weight_observer", "rounding", "bias_correction"} & set(recipe_dict(Recipe()))
    assert recipe_dict(same)["weight_observer"] == "min-max"
    said = recipe_words(recipe_dict(Recipe(rounding="gptq", bias_correction=True)))
    assert "rounding gptq" in said and "bias correction True" in said


@pytest.mark.parametrize("name", ["depthwise", "residual", "concatenate", "tanh_mlp", "mixture"])
@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_no_output_of_any_layer_is_worse_than_with_nearest(name, granularity):
    engine = compressor(name)
    recipe = Recipe(3, 32, granularity, calibration_size=8, weight_observer="min-max")
    better = 0
    for layer in layers(engine):
        near = output_errors(engine, layer, recipe)
        ours = output_errors(engine, layer, recipe.replace(rounding="gptq"))
        assert (ours <= near * (1 + 1e-9) + 1e-12).all()
        better += ours.sum() < near.sum()
    assert better


@pytest.mark.parametrize("name", ["depthwise", "mixture"])
def test_moments_are_of_what_each_layer_sums(name):
    """Without its activation, a layer's mean output is its weights times the mean of its inputs."""
    engine, images = compressor(name), pictures()[:CALIBRATION]
    model = float_model(name)
    for layer in layers(engine):
        if layer.activation != "NONE":
            continue
        values = output(model, layer.output, images)
        ours = engine._inputs.mean(layer.name)
        weights = as_matrix(layer.weights, layer.channel_axis).astype(float)
        groups = weights.reshape(len(ours), -1, weights.shape[1])
        mean = (groups @ ours[:, :, None]).reshape(-1)
        mean += 0 if layer.bias is None else layer.bias
        seen = values.reshape(-1, values.shape[-1]).mean(0)
        np.testing.assert_allclose(mean, seen, atol=1e-3 * np.abs(values).max())


def test_few_bits_are_enough_without_training(fashion):
    images, labels, losses = fashion.test.images, fashion.test.labels, []
    for name in ("baseline", "baseline-seed1", "baseline-seed2"):
        engine = qlab.Compressor(qlab.pretrained(name), qlab.data.calibration_images(512))
        recipes = [Recipe(weight_bits=bits, rounding="gptq") for bits in (4, 3, 2)]
        files = [engine.compress(recipe) for recipe in recipes]
        files += [files[-1].packed(), engine.compress(Recipe(weight_bits=2))]
        full, *rest = (qlab.evaluate(x, images, labels).accuracy for x in (engine.model, *files))
        losses.append([100 * (full - accuracy) for accuracy in rest])
        assert files[3].file_bytes <= 29_500
    four, three, two, packed, nearest = np.mean(losses, 0)
    assert four <= 0.4 and three <= 0.9 and two <= 4 and abs(packed - two) <= 0.1 and nearest > 50


def test_a_pruned_weight_stays_zero_and_the_others_make_up_for_it(baseline):
    recipe = Recipe(weight_bits=4, sparsity=0.7, rounding="gptq")
    for layer in layers(baseline):
        gone = baseline.shaped(layer.name, recipe) == 0
        codes = baseline.plan(recipe).stored[layer.name].values
        assert gone.any() and not codes[gone].any()
        near = quantize(
            baseline.shaped(layer.name, recipe), baseline.weight_params(layer.name, recipe)
        )
        assert (codes != near).any()


def test_a_layer_may_have_a_rounding_of_its_own(baseline):
    recipe = Recipe(weight_bits=4, overrides={"dense1": {"rounding": "gptq"}})
    plain, ours = baseline.plan(Recipe(weight_bits=4)), baseline.plan(recipe)
    changed = {x.name for x in layers(baseline)
               if (plain.stored[x.name].values != ours.stored[x.name].values).any()}  # fmt: skip
    assert changed == {"dense1"}


@pytest.mark.parametrize("observer", [None, "min-max", "mse", "output"])
def test_each_range_makes_a_file_that_runs(baseline, observer, fashion):
    recipe = Recipe(
        weight_bits=3, granularity="per-tensor", weight_observer=observer, rounding="gptq"
    )
    found = qlab.evaluate(
        baseline.compress(recipe), fashion.test.images[:500], fashion.test.labels[:500]
    )
    assert found.accuracy > 0.7
    near = recipe.replace(rounding="nearest")
    usual = {None: "min-max"}.get(observer, observer)
    assert (
        baseline.compress(near).data == baseline.compress(near.replace(weight_observer=usual)).data
    )


@pytest.mark.parametrize("settings", [{"weight_bits": 2}, {"weight_bits": 32, "sparsity": 0.5}])
def test_with_its_bias_corrected_a_layers_mean_output_is_what_it_was(settings):
    """Asked of the last layer, before which all is in float."""
    images, engine = pictures()[:CALIBRATION], compressor("tanh_mlp")
    last = layers(engine)[-1]
    others = {x.name: {"weight_bits": 32, "sparsity": 0.0} for x in layers(engine)[:-1]}
    recipe = Recipe(**settings, activation_bits=32, overrides=others)
    whole = recipe.replace(weight_bits=32, sparsity=0.0)
    means = []
    for each in (whole, recipe, recipe.replace(bias_correction=True)):
        model = engine.compress(each)
        means.append(output(model, model.layer(last.name).output, images).mean(0))
    off, kept = (np.abs(x - means[0]).max() for x in means[1:])
    assert off > 0.01 and kept < off / 20


def test_means_behind_rounded_layers_do_not_repair_what_a_corrected_bias_does(baseline, fashion):
    few = fashion.validation.images[:3000], fashion.validation.labels[:3000]
    recipe, done = Recipe(2, 32, weight_observer="mse"), baseline.model
    for layer in layers(baseline):
        now = qlab.Compressor(done, qlab.data.calibration_images(512))
        outputs = [
            as_matrix(weights, layer.channel_axis) @ engine._inputs.mean(layer.name)[0]
            for engine, weights in (
                (baseline, layer.weights),
                (now, now.plan(recipe).weights(layer.name)),
            )
        ]
        bias = layer.bias + outputs[0] - outputs[1]
        done = with_weights(
            done, {layer.name: now.plan(recipe).weights(layer.name)}, {layer.name: bias}
        )
    files = [baseline.compress(recipe.replace(bias_correction=x)) for x in (False, True)]
    plain, corrected, behind = (qlab.evaluate(x, *few).accuracy for x in (*files, done))
    assert max(corrected, behind) < plain - 0.03


def test_a_corrected_bias_is_in_the_integer_file_too(baseline):
    recipe = Recipe(weight_bits=3, bias_correction=True)
    plan = baseline.plan(recipe)
    for layer in layers(baseline):
        assert plan.stored[layer.name].bias.shape == layer.bias.shape
    file = qlab.LiteModel.from_bytes(plan.model.data)
    assert file.layer("dense1").bias.dtype == np.int32
    before = baseline.compress(recipe.replace(bias_correction=False)).layer("dense1").bias
    assert (file.layer("dense1").bias != before).any()


def test_clusters_and_gptq_have_no_meaning_together(baseline):
    with pytest.raises(ValueError, match="conv1: GPTQ moves weights away from their clusters"):
        baseline.compress(Recipe(clusters=16, rounding="gptq"))
    own = {x.name: {"rounding": "nearest"} for x in layers(baseline)}
    assert baseline.compress(Recipe(clusters=16, rounding="gptq", overrides=own)).file_bytes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rounding": "up"}, "rounding is 'up'; choose one of nearest, gptq"),
        ({"weight_observer": "percentile"}, "choose one of None, min-max, mse, output"),
        ({"bias_correction": 1}, "bias_correction is 1; choose True or False"),
        ({"overrides": {"a": {"rounding": 3}}}, "a: rounding is 3"),
    ],
)
def test_a_wrong_setting_is_said_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**settings)


@pytest.mark.filterwarnings("ignore:The calibration images are zero")
@pytest.mark.parametrize("images", [np.zeros((4, 28, 28, 1), np.uint8), pictures()[:1]])
def test_blank_images_and_a_single_one_are_enough_to_round(images):
    engine = qlab.Compressor(qlab.pretrained("baseline"), images)
    recipe = Recipe(weight_bits=2, rounding="gptq", bias_correction=True, calibration_size=1)
    assert np.isfinite(engine.plan(recipe).weights("dense1")).all()
    assert qlab.predict(engine.compress(recipe), pictures()[:8]).shape == (8,)


RANDOM = np.random.default_rng(0).random((64, 12, 12, 8), np.float32)


@pytest.mark.parametrize(
    "layer",
    [
        lambda L: L.Conv2D(16, 3, groups=4, activation="relu"),
        lambda L: L.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        lambda L: L.Conv2D(12, 1, strides=3, activation="relu"),  # more outputs than inputs
        lambda L: L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
        lambda L: L.Conv2D(4, 3, kernel_initializer="zeros"),
    ],
)
def test_any_layer_and_any_inputs_are_rounded_no_worse_than_to_nearest(layer):
    keras = train.keras
    parts = [keras.layers.Input((12, 12, 8)), layer(keras.layers), keras.layers.Flatten()]
    model = qlab.LiteModel.from_keras(keras.Sequential([*parts, keras.layers.Dense(4)]))
    for inputs in (RANDOM, np.full_like(RANDOM, 0.5), 0 * RANDOM, RANDOM[:1]):
        engine = qlab.Compressor(model, inputs)
        plain = Recipe(weight_bits=3, weight_observer="min-max", calibration_size=len(inputs))
        better = plain.replace(rounding="gptq", bias_correction=True)
        for x in layers(engine):
            assert (output_errors(engine, x, better) <= output_errors(engine, x, plain)).all()
        assert qlab.predict(engine.compress(better), inputs).shape == (len(inputs),)


def test_a_layer_of_too_many_inputs_is_refused_in_words_and_no_other(monkeypatch):
    monkeypatch.setattr("qlab.engine.inputs.MOST_INPUTS", 500)
    engine = qlab.Compressor(qlab.pretrained("baseline"), pictures()[:8])
    recipe = Recipe(weight_bits=3, rounding="gptq", calibration_size=8)
    with pytest.raises(ValueError, match=r"dense1 has more than 500 inputs.*give that layer"):
        engine.compress(recipe)
    engine.compress(recipe.replace(overrides={"dense1": {"rounding": "nearest"}}))


@pytest.mark.parametrize(("shape", "axis"), [((3, 2, 2, 4), 0), ((1, 3, 3, 6), 3), ((5, 7), 0)])
def test_a_matrix_goes_back_into_the_layers_shape(shape, axis):
    values = np.arange(np.prod(shape)).reshape(shape)
    matrix = as_matrix(values, axis)
    assert matrix.shape == (shape[axis], np.prod(shape) // shape[axis])
    np.testing.assert_array_equal(from_matrix(matrix, values, axis), values)


@pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
def test_where_weights_went_and_what_that_is_for(granularity):
    images = qlab.data.calibration_images(64)
    compressor = qlab.Compressor(qlab.pretrained("baseline"), images)
    recipe = qlab.Recipe(
        weight_bits=3, rounding="gptq", granularity=granularity, calibration_size=64
    )
    weights = compressor.shaped("dense1", recipe)
    params = compressor.weight_params("dense1", recipe)
    nearest = dequantize(quantize(weights, params), params)
    kept, found = compressor.weights("dense1", recipe), compressor.rounded("dense1", recipe)
    np.testing.assert_array_equal(found.farther, kept != nearest)
    (inputs,) = next(
        x for _, x in runtime.activations(
            compressor.model, images, [compressor.model.layer("dense1").inputs[0]], 64
        )
    )  # fmt: skip
    errors = [((inputs.reshape(64, -1) @ (x - weights).T) ** 2).sum() for x in (kept, nearest)]
    assert found.error_ratio == pytest.approx(errors[0] / errors[1], rel=1e-3) and errors[0] > 0
    assert found.error_ratio < 0.5
    plain = compressor.rounded("dense1", recipe.replace(rounding="nearest"))
    assert not plain.farther.any() and plain.error_ratio == 1
    assert compressor.rounded("dense1", recipe.replace(weight_bits=16)) is None
    assert compressor.rounded("dense1", recipe.replace(bias_correction=True)) is found
