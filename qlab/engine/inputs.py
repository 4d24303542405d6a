"""What the layers of a float model see: moments of their inputs, from the calibration images."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.arithmetic.moments import input_moments, patch_moments
from qlab.arithmetic.rounding import curvature
from qlab.tflite import runtime

MOST_IMAGES = 512  # more change nothing that can be measured
MOST_INPUTS = 6_000  # of a weight row: their second moments, factored, take 1.5 GB and 5 s
AT_ONCE = 64
_PADDINGS = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}


class Inputs:
    """Moments of every layer with weights, taken when the first of them is asked for."""

    def __init__(self, model, images):
        self._model = model
        self._images = None if images is None else images[:MOST_IMAGES]
        self._keys = {x.name: _key(x) for x in model.layers if _can_be_held(x)}
        self._moments, self._curvatures = {}, {}

    def mean(self, layer):
        """Mean input of each weight of a row, float64, shape (groups, inputs)."""
        return self._of(layer).mean

    def curvature(self, layer):
        """What GPTQ needs of a layer's inputs; remembered."""
        seen, key = self._of(layer), self._keys[layer]
        if key not in self._curvatures:
            self._curvatures[key] = curvature(seen.second)
        return self._curvatures[key]

    def _of(self, layer):
        if not self._moments:
            self._moments = self._seen()
        if layer not in self._keys:
            raise ValueError(
                f"{layer} has more than {MOST_INPUTS:,} inputs, and the moments of all pairs of "
                "them would fill the memory; give that layer rounding 'nearest', a range that does "
                "not look at outputs, and no bias correction"
            )
        return self._moments[self._keys[layer]]

    def _seen(self):
        """Run the images through the float model once more, and add up."""
        model, found = self._model, {}
        steps = zip(model.layers, model.parsed.subgraphs[0].operators, strict=True)
        weighted = {_key(x): (x, operator) for x, operator in steps if _can_be_held(x)}
        tensors = sorted({layer.inputs[0] for layer, _ in weighted.values()})
        for _, batch in runtime.activations(model, self._images, tensors, AT_ONCE):
            values = dict(zip(tensors, batch, strict=True))
            for key, (layer, operator) in weighted.items():
                seen = _moments(layer, operator.builtinOptions, values[layer.inputs[0]])
                found[key] = found[key] + seen if key in found else seen
        return found


def _key(layer):
    """What decides about a layer's moments: dense layers that read the same see the same."""
    return layer.inputs[0] if layer.op == "FULLY_CONNECTED" else layer.name


def _can_be_held(layer):
    weights = layer.weights
    return weights is not None and weights.size // weights.shape[layer.channel_axis] <= MOST_INPUTS


def _moments(layer, options, values):
    if layer.op == "FULLY_CONNECTED":
        return input_moments(values.reshape(-1, layer.weights.shape[1]))
    values = values.reshape(-1, *values.shape[-3:])  # if its first axis is not the batch
    _, height, width, depth = layer.weights.shape
    groups = values.shape[3] if layer.op == "DEPTHWISE_CONV_2D" else values.shape[3] // depth
    return patch_moments(
        values, (height, width), (options.strideH, options.strideW), _PADDINGS[options.padding],
        (options.dilationHFactor, options.dilationWFactor), groups,
    )  # fmt: skip


def as_matrix(values, axis):
    """A layer's weights, a row for each output, a column for each input that it sums over."""
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def from_matrix(matrix, like, axis):
    """The inverse of `as_matrix`, in the shape of `like`."""
    shape = np.moveaxis(like, axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(matrix.reshape(shape), 0, axis))
