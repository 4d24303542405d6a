"""`make models`: Keras models as people write them, and what becomes of each with 8 bits.

A model works, or stays in float in part with a note, or is refused with a remedy. It is coarser if
as many answers agree with float as with the TFLite converter's own int8 file, but with a larger
error. It is wrong if fewer agree, if its float file does not answer as Keras does, or if anything
but a refusal in words is raised.

The error of one draw of weights says little, because part of it may be one offset of all answers,
which is another with other weights. So what seems coarser is trained again from other weights, and
the mean decides.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

SHOWN, CALIBRATION, STEPS, DRAWS = 500, 128, 60, 4
DECIBELS, POINTS, AGREEING = 1, 2, 97  # less than the converter by so much; and where it has none
KEPT = Path(__file__).parents[1] / "build" / "models.md"


class Row(NamedTuple):
    """What became of one model."""

    name: str
    became: str
    """``works``, ``in part`` (the rest stays in float), ``coarser``, ``refused`` or ``wrong``."""
    ours_db: float | None = None
    theirs_db: float | None = None
    ours_percent: float | None = None
    """Answers that agree with the float model."""
    theirs_percent: float | None = None
    words: str = ""


def row(name, train=True, theirs=True):
    """What became of a model, of the mean of several draws of its weights if it seems coarser."""
    found = _row(name, train, theirs)
    if found.became != "coarser":
        return found
    rows = [found, *(_row(name, train, theirs, draw) for draw in range(DRAWS))]
    return averaged([x for x in rows if x.theirs_db is not None])


def averaged(rows):
    """The first row, judged by the mean of all."""
    first, gap = rows[0], np.mean([x.ours_db - x.theirs_db for x in rows])
    means = f"Over {len(rows)} draws of weights the mean is {gap:+.1f} dB from the converter's."
    if any(x.became == "wrong" for x in rows):
        return first._replace(became="wrong", words=f"{means} {first.words}")
    calm = "in part" if "stay in float" in first.words else "works"
    became = "coarser" if gap < -DECIBELS else calm
    return first._replace(became=became, words=f"{first.words} {means}")


def _row(name, train, theirs, draw=5):
    """Build a model, train it for a moment, compress it, and compare it with the converter's."""
    import kinds

    from qlab import LiteModel, ModelError

    keras_model = kinds.built(name, draw)
    pictures, shown = _pictures(keras_model, STEPS * 64), _pictures(keras_model, SHOWN, True)
    if train and pictures is not None:
        _train(keras_model, pictures)
    try:
        source = LiteModel.from_keras(keras_model)
        return _compared(name, keras_model, source, pictures[:CALIBRATION], shown, theirs)
    except (ModelError, ValueError) as error:
        return Row(name, "refused", words=str(error))
    except Exception as error:
        return Row(name, "wrong", words=repr(error))


def _compared(name, keras_model, source, calibration, shown, theirs):
    from qlab import Compressor, LiteModel, Recipe, predict
    from qlab.engine.floating import WHOLE

    if len(keras_model.inputs) + len(keras_model.outputs) > 2:
        predict(source, shown)  # says what it needs
    due, compressor = _of_keras(keras_model, shown), Compressor(source, calibration)
    recipe = Recipe(calibration_size=CALIBRATION)
    small = LiteModel.from_bytes(compressor.compress(recipe).data)
    LiteModel.from_bytes(compressor.compress(Recipe(4, 4, calibration_size=CALIBRATION)).data)
    reasons = compressor.plan(recipe).floating.reasons.values()
    notes = compressor.notes(recipe)
    found = [_distance(due, _answers(x, shown)) for x in (source, small)]
    other = _converted(keras_model, calibration) if theirs else None
    found.append(_distance(due, _answers(other, shown)) if other else (None, None))
    words = " ".join(notes) if {*reasons} - {WHOLE} else ""
    became, why = problem(*found)
    became = became or ("in part" if words else "works")
    return Row(name, became, *_mixed(*found[1:]), f"{why} {words}".strip())


def _mixed(ours, theirs):
    return ours[0], theirs[0], ours[1], theirs[1]


def problem(source, ours, theirs):
    """``wrong`` or ``coarser``, and why, from dB and percent of three files; empty if neither."""
    if source[0] < 60:
        return "wrong", f"The float file is only {source[0]:.0f} dB from Keras."
    if ours[1] < (AGREEING if theirs[0] is None else theirs[1] - POINTS):
        return "wrong", "Too few answers agree with float."
    if theirs[0] is not None and ours[0] < theirs[0] - DECIBELS:
        return (
            "coarser",
            "As many agree, but with these weights the error is larger.",
        )
    return "", ""


def _distance(due, seen):
    """Signal to noise in dB, and percent of answers that agree."""
    noise = np.square(seen - due, dtype=np.float64).sum()
    decibels = 10 * np.log10(np.square(due, dtype=np.float64).sum() / max(noise, 1e-12))
    return float(min(decibels, 150)), 100 * float((_decided(due) == _decided(seen)).mean())


