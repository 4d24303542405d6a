"""The teacher: a larger network, trained long and well, for small ones to learn from."""

from qlab.train.augmentation import augmented
from qlab.train.door import keras
from qlab.train.fitting import _batches, _check_pair, _check_settings, run

BATCH_SIZE = 128
PEAK_RATE = 0.1
WEIGHT_DECAY = 3e-3
FILTERS = ((32,), (48, 48), (96, 128))  # of the convolutions between two poolings


def teacher(seed=0, dropout=0.3, precision="float32"):
    """Build the teacher, untrained: five convolutions with BatchNorm.

    Parameters
    ----------
    seed : int
        Of the random initial weights.
    dropout : float
        Share of the features that training drops before the last layer.
    precision : {"float32", "mixed_bfloat16"}
        What training multiplies in; weights are float32 in any case. A processor that has
        instructions for bfloat16 trains about 1.6 times as fast with it; others are slow.

    Returns
    -------
    tf_keras.Model
        Input float32 (n, 28, 28, 1), pixel / 255. Output float32 (n, 10): logits.

    Examples
    --------
    >>> from qlab import train
    >>> train.teacher().get_layer("features").output.shape
    TensorShape([None, 7, 7, 128])
    """
    layers, count = keras.layers, 0
    x = image = keras.Input((28, 28, 1), name="image")
    for stage, group in enumerate(FILTERS):
        if stage:
            x = layers.MaxPooling2D(2, name=f"pool{stage}", dtype=precision)(x)
        for filters in group:
            count += 1
            start = keras.initializers.HeNormal(seed=10 * seed + count)
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=False, kernel_initializer=start,
                name=f"conv{count}", dtype=precision,
            )(x)  # fmt: skip
            x = layers.BatchNormalization(name=f"norm{count}", dtype=precision)(x)
            last = count == sum(map(len, FILTERS))
            x = layers.ReLU(name="features" if last else f"relu{count}", dtype=precision)(x)
    x = layers.GlobalAveragePooling2D(name="average", dtype="float32")(x)
    x = layers.Dropout(dropout, seed=10 * seed, name="dropout")(x)
    start = keras.initializers.GlorotUniform(seed=10 * seed)
    logits = layers.Dense(10, kernel_initializer=start, name="logits")(x)
    return keras.Model(image, logits, name="teacher")


def fit_teacher(
    model, images, labels, epochs, seed=0, validation=None, progress=True, callbacks=(), folder=None
):
    """Train the teacher in place: moved and mirrored images, weight decay, a one-cycle rate.

    Stochastic gradient descent with Nesterov momentum; the learning rate rises over two epochs to
    `PEAK_RATE` and falls to 0 along a cosine [1]_.

    Parameters
    ----------
    model : tf_keras.Model
        Of `teacher`.
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of integers, shape (n,)
    epochs : int
    seed : int
        Of the order of the images and of their moves.
    validation, progress, callbacks
        As in `qlab.train.fit`.
    folder : path, optional
        Where to note the state after each epoch; started anew with the same folder, an
        interrupted training goes on from there. Emptied at the end.

    Returns
    -------
    dict of str to list of float
        As of `qlab.train.fit`.

    References
    ----------
    .. [1] Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983; decay as in arXiv:1711.05101.
    """
    _check_settings(epochs, BATCH_SIZE, PEAK_RATE, "cosine")
    _check_pair(model, images, labels)
    if validation is not None:
        _check_pair(model, *validation)
        validation = _batches(*validation, 500)
    keras.utils.set_random_seed(seed)
    steps = -(-len(images) // BATCH_SIZE)
    _compile(model, steps, epochs)
    if folder:
        callbacks = [keras.callbacks.BackupAndRestore(str(folder)), *callbacks]
    batches = augmented(images, labels, BATCH_SIZE, seed)
    return run(model, batches, epochs, steps, validation, progress, callbacks)


def _compile(model, steps, epochs):
    warm = min(2 * steps, epochs * steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        PEAK_RATE / 20, epochs * steps - warm, warmup_target=PEAK_RATE, warmup_steps=warm
    )
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )
