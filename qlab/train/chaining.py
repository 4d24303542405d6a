"""The chain: prune, cluster, train quantization-aware, each step keeping what those before made."""

from qlab.train.clustering import cluster_weights, strip_clustering
from qlab.train.collaborative import preserving
from qlab.train.conversion import convert
from qlab.train.fitting import BATCH_SIZE, fit
from qlab.train.pruning import prune, strip_pruning
from qlab.train.qat import quantization_aware
from qlab.train.qat_conversion import convert_quantized
from qlab.train.sparsity_schedules import polynomial_decay

SPARSITY = {"conv2": 0.5, "dense1": 0.85, "logits": 0.5}
CLUSTERS = 16
EPOCHS = (4, 1, 2)  # of pruning, of clustering, of quantization-aware training
FREQUENCY = 50  # batches between two prunings, at most


def chain(
    model, images, labels, sparsity=None, clusters=CLUSTERS, keep=True, epochs=EPOCHS, **training
):
    """Prune, cluster and quantize a trained model, with training in each step.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)
    sparsity : dict of str to float, optional
        Of the layers to prune; by default `SPARSITY`, which suits the baseline.
    clusters : int
        Different weights a layer.
    keep : bool
        Whether each step keeps the zeros and the clusters of those before; False is the naive
        chain.
    epochs : (int, int, int)
        Of the three trainings.
    **training
        For `fit`: ``seed``, ``learning_rate``, ``progress``. The learning rate falls to 0 in each
        of the three.

    Yields
    ------
    (str, bytes)
        ``pruned``, ``clustered``, ``quantized``, and the `.tflite` file after that step.

    Raises
    ------
    TypeError, ValueError
        As `prune`, `cluster_weights`, `preserving` and `fit` do.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images, labels = np.full((128, 28, 28, 1), 9, np.uint8), np.zeros(128, np.int64)
    >>> steps = chain(train.load("baseline"), images, labels, {"dense1": 0.9}, epochs=(1, 1, 1),
    ...               progress=False)
    >>> name, file = next(steps)
    >>> name, file[4:8]
    ('pruned', b'TFL3')
    """
    model = pruned(model, images, labels, sparsity or SPARSITY, epochs[0], **training)
    yield "pruned", convert(model)
    model = clustered(model, images, labels, clusters, keep, epochs[1], **training)
    yield "clustered", convert(model)
    aware = quantized(model, images, labels, 8, keep, epochs[2], **training)
    yield "quantized", convert_quantized(aware)


def pruned(model, images, labels, sparsity, epochs, **training):
    """Prune while training, to the end of the schedule halfway through."""
    half = max(1, epochs * -(-len(images) // BATCH_SIZE) // 2)
    every = max(1, min(FREQUENCY, half // 10))
    end = half // every * every
    schedules = {
        name: polynomial_decay(final, min(0.3, final), end_step=end, frequency=every)
        for name, final in sparsity.items()
    }
    wrapped = prune(model, schedules)
    _fit(wrapped, images, labels, epochs, training)
    return strip_pruning(wrapped)


def clustered(model, images, labels, clusters, keep, epochs, **training):
    """Cluster while training."""
    wrapped = cluster_weights(model, clusters, keep_zero=keep)
    _fit(wrapped, images, labels, epochs, training)
    return strip_clustering(wrapped)


def quantized(model, images, labels, weight_bits, keep, epochs, **training):
    """Train quantization-aware."""
    wrap = preserving if keep else quantization_aware
    aware = wrap(model, weight_bits)
    _fit(aware, images, labels, epochs, training)
    return aware


def _fit(model, images, labels, epochs, training):
    history = fit(model, images, labels, epochs, **{"schedule": "cosine", **training})
    if len(history.get("loss", ())) < epochs:  # interrupted: a half-trained step is no step
        raise KeyboardInterrupt
