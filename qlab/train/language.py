"""A decoder-only transformer of characters: built, trained, and written as a `.tflite` file."""

import contextlib
import io
import math

import numpy as np
import tensorflow as tf

from qlab.data.texts import CHARACTERS, CONTEXT
from qlab.system.output import quiet

EPSILON = 1e-5


class Transformer(tf.Module):
    """The network of GPT-2 (Radford et al. 2019), small, with ReLU.

    Parameters
    ----------
    layers, width, heads : int
        Blocks, numbers that stand for each character, and heads of attention in each block.
    seed : int
        Of the weights it begins with.
    """

    def __init__(self, layers, width=128, heads=4, seed=0):
        super().__init__()
        self.layers, self.width, self.heads = layers, width, heads
        self.random = np.random.default_rng(seed)
        self.embedding = self._variable(len(CHARACTERS), width)
        self.positions = self._variable(CONTEXT, width)
        self.blocks = []
        for _ in range(layers):
            dense = {x: self._dense(width, width) for x in ("query", "key", "value")}
            dense["merge"] = self._dense(width, width, scale=0.02 / math.sqrt(2 * layers))
            dense["expand"] = self._dense(width, 4 * width)
            dense["contract"] = self._dense(4 * width, width, scale=0.02 / math.sqrt(2 * layers))
            self.blocks.append({"norm1": self._norm(), "norm2": self._norm(), **dense})
        self.norm = self._norm()
        self.logits = self._dense(width, len(CHARACTERS))

    def _variable(self, *shape, scale=0.02):
        return tf.Variable(self.random.normal(0, scale, shape).astype(np.float32))

    def _dense(self, *shape, scale=0.02):
        return self._variable(*shape, scale=scale), tf.Variable(tf.zeros(shape[1]))

    def _norm(self):
        return tf.Variable(tf.ones(self.width)), tf.Variable(tf.zeros(self.width))

    def __call__(self, tokens):
        """Logits, float32 of shape (n, 128, characters), of int32 tokens of shape (n, 128)."""
        with tf.name_scope("embedding"):
            x = tf.gather(self.embedding, tokens)
        x += self.positions
        x = tf.reshape(x, (-1, self.width))
        for number, block in enumerate(self.blocks, 1):
            name = f"block{number}_"
            attended = self._attended(x, block, name)
            x += _dense(attended, block["merge"], name + "merge")
            expanded = _dense(
                _normed(x, block["norm2"]), block["expand"], name + "expand", tf.nn.relu
            )
            x += _dense(expanded, block["contract"], name + "contract")
        logits = _dense(_normed(x, self.norm), self.logits, "logits")
        return tf.reshape(logits, (-1, CONTEXT, len(CHARACTERS)))

    def _attended(self, x, block, name):
        """What each character takes from those before it and from itself."""
        x, each = _normed(x, block["norm1"]), self.width // self.heads
        found = {"query": lambda x: x * each**-0.5, "key": tf.identity, "value": tf.identity}
        query, key, value = (
            tf.transpose(
                tf.reshape(
                    _dense(x, block[which], name + which, then), (-1, CONTEXT, self.heads, each)
                ),
                (0, 2, 1, 3),
            )
            for which, then in found.items()
        )
        scores = tf.matmul(query, key, transpose_b=True)
        later = tf.constant(np.triu(np.full((CONTEXT, CONTEXT), -1e9, np.float32), 1))
        mixed = tf.matmul(tf.nn.softmax(scores + later), value)
        return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, self.width))

    def file(self):
        """Content of its float `.tflite` file, whose input is int32 of shape (n, 128)."""
        asked = tf.TensorSpec((None, CONTEXT), tf.int32, "tokens")
        whole = tf.function(self.__call__).get_concrete_function(asked)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([whole], self)
        with quiet(), contextlib.redirect_stdout(io.StringIO()):
            return converter.convert()


def _dense(x, dense, name, then=tf.identity):
    weights, bias = dense
    with tf.name_scope(name):
        return then(tf.nn.bias_add(tf.matmul(x, weights), bias))


def _normed(x, norm):
    gain, bias = norm
    x -= tf.reduce_mean(x, -1, keepdims=True)
    spread = tf.reduce_mean(x * x, -1, keepdims=True)
    return x * tf.math.rsqrt(spread + EPSILON) * gain + bias


def train(model, tokens, steps, batch_size, learning_rate, seed, checkpoint, each=100, until=None):
    """Train on windows drawn anywhere in the tokens; the mean loss of each so many steps, in bits.

    AdamW; the rate rises for a twentieth of the steps and then falls to 0 along a cosine. What is
    trained is kept in the checkpoint's folder, and the same call goes on from there; it may stop
    early, when so many steps are done.
    """
    import tf_keras

    rises = steps // 20
    rate = tf_keras.optimizers.schedules.CosineDecay(
        0.0, steps - rises, warmup_target=learning_rate, warmup_steps=rises
    )
    optimizer = tf_keras.optimizers.AdamW(rate, 0.1, 0.9, 0.95, clipnorm=1.0, jit_compile=False)
    optimizer.exclude_from_weight_decay([x for x in model.trainable_variables if len(x.shape) == 1])
    optimizer.build(model.trainable_variables)
    losses = tf.Variable(tf.zeros(-(-steps // each)), trainable=False)
    kept = tf.train.Checkpoint(model=model, optimizer=optimizer, losses=losses)
    manager = tf.train.CheckpointManager(kept, checkpoint, max_to_keep=1)
    kept.restore(manager.latest_checkpoint)

    @tf.function
    def step(seen):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(seen[:, 1:], model(seen[:, :-1]))
            )
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss / math.log(2)

    for done in range(int(optimizer.iterations.numpy()), until or steps):
        starts = np.random.default_rng((seed, done)).integers(0, len(tokens) - CONTEXT, batch_size)
        seen = tokens[starts[:, None] + np.arange(CONTEXT + 1)]
        place = done // each
        losses[place].assign(losses[place] + step(tf.constant(seen, tf.int32)) / min(each, steps))
        if (done + 1) % each == 0 or done + 1 == steps:
            manager.save()
            print(f"step {done + 1} of {steps}: {losses[place].numpy():.3f} bits", flush=True)
    return losses.numpy().tolist()
