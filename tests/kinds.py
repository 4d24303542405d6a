"""Keras models as people write them, a builder each; by kinds, not copies."""

import float_zoo
import zoo

from qlab.train import keras, tf

layers = keras.layers
PICTURE = (28, 28, 1)


def seq(*parts, shape=PICTURE, **how):
    return keras.Sequential([keras.Input(shape, **how), *parts])


def classes(*parts, **how):
    """A network that ends in ten numbers."""
    return seq(*parts, layers.Flatten(), layers.Dense(10), **how)


def conv(filters=8, size=3, **how):
    return layers.Conv2D(filters, size, **how)


def few(**how):
    """A convolution that leaves a quarter of the places, so that what follows is quick."""
    return conv(strides=2, padding="same", **how)


def functional(between, shape=PICTURE, **how):
    """A network of one function between its input and ten numbers."""
    inputs = keras.Input(shape, **how)
    x = between(inputs)
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    return keras.Model(inputs, layers.Dense(10)(x))


def mlp():
    hidden = layers.Dense(64, "relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")
    return seq(layers.Flatten(), *hidden)


def lenet():
    first = conv(6, 5, activation="tanh", padding="same"), layers.AveragePooling2D()
    second = conv(16, 5, activation="tanh"), layers.AveragePooling2D()
    return classes(*first, *second, layers.Flatten(), layers.Dense(84, "tanh"))


def vgg():
    blocks = [
        x
        for filters in (8, 16)
        for x in (conv(filters, activation="relu"), conv(filters, activation="relu"),
                  layers.MaxPooling2D())
    ]  # fmt: skip
    return seq(*blocks, layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10, "softmax"))


def norm_after():
    return classes(few(use_bias=False), layers.BatchNormalization(), layers.ReLU())


def norm_before():
    return classes(layers.BatchNormalization(), few(activation="relu"), layers.BatchNormalization())


def preactivated():
    """A residual block whose norms and activations come before its convolutions."""

    def between(x):
        x = few()(x)
        for _ in range(2):
            y = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.Add()([x, conv(padding="same")(y)])
        return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))

    return functional(between)


def inception():
    def between(x):
        x = few(activation="relu")(x)
        ways = [conv(8, size, padding="same", activation="relu")(x) for size in (1, 3, 5)]
        pooled = layers.MaxPooling2D(3, strides=1, padding="same")(x)
        x = layers.Concatenate()([*ways, conv(8, 1)(pooled)])
        return layers.GlobalAveragePooling2D()(x)

    return functional(between)


