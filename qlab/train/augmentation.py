"""Garments a little moved and mirrored, so that a network does not learn the pictures by heart."""

from qlab.train.door import tf
from qlab.train.fitting import _batches

SHIFT = 2  # pixels


def augmented(images, labels, batch_size, seed=0, shift=SHIFT, flip=True):
    """Batches of training images, each image newly moved and mirrored every epoch."""
    batches = _batches(images, labels, batch_size, seed)
    draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

    def change(pair, draw):
        return moved(pair[0], draw, shift, flip), pair[1]

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
