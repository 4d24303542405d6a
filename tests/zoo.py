"""Networks of the kinds that learners bring, trained for a few seconds each, for tests."""

import functools
import os
import tempfile
from pathlib import Path


def depthwise():
    """Depthwise-separable convolutions with BatchNorm and ReLU6."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.ReLU(6.0)(x)
    for index, filters in enumerate((24, 32)):
        stride = 2 - index
        x = layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=False, name=f"depthwise{index}"
        )(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU(6.0)(x)
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise{index}")(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU(6.0)(x)
    x = layers.AveragePooling2D(2)(x)
    outputs = layers.Dense(10, name="logits")(layers.Flatten()(x))
    return keras.Model(inputs, outputs, name="depthwise")


def residual():
    """Residual blocks joined with Add."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    for index in range(2):
        y = layers.Conv2D(16, 3, padding="same", activation="relu", name=f"first{index}")(x)
        y = layers.Conv2D(16, 3, padding="same", name=f"second{index}")(y)
        x = layers.ReLU()(layers.Add(name=f"add{index}")([x, y]))
    x = layers.MaxPooling2D(2)(x)
    outputs = layers.Dense(10, name="logits")(layers.Flatten()(x))
    return keras.Model(inputs, outputs, name="residual")


def concatenate():
    """Two branches joined with Concatenate, then global average pooling and softmax."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    near = layers.Conv2D(16, 1, activation="relu", name="near")(x)
    wide = layers.Conv2D(16, 3, padding="same", activation="relu", name="wide")(x)
    x = layers.Concatenate(name="join")([near, wide])
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, 3, activation="relu", name="mix")(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(10, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="concatenate")


def tanh_mlp():
    """Dense layers with tanh."""
    from qlab.train import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(96, activation="tanh", name="hidden1"),
            layers.Dense(48, activation="tanh", name="hidden2"),
            layers.Dense(10, name="logits"),
        ],
        name="tanh_mlp",
    )


BUILDERS = {  # and for how many epochs, with which learning rate
    "depthwise": (depthwise, 2, 4e-3),
    "residual": (residual, 2, 3e-3),
    "concatenate": (concatenate, 5, 1e-2),
    "tanh_mlp": (tanh_mlp, 2, 4e-3),
}


def joined():
    """The input joined with a tanh, and a sigmoid with shares: kernels that dictate a grid."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    y = layers.Conv2D(4, 3, padding="same", activation="tanh", name="curved")(x)
    x = layers.Concatenate(name="first")([x, y])
    y = layers.Conv2D(4, 3, padding="same", activation="sigmoid", name="gate")(x)
    z = layers.Softmax(name="shares")(layers.Conv2D(4, 3, padding="same", name="signed")(x))
    y = layers.Concatenate(name="shares_and_gate")([y, z])
    y = layers.Conv2D(8, 3, padding="same", name="mixed")(y)
    x = layers.AveragePooling2D(4, name="pool")(y)
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))