def dense_net():
    def between(x):
        x = few()(x)
        for _ in range(3):
            y = conv(4, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
            x = layers.Concatenate()([x, y])
        return layers.GlobalAveragePooling2D()(x)

    return functional(between)


def squeezed(x, ratio=4):
    """Squeeze and excitation."""
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(max(1, x.shape[-1] // ratio), 1, activation="swish")(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(gate)
    return layers.Multiply()([x, gate])


def squeeze_excite():
    return functional(lambda x: layers.GlobalAveragePooling2D()(squeezed(few()(x))))


def inverted(x, activation, excite=lambda x: x):
    """An inverted residual, as in MobileNetV2."""
    y = layers.BatchNormalization()(conv(4 * x.shape[-1], 1, use_bias=False)(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(layers.Activation(activation)(y))
    y = excite(layers.Activation(activation)(layers.BatchNormalization()(y)))
    y = layers.BatchNormalization()(conv(x.shape[-1], 1, use_bias=False)(y))
    return layers.Add()([x, y])


def mobile():
    def between(x):
        x = few(use_bias=False)(x)
        return layers.GlobalAveragePooling2D()(inverted(inverted(x, tf.nn.relu6), tf.nn.relu6))

    return functional(between, (32, 32, 3))


def mobile3():
    def hard(x):
        return x * tf.nn.relu6(x + 3) / 6

    return functional(lambda x: layers.GlobalAveragePooling2D()(inverted(few()(x), hard)))


def efficient():
    def between(x):
        x = few(use_bias=False)(layers.Rescaling(2, offset=-1)(x))
        return layers.GlobalAveragePooling2D()(inverted(x, "swish", squeezed))

    return functional(between, (32, 32, 3))


def application():
    """A network of Keras's own, without its weights."""
    return keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=10)


def u_net():
    def between(x):
        skips = []
        for filters in (4, 8):
            x = conv(filters, padding="same", activation="relu")(x)
            skips.append(x)
            x = layers.MaxPooling2D()(x)
        for filters, skip in zip((8, 4), reversed(skips), strict=True):
            x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
            x = conv(filters, padding="same", activation="relu")(x)
        return layers.GlobalAveragePooling2D()(x)

    return functional(between)


def u_net_transposed():
    def between(x):
        skip = few(activation="relu")(x)
        x = conv(8, strides=2, padding="same", activation="relu")(skip)
        x = layers.Conv2DTranspose(8, 2, strides=2)(x)
        return layers.AveragePooling2D()(layers.Concatenate()([x, skip]))

    return functional(between)


def autoencoder():
    """It answers with a picture."""
    down = few(activation="relu"), few(activation="relu")
    up = [layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")]
    return seq(*down, *up, layers.Conv2DTranspose(1, 3, strides=2, padding="same"))


def attention_gate():
    """Places are weighted by a softmax over all of them."""

    def between(x):
        x = layers.Reshape((196, 8))(few(activation="relu")(x))
        return layers.Dot(1)([layers.Softmax(1)(layers.Dense(1)(x)), x])

    return functional(between)


def vision_transformer():
    def between(x):
        x = layers.Reshape((49, 16))(conv(16, 4, strides=4)(x))
        x = x + layers.Embedding(49, 16)(tf.range(49))
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(y, y)])
        y = layers.Dense(32, activation=tf.nn.gelu)(layers.LayerNormalization(epsilon=1e-6)(x))
        return layers.GlobalAveragePooling1D()(layers.Add()([x, layers.Dense(16)(y)]))

    return functional(between)


def mixer():
    """An MLP over places, then one over channels."""

    def between(x):
        x = layers.Reshape((49, 16))(conv(16, 4, strides=4)(x))
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(49)(layers.Dense(32, tf.nn.gelu)(y))
        x = layers.Add()([x, layers.Permute((2, 1))(y)])
        return layers.GlobalAveragePooling1D()(layers.Add()([x, layers.Dense(16, "relu")(x)]))

    return functional(between)


def rows(*parts, batch_size=None):
    return seq(layers.Reshape((28, 28)), *parts, layers.Dense(10), batch_size=batch_size)


def rnn():
    return rows(layers.SimpleRNN(16), batch_size=1)


def both_ways():
    return rows(layers.Bidirectional(layers.LSTM(12)), batch_size=1)


def stacked_lstm():
    return rows(layers.LSTM(12, return_sequences=True), layers.LSTM(12), batch_size=1)


def conv_lstm():
    return rows(layers.Conv1D(8, 3, activation="relu"), layers.LSTM(12), batch_size=1)


def text():
    """Whole numbers that name words, here the first 64 pixels."""
    words = layers.Embedding(256, 8), layers.GlobalAveragePooling1D(), layers.Dense(16, "relu")
    return seq(*words, layers.Dense(10), shape=(64,), dtype="int32")


def text_conv():
    words = layers.Embedding(256, 8), layers.Conv1D(16, 5, activation="relu")
    return seq(*words, layers.GlobalMaxPooling1D(), layers.Dense(10), shape=(64,), dtype="int32")


def signal():
    """Conv1D over one channel, as for sound or an ECG."""
    first = layers.Conv1D(8, 9, strides=4, activation="relu"), layers.MaxPooling1D(2)
    return classes(*first, layers.Conv1D(16, 5, dilation_rate=2), shape=(784, 1))


def causal():
    """Dilated convolutions that see the past alone, with residuals."""

    def between(x):
        x = layers.Conv1D(8, 1)(x)
        for rate in (1, 2, 4):
            y = layers.Conv1D(8, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
            x = layers.Add()([x, y])
        return layers.GlobalAveragePooling1D()(x)

    return functional(between, (28, 28))


def table_rows():
    """Numbers of a table, normalized by what was seen of them."""
    norm = layers.Normalization()
    norm.adapt(keras.utils.set_random_seed(1) or tf.random.uniform((256, 12)))
    return seq(norm, layers.Dense(16, "relu"), layers.Dense(10), shape=(12,))


def yes_or_no():
    return seq(few(activation="relu"), layers.Flatten(), layers.Dense(1, activation="sigmoid"))


def plus_or_minus():
    return seq(layers.Flatten(), layers.Dense(16, "relu"), layers.Dense(1, activation="tanh"))


def regression():
    return seq(layers.Flatten(), layers.Dense(16, "relu"), layers.Dense(1))


def labels():
    """Several may be true at once."""
    return seq(few(activation="relu"), layers.Flatten(), layers.Dense(10, activation="sigmoid"))


def unit_vectors():
    """An embedding of length one, as for faces."""
    return functional(lambda x: tf.math.l2_normalize(layers.Flatten()(few()(x)), -1))


def temperature():
    return seq(layers.Flatten(), layers.Dense(10), layers.Lambda(lambda x: x / 2), layers.Softmax())


def two_inputs():
    ends = [keras.Input(PICTURE), keras.Input((4,))]
    x = layers.Concatenate()([layers.Flatten()(ends[0]), ends[1]])
    return keras.Model(ends, layers.Dense(10)(x))


def two_outputs():
    inputs = keras.Input(PICTURE)
    x = layers.Flatten()(few()(inputs))
    return keras.Model(inputs, [layers.Dense(10)(x), layers.Dense(2)(x)])


def shared_layer():
    """One convolution used twice."""
    twice = conv(8, padding="same", activation="relu")
    return functional(lambda x: layers.GlobalAveragePooling2D()(twice(twice(few()(x)))))


def nested():
    inner = keras.Sequential([conv(8, activation="relu"), layers.MaxPooling2D()])
    return functional(lambda x: layers.GlobalAveragePooling2D()(inner(few()(x))))


def group_norm():
    return classes(few(), layers.GroupNormalization(4), layers.ReLU())


def unit_norm():
    return classes(few(), layers.UnitNormalization())


def standardized():
    """The picture by its own mean and deviation."""
    return classes(layers.Lambda(tf.image.per_image_standardization), few(activation="relu"))


def resized():
    return classes(layers.Resizing(20, 20), few(activation="relu"))


def centre():
    return classes(layers.CenterCrop(20, 20), few(activation="relu"))


def augmented():
    """Layers that do something in training alone."""
    first = layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.GaussianNoise(0.1)
    return classes(*first, few(activation="relu"), layers.SpatialDropout2D(0.1))


def locally():
    return classes(few(), layers.LocallyConnected2D(4, 3, activation="relu"))


def clipped():
    """A hard sigmoid by hand, and values between two bounds."""
    return classes(
        few(),
        layers.Lambda(lambda x: tf.clip_by_value(0.2 * x + 0.5, 0.3, 0.7)),
        few(),
        layers.Lambda(lambda x: tf.clip_by_value(x, -0.1, 0.2)),
    )


def coordinates():
    """Places joined with the picture, as CoordConv does."""

    def between(x):
        place = tf.tile(tf.linspace(-1.0, 1.0, 28)[None, None, :, None], [1, 28, 1, 1])
        x = tf.concat([x, tf.tile(place, [tf.shape(x)[0], 1, 1, 1])], -1)
        return few(activation="relu")(tf.ensure_shape(x, (None, 28, 28, 2)))

    return functional(between)


def ensemble():
    def between(x):
        x = layers.Flatten()(x)
        return layers.Average()([layers.Dense(10, "softmax")(x) for _ in range(3)])

    inputs = keras.Input(PICTURE)
    return keras.Model(inputs, between(inputs))


def bilinear_pooling():
    def between(x):
        x = layers.Reshape((196, 8))(few()(x))
        return layers.Dot(1)([x, layers.Dense(8, "relu")(x)])

    return functional(between)


def extremes():
    def between(x):
        parts = [conv(8, strides=2, activation=x)(x_) for x, x_ in (("relu", x), (None, x))]
        x = layers.Concatenate()([layers.Maximum()(parts), layers.Minimum()(parts)])
        return layers.GlobalMaxPooling2D()(layers.Subtract()([x, layers.ReLU()(x)]))

    return functional(between)


def statistics():
    """Mean, deviation and sum of each channel."""

    def between(x):
        x = few()(x)
        parts = tf.reduce_mean(x, [1, 2]), tf.math.reduce_std(x, [1, 2]), tf.reduce_sum(x, [1, 2])
        return layers.Concatenate()([*parts])

    return functional(between)


def maxout():
    return classes(
        few(), layers.Lambda(lambda x: tf.reduce_max(tf.stack([x[..., :4], x[..., 4:]]), 0))
    )


def shuffled():
    """Channels of a grouped convolution change places, as in ShuffleNet."""

    def between(x):
        x = conv(8, groups=2, padding="same")(few(activation="relu")(x))
        x = layers.Permute((1, 2, 4, 3))(layers.Reshape((14, 14, 2, 4))(x))
        return conv(8, groups=4)(layers.Reshape((14, 14, 8))(x))

    return functional(between)


def stochastic_depth():
    return functional(lambda x: (y := few()(x)) + 0.5 * conv(padding="same")(layers.ReLU()(y)))


def deep_to_space():
    return classes(few(), layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2)), few())


def squared():
    return classes(few(), layers.Lambda(tf.square), layers.Lambda(lambda x: tf.sqrt(x + 1e-3)))


def activated(name):
    """A network of convolution, activation, convolution."""

    def build():
        kinds = {
            "leaky_relu": layers.LeakyReLU(0.2), "elu": layers.ELU(), "prelu": layers.PReLU(),
            "relu6": layers.ReLU(6), "thresholded": layers.ThresholdedReLU(0.1),
            "relu_bent": layers.ReLU(negative_slope=0.1, threshold=0.1),
            "mish": layers.Lambda(lambda x: x * tf.tanh(tf.nn.softplus(x))),
            "softmax": layers.Softmax(), "gelu": layers.Activation(tf.nn.gelu),
            "sine": layers.Lambda(tf.sin),
        }  # fmt: skip
        bent = kinds.get(name) or layers.Activation(name)
        return classes(few(), bent, few())

    return build


ACTIVATIONS = (
    "leaky_relu", "elu", "prelu", "relu6", "thresholded", "relu_bent", "selu", "swish", "mish",
    "gelu", "softplus", "softsign", "hard_sigmoid", "exponential", "sine", "softmax", "sigmoid",
)  # fmt: skip
PLAIN = {
    "separable": lambda: classes(few(), layers.SeparableConv2D(16, 3, activation="relu")),
    "multiplied": lambda: classes(layers.DepthwiseConv2D(3, strides=2, depth_multiplier=4)),
    "grouped": lambda: classes(few(), conv(8, groups=4, activation="relu")),
    "holes": lambda: classes(few(), conv(8, dilation_rate=2, activation="relu")),
    "padded": lambda: classes(layers.ZeroPadding2D(((1, 2), (0, 3))), few(activation="relu")),
    "cropped": lambda: classes(few(), layers.Cropping2D(((1, 2), (0, 3))), few()),
    "permuted": lambda: classes(layers.Permute((2, 1, 3)), few(activation="relu")),
    "repeated": lambda: classes(layers.Flatten(), layers.Dense(8), layers.RepeatVector(3)),
    "largest": lambda: seq(few(), layers.GlobalMaxPooling2D(), layers.Dense(10)),
    "bytes": lambda: classes(layers.Rescaling(1 / 255), few(activation="relu"), dtype="uint8"),
    "up_smooth": lambda: classes(few(), layers.UpSampling2D(interpolation="bilinear"), few()),
    "up_transposed": lambda: classes(few(), layers.Conv2DTranspose(4, 3, strides=2), few()),
    "solid": lambda: classes(layers.Reshape((4, 7, 28, 1)), layers.Conv3D(8, 3, activation="relu")),
    "mean": lambda: classes(few(), layers.Lambda(lambda x: tf.reduce_mean(x, [1, 2]))),
    "absolute": lambda: classes(few(), layers.Lambda(abs), few()),
}
BUILDERS = {
    x.__name__: x
    for x in (
        mlp, lenet, vgg, norm_after, norm_before, preactivated, inception, dense_net,
        squeeze_excite, mobile, mobile3, efficient, application, u_net, u_net_transposed,
        autoencoder, attention_gate, vision_transformer, mixer, rnn, both_ways, stacked_lstm,
        conv_lstm, text, text_conv, signal, causal, table_rows, yes_or_no, plus_or_minus,
        regression, labels, unit_vectors, temperature, two_inputs, two_outputs, shared_layer,
        nested, group_norm, unit_norm, standardized, resized, centre, augmented, locally, clipped,
        coordinates, ensemble, bilinear_pooling, extremes, statistics, maxout, shuffled,
        stochastic_depth, deep_to_space, squared,
    )
}  # fmt: skip
BUILDERS |= PLAIN | {f"with_{x}": activated(x) for x in ACTIVATIONS}
BUILDERS |= {
    x: getattr(float_zoo, x) for x in ("attention", "lstm", "gru", "unrolled", "halves", "token")
}
BUILDERS |= {"decided": float_zoo.decided, "joined": zoo.joined, "tanh_mlp": zoo.tanh_mlp}


def built(name, draw=5):
    """One of `BUILDERS`, with the same weights for the same draw."""
    keras.utils.set_random_seed(draw)
    return BUILDERS[name]()
