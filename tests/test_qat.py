"""Quantization-aware training: what ships, what is trained here, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest
import zoo

import qlab
from qlab import train
from qlab.tflite import artefacts
from qlab.tflite.graph import pack

WIDTHS, SEEDS = (8, 4, 3, 2), (0, 1, 2)
BASELINES = ("baseline", "baseline-seed1", "baseline-seed2")
FILES = artefacts.manifest()["files"]
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), np.uint8)
LABELS = np.arange(8)


@pytest.fixture(scope="module")
def base():
    return train.load("baseline")


@pytest.fixture(scope="module")
def calibration():
    return qlab.data.calibration_images(128)


@pytest.fixture(scope="module")
def score(fashion):
    """Scores a LiteModel on the 10,000 validation pictures, each shipped one once."""
    known = {}

    def measure(model):
        name = model if isinstance(model, str) else None
        if name is None:
            return qlab.evaluate(model, fashion.validation.images, fashion.validation.labels)
        if name not in known:
            known[name] = measure(qlab.pretrained(name))
        return known[name]

    return measure


def aware_at(base, calibration, bits, **settings):
    return train.quantization_aware(base, bits, calibration=calibration, **settings)


def lite(model, packed=False):  # unpacked files run ten times as fast
    return qlab.LiteModel(train.convert_quantized(model, packed))


# What ships


def test_at_8_bits_the_control_is_as_good(score, calibration, fashion):
    engines = [qlab.Compressor(qlab.pretrained(f"qat-control-seed{s}"), calibration) for s in SEEDS]
    controls = [score(engine.compress(qlab.Recipe(8))) for engine in engines]
    found = qlab.compare(controls, [score(f"qat-w8-seed{seed}") for seed in SEEDS])
    assert found.within_noise and abs(found.difference) < 0.002


@pytest.mark.parametrize(("bits", "loss"), [(4, 0.005), (3, 0.01)])
def test_at_4_and_3_bits_it_is_as_good_as_the_float_baseline(bits, loss, score):
    for seed, began in enumerate(BASELINES):
        assert score(f"qat-w{bits}-seed{seed}").accuracy >= score(began).accuracy - loss


@pytest.mark.parametrize("seed", SEEDS)
def test_at_2_bits_it_works_where_the_control_does_not(seed, score, calibration):
    control = qlab.Compressor(qlab.pretrained(f"qat-control-seed{seed}"), calibration)
    ours = score(f"qat-w2-seed{seed}")
    assert ours.accuracy >= 0.80
    found = qlab.compare(score(control.compress(qlab.Recipe(2))), ours)
    assert found.difference > 0.1 and found.p_value < 1e-10


@pytest.mark.parametrize("bits", WIDTHS)
def test_each_has_a_control_of_the_same_epochs_order_and_rates(bits):
    for seed in SEEDS:
        entry = FILES[f"qat-w{bits}-seed{seed}.tflite"]
        assert (entry["recipe"]["weight_bits"], entry["recipe"]["seed"]) == (bits, seed)
        control = FILES[entry["control"]]
        assert entry["trainings"] == control["trainings"]  # the logs of what was done
        assert control["recipe"]["seed"] == seed
        (training,) = control["trainings"]
        assert len(artefacts.history(f"qat-w{bits}")[seed]["loss"]) == training["epochs"]
        assert len(artefacts.history("qat-control")[seed]["loss"]) == training["epochs"]


def test_the_ways_of_training_on_differ_in_epochs_and_rates_alone():
    for seed in SEEDS:
        names = ("longer-same-rate", "longer-one-epoch", "qat-control")
        logs = [FILES[f"{name}-seed{seed}.tflite"]["trainings"] for name in names]
        (constant,), (one,), (control,) = logs
        assert [x["epochs"] for x in (constant, one, control)] == [4, 1, 4]
        assert set(constant["learning_rates"]) == {"0.001"}
        for falling in (one, control):
            first, *_, last = map(float, falling["learning_rates"])
            assert first == 0.001 and last < 1e-6
        assert len({(x["images_sha256"], x["order_seed"]) for x in (constant, one, control)}) == 1


def test_only_training_on_with_a_falling_rate_is_beyond_noise(score):
    before = [score(name) for name in BASELINES]

    def gained(name):
        return qlab.compare(before, [score(f"{name}-seed{s}") for s in SEEDS], family=3)

    assert gained("qat-control").verdict == "better"
    assert gained("longer-one-epoch").agree
    constant = gained("longer-same-rate")
    assert constant.within_noise and not constant.agree


def test_the_controls_numbers_in_the_manifest_come_out_again(score, calibration):
    for seed in SEEDS:
        entry = FILES[f"qat-control-seed{seed}.tflite"]
        engine = qlab.Compressor(qlab.pretrained(f"qat-control-seed{seed}"), calibration)
        for bits in WIDTHS:
            again = score(engine.compress(qlab.Recipe(bits)))
            assert abs(again.correct - entry["post_training"][str(bits)]["correct"]) <= 10


def test_files_of_4_bits_and_fewer_are_packed():
    for bits in WIDTHS:
        for seed in SEEDS:
            size = FILES[f"qat-w{bits}-seed{seed}.tflite"]["bytes"]
            assert size == {8: 83_872, 4: 46_160, 3: 46_160, 2: 27_848}[bits]
            model = qlab.pretrained(f"qat-w{bits}-seed{seed}")
            top = 2 ** (bits - 1) - 1
            codes = [x.weights for x in model.layers if x.weights is not None]
            assert len(codes) == 4
            for each in codes:
                assert np.abs(each.astype(int)).max() <= top
            assert max(np.abs(each.astype(int)).max() for each in codes) == top


@pytest.mark.parametrize("bits", WIDTHS)
def test_keras_and_litert_agree_on_the_shipped_model(bits, fashion, score):
    for seed in SEEDS:
        entry = FILES[f"qat-w{bits}-seed{seed}.tflite"]
        assert abs(entry["keras"]["accuracy"] - entry["validation"]["accuracy"]) <= 0.002
    model = train.load(f"qat-w{bits}-seed0")
    some = fashion.validation.images[:2000], fashion.validation.labels[:2000]
    found = train.parity(model, lite(model), *some)
    assert abs(found.difference) <= 0.002
    assert (found.keras.kind, found.lite.kind) == ("simulated", "measured")
    unpacked, shipped = score(lite(model)), score(f"qat-w{bits}-seed0")  # other kernels
    assert (shipped.predictions != unpacked.predictions).mean() < 0.005
    assert train.convert_quantized(model) == qlab.pretrained(f"qat-w{bits}-seed0").to_bytes()


def test_what_helped_at_2_bits_is_on_record():
    found = json.loads(artefacts.path("qat-2-bits.json").read_text())
    accuracies = {
        step: [entry["by_seed"][str(seed)]["validation"]["accuracy"] for seed in SEEDS]
        for step, entry in found.items()
    }

    def helps(step, other):
        return all(a > b for a, b in zip(accuracies[step], accuracies[other], strict=True))

    assert helps("cosine learning rate", "constant learning rate")
    assert helps("least-squares grids", "cosine learning rate")
    assert helps("least-squares grids", "one grid a tensor")
    assert helps("least-squares grids, twice the epochs", "least-squares grids")
    assert helps("cosine learning rate", "gradual, 4 then 3 then 2 bits")
    shipped = [FILES[f"qat-w2-seed{s}.tflite"]["validation"]["accuracy"] for s in SEEDS]
    again = accuracies["least-squares grids"]
    assert shipped == again  # the same recipe


# Before training


@pytest.mark.parametrize("bits", [WIDTHS[0], WIDTHS[-1]])
def test_before_training_it_is_post_training_quantization(bits, base, calibration, score):
    engine = qlab.Compressor(qlab.pretrained("baseline"), calibration)
    post = score(engine.compress(qlab.Recipe(bits)))
    found = qlab.compare(post, score(lite(aware_at(base, calibration, bits))))
    assert found.within_noise
    assert found.only_a + found.only_b < 200  # the same images, not just as many


@pytest.mark.parametrize("granularity", ["per-channel", "per-tensor"])
def test_before_training_with_few_bits_of_activations(granularity, base, calibration, score):
    engine = qlab.Compressor(qlab.pretrained("baseline"), calibration)
    post = score(engine.compress(qlab.Recipe(4, 4, granularity)))
    aware = aware_at(base, calibration, 4, activation_bits=4, granularity=granularity)
    assert qlab.compare(post, score(lite(aware))).within_noise


def test_least_squares_grids_save_2_bits_even_before_training(base, calibration, score):
    aware = aware_at(base, calibration, 2, weight_range="least-squares")
    assert score(lite(aware)).accuracy > 0.7
    assert score(lite(aware_at(base, calibration, 2))).accuracy < 0.4


def test_the_model_that_was_given_stays_as_it_was(base, calibration):
    before = [w.copy() for w in base.get_weights()]
    aware = aware_at(base, calibration, 4)
    train.fit(aware, IMAGES, LABELS, epochs=1, progress=False)
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(base(IMAGES / 255).shape, (8, 10))


def test_twin_undoes_the_wrapping(base, calibration):
    twin = train.float_twin(aware_at(base, calibration, 3))
    assert train.convert(twin)[:4] == train.convert(base)[:4]
    np.testing.assert_allclose(twin(IMAGES / 255), base(IMAGES / 255), atol=1e-5)
    again = aware_at(twin, calibration, 2)  # gradual lowering goes this way
    assert lite(again).layer("conv1").weights.max() == 1


# Training and conversion


@pytest.mark.parametrize("bits", [WIDTHS[0], WIDTHS[-1]])
def test_a_moment_of_training_keeps_parity(bits, base, calibration, fashion):
    weight_range = "least-squares" if bits == 2 else "max"
    aware = aware_at(base, calibration, bits, weight_range=weight_range)
    few = fashion.train.images[:2000], fashion.train.labels[:2000]
    history = train.fit(aware, *few, epochs=1, schedule="cosine", progress=False)
    found = train.parity(aware, lite(aware), fashion.validation.images, fashion.validation.labels)
    assert history["accuracy"][0] > 0.6
    assert found.lite.accuracy > 0.75
    assert abs(found.difference) <= 0.002
    assert (found.lite.predictions != found.keras.predictions).mean() < 0.02
    names = [layer.name for layer in found.layers]
    wanted = ["conv1", "pool1", "conv2", "pool2", "flatten", "dense1", "logits"]
    assert names == wanted


@pytest.mark.parametrize("name", zoo.BUILDERS)
def test_learners_models_train_and_convert(name, calibration, fashion):
    model = zoo.trained(name)
    aware = aware_at(model, calibration, 4)
    few = fashion.train.images[:1000], fashion.train.labels[:1000]
    train.fit(aware, *few, epochs=1, learning_rate=5e-4, progress=False)
    small = lite(aware)
    found = train.parity(
        aware, small, fashion.validation.images[:2000], fashion.validation.labels[:2000]
    )
    assert abs(found.difference) <= 0.005 and found.lite.accuracy > 0.7
    floats = qlab.LiteModel.from_keras(model)  # BatchNorm and ReLU are folded as they are there
    assert [layer.op for layer in small.layers] == [layer.op for layer in floats.layers]
    for layer in small.layers:
        if layer.weights is not None:
            assert layer.weights.dtype == np.int8 and np.abs(layer.weights).max() <= 7


@pytest.fixture(scope="module")
def oddments(fashion):
    """What the zoo does not have: a ReLU without BatchNorm, a multiplier, Dense with BatchNorm."""
    train.keras.utils.set_random_seed(0)
    layers = train.keras.layers
    x = inputs = train.keras.Input((28, 28, 1))
    x = layers.Conv2D(6, 3, strides=2, name="plain")(layers.ZeroPadding2D(1)(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="double")(layers.ReLU()(x))
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(8, 3, use_bias=False, name="normed")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Dense(20, name="dense")(layers.Flatten()(layers.Dropout(0.2)(x)))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    model = train.keras.Model(inputs, layers.Softmax()(layers.Dense(10, name="logits")(x)))
    some = fashion.train.images[:256], fashion.train.labels[:256]
    train.fit(model, *some, epochs=2, batch_size=32, progress=False)
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_bits": 8},
        {"weight_bits": 3, "granularity": "per-tensor", "activation_bits": 6, "logits_bits": 5},
    ],
    ids=str,
)
def test_other_orders_of_layers_come_through(settings, oddments, fashion):
    some = fashion.train.images[:256], fashion.train.labels[:256]
    aware = train.quantization_aware(oddments, calibration=some[0], **settings)
    found = train.parity(aware, lite(aware), *some)
    assert len(found.layers) == 8 and found.layers[-1].name == "softmax"
    for layer in found.layers:
        assert layer.largest_steps <= 8  # of 256


@pytest.mark.parametrize("other", ["pooled input", "relu", "sigmoid", "tanh"])
def test_what_is_bent_and_then_joined_is_rounded_before_it_is_bent(other, fashion):
    """A Concatenate takes the rounding of its inputs away; the kernel of a sigmoid needs one."""
    train.keras.utils.set_random_seed(1)
    layers = train.keras.layers
    inputs = train.keras.Input((28, 28, 1))
    joined = [layers.Conv2D(4, 3, padding="same", activation="sigmoid", name="bent")(inputs)]
    pool = layers.AveragePooling2D(2, strides=1, padding="same")
    second = (
        pool if other == "pooled input" else layers.Conv2D(4, 3, activation=other, padding="same")
    )
    x = layers.Flatten()(layers.Concatenate(name="joined")([*joined, second(inputs)]))
    model = train.keras.Model(inputs, layers.Dense(10, name="logits")(x))
    some = fashion.train.images[:64], fashion.train.labels[:64]
    aware = train.quantization_aware(model, 4, 4, calibration=some[0])
    found = train.parity(aware, lite(aware), *some)
    assert found.layers[-1].name == "logits" and found.layers[-1].largest_steps <= 16  # of 256


def test_batchnorm_is_folded_into_the_scales_not_into_the_codes(calibration):
    from qlab.train.fake_quantization import weight_quantizer

    aware = aware_at(zoo.trained("depthwise"), calibration, 3)
    file = lite(aware)
    for name in ("stem", "depthwise0", "pointwise0"):
        kernel, quantizer, variables = weight_quantizer(aware.get_layer(f"quant_{name}"))
        rounded = np.asarray(quantizer(kernel, False, variables))
        layer = file.layer(name)
        channels = layer.weights.shape[layer.channel_axis]
        rounded = rounded.reshape(-1, channels)
        steps = variables["max_var"].numpy() / 3
        codes = np.moveaxis(layer.weights, layer.channel_axis, -1).reshape(-1, channels)
        np.testing.assert_allclose(np.abs(rounded / steps), np.abs(codes), atol=1e-4)


def test_the_meter_names_the_layer_where_they_differ(base, calibration, fashion):
    aware = aware_at(base, calibration, 8)
    graph = lite(aware).graph()
    tensor = next(
        t for t in graph.subgraphs[0].tensors if b"conv2" in t.name and len(t.shape) == 4
        and graph.buffers[t.buffer].data is not None
    )  # fmt: skip
    spoiled = np.array(graph.buffers[tensor.buffer].data)
    spoiled[:40] = 127
    graph.buffers[tensor.buffer].data = spoiled
    sound = train.parity(
        aware, lite(aware), fashion.validation.images[:64], fashion.validation.labels[:64]
    )
    found = train.parity(
        aware,
        qlab.LiteModel(pack(graph)),
        fashion.validation.images[:64],
        fashion.validation.labels[:64],
    )
    before, after = ({x.name: x for x in p.layers} for p in (sound, found))
    assert after["conv1"] == before["conv1"]
    assert after["conv2"].largest_steps > 5 > before["conv2"].largest_steps
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.layers = ()


@pytest.mark.parametrize("weight_range", ["max", "least-squares"])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_grid_and_its_gradient(bits, weight_range):
    from qlab.train.keras2 import keras, tf
    from qlab.train.quantizers import WeightQuantizer

    layer = keras.layers.Layer()
    weights = tf.Variable(np.random.default_rng(1).normal(size=(64, 5)).astype(np.float32))
    quantizer = WeightQuantizer(bits, True, weight_range)
    variables = quantizer.build(weights.shape, "kernel", layer)
    quantizer.start(weights, variables)
    with tf.GradientTape() as tape:
        rounded = quantizer(weights, True, variables)
        total = tf.reduce_sum(3 * rounded)
    np.testing.assert_array_equal(tape.gradient(total, weights), np.full((64, 5), 3, np.float32))
    from qlab.arithmetic.affine import fake_quantize, symmetric_params

    plain = fake_quantize(weights.numpy(), symmetric_params(weights.numpy(), bits, axis=1))
    if weight_range == "max":
        np.testing.assert_allclose(rounded, plain, atol=1e-5)
    else:
        error, most = (((x - weights.numpy()) ** 2).sum(0) for x in (rounded.numpy(), plain))
        assert (error <= most * 1.001).all() and (bits == 8 or error.sum() < 0.9 * most.sum())
        from qlab.arithmetic.rounding import least_squares_scale

        top = 2 ** (bits - 1) - 1  # after one more step than NumPy's, which has settled
        np.testing.assert_allclose(
            variables["max_var"], least_squares_scale(weights.numpy().T, bits) * top, rtol=1e-5
        )


def test_save_and_load_keep_the_ranges(base, calibration, tmp_path):
    aware = aware_at(base, calibration, 4)
    train.save(aware, tmp_path / "mine.keras")
    again = train.load(tmp_path / "mine.keras")
    assert train.convert_quantized(again) == train.convert_quantized(aware)
    train.fit(again, IMAGES, LABELS, epochs=1, progress=False)  # a loaded model can go on


def test_the_cosine_schedule_falls_over_all_epochs(base, calibration):
    aware = aware_at(base, calibration, 4)
    rates = {}
    for schedule in ("constant", "cosine"):
        train.fit(aware, IMAGES, LABELS, 2, batch_size=4, schedule=schedule, progress=False)
        rates[schedule] = float(aware.optimizer.learning_rate)  # of the last of 4 steps
    assert rates["constant"] == pytest.approx(1e-3)
    assert rates["cosine"] == pytest.approx(1e-3 * (1 + np.cos(0.75 * np.pi)) / 2)
    with pytest.raises(ValueError, match=r"schedule must be one of constant, cosine; got 'step'"):
        train.fit(aware, IMAGES, LABELS, schedule="step")


def test_the_loss_sees_the_softmax_inside_the_wrapper(calibration):
    aware = aware_at(zoo.concatenate(), calibration[:8], 4)
    train.fit(aware, IMAGES, LABELS, epochs=1, progress=False)
    assert not aware.loss.get_config()["from_logits"]


# What is refused, and what is interrupted


def network(*middle, shape=(28, 28, 1)):
    layers = train.keras.layers
    return train.keras.Sequential(
        [layers.Input(shape), *middle, layers.Flatten(), layers.Dense(10, name="logits")]
    )


def refused(case, base):
    keras = train.keras
    layers = keras.layers
    return {
        "lstm": lambda: network(layers.Reshape((28, 28)), layers.LSTM(4, name="memory")),
        "lambda": lambda: network(layers.Lambda(lambda x: x, name="mine")),
        "own": lambda: network(type("Own", (layers.Layer,), {})(name="own")),
        "nested": lambda: network(keras.Sequential([layers.Dense(4)], name="inner")),
        "elu": lambda: network(layers.Conv2D(4, 3, activation="elu", name="bent")),
        "relu6": lambda: network(layers.Conv2D(4, 3, activation="relu6", name="bent")),
        "no weights": lambda: keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten()]),
        "lone norm": lambda: network(layers.BatchNormalization(name="alone")),
        "wrapped": lambda: train.quantization_aware(base, 4, calibration=IMAGES),
    }[case]()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("lstm", "layer memory is a LSTM.*there are: .*Conv2D.*qlab.Compressor"),
        ("lambda", "layer mine is a Lambda.*in its place"),
        ("own", "layer own is a Own"),
        ("nested", "layer inner is a Sequential.*list its layers"),
        ("elu", "layer bent has the activation elu.*relu, tanh"),
        ("relu6", r"layer bent has the activation relu6.*ReLU\(6.0\)"),
        ("no weights", "no weights to round"),
        ("lone norm", "alone.*BatchNormalization must follow directly"),
        ("wrapped", "already quantization-aware.*float_twin"),
    ],
)
def test_models_are_refused_in_words(case, words, base):
    with pytest.raises(ValueError, match=words):
        train.quantization_aware(refused(case, base), 4, calibration=IMAGES)


def test_a_keras_3_model_is_told_what_to_import(base):
    import keras as keras_3

    other = keras_3.Sequential([keras_3.layers.Input((28, 28, 1)), keras_3.layers.Flatten()])
    for use in (train.quantization_aware, train.convert_quantized, train.float_twin):
        with pytest.raises(TypeError, match=r"Keras 3 model.*from qlab.train import keras"):
            use(other)
    for use in (train.convert_quantized, train.float_twin):
        with pytest.raises(ValueError, match=r"not quantization-aware.*train.quantization_aware"):
            use(base)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight_bits": 1}, "weight_bits is 1; choose one of 2, 3, 4, 5, 6, 7, 8"),
        ({"weight_bits": 9}, "weight_bits is 9"),
        ({"weight_bits": 4.0}, "weight_bits is 4.0"),
        ({"activation_bits": 16}, "activation_bits is 16"),
        ({"logits_bits": 0}, "logits_bits is 0"),
        ({"granularity": "per-row"}, "granularity is 'per-row'; choose one of per-channel"),
        ({"weight_range": "mse"}, "weight_range is 'mse'; choose one of max, least-squares"),
        ({"calibration": IMAGES[:0]}, "calibration set is empty: give some of the training"),
        ({"calibration": np.full((1025, 28, 28, 1), 200, np.uint8)}, "there are 1025"),
        ({"calibration": IMAGES[..., 0]}, r"shape \(n, 28, 28, 1\)"),
        ({"calibration": IMAGES.astype(int)}, "int64; give uint8 pixels 0 to 255"),
    ],
    ids=str,
)
def test_settings_are_refused_in_words(changes, words, base):
    with pytest.raises((ValueError, TypeError), match=words):
        train.quantization_aware(base, **{"calibration": IMAGES, **changes})


def test_an_empty_dataset_is_refused(base):
    aware = aware_at(base, IMAGES, 4)
    with pytest.raises(ValueError, match="at least one"):
        train.fit(aware, IMAGES[:0], LABELS[:0])


class _First(train.keras.callbacks.Callback):
    def __init__(self, what):
        super().__init__()
        self.what, self.batches = what, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.what == "interrupt":
            raise KeyboardInterrupt
        self.model.stop_training = True


@pytest.mark.parametrize("what", ["interrupt", "cancel"])
def test_stopped_in_the_first_batch_the_model_still_converts(what, base, fashion, capsys):
    aware = aware_at(base, fashion.train.images[:64], 4)
    first = _First(what)
    some = fashion.train.images[:2000], fashion.train.labels[:2000]
    train.fit(aware, *some, epochs=3, progress=False, callbacks=[first])
    assert ("Stopped after 0 of 3 epochs" in capsys.readouterr().out) == (what == "interrupt")
    assert first.batches == 1
    test = fashion.validation.images[:1000], fashion.validation.labels[:1000]
    assert qlab.evaluate(lite(aware), *test).accuracy > 0.75
    train.fit(aware, *some, epochs=1, progress=False)  # and it can go on


@pytest.mark.parametrize("kind", ["keras", "lite"])
def test_interrupted_in_the_middle_of_saving(kind, base, calibration, tmp_path, monkeypatch):
    aware = aware_at(base, calibration, 4)
    path = tmp_path / ("mine.keras" if kind == "keras" else "mine.tflite")
    save = (
        (lambda: train.save(aware, path)) if kind == "keras" else (lambda: lite(aware).save(path))
    )
    save()
    before = path.read_bytes()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    def half(self, part, **_):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(train.keras.Model, "save", half)
    monkeypatch.setattr("qlab.tflite.litemodel.os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
