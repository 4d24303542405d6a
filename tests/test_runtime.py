"""LiteRT behind qlab: every kind of file, every shape of input, and errors in words."""

import functools

import engine
import numpy as np
import pytest
import reference

import qlab
from qlab import ModelError
from qlab.arithmetic.results import Latency
from qlab.tflite import runtime


@pytest.fixture(scope="module")
def baseline():
    return engine.float_model("baseline")


@functools.cache
def with_input_type(dtype):
    """The converter's int8 file of the baseline that takes (and gives) another type."""
    from qlab.system.output import quiet
    from qlab.train import tf

    images = engine.pictures()[:32].astype(np.float32) / 255
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(engine.keras_model("baseline"))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        converter.inference_input_type = converter.inference_output_type = getattr(tf, dtype)
        return qlab.LiteModel.from_bytes(converter.convert())


@pytest.mark.parametrize(
    ("mode", "least"),
    [("float16", 0.99), ("dynamic-range", 0.97), ("int8", 0.97), ("int16x8", 0.99)],
)
def test_every_mode_of_the_converter_runs(mode, least, baseline, fashion):
    images, labels = fashion.test.images[:400], fashion.test.labels[:400]
    model = qlab.LiteModel.from_file(qlab.artefacts.path(f"baseline-{mode}.tflite"))
    score = qlab.evaluate(model, images, labels)
    assert (score.kind, score.n) == ("measured", 400)
    assert score.elapsed_ms > 0
    assert (score.predictions == qlab.predict(baseline, images)).mean() >= least


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_every_input_type_is_fed_by_its_own_parameters(dtype, fashion):
    model = with_input_type(dtype)
    stored = model.parsed.subgraphs[0].tensors[int(model.parsed.subgraphs[0].inputs[0])].type
    assert stored == {"uint8": 3, "int8": 9, "float32": 0}[dtype]
    images = fashion.test.images[:1000]
    expected = qlab.predict(with_input_type("int8"), images)
    assert (qlab.predict(model, images) == expected).mean() >= 0.999


def test_an_input_scale_of_its_own_is_honoured(fashion):
    # Calibrated on pictures at half brightness: the input saturates at 0.5, and says so itself.
    images = engine.pictures()[:32] // 2
    model = qlab.Compressor(engine.float_model("baseline"), images).compress(
        qlab.Recipe(calibration_size=32)
    )
    [(_, [codes])] = runtime.activations(
        model, fashion.test.images[:4], [int(model.parsed.subgraphs[0].inputs[0])]
    )
    scale, zero_point = engine.tensor_grid(model, int(model.parsed.subgraphs[0].inputs[0]))
    assert scale[0] == pytest.approx(127 / 255 / 255, rel=1e-3)
    due = np.clip(np.rint(fashion.test.images[:4] / 255 / scale[0]) + zero_point[0], -128, 127)
    assert np.abs(codes - due).max() <= 1


@pytest.mark.parametrize("recipe", [None, qlab.Recipe(), qlab.Recipe(4, 3), qlab.Recipe(8, 32)])
def test_predictions_do_not_depend_on_batch_or_threads(baseline, recipe, fashion):
    model = engine.compressor("baseline").compress(recipe) if recipe else baseline
    images = fashion.test.images[:251]
    expected = qlab.predict(model, images)
    assert expected.shape == (251,)
    assert expected.dtype == np.int64
    for batch, threads in ((1, 1), (7, 2), (250, 1), (251, 3), (10_000, None)):
        assert np.array_equal(qlab.predict(model, images, batch, threads), expected)


def test_float32_images_are_taken_as_they_are(baseline, fashion):
    images = fashion.test.images[:200]
    scaled = images / np.float32(255)
    for model in (baseline, engine.compressor("baseline").compress(qlab.Recipe())):
        assert np.array_equal(qlab.predict(model, scaled), qlab.predict(model, images))
    with pytest.warns(UserWarning, match="float32 from 0 to 255"):
        unscaled = qlab.predict(baseline, images.astype(np.float32))
    assert not np.array_equal(unscaled, qlab.predict(baseline, images))


@pytest.mark.parametrize("batch", [1, 4])
def test_a_model_of_a_fixed_batch_runs_at_its_own(batch, baseline, fashion):
    model = qlab.LiteModel.from_bytes(engine.fixed_batch(baseline, batch).data)
    images = fashion.test.images[:10]
    assert np.array_equal(qlab.predict(model, images), qlab.predict(baseline, images))
    assert qlab.latency(model, batch=3, runs=2).batch == batch
    compressed = qlab.Compressor(model, engine.pictures()[:10]).compress(
        qlab.Recipe(calibration_size=10)
    )
    assert compressed.layer("conv1").weights.dtype == np.int8
    assert np.array_equal(
        qlab.predict(compressed, images),
        qlab.predict(
            engine.compressor("baseline", 10).compress(qlab.Recipe(calibration_size=10)), images
        ),
    )


