"""What people bring to the doors of `train`: it works, or is refused in words that say what to do.

Each door asks the same module of checks; so here each thing is brought to each door that it fits.
"""

import time

import numpy as np
import pytest

import qlab
from qlab import train
from qlab.train import checks

RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.integers(0, 256, (64, 8, 8, 1), np.uint8), RANDOM.integers(0, 10, 64)
FLOATS = IMAGES / np.float32(255)
BRIEF = {"epochs": 1, "progress": False}


def network(*layers, size=(8, 8, 1)):
    train.keras.utils.set_random_seed(0)
    return train.keras.Sequential([train.keras.layers.Input(size), *layers])


def usual(*more):
    """A small convolution, what a test puts behind it, and the logits."""
    layers = train.keras.layers
    return network(
        layers.Conv2D(4, 3, name="conv"), *more, layers.Flatten(), layers.Dense(10, name="logits")
    )


def flat():
    return network(train.keras.layers.Flatten(), train.keras.layers.Dense(10))


def fitted(model, images=IMAGES, labels=LABELS, **settings):
    return train.fit(model, images, labels, **{**BRIEF, **settings})


DOORS = {  # what is done with a model and images
    "fit": fitted,
    "distil": lambda model, images=IMAGES: train.distil(
        model, np.zeros((64, 10), np.float32), images, LABELS, **BRIEF
    ),
    "convert": lambda model, images=IMAGES: train.convert(model, "int8", images),
    "quantization_aware": lambda model, images=IMAGES: train.quantization_aware(
        model, calibration=images
    ),
    "preserving": lambda model, images=IMAGES: train.preserving(model, calibration=images),
}
OTHERS = {  # doors for a model alone
    "prune": lambda model: train.prune(model, 0.5),
    "cluster": lambda model: train.cluster_weights(model, 4),
    "save": lambda model: train.save(model, "never.keras"),
    "float32": train.convert,
    "student": train.Distiller,
    "teacher": lambda model: train.Distiller(flat(), model),
}
CALIBRATING = ("convert", "quantization_aware", "preserving")


# Images


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (IMAGES.astype(np.float32), "reach from 0 to 255, where 0 to 1 is meant: divide them by"),
        (np.where(IMAGES == 7, np.float32(np.nan), FLOATS), "NaN or infinity.*np.isfinite"),
        (np.where(IMAGES == 7, np.float32(np.inf), FLOATS), "NaN or infinity.*np.isfinite"),
    ],
    ids=["unscaled", "nan", "infinite"],
)
def test_images_out_of_range_are_refused_at_each_door(door, images, words):
    with pytest.raises(ValueError, match=words):
        DOORS[door](usual(), images)


@pytest.mark.parametrize("door", CALIBRATING)
@pytest.mark.parametrize("images", [IMAGES * 0, FLOATS * 0], ids=["uint8", "float32"])
def test_black_images_calibrate_nothing(door, images):
    with pytest.raises(ValueError, match=r"zero everywhere.*give some of the training images"):
        DOORS[door](usual(), images)


@pytest.mark.parametrize("images", [list(IMAGES), IMAGES, FLOATS], ids=["list", "uint8", "floats"])
def test_a_list_of_images_is_trained_on_like_the_array(images):
    history = fitted(usual(), images, list(LABELS), seed=np.int64(3), callbacks=None)
    assert history == fitted(usual(), seed=3)


def test_a_list_of_images_calibrates_and_distils_like_the_array():
    model = usual()
    assert DOORS["convert"](model, list(IMAGES)) == DOORS["convert"](model)
    assert DOORS["distil"](usual(), list(IMAGES)) == DOORS["distil"](usual())


