"""The chain: prune, cluster, train quantization-aware, each step keeping what those before made."""

from qlab.train.clustering import cluster_weights, strip_clustering
from qlab.train.collaborative import preserving
from qlab.train.fitting import BATCH_SIZE, fit
from qlab.train.pruning import prune, strip_pruning
from qlab.train.qat import quantization_aware
from qlab.train.sparsity_schedules import polynomial_decay

SPARSITY = {"conv2": 0.5, "dense1": 0.85, "logits": 0.5}
CLUSTERS = 16
EPOCHS = (4, 1, 2)  # of pruning, of clustering, of quantization-aware training
FREQUENCY = 50  # batches between two prunings, at most


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
