"""Training: seeded, with a progress bar, and keeping what it had when it is interrupted."""

import sys

import numpy as np
from tqdm import tqdm

from qlab.data.datasets import to_train
from qlab.train.checks import (
    check_callbacks,
    check_settings,
    checked_pair,
    checked_validation,
    gives_probabilities,
    require_keras_2,
    technique,
)
from qlab.train.keras2 import keras, tf

BATCH_SIZE = 128
LEARNING_RATE = 1e-3
PEAK_RATE = 0.1  # of the teacher, whose batches have BATCH_SIZE images too
WEIGHT_DECAY = 3e-3  # of the teacher
SHIFT = 2  # pixels by which an image of the teacher is moved at most


def fit(
    model,
    images=None,
    labels=None,
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
    """Train `model` in place with Adam on cross-entropy.

    Parameters
    ----------
    model : tf_keras.Model
        It answers with logits or with probabilities, one number for each class.
    images : array_like of uint8, shape (n, 28, 28, 1)
        They are divided by 255, batch by batch, unless the model begins with a Rescaling layer
        that does so, or takes uint8. float32 images are taken as they are.
    labels : array_like of integers, shape (n,)
    epochs, batch_size : int
    learning_rate : float
    seed : int
        Decides the order of the images and what dropout drops. On one machine the same seed gives
        the same weights, if the model started from the same weights.
    validation : (images, labels) or qlab.data.Split, optional
        What the model is scored on after each epoch.
    progress : bool
        Show a progress bar on stderr.
    schedule : {"constant", "cosine"}
        "cosine" lowers the learning rate from `learning_rate` to 0 over all epochs [1]_.
    callbacks : sequence of tf_keras.callbacks.Callback
        Keras calls them as it trains; one that sets ``self.model.stop_training`` ends the
        training. A model that `prune` wrapped gets its `pruning_callback` by itself.
    dataset : qlab.Dataset, optional
        Gives `images` and `labels`, which are then left out, and `validation` unless it is given.

    Returns
    -------
    dict of str to list of float
        ``loss`` and ``accuracy``, one number for each epoch, averaged over its batches while the
        weights were moving; with `validation` also ``validation_loss`` and
        ``validation_accuracy``, taken after the epoch. Interrupting the kernel ends the training
        early: the model keeps what it has learned, and the lists hold the finished epochs.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model, or an array has another dtype.
    ValueError
        If shapes, labels or settings do not fit, or numbers are NaN, infinite or out of range;
        the message says which, and why.
    FloatingPointError
        As soon as the loss is no longer a finite number.

    References
    ----------
    .. [1] Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983, without restarts.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images, labels = np.zeros((64, 28, 28, 1), np.uint8), np.zeros(64, np.int64)
    >>> history = train.fit(train.baseline(), images, labels, epochs=3, progress=False)
    >>> len(history["loss"]), history["accuracy"][-1]
    (3, 1.0)
    """
    images, labels, validation = to_train(dataset, images, labels, validation)
    require_keras_2(model)
    check_settings(epochs, batch_size, learning_rate, schedule, seed)
    images, labels = checked_pair(model, images, labels)
    validation = checked_validation(model, validation)
    steps = prepare(len(images), batch_size, seed)
    compile_classifier(model, rate(learning_rate, schedule, epochs * steps))
    batches = in_batches(images, labels, batch_size, seed)
    return run(model, batches, epochs, steps, validation, progress, callbacks)


def fit_teacher(
    model, images, labels, epochs, seed=0, validation=None, progress=True, callbacks=(), folder=None
):
    """Train the teacher in place: moved and mirrored images, weight decay, a one-cycle rate.

    This is stochastic gradient descent with Nesterov momentum. The learning rate rises to 0.1
    over the first two epochs (over a quarter of the training, if that is shorter), and then falls
    to 0 along a cosine [1]_.

    Parameters
    ----------
    model : tf_keras.Model
        What `teacher` builds.
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of integers, shape (n,)
    epochs : int
    seed : int
        Decides the order of the images and how they are moved.
    validation, progress, callbacks
        As in `qlab.train.fit`.
    folder : path, optional
        Where to note the state after each epoch. An interrupted training that is started again
        with the same folder goes on from there; a finished one leaves the folder empty.

    Returns
    -------
    dict of str to list of float
        As `qlab.train.fit` returns it.

    References
    ----------
    .. [1] Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983; decay as in arXiv:1711.05101.
    """
    require_keras_2(model)
    check_settings(epochs, BATCH_SIZE, PEAK_RATE, "cosine", seed)
    images, labels = checked_pair(model, images, labels)
    validation = checked_validation(model, validation)
    steps = prepare(len(images), BATCH_SIZE, seed)
    warm = min(2 * steps, epochs * steps // 4)
    cycle = keras.optimizers.schedules.CosineDecay(
        PEAK_RATE / 20, epochs * steps - warm, warmup_target=PEAK_RATE, warmup_steps=warm
    )
    optimizer = keras.optimizers.SGD(cycle, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    compile_classifier(model, optimizer=optimizer)
    if folder:
        callbacks = [keras.callbacks.BackupAndRestore(str(folder)), *(callbacks or ())]
    batches = augmented(images, labels, BATCH_SIZE, seed)
    return run(model, batches, epochs, steps, validation, progress, callbacks)


def prepare(count, batch_size, seed):
    """Set the seed, and return the number of batches that an epoch has."""
    keras.utils.set_random_seed(int(seed))
    return -(-count // batch_size)


def rate(learning_rate, schedule, steps):
    if schedule == "constant":
        return learning_rate
    return keras.optimizers.schedules.CosineDecay(learning_rate, steps)


def run(model, batches, epochs, steps, validation=None, progress=True, callbacks=()):
    """Let Keras train a compiled model, with the course's progress bar and history."""
    names = list(dict.fromkeys(("loss", "accuracy", *(metric.name for metric in model.metrics))))
    callbacks = check_callbacks(callbacks, names, validation)
    watch = _Watch(epochs, steps, progress)
    scored = None if validation is None else in_batches(*validation, 500)
    callbacks = [watch, *callbacks, *_pruning(model, callbacks)]
    try:
        model.fit(batches, epochs=epochs, validation_data=scored, callbacks=callbacks, verbose=0)
    except KeyboardInterrupt:
        done = len(watch.history.get("loss", ()))
        print(f"Stopped after {done} of {epochs} epochs; the model keeps what it has learned.")
    finally:
        watch.bar.close()
    return watch.history


class _Watch(keras.callbacks.Callback):
    """Moves the progress bar and collects the history under the course's names."""

    def __init__(self, epochs, steps, progress):
        super().__init__()
        self.history, self.epoch, self.epochs = {}, 1, epochs
        self.bar = tqdm(
            total=epochs * steps,
            disable=not progress,
            file=sys.stdout,  # JupyterLab shows the other stream as an error
            unit="batch",
            mininterval=0.5,
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed}, {remaining} left{postfix}",
        )

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1
        self.bar.set_description_str(f"epoch {self.epoch} of {self.epochs}", refresh=False)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"the loss is {logs['loss']} in batch {batch + 1} of epoch {self.epoch}, so the "
                "weights of this model are spoilt, and training has ended: build or load the model "
                "again, and train it with a smaller learning_rate"
            )

    def on_epoch_end(self, epoch, logs=None):
        for name, value in list(logs.items()):
            name = name.replace("val_", "validation_")
            logs[name] = value  # the other callbacks know it by this name as well
            self.history.setdefault(name, []).append(float(value))
        shown = {name: f"{values[-1]:.3f}" for name, values in self.history.items()}
        self.bar.set_postfix(shown, refresh=False)


def _pruning(model, callbacks):
    """The callback without which a model that is wrapped for pruning cannot be trained."""
    named = any(type(callback).__name__ == "UpdatePruningStep" for callback in callbacks)
    if technique(model) != "pruning" or named:
        return ()
    from qlab.train.keras2 import tfmot  # takes a second to import

    return (tfmot.sparsity.keras.UpdatePruningStep(),)


def compile_classifier(model, learning_rate=LEARNING_RATE, optimizer=None):
    """Compile a model for cross-entropy, by default with Adam."""
    model.compile(
        optimizer or keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=not gives_probabilities(model)),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )


def in_batches(images, labels, batch_size, seed=None):
    """Batches of (float32 images, labels); in a new order each epoch when a seed is given."""
    images, labels = tf.constant(images), tf.constant(np.asarray(labels, np.int64))
    scale = 255.0 if images.dtype == tf.uint8 else 1.0
    order = tf.data.Dataset.range(len(labels))
    if seed is not None:
        order = order.shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)

    def take(index):
        return tf.cast(tf.gather(images, index), tf.float32) / scale, tf.gather(labels, index)

    return order.batch(batch_size).map(take).prefetch(2)


def augmented(images, labels, batch_size, seed=0):
    """Batches in which each image is newly moved and mirrored every epoch, against overfitting."""
    batches = in_batches(images, labels, batch_size, seed)
    draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

    def change(pair, draw):
        return moved(pair[0], draw), pair[1]

    return tf.data.Dataset.zip((batches, draws)).map(change).prefetch(2)


def moved(images, seed, shift=SHIFT, flip=True):
    """Move each image by whole pixels, and mirror some."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    corners = tf.random.stateless_uniform((2, count, 1), seed, 0, 2 * shift + 1, tf.int32)
    rows = corners[0] + tf.range(height)
    columns = corners[1] + tf.range(width)
    if flip:
        mirror = tf.random.stateless_uniform((count, 1), seed + 1) < 0.5
        columns = tf.where(mirror, columns[:, ::-1], columns)
    padded = tf.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    taken = tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
    return tf.ensure_shape(taken, images.shape)
