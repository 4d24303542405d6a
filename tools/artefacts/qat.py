"""The quantization-aware models that ship, their float controls, and what helps at 2 bits."""

import json

from qlab import data, train
from qlab.engine.compressor import Compressor
from qlab.engine.recipes import Recipe
from qlab.tflite.litemodel import LiteModel
from qlab.train.parity_meter import keras_score
from tools.artefacts.measuring import facts, keras_bytes, measured

WIDTHS = (8, 4, 3, 2)
SEEDS = (0, 1, 2)
EPOCHS = 4
LEARNING_RATE = 1e-3
CALIBRATION_SIZE = 128
RANGES = {8: "max", 4: "max", 3: "max", 2: "least-squares"}
STEPS = {  # of making 2 bits work: settings of the aware model, and of its training
    "constant learning rate": ({}, {"schedule": "constant"}),
    "cosine learning rate": ({}, {}),
    "gradual, 4 then 3 then 2 bits": ({}, {"stages": ((4, 1), (3, 1), (2, 2))}),
    "one grid a tensor": ({"granularity": "per-tensor", "weight_range": "least-squares"}, {}),
    "least-squares grids": ({"weight_range": "least-squares"}, {}),
    "least-squares grids, twice the epochs": (
        {"weight_range": "least-squares"},
        {"epochs": 2 * EPOCHS},
    ),
}


def control():
    """The float controls of all widths, and what post-training quantization makes of them."""
    pairs = _pairs()
    contents, entries, histories = {}, {}, {}
    for seed in SEEDS:
        model = train.load("baseline")
        histories[seed] = _fit(model, pairs, seed)
        name = f"qat-control-seed{seed}.tflite"
        contents[name] = train.convert(model)
        entries[name] = {
            "recipe": {**_recipe(seed), "role": "float control of every qat-w* of this seed"},
            "measured": measured(contents[name], pairs[1]),
            "post_training": _post_training(contents[name], pairs[1]),
            "post_training_least_squares": {
                str(bits): measured(_untrained(model, bits), pairs[1]) for bits in WIDTHS[1:]
            },
        }
        print(f"{name}: accuracy {entries[name]['measured']['accuracy']:.4f}", flush=True)
    return _with_history("qat-control", contents, entries, histories)


def aware(bits):
    """The models trained quantization-aware at one width of weights."""
    pairs = _pairs()
    contents, entries, histories = {}, {}, {}
    settings = {"weight_bits": bits, "activation_bits": 8, "weight_range": RANGES[bits]}
    for seed in SEEDS:
        model = _wrapped(train.load("baseline"), **settings)
        before = measured(train.convert_quantized(model), pairs[1])
        histories[seed] = _fit(model, pairs, seed)
        name = f"qat-w{bits}-seed{seed}"
        contents[f"{name}.tflite"] = train.convert_quantized(model)
        recipe = _recipe(seed) | settings | {"calibration_size": CALIBRATION_SIZE}
        entries[f"{name}.tflite"] = {
            "recipe": recipe | {"control": f"qat-control-seed{seed}.tflite"},
            "measured": measured(contents[f"{name}.tflite"], pairs[1]),
            "before_training": before,
            "keras": facts(keras_score(model, *pairs[1])),
        }
        if seed == SEEDS[0]:
            contents[f"{name}.keras"] = keras_bytes(model)
            entries[f"{name}.keras"] = {"recipe": recipe}
        print(f"{name}: accuracy {entries[f'{name}.tflite']['measured']['accuracy']:.4f}")
    return _with_history(f"qat-w{bits}", contents, entries, histories)


def steps():
    """What helps at 2 bits, and by how much: each of `STEPS` with every seed."""
    pairs, found = _pairs(), {}
    for name, (settings, training) in STEPS.items():
        training = dict(training)
        stages = training.pop("stages", ((2, training.pop("epochs", EPOCHS)),))
        found[name] = {"settings": settings, **training, "stages": stages, "by_seed": {}}
        for seed in SEEDS:
            model = train.load("baseline")
            for stage, (bits, epochs) in enumerate(stages):
                model = train.float_twin(model) if stage else model
                model = _wrapped(model, weight_bits=bits, **settings)
                _fit(model, pairs, seed + 100 * stage, epochs, **training)
            score = measured(train.convert_quantized(model), pairs[1])
            found[name]["by_seed"][seed] = score
            print(f"2 bits, {name}, seed {seed}: accuracy {score['accuracy']:.4f}", flush=True)
    recipe = {**_recipe(list(SEEDS)), "weight_bits": 2, "activation_bits": 8}
    content = json.dumps(found, indent=1).encode()
    return {"qat-2-bits.json": content}, {"qat-2-bits.json": {"recipe": recipe}}


PRODUCTS = {
    "qat-control": control,
    **{f"qat-w{bits}": lambda bits=bits: aware(bits) for bits in WIDTHS},
    "qat-2-bits": steps,
}


def _pairs():
    dataset = data.load()
    return [(split.images, split.labels) for split in (dataset.train, dataset.test)]


def _wrapped(model, **settings):
    images = data.calibration_images(CALIBRATION_SIZE)
    return train.quantization_aware(model, calibration=images, **settings)


def _untrained(model, bits):
    wrapped = _wrapped(model, weight_bits=bits, weight_range="least-squares")
    return train.convert_quantized(wrapped)


def _fit(model, pairs, seed, epochs=None, schedule="cosine"):
    epochs = epochs or EPOCHS
    history = train.fit(
        model, *pairs[0], epochs, learning_rate=LEARNING_RATE, seed=seed, schedule=schedule,
        validation=pairs[1],
    )  # fmt: skip
    if len(history.get("loss", ())) < epochs:  # fit keeps what it had; this must not
        raise KeyboardInterrupt
    return history


def _post_training(file, pair):
    compressor = Compressor(LiteModel(file), data.calibration_images(CALIBRATION_SIZE))
    recipes = {bits: Recipe(weight_bits=bits, calibration_size=CALIBRATION_SIZE) for bits in WIDTHS}
    return {str(b): measured(compressor.compress(r).to_bytes(), pair) for b, r in recipes.items()}


def _recipe(seed):
    return {
        "trained_from": "baseline.keras",
        "epochs": EPOCHS,
        "batch_size": train.BATCH_SIZE,
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "schedule": "cosine",
        "seed": seed,
    }


def _with_history(name, contents, entries, histories):
    contents[f"{name}-history.json"] = json.dumps(histories, indent=1).encode()
    entries[f"{name}-history.json"] = {"recipe": _recipe(list(SEEDS))}
    return contents, entries
