"""What people bring: pictures of any size, odd ways of preparing them, other data, other files."""

import warnings

import numpy as np
import pytest
from PIL import Image

import qlab
from qlab import ModelError, Recipe, cli, train
from qlab.export.measuring import examine
from qlab.export.model_card import card
from qlab.export.writing import data_from
from qlab.tflite.answers import decision
from qlab.tflite.arena import plan_arena
from qlab.tflite.operations import count_operations
from qlab.tflite.pixels import fed
from qlab.trials import subjects

layers, keras = train.keras.layers, train.keras
GREY = (None, None, 1)


def lite(*steps, shape=(28, 28, 1), **settings):
    keras.utils.set_random_seed(3)
    return qlab.LiteModel.from_keras(keras.Sequential([keras.Input(shape, **settings), *steps]))


def any_size(channels=1, classes=10):
    steps = layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D()
    return lite(*steps, layers.Dense(classes), shape=(None, None, channels))


def card_of(model, **how):
    return card(examine(model, "m", **how), ["m.tflite"])


@pytest.fixture(scope="module")
def colours():
    """Pictures of 20 x 24 in colour: 300 of three classes, told apart by one channel."""
    random, labels = np.random.default_rng(0), np.arange(300) % 3
    images = random.integers(0, 120, (300, 20, 24, 3), np.uint8)
    images[np.arange(300), :, :, labels] += 100
    return qlab.Dataset.from_arrays(images, labels, class_names=["r", "g", "b"], name="colours")


# pictures of any size


def test_a_file_of_any_size_is_written_for_one_and_answers_alike(fashion):
    model, images = any_size(), fashion.validation.images[:50]
    fixed = qlab.runtime.of_size(model, (28, 28, 1))
    assert fixed.picture_shape == (28, 28, 1) and model.picture_shape == (-1, -1, 1)
    assert np.array_equal(qlab.predict(fixed, images), qlab.predict(model, images))
    twin = lite(layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D(),
                layers.Dense(10))  # fmt: skip
    assert sum(x.macs for x in count_operations(fixed)) == sum(
        x.macs for x in count_operations(twin)
    )
    assert plan_arena(fixed).bytes == plan_arena(twin).bytes
    with pytest.raises(ValueError, match=r"\(28, 28, 3\) do not fit .* \(\?, \?, 1\)"):
        qlab.runtime.of_size(model, (28, 28, 3))


@pytest.mark.parametrize("door", [qlab.latency, count_operations, plan_arena])
def test_what_a_picture_of_any_size_costs_is_not_said(door):
    with pytest.raises(ModelError, match=r"shape \(\?, \?, \?, 3\), so .* depends on its size"):
        door(any_size(3))
    assert "depends on its size" in qlab.micro(any_size(3)).why


