"""What a learner might bring: a network of Keras 3 for handwritten digits, in two forms.

One was trained on pixels from 0 to 1, and is also there as the converter's int8. The other was
trained on the pixels as they are, 0 to 255, and nothing in its file says so.
"""

import contextlib
import io

import keras

from qlab import train
from qlab.data import digits
from qlab.system.output import quiet
from qlab.tflite.pixels import WAYS
from tools.artefacts.common import CALIBRATION_SIZE, Log
from tools.artefacts.runs import Run

BATCH_SIZE = 32
TRAINING = {"seed": 0, "epochs": 20, "learning_rate": 2e-3}  # the rate falls to 0 in a cosine


def network(seed):
    """Build it as people write it today: BatchNormalization, a skip, Flatten, LayerNormalization.

    Its layers with weights are conv1, conv2, conv3, dense1 and logits.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(momentum=0.9, name="norm1")(x)
    x = skipped = layers.ReLU(name="relu1")(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.Conv2D(16, 3, padding="same", name="conv3")(x)
    x = layers.ReLU(name="relu3")(layers.Add(name="skip")([x, skipped]))
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="pool")(x))
    x = layers.Dense(64, activation="relu", name="dense1")(x)
    x = layers.LayerNormalization(name="norm2")(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="digits")


def digit_files(workshop, name, pixels, int8, **training):
    """Train it on pixels of one of `WAYS`, and convert it."""
    data, model = digits.load(), network(training["seed"])
    history, log = _fitted(model, data, pixels, **training)
    about = {"dataset": data.name, "pixels": pixels}
    whole = about | {"trainings": [log], "history": history}
    yield f"{name}.tflite", _converted(model), whole
    if int8:
        few = _scaled(data.calibration_images(CALIBRATION_SIZE), pixels)
        yield f"{name}-int8.tflite", _converted(model, few), about | {"mode": "int8"}


def _fitted(model, data, pixels, seed, epochs, learning_rate):
    split, note = data.train, Log()
    steps = epochs * -(-len(split) // BATCH_SIZE)
    falling = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(falling), loss, metrics=["accuracy"])
    model.fit(
        _scaled(split.images, pixels), split.labels, BATCH_SIZE, epochs,
        validation_data=(_scaled(data.validation.images, pixels), data.validation.labels),
        callbacks=[note], verbose=0,
    )  # fmt: skip
    return note.history, note.said(split.images, split.labels, seed)


def _scaled(images, pixels):
    scale, offset = WAYS[pixels]
    return images.astype("float32") * scale + offset


def _converted(model, calibration=None):
    """The content of a `.tflite` file; an int8 one if there are images to calibrate on."""
    converter = train.tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        converter.optimizations = [train.tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
        converter.target_spec.supported_ops = [train.tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = train.tf.int8
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


RUNS = [
    Run("digits", digit_files,
        {"name": "digits", "pixels": "0 to 1", "int8": True, **TRAINING}),
    Run("digits-raw", digit_files,
        {"name": "digits-raw", "pixels": "0 to 255", "int8": False, **TRAINING}),
]  # fmt: skip
