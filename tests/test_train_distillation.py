"""Distillation: what is trained here and what is refused."""

import math

import numpy as np
import pytest

import qlab
from qlab import train
from qlab.arithmetic.distillation import loss_terms
from qlab.train import soft_labels

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (48, 28, 28, 1), np.uint8)
LABELS = np.arange(48) % 10
LOGITS = RNG.normal(0, 3, (48, 10)).astype(np.float32)
BRIEF = {"epochs": 2, "batch_size": 16, "progress": False}


def small_teacher():
    """A network with all that could change by the way: BatchNorm, dropout; and a 7 x 7 layer."""
    layers = train.keras.layers
    train.keras.utils.set_random_seed(5)
    return train.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 3, 4, "same", name="features"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(10, name="logits"),
        ],
        name="small",
    )


def weights_after(*arguments, name="5k", **settings):
    student = train.student(name)
    history = train.distil(student, *arguments, **{**BRIEF, **settings})
    return student.get_weights(), history


def assert_equal(ours, theirs, **tolerance):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


# The loss


@pytest.mark.parametrize("temperature", [0.5, 1, 4, 20])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_the_one_by_hand(temperature, alpha):
    from qlab.train.distilling import distillation_loss

    student, teacher = RNG.normal(0, 3, (2, 6, 10)).astype(np.float32)
    labels = np.arange(6)
    found = distillation_loss(student, teacher, labels, temperature, alpha)
    terms = loss_terms(student, teacher, labels, temperature, alpha)
    wanted = np.float32([terms.total, terms.soft, terms.hard])
    assert np.array(found) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_three_logits_by_hand():
    from qlab.train.distilling import distillation_loss

    p = [math.exp(z / 2) / (math.exp(2) + math.exp(1) + math.exp(-1)) for z in (4, 2, -2)]
    q = [math.exp(z / 2) / (math.exp(1) + math.exp(0.5) + 1) for z in (2, 1, 0)]
    soft = 2**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    hard = -math.log(math.exp(1) / (math.exp(2) + math.exp(1) + 1))
    found = distillation_loss(
        np.float32([[2, 1, 0]]), np.float32([[4, 2, -2]]), np.array([1]), 2.0, 0.7
    )
    assert float(found[0]) == pytest.approx(0.7 * soft + 0.3 * hard, abs=1e-6)


@pytest.mark.parametrize("temperature", [1, 4, 20])
def test_the_gradient_is_the_one_by_hand(temperature):
    from qlab.train.distilling import distillation_loss
    from qlab.train.keras2 import tf

    student, teacher = RNG.normal(0, 3, (2, 6, 10)).astype(np.float32)
    labels, variable = np.arange(6), tf.Variable(student)
    with tf.GradientTape() as tape:
        loss = distillation_loss(variable, teacher, labels, temperature, 0.9)[0]
    wanted = loss_terms(student, teacher, labels, temperature, 0.9).gradients["total"] / 6
    assert tape.gradient(loss, variable).numpy() == pytest.approx(wanted, abs=1e-6)


def test_an_image_without_a_label_has_the_teacher_alone():
    from qlab.train.distilling import distillation_loss

    student, teacher = RNG.normal(0, 3, (2, 4, 10)).astype(np.float32)
    _, soft, hard = distillation_loss(student, teacher, np.array([3, -1, 5, -1]), 2.0, 0.5)
    known = distillation_loss(student[::2], teacher[::2], np.array([3, 5]), 2.0, 0.5)
    assert float(hard) == pytest.approx(float(known[2]))
    terms = loss_terms(student, teacher, [0, 0, 0, 0], 2.0, 0.5)
    assert float(soft) == pytest.approx(terms.soft, rel=1e-6)
    none = distillation_loss(student, teacher, np.array([-1, -1, -1, -1]), 2.0, 0.5)
    assert float(none[2]) == 0


# The controls


def test_without_a_teacher_it_is_fit_step_by_step():
    plain = train.student("5k")
    history = train.fit(plain, IMAGES, LABELS, **BRIEF, seed=3, schedule="cosine")
    ours, again = weights_after(LOGITS, IMAGES, LABELS, alpha=0, seed=3, schedule="cosine")
    assert_equal(ours, plain.get_weights(), atol=1e-6)
    assert again["loss"] == pytest.approx(history["loss"], abs=1e-5)
    assert again["accuracy"] == history["accuracy"]


