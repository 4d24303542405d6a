"""The students: networks of about 20,000 and 5,000 weights, quicker than the baseline."""

from qlab.train.door import keras

FILTERS = {"20k": (16, 26, 40), "5k": (8, 12, 15)}


def student(name="5k", seed=0):
    """Build a student, untrained: three convolutions with stride 2, and one Dense layer.

    Parameters
    ----------
    name : {"20k", "5k"}
        19,740 or 5,001 weights.
    seed : int
        Of the random initial weights (Glorot uniform); the same seed, the same weights.

    Returns
    -------
    tf_keras.Sequential
        Input float32 (n, 28, 28, 1), pixel / 255. Output float32 (n, 10): logits. Layers: conv1,
        conv2, conv3, flatten, logits.

    Raises
    ------
    ValueError
        If there is no such student.

    Examples
    --------
    >>> from qlab import train
    >>> train.student("20k").count_params(), train.student("5k").count_params()
    (19740, 5001)
    """
    if name not in FILTERS:
        raise ValueError(f"there is no student {name!r}; there are: {', '.join(FILTERS)}")
    layers = keras.layers

    def start(offset):
        return keras.initializers.GlorotUniform(seed=4 * seed + offset)

    convolutions = [
        layers.Conv2D(
            filters, 3, 2, "same", activation="relu", kernel_initializer=start(i), name=f"conv{i+1}"
        )
        for i, filters in enumerate(FILTERS[name])
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