@pytest.mark.parametrize(
    ("channels", "given", "words"),
    [(3, 1, r"np\.repeat\(images, 3, -1\).*colour=True"), (1, 3, r"images\.mean.*colour=False")],
)
def test_grey_pictures_for_colours_are_told_how_to_become_such(channels, given, words):
    layers = train.keras.layers.Flatten(), train.keras.layers.Dense(10)
    model, images = network(*layers, size=(8, 8, channels)), np.repeat(IMAGES, given, -1)
    with pytest.raises(ValueError, match=words):
        fitted(model, images)
    file = qlab.LiteModel.from_keras(model)
    with pytest.raises(ValueError, match=words):
        qlab.predict(file, images)
    data = qlab.Dataset.from_arrays(images, np.arange(64) % 10)
    with pytest.raises(ValueError, match=words):
        qlab.widgets.AnatomyExplorer(model=file, dataset=data)


def test_numbers_in_lists_are_told_what_to_become():
    with pytest.raises(ValueError, match=r"int64; give .* images.astype\(np.uint8\)"):
        fitted(usual(), IMAGES.tolist())


def test_a_mean_of_pixels_says_that_they_are_whole():
    layers = train.keras.layers
    for mean, deviation, whole in ((127.0, 70.0, True), (0.5, 0.25, False)):
        first = layers.Normalization(mean=mean, variance=deviation**2)
        learned = layers.Normalization()
        learned.adapt(mean + np.float32([-0.1, 0.1]).reshape(2, 1, 1, 1) * np.ones((8, 8, 1)))
        for layer in (first, learned):
            assert checks.scales_itself(network(layer, *flat().layers)) == whole


@pytest.mark.parametrize("first", ["rescaling", "uint8"])
def test_a_model_that_divides_its_pixels_gets_them_whole(first):
    layers = train.keras.layers
    model, plain = usual(), usual()
    if first == "uint8":
        start = train.keras.Input((8, 8, 1), dtype="uint8")
        scaled = layers.Rescaling(1 / 255)(
            layers.Lambda(lambda x: train.tf.cast(x, "float32"))(start)
        )
    else:
        start = train.keras.Input((8, 8, 1))
        scaled = layers.Rescaling(1 / 255)(start)
    dividing = train.keras.Model(start, model(scaled))
    found, wanted = fitted(dividing), fitted(plain)
    np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=1e-4)
    assert train.convert(dividing, "int8", IMAGES)[4:8] == b"TFL3"
    with pytest.raises(ValueError, match=r"divides pixels by itself.*give the pixels 0 to 255"):
        fitted(dividing, FLOATS)


# Labels, validation and callbacks


def test_validation_is_a_pair_or_a_split():
    split = qlab.data.Split(IMAGES, LABELS, "validation")
    pair = fitted(usual(), validation=(list(IMAGES), LABELS))
    assert fitted(usual(), validation=split) == pair
    assert "validation_accuracy" in pair
    for wrong in (IMAGES, "validation"):
        with pytest.raises(ValueError, match=r"a pair \(images, labels\) or a split"):
            fitted(usual(), validation=wrong)


@pytest.mark.parametrize("monitor", ["loss", "validation_loss", "val_loss"])
def test_early_stopping_knows_the_names_of_the_history(monitor):
    stop = train.keras.callbacks.EarlyStopping(monitor, patience=0, mode="max")
    history = fitted(usual(), validation=(IMAGES, LABELS), callbacks=[stop], epochs=5)
    assert len(history["loss"]) == 2  # the loss falls, and "max" takes that for no progress


@pytest.mark.parametrize("door", ["fit", "distil"])
@pytest.mark.parametrize("monitor", ["test_loss", "val_loss"])
def test_a_callback_that_looks_at_nothing_is_refused(door, monitor):
    stop = train.keras.callbacks.EarlyStopping(monitor)
    target = (IMAGES, LABELS) if door == "fit" else (np.zeros((64, 10)), IMAGES, LABELS)
    use = {"fit": train.fit, "distil": train.distil}[door]
    with pytest.raises(ValueError, match=f"'{monitor}'.*loss, accuracy.*with validation=.images"):
        use(usual(), *target, callbacks=[stop], **BRIEF)


