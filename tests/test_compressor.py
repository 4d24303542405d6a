"""The live engine against other makers of compressed files, and against its own promises."""

import contextlib
import functools
import io

import engine
import numpy as np
import pytest
import reference

import qlab
from qlab import ModelError, Recipe
from qlab.engine.recipes import ACTIVATION_BITS, GRANULARITIES, OBSERVERS, WEIGHT_BITS
from qlab.tflite import runtime

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def weights_grid(model, position):
    """(codes, scales) of the weights of operator `position`, looking through a DEQUANTIZE."""
    graph = model.parsed.subgraphs[0]
    layer = model.layers[position]
    operator = next(x for x in graph.operators if int(x.outputs[0]) == layer.output)
    index = int(operator.inputs[1])
    for producer in graph.operators:
        if index in producer.outputs:
            index = int(producer.inputs[0])
    return layer.weights, engine.tensor_grid(model, index)[0]


# ---- 8 bits: the TFLite converter's own file ----------------------------------------------------
@functools.cache
def both(name):
    """The converter's int8 file and qlab's, calibrated on the same 128 images."""
    return engine.converted(name, "int8"), engine.compressor(name).compress(Recipe())


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
def test_weight_codes_are_the_converters(name):
    theirs, ours = both(name)
    assert [x.op for x in ours.layers] == [x.op for x in theirs.layers]
    for position, (our, their) in enumerate(zip(ours.layers, theirs.layers, strict=True)):
        if our.weights is None:
            continue
        our_scale, their_scale = (weights_grid(x, position)[1] for x in (ours, theirs))
        np.testing.assert_allclose(our_scale, their_scale, rtol=1e-6, err_msg=our.name)
        weights = engine.float_model(name).layers[position].weights
        differ = np.argwhere(our.weights.ravel() != their.weights.ravel()).ravel()
        # A weight midway between two codes, to the last digit that float32 has, goes to the even
        # one here (as in ai-edge-quantizer) and to the larger one in the converter.
        steps = (weights / np.moveaxis(
            our_scale.reshape(-1, *[1] * (weights.ndim - 1)), 0, our.channel_axis
        )).ravel()[differ]  # fmt: skip
        assert np.abs(np.abs(steps % 1) - 0.5).max(initial=0) < 1e-5, our.name
        assert len(differ) <= 1 + weights.size // 50_000, our.name


# Before an ADD the converter's ranges of some tensors are not theirs, see below.
@pytest.mark.parametrize("name", [x for x in (*engine.NETWORKS, "mixture") if x != "residual"])
def test_activation_grids_and_biases_are_the_converters(name):
    theirs, ours = both(name)
    for our, their in zip(ours.layers, theirs.layers, strict=True):
        if name == "mixture" and our.name in ("side", "add", "norm"):
            continue
        (scale, zero_point), expected = engine.grid_of(ours, our), engine.grid_of(theirs, their)
        assert scale == pytest.approx(expected[0], rel=1e-6), our.name
        assert zero_point == expected[1], our.name
        if our.bias is not None:
            assert np.abs(our.bias.astype(np.int64) - their.bias).max() <= 1, our.name


@pytest.mark.parametrize("name", [x for x in (*engine.NETWORKS, "mixture") if x != "residual"])
def test_predictions_are_the_converters(name, fashion):
    theirs, ours = (qlab.predict(model, fashion.test.images) for model in both(name))
    assert len(ours) == 10_000
    assert (ours == theirs).mean() >= 0.999


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
def test_the_error_is_as_small_as_the_converters(name, fashion):
    images = fashion.test.images[:500]
    due = engine.float_outputs(engine.float_model(name), images)
    theirs, ours = (engine.sqnr_db(due, engine.real_outputs(model, images)) for model in both(name))
    assert abs(ours - theirs) < 1