def test_a_teacher_of_zeros_is_label_smoothing():
    keras = train.keras
    plain = train.student("5k")
    plain.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
    )
    hot = np.eye(10, dtype=np.float32)[LABELS]
    plain.fit(IMAGES / np.float32(255), hot, batch_size=48, epochs=2, shuffle=False, verbose=0)
    nothing = np.zeros_like(LOGITS)
    ours, _ = weights_after(
        nothing, IMAGES, LABELS, temperature=1, alpha=0.2, batch_size=48
    )  # one batch an epoch: no order
    assert_equal(ours, plain.get_weights(), atol=1e-5)


# Training


def test_the_teacher_does_not_change_by_a_bit():
    teacher = small_teacher()
    before = [w.copy() for w in teacher.get_weights()]
    assert teacher.trainable and len(teacher.trainable_weights) == 6
    student = train.student("5k")
    start = [w.copy() for w in student.get_weights()]
    train.distil(student, teacher, IMAGES, LABELS, **BRIEF)
    for old, new in zip(before, teacher.get_weights(), strict=True):
        assert old.tobytes() == new.tobytes()
    assert teacher.trainable
    assert any(not np.array_equal(a, b) for a, b in zip(start, student.get_weights(), strict=True))


def test_keras_neither_trains_nor_finds_the_teacher():
    student, teacher = train.student("5k"), small_teacher()
    pupil = train.Distiller(student, teacher)
    ours = {id(x) for x in student.weights}
    assert {id(x) for x in pupil.trainable_variables} <= ours
    assert not {id(x) for x in pupil.submodules} & {id(x) for x in teacher.submodules}


def test_logits_computed_before_do_what_the_teacher_does():
    teacher = small_teacher()
    logits = teacher(IMAGES / np.float32(255), training=False).numpy()
    live, history = weights_after(teacher, IMAGES, LABELS)
    cached, again = weights_after(logits, IMAGES, LABELS)
    assert_equal(live, cached, atol=1e-5)
    assert history["soft_loss"] == pytest.approx(again["soft_loss"], rel=1e-4)
    assert set(history) == {"loss", "accuracy", "soft_loss", "hard_loss"}


def test_the_distiller_works_with_keras_own_fit():
    pupil = train.Distiller(train.student("5k"), small_teacher(), temperature=2, alpha=0.5)
    pupil.compile("adam")
    images = IMAGES / np.float32(255)
    pupil.fit(images, LABELS, epochs=1, verbose=0)
    assert pupil.predict(images, verbose=0).shape == (48, 10)
    given = train.Distiller(train.student("5k"))
    given.compile("adam")
    given.fit(images, (LABELS, LOGITS), epochs=1, verbose=0)
    with pytest.raises(ValueError, match="give fit the pair"):
        given.fit(images, LABELS, epochs=1, verbose=0)


def test_the_student_comes_to_answer_as_the_teacher():
    settings = {"epochs": 60, "learning_rate": 3e-3, "temperature": 2, "alpha": 1.0}
    _, history = weights_after(LOGITS, IMAGES, np.full(48, -1), **settings)
    assert history["soft_loss"][-1] < 0.1 * history["soft_loss"][0]
    assert history["accuracy"][-1] == 0  # of no image, for there are no labels


def test_the_same_seed_gives_the_same_student_and_keeps_the_history():
    settings = {"validation": (IMAGES, LABELS), "seed": 4}
    ours, history = weights_after(LOGITS, IMAGES, LABELS, **settings)
    again, _ = weights_after(LOGITS, IMAGES, LABELS, **settings)
    assert_equal(ours, again, rtol=0)
    assert len(history["validation_accuracy"]) == 2
    student = train.student("5k")
    student.set_weights(ours)
    scored = qlab.LiteModel(train.convert(student))
    accuracy = qlab.evaluate(scored, IMAGES, LABELS).accuracy
    assert accuracy == pytest.approx(history["validation_accuracy"][-1])


def test_a_network_can_teach_a_copy_of_itself():
    first = train.student("5k", seed=0)
    train.fit(first, IMAGES, LABELS, **BRIEF)
    second = train.student("5k", seed=1)
    history = train.distil(second, first, IMAGES, LABELS, **BRIEF)
    assert history["soft_loss"][-1] < history["soft_loss"][0]


