"""The networks of the course, untrained: two to make small, the teacher, and two students."""

from qlab.train.checks import require_settings_of_keras
from qlab.train.keras2 import keras

TEACHER_FILTERS = ((32,), (48, 48), (96, 128))  # of the convolutions between two poolings
SEPARABLE_BLOCKS = ((64, 2), (128, 1), (128, 1), (256, 2))  # filters and stride
STUDENT_FILTERS = {"20k": (16, 26, 40), "5k": (8, 12, 15)}


def baseline(seed=0):
    """Build the course's baseline: the classic Fashion-MNIST network of 75,609 weights.

    Parameters
    ----------
    seed : int
        Decides the random initial weights (Glorot uniform): the same seed gives the same weights.

    Returns
    -------
    tf_keras.Sequential
        Its input is float32 of shape (n, 28, 28, 1), pixels divided by 255. Its output is float32
        of shape (n, 10): one logit for each class, without a softmax. Its layers are conv1,
        pool1, conv2, pool2, flatten, dense1 and logits.

    Examples
    --------
    >>> from qlab import train
    >>> train.baseline().count_params()
    75609
    """
    require_settings_of_keras()
    layers, start = keras.layers, _glorot_uniform(seed)

    return keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 2, activation="relu", kernel_initializer=start(0), name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(16, 2, activation="relu", kernel_initializer=start(1), name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(125, activation="relu", kernel_initializer=start(2), name="dense1"),
            layers.Dense(10, kernel_initializer=start(3), name="logits"),
        ],
        name="baseline",
    )


def teacher(seed=0, *, precision="float32"):
    """Build the teacher, untrained: five convolutions with BatchNormalization.

    Parameters
    ----------
    seed : int
        Decides the random initial weights (He normal; Glorot uniform in the last layer).
    precision : {"float32", "mixed_bfloat16"}
        The type of number that training multiplies; weights are float32 in any case. A processor
        with instructions for bfloat16 trains about 1.6 times as fast with it; others are slow.

    Returns
    -------
    tf_keras.Model
        It takes and gives the same as `baseline`.

    Examples
    --------
    >>> from qlab import train
    >>> train.teacher().get_layer("features").output.shape
    TensorShape([None, 7, 7, 128])
    """
    require_settings_of_keras()
    layers, count = keras.layers, 0
    x = image = keras.Input((28, 28, 1), name="image")
    for stage, group in enumerate(TEACHER_FILTERS):
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
            last = count == sum(map(len, TEACHER_FILTERS))
            x = layers.ReLU(name="features" if last else f"relu{count}", dtype=precision)(x)
    x = layers.GlobalAveragePooling2D(name="average", dtype="float32")(x)
    x = layers.Dropout(0.3, seed=10 * seed, name="dropout")(x)
    start = keras.initializers.GlorotUniform(seed=10 * seed)
    logits = layers.Dense(10, kernel_initializer=start, name="logits")(x)
    return keras.Model(image, logits, name="teacher")


def student(name="5k", seed=0):
    """Build a student, untrained: three convolutions with stride 2, and one Dense layer.

    Parameters
    ----------
    name : {"20k", "5k"}
        The network has 19,740 or 5,001 weights.
    seed : int
        Decides the random initial weights (Glorot uniform): the same seed gives the same weights.

    Returns
    -------
    tf_keras.Sequential
        It takes and gives the same as `baseline`. Its layers are conv1, conv2, conv3, flatten and
        logits.

    Raises
    ------
    ValueError
        If no student has this name.

    Examples
    --------
    >>> from qlab import train
    >>> train.student("20k").count_params(), train.student("5k").count_params()
    (19740, 5001)
    """
    if name not in STUDENT_FILTERS:
        raise ValueError(f"there is no student {name!r}; there are: {', '.join(STUDENT_FILTERS)}")
    require_settings_of_keras()
    layers, start = keras.layers, _glorot_uniform(seed)

    convolutions = [
        layers.Conv2D(
            filters, 3, 2, "same", activation="relu", kernel_initializer=start(i), name=f"conv{i+1}"
        )
        for i, filters in enumerate(STUDENT_FILTERS[name])
    ]  # fmt: skip
    return keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            *convolutions,
            layers.Flatten(name="flatten"),
            layers.Dense(10, kernel_initializer=start(3), name="logits"),
        ],
        name=f"student-{name}",
    )


def separable(seed=0):
    """Build the second network, untrained: depthwise-separable, as MobileNet (Howard et al. 2017).

    A depthwise convolution looks at each channel alone, and one of 1 x 1 mixes the channels. After
    each stands BatchNormalization, which conversion folds into the weights.

    Parameters
    ----------
    seed : int
        Decides the random initial weights (He normal; Glorot uniform in the last layer).

    Returns
    -------
    tf_keras.Model
        It takes and gives the same as `baseline`. Its layers with weights are conv1, depthwise2 to
        depthwise5, each followed by pointwise2 to pointwise5, and logits.

    Examples
    --------
    >>> from qlab import train
    >>> train.separable().count_params()
    69258
    """
    require_settings_of_keras()
    layers, seeds = keras.layers, iter(range(10 * seed, 10 * seed + 10))
    start = lambda: keras.initializers.HeNormal(seed=next(seeds))  # noqa: E731

    def normed(x, name):
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{name}")(x)
        return layers.ReLU(name=f"relu_{name}")(x)

    x = image = keras.Input((28, 28, 1), name="image")
    settings = {"padding": "same", "use_bias": False}
    x = layers.Conv2D(32, 3, 2, name="conv1", kernel_initializer=start(), **settings)(x)
    x = normed(x, "conv1")
    for number, (filters, stride) in enumerate(SEPARABLE_BLOCKS, 2):
        name = f"depthwise{number}"
        x = layers.DepthwiseConv2D(
            3, stride, name=name, depthwise_initializer=start(), **settings
        )(x)  # fmt: skip
        x, name = normed(x, name), f"pointwise{number}"
        x = layers.Conv2D(filters, 1, name=name, kernel_initializer=start(), **settings)(x)
        x = normed(x, name)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    last = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.Model(
        image, layers.Dense(10, kernel_initializer=last, name="logits")(x), name="separable"
    )


def _glorot_uniform(seed):
    """The random initial weights of a layer, by its number in a network of four with weights."""
    return lambda number: keras.initializers.GlorotUniform(seed=4 * seed + number)
