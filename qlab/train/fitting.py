"""Training: seeded, with a progress bar, and keeping what it had when it is interrupted."""

import sys

import numpy as np
from tqdm import tqdm

from qlab.train.door import keras, require_keras_2, tf
from qlab.train.wrapped import technique

BATCH_SIZE = 128
LEARNING_RATE = 1e-3
SCHEDULES = ("constant", "cosine")


def fit(
    model,
    images,
    labels,
    epochs=10,
    batch_size=BATCH_SIZE,
    learning_rate=LEARNING_RATE,
    seed=0,
    validation=None,
    progress=True,
    schedule="constant",
    callbacks=(),
):
    """Train `model` in place with Adam on cross-entropy.

    Parameters
    ----------
    model : tf_keras.Model
        Ends in logits or in a softmax, one output a class.
    images : ndarray of uint8, shape (n, 28, 28, 1)
        Divided by 255 batch by batch. float32 images are taken as they are.
    labels : ndarray of integers, shape (n,)
    epochs, batch_size : int
    learning_rate : float
    seed : int
        Of the order of the images and of dropout; on one machine the same seed gives the same
        weights, if the model started from the same weights.
    validation : (images, labels), optional
        Scored after each epoch.
    progress : bool
        Show a progress bar on stderr.
    schedule : {"constant", "cosine"}
        "cosine" lowers the learning rate from `learning_rate` to 0 over all epochs [1]_.
    callbacks : sequence of tf_keras.callbacks.Callback
        Called by Keras as it trains; one that sets ``self.model.stop_training`` ends it. A model
        from `prune` gets its `pruning_callback` without being asked for it.

    Returns
    -------
    dict of str to list of float
        ``loss`` and ``accuracy``, one number an epoch, averaged over the batches of the epoch
        while the weights were moving; with `validation` also ``test_loss`` and
        ``test_accuracy``, taken after the epoch. Interrupting the kernel ends the training
        early: the model keeps what it has learned, and the lists hold the finished epochs.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model, or an array has another dtype.
    ValueError
        If shapes, labels or settings do not fit, in words.

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
    require_keras_2(model)
    _check_settings(epochs, batch_size, learning_rate, schedule)
    _check_pair(model, images, labels)
    if validation is not None:
        _check_pair(model, *validation)
        validation = _batches(*validation, 500)
    keras.utils.set_random_seed(seed)
    steps = -(-len(images) // batch_size)
    if schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps)
    _compile(model, learning_rate)
    batches = _batches(images, labels, batch_size, seed)
    return run(model, batches, epochs, steps, validation, progress, callbacks)


def run(model, batches, epochs, steps, validation=None, progress=True, callbacks=()):
    """Let Keras train a compiled model, with the course's progress bar and history."""
    watch = _Watch(epochs, steps, progress)
    callbacks = [watch, *callbacks, *_pruning(model, callbacks)]
    try:
        model.fit(
            batches, epochs=epochs, validation_data=validation, callbacks=callbacks, verbose=0
        )
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
        self.history, self.epochs = {}, epochs
        self.bar = tqdm(
            total=epochs * steps,
            disable=not progress,
            file=sys.stderr,
            unit="batch",
            mininterval=0.5,
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed}, {remaining} left{postfix}",
        )

    def on_epoch_begin(self, epoch, logs=None):
        self.bar.set_description_str(f"epoch {epoch + 1} of {self.epochs}", refresh=False)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.history.setdefault(name.replace("val_", "test_"), []).append(float(value))
        shown = {name: f"{values[-1]:.3f}" for name, values in self.history.items()}
        self.bar.set_postfix(shown, refresh=False)


def _pruning(model, callbacks):
    """The callback without which a model that is wrapped for pruning cannot be trained."""
    named = any(type(callback).__name__ == "UpdatePruningStep" for callback in callbacks)
    if technique(model) != "pruning" or named:
        return ()
    from qlab.train.pruning import pruning_callback  # tfmot takes a second to import

    return (pruning_callback(),)


def _compile(model, learning_rate):
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=not ends_in_softmax(model)),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )


def ends_in_softmax(model):
    """Whether a model gives probabilities: its last layer is a softmax or has one inside."""
    last = getattr(model.layers[-1], "layer", model.layers[-1])  # inside tfmot's wrapper
    activation = getattr(last, "activation", None)
    activation = getattr(activation, "activation", activation)
    return activation is keras.activations.softmax or isinstance(last, keras.layers.Softmax)


def _batches(images, labels, batch_size, seed=None):
    """Batches of (float32 images, labels); in a new order each epoch when a seed is given."""
    images, labels = tf.constant(images), tf.constant(np.asarray(labels, np.int64))
    scale = 255.0 if images.dtype == tf.uint8 else 1.0
    order = tf.data.Dataset.range(len(labels))
    if seed is not None:
        order = order.shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)

    def take(index):
        return tf.cast(tf.gather(images, index), tf.float32) / scale, tf.gather(labels, index)

    return order.batch(batch_size).map(take).prefetch(2)


def _check_settings(epochs, batch_size, learning_rate, schedule):
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}; got {schedule!r}")
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if int(value) != value or value < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more; got {value!r}")
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be above 0; got {learning_rate!r}")


def _check_pair(model, images, labels):
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype not in (np.uint8, np.float32):
        raise TypeError(f"images must be uint8 (0 to 255) or float32 (0 to 1), not {images.dtype}")
    wanted = tuple(model.input_shape[1:])
    if images.ndim != len(wanted) + 1 or images.shape[1:] != wanted:
        raise ValueError(f"images must have shape (n, {str(wanted)[1:-1]}), not {images.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels must be integers, not {labels.dtype}")
    if labels.shape != (len(images),) or not len(labels):
        raise ValueError(
            f"one label an image, and at least one: {len(images)} images, labels of {labels.shape}"
        )
    classes = model.output_shape[-1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must be 0 to {classes - 1}; these are {labels.min()} to {labels.max()}"
        )
