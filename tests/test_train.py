"""The training room: TensorFlow imported in one place, fitting, saving, conversion."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import zoo

import qlab
from qlab import train

IMAGES = np.zeros((8, 28, 28, 1), np.uint8)
LABELS = np.arange(8)


@pytest.fixture(scope="module")
def some(fashion):
    """2,000 training pictures and their labels."""
    return fashion.train.images[:2000], fashion.train.labels[:2000]


def digest(model):
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()


def run(code):
    """Run code in a fresh interpreter."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )


# Keras 2


def test_importing_keras_2_is_silent():
    done = run(
        "import sys, qlab.train; assert 'tensorflow' not in sys.modules\n"
        "from qlab.train import keras, tf\n"
        "assert keras.__version__.startswith('2.'), keras.__version__\n"
        "assert tf.keras.layers.Dense is keras.layers.Dense\n"
        "from qlab import train; model = train.baseline()\n"
        "import numpy as np\n"
        "data = train.convert(model, 'int8', np.full((2, 28, 28, 1), 200, np.uint8))\n"
        "print(len(data))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) < 90_000  # and nothing else was printed


@pytest.mark.parametrize("first", ["import tensorflow as tf; tf.keras.Model", "import keras"])
def test_keras_3_imported_first(first):
    done = run(
        f"{first}\n"
        "import keras as keras_3; assert keras_3.__version__.startswith('3.')\n"
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    from qlab import train\n"
        "    model = train.baseline()\n"
        "print('warned', any('tf.keras' in str(w.message) for w in caught))\n"
        "print('sized', len(train.convert(model)) > 300_000)\n"
        "other = keras_3.Sequential([keras_3.layers.Input((28, 28, 1)), "
        "keras_3.layers.Flatten(), keras_3.layers.Dense(10)])\n"
        "import numpy as np\n"
        "images, labels = np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, int)\n"
        "for use in (lambda: train.fit(other, images, labels), lambda: train.convert(other),\n"
        "            lambda: train.save(other, 'other.keras')):\n"
        "    try: use()\n"
        "    except TypeError as error: print('refused', error)\n"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"warned {'tf.keras' in first}" in lines  # only there is something to warn of
    assert "sized True" in lines  # the course's own models still work
    refusals = [line for line in lines if line.startswith("refused")]
    assert len(refusals) == 3
    for line in refusals:
        assert "Keras 3 model (Sequential)" in line
        assert "from qlab.train import keras" in line
    as_file = ["LiteModel.from_file('mine.tflite')" in line for line in refusals]
    assert as_file == [False, True, False]  # only converting is of no need to train here


# Fitting


def test_fit_learns_and_is_seeded(some, fashion):
    models, histories = [], []
    for seed in (0, 0, 1):
        model = train.baseline(seed)
        test = fashion.test.images[:500], fashion.test.labels[:500]
        histories.append(
            train.fit(model, *some, epochs=2, seed=seed, validation=test, progress=False)
        )
        models.append(digest(model))
    assert histories[0] == histories[1] != histories[2]
    assert models[0] == models[1] != models[2]
    assert list(histories[0]) == ["loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert histories[0]["loss"][1] < histories[0]["loss"][0] < np.log(10)
    assert histories[0]["validation_accuracy"][1] > 0.6


def test_fit_leaves_the_training_set_alone_and_takes_float_images(some):
    images, labels = some[0][:256], some[1][:256]
    before = images.copy()
    as_bytes, as_floats = train.baseline(), train.baseline()
    train.fit(as_bytes, images, labels, epochs=1, progress=False)
    train.fit(as_floats, images.astype(np.float32) / 255, labels, epochs=1, progress=False)
    np.testing.assert_array_equal(images, before)
    assert digest(as_bytes) == digest(as_floats)


@pytest.mark.parametrize("end", ["softmax activation", "softmax layer", "logits"])
def test_the_loss_fits_the_last_layer(end, some):
    layers = train.keras.layers
    last = {
        "softmax activation": [layers.Dense(10, activation="softmax")],
        "softmax layer": [layers.Dense(10), layers.Softmax()],
        "logits": [layers.Dense(10)],
    }[end]
    model = train.keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), *last])
    train.fit(model, *some, epochs=1, progress=False)
    assert model.loss.get_config()["from_logits"] == (end == "logits")


