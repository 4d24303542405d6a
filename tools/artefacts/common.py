"""What every recipe needs: the data, a training that ends and says what it did, and measuring."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from qlab import data, train
from qlab.data import texts
from qlab.system.files import write_whole
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.runtime import evaluate
from qlab.train.model_files import save
from qlab.trials.language import score_text
from tools.artefacts.runs import digest

CALIBRATION_SIZE = 128


DATASETS = {None: lambda: data.load(), "digits": data.digits.load}  # by name in the manifest


def pair(split, dataset=None):
    """(images, labels) of a split by its name."""
    found = getattr(DATASETS[dataset](), split)
    return found.images, found.labels


def fitted(
    model, epochs, images_and_labels=None, fit=train.fit, validated=True, file=None, **training
):
    """Train to the end; return the history and the log of what was done.

    Training keeps what it had when it is interrupted; what ships must be whole.
    """
    images, labels = images_and_labels or pair("train")
    note = Log(file)
    scored = {"validation": pair("validation")} if validated else {}
    callbacks = [note, *training.pop("callbacks", ())]
    fit(
        model, images, labels, epochs=epochs, callbacks=callbacks, progress=False,
        **scored, **training,
    )  # fmt: skip
    if len(note.epochs) < epochs:
        raise KeyboardInterrupt
    return note.history, note.said(images, labels, training.get("seed", 0))


class Log(train.keras.callbacks.Callback):
    """Notes what a training does, step by step, for the manifest.

    With a file to keep it in, it goes on where an interrupted training goes on.
    """

    def __init__(self, file=None):
        super().__init__()
        self.file, self.rates, self.epochs, self.history = file, [], [], {}
        if file and file.exists():
            self.rates, self.epochs, self.history = json.loads(file.read_text("utf-8"))

    def on_epoch_begin(self, epoch, logs=None):
        """Forget the epochs that are trained again."""
        del self.epochs[epoch:], self.rates[self.epochs[-1] if epoch else 0 :]
        for values in self.history.values():
            del values[epoch:]

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        now = getattr(optimizer, "_current_learning_rate", None)  # where there is a schedule
        self.rates.append(float((optimizer.learning_rate if now is None else now).numpy()))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(len(self.rates))
        renamed = {name.replace("val_", "validation_"): value for name, value in logs.items()}
        for name, value in renamed.items():  # `train` has both names in its logs
            self.history.setdefault(name, []).append(float(value))
        if self.file:
            write_whole(self.file, json.dumps([self.rates, self.epochs, self.history]).encode())

    def said(self, images, labels, seed):
        """What was done: steps, learning rates, and which images in which order (by the seed)."""
        rates = np.float32(self.rates)
        starts = [0, *self.epochs[:-1]]
        return {
            "epochs": len(self.epochs),
            "steps": len(rates),
            "images": len(images),
            "images_sha256": digest(images, np.asarray(labels, "<i8")),
            "order_seed": seed,
            "optimizer": type(self.model.optimizer).__name__,
            "learning_rates": [f"{rates[i]:.6g}" for i in starts] + [f"{rates[-1]:.6g}"],
            "learning_rates_sha256": digest(rates),
        }


def as_json(found):
    """Content of a file of numbers."""
    return json.dumps(found, indent=1).encode()


def measured(file, split="validation", dataset=None, pixels=None):
    """Score a file on a split, in the manifest's form."""
    if dataset == texts.NAME:
        windows = texts.windows(texts.encode(texts.load(split)))
        score = score_text(LiteModel(file), windows)
        low, high = score.interval
        return {
            "bits": round(score.mean, 5), "n": score.n, "interval": [round(low, 4), round(high, 4)]
        }  # fmt: skip
    return facts(evaluate(LiteModel(file, pixels), *pair(split, dataset)))


def facts(score):
    """A Measurement in the manifest's form."""
    low, high = score.interval
    return {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "n": score.n,
        "interval": [round(low, 4), round(high, 4)],
    }


def keras_bytes(model):
    """Content of the ``.keras`` file of a model, the same whenever it is written."""
    whole = io.BytesIO()
    with tempfile.TemporaryDirectory() as work:
        saved = zipfile.ZipFile(save(model, Path(work) / "model.keras"))
        with saved, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as timeless:
            for name in sorted(saved.namelist()):
                content = saved.read(name)
                if name == "metadata.json":
                    known = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                    content = json.dumps(known).encode()
                timeless.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()
