"""The chain's models that ship: its steps, the naive chain beside it, and the float control."""

from qlab import data, train
from qlab.tflite.litemodel import LiteModel
from qlab.train.chaining import CLUSTERS, EPOCHS, SPARSITY, clustered, pruned, quantized
from tools.artefacts.measuring import measured

SEEDS = (0, 1, 2)
LEARNING_RATE = 1e-3


def control():
    """The float controls."""
    images, labels, test = _data()
    contents, entries = {}, {}
    for seed in SEEDS:
        model = train.load("baseline")
        for epochs in EPOCHS:
            history = train.fit(model, images, labels, epochs, **_training(seed))
            if len(history.get("loss", ())) < epochs:
                raise KeyboardInterrupt
        _add(contents, entries, "control", seed, train.convert(model), test)
    return contents, entries


def files():
    """The chain's files, and the naive chain's."""
    images, labels, test = _data()
    contents, entries = {}, {}
    for seed in SEEDS:
        settings = _training(seed)
        sparse = pruned(train.load("baseline"), images, labels, SPARSITY, EPOCHS[0], **settings)
        made = {"pruned": train.convert(sparse)}
        for keep, prefix in ((True, ""), (False, "naive-")):
            few = clustered(sparse, images, labels, CLUSTERS, keep, EPOCHS[1], **settings)
            aware = quantized(few, images, labels, 8, keep, EPOCHS[2], **settings)
            made[f"{prefix}clustered"] = train.convert(few)
            made[f"{prefix}int8"] = train.convert_quantized(aware)
        aware = quantized(sparse, images, labels, 4, True, sum(EPOCHS[1:]), **settings)
        made["int4"] = train.convert_quantized(aware)
        for step, file in made.items():
            if seed == SEEDS[0] or step.endswith(("int8", "int4")):
                _add(contents, entries, step, seed, file, test)
    return contents, entries


PRODUCTS = {"chain-control": control, "chain-files": files}


def _data():
    dataset = data.load()
    return dataset.train.images, dataset.train.labels, (dataset.test.images, dataset.test.labels)


def _training(seed):
    return {"seed": seed, "learning_rate": LEARNING_RATE, "schedule": "cosine"}


def _add(contents, entries, step, seed, file, test):
    """Enter one file, measured."""
    name = f"chain-{step}-seed{seed}.tflite"
    recipe = {
        "trained_from": "baseline.keras",
        "step": step,
        "epochs": list(EPOCHS),
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "schedule": "cosine, anew in each training",
        "seed": seed,
    }
    if step == "control":
        recipe["role"] = "float control of every chain-* of this seed"
    else:
        recipe |= {"sparsity": SPARSITY, "control": f"chain-control-seed{seed}.tflite"}
        recipe |= {} if step in ("pruned", "int4") else {"clusters": CLUSTERS}
    contents[name] = file
    score = measured(file, test)
    entries[name] = {"recipe": recipe, "measured": score, **contents(LiteModel(file))}
    print(f"{name}: accuracy {score['accuracy']:.4f}", flush=True)