def test_a_checkpoint_of_every_epoch_looks_at_nothing(tmp_path):
    keep = train.keras.callbacks.ModelCheckpoint(str(tmp_path / "at.keras"))
    fitted(usual(), callbacks=[keep])
    assert (tmp_path / "at.keras").exists()


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        fitted(usual(), seed=seed)


# Outputs


def shares(*more):
    layers = train.keras.layers
    return network(layers.Flatten(), layers.Dense(10, "softmax"), *more)


@pytest.mark.parametrize("kind", ["Reshape", "Dropout", "Lambda"])
def test_the_loss_is_that_of_what_the_outputs_are(kind):
    layers = train.keras.layers
    last = {"Reshape": (10,), "Dropout": 0.0, "Lambda": lambda x: x}[kind]
    assert fitted(shares(getattr(layers, kind)(last))) == fitted(shares())
    doubled = network(layers.Flatten(), layers.Dense(10, "softmax"), layers.Dense(10))
    fitted(doubled)
    assert doubled.loss.get_config()["from_logits"]  # a softmax inside is no end


@pytest.mark.parametrize("bits", [8, 2])
def test_rounded_probabilities_are_probabilities(bits):
    model = shares(train.keras.layers.Reshape((10,)))
    settings = {"weight_bits": bits, "activation_bits": bits, "logits_bits": bits}
    aware = train.quantization_aware(model, calibration=IMAGES, **settings)
    fitted(aware)
    assert not aware.loss.get_config()["from_logits"]


def with_two_outputs():
    layers, start = train.keras.layers, train.keras.Input((8, 8, 1))
    flat = layers.Flatten()(start)
    return train.keras.Model(start, [layers.Dense(10)(flat), layers.Dense(10)(flat)])


@pytest.mark.parametrize("door", ["fit", "distil", "quantization_aware", "preserving"])
def test_two_outputs_are_refused_where_one_is_trained(door):
    with pytest.raises(ValueError, match=r"2 outputs .dense.*keras.Model\(model.input"):
        DOORS[door](with_two_outputs())


def test_two_outputs_are_converted():
    assert DOORS["convert"](with_two_outputs())[4:8] == b"TFL3"


@pytest.mark.parametrize("door", ["fit", "distil"])
def test_an_output_that_is_no_class_is_told_how_to_end(door):
    layers = train.keras.layers
    for last in ([layers.Conv2D(10, 3)], [layers.Flatten(), layers.Dense(1, "sigmoid")]):
        with pytest.raises(ValueError, match=r"one number for each class.*two classes Dense\(2\)"):
            DOORS[door](network(*last))


# Numbers that are none


def spoilt():
    model = usual()
    first, *others = model.get_weights()
    model.set_weights([np.where(first > 0, np.nan, first), *others])
    return model


@pytest.mark.parametrize("door", [*DOORS, *OTHERS])
def test_a_model_of_nan_is_refused_alike_at_every_door(door):
    with pytest.raises(ValueError, match=r"weights conv/kernel:0 hold NaN.*smaller learning_rate"):
        {**DOORS, **OTHERS}[door](spoilt())


def test_a_loss_of_nan_is_said_when_it_happens():
    model = usual()
    with pytest.raises(FloatingPointError, match=r"is \w+ in batch 2 of epoch 1.*smaller learning"):
        fitted(model, learning_rate=1e30, batch_size=16, epochs=3)
    with pytest.raises(ValueError, match="hold NaN or infinity"):
        train.convert(model)


# Layers


