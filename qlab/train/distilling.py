"""Knowledge distillation: a student learns from a teacher's softened answers, and from labels."""

import numpy as np

from qlab.arithmetic.distillation import check_settings, require_logits
from qlab.data.datasets import to_train
from qlab.tflite.litemodel import LiteModel
from qlab.train import checks, fitting
from qlab.train.checks import (
    as_floats,
    checked_pair,
    checked_validation,
    gives_probabilities,
    require_classifier,
    require_keras_2,
    scales_itself,
)
from qlab.train.fitting import BATCH_SIZE, LEARNING_RATE
from qlab.train.keras2 import keras, tf

UNLABELLED = -1


class Distiller(keras.Model):
    """A student that a teacher trains; Keras compiles and fits it like any other model.

    Parameters
    ----------
    student : tf_keras.Model
        Ends in logits. Only the student learns, in place, and ``.student`` gives it back. It may
        be quantization-aware.
    teacher : tf_keras.Model, optional
        Ends in logits of the same classes. It is asked in inference mode and outside the gradient,
        so that nothing in it changes, whatever its ``trainable`` says. Without a teacher, the
        teacher's logits are given together with the labels.
    temperature : float
        Above 0. Both models' logits are divided by it before the softmax.
    alpha : float
        Weight of the teacher in the loss, from 0 to 1; the labels have the weight 1 - alpha.

    Raises
    ------
    TypeError
        If either is not a Keras 2 model.
    ValueError
        If the classes differ, the two share weights, one ends in a softmax, or a setting is out of
        its range; the message says which.

    Notes
    -----
    The loss is ``alpha * temperature**2 * KL(teacher || student) + (1 - alpha) * cross-entropy``,
    where the divergence is of the softened answers and the cross-entropy of the labels [1]_.
    ``fit`` takes images and labels; without a teacher, it takes images and the pair (labels,
    logits). The label -1 means that an image has no label, so that only the teacher teaches it.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531.

    Examples
    --------
    >>> from qlab import train
    >>> pupil = Distiller(train.student("5k"), train.student("20k"), temperature=4, alpha=0.9)
    >>> len(pupil.trainable_variables) == len(pupil.student.trainable_variables)
    True
    """

    def __init__(self, student, teacher=None, temperature=4.0, alpha=0.9):
        check_settings(temperature, alpha)
        check_models(student, teacher)
        super().__init__(name="distiller")
        self.student, self.temperature, self.alpha = student, float(temperature), float(alpha)
        # In a function, Keras does not find the teacher, and so can neither train nor save it.
        self._ask = None if teacher is None else lambda images: teacher(images, training=False)
        self.means = [keras.metrics.Mean(name) for name in ("loss", "soft_loss", "hard_loss")]
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")

    @property
    def metrics(self):
        """The running means of an epoch; Keras empties them before the next."""
        return [*self.means, self.accuracy]

    def call(self, images, training=False):
        return self.student(images, training=training)

    def train_step(self, pair):
        """One step of the student towards the teacher and the labels."""
        images, labels, logits = self._asked(pair)
        with tf.GradientTape() as tape:
            answer = self.student(images, training=True)
            loss, *terms = distillation_loss(answer, logits, labels, self.temperature, self.alpha)
            loss += sum(self.student.losses)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self._noted((loss, *terms), labels, answer)

    def test_step(self, pair):
        """Score the student on labels alone."""
        images, labels = pair
        answer = self.student(images, training=False)
        hard = tf.reduce_mean(_cross_entropy(answer, labels))
        self.means[0].update_state(hard)
        self.accuracy.update_state(labels, answer)
        return {"loss": self.means[0].result(), "accuracy": self.accuracy.result()}

    def _asked(self, pair):
        """Images, labels and the teacher's logits, which come with the labels or are asked for."""
        images, answers = pair
        if isinstance(answers, tuple | list):
            return images, *answers
        if self._ask is None:
            raise ValueError("without a teacher, give fit the pair (labels, logits)")
        return images, answers, self._ask(images)

    def _noted(self, values, labels, answer):
        for mean, value in zip(self.means, values, strict=True):
            mean.update_state(value)
        labelled = tf.reshape(labels, [-1]) >= 0
        self.accuracy.update_state(tf.maximum(labels, 0), answer, labelled)
        return {metric.name: metric.result() for metric in self.metrics}