def test_progress_is_text_and_no_error(capsys):
    train.fit(train.baseline(), IMAGES, LABELS, epochs=2)
    said = capsys.readouterr()
    assert "epoch 2 of 2" in said.out
    assert "100%" in said.out
    assert said.err == ""
    train.fit(train.baseline(), IMAGES, LABELS, epochs=1, progress=False)
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_training_keeps_what_it_had(some, monkeypatch, capsys):
    from qlab.train import fitting

    end_epoch = fitting._Watch.on_epoch_end

    def interrupt(self, epoch, logs=None):
        end_epoch(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting._Watch, "on_epoch_end", interrupt)
    model = train.baseline()
    start = digest(model)
    history = train.fit(model, *some, epochs=10, progress=False)
    assert len(history["loss"]) == 2
    assert "Stopped after 2 of 10 epochs" in capsys.readouterr().out
    assert digest(model) != start
    assert train.convert(model)[4:8] == b"TFL3"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"images": IMAGES.astype(np.float64)}, ValueError, "images are float64; give uint8"),
        ({"images": IMAGES[..., 0]}, ValueError, r"shape \(n, 28, 28, 1\)"),
        ({"images": np.zeros((8, 32, 32, 1), np.uint8)}, ValueError, r"not \(8, 32, 32, 1\)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, ValueError, "there are no images"),
        ({"labels": LABELS[:5]}, ValueError, "one label an image"),
        (
            {"labels": LABELS + np.float32(0.5)},
            ValueError,
            "labels .* hold .*which counts no class",
        ),
        ({"labels": LABELS.astype(str)}, ValueError, "labels are words, such as .*return_inverse"),
        ({"labels": LABELS + 5}, ValueError, "labels go from 5 to 12, and .* from 0 to 9"),
        ({"labels": np.eye(10, dtype=int)[:8]}, ValueError, "one label an image"),
        ({"epochs": 0}, ValueError, "epochs.*1 or more"),
        ({"epochs": 1.5}, ValueError, "epochs.*whole number"),
        ({"batch_size": -1}, ValueError, "batch_size"),
        ({"learning_rate": 0}, ValueError, "learning_rate"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate"),
        ({"validation": (IMAGES[..., 0], LABELS)}, ValueError, "shape"),
        ({"model": "baseline"}, TypeError, "Keras 2 model.*got str"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:20],
)
def test_fit_refuses_in_words(changes, error, words):
    arguments = {"model": train.baseline(), "images": IMAGES, "labels": LABELS, "epochs": 1}
    with pytest.raises(error, match=words):
        train.fit(**{**arguments, "progress": False, **changes})


# Saving


def test_save_and_load(tmp_path):
    model = train.baseline(5)
    path = train.save(model, tmp_path / "mine.keras")
    again = train.load(path)
    assert digest(again) == digest(model)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [p.name for p in tmp_path.iterdir()] == ["mine.keras"]
    train.fit(again, IMAGES, LABELS, epochs=1, progress=False)  # a loaded model can go on


def test_the_shipped_keras_model_is_the_shipped_file():
    assert train.convert(train.load("baseline")) == qlab.pretrained("baseline").to_bytes()


def test_a_save_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = train.save(train.baseline(1), tmp_path / "mine.keras")
    before = path.read_bytes()

    def fail(self, part, **_):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train.keras.Model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        train.save(train.baseline(2), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine.keras"]


def test_saving_and_loading_refuse_in_words(tmp_path):
    with pytest.raises(ValueError, match=r"ends in .keras"):
        train.save(train.baseline(), tmp_path / "mine.h5")
    with pytest.raises(FileNotFoundError, match=r"no file .*none.keras"):
        train.load(tmp_path / "none.keras")
    with pytest.raises(qlab.artefacts.ArtefactError, match=r"did you mean baseline\b"):
        train.load("basline")
    (tmp_path / "bad.keras").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"bad.keras cannot be loaded as a Keras 2"):
        train.load(tmp_path / "bad.keras")


# Conversion


def test_modes_give_the_sizes_that_they_are_for():
    model = train.load("baseline")
    calibration = qlab.data.calibration_images(16)
    sizes = {mode: len(train.convert(model, mode, calibration)) for mode in train.MODES}
    assert 302_436 < sizes["float32"] < 310_000  # 75,609 weights of 4 bytes, and the graph
    assert 151_218 < sizes["float16"] < 158_000
    for mode in ("dynamic-range", "int8", "int16x8"):
        assert 75_609 < sizes[mode] < 90_000


@pytest.mark.parametrize("mode", ["int8", "int16x8"])
def test_conversion_measures_ranges_on_the_calibration_images(mode):
    model = train.load("baseline")
    pixels = qlab.data.calibration_images(8)
    usual = train.convert(model, mode, pixels)
    assert train.convert(model, mode, pixels.astype(np.float32) / 255) == usual
    assert train.convert(model, mode, pixels // 4) != usual


def test_conversion_is_silent(capfd):
    train.convert(train.load("baseline"), "int8", IMAGES + 200)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_sequential_in_a_sequential_converts(fashion):
    keras = train.keras
    nested = keras.Sequential([train.load("baseline"), keras.layers.Softmax()])
    model = qlab.LiteModel(train.convert(nested))
    images = fashion.test.images[:200]
    np.testing.assert_array_equal(
        qlab.predict(model, images), qlab.predict(qlab.pretrained("baseline"), images)
    )


def test_a_model_without_input_is_refused_in_words():
    layers = train.keras.layers
    model = train.keras.Sequential([layers.Flatten(), layers.Dense(10)])
    with pytest.raises(ValueError, match="begin it with keras"):
        train.convert(model)
    with pytest.raises(ValueError, match="begin it with keras"):
        train.fit(model, IMAGES, LABELS, progress=False)


@pytest.mark.parametrize(
    ("mode", "calibration", "error", "words"),
    [
        ("int4", None, ValueError, "float32, float16, dynamic-range, int8, int16x8; got 'int4'"),
        ("int8", None, ValueError, "needs calibration images.*calibration_images"),
        ("int16x8", None, ValueError, "needs calibration images"),
        ("int8", IMAGES[:0], ValueError, "empty"),
        ("int8", IMAGES[..., 0], ValueError, "shape"),
        ("int8", IMAGES.astype(np.int32), ValueError, "images are int32; give uint8"),
    ],
)
def test_conversion_refuses_in_words(mode, calibration, error, words):
    with pytest.raises(error, match=words):
        train.convert(train.baseline(), mode, calibration)
    with pytest.raises(TypeError, match="got ndarray"):
        train.convert(IMAGES)


def test_a_model_that_the_converter_refuses():
    keras, tf = train.keras, train.tf
    inputs = keras.Input((28, 28, 1))
    outputs = keras.layers.Lambda(lambda x: tf.linalg.inv(x[..., 0]))(inputs)
    with pytest.raises(ValueError, match="TFLiteConverter refuses this model as float32"):
        train.convert(keras.Model(inputs, outputs))


# The learners' models that other tests use


@pytest.mark.parametrize("name", zoo.BUILDERS)
def test_the_zoo_has_learned_something(name, fashion):
    model = qlab.LiteModel.from_keras(zoo.trained(name))
    assert qlab.evaluate(model, fashion.test.images, fashion.test.labels).accuracy > 0.78


def test_a_model_of_two_inputs_is_told_what_it_needs():
    layers = train.keras.layers
    image, more = train.keras.Input((28, 28, 1), name="image"), train.keras.Input((3,), name="more")
    joined = layers.Concatenate()([layers.Flatten()(image), more])
    with pytest.raises(ValueError, match=r"has 2 inputs \(image, more\), .* a keras.Model of one"):
        train.convert(train.keras.Model([image, more], layers.Dense(10)(joined)), "int8", IMAGES)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_recurrent_layer_for_any_batch_is_told_what_to_do(kind):
    layers = train.keras.layers
    rows = train.keras.Input((28, 28, 1)), layers.Reshape((28, 28))
    network = train.keras.Sequential([*rows, getattr(layers, kind)(8), layers.Dense(10)])
    with pytest.raises(
        ValueError, match=r"begin the model with keras.Input\(shape, batch_size=1\)"
    ):
        qlab.LiteModel.from_keras(network)
