"""What every door of this room asks of models, images, labels and settings before it works."""

import numpy as np

from qlab.data import doors
from qlab.data.doors import require_whole
from qlab.train.keras2 import KERNEL_LAYERS, REMEDY, WHOLE, keras, tf

SCHEDULES = ("constant", "cosine")
LARGEST_PIXEL = 16  # of float images: standardized ones stay below, those of 0 to 255 do not
REDUCED = ("float16", "bfloat16", "float64")

AS_FILE = (
    "convert it with tf.lite.TFLiteConverter.from_keras_model(model).convert(), write the bytes to "
    "mine.tflite, and read them with qlab.LiteModel.from_file('mine.tflite')"
)
STRIP = {"pruning": "strip_pruning", "clustering": "strip_clustering"}
_WRAPPERS = {  # how the names of tfmot's wrappers begin: tfmot need not be imported to see them
    "PruneLowMagnitude": "pruning",
    "ClusterWeights": "clustering",
    "Quantize": "quantization",
}
_ONLY_SHAPES = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Dropout)


def require_keras_2(model, several_inputs=False, verb=""):
    """Raise, in words, unless `model` is a Keras 2 model that this room can work with."""
    require_settings_of_keras()
    if not isinstance(model, keras.Model):
        kind = type(model)
        if kind.__module__.split(".")[0] == "keras":
            remedy = f"{AS_FILE}. To train it here: {REMEDY}" if verb == "convert" else REMEDY
            raise TypeError(f"this is a Keras 3 model ({kind.__name__}); {remedy}")
        raise TypeError(f"expected a Keras 2 model (tf_keras.Model), got {kind.__name__}")
    if isinstance(getattr(model, "student", None), keras.Model):
        raise TypeError(
            "a Distiller trains a model and is none itself: give its student, distiller.student"
        )
    _require_one_input(model, several_inputs)
    _require_channels_last(model)
    require_finite(model)


def require_settings_of_keras():
    """Raise, in words, if this kernel's Keras would build other layers than the course's."""
    backend, policy = keras.backend, keras.mixed_precision.global_policy().name
    wanted = {  # what is set, how it should be, and what sets it
        "the image data format": (
            backend.image_data_format(), "channels_last", "backend.set_image_data_format"
        ),
        "the type of numbers": (backend.floatx(), "float32", "backend.set_floatx"),
        "the policy for precision": (policy, "float32", "mixed_precision.set_global_policy"),
    }  # fmt: skip
    for name, (found, right, setter) in wanted.items():
        if found != right:
            raise ValueError(
                f"{name} of Keras is {found} in this kernel, and the course's networks, its "
                f"training and TFLiteConverter need {right}: call keras.{setter}({right!r}) "
                "before the model is built"
            )


def _require_one_input(model, several):
    if model.inputs is None and isinstance(model, keras.Sequential) and model.layers:
        shape = getattr(model.layers[0], "input_shape", None)  # a Sequential in a Sequential
        if isinstance(shape, tuple):
            model(keras.Input(shape[1:]))
    if model.inputs is None and not isinstance(model, keras.Sequential):
        raise ValueError(
            f"this model is a class of its own ({type(model).__name__}), so that nobody can see "
            "which layers follow on which: build it as keras.Model(inputs, outputs)"
        )
    if model.inputs is None:
        raise ValueError(
            "this model does not say its one input: begin it with keras.Input((28, 28, 1))"
        )
    if len(model.inputs) != 1 and not several:
        raise ValueError(
            f"this model has {len(model.inputs)} inputs ({', '.join(model.input_names)}), and qlab "
            "gives images to one: make a keras.Model of one of them, with the others in its layers"
        )


def every_layer(model):
    """All layers that work, those inside of other models and wrappers too."""
    return model._flatten_layers(include_self=False)


def _require_channels_last(model):
    for layer in every_layer(model):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                f"layer {layer.name} has data_format='channels_first', and images have their "
                "channels last here: build the model with data_format='channels_last'"
            )


def require_finite(model):
    """Raise, naming the weights, if some of a model's weights are NaN or infinite."""
    for weight in model.weights:
        if weight.dtype.is_floating and not np.isfinite(weight.numpy()).all():
            raise ValueError(
                f"the weights {weight.name} hold NaN or infinity, so that every answer of this "
                "model would be wrong: build or load it again, and train it with a smaller "
                "learning_rate"
            )


def require_full_precision(model):
    """Raise, naming the layer, unless all layers compute in float32, as `.tflite` files do."""
    for layer in every_layer(model):
        if layer.compute_dtype in REDUCED:
            raise ValueError(
                f"layer {layer.name} computes in {layer.compute_dtype}, and a .tflite file needs "
                "float32: call keras.mixed_precision.set_global_policy('float32'), build the "
                "model again, and give it the weights: new.set_weights(old.get_weights())"
            )


