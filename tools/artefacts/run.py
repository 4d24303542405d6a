"""Make everything in data/pretrained: ``python -m tools.artefacts.run``, or ``make artefacts``."""

import argparse
import datetime
import hashlib
import json
import sys

import filelock

from qlab import data, train
from qlab.system.files import write_whole
from qlab.system.machine import machine, versions
from qlab.tflite import artefacts
from tools.artefacts import chain as artefacts_chain
from tools.artefacts import distillation as artefacts_distillation
from tools.artefacts import pruning as artefacts_pruning
from tools.artefacts import qat as artefacts_qat
from tools.artefacts import search as artefacts_search
from tools.artefacts.measuring import keras_bytes as _keras_bytes
from tools.artefacts.measuring import measured as _measured

EPOCHS = 10
SEEDS = (0, 1, 2)  # the first one ships; the others show how much is luck
CALIBRATION_SIZE = 128
PACKAGES = ("numpy", "tensorflow", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert")


def baseline():
    """The baseline, trained with each of `SEEDS`."""
    dataset = data.load()
    pairs = [(split.images, split.labels) for split in (dataset.train, dataset.test)]
    histories, spread = {}, {}
    for seed in SEEDS:
        model = train.baseline(seed)
        histories[seed] = train.fit(model, *pairs[0], EPOCHS, seed=seed, validation=pairs[1])
        if len(histories[seed].get("loss", ())) < EPOCHS:  # fit keeps what it had; this must not
            raise KeyboardInterrupt
        file = train.convert(model)
        spread[seed] = _measured(file, pairs[1])
        print(f"baseline, seed {seed}: accuracy {spread[seed]['accuracy']:.4f}")
        if seed == SEEDS[0]:
            contents = {"baseline.tflite": file, "baseline.keras": _keras_bytes(model)}
    contents["baseline-history.json"] = json.dumps(histories, indent=1).encode()
    recipe = _recipe()
    entry = {"recipe": recipe, "measured": spread[SEEDS[0]], "by_seed": spread}
    about = {
        "baseline.tflite": entry,
        "baseline.keras": {"recipe": recipe},
        "baseline-history.json": {"recipe": {**recipe, "seed": list(SEEDS)}},
    }
    return contents, about


def conversions():
    """The baseline as the converter's other four modes store it."""
    model, test = train.load("baseline"), data.load().test
    calibration = data.calibration_images(CALIBRATION_SIZE)
    contents, about = {}, {}
    for mode in train.MODES[1:]:
        name = f"baseline-{mode}.tflite"
        recipe = {"converted_from": "baseline.keras", "mode": mode}
        if mode in ("int8", "int16x8"):
            recipe |= {"calibration_size": CALIBRATION_SIZE, "seed": 0}
        contents[name] = train.convert(model, mode, calibration)
        measured = _measured(contents[name], (test.images, test.labels))
        about[name] = {"recipe": recipe, "measured": measured}
        print(f"{name}: accuracy {measured['accuracy']:.4f}")
    return contents, about


PRODUCTS = {
    "baseline": baseline, "conversions": conversions, **artefacts_qat.PRODUCTS,
    **artefacts_pruning.PRODUCTS, **artefacts_distillation.PRODUCTS,
    **artefacts_chain.PRODUCTS, **artefacts_search.PRODUCTS,
}  # fmt: skip


def write(contents, entries):
    """Put files in place, each whole or not at all, then enter them into the manifest."""
    folder = artefacts.folder()
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        files = artefacts.manifest()["files"] if (folder / artefacts.MANIFEST).exists() else {}
        for name, content in contents.items():
            write_whole(folder / name, content)
            facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            files[name] = {**facts, **entries[name]}
        whole = {"files": dict(sorted(files.items()))}
        write_whole(folder / artefacts.MANIFEST, (json.dumps(whole, indent=2) + "\n").encode())


def main(arguments=None):
    """Make the products and say what came out; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.artefacts.run", description=__doc__)
    families = sorted({name.split("-")[0] for name in PRODUCTS} - set(PRODUCTS))
    parser.add_argument(
        "--only", choices=[*PRODUCTS, *families], help="make this product, or family, alone"
    )
    only = parser.parse_args(arguments).only
    if only is None:
        _drop_unreadable_manifest()
    try:
        for name in PRODUCTS if only is None else _chosen(only):
            contents, entries = PRODUCTS[name]()
            made = _made()
            write(contents, {file: {**entry, "made": made} for file, entry in entries.items()})
    except KeyboardInterrupt:
        print("Stopped; the shipped files are as they were.", file=sys.stderr)
        return 130
    problems = [f"{name}: {problem}" for name, problem in artefacts.verify() if problem]
    print("\n".join(problems) or f"all files in {artefacts.folder()} agree with the manifest")
    return 1 if problems else 0


def _chosen(only):
    return [only] if only in PRODUCTS else [x for x in PRODUCTS if x.startswith(f"{only}-")]


def _recipe():
    return {
        "network": "qlab.train.baseline",
        "epochs": EPOCHS,
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": train.LEARNING_RATE,
        "seed": SEEDS[0],
    }


def _drop_unreadable_manifest():
    try:
        artefacts.manifest()
    except artefacts.ArtefactError:
        (artefacts.folder() / artefacts.MANIFEST).unlink(missing_ok=True)


def _made():
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **machine(),
        "versions": versions(PACKAGES),
    }


if __name__ == "__main__":
    sys.exit(main())
