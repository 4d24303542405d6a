"""The case study of an introductory article, run as it is printed, and the control that it lacks.

As printed: pixels from 0 to 255, a softmax, Keras's own batches of 32 and learning rate, all 60,000
pictures to train on, the test pictures after each epoch, a SavedModel and its conversions, then
`quantize_model` and as many epochs again. Only the seed is ours.
"""

import contextlib
import functools
import io
import tempfile
from pathlib import Path

import numpy as np

from qlab import data, train
from qlab.system.output import quiet
from qlab.tflite.gzipping import gzip_size
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import predict
from tools.artefacts.common import Log, as_json, keras_bytes, pair
from tools.artefacts.runs import Run

EPOCHS = 10
SEEDS = (0,)  # the article has one run; each seed more takes as long again
FILE = "case-study.json"


def float_model(workshop, seed, epochs):
    """The first half: the float model, its SavedModel, and what the converter makes of that."""
    layers = train.keras.layers
    train.keras.utils.set_random_seed(seed)
    model = train.keras.Sequential()
    model.add(layers.Conv2D(32, kernel_size=2, input_shape=(28, 28, 1), activation="relu"))
    model.add(layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(layers.Conv2D(16, kernel_size=2, activation="relu"))
    model.add(layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(125, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    found = _trained(model, seed, epochs)
    with tempfile.TemporaryDirectory() as folder, _silent():
        model.save(folder, save_format="tf")
        found["saved_model_bytes"] = sum(
            x.stat().st_size for x in Path(folder).rglob("*") if x.is_file()
        )
        make = functools.partial(train.tf.lite.TFLiteConverter.from_saved_model, folder)
        found["files"] = {"float32": _file(make()), "DEFAULT": _file(_optimized(make()))}
    yield "found.json", as_json(found), {"part": True}
    yield "model.keras", keras_bytes(model), {"part": True}


def aware_model(workshop, seed, epochs):
    """The second half: the same model, wrapped by `quantize_model` and trained as long again."""
    model = train.tfmot.quantization.keras.quantize_model(_first(workshop, seed))
    found = _trained(model, seed, epochs)
    make = functools.partial(train.tf.lite.TFLiteConverter.from_keras_model, model)
    with _silent():
        found["files"] = {"float32": _file(make()), "DEFAULT": _file(_optimized(make()))}
    yield "found.json", as_json(found), {"part": True}


def longer(workshop, seed, epochs):
    """The control: the float model, trained as long again without `quantize_model`."""
    yield "found.json", as_json(_trained(_first(workshop, seed), seed, epochs)), {"part": True}


def case_study(workshop, seeds, parts):
    """All numbers in one file: for each part a list, by seed."""
    found = {
        part: [workshop.json(f"case-study-{part}-seed{seed}", "found.json") for seed in seeds]
        for part in parts
    }
    yield FILE, as_json(found), {}


def _first(workshop, seed):
    folder = f"case-study-float-seed{seed}"
    return train.keras.models.load_model(workshop.path(folder, "model.keras"))


def _trained(model, seed, epochs):
    """Compile and fit as printed; what `evaluate` says of both sets, and the test answers."""
    (images, labels), (test, truth) = _as_published(), pair("test")
    test = test[..., 0]
    train.keras.utils.set_random_seed(seed)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    log = Log()
    model.fit(
        images, labels, epochs=epochs, validation_data=(test, truth), callbacks=[log], verbose=0
    )
    if len(log.epochs) < epochs:
        raise KeyboardInterrupt
    answers = model.predict(test, verbose=0).argmax(axis=1)
    return {
        "training": dict(zip(("loss", "accuracy"), _evaluated(model, images, labels), strict=True)),
        "test": dict(zip(("loss", "accuracy"), _evaluated(model, test, truth), strict=True)),
        "history": log.history,
        "log": log.said(images, labels, seed),
        "answers": _digits(answers),
    }


def _evaluated(model, images, labels):
    return [float(x) for x in model.evaluate(images, labels, verbose=0)]


def _as_published():
    """The 60,000 training pictures in their own order, without the last axis, and their labels."""
    parts = [pair("train"), pair("validation")]
    images, labels = (np.concatenate(x) for x in zip(*parts, strict=True))
    if len(images) == 60_000:
        chosen = data.fashion_mnist.validation_indices()
        places = np.concatenate([np.setdiff1d(np.arange(len(images)), chosen), chosen])
        order = np.argsort(places)
        images, labels = images[order], labels[order]
    return images[..., 0], labels


def _optimized(converter):
    converter.optimizations = [train.tf.lite.Optimize.DEFAULT]
    return converter


def _file(converter):
    """Sizes of a converted file, and what LiteRT answers to the test pictures, unscaled."""
    content = converter.convert()
    images, labels = pair("test")
    answers = predict(LiteModel(content, "0 to 255"), images)
    return {
        "bytes": len(content),
        "gzip_bytes": gzip_size(content),
        "accuracy": float(np.mean(answers == labels)),
        "answers": _digits(answers),
    }


def _digits(answers):
    """Classes as one text, a digit each."""
    return "".join(map(str, answers))


@contextlib.contextmanager
def _silent():
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        yield


def part_run(part, seed):
    """The run of one of `PARTS`."""
    needs = () if part == "float" else (f"case-study-float-seed{seed}",)
    recipe = {"seed": seed, "epochs": EPOCHS}
    return Run(f"case-study-{part}-seed{seed}", PARTS[part], recipe, needs)


PARTS = {"float": float_model, "aware": aware_model, "longer": longer}
RECORDED = ("float", "longer")  # "aware" belongs here too, as soon as it has been run
RUNS = [part_run(part, seed) for seed in SEEDS for part in RECORDED]
RUNS.append(
    Run(
        "case-study",
        case_study,
        {"seeds": list(SEEDS), "parts": list(RECORDED)},
        tuple(run.name for run in RUNS),
    )
)