def require_not_recurrent(model, mode):
    """Raise, naming the layer, where TFLiteConverter would end this whole process."""
    for layer in every_layer(model):
        loops = isinstance(layer, keras.layers.RNN) and not getattr(layer, "unroll", False)
        if loops and type(layer) is not keras.layers.LSTM:
            raise ValueError(
                f"layer {layer.name} is a {type(layer).__name__}, a loop for which TFLiteConverter "
                f"cannot find ranges, as {mode} needs them: convert with 'dynamic-range', or build "
                "the layer with unroll=True, or take an LSTM"
            )


def require_one_output(model):
    """Raise, in words, unless a Keras 2 model has one output."""
    if len(model.outputs) != 1:
        raise ValueError(
            f"this model has {len(model.outputs)} outputs ({', '.join(model.output_names)}), and "
            "labels belong to one: train keras.Model(model.input, model.outputs[0]), which has "
            "the same layers"
        )


def require_classifier(model):
    """Raise, in words, unless a Keras 2 model has one output with a number for each class."""
    require_one_output(model)
    if len(model.output_shape) != 2 or (model.output_shape[1] or 0) < 2:
        raise ValueError(
            f"this model answers with the shape {model.output_shape}, where one number for each "
            "class is needed: end it with keras.layers.Flatten() and keras.layers.Dense(10), for "
            "two classes Dense(2)"
        )


def gives_probabilities(model):
    """Whether a model's answers are probabilities: they add up to 1, whatever it is shown."""
    if technique(model) == "quantization":  # its answers are rounded
        return _ends_in_softmax(model)
    shape = [n or 4 for n in model.input_shape]
    probe = np.random.default_rng(0).random(shape, dtype=np.float32)
    answers = np.asarray(model(probe * 255 if scales_itself(model) else probe, training=False))
    return bool((answers >= 0).all() and np.abs(answers.sum(axis=-1) - 1).max() < 1e-2)


def _ends_in_softmax(model):
    """Whether the last layer that changes a number is a softmax, inside of tfmot's wrapper."""
    for layer in reversed([getattr(layer, "layer", layer) for layer in model.layers]):
        function = getattr(layer, "activation", None)
        function = getattr(function, "activation", function)
        if isinstance(layer, keras.layers.Softmax) or function is keras.activations.softmax:
            return True
        if function is not keras.activations.linear and not isinstance(layer, _ONLY_SHAPES):
            return False
    return False


def technique(model):
    """What the layers of a model are wrapped for: a value of `_WRAPPERS`, or None."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found = technique(layer)
        else:
            names = [kind.__name__ for kind in type(layer).__mro__]
            found = next(
                (x for start, x in _WRAPPERS.items() if any(n.startswith(start) for n in names)),
                None,
            )
        if found:
            return found
    return None


def require_stripped(model, verb="convert", several_inputs=False):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers that should be off."""
    require_keras_2(model, several_inputs, verb)
    found = technique(model)
    if found in STRIP:
        raise ValueError(
            f"this model is still wrapped for {found}: strip it first, and {verb} what comes out: "
            f"train.{STRIP[found]}(model)"
        )


def require_bare(model, verb, several_inputs=False):
    """Raise, in words, unless `model` is a Keras 2 model without wrappers; `verb` as in "prune"."""
    require_stripped(model, verb, several_inputs)
    if technique(model):
        raise ValueError(
            f"this model is quantization-aware: {verb} the float model it came from, or "
            "train.float_twin(model); train.convert_quantized(model) makes its integer file"
        )


def require_wrapped(model, wanted, wrapped_by):
    """Raise, in words, unless `model` is a Keras 2 model wrapped for `wanted`."""
    require_keras_2(model)
    found = technique(model)
    if found != wanted:
        state = "not wrapped" if found is None else f"wrapped for {found}"
        raise ValueError(
            f"this model is {state}, so there is nothing of {wanted} to strip: it was stripped "
            f"before, or never went through train.{wrapped_by}. Strip once, what you trained"
        )


