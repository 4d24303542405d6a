"""How a model wants its pixels: found out by scoring, said, set, and carried along."""

import warnings

import engine
import numpy as np
import pytest

import qlab
from qlab import Recipe, train
from qlab.export.writing import export
from qlab.tflite import prefixes
from qlab.tflite.pixels import WAYS, as_pixels, coded_way, scaled
from qlab.tflite.transforms import equalize, remove_filters
from qlab.trials import pareto, subjects

layers = train.keras.layers
OTHER = ("0 to 255", "-1 to 1")


@pytest.fixture(scope="module")
def nets(fashion):
    """Of each way: a Keras model that was trained on such pixels, and how well Keras scores it."""
    return {way: trained(fashion, way) for way in WAYS}


def real(images, way):
    return scaled(images, way, np.empty(images.shape, np.float32))


def trained(fashion, way):
    train.keras.utils.set_random_seed(1)
    hidden = layers.Conv2D(8, 3, strides=2, activation="relu")
    first = [train.keras.Input((28, 28, 1)), hidden]
    model = train.keras.Sequential([*first, layers.Flatten(), layers.Dense(10)])
    loss = train.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(train.keras.optimizers.Adam(3e-4 if way == "0 to 255" else 2e-3), loss)
    split, validation = fashion.train, fashion.validation
    model.fit(real(split.images[:6000], way), split.labels[:6000], epochs=2, verbose=0)
    answers = model.predict(real(validation.images, way), verbose=0)
    return model, int((answers.argmax(1) == validation.labels).sum())


def lite(nets, way):
    return qlab.LiteModel.from_keras(nets[way][0])


@pytest.mark.parametrize("way", WAYS)
def test_qlab_scores_as_keras_does_and_says_how_it_was_fed(fashion, nets, way):
    images, labels = fashion.validation.images, fashion.validation.labels
    subject = subjects.subject(lite(nets, way), images, labels, images[:128])
    found, due = subject.found_pixels, nets[way][1]
    assert (found.pixels, found.sure, subject.model.pixels) == (way, True, way)
    assert abs(subject.float_measurement.correct - due) <= 2  # other sums in another order
    assert str(found).startswith(
        f"This model wants its pixels as {way}, which is the best of 5 ways"
    )
    assert "95 % interval" in str(found)
    eight = subject.trial(Recipe())
    assert eight.model.pixels == way
    assert abs(eight.comparison.difference) < 0.02


