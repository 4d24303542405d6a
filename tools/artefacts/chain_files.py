"""The chain's models that ship: its steps, the naive chain, and the float control of both."""

from qlab import train
from qlab.tflite.litemodel import LiteModel
from qlab.trials.stages import contents
from tools.artefacts.common import finished, pairs, recipe

SEEDS = (0, 1, 2)
LEARNING_RATE = 1e-3
SPARSITY = {"conv2": 0.5, "dense1": 0.85, "logits": 0.5}
CLUSTERS = 16
EPOCHS = (4, 1, 2)  # of pruning, of clustering, of quantization-aware training
FREQUENCY = 50  # batches between two prunings, at most


def control():
    """The float controls: the baseline given the same three trainings."""
    for seed in SEEDS:
        model = train.load("baseline")
        for epochs in EPOCHS:
            _fit(model, *pairs()[0], epochs, {"seed": seed})
        yield _file("control", seed, train.convert(model))


def files():
    """The chain's files, and the naive chain's."""
    images, labels = pairs()[0]
    for seed in SEEDS:
        sparse = pruned(train.load("baseline"), images, labels, SPARSITY, EPOCHS[0], seed=seed)
        made = {"pruned": train.convert(sparse)}
        for keep, prefix in ((True, ""), (False, "naive-")):
            few = clustered(sparse, images, labels, CLUSTERS, keep, EPOCHS[1], seed=seed)
            aware = quantized(few, images, labels, 8, keep, EPOCHS[2], seed=seed)
            made[f"{prefix}clustered"] = train.convert(few)
            made[f"{prefix}int8"] = train.convert_quantized(aware)
        aware = quantized(sparse, images, labels, 4, True, sum(EPOCHS[1:]), seed=seed)
        made["int4"] = train.convert_quantized(aware)
        for step, file in made.items():
            if seed == SEEDS[0] or step.endswith(("int8", "int4")):
                yield _file(step, seed, file)


PRODUCTS = {"chain-control": control, "chain-files": files}


def pruned(model, images, labels, sparsity, epochs, **training):
    """Prune while training, to the end of the schedule halfway through."""
    half = max(1, epochs * -(-len(images) // train.BATCH_SIZE) // 2)
    every = max(1, min(FREQUENCY, half // 10))
    end = half // every * every
    schedules = {
        name: train.polynomial_decay(final, min(0.3, final), end_step=end, frequency=every)
        for name, final in sparsity.items()
    }
    return train.strip_pruning(
        _fit(train.prune(model, schedules), images, labels, epochs, training)
    )


def clustered(model, images, labels, clusters, keep, epochs, **training):
    """Cluster while training."""
    wrapped = train.cluster_weights(model, clusters, keep_zero=keep)
    return train.strip_clustering(_fit(wrapped, images, labels, epochs, training))


def quantized(model, images, labels, weight_bits, keep, epochs, **training):
    """Train quantization-aware."""
    wrap = train.preserving if keep else train.quantization_aware
    return _fit(wrap(model, weight_bits), images, labels, epochs, training)


def _fit(model, images, labels, epochs, training):
    settings = {"learning_rate": LEARNING_RATE, "schedule": "cosine", **training}
    finished(train.fit(model, images, labels, epochs, **settings), epochs)
    return model


def _file(step, seed, content):
    """A file with its entry."""
    about = recipe(seed, list(EPOCHS), LEARNING_RATE, "cosine, anew in each training")
    about["step"] = step
    if step == "control":
        about["role"] = "float control of every chain-* of this seed"
    else:
        about |= {"sparsity": SPARSITY, "control": f"chain-control-seed{seed}.tflite"}
        about |= {} if step in ("pruned", "int4") else {"clusters": CLUSTERS}
    entry = {"recipe": about, **contents(LiteModel(content))}
    return f"chain-{step}-seed{seed}.tflite", content, entry