def as_floats(images):
    """Images as a network takes them: uint8 divided by 255, float32 as they are."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def require_images(model, images, name):
    """Images as an array that `as_floats` makes fit for the model, or an error in words."""
    images = doors.feedable(images, name)
    wanted = tuple(model.input_shape[1:])
    if images.ndim != len(wanted) + 1 or images.shape[1:] != wanted:
        remedy = doors.colours(wanted, images.shape[1:])
        raise ValueError(
            f"{name} must have shape (n, {str(wanted)[1:-1]}), not {images.shape}"
            f"{remedy or '; images.reshape adds an axis for one channel'}"
        )
    if images.dtype == np.float32 and len(images):
        _check_range(images, scales_itself(model), name)
    return images.astype(np.float32) if scales_itself(model) else images


def _check_range(images, scaled, name):
    low, high = images.min(), images.max()
    if scaled and 0 < max(-low, high) <= 1:
        raise ValueError(
            f"this model divides pixels by itself or takes uint8, and {name} reach only from "
            f"{low:g} to {high:g}: give the pixels 0 to 255, as uint8"
        )
    if not scaled and max(-low, high) > LARGEST_PIXEL:
        raise ValueError(
            f"{name} are float32 and reach from {low:g} to {high:g}, where 0 to 1 is meant: divide "
            "them by 255, or give them as uint8. A model that was trained on 0 to 255 can stand "
            "behind a keras.layers.Rescaling(255.0)"
        )


def scales_itself(model):
    """Whether a model takes pixels of 0 to 255: it begins by dividing them, or takes uint8."""
    if model.inputs[0].dtype == tf.uint8:
        return True
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.Rescaling):
            return bool(np.max(layer.scale) < 0.1)
        if isinstance(layer, keras.layers.Normalization):
            return bool(np.max(layer.get_weights()[0] if layer.weights else layer.mean) > 1)
        if layer.trainable_weights and not isinstance(layer, keras.Model):
            return False
    return False


def require_calibration(model, images):
    """Calibration images as floats, or an error in words."""
    images = require_images(model, images, "the calibration images")
    remedy = "give some of the training images, such as qlab.data.calibration_images(128)"
    if not len(images):
        raise ValueError(f"the calibration set is empty: {remedy}")
    if not images.any():
        raise ValueError(f"the calibration images {doors.NOTHING}: {remedy}")
    return as_floats(images)


def selected(model, layers, done, kinds=KERNEL_LAYERS):
    """Names of the layers to work on, or an error that names the layer that cannot be `done`."""
    able = {layer.name: type(layer) in kinds for layer in model.layers}
    fitting = [name for name, fits in able.items() if fits]
    words = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(layers, str):
        raise TypeError(f"layers is a list of names: say [{layers!r}]")
    if layers is None:
        for layer in model.layers:
            if layer.trainable_weights and type(layer) not in (*KERNEL_LAYERS, *WHOLE):
                raise ValueError(
                    f"layer {layer.name} is a {type(layer).__name__}, which cannot be {done}; only "
                    f"{words} can. Name the layers that should be: layers={fitting}"
                )
        layers = fitting
    for name in layers:
        if name not in able:
            raise ValueError(f"there is no layer {name!r}; there are: {', '.join(able)}")
        if not able[name]:
            kind = type(model.get_layer(name)).__name__
            raise ValueError(
                f"layer {name} is a {kind}, which cannot be {done} so; only {words} can: {fitting}"
            )
    if not layers:
        raise ValueError(f"no layer to be {done}: this needs a {words}, and the model has none")
    return list(dict.fromkeys(layers))


def check_settings(epochs, batch_size, learning_rate, schedule, seed=0):
    """Raise, in words, if a setting of training is out of its range."""
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}; got {schedule!r}")
    require_whole("epochs", epochs, 1)
    require_whole("batch_size", batch_size, 1)
    require_whole("seed", seed, 0, 2**32 - 1)
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be above 0; got {learning_rate!r}")


def checked_pair(model, images, labels):
    """Images and labels as arrays, or an error, in words, unless they fit the model."""
    require_classifier(model)
    images = require_images(model, images, "images")
    return images, doors.class_row(labels, len(images), model.output_shape[-1])


def checked_validation(model, validation):
    """The pair to score on, from a pair or a `qlab.data.Split`; None as it is."""
    if validation is None:
        return None
    return checked_pair(model, *doors.pair(validation, "validation"))


def check_callbacks(callbacks, names, validation):
    """Callbacks as a list; an error, in words, if one looks at a number that there will not be."""
    callbacks, known = list(callbacks or ()), list(names)
    hint = ", and with validation=(images, labels) also validation_loss and validation_accuracy"
    if validation is not None:
        known += ["validation_loss", "validation_accuracy", "val_loss", "val_accuracy"]
        hint = ""
    for callback in callbacks:
        looked_at = getattr(callback, "monitor", None)
        asks = getattr(callback, "save_best_only", True)  # of a ModelCheckpoint
        if looked_at is not None and asks and looked_at not in known:
            raise ValueError(
                f"{type(callback).__name__} looks at {looked_at!r}, which this training does not "
                f"have: give it one of these as monitor=: {', '.join(known)}{hint}"
            )
    return callbacks