def test_where_the_converter_mistakes_a_range_ours_is_the_true_one():
    # The converter notes what a tensor holds after the operator that reads it has run. An ADD may
    # write over its input by then, so the convolution before it gets the range of both. qlab's
    # range is that of the convolution alone, worked out here without LiteRT.
    theirs, ours = both("residual")
    source = engine.float_model("residual")
    seen = reference.float_forward(source, engine.pictures()[: engine.CALIBRATION])
    mistaken = []
    for layer, our, their in zip(source.layers, ours.layers, theirs.layers, strict=True):
        scale, zero_point = engine.grid_of(ours, our)
        low, high = seen[layer.output].min(), seen[layer.output].max()
        if layer.op not in reference.MOVERS:
            due = reference.range_grid(low, high, 8)
            assert scale == pytest.approx(due.scale, rel=1e-5), layer.name
            assert zero_point == due.zero_point, layer.name
        if engine.grid_of(theirs, their)[0] != pytest.approx(scale, rel=1e-5):
            mistaken.append(layer.name)
    assert set(mistaken) <= {"second0", "second1"}
    for name in mistaken:  # never too small a range: it is the union of both
        place = [x.name for x in source.layers].index(name)
        assert (
            engine.grid_of(theirs, theirs.layers[place])[0]
            > engine.grid_of(ours, ours.layers[place])[0]
        )


def test_the_residual_network_keeps_its_accuracy(fashion):
    test = fashion.test
    answers = [
        qlab.evaluate(model, test.images, test.labels)
        for model in (engine.float_model("residual"), both("residual")[1])
    ]
    assert abs(answers[0].accuracy - answers[1].accuracy) < 0.01
    assert (answers[0].predictions == answers[1].predictions).mean() > 0.97