def test_a_quantization_aware_student_learns_and_converts():
    aware = train.quantization_aware(train.student("5k"), 4, calibration=IMAGES)
    teacher = small_teacher()
    history = train.distil(aware, teacher, IMAGES, LABELS, **BRIEF)
    assert history["soft_loss"][-1] < history["soft_loss"][0]
    small = qlab.LiteModel(train.convert_quantized(aware, packed=False))
    codes = [layer.weights for layer in small.layers if layer.weights is not None]
    assert len(codes) == 4 and all(x.dtype == np.int8 for x in codes)
    assert max(np.abs(x.astype(int)).max() for x in codes) <= 7
    found = train.parity(aware, small, IMAGES, LABELS)
    assert (found.lite.predictions != found.keras.predictions).mean() <= 0.1


def test_a_student_wrapped_for_pruning_learns_and_keeps_its_zeros():
    wrapped = train.prune(train.student("5k"), 0.75)
    history = train.distil(wrapped, LOGITS, IMAGES, LABELS, **BRIEF)
    assert history["soft_loss"][-1] < history["soft_loss"][0]
    kernels = [w for w in train.strip_pruning(wrapped).get_weights() if w.ndim > 1]
    assert [float((w == 0).mean()) for w in kernels] == pytest.approx([0.75] * 4, abs=0.01)


def test_interrupting_keeps_what_was_learned(capsys):
    class Stop(train.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    ours, history = weights_after(LOGITS, IMAGES, LABELS, epochs=9, callbacks=[Stop()])
    assert "Stopped after 2 of 9 epochs" in capsys.readouterr().out
    whole, _ = weights_after(LOGITS, IMAGES, LABELS, epochs=2)
    assert len(history["loss"]) == 2
    assert_equal(ours, whole, rtol=0)


# What is refused


def with_classes(count):
    layers = train.keras.layers
    return train.keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(count)]
    )


def ending_in(*last):
    layers = train.keras.layers
    return train.keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), *last])


def hidden_softmax():
    """Ends in probabilities, but not in a layer that says so."""
    layers = train.keras.layers
    return ending_in(layers.Dense(10, "softmax"), layers.Reshape((10,)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": 0}, "temperature must be above 0; got 0"),
        ({"temperature": -2}, "temperature must be above 0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"alpha": -0.1}, "alpha must be 0 to 1"),
        ({"alpha": 90}, "alpha must be 0 to 1; got 90"),
        ({"epochs": 0}, "epochs must be a whole number"),
    ],
)
def test_settings_out_of_range_are_told_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        weights_after(LOGITS, IMAGES, LABELS, **settings)


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True), "look like probabilities"),
        (np.eye(10, dtype=np.float32)[LABELS], "look like probabilities"),
        (LOGITS[:, :9], "one row an image, one column a class"),
        (LOGITS[:20], r"there are 48 images"),
        (LOGITS[:, 0], "one row an image"),
        (np.where(LOGITS > 3, np.float32(np.nan), LOGITS), "nan or infinity"),
    ],
)
def test_logits_that_are_none_are_told_in_words(logits, words):
    with pytest.raises(ValueError, match=words):
        weights_after(logits, IMAGES, LABELS)


def test_codes_of_a_quantized_teacher_are_no_logits():
    with pytest.raises(TypeError, match="must be floats, not int8"):
        weights_after(LOGITS.astype(np.int8), IMAGES, LABELS)


def test_other_classes_are_told_in_words():
    with pytest.raises(ValueError, match="10 classes and the teacher with 12"):
        weights_after(with_classes(12), IMAGES, LABELS)


def test_a_softmax_at_the_end_is_told_in_words():
    layers = train.keras.layers
    for last in ([layers.Dense(10, "softmax")], [layers.Dense(10), layers.Softmax()]):
        with pytest.raises(ValueError, match="the teacher ends in a softmax"):
            train.Distiller(train.student("5k"), ending_in(*last))
        with pytest.raises(ValueError, match="the student ends in a softmax"):
            train.distil(ending_in(*last), LOGITS, IMAGES, LABELS, **BRIEF)
    with pytest.raises(ValueError, match="the teacher ends in a softmax"):
        weights_after(hidden_softmax(), IMAGES, LABELS)
    with pytest.raises(ValueError, match="the student ends in a softmax"):
        train.distil(hidden_softmax(), LOGITS, IMAGES, LABELS, **BRIEF)