def test_inspect_and_export_take_pictures_of_any_size(colours, tmp_path, capsys):
    split, file = colours.train, any_size(3, 3).save(tmp_path / "any.tflite")
    np.savez(tmp_path / "OWN.NPZ.npz", x=split.images, y=split.labels)
    data = (tmp_path / "OWN.NPZ.npz").rename(tmp_path / "OWN.NPZ")
    assert cli.main(["inspect", str(file), "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert "accuracy (measured): " in out and "(1, ?, ?, 8) float32" in out
    assert not subjects.misfit(any_size(3, 3), colours)
    text = card_of(any_size(3, 3), dataset=colours)
    assert "All was measured with pictures of 20 x 24 x 3" in text
    macs = 18 * 22 * 8 * 27 + 8 * 3
    assert f"| **all** | | | {macs:,} |" in text
    with pytest.raises(ModelError, match=r"depends on its size; give data"):
        examine(any_size(3, 3), "m")


def test_an_explorer_shows_what_a_picture_of_the_data_costs(colours):
    subject = subjects.subject(any_size(3, 3), dataset=colours)
    small = subject.trial(Recipe(calibration_size=50))
    assert small.latency.median_ms > 0 and plan_arena(small.model).bytes > 20 * 24


@pytest.mark.parametrize(
    ("shape", "due"),
    [((None, None, 3), (9, 7, 3)), ((5, 4, 3), (5, 4, 3)), ((6, 4), (6, 4, 1)),
     ((5, 4, 1), (5, 4, 1)), ((None, 4, 1), (9, 7, 1))],
)  # fmt: skip
def test_pictures_of_a_folder_come_in_the_size_that_the_model_takes(shape, due, tmp_path):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(12):
            pixels = random.integers(0, 256, (9, 7, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    end = layers.Flatten() if None not in shape else layers.GlobalAveragePooling2D()
    assert data_from(tmp_path, lite(end, layers.Dense(2), shape=shape)).image_shape == due


# ways of preparing pictures


MEANS, SPREAD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


@pytest.fixture(scope="module")
def told_apart():
    """Pictures that are as bright as those of ImageNet, one channel a little more: that counts."""
    random, labels = np.random.default_rng(1), np.arange(600) % 3
    images = MEANS + random.normal(0, 20, (600, 8, 8, 3))
    images[np.arange(600), :, :, labels] += 15
    return np.uint8(images.clip(0, 255)), labels


@pytest.mark.parametrize(
    ("of_class", "gains", "name"),
    [
        ([2, 1, 0], [1, 1, 1], "the means of ImageNet subtracted, blue first"),
        ([0, 1, 2], [1, 1, 1], "pictures standardised as in ImageNet"),
        ([2, 1, 0], 100 / MEANS[::-1], "blue first"),
    ],
)
def test_a_fourth_way_is_never_sure_to_be_one_of_three(told_apart, of_class, gains, name):
    """The class is the largest of the channels as they come."""
    net = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    net.layers[-1].set_weights([np.diag(gains)[:, of_class], np.zeros(3)])
    model = qlab.LiteModel.from_keras(net)
    found = qlab.find_pixels(model, *told_apart)
    assert not found.sure and found.instead.endswith(name)
    share = f"with {found.instead} it classifies {100 * found.others[found.instead].accuracy:.1f} %"
    assert f"in a way that qlab does not set: {share}" in str(found)
    assert "Give float32 images that you have prepared" in str(found)
    with pytest.warns(UserWarning, match="in a way that qlab does not set"):
        qlab.evaluate(model, *told_apart)


def test_standardised_garments_are_noticed(fashion):
    """PyTorch's way with Fashion-MNIST."""
    keras.utils.set_random_seed(1)
    steps = layers.Flatten(), layers.Dense(10)
    model = keras.Sequential([keras.Input((28, 28, 1)), *steps])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    prepared = lambda x: (x / np.float32(255) - np.float32(0.286)) / np.float32(0.353)  # noqa: E731
    model.fit(prepared(fashion.train.images[:5000]), fashion.train.labels[:5000], verbose=0)
    split = fashion.validation
    found = qlab.find_pixels(qlab.LiteModel.from_keras(model), split.images, split.labels)
    assert (found.sure, found.instead) == (False, "all pictures standardised")


# what a file says of its pixels


@pytest.mark.parametrize("way", ["0 to 255", "-1 to 1"])
def test_predict_feeds_pixels_as_the_codes_of_the_input_say(fashion, way):
    model, images = qlab.pretrained("baseline").with_pixels(way), fashion.train.images[:128]
    coded = qlab.Compressor(model, images).compress(Recipe())
    unsaid = qlab.LiteModel(coded.data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(qlab.predict(unsaid, images), qlab.predict(coded, images))
        qlab.evaluate(unsaid, images, fashion.train.labels[:128])
    assert fed(unsaid) == way


def test_a_card_of_few_pictures_does_not_say_who_told_the_pixels(fashion):
    part = fashion.test.images[:90], fashion.test.labels[:90]
    few = part[0][:20], part[1][:20]
    data = qlab.Dataset.from_arrays(*part, validation=few, test=few, class_names=[*"abcdefghij"])
    graph = qlab.pretrained("baseline").graph()
    graph.description = b"mine"
    model = qlab.LiteModel(qlab.pretrained("baseline").edited(graph).data)
    text = card_of(model, dataset=data)
    assert "Nobody has said so, and it was not found out, because" in text
    assert "says so" not in text
    assert "The person who made the file says so" in card_of(
        model.with_pixels("0 to 1"), dataset=data
    )


# other data


def test_a_model_of_other_data_has_no_garments_on_its_card(fashion):
    """Its answers are a garment's, the classes moved on by one: far better than guessing none."""
    graph = qlab.pretrained("baseline").graph()
    part = graph.subgraphs[0]
    last = part.operators[-1]
    for index in last.inputs[1:]:
        tensor = part.tensors[index]
        values = graph.buffers[tensor.buffer].data.view(np.float32).reshape(tensor.shape)
        order = np.r_[0, 2:10, 1]  # one class stays, so that a tenth is right by chance
        graph.buffers[tensor.buffer].data = values[order].reshape(-1).view(np.uint8)
    model = qlab.pretrained("baseline").edited(graph)
    text = card_of(model)
    assert "Trouser" not in text and "garments" not in text
    assert "so it seems to be made for other data. An export that is given its data" in text
    assert "Trouser" in card_of(model, dataset=fashion)  # it was given, so it is the learner's own


def test_a_model_of_garments_that_nobody_knows_has_their_names(fashion):
    coarse = qlab.Compressor(qlab.pretrained("baseline"), fashion.train.images[:64])
    small = coarse.compress(Recipe(weight_bits=3, activation_bits=3, calibration_size=64))
    assert "Trouser" in card_of(small)


# answers


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ([layers.Dense(10)], "The largest output names the class"),
        ([layers.Dense(1, "sigmoid")], "The class is 1 if the real output is above 0.5, and"),
        ([layers.Dense(1, "tanh")], "The class is 1 if the real output is above 0, and"),
        ([layers.Dense(10), layers.Lambda(lambda x: train.tf.argmax(x, 1))],
         "The output is itself the number of the class"),
    ],
)  # fmt: skip
def test_the_card_says_how_the_answer_names_the_class(ending, words, fashion):
    model = lite(layers.Flatten(), *ending)
    classes = 2 if "above" in words else 10
    part = fashion.test.images[:400], fashion.test.labels[:400] % classes
    data = qlab.Dataset.from_arrays(*part, class_names=[f"kind {i}" for i in range(classes)])
    said = decision(model)
    assert said.startswith(words)
    assert f"- {said}: 0 kind 0, 1 kind 1" in card_of(model, dataset=data)


@pytest.mark.parametrize(
    "steps",
    [[layers.Conv2D(10, 3)], [layers.Conv2D(1, 3, padding="same")], [layers.Reshape((7, 112))]],
)
def test_maps_are_no_classes(steps, fashion, capsys, tmp_path):
    model, split = lite(*steps), fashion.validation
    words = r"an array of shape \(.*, such as a map or another picture, and that names no class"
    for door in (
        lambda: qlab.predict(model, split.images[:5]),
        lambda: qlab.evaluate(model, split.images[:5], split.labels[:5]),
        lambda: qlab.widgets.QuantizationExplorer(model),
        lambda: subjects.require_fits(model),
    ):
        with pytest.raises(ModelError, match=words):
            door()
    few = qlab.Compressor(model, split.images[:20]).compress(Recipe(calibration_size=20))
    assert few.file_bytes < model.file_bytes  # it can be made smaller all the same
    assert "Not measured: this model answers a picture with an array" in card_of(model)
    assert cli.main(["inspect", str(model.save(tmp_path / "map.tflite"))]) == 0
    assert "nothing is scored, because this model answers a picture" in capsys.readouterr().out


def test_a_map_of_pictures_of_any_size_is_no_class(fashion):
    model = lite(layers.Conv2D(10, 3, padding="same"), shape=GREY)
    with pytest.raises(ModelError, match=r"\(28, 28, 10\), such as a map"):
        qlab.predict(model, fashion.validation.images[:5])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("position", [1, 2])
def test_weights_that_are_no_numbers_are_refused_at_every_door(value, position, tmp_path):
    graph = qlab.pretrained("baseline").graph()
    part = graph.subgraphs[0]
    tensor = part.tensors[part.operators[0].inputs[position]]
    held = graph.buffers[tensor.buffer].data.copy()
    held[:4] = np.float32([value]).view(np.uint8)
    graph.buffers[tensor.buffer].data = held
    model = qlab.pretrained("baseline").edited(graph)
    doors = qlab.LiteModel.from_bytes, qlab.Compressor, examine
    for door, given in zip(doors, [(model.data,), (model,), (model, "m")], strict=True):
        with pytest.raises(ModelError, match=r"layer conv1 has .*NaN or infinite .*train it again"):
            door(*given)


def test_a_scale_that_is_no_number_is_refused():
    graph = qlab.pretrained("baseline-int8").graph()
    graph.subgraphs[0].tensors[0].quantization.scale = np.float32([np.nan])
    with pytest.raises(ModelError, match="a scale is NaN or infinite; quantize"):
        qlab.LiteModel.from_bytes(qlab.pretrained("baseline").edited(graph).data)


def test_pictures_and_answers_that_are_no_numbers_are_refused(fashion):
    images = np.float32(fashion.validation.images[:5]) / 255
    images[3, 5, 5] = np.nan
    with pytest.raises(ValueError, match=r"images hold NaN or infinity.*np\.isfinite"):
        qlab.predict(qlab.pretrained("baseline"), images)
    root = layers.Lambda(lambda x: train.tf.sqrt(x - 0.5))
    model = lite(layers.Flatten(), root, layers.Dense(10))
    with pytest.raises(ModelError, match="answers 5 of 5 pictures with NaN, which names no class"):
        qlab.predict(model, fashion.validation.images[:5])


# files and doors


def test_steps_that_work_out_a_shape_are_no_arithmetic(fashion):
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE, as Keras 3 writes a Flatten."""
    sizes = layers.Lambda(lambda x: train.tf.reshape(x, [train.tf.shape(x)[0], 28 * 28]))
    model = lite(sizes, layers.Dense(10))
    names = {x.op for x in model.layers}
    assert {"SHAPE", "STRIDED_SLICE", "PACK"} <= names
    rows = count_operations(model)
    assert [x.op for x in rows] == ["RESHAPE", "FULLY_CONNECTED"]
    assert sum(x.macs for x in rows) == 7840
    assert rows[0].moved_bytes == 0
    assert "Not counted" not in card_of(model, dataset=fashion)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.keras", "from_keras_model.model..convert.*LiteModel.from_keras"),
        ("mine.H5", "from_keras_model"),
        ("mine.onnx", "onnx2tf"),
        ("mine.pt", "ai-edge-torch"),
        ("mine.pb", "from_saved_model"),
        ("folder", "is a folder; give the .tflite file in it.*SavedModel"),
    ],
)
def test_inspect_says_how_other_files_are_converted(name, words, tmp_path, capsys):
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.write_bytes(b"something")
    assert cli.main(["inspect", str(path)]) == 1
    with pytest.raises(ModelError, match=words):
        qlab.LiteModel.from_file(path)
    assert name in capsys.readouterr().err


def test_inspect_says_that_data_do_not_fit(colours, tmp_path, capsys):
    np.savez(tmp_path / "own.npz", x=colours.train.images, y=colours.train.labels)
    file = qlab.pretrained("baseline").save(tmp_path / "mine.tflite")
    assert cli.main(["inspect", str(file), "--data", str(tmp_path / "own.npz")]) == 1
    error = capsys.readouterr().err
    assert "takes images of 28 x 28 x 1 and tells 10 classes apart; own has images of 20 x" in error
    assert "So give a model of such images and classes" in error


def test_a_file_with_its_channels_first_is_told_how_to_have_them_last(colours):
    turned = lite(layers.Flatten(), layers.Dense(3), shape=(3, 20, 24))
    words = "its channels come first, so convert it again with channels last, as onnx2tf does"
    with pytest.raises(ValueError, match=words):
        subjects.require_fits(turned, colours)


@pytest.mark.parametrize("picture", [np.zeros((28, 28, 1), np.uint8), np.zeros((28, 28), np.uint8)])
def test_one_picture_is_told_from_many(picture):
    with pytest.raises(ValueError, match=r"this is one picture, so give images\[None\]"):
        qlab.predict(qlab.pretrained("baseline"), picture)


@pytest.mark.parametrize("kind", [str, lambda x: x])
def test_an_explorer_takes_the_path_of_a_file(kind, fashion, tmp_path):
    path = qlab.pretrained("baseline").save(tmp_path / "two_dense.tflite")
    few = fashion.validation.images[:64], fashion.validation.labels[:64]
    explorer = qlab.widgets.QuantizationExplorer(kind(path), *few, few[0])
    assert (
        explorer.model_names[0]
        == qlab.widgets.QuantizationExplorer(
            qlab.LiteModel.from_file(path), *few, few[0]
        ).model_names[0]
    )
