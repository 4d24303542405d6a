"""Which technique a model's layers are wrapped for, told by names: tfmot is not imported for it."""

from qlab.train.door import keras, require_keras_2

STRIP = {"pruning": "strip_pruning", "clustering": "strip_clustering"}
_KINDS = {
    "PruneLowMagnitude": "pruning",
    "ClusterWeights": "clustering",
    "Quantize": "quantization",
}


def technique(model):
    """What the layers of a Keras 2 model are wrapped for."""
    for layer in model.layers:
        found = technique(layer) if hasattr(layer, "layers") else _technique_of(layer)
        if found:
            return found
    return None


def require_stripped(model, verb="convert"):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers that should be off."""
    require_keras_2(model)
    found = technique(model)
    if found in STRIP:
        raise ValueError(
            f"this model is still wrapped for {found}: strip it first, and {verb} what comes out: "
            f"train.{STRIP[found]}(model)"
        )


def require_bare(model, verb):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers; `verb` as in "prune"."""
    require_stripped(model, verb)
    if technique(model):
        raise ValueError(
            f"this model is quantization-aware: {verb} the float model it came from, or "
            "train.float_twin(model); train.convert_quantized(model) makes its integer file"
        )


def require_wrapped(model, wanted, wrapped_by):
    """Raise, in words, unless the model is a Keras 2 model wrapped for `wanted`."""
    require_keras_2(model)
    found = technique(model)
    if found != wanted:
        state = "not wrapped" if found is None else f"wrapped for {found}"
        raise ValueError(
            f"this model is {state}, so there is nothing of {wanted} to strip: it was stripped "
            f"before, or never went through train.{wrapped_by}. Strip once, what you trained"
        )


def copied(model):
    """Another model of the same layers and weights, which shares nothing with the first."""
    twin = keras.models.clone_model(model)
    for new, old in zip(twin.weights, model.weights, strict=True):
        new.assign(old)
    return twin


def _technique_of(layer):
    names = [kind.__name__ for kind in type(layer).__mro__]
    for start, found in _KINDS.items():
        if any(name.startswith(start) for name in names):
            return found
    return None