def test_a_teacher_of_itself_is_told_in_words():
    model = train.student("5k")
    with pytest.raises(ValueError, match="share weights"):
        train.distil(model, model, IMAGES, LABELS, **BRIEF)


def test_images_without_any_label_need_alpha_1():
    with pytest.raises(ValueError, match="no image has a label"):
        weights_after(LOGITS, IMAGES, np.full(48, -1))
    with pytest.raises(ValueError, match=r"labels go from -2 to -2.*from 0 to 9"):
        weights_after(LOGITS, IMAGES, np.full(48, -2))


def test_other_kinds_of_models_are_told_in_words():
    import keras as keras_3

    stranger = keras_3.Sequential([keras_3.Input((28, 28, 1)), keras_3.layers.Flatten()])
    with pytest.raises(TypeError, match="Keras 3"):
        weights_after(stranger, IMAGES, LABELS)
    with pytest.raises(TypeError, match="Keras 3"):
        train.distil(stranger, LOGITS, IMAGES, LABELS, **BRIEF)
    with pytest.raises(TypeError, match=r"a \.tflite file; give .* its logits"):
        weights_after(qlab.pretrained("baseline"), IMAGES, LABELS)
    with pytest.raises(TypeError, match="Keras 2"):
        weights_after("the teacher", IMAGES, LABELS)
    with pytest.raises(ValueError, match="there is no student '1k'"):
        train.student("1k")


# The parts of the teacher's training


def test_moves_keep_the_garment_and_its_brightness():
    from qlab.train.fitting import moved

    images = np.zeros((200, 9, 9, 1), np.float32)
    images[:, 4, 3] = 1.0
    found = moved(images, np.array([1, 2]), shift=2, flip=True).numpy()
    assert found.shape == images.shape and (found.sum(axis=(1, 2, 3)) == 1).all()
    rows, columns = np.nonzero(found.sum(axis=(0, 3)))
    assert set(rows) == set(range(2, 7)) and set(columns) == set(range(1, 8))
    again = moved(images, np.array([1, 2]), shift=2, flip=True).numpy()
    np.testing.assert_array_equal(found, again)
    still = moved(images, np.array([1, 2]), shift=0, flip=False).numpy()
    np.testing.assert_array_equal(still, images)


def test_each_epoch_moves_anew_and_the_seed_repeats_it():
    from qlab.train.fitting import augmented

    def epochs():
        batches = augmented(IMAGES, np.arange(48), 16, seed=1)
        found = []
        for _ in range(2):
            pairs = list(batches)
            order = np.argsort(np.concatenate([y for _, y in pairs]))
            found.append(np.concatenate([x for x, _ in pairs])[order])
        return found

    (first, second), (again, _) = epochs(), epochs()
    assert (first != second).any(axis=(1, 2, 3)).mean() > 0.8
    np.testing.assert_array_equal(first, again)


def test_the_teachers_training_goes_on_where_it_stopped(tmp_path):
    class Stop(train.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = small_teacher()
    settings = {"folder": tmp_path / "state", "progress": False}
    train.fit_teacher(model, IMAGES, LABELS, 3, callbacks=[Stop()], **settings)
    again = small_teacher()
    history = train.fit_teacher(again, IMAGES, LABELS, 3, **settings)
    assert len(history["loss"]) == 2  # the second and third epoch


def test_kept_logits_of_another_teacher_or_damaged_ones_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(soft_labels, "user_folder", lambda kind: tmp_path / kind)
    logits = np.zeros((50_000, 10), np.float32)
    assert soft_labels._cached(b"one") is None
    soft_labels._keep(b"one", logits)
    np.testing.assert_array_equal(soft_labels._cached(b"one"), logits)
    assert soft_labels._cached(b"other") is None
    one, other = soft_labels.cache_file(b"one"), soft_labels.cache_file(b"other")
    other.write_bytes(one.read_bytes())
    assert soft_labels._cached(b"other") is None
    content = bytearray(one.read_bytes())
    content[len(content) // 2] ^= 1
    one.write_bytes(content)
    assert soft_labels._cached(b"one") is None
    one.write_bytes(content[:1000])
    assert soft_labels._cached(b"one") is None
    assert [x.name for x in one.parent.iterdir() if x not in (one, other)] == []
