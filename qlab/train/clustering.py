"""Weight clustering: a trained model learns on with few different weights a layer."""

from qlab.arithmetic import metrics
from qlab.arithmetic.clusters import cluster, require_clusters
from qlab.train.clustering_wrapper import ClusterWeights
from qlab.train.door import keras
from qlab.train.pruning_checks import selected
from qlab.train.toolkit import tfmot
from qlab.train.wrapped import copied, require_bare, require_wrapped

LINEAR = tfmot.clustering.keras.CentroidInitialization.LINEAR


def cluster_weights(model, clusters=16, layers=None, keep_zero=False):
    """Wrap a trained model so that each layer has at most `clusters` different weights.

    The centroids start where k-means puts them and learn on; each weight goes to the nearest
    centroid anew at each step [1]_. Train with `qlab.train.fit`, then take the wrappers off with
    `strip_clustering`.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    clusters : int
        2 to 256, and no more than any of the layers has different weights.
    layers : iterable of str, optional
        Names of the layers to cluster; by default all Conv2D and Dense layers. Biases stay.
    keep_zero : bool
        Keep the zeros of a pruned model: one of the centroids is 0, and what was 0 stays so.
        Needs 3 clusters or more.

    Returns
    -------
    tf_keras.Model
        The wrapped model, not compiled.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it is wrapped already, a layer cannot be clustered or has too few weights (the message
        names it), or `clusters` is not in range.

    References
    ----------
    .. [1] Han et al., ICLR 2016, arXiv:1510.00149, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> few = strip_clustering(cluster_weights(train.load("baseline"), 8))
    >>> [len(np.unique(few.get_layer(name).kernel)) for name in ("conv2", "dense1")]
    [8, 8]
    >>> cluster_weights(train.load("baseline"), 256)
    Traceback (most recent call last):
    ...
    ValueError: layer conv1: 256 clusters for 128 weights; choose at most 128, or leave the layer \
out: layers=['conv2', 'dense1', 'logits']
    """
    require_bare(model, "cluster")
    clusters = require_clusters(clusters)
    if keep_zero and clusters < 3:
        raise ValueError("keep_zero needs one cluster for 0 and two for the rest: say 3 or more")
    centroids = _centroids(model, selected(model, layers, "clustered"), clusters, keep_zero)
    bare = copied(model)

    def wrap(layer):
        if layer.name not in centroids:
            return layer
        zeros = keep_zero and metrics.sparsity(layer.kernel) > 0
        return ClusterWeights(layer, clusters, LINEAR, zeros)

    wrapped = keras.models.clone_model(bare, clone_function=wrap)
    for layer in wrapped.layers:
        if isinstance(layer, ClusterWeights):
            layer.start(centroids[layer.layer.name])
    return wrapped


def strip_clustering(model):
    """Take the wrappers off: the model as it was built, with its weights at their centroids.

    Parameters
    ----------
    model : tf_keras.Model
        From `cluster_weights`, trained or not.

    Returns
    -------
    tf_keras.Model
        To be converted, saved, or trained on; training it without wrappers makes all weights
        different again.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If it has no clustering wrappers.
    """
    require_wrapped(model, "clustering", "cluster_weights")
    return copied(tfmot.clustering.keras.strip_clustering(model))


def _centroids(model, names, clusters, keep_zero):
    """Where k-means puts the centroids of each layer: where the live engine has them."""
    found = {}
    for name in names:
        kernel = model.get_layer(name).kernel.numpy()
        try:
            found[name], _ = cluster(kernel, clusters, keep_zero=keep_zero)
        except ValueError as error:
            raise ValueError(
                f"layer {name}: {error}, or leave the layer out: "
                f"layers={[other for other in names if other != name]}"
            ) from None
    return found
