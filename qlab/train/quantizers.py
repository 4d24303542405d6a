"""How tfmot's wrappers round: our quantizers, `QuantizeConfig` and schemes below 8 bits.

tfmot asks a scheme for the `QuantizeConfig` of each layer, and this for the quantizers of its
weights and activations.
"""

import contextlib

from qlab.arithmetic.rounding import REFITS, refit_range
from qlab.system.output import quiet
from qlab.train.keras2 import keras, tf, tfmot

with quiet():
    from tensorflow_model_optimization.python.core.quantization.keras import (
        quantize_annotate,
        quantize_layer,
        quantize_wrapper,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (  # noqa: E501
        cluster_preserve_quantize_registry as keeping_registry,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_configs,
        default_8bit_quantize_layout_transform,
        default_8bit_quantize_registry,
        default_8bit_quantize_scheme,
    )

quantizers = tfmot.quantization.keras.quantizers
Wrapper, InputQuantizer = quantize_wrapper.QuantizeWrapper, quantize_layer.QuantizeLayer
Annotation = quantize_annotate.QuantizeAnnotate
DefaultScheme = default_8bit_quantize_scheme.Default8BitQuantizeScheme
KERNELS = {"Conv2D": "kernel", "Dense": "kernel", "DepthwiseConv2D": "depthwise_kernel"}
BENT = ("tanh", "sigmoid", "softmax")  # what goes into them is rounded, wherever their output is
WEIGHT_RANGES = ("max", "least-squares")


class WeightQuantizer(quantizers.LastValueQuantizer):
    """Symmetric narrow grid for weights, one for each output channel or one in all."""

    def __init__(self, num_bits, per_channel=True, weight_range="max"):
        super().__init__(num_bits, per_channel, symmetric=True, narrow_range=True)
        self.weight_range = weight_range

    def build(self, tensor_shape, name, layer):
        self.is_depthwise = name.startswith("depthwise")
        channels = tensor_shape[-1] * (tensor_shape[-2] if self.is_depthwise else 1)
        shape = (channels,) if self.per_axis else ()
        return {
            f"{end}_var": layer.add_weight(
                f"{name}_{end}", shape, trainable=False,
                initializer=keras.initializers.Constant(sign * 6.0),
            )
            for end, sign in (("min", -1), ("max", 1))
        }  # fmt: skip

    def __call__(self, inputs, training, weights, **_):
        """Round to the grid; the gradient passes straight through [Bengio et al. 2013]."""
        x = self._by_channel(inputs)
        if training:
            self.update(x, weights)
        fake_quant = (
            tf.quantization.fake_quant_with_min_max_vars_per_channel
            if self.per_axis
            else tf.quantization.fake_quant_with_min_max_vars
        )
        rounded = fake_quant(
            x, weights["min_var"], weights["max_var"], num_bits=self.num_bits, narrow_range=True
        )
        return inputs + tf.stop_gradient(tf.reshape(rounded, tf.shape(inputs)) - inputs)

    def update(self, x, weights):
        """Move the ends of the grid to where these weights want them."""
        axes = [0] if self.per_axis else [0, 1]
        x = tf.reshape(x, (-1, x.shape[-1]))
        largest = tf.maximum(tf.reduce_max(tf.abs(x), axes), 1e-9)
        if self.weight_range == "least-squares":
            top, total = 2.0 ** (self.num_bits - 1) - 1, lambda values: tf.reduce_sum(values, axes)
            largest = refit_range(x, weights["max_var"], largest, top, total, tf)
        weights["max_var"].assign(largest)
        weights["min_var"].assign(-largest)

    def start(self, kernel, weights):
        """Set the ends for these weights, from nothing."""
        x = self._by_channel(kernel)
        WeightQuantizer.update(WeightQuantizer(self.num_bits, self.per_axis), x, weights)
        for _ in range(REFITS if self.weight_range == "least-squares" else 0):
            self.update(x, weights)

    def _by_channel(self, x):
        if not self.is_depthwise:
            return x
        return tf.reshape(x, (*x.shape[:2], x.shape[2] * x.shape[3]))

    def get_config(self):
        return {
            "num_bits": self.num_bits,
            "per_channel": self.per_axis,
            "weight_range": self.weight_range,
        }


class BitsConfig(tfmot.quantization.keras.QuantizeConfig):
    """Which parts of a layer are rounded, and to how many bits."""

    def __init__(
        self,
        weights=(),
        activations=(),
        output=False,
        weight_bits=8,
        activation_bits=8,
        per_channel=True,
        weight_range="max",
    ):
        self._config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self._weights, self._activations, self._output = list(weights), list(activations), output
        self.weight_quantizer = WeightQuantizer(weight_bits, per_channel, weight_range)
        self.activation_quantizer = quantizers.MovingAverageQuantizer(
            num_bits=activation_bits, per_axis=False, symmetric=False, narrow_range=False
        )

    def get_weights_and_quantizers(self, layer):
        """Pairs of weight and quantizer."""
        return [(getattr(layer, name), self.weight_quantizer) for name in self._weights]

    def get_activations_and_quantizers(self, layer):
        """Pairs of activation function and quantizer."""
        return [(getattr(layer, name), self.activation_quantizer) for name in self._activations]

    def set_quantize_weights(self, layer, quantize_weights):
        """Put rounded weights into the layer."""
        for name, value in zip(self._weights, quantize_weights, strict=True):
            setattr(layer, name, value)

    def set_quantize_activations(self, layer, quantize_activations):
        """Put rounding activation functions into the layer."""
        for name, value in zip(self._activations, quantize_activations, strict=True):
            setattr(layer, name, value)

    def get_output_quantizers(self, layer):
        """Quantizer of the output, in a list."""
        return [self.activation_quantizer] if self._output else []

    def get_config(self):
        return dict(self._config)


class BitsScheme(DefaultScheme):
    """tfmot's default scheme at other bits."""

    def __init__(self, model, logits_bits=8, **bits):
        super().__init__()
        self.logits = [x.name for x in model.layers if type(x).__name__ in KERNELS][-1]
        self.logits_bits, self.bits = logits_bits, bits

    def get_layout_transformer(self):
        """tfmot's transforms, and then our bits where they wrote 8."""
        return _Layout(self)

    def get_quantize_registry(self):
        """tfmot's list of layers, with our bits."""
        registry = default_8bit_quantize_registry.Default8BitQuantizeRegistry()
        registry.get_quantize_config = self.config
        return registry

    def config(self, layer, given=None):
        """Config of a layer at our bits, where a transform has given one at 8 bits or none."""
        kind = type(layer).__name__
        bits = dict(self.bits)
        if layer.name == self.logits:
            bits["activation_bits"] = self.logits_bits
        weights = [KERNELS[kind]] if kind in KERNELS else []
        if isinstance(given, default_8bit_quantize_configs.Default8BitOutputQuantizeConfig):
            return BitsConfig(output=True, **bits)
        if given is not None:  # rounded later: after the ReLU, the BatchNorm or the Concatenate
            name = getattr(getattr(layer, "activation", None), "__name__", "")
            return BitsConfig(weights, ["activation"] if name in BENT and weights else [], **bits)
        relu = kind == "Activation" and layer.activation.__name__ == "relu"
        output = kind in ("ReLU", "Add", "Concatenate", "GlobalAveragePooling2D") or relu
        return BitsConfig(weights, ["activation"] if weights else [], output, **bits)


class _Layout(default_8bit_quantize_layout_transform.Default8BitQuantizeLayoutTransform):
    def __init__(self, scheme):
        self.scheme = scheme

    def apply(self, model, layer_quantize_map):
        model, plan = super().apply(model, layer_quantize_map)
        for layer in model.layers:
            given = plan.get(layer.name, {}).get("quantize_config")
            if given is not None:
                plan[layer.name]["quantize_config"] = self.scheme.config(layer, given)
        return model, plan


class ZeroKeepingQuantizer(WeightQuantizer):
    """A grid for weights on which those that are zero when training begins stay zero."""

    def build(self, tensor_shape, name, layer):
        kernel = getattr(layer.layer, name)
        mask = tf.cast(tf.not_equal(kernel, 0), kernel.dtype).numpy()
        start = keras.initializers.Constant(mask)
        kept = layer.add_weight(f"{name}_kept", mask.shape, trainable=False, initializer=start)
        return super().build(tensor_shape, name, layer) | {"kept": kept}

    def __call__(self, inputs, training, weights, **_):
        return super().__call__(inputs * weights["kept"], training, weights)


class KeepZeros(BitsScheme):
    """Our scheme with quantizers that hold zeros."""

    def config(self, layer, given=None):
        """Config of a layer, as in the plain scheme but with the quantizer that keeps zeros."""
        config = super().config(layer, given)
        config.weight_quantizer = ZeroKeepingQuantizer(self.bits["weight_bits"])
        return config


class KeepClusters(tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme):
    """tfmot's scheme, with quantizers of its own for each layer, which keep any zeros."""

    def __init__(self, model):
        super().__init__()
        kernels = [(x, KERNELS.get(type(x).__name__)) for x in model.layers]
        self._full = {x.name for x, k in kernels if k and (getattr(x, k).numpy() != 0).all()}

    def get_quantize_registry(self):
        """tfmot's list of layers, asked anew for each layer, whose quantizers are then its own."""
        registry = keeping_registry.Default8bitClusterPreserveQuantizeRegistry
        own = registry(preserve_sparsity=True)
        own.get_quantize_config = lambda layer: registry(
            layer.name not in self._full
        ).get_quantize_config(layer)
        return own


class QuantizeLayer(InputQuantizer):
    """tfmot's step that rounds the input, which a load from a file would build twice."""

    def build(self, input_shape):
        if not self.built:
            super().build(input_shape)
            self.built = True


@contextlib.contextmanager
def scope():
    """While it lasts, Keras can read a quantization-aware model from a file."""
    ours = {kind.__name__: kind for kind in (BitsConfig, WeightQuantizer, QuantizeLayer)}
    with tfmot.quantization.keras.quantize_scope(), keras.utils.custom_object_scope(ours):
        yield
