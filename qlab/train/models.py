"""The networks of the course, built untrained."""

from qlab.train.door import keras


def baseline(seed=0):
    """Build the course's baseline: the classic Fashion-MNIST network of 75,609 weights.

    Parameters
    ----------
    seed : int
        Of the random initial weights (Glorot uniform); the same seed, the same weights.

    Returns
    -------
    tf_keras.Sequential
        Input float32 (n, 28, 28, 1), pixel / 255 in [0, 1]. Output float32 (n, 10): logits, one a
        class, no softmax. Layers: conv1, pool1, conv2, pool2, flatten, dense1, logits.

    Examples
    --------
    >>> from qlab import train
    >>> train.baseline().count_params()
    75609
    """
    layers = keras.layers

    def start(offset):
        return keras.initializers.GlorotUniform(seed=4 * seed + offset)

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