@pytest.mark.parametrize("way", OTHER)
def test_evaluate_says_that_another_way_is_better_and_takes_the_callers_word(fashion, nets, way):
    images, labels = fashion.validation.images[:2000], fashion.validation.labels[:2000]
    with pytest.warns(UserWarning, match=f"wants its pixels as {way}.*with_pixels.'{way}'"):
        before = qlab.evaluate(lite(nets, way), images, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = qlab.evaluate(lite(nets, way).with_pixels(way), images, labels)
        as_floats = qlab.evaluate(lite(nets, way), real(images, way), labels)
    assert after.accuracy > before.accuracy + 0.05
    assert np.array_equal(after.predictions, as_floats.predictions)


def test_a_model_that_guesses_is_not_sure_and_keeps_the_usual_way(fashion):
    train.keras.utils.set_random_seed(2)
    first = [train.keras.Input((28, 28, 1)), layers.Flatten()]
    model = qlab.LiteModel.from_keras(train.keras.Sequential([*first, layers.Dense(10)]))
    labels = np.random.default_rng(0).permutation(fashion.validation.labels)
    found = qlab.find_pixels(model, fashion.validation.images, labels)
    assert (found.pixels, found.sure) == ("0 to 1", False)
    assert "not do clearly better than guessing" in str(found)


def test_two_ways_that_do_as_well_are_not_told_apart(fashion):
    """Without biases, 255 times the pixels are 255 times the logits."""
    train.keras.utils.set_random_seed(2)
    first = [train.keras.Input((28, 28, 1)), layers.Flatten()]
    keras_model = train.keras.Sequential([*first, layers.Dense(10, use_bias=False)])
    keras_model.compile("adam", train.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    split = fashion.train
    keras_model.fit(real(split.images[:3000], "0 to 1"), split.labels[:3000], verbose=0)
    model = qlab.LiteModel.from_keras(keras_model)
    found = qlab.find_pixels(model, fashion.validation.images, fashion.validation.labels)
    assert (found.pixels, found.sure) == ("0 to 1", False)
    assert "as 0 to 1 or 0 to 255" in str(found)


def test_it_says_of_how_many_images_a_few_were_enough(nets, fashion):
    split = fashion.validation
    found = qlab.find_pixels(lite(nets, "0 to 1"), split.images, split.labels)
    n = found.measurements["0 to 1"].n
    assert n < 10_000 and f"% of {n:,} of the 10,000 images rightly" in str(found)
    assert str(found).endswith(f"{n:,} were enough to tell.")
    few = qlab.find_pixels(lite(nets, "0 to 1"), split.images[:n], split.labels[:n])
    assert f"% of {n:,} images rightly" in str(few) and "enough" not in str(few)


def test_the_courses_models_are_not_asked(fashion, monkeypatch):
    monkeypatch.setattr(qlab.runtime, "found", None)  # would be called
    few = fashion.validation.images[:64], fashion.validation.labels[:64]
    model = qlab.pretrained("baseline")
    assert subjects.subject(model, *few, few[0]).found_pixels is None
    qlab.evaluate(qlab.pretrained("baseline-int8"), *few)
    qlab.evaluate(engine.compressor("baseline").compress(Recipe(4, 8)), *few)


@pytest.mark.parametrize("pixels", ["0 to 2", "", 255])
def test_another_way_is_refused_in_words(pixels):
    with pytest.raises(ValueError, match="choose one of '0 to 1', '0 to 255', '-1 to 1'"):
        qlab.pretrained("baseline").with_pixels(pixels)


def test_whole_pixels_are_never_scaled(fashion):
    train.keras.utils.set_random_seed(2)
    first = [train.keras.Input((28, 28, 1), dtype="uint8"), layers.Rescaling(1 / 255)]
    ending = [layers.Flatten(), layers.Dense(10)]
    model = qlab.LiteModel.from_keras(train.keras.Sequential([*first, *ending]))
    found = qlab.find_pixels(model, fashion.validation.images, fashion.validation.labels)
    assert (found.pixels, found.sure) == ("0 to 255", True)
    assert "the file says so" in str(found)
    with pytest.raises(ValueError, match="cannot be -1 to 1; choose '0 to 255'"):
        model.with_pixels("-1 to 1")


def test_all_that_is_made_of_a_model_wants_its_pixels_alike():
    model = qlab.pretrained("baseline").with_pixels("-1 to 1")
    compressor = qlab.Compressor(model, engine.pictures()[:16])
    small = compressor.compress(Recipe(4, 8, calibration_size=16))
    sparse = Recipe(32, 32, sparsity=0.9, calibration_size=16)
    made = [
        *(small, small.packed(), equalize(model), remove_filters(model, 0.2)),
        *(compressor.compress(sparse.replace(weight_bits=x)) for x in (16, 32)),
        qlab.sparse_encoding.sparse_file(compressor.compress(sparse)),
    ]
    assert [x.pixels for x in made] == ["-1 to 1"] * len(made)
    assert b"pixels -1 to 1" in small.data


def test_memory_keeps_settings_apart(fashion):
    images, labels = fashion.validation.images[:500], fashion.validation.labels[:500]
    prefixes.MEMORY.clear()
    for _ in range(3):
        for way in WAYS:
            model = qlab.pretrained("baseline").with_pixels(way)
            due = qlab.evaluate(model, images, labels)
            found = prefixes.score(model, images, labels)
            assert np.array_equal(found.predictions, due.predictions)


def test_a_quantized_file_of_another_way_holds_its_range(fashion):
    """Codes are made of the real values, and not of the pixels."""
    images = fashion.validation.images[:100]
    model = qlab.pretrained("baseline")
    for way in OTHER:
        compressor = qlab.Compressor(model.with_pixels(way), images)
        same = qlab.Compressor(model.with_pixels(way), real(images, way))
        recipe = Recipe(calibration_size=100)
        small = compressor.compress(recipe)
        answers = (
            qlab.predict(small, images),
            qlab.predict(same.compress(recipe), real(images, way)),
        )
        assert np.array_equal(*answers)


@pytest.mark.parametrize("way", OTHER)
def test_floats_of_another_range_are_noticed(fashion, way):
    images = fashion.validation.images[:50]
    with pytest.warns(UserWarning, match="wants its pixels as 0 to 1; give uint8"):
        qlab.predict(qlab.pretrained("baseline"), real(images, "0 to 255"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        qlab.predict(qlab.pretrained("baseline"), real(images, "0 to 1"))
        qlab.predict(qlab.pretrained("baseline").with_pixels(way), real(images, way))
    with pytest.warns(UserWarning, match="wants its pixels as 0 to 255; give uint8"):
        qlab.predict(qlab.pretrained("baseline").with_pixels("0 to 255"), real(images, "0 to 1"))


def test_unscaled_calibration_is_noticed_on_screen():
    images = real(engine.pictures()[:16], "0 to 255")
    compressor = qlab.Compressor(qlab.pretrained("baseline"), images)
    *_, last = compressor.notes(Recipe(calibration_size=16))
    assert last.startswith("Calibration: These images are float32 from 0 to 255")


def test_unscaled_calibration_of_a_model_that_nobody_knows_is_refused():
    images = real(engine.pictures()[:16], "0 to 255")
    unknown = qlab.LiteModel(qlab.pretrained("baseline").data)
    with pytest.raises(ValueError, match=r"0 to 255.*nobody has said.*with_pixels\('0 to 255'\)"):
        qlab.Compressor(unknown, images)
    for good in (images / 255, images.astype(np.uint8)):
        qlab.Compressor(unknown, good.astype(images.dtype if good.max() <= 1 else np.uint8))


@pytest.mark.parametrize("way", WAYS)
def test_pixels_are_worked_out_from_floats(fashion, way):
    images = fashion.validation.images[:20]
    pixels, found = as_pixels(real(images, way))
    assert found == way
    assert np.array_equal(pixels, images)


def test_the_shelf_and_the_card_know(nets, fashion, tmp_path, monkeypatch):
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "progress.json"))
    model, correct = lite(nets, "-1 to 1"), nets["-1 to 1"][1]
    entry = pareto.keep(model, "mine")
    assert abs(entry.correct - correct) <= 2
    [kept] = qlab.trials.shelf.kept()
    assert (kept.pixels, kept.model().pixels) == ("-1 to 1", "-1 to 1")
    pareto.drop("mine")
    said = []
    files = export(model, tmp_path / "out", say=said.append)
    card = files["model-card.md"].read_text()
    assert "pixel / 127.5 - 1, in [-1, 1]" in card
    assert "This model wants its pixels as -1 to 1" in card
    assert any("wants its pixels as -1 to 1" in x for x in said)
    test = fashion.test
    right = qlab.evaluate(model.with_pixels("-1 to 1"), test.images, test.labels).correct
    assert f"{100 * right / len(test):.2f} %" in card
    assert '"range": "-1 to 1"' in files["model-provenance.json"].read_text()


def test_an_explorer_says_it(nets, fashion):
    few = fashion.validation.images[:400], fashion.validation.labels[:400]
    explorer = qlab.widgets.QuantizationExplorer(lite(nets, "-1 to 1"), *few, few[0][:128])
    assert "wants its pixels as -1 to 1" in explorer.notes.value
    assert explorer.result.model.pixels == explorer.download.pixels() == "-1 to 1"
    assert explorer.result.measurement.accuracy > 0.6


def test_codes_of_the_usual_range_are_no_mystery(fashion):
    """A file whose codes stand for 0 to 1 is never said to want something else."""
    images, labels = fashion.validation.images[:400], fashion.validation.labels[:400]
    good = qlab.pretrained("baseline-int8")
    assert coded_way(good) == "0 to 1"
    bad = qlab.Compressor(qlab.pretrained("baseline"), images).compress(Recipe(2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        qlab.evaluate(qlab.LiteModel(bad.data), images, labels)


@pytest.mark.parametrize("way", OTHER)
def test_codes_say_which_range_they_stand_for(fashion, way):
    model = qlab.pretrained("baseline").with_pixels(way)
    images = fashion.train.images[:128]
    assert coded_way(qlab.Compressor(model, images).compress(Recipe())) == way
    assert coded_way(model) is None