def test_activations_come_whole_and_in_order(baseline, fashion):
    images = fashion.test.images[:13]
    layer = baseline.layer("dense1")
    batches = list(runtime.activations(baseline, images, [layer.output], batch=5))
    assert [(start, len(values)) for start, [values] in batches] == [(0, 5), (5, 5), (10, 3)]
    whole = np.concatenate([values for _, [values] in batches])
    expected = reference.float_forward(baseline, images)[layer.output]
    assert np.abs(whole - expected).max() < 1e-4


# ---- what does not fit --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((3, 28, 28, 1)), "images are float64; give uint8 pixels 0 to 255"),
        (np.zeros((3, 28, 28, 1), np.int32), "images are int32"),
        (np.zeros((3, 28, 28, 1), bool), "images are bool"),
        (
            np.zeros((3, 27, 27, 1), np.uint8),
            r"\(27, 27, 1\) do not fit a model that takes \(28, 28, 1\)",
        ),
        (np.zeros((3, 28, 28, 3), np.uint8), "do not fit"),
        (np.zeros((28, 28), np.uint8), "do not fit"),
        (np.zeros((0, 28, 28, 1), np.uint8), "n at least 1"),
        (np.zeros(784, np.uint8), r"give \(n, 28, 28, 1\)"),
        (np.uint8(3), r"give \(n, 28, 28, 1\)"),
        (["a", "b"], "images are <U1"),
        ([], r"images (are|have)"),
    ],
)
@pytest.mark.parametrize("mode", ["float", "int8"])
def test_images_that_do_not_fit(baseline, images, words, mode):
    model = baseline if mode == "float" else engine.compressor("baseline").compress(qlab.Recipe())
    with pytest.raises(ValueError, match=words):
        qlab.predict(model, images)


@pytest.mark.parametrize("labels", [[], [1, 2], np.zeros(4, int)])
def test_labels_that_do_not_match(baseline, labels, fashion):
    with pytest.raises(ValueError, match=r"3 images, and labels .*give one label an image"):
        qlab.evaluate(baseline, fashion.test.images[:3], labels)


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_nothing(baseline, batch, fashion):
    with pytest.raises(ValueError, match=f"batch is {batch}; it must be at least 1"):
        qlab.predict(baseline, fashion.test.images[:3], batch=batch)


def test_a_model_that_litert_cannot_run_says_so(fashion):
    with pytest.raises(ModelError, match="LiteRT cannot run this model"):
        qlab.predict(
            qlab.LiteModel(b"\x00\x00\x00\x00TFL3 and nothing else"), fashion.test.images[:3]
        )


def test_latency_is_of_calls_that_were_made(baseline):
    seen = qlab.latency(baseline, batch=2, runs=7, threads=2)
    assert isinstance(seen, Latency)
    assert (seen.batch, seen.runs, seen.threads) == (2, 7, 2)
    assert 0 < seen.median_ms <= seen.p95_ms


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"runs": 1}, {"threads": 0}])
def test_a_latency_that_cannot_be_measured(baseline, wrong):
    with pytest.raises(ValueError, match="needs at least 1, 2 and 1"):
        qlab.latency(baseline, **wrong)


def test_a_paired_test_of_two_scored_models(baseline, fashion):
    test = fashion.test
    worse = engine.compressor("baseline").compress(qlab.Recipe(2, 8))
    a, b = (qlab.evaluate(m, test.images[:1000], test.labels[:1000]) for m in (baseline, worse))
    result = qlab.compare(a, b)
    assert result.n == 1000
    assert result.difference == pytest.approx(b.accuracy - a.accuracy)
    assert not result.within_noise


@pytest.mark.parametrize(
    ("model", "remedy"),
    [("my.tflite", "from_file"), (object(), "from_keras"), (b"TFL3", "from_file")],
)
def test_what_is_no_lite_model_is_answered_with_how_to_get_one(model, remedy, fashion):
    with pytest.raises(TypeError, match=remedy):
        qlab.predict(model, fashion.test.images[:2])
    with pytest.raises(TypeError, match=remedy):
        qlab.Compressor(model, fashion.test.images[:2])


def test_logits_of_an_integer_file_say_what_to_do():
    with pytest.raises(ValueError, match=r"answers in int8.*with activation_bits=32"):
        qlab.runtime.logits(qlab.pretrained("baseline-int8"), engine.pictures()[:2])