def distillation_loss(student_logits, teacher_logits, labels, temperature, alpha):
    """Tensors of the loss and its two terms, in float32."""
    softer = [tf.cast(x, tf.float64) / temperature for x in (student_logits, teacher_logits)]
    student, teacher = (tf.nn.log_softmax(x) for x in softer)
    divergence = tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis=-1)
    soft = temperature**2 * tf.reduce_mean(divergence)
    labels = tf.reshape(labels, [-1])
    labelled = tf.cast(labels >= 0, tf.float64)
    crosses = _cross_entropy(student_logits, tf.maximum(labels, 0)) * labelled
    hard = tf.math.divide_no_nan(tf.reduce_sum(crosses), tf.reduce_sum(labelled))
    total = alpha * soft + (1 - alpha) * hard
    return tuple(tf.cast(x, tf.float32) for x in (total, soft, hard))


def distil(
    student,
    teacher,
    images=None,
    labels=None,
    temperature=4.0,
    alpha=0.9,
    epochs=10,
    batch_size=BATCH_SIZE,
    learning_rate=LEARNING_RATE,
    seed=0,
    validation=None,
    progress=True,
    schedule="constant",
    callbacks=(),
    dataset=None,
):
    """Train `student` in place with Adam on what a teacher answers, and on the labels.

    With alpha 0 each step is that of `qlab.train.fit`, which makes it the control. With a teacher
    whose logits are all 0, at temperature 1, it is label smoothing by alpha, which is the other
    control [2]_. `Distiller` states the loss [1]_.

    Parameters
    ----------
    student : tf_keras.Model
        Ends in logits. It may be quantization-aware, or wrapped for pruning.
    teacher : tf_keras.Model or array_like of float, shape (n, classes)
        A model, which is then asked for every batch, or its logits for `images`.
    images : ndarray of uint8, shape (n, 28, 28, 1)
        float32 images are taken as they are.
    labels : ndarray of integers, shape (n,)
        -1 for an image without a label.
    temperature, alpha
        As in `Distiller`.
    epochs, batch_size, learning_rate, seed, validation, progress, schedule
        As in `qlab.train.fit`. The same seed gives the same order of images there and here.
    callbacks : sequence of tf_keras.callbacks.Callback
        As in `qlab.train.fit`, but ``self.model`` in them is the `Distiller`.
    dataset : qlab.Dataset, optional
        As in `qlab.train.fit`.

    Returns
    -------
    dict of str to list of float
        As `qlab.train.fit` returns it, with the two terms of the loss as ``soft_loss`` and
        ``hard_loss``. Interrupting the kernel ends the training early: the student keeps what it
        has learned.

    Raises
    ------
    TypeError, ValueError
        As `Distiller` and `qlab.train.fit` do; also if the logits do not have one row for each
        image, or look like probabilities.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean 2015, arXiv:1503.02531.
    .. [2] Yuan et al., CVPR 2020, arXiv:1909.11723, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images, labels = np.zeros((64, 28, 28, 1), np.uint8), np.zeros(64, np.int64)
    >>> logits = np.tile(np.float32([9, 1, 0, 0, 0, 0, 2, 0, 0, 0]), (64, 1))
    >>> settings = {"temperature": 2, "epochs": 3, "progress": False}
    >>> history = train.distil(train.student("5k"), logits, images, labels, **settings)
    >>> history["soft_loss"][0] > history["soft_loss"][-1]
    True
    """
    images, labels, validation = to_train(dataset, images, labels, validation)
    if isinstance(teacher, list | tuple):
        teacher = np.asarray(teacher)
    asked = not isinstance(teacher, np.ndarray)
    if isinstance(teacher, LiteModel):
        raise TypeError(
            "this teacher is a .tflite file; give the Keras model, such as train.load('teacher'), "
            "or its logits for the images, such as train.teacher_logits(indices)"
        )
    pupil = Distiller(student, teacher if asked else None, temperature, alpha)
    checks.check_settings(epochs, batch_size, learning_rate, schedule, seed)
    images, labels = _checked_pair(student, images, labels, alpha)
    validation = checked_validation(student, validation)
    _check_answers(student, "student", images)
    if asked:
        _check_answers(teacher, "teacher", images)
    else:
        _check_logits(student, images, teacher)
    steps = fitting.prepare(len(images), batch_size, seed)
    rate = fitting.rate(learning_rate, schedule, epochs * steps)
    pupil.compile(keras.optimizers.Adam(rate))
    batches = _with_logits(images, labels, None if asked else teacher, batch_size, seed)
    return fitting.run(pupil, batches, epochs, steps, validation, progress, callbacks)


