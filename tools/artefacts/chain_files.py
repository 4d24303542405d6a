"""The chain's models that ship: its steps, the naive chain, and a float control for each order."""

from qlab import train
from qlab.tflite.litemodel import LiteModel
from qlab.trials.stages import contents
from tools.artefacts.common import fitted, pair
from tools.artefacts.runs import SEEDS, by_seed

LEARNING_RATE = 1e-3
SPARSITY = {"conv2": 0.5, "dense1": 0.85, "logits": 0.5}
CLUSTERS = 16
EPOCHS = (4, 1, 2)  # of pruning, of clustering, of quantization-aware training
FREQUENCY = 50  # batches between two prunings, at most
CONTROLS = {  # the trainings that a float model gets, one after the other, as the chain's did
    "control": EPOCHS,
    "int4-control": (EPOCHS[0], sum(EPOCHS[1:])),  # the 4-bit file leaves clustering out
}


def control(workshop, name, seed, epochs):
    """A float control: the baseline given the same trainings in the same order."""
    model = workshop.baseline(seed)
    logs = [_fit(model, each, {"seed": seed}) for each in epochs]
    yield _file(name, seed, train.convert(model), logs, None)


def chain(workshop, seed, epochs, sparsity, clusters):
    """The chain's files, and the naive chain's."""
    sparse, log = pruned(workshop.baseline(seed), sparsity, epochs[0], seed=seed)
    made = {"pruned": (train.convert(sparse), [log])}
    for keep, prefix in ((True, ""), (False, "naive-")):
        few, second = clustered(sparse, clusters, keep, epochs[1], seed=seed)
        aware, third = quantized(few, 8, keep, epochs[2], seed=seed)
        made[f"{prefix}clustered"] = train.convert(few), [log, second]
        made[f"{prefix}int8"] = train.convert_quantized(aware), [log, second, third]
    aware, second = quantized(sparse, 4, True, sum(epochs[1:]), seed=seed)
    made["int4"] = train.convert_quantized(aware), [log, second]
    for step, (file, logs) in made.items():
        if seed == SEEDS[0] or step.endswith(("int8", "int4")):
            kind = "int4-control" if step == "int4" else "control"
            yield _file(step, seed, file, logs, f"chain-{kind}-seed{seed}.tflite")


RUNS = [
    *(
        run
        for name, epochs in CONTROLS.items()
        for run in by_seed(f"chain-{name}", control, {"name": name, "epochs": list(epochs)})
    ),
    *by_seed("chain", chain, {"epochs": list(EPOCHS), "sparsity": SPARSITY, "clusters": CLUSTERS}),
]


def pruned(model, sparsity, epochs, few=None, **training):
    """Prune while training, to the end of the schedule halfway through; also the training's log."""
    steps = -(-len((few or pair("train"))[0]) // train.BATCH_SIZE)
    half = max(1, epochs * steps // 2)
    every = max(1, min(FREQUENCY, half // 10))
    end = half // every * every
    schedules = {
        name: train.polynomial_decay(final, min(0.3, final), end_step=end, frequency=every)
        for name, final in sparsity.items()
    }
    wrapped = train.prune(model, schedules)
    log = _fit(wrapped, epochs, training, few)
    return train.strip_pruning(wrapped), log


def clustered(model, clusters, keep, epochs, few=None, **training):
    """Cluster while training."""
    wrapped = train.cluster_weights(model, clusters, keep_zero=keep)
    log = _fit(wrapped, epochs, training, few)
    return train.strip_clustering(wrapped), log


def quantized(model, weight_bits, keep, epochs, few=None, **training):
    """Train quantization-aware."""
    wrapped = (train.preserving if keep else train.quantization_aware)(model, weight_bits)
    return wrapped, _fit(wrapped, epochs, training, few)


def _fit(model, epochs, training, few=None):
    settings = {"learning_rate": LEARNING_RATE, "schedule": "cosine", **training}
    return fitted(model, epochs, few, validated=False, **settings)[1]


def _file(step, seed, content, logs, control):
    """A file with its entry."""
    entry = {"step": step, "trainings": logs, **contents(LiteModel(content))}
    if control:
        entry["control"] = control
    else:
        entry["role"] = f"float control of the chain's {'int4' if 'int4' in step else 'int8'} files"
    return f"chain-{step}-seed{seed}.tflite", content, entry
