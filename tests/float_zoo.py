"""Networks as people write them, with layers that have no integer form; they need no training."""

import functools

from qlab.train import keras, tf

layers = keras.layers


def _image(**how):
    return keras.Input((28, 28, 1), **how)


def _flat(*parts):
    return keras.Sequential([_image(), layers.Flatten(), *parts, layers.Dense(10, name="logits")])


def _spatial(*parts):
    ending = layers.Flatten(), layers.Dense(10, name="logits")
    return keras.Sequential([_image(), *parts, *ending])


def _rows(*parts, batch_size=None):
    first = _image(batch_size=batch_size), layers.Reshape((28, 28), name="rows")
    return keras.Sequential([*first, *parts, layers.Dense(10, name="logits")])


def sines():
    return _flat(layers.Dense(64, activation=tf.sin, name="bent"), layers.Dense(32, tf.sin))


def norms():
    norm = layers.LayerNormalization
    return _flat(layers.Dense(64), norm(name="norm"), layers.Dense(32, "relu"), norm())


def attention():
    """A block of a transformer: attention and a small network, each with a residual."""
    inputs = _image()
    x = layers.Dense(32, name="embed")(layers.Reshape((28, 28))(inputs))
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 16, name="heads")(y, y)])
    y = layers.Dense(64, tf.nn.gelu, name="up")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(32, name="down")(y)])
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.GlobalAveragePooling1D()(x)))


def lstm():
    return _rows(layers.LSTM(24, name="lstm"), batch_size=1)


def gru():
    """A loop, which the file holds as graphs of their own."""
    return _rows(layers.GRU(16, name="gru"), batch_size=1)


def unrolled():
    return _rows(layers.SimpleRNN(16, unroll=True, name="rnn"))


def transposed():
    down = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu", name="up")
    return _spatial(down, up, layers.Conv2D(8, 3, strides=2))


def solid():
    parts = layers.Reshape((4, 7, 28, 1)), layers.Conv3D(8, 3, activation="relu", name="solid")
    return _spatial(*parts)


def swish():
    return _spatial(*(layers.Conv2D(8, 3, strides=2, activation="swish") for _ in range(2)))


def residual():
    """Residuals across a layer that stays in float."""
    inputs = _image()
    x = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    for _ in range(2):
        y = layers.Conv2D(8, 3, padding="same", activation=tf.sin)(x)
        y = layers.Conv2D(8, 3, padding="same")(y)
        x = layers.Activation(tf.sin)(layers.Add()([x, y]))
    x = layers.Flatten()(layers.MaxPooling2D(name="pool")(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x))


def pixels():
    """Pixels as they are, which the network scales itself."""
    inputs = _image(dtype="uint8")
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))


def halves():
    """A layer with two outputs."""

    def gated(x):
        values, gates = tf.split(x, 2, axis=-1)
        return values * tf.sigmoid(gates)

    return _spatial(layers.Conv2D(16, 3, strides=2), layers.Lambda(gated, name="gated"))


def token():
    """A constant joined with what the network works out, and another added to it."""

    def joined(x):
        first = tf.fill([tf.shape(x)[0], 1, 16], 0.5)
        return tf.concat([first, x], 1) + tf.linspace(-1.0, 1.0, 29)[:, None]

    return _rows(layers.Dense(16), layers.Lambda(joined), layers.Flatten())


def logarithms():
    return keras.Sequential([_image(), _flat(), layers.Activation(tf.nn.log_softmax)])


def decided():
    """The class itself, a whole number."""
    return keras.Sequential([_image(), sines(), layers.Lambda(lambda x: tf.argmax(x, -1))])


ALL = (
    sines, norms, attention, lstm, gru, unrolled, transposed, solid, swish, residual, pixels,
    halves, token, logarithms, decided,
)  # fmt: skip
BUILDERS = {build.__name__: build for build in ALL}


@functools.cache
def untrained(name):
    """One of `BUILDERS`, always with the same weights."""
    keras.utils.set_random_seed(3)
    return BUILDERS[name]()