@pytest.mark.parametrize("case", ["first", "changed", "between"])
def test_a_reshape_trains_and_converts(case):
    layers = train.keras.layers
    odd = [layers.Conv2D(4, 2, activation="relu", name="odd")]
    last = [layers.Flatten(), layers.Dense(10, name="logits")]
    model = {
        "first": lambda: network(layers.Reshape((8, 8, 1)), *odd, *last),
        "changed": lambda: network(layers.Reshape((4, 16, 1)), *odd, *last),
        "between": lambda: network(
            layers.Conv2D(4, 3, 2, activation="relu"), layers.Reshape((-1,)), layers.Dense(20),
            layers.Reshape((4, 5, 1)), *odd, *last,
        ),
    }[case]()  # fmt: skip
    aware = train.quantization_aware(model, calibration=IMAGES)
    found = train.parity(aware, qlab.LiteModel(train.convert_quantized(aware)), IMAGES, LABELS)
    assert {"odd", "logits"} <= {layer.name for layer in found.layers}
    assert max(layer.largest_steps for layer in found.layers) <= 3


@pytest.mark.parametrize("door", ["quantization_aware", "preserving"])
@pytest.mark.parametrize(
    ("kind", "option", "words"),
    [
        ("ReLU", {"negative_slope": 0.2}, "layer odd has negative_slope=0.2.*without a slope"),
        ("ReLU", {"threshold": 0.3}, "layer odd has threshold=0.3.*without a threshold"),
        ("ReLU", {"max_value": 4}, r"layer odd has max_value=4.*ReLU\(6.0\)"),
        ("Conv2D", {"dilation_rate": 2}, r"layer odd has dilation_rate=\(2, 2\).*larger kernel"),
        ("DepthwiseConv2D", {"dilation_rate": 2}, r"odd has dilation_rate=.*qlab.Compressor"),
    ],
    ids=str,
)
def test_options_without_an_integer_form_are_refused_before_training(door, kind, option, words):
    made = getattr(train.keras.layers, kind)
    sizes = {"Conv2D": (4, 2), "DepthwiseConv2D": (2,)}.get(kind, ())
    with pytest.raises(ValueError, match=words):
        DOORS[door](usual(made(*sizes, name="odd", **option)))


@pytest.mark.parametrize("options", [{}, {"max_value": 6.0}], ids=str)
def test_a_relu_as_files_have_it_is_trained(options):
    aware = DOORS["quantization_aware"](usual(train.keras.layers.ReLU(**options)))
    assert train.convert_quantized(aware)[4:8] == b"TFL3"


def test_a_dense_layer_on_pictures_is_refused_before_training():
    layers = train.keras.layers
    with pytest.raises(ValueError, match=r"layer each is a Dense on \(6, 6, 4\).*Conv2D\(5, 1\)"):
        DOORS["quantization_aware"](usual(layers.Dense(5, name="each")))


def used_twice():
    layers, start = train.keras.layers, train.keras.Input((8, 8, 4))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    return train.keras.Model(start, layers.Dense(10)(layers.Flatten()(shared(shared(start)))))


def test_a_layer_used_twice_is_refused_before_training():
    images = np.repeat(IMAGES, 4, axis=-1)
    for door in ("quantization_aware", "preserving"):
        with pytest.raises(ValueError, match=r"layer shared is used 2 times.*one layer for each"):
            DOORS[door](used_twice(), images)


def test_a_layer_used_twice_is_pruned_and_clustered():
    images = np.repeat(IMAGES, 4, axis=-1)
    pruned = train.prune(used_twice(), 0.5)
    fitted(pruned, images)
    assert train.sparsities(train.strip_pruning(pruned))["shared"] == 0.5
    few = train.strip_clustering(train.cluster_weights(used_twice(), 4, ["shared"]))
    assert len(np.unique(few.get_layer("shared").kernel)) == 4


@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_a_loop_is_refused_where_the_converter_would_end_the_process(kind):
    layers, made = train.keras.layers, getattr(train.keras.layers, kind)

    def recurrent(**options):
        start = layers.Input((4, 4, 1), batch_size=1)
        loop = layers.Bidirectional(made(3, name="loop", **options))
        return train.keras.Sequential([start, layers.Reshape((4, 4)), loop, layers.Dense(10)])

    for mode in ("int8", "int16x8"):
        with pytest.raises(ValueError, match=f"is a {kind}, a loop.*dynamic-range.*unroll=True"):
            train.convert(recurrent(), mode, IMAGES[:2, :4, :4])
    assert train.convert(recurrent(unroll=True), "int8", IMAGES[:2, :4, :4])[4:8] == b"TFL3"


