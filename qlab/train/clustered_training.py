"""Weight clustering: a trained model learns on with few different weights a layer."""

from qlab.arithmetic import metrics
from qlab.arithmetic.clusters import cluster, require_clusters
from qlab.system.output import quiet
from qlab.train.checks import require_bare, require_wrapped, selected
from qlab.train.keras2 import copied, keras, tf, tfmot

with quiet():
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_wrapper

LINEAR = tfmot.clustering.keras.CentroidInitialization.LINEAR


class ClusterWeights(cluster_wrapper.ClusterWeights):
    """tfmot's wrapper, with centroids that can be set and zeros that a file does not lose."""

    def start(self, centroids):
        """Begin with these centroids, an array of float32 of shape (clusters,)."""
        self.cluster_centroids["kernel"].assign(centroids)
        self.settle()

    def settle(self):
        """Say anew which weights stay zero; tfmot does so only when it builds the layer."""
        if self.preserve_sparsity:
            kernel = self.original_clusterable_weights["kernel"]
            self.sparsity_masks["kernel"] = tf.cast(tf.not_equal(kernel, 0), kernel.dtype)
            self.zero_idx["kernel"] = tf.argmin(tf.abs(self.cluster_centroids["kernel"]))
        self.update_clustered_weights_associations()


def scope():
    """Scope in which Keras can load a model wrapped for clustering."""
    return keras.utils.custom_object_scope({"ClusterWeights": ClusterWeights})


def cluster_weights(model, clusters=16, layers=None, keep_zero=False):
    """Wrap a trained model so that each layer has at most `clusters` different weights.

    The centroids start where k-means puts them, and then they learn; at each step every weight
    goes to its nearest centroid anew [1]_. Train the model with `qlab.train.fit`, and then take
    the wrappers off with `strip_clustering`.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, in float. It stays as it is.
    clusters : int
        2 to 256, and no more than each of the layers has different weights.
    layers : iterable of str, optional
        Names of the layers to cluster; by default all Conv2D and Dense layers. Biases stay as
        they are.
    keep_zero : bool
        Keep the zeros of a pruned model: one of the centroids is 0, and what was 0 stays 0. This
        needs 3 clusters or more.

    Returns
    -------
    tf_keras.Model
        The wrapped model, which is not compiled.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        If the model is wrapped already, a layer cannot be clustered or has too few weights (the
        message names it), or `clusters` is not in range.

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
        A model from `cluster_weights`, trained or not.

    Returns
    -------
    tf_keras.Model
        It can be converted, saved, or trained on; training it without wrappers makes all weights
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
    """Where k-means puts the centroids of each layer, which is where the live engine puts them."""
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
