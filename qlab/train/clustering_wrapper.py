"""tfmot's clustering wrapper, and the scope in which a file with it can be loaded."""

from qlab.system.quiet import quiet
from qlab.train.door import keras, tf
from qlab.train.toolkit import tfmot  # noqa: F401  (in quiet, before its inner modules)

with quiet():
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_wrapper

Base = cluster_wrapper.ClusterWeights


class ClusterWeights(Base):
    """The wrapper, with centroids that can be set and zeros that a file does not lose."""

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