def check_models(student, teacher):
    """Raise, in words, unless these two can be student and teacher."""
    for model, role in ((student, "student"), (teacher, "teacher")):
        if model is not None:
            require_keras_2(model)
            require_classifier(model)
            if gives_probabilities(model):
                raise ValueError(
                    f"the {role} ends in a softmax, so it gives probabilities where logits are "
                    "meant; build it without the softmax: keras.layers.Dense(10), no activation"
                )
    if teacher is None:
        return
    classes = student.output_shape[-1], teacher.output_shape[-1]
    if classes[0] != classes[1]:
        raise ValueError(
            f"the student answers with {classes[0]} classes and the teacher with {classes[1]}; "
            "both must have the same classes, in the same order"
        )
    if student.input_shape[1:] != teacher.input_shape[1:]:
        raise ValueError(
            f"the student takes images of {student.input_shape[1:]} and the teacher of "
            f"{teacher.input_shape[1:]}; both must take the same"
        )
    if scales_itself(student) != scales_itself(teacher):
        raise ValueError(
            "of student and teacher one divides its pixels by itself and the other does not, so "
            "that no image fits both: begin both with the same keras.layers.Rescaling"
        )
    if {id(x) for x in student.weights} & {id(x) for x in teacher.weights}:
        raise ValueError(
            "student and teacher share weights, so the teacher would change while it teaches; "
            "for self-distillation give a copy of it, freshly built, as the student"
        )


def _cross_entropy(logits, labels):
    labels = tf.cast(tf.reshape(labels, [-1]), tf.int64)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float64))


def _with_logits(images, labels, logits, batch_size, seed):
    """Batches of (images, labels) or, with logits, of (images, (labels, logits))."""
    if logits is None:
        return fitting.in_batches(images, labels, batch_size, seed)
    labels, logits = tf.constant(labels, tf.int64), tf.constant(logits, tf.float32)
    numbered = fitting.in_batches(images, np.arange(len(images)), batch_size, seed)
    return numbered.map(lambda x, i: (x, (tf.gather(labels, i), tf.gather(logits, i)))).prefetch(2)


def _checked_pair(student, images, labels, alpha):
    labels = np.asarray(labels)
    unlabelled = labels == UNLABELLED
    images, known = checked_pair(student, images, np.where(unlabelled, 0, labels))
    if unlabelled.all() and alpha < 1:
        raise ValueError(
            f"no image has a label (all are {UNLABELLED}), but alpha is {alpha}: with alpha=1 the "
            "teacher alone teaches"
        )
    return images, np.where(unlabelled.ravel(), UNLABELLED, known)


def _check_answers(model, role, images):
    """Raise if what the model answers to a few images cannot be logits."""
    answers = model(as_floats(images[:8]), training=False)
    require_logits(answers, f"the {role}'s outputs")


def _check_logits(student, images, logits):
    if not np.issubdtype(logits.dtype, np.floating):
        raise TypeError(f"the teacher's logits must be floats, not {logits.dtype}")
    require_logits(logits, "the teacher's logits")
    wanted = (len(images), student.output_shape[-1])
    if logits.shape != wanted:
        raise ValueError(
            f"the teacher's logits have shape {logits.shape}, but there are {wanted[0]:,} images "
            f"and the student has {wanted[1]} classes: one row an image, one column a class"
        )
