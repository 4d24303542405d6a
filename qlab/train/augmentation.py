"""Garments a little moved and mirrored, so that a network does not learn the pictures by heart."""

from qlab.train.door import tf
from qlab.train.fitting import _batches

SHIFT = 2  # pixels


def augmented(images, labels, batch_size, seed=0, shift=SHIFT, flip=True):
    """Batches of training images, each image newly moved and mirrored every epoch.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
    labels : ndarray of integers, shape (n,)
    batch_size : int
    seed : int
        Of the order; the draws of the shifts come from it as well.
    shift : int
        Up to how many pixels an image moves along each axis; what it leaves is background, 0.
    flip : bool
        Mirror half of the images, left to right.

    Returns
    -------
    tf.data.Dataset
        Of (float32 images in [0, 1], labels).

    Examples
    --------
    >>> import numpy as np
    >>> images = np.full((6, 28, 28, 1), 255, np.uint8)
    >>> moved, labels = next(iter(augmented(images, np.arange(6), batch_size=4)))
    >>> moved.shape, bool(27**2 > moved[0].numpy().sum() >= 26**2 or moved[0].numpy().min() == 1)
    (TensorShape([4, 28, 28, 1]), True)
    """
    batches = _batches(images, labels, batch_size, seed)
    draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

    def change(pair, draw):
        return moved(pair[0], draw, shift, flip), pair[1]

    return tf.data.Dataset.zip((batches, draws)).map(change).prefetch(2)


def moved(images, seed, shift=SHIFT, flip=True):
    """Move each image by whole pixels, and mirror some.

    Parameters
    ----------
    images : tf.Tensor of float32, shape (n, h, w, c)
    seed : tf.Tensor of int64, shape (2,)
        The same seed, the same moves.
    shift, flip
        As in `augmented`.

    Returns
    -------
    tf.Tensor of float32, shape (n, h, w, c)
    """
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
