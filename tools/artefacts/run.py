"""Make everything in data/pretrained: ``python -m tools.artefacts.run``, or ``make artefacts``."""

import argparse
import datetime
import hashlib
import json
import sys

import filelock

from qlab import data, train
from qlab.system.files import write_whole
from qlab.system.machine import about_machine, versions
from qlab.tflite import artefacts
from tools.artefacts import chain_files, distilled_files, pruned_files, qat_files, search_runs
from tools.artefacts.common import as_json, fitted, keras_bytes, measured

EPOCHS = 10
SEEDS = (0, 1, 2)  # the first one ships; the others show how much is luck
CALIBRATION_SIZE = 128
PACKAGES = ("numpy", "tensorflow", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert")


def baseline():
    """The baseline, trained with each of `SEEDS`."""
    recipe = {
        "network": "qlab.train.baseline",
        "epochs": EPOCHS,
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": train.LEARNING_RATE,
        "seed": SEEDS[0],
    }
    models = {seed: train.baseline(seed) for seed in SEEDS}
    histories = {seed: fitted(model, EPOCHS, seed=seed) for seed, model in models.items()}
    files = {seed: train.convert(model) for seed, model in models.items()}
    spread = {seed: measured(file) for seed, file in files.items()}
    first = {"recipe": recipe, "measured": spread[SEEDS[0]], "by_seed": spread}
    yield "baseline.tflite", files[SEEDS[0]], first
    yield "baseline.keras", keras_bytes(models[SEEDS[0]]), {"recipe": recipe}
    about = {"recipe": {**recipe, "seed": list(SEEDS)}}
    yield "baseline-history.json", as_json(histories), about


def conversions():
    """The baseline as the converter's other four modes store it."""
    model, calibration = train.load("baseline"), data.calibration_images(CALIBRATION_SIZE)
    for mode in train.MODES[1:]:
        recipe = {"converted_from": "baseline.keras", "mode": mode}
        if mode in ("int8", "int16x8"):
            recipe |= {"calibration_size": CALIBRATION_SIZE, "seed": 0}
        file = train.convert(model, mode, calibration)
        yield f"baseline-{mode}.tflite", file, {"recipe": recipe}


PRODUCTS = {
    "baseline": baseline, "conversions": conversions, **qat_files.PRODUCTS,
    **pruned_files.PRODUCTS, **distilled_files.PRODUCTS, **chain_files.PRODUCTS,
    **search_runs.PRODUCTS,
}  # fmt: skip


def make(product):
    """Run a product to its end, and measure its models; return contents and entries by name."""
    contents, entries = {}, {}
    for name, content, entry in product():
        if name.endswith(".tflite"):
            entry = entry if "measured" in entry else {**entry, "measured": measured(content)}
            print(f"{name}: accuracy {entry['measured']['accuracy']:.4f}", flush=True)
        contents[name], entries[name] = content, entry
    return contents, entries


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
    names = list(PRODUCTS) if only is None else _chosen(only)
    try:
        for number, name in enumerate(names, 1):
            print(f"{number} of {len(names)}: {name}", flush=True)
            contents, entries = make(PRODUCTS[name])
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


def _drop_unreadable_manifest():
    try:
        artefacts.manifest()
    except artefacts.ArtefactError:
        (artefacts.folder() / artefacts.MANIFEST).unlink(missing_ok=True)


def _made():
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **about_machine(),
        "versions": versions(PACKAGES),
    }


if __name__ == "__main__":
    sys.exit(main())