def _decided(answers):
    return answers.argmax(1) if answers.shape[1] > 1 else answers[:, 0] > np.median(answers)


def _pictures(keras_model, count, held_out=False):
    """Real pictures in the shape that a model takes; None for several inputs."""
    from qlab import data

    if len(keras_model.inputs) > 1:
        return np.zeros((count, 28, 28, 1), np.uint8)
    split = data.load().validation if held_out else data.load().train
    images, shape = split.images[:count], tuple(keras_model.input_shape[1:])
    if len(shape) == 3 and shape[-1] == 3:
        images = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
        return np.concatenate([images, images[:, ::-1], 255 - images], -1)
    middle = images.reshape(count, -1)[:, 300 : 300 + int(np.prod(shape))]
    return (images if np.prod(shape) == 784 else middle).reshape(count, *shape)


def _given(keras_model, images):
    """What Keras gets: pixels from 0 to 1, or whole numbers."""
    return images if keras_model.inputs[0].dtype.is_integer else images / np.float32(255)


def _train(keras_model, images):
    """A moment of training, where a model has ten answers, so that it is no noise."""
    from qlab import data
    from qlab.train import keras

    shape = keras_model.output_shape
    if isinstance(shape, list) or shape[1:] != (10,) or not keras_model.trainable_weights:
        return
    if len(keras_model.inputs) > 1:
        return
    if keras_model.input_shape[0]:  # the same layers, for any number of pictures
        free = keras.Input(keras_model.input_shape[1:])
        keras_model = keras.Sequential([free, *keras_model.layers])
    shares = getattr(keras_model.layers[-1], "activation", None) is keras.activations.softmax
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not shares)
    for layer in keras_model.submodules:  # so few steps would not reach the statistics
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    keras_model.compile(keras.optimizers.legacy.Adam(2e-3), loss)
    labels = data.load().train.labels[: len(images)]
    keras_model.fit(_given(keras_model, images), labels, batch_size=64, epochs=1, verbose=0)


def _of_keras(keras_model, images):
    size = keras_model.input_shape[0] or 50
    due = keras_model.predict(_given(keras_model, images), size, verbose=0)
    return due.reshape(len(images), -1)


def _answers(model, images):
    """What a file answers, in real values, a row an image."""
    from qlab.tflite import runtime
    from qlab.tflite.answers import _real

    rows = np.concatenate([x for _, [x] in runtime._outputs(model, images)])
    return _real(model, rows.reshape(len(images), -1))


def _converted(keras_model, calibration):
    """The converter's own int8 file; None if it gives none."""
    from qlab import LiteModel, train

    try:
        return LiteModel(train.convert(keras_model, "int8", calibration))
    except ValueError:
        return None


def table(names, train=True, say=lambda row: None):
    """A row for each model, worked out in a process that the converter may end."""
    rows = []
    for name in names:
        for theirs in (True, False):
            try:
                rows.append(_pool().submit(row, name, train, theirs).result())
                break
            except BrokenProcessPool:
                _POOLS.clear()
        else:
            rows.append(Row(name, "wrong", words="Its process ended."))
        say(rows[-1])
    return rows


_POOLS = []


def _pool():
    if not _POOLS:
        _POOLS.append(ProcessPoolExecutor(1, get_context("spawn")))
    return _POOLS[0]


def line(row):
    """A row of the table, in Markdown."""
    number = lambda x, unit: "–" if x is None else f"{x:.1f} {unit}"  # noqa: E731
    numbers = [number(x, "dB") for x in row[2:4]] + [number(x, "%") for x in row[4:6]]
    return f"| {' | '.join([row.name, row.became, *numbers, row.words])} |"


HEADER = """\
| model | with 8 bits | SNR | converter | agreement | converter | notes, or why it is refused |
|---|---|---|---|---|---|---|"""


def main(names, train=True):
    """Print and keep the table; 1 if anything is wrong."""
    import kinds

    print(HEADER, flush=True)
    rows = table(names or kinds.BUILDERS, train, lambda x: print(line(x), flush=True))
    count = lambda became: sum(x.became == became for x in rows)  # noqa: E731
    sums = ", ".join(f"{count(x)} {x}" for x in ("works", "in part", "coarser", "refused", "wrong"))
    print(f"\n{len(rows)} models: {sums}")
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text("\n".join([HEADER, *map(line, rows), "", sums, ""]))
    return 1 if count("wrong") else 0


def options():
    """What the command line asks for."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog="make models ARGS=...", description=about)
    parser.add_argument("names", nargs="*", help="models (default: all)")
    parser.add_argument("--untrained", dest="train", action="store_false", help="quicker")
    return vars(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main(**options()))