# What Keras is set to


@pytest.fixture
def keras_set():
    """Sets the kernel's Keras, and puts everything back."""
    keras = train.keras

    def settle(layout="channels_last", number="float32", policy="float32"):
        keras.backend.set_image_data_format(layout)
        keras.backend.set_floatx(number)
        keras.mixed_precision.set_global_policy(policy)

    yield settle
    settle()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layout": "channels_first"}, "is channels_first.*need channels_last: call keras.backend"),
        ({"number": "float64"}, r"is float64.*need float32: call keras.backend.set_floatx"),
        ({"policy": "mixed_float16"}, "is mixed_float16.*need float32: call keras.mixed_precision"),
        ({"policy": "mixed_bfloat16"}, "is mixed_bfloat16.*set_global_policy"),
    ],
    ids=str,
)
def test_a_kernel_with_other_settings_is_refused_in_words(settings, words, keras_set):
    model = usual()
    keras_set(**settings)
    for build in (train.baseline, train.student, train.teacher, train.separable):
        with pytest.raises(ValueError, match=words):
            build()
    for use in {**DOORS, **OTHERS}.values():
        with pytest.raises(ValueError, match=words):
            use(model)
    keras_set()
    assert train.student().count_params() == 5_001
    assert DOORS["convert"](model)[4:8] == b"TFL3"


def test_a_model_of_other_numbers_is_told_how_to_become_float32(keras_set):
    keras_set(policy="mixed_float16")
    model = usual()
    keras_set()
    for door in CALIBRATING:
        with pytest.raises(ValueError, match=r"layer conv computes in float16.*new.set_weights"):
            DOORS[door](model)
    fitted(model)  # trains, as the teacher does


def test_channels_first_is_refused_in_words():
    layers = train.keras.layers
    model = network(layers.Conv2D(4, 3, data_format="channels_first", name="first"), size=(1, 8, 8))
    for use in {**DOORS, **OTHERS}.values():
        with pytest.raises(
            ValueError, match=r"layer first has data_format='channels_first'.*build"
        ):
            use(model)


# Files


def test_a_distiller_is_no_model():
    pupil = train.Distiller(usual(), usual())
    for use in (OTHERS["save"], train.convert, fitted, OTHERS["prune"]):
        with pytest.raises(TypeError, match=r"give its student, distiller.student"):
            use(pupil)


def test_a_class_of_its_own_is_told_to_become_layers():
    class Mine(train.keras.Model):
        pass

    for use in {**DOORS, **OTHERS}.values():
        with pytest.raises(ValueError, match=r"class of its own \(Mine\).*keras.Model\(inputs"):
            use(Mine())


def test_what_could_not_be_loaded_again_is_not_saved(tmp_path):
    layers = train.keras.layers
    own = type("Own", (layers.Layer,), {})
    for odd in (layers.Lambda(lambda x: 2 * x), own()):
        with pytest.raises(
            ValueError, match=r"mine.keras is not written.*Build.*from keras.layers"
        ):
            train.save(usual(odd), tmp_path / "mine.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.tflite", r"qlab.LiteModel.from_file\('.*x.tflite'\)"),
        ("x.h5", "keras.models.load_model"),
    ],
)
def test_a_file_of_another_kind_is_told_who_reads_it(name, words, tmp_path):
    with pytest.raises(ValueError, match=f"train.load reads .keras files.*{words}"):
        train.load(tmp_path / name)


def test_a_clock_before_1980_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(86_400 * 365))
    with pytest.raises(OSError, match=r"clock says 1971-01-01.*set the clock"):
        train.save(usual(), tmp_path / "mine.keras")
    assert not list(tmp_path.iterdir())