# ---- weight-only: ai-edge-quantizer -------------------------------------------------------------
def edge_quantized(model, bits, folder):
    """The same recipe by ai-edge-quantizer: symmetric, per channel, explicit DEQUANTIZE."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import Quantizer

    path = model.save(folder / "float.tflite")
    with contextlib.redirect_stdout(io.StringIO()), qlab.system.output.quiet():
        quantizer = Quantizer(str(path))
        quantizer.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(
                    num_bits=bits, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
                ),
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
        )
        return qlab.LiteModel(bytes(quantizer.quantize().quantized_model))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", engine.NETWORKS)
def test_weight_only_is_ai_edge_quantizers(name, bits, fashion, tmp_path):
    source = engine.float_model(name)
    # ai-edge-quantizer leaves depthwise convolutions in float below 8 bits; so shall we, here.
    skipped = [x.name for x in source.layers if x.op == "DEPTHWISE_CONV_2D" and bits < 8]
    overrides = {layer: {"weight_bits": 32} for layer in skipped}
    ours = engine.compressor(name).compress(
        Recipe(weight_bits=bits, activation_bits=32, overrides=overrides)
    )
    theirs = edge_quantized(source, bits, tmp_path)
    assert [x.op for x in ours.layers] == [x.op for x in theirs.layers]
    for position, our in enumerate(ours.layers):
        if our.weights is not None and our.name not in skipped:
            assert our.weights.dtype == np.int8
            codes, scale = weights_grid(theirs, position)
            assert np.array_equal(our.weights, codes), our.name
            np.testing.assert_allclose(weights_grid(ours, position)[1], scale, rtol=1e-6)
    images = fashion.test.images[:250]
    expected, seen = engine.float_outputs(theirs, images), engine.float_outputs(ours, images)
    assert np.abs(expected - seen).max() <= 1e-4


# ---- every recipe runs, and its bits are honoured -----------------------------------------------
def require_bits(name, recipe, images):
    compressor, source = engine.compressor(name), engine.float_model(name)
    model = compressor.compress(recipe)
    assert qlab.predict(model, images).shape == (len(images),)
    for layer in model.layers:
        if layer.weights is None:
            continue
        if recipe.weight_bits > 8:
            assert layer.weights.dtype == {16: np.float16, 32: np.float32}[recipe.weight_bits]
            continue
        top = 2 ** (recipe.weight_bits - 1) - 1
        params = compressor.weight_params(layer.name, recipe)
        assert layer.weights.dtype == np.int8
        assert np.abs(layer.weights.astype(int)).max() == top
        assert params.scale.size == (
            layer.weights.shape[layer.channel_axis] if recipe.granularity == "per-channel" else 1
        )
    held = engine.held_values(source, model, images)
    kept = reference.kept(source)
    for layer in source.layers:
        codes = held[layer.output]
        if recipe.activation_bits == 32:
            assert codes.dtype == np.float32
            continue
        bits = 8 if layer.output in kept else recipe.activation_bits
        assert codes.dtype == np.int8, layer.name
        assert codes.min() >= 128 - 2**bits, layer.name
        assert len(np.unique(codes)) <= 2**bits, layer.name


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("activation_bits", ACTIVATION_BITS)
@pytest.mark.parametrize("weight_bits", WEIGHT_BITS)
def test_every_recipe_runs_with_the_bits_it_says(
    fashion, weight_bits, activation_bits, granularity
):
    recipe = Recipe(weight_bits, activation_bits, granularity)
    require_bits("baseline", recipe, fashion.test.images[:200])


@pytest.mark.parametrize(
    "bits", [(8, 8), (16, 8), (32, 4), (4, 32), (16, 32), (3, 3), (2, 2), (8, 5)]
)
@pytest.mark.parametrize("name", [x for x in (*engine.NETWORKS, "mixture") if x != "baseline"])
def test_learners_models_run_with_the_bits_that_the_recipe_says(fashion, name, bits):
    require_bits(name, Recipe(*bits), fashion.test.images[:100])


def test_the_float_recipe_gives_the_float_model_itself():
    for name in ("baseline", "depthwise"):
        recipe = Recipe(weight_bits=32, activation_bits=32)
        assert engine.compressor(name).compress(recipe) is engine.float_model(name)


def test_float16_weights_are_the_converters(fashion):
    theirs = engine.converted("baseline", "float16")
    ours = engine.compressor("baseline").compress(Recipe(weight_bits=16, activation_bits=32))
    for our, their in zip(ours.layers, theirs.layers, strict=True):
        if our.weights is not None:
            assert np.array_equal(our.weights, their.weights)
    images = fashion.test.images[:250]
    assert (
        np.abs(engine.float_outputs(ours, images) - engine.float_outputs(theirs, images)).max()
        < 0.02
    )


def test_compressing_twice_gives_the_same_bytes_and_every_file_can_be_read_again(fashion):
    compressor = engine.compressor("baseline")
    for recipe in (Recipe(), Recipe(4, 4), Recipe(4, 32), Recipe(16, 8), Recipe(16, 32)):
        model = compressor.compress(recipe)
        assert compressor.compress(recipe).data == model.data
        again = qlab.LiteModel.from_bytes(model.to_bytes())
        assert [x.name for x in again.layers] == [x.name for x in compressor.layers]


def test_the_four_sizes():
    compressor = engine.compressor("baseline")
    recipe = Recipe(weight_bits=4, overrides={"conv1": {"weight_bits": 8}})
    model = compressor.compress(recipe)
    sizes = compressor.sizes(model, recipe)
    assert sizes.float32_bytes == engine.float_model("baseline").file_bytes
    assert (sizes.file_bytes, sizes.gzip_bytes) == (model.file_bytes, model.gzip_bytes)
    assert sizes.packed_bytes == model.packed().file_bytes
    assert sizes.gzip_bytes < sizes.packed_bytes < sizes.file_bytes < sizes.float32_bytes


# ---- overrides ----------------------------------------------------------------------------------
def test_a_weight_override_changes_its_layer_alone():
    compressor = engine.compressor("baseline")
    plain = compressor.compress(Recipe())
    model = compressor.compress(Recipe(overrides={"dense1": {"weight_bits": 3}}))
    for before, after in zip(plain.layers, model.layers, strict=True):
        if before.weights is not None:
            same = np.array_equal(before.weights, after.weights)
            assert same == (before.name != "dense1")
    assert np.abs(model.layer("dense1").weights).max() == 3


def test_an_activation_override_changes_its_layer_and_those_that_only_move_its_numbers(fashion):
    source = engine.float_model("baseline")
    recipe = Recipe(overrides={"conv1": {"activation_bits": 3}})
    model = engine.compressor("baseline").compress(recipe)
    held = engine.held_values(source, model, fashion.test.images[:200])
    counts = {x.name: len(np.unique(held[x.output])) for x in source.layers}
    assert counts["conv1"] <= 8
    assert counts["pool1"] <= 8
    assert counts["conv2"] > 100


@pytest.mark.parametrize("layer", ["conv1", "conv2", "dense1", "logits"])
def test_one_layer_in_float_inside_an_integer_model(layer, fashion):
    settings = {"weight_bits": 32, "activation_bits": 32}
    model = engine.compressor("baseline").compress(Recipe(overrides={layer: settings}))
    held = engine.held_values(engine.float_model("baseline"), model, fashion.test.images[:64])
    for x in engine.float_model("baseline").layers:
        moved = {"pool1": "conv1", "pool2": "conv2", "flatten": "conv2"}.get(x.name, x.name)
        assert held[x.output].dtype == (np.float32 if moved == layer else np.int8), x.name
    assert model.layer(layer).weights.dtype == np.float32
    scores = [qlab.predict(m, fashion.test.images) for m in (model, engine.float_model("baseline"))]
    assert (scores[0] == scores[1]).mean() > 0.98


def test_the_logits_can_be_lowered_by_an_override_only(fashion):
    source, images = engine.float_model("baseline"), fashion.test.images[:200]
    for recipe, most in (
        (Recipe(activation_bits=2), 256),
        (Recipe(overrides={"logits": {"activation_bits": 2}}), 4),
    ):
        held = engine.held_values(source, engine.compressor("baseline").compress(recipe), images)
        found = len(np.unique(held[source.layers[-1].output]))
        assert found <= most
        assert most == 4 or found > 50


def test_an_override_of_an_unknown_layer_names_the_layers():
    recipe = Recipe(overrides={"conv9": {"weight_bits": 4}})
    with pytest.raises(ValueError, match=r"no layer is called 'conv9'; there are conv1, .*logits"):
        engine.compressor("baseline").compress(recipe)


# ---- calibration --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def whole():
    """A compressor with all 1,024 images, which a first recipe has looked at."""
    made = engine.compressor("baseline", 1024)
    made.compress(Recipe(8, 8))
    return made


def test_no_recipe_runs_the_calibration_set_again(whole, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("the calibration images ran again")

    monkeypatch.setattr(runtime, "activations", refuse)
    monkeypatch.setattr(runtime, "Interpreter", refuse)
    for size in (1, 2, 3, 100, 1000, 1024):
        for observer in OBSERVERS:
            for bits in (8, 4, 2):
                recipe = Recipe(bits, bits, observer=observer, calibration_size=size)
                assert whole.compress(recipe).file_bytes > 0
                whole.activation_range("conv2", recipe)
                whole.activation_histogram("conv2", size)


def test_the_calibration_images_run_twice_when_a_recipe_first_asks_what_they_show(monkeypatch):
    calls, real = [], runtime.activations
    monkeypatch.setattr(
        runtime, "activations", lambda *a, **k: calls.append(len(a[1])) or real(*a, **k)
    )
    made = qlab.Compressor(engine.float_model("baseline"), engine.pictures()[:10])
    made.compress(Recipe(4, 32, calibration_size=10))
    assert calls == [1, 1]  # one image, to see that it fits
    for bits in (8, 4):
        made.compress(Recipe(bits, bits, calibration_size=10))
    assert calls == [1, 1, 10, 10]  # once for extrema, once for histograms between them


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 100, 500])
def test_a_prefix_of_the_calibration_set_is_a_smaller_calibration_set(whole, size):
    alone = engine.compressor("baseline", size)
    recipe = Recipe(activation_bits=4, calibration_size=size)
    assert whole.compress(recipe).data == alone.compress(recipe).data
    for observer in ("percentile", "mse"):
        for layer in ("conv1", "conv2", "dense1", "logits"):
            low, high = whole.activation_range(layer, recipe.replace(observer=observer))
            expected = alone.activation_range(layer, recipe.replace(observer=observer))
            # Bins of the whole set are wider: 1/1,024 of its range; MSE tries steps of 1 %.
            spread = whole.activation_range(layer, Recipe(calibration_size=1024))
            slack = (spread[1] - spread[0]) * 0.03
            assert (low, high) == pytest.approx(expected, abs=slack), (layer, observer)


def test_more_images_only_widen_the_min_max_range(whole):
    ranges = [
        whole.activation_range("dense1", Recipe(calibration_size=size))
        for size in (1, 4, 16, 64, 256, 1024)
    ]
    highs = [high for _, high in ranges]
    assert highs == sorted(highs)
    assert highs[-1] > 1.2 * highs[0]


@pytest.mark.parametrize("layer", ["conv1", "conv2", "dense1"])
def test_percentile_and_mse_clip_and_percentile_forgets_one_outlier(whole, layer):
    for bits in (2, 4):
        recipes = [
            Recipe(activation_bits=bits, calibration_size=1024, observer=x) for x in OBSERVERS
        ]
        largest, percentile, mse = (whole.activation_range(layer, x)[1] for x in recipes)
        assert 0 < percentile < largest
        assert 0 < mse <= largest
    few, many = (
        whole.activation_range(layer, recipes[1].replace(calibration_size=n))[1]
        for n in (128, 1024)
    )
    assert few == pytest.approx(many, rel=0.1)


def test_mse_clips_more_at_fewer_bits(whole):
    ranges = [
        whole.activation_range(
            "dense1", Recipe(activation_bits=b, calibration_size=1024, observer="mse")
        )
        for b in (2, 4, 8)
    ]
    assert ranges[0][1] < ranges[1][1] < ranges[2][1]


def test_histograms_hold_every_value(whole):
    counts, edges = whole.activation_histogram("conv1", 10)
    assert counts.sum() == 10 * 27 * 27 * 32
    assert len(edges) == len(counts) + 1
    pooled, _ = whole.activation_histogram("pool1", 10)
    assert np.array_equal(pooled, counts)


def test_the_range_of_a_float_output_is_what_was_seen(whole):
    recipe = Recipe(activation_bits=32, calibration_size=64)
    low, high = whole.activation_range("logits", recipe)
    values = reference.float_forward(engine.float_model("baseline"), engine.pictures()[:64])
    seen = values[engine.float_model("baseline").layers[-1].output]
    assert (low, high) == pytest.approx((seen.min(), seen.max()), rel=1e-5)
    assert whole.activation_params("logits", recipe) is None
    assert whole.weight_params("logits", Recipe(weight_bits=16)) is None


# ---- bad input ----------------------------------------------------------------------------------
def test_more_calibration_images_than_there_are():
    with pytest.raises(ValueError, match="calibration_size is 200, but there are only 128"):
        engine.compressor("baseline").compress(Recipe(calibration_size=200))


@pytest.mark.parametrize("count", [0, 1025])
def test_none_or_too_many_calibration_images(count):
    images = np.zeros((count, 28, 28, 1), np.uint8)
    with pytest.raises(ValueError, match=f"there are {count} calibration images; give 1 to 1024"):
        qlab.Compressor(engine.float_model("baseline"), images)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((5, 28, 28, 1)), "images are float64; give uint8"),
        (np.zeros((5, 28, 28, 1), np.int64), "images are int64; give uint8"),
        (np.zeros((5, 27, 27, 1), np.uint8), r"\(27, 27, 1\) do not fit a model that takes"),
        (np.zeros(5, np.uint8), r"give \(n, 28, 28, 1\)"),
        (np.full((5, 28, 28, 1), np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_calibration_images_that_do_not_fit(images, words):
    with pytest.raises(ValueError, match=words):
        qlab.Compressor(engine.float_model("baseline"), images)


def test_blank_calibration_images_give_a_model_that_runs_and_is_bad(fashion):
    blank = np.zeros((16, 28, 28, 1), np.uint8)
    with pytest.warns(UserWarning, match="calibration images are zero everywhere.*training images"):
        compressor = qlab.Compressor(engine.float_model("baseline"), blank)
    model = compressor.compress(Recipe(calibration_size=16))
    assert qlab.evaluate(model, fashion.test.images, fashion.test.labels).accuracy < 0.5


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("int8", "conv1 runs on integers"),
        ("int16x8", "conv1 runs on integers"),
        ("dynamic-range", "the weights of conv2 are int8, though its activations are float"),
        ("float16", "the weights of conv1 are float16, though its activations are float"),
    ],
)
def test_a_model_that_is_already_quantized(mode, words):
    model = qlab.LiteModel.from_file(qlab.artefacts.path(f"baseline-{mode}.tflite"))
    with pytest.raises(ModelError, match=f"already quantized: {words}; give the float32 file"):
        qlab.Compressor(model, engine.pictures()[:4])


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(4, 4), Recipe(8, 32), Recipe(32, 8)])
def test_its_own_product_is_already_quantized(recipe):
    model = engine.compressor("baseline").compress(recipe)
    for given in (model, model.packed()):
        with pytest.raises(ModelError, match=r"already quantized: .*; give the float32 file"):
            qlab.Compressor(given, engine.pictures()[:4])


def spoil(layer, change, position=1):
    model = engine.float_model("baseline")
    found = model.layer(layer)
    numbers = (found.weights if position == 1 else found.bias).copy()
    return engine.with_numbers(model, layer, position, change(numbers))


def put(value):
    def change(numbers):
        numbers.reshape(-1)[3] = value
        return numbers

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", ["conv1", "dense1"])
def test_weights_that_are_not_finite(layer, value):
    with pytest.raises(
        ModelError, match=f"layer {layer} has .*NaN or infinite weights; train it again"
    ):
        qlab.Compressor(spoil(layer, put(value)), engine.pictures()[:4])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", ["conv1", "dense1", "logits"])
def test_a_bias_that_is_not_finite(layer, value):
    with pytest.raises(ModelError, match=f"layer {layer} has .*NaN or infinite"):
        qlab.Compressor(spoil(layer, put(value), position=2), engine.pictures()[:4])


def test_weights_that_are_empty():
    empty = spoil("dense1", lambda numbers: numbers[:0])
    with pytest.raises(ModelError):
        qlab.LiteModel.from_bytes(empty.data)
    with pytest.raises(ModelError, match=r"layer dense1 .*has (empty|no constant)"):
        qlab.Compressor(empty, engine.pictures()[:4])


@pytest.mark.parametrize("constant", [0.0, 0.25, -3.0, 1e-6, 1e-12, 1e-30, 1e-38, 1e-42, 1e30])
@pytest.mark.parametrize("layer", ["conv1", "dense1"])
def test_constant_weights_give_a_model_that_runs(layer, constant):
    model = spoil(layer, lambda numbers: np.full_like(numbers, constant))
    images = engine.pictures()[:8]
    compressor = qlab.Compressor(qlab.LiteModel.from_bytes(model.data), images)
    for observer in OBSERVERS:
        for bits in ((8, 8), (2, 2), (4, 32), (16, 8)):
            recipe = Recipe(*bits, observer=observer, calibration_size=8)
            small = compressor.compress(recipe)
            assert qlab.predict(small, images).shape == (8,)
            low, high = compressor.activation_range(layer, recipe)
            assert low <= 0 <= high
            counts, edges = compressor.activation_histogram(layer, 8)
            assert np.isfinite(edges).all()
            assert counts.sum() > 0


@pytest.mark.parametrize("layer", ["conv9", "", None])
def test_questions_about_an_unknown_layer(layer):
    compressor = engine.compressor("baseline")
    for ask in (
        lambda: compressor.weight_params(layer, Recipe()),
        lambda: compressor.activation_range(layer, Recipe()),
        lambda: compressor.activation_histogram(layer, 1),
    ):
        with pytest.raises(ValueError, match="there are conv1"):
            ask()


def test_weights_of_a_layer_that_has_none():
    with pytest.raises(ValueError, match="pool1 has no weights"):
        engine.compressor("baseline").weight_params("pool1", Recipe())


@pytest.mark.parametrize("size", [0, -1, 129, 2.5])
def test_a_histogram_of_more_images_than_there_are(size):
    with pytest.raises(ValueError, match="calibration_size is"):
        engine.compressor("baseline").activation_histogram("conv1", size)


def test_a_layer_without_weights_cannot_be_given_weight_bits(whole):
    recipe = Recipe(calibration_size=8, overrides={"pool1": {"weight_bits": 4}})
    with pytest.raises(ValueError, match="pool1 has no weights"):
        whole.compress(recipe)


def test_notes_name_the_layers_that_blank_images_leave_without_a_range():
    with pytest.warns(UserWarning, match="zero everywhere"):
        blank = qlab.Compressor(qlab.pretrained("baseline"), np.zeros((8, 28, 28, 1), np.uint8))
    assert any("conv1" in note for note in blank.notes(Recipe(calibration_size=8)))


def test_a_dict_is_no_recipe(whole):
    with pytest.raises(TypeError, match=r"qlab\.Recipe"):
        whole.compress({"weight_bits": 4})
