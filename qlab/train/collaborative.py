"""Quantization-aware training that keeps what pruning and clustering have made of a model."""

from qlab.system.quiet import quiet
from qlab.train.door import keras, tf
from qlab.train.qat import set_ranges
from qlab.train.qat_checks import calibration_floats, check_model, check_settings
from qlab.train.schemes import KERNELS, BitsScheme, WeightQuantizer
from qlab.train.toolkit import tfmot

with quiet():
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (  # noqa: E501
        cluster_preserve_quantize_registry as registry,
    )


def preserving(model, weight_bits=8, calibration=None):
    """Wrap a pruned or clustered model for quantization-aware training that keeps it so.

    Plain quantization-aware training moves each weight by itself: zeros come back to life, and
    weights that were equal part. Here zeros stay zero; at 8 bits weights that are equal also stay
    equal, and the shared values learn [1]_.

    Parameters
    ----------
    model : tf_keras.Model
        From `strip_pruning` or `strip_clustering`. It stays as it is.
    weight_bits : int
        8: tfmot's scheme, and clusters are kept. 2 to 7: zeros are kept; the grid itself has few
        values.
    calibration : ndarray of uint8, shape (n, 28, 28, 1), optional
        As for `quantization_aware`.

    Returns
    -------
    tf_keras.Model
        To be trained with `qlab.train.fit` and converted with `convert_quantized`.

    Raises
    ------
    TypeError
        If `model` is not a Keras 2 model.
    ValueError
        As `quantization_aware` does.

    References
    ----------
    .. [1] TensorFlow Model Optimization, "Collaborative optimization": sparsity and cluster
       preserving quantization-aware training.

    Examples
    --------
    >>> import numpy as np
    >>> from qlab import train
    >>> images = np.full((4, 28, 28, 1), 200, np.uint8)
    >>> few = train.strip_clustering(train.cluster_weights(train.load("baseline"), 8))
    >>> aware = preserving(few, calibration=images)
    >>> [layer.name for layer in aware.layers if layer.name.startswith("quant_conv")]
    ['quant_conv1', 'quant_conv2']
    """
    check_settings(weight_bits, 8, 8, "per-channel", "max")
    check_model(model)
    images = calibration_floats(model, calibration)
    scheme = _Clusters(model) if weight_bits == 8 else _Zeros(weight_bits, model)
    with quiet():  # tfmot warns of layers without clusters or zeros, which are welcome here
        annotated = tfmot.quantization.keras.quantize_annotate_model(model)
        aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    set_ranges(aware, model, images)
    return aware


class _Clusters(tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme):
    """tfmot's scheme, with quantizers of its own for each layer."""

    def __init__(self, model):
        super().__init__()
        kernels = [(x, KERNELS.get(type(x).__name__)) for x in model.layers]
        self._full = {x.name for x, k in kernels if k and (getattr(x, k).numpy() != 0).all()}

    def get_quantize_registry(self):
        shared = registry.Default8bitClusterPreserveQuantizeRegistry
        own = shared(preserve_sparsity=True)
        own.get_quantize_config = lambda layer: shared(
            layer.name not in self._full
        ).get_quantize_config(layer)
        return own


class _Zeros(BitsScheme):
    """Our scheme below 8 bits, with quantizers that hold zeros."""

    def __init__(self, weight_bits, model):
        logits = [x.name for x in model.layers if type(x).__name__ in KERNELS][-1]
        bits = {
            "weight_bits": weight_bits,
            "activation_bits": 8,
            "per_channel": True,
            "weight_range": "max",
        }
        super().__init__(bits, logits, 8)

    def config(self, layer, given=None):
        config = super().config(layer, given)
        config.weight_quantizer = ZeroKeepingQuantizer(self.bits["weight_bits"])
        return config


class ZeroKeepingQuantizer(WeightQuantizer):
    """A grid for weights on which those that are zero when training begins stay zero."""

    def build(self, tensor_shape, name, layer):
        """Make the variables of the grid, and the mask."""
        kernel = getattr(layer.layer, name)
        mask = tf.cast(tf.not_equal(kernel, 0), kernel.dtype).numpy()
        start = keras.initializers.Constant(mask)
        kept = layer.add_weight(f"{name}_kept", mask.shape, trainable=False, initializer=start)
        return super().build(tensor_shape, name, layer) | {"kept": kept}

    def __call__(self, inputs, training, weights, **_):
        """Round what is kept."""
        return super().__call__(inputs * weights["kept"], training, weights)