def grown():
    """Each convolution joined with all before it, the input too; probabilities before a Flatten."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    for name in ("near", "far"):
        y = layers.Conv2D(4, 3, padding="same", name=name)(x)
        x = layers.Concatenate(name=f"{name}_joined")([x, y])
    x = layers.Conv2D(10, 28, name="logits")(layers.ReLU(name="relu")(x))
    return keras.Model(inputs, layers.Flatten()(layers.Softmax(name="shares")(x)))


def normed():
    """A BatchNorm behind a ReLU, which no layer can take in."""
    from qlab.train import keras

    layers, uniform = keras.layers, keras.initializers.RandomUniform
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(
                8, 3, strides=2, activation="relu", bias_initializer="uniform", name="stem"
            ),
            layers.BatchNormalization(
                name="norm", gamma_initializer=uniform(0.5, 2), beta_initializer=uniform(-0.5, 0.5)
            ),
            layers.Flatten(),
            layers.Dense(10, bias_initializer="uniform", name="logits"),
        ]
    )


def moved():
    """Reshapes of each sort, a Conv1D, a leaky ReLU, a difference and a global maximum."""
    from qlab.train import keras

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Reshape((28, 28), name="rows")(x)
    x = layers.Permute((2, 1), name="columns")(x)
    x = layers.LeakyReLU(0.2, name="leaky")(layers.Conv1D(16, 3, name="along")(x))
    x = layers.Reshape((26, 4, 4), name="blocks")(x)
    y = layers.Conv2D(8, 3, name="left")(x)
    z = layers.Conv2D(8, 3, activation="relu", name="right")(x)
    x = layers.GlobalMaxPooling2D(name="largest")(layers.Subtract(name="difference")([y, z]))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x))


def dilated():
    """Convolutions with holes: the pictures between are smaller and more than came in."""
    from qlab.train import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, dilation_rate=2, activation="relu", name="wide"),
            layers.Conv2D(8, 3, dilation_rate=(3, 2), padding="same", name="wider"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, name="logits"),
        ]
    )


def bent():
    """Activations with a kernel of their own, the larger and the smaller of two, logarithms."""
    from qlab.train import keras, tf

    layers = keras.layers
    slopes = keras.initializers.RandomUniform(-0.2, 0.6)
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, strides=2, name="stem")(x)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer=slopes, name="prelu")(x)
    x = layers.ELU(name="elu")(layers.Conv2D(8, 3, strides=2, name="next")(x))
    y = layers.Conv2D(8, 3, activation=tf.nn.gelu, name="gelu")(x)
    z = layers.Lambda(tf.abs, name="abs")(layers.Conv2D(8, 3, name="signed")(x))
    y = layers.Concatenate()([layers.Maximum()([y, z]), layers.Minimum()([y, z])])
    x = layers.Lambda(lambda x: tf.reduce_min(x, [1, 2]), name="smallest")(y)
    x = layers.Lambda(lambda x: tf.math.l2_normalize(x, -1), name="length")(x)
    x = layers.Dense(10, name="logits")(x)
    return keras.Model(inputs, layers.Activation(tf.nn.log_softmax, name="logarithms")(x))


def cut():
    """What is cut out, repeated, mirrored, enlarged, and joined with a constant."""
    from qlab.train import keras, tf

    layers = keras.layers
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Cropping2D(((2, 3), (1, 0)), name="crop")(layers.Conv2D(4, 3, name="stem")(x))
    x = layers.UpSampling2D(name="nearest")(layers.AveragePooling2D(2, name="pool")(x))
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="mixed")(x)
    x = layers.UpSampling2D((2, 3), interpolation="bilinear", name="bilinear")(x)
    x = layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2), name="deep")(x)
    x = layers.Conv2D(4, 3, strides=3, name="less")(x)
    mirrored = [[0, 0], [1, 2], [0, 1], [0, 0]]
    x = layers.Lambda(lambda x: tf.pad(x, mirrored, "REFLECT"), name="mirror")(x)
    x = layers.Lambda(lambda x: tf.gather(x, [2, 0, 3], axis=-1), name="chosen")(x)
    x = layers.Lambda(lambda x: tf.maximum(x, [[[[-0.2, 0.1, 0.3]]]]), name="least")(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(12, 3, activation="relu", name="last")(x))
    x = layers.RepeatVector(3, name="repeated")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))


# These need no training.
KINDS = {
    "joined": joined, "grown": grown, "normed": normed, "moved": moved, "dilated": dilated,
    "bent": bent, "cut": cut,
}  # fmt: skip


@functools.cache
def untrained(name):
    """One of `KINDS`, always with the same weights."""
    from qlab.train import keras

    keras.utils.set_random_seed(4)
    return KINDS[name]()


@functools.cache
def trained(name):
    """One of `BUILDERS`, trained on 6,000 pictures; kept for the session in a temporary folder."""
    import filelock

    from qlab import data, train

    path = Path(_folder()) / f"{name}.keras"
    with filelock.FileLock(path.with_suffix(".lock")):
        if not path.exists():
            build, epochs, learning_rate = BUILDERS[name]
            train.keras.utils.set_random_seed(0)
            split = data.load().train
            model = build()
            train.fit(
                model,
                split.images[:6000],
                split.labels[:6000],
                epochs=epochs,
                batch_size=64,
                learning_rate=learning_rate,
                progress=False,
            )
            train.save(model, path)
    return train.load(path)


@functools.cache
def _folder():
    """What the workers of one run share; without pytest, a folder of this process's own."""
    shared = os.environ.get("QLAB_TESTS_SHARE")
    folder = Path(shared or tempfile.mkdtemp(), "zoo")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
