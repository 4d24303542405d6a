"""The quantization-aware models that ship, their float controls, and what helps at 2 bits."""

from qlab import data, train
from qlab.engine.compressor import Compressor
from qlab.engine.recipes import Recipe
from qlab.tflite.litemodel import LiteModel
from qlab.train.parity_meter import keras_score
from tools.artefacts.common import (
    as_json,
    facts,
    fitted,
    keras_bytes,
    measured,
    pairs,
    recipe,
)

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
    histories = {}
    for seed in SEEDS:
        model = train.load("baseline")
        histories[seed] = _fit(model, seed)
        content = train.convert(model)
        about = recipe(seed, EPOCHS, LEARNING_RATE)
        about["role"] = "float control of every qat-w* of this seed"
        yield (
            f"qat-control-seed{seed}.tflite",
            content,
            {
                "recipe": about,
                "post_training": _post_training(content),
                "post_training_least_squares": {
                    str(bits): measured(_untrained(model, bits)) for bits in WIDTHS[1:]
                },
            },
        )
    yield _history("qat-control", histories)


def aware(bits):
    """The models trained quantization-aware at one width of weights."""
    histories = {}
    settings = {"weight_bits": bits, "activation_bits": 8, "weight_range": RANGES[bits]}
    for seed in SEEDS:
        model = _wrapped(train.load("baseline"), **settings)
        before = measured(train.convert_quantized(model))
        histories[seed] = _fit(model, seed)
        name = f"qat-w{bits}-seed{seed}"
        about = recipe(seed, EPOCHS, LEARNING_RATE) | settings
        about["calibration_size"] = CALIBRATION_SIZE
        yield (
            f"{name}.tflite",
            train.convert_quantized(model),
            {
                "recipe": about | {"control": f"qat-control-seed{seed}.tflite"},
                "before_training": before,
                "keras": facts(keras_score(model, *pairs()[1])),
            },
        )
        if seed == SEEDS[0]:
            yield f"{name}.keras", keras_bytes(model), {"recipe": about}
    yield _history(f"qat-w{bits}", histories)


def steps():
    """What helps at 2 bits, and by how much: each of `STEPS` with every seed."""
    found = {}
    for name, (settings, training) in STEPS.items():
        training = dict(training)
        stages = training.pop("stages", ((2, training.pop("epochs", EPOCHS)),))
        found[name] = {"settings": settings, **training, "stages": stages, "by_seed": {}}
        for seed in SEEDS:
            model = train.load("baseline")
            for stage, (bits, epochs) in enumerate(stages):
                model = train.float_twin(model) if stage else model
                model = _wrapped(model, weight_bits=bits, **settings)
                _fit(model, seed + 100 * stage, epochs, **training)
            score = measured(train.convert_quantized(model))
            found[name]["by_seed"][seed] = score
            print(f"2 bits, {name}, seed {seed}: accuracy {score['accuracy']:.4f}", flush=True)
    about = recipe(list(SEEDS), EPOCHS, LEARNING_RATE) | {"weight_bits": 2, "activation_bits": 8}
    yield "qat-2-bits.json", as_json(found), {"recipe": about}


PRODUCTS = {
    "qat-control": control,
    **{f"qat-w{bits}": lambda bits=bits: aware(bits) for bits in WIDTHS},
    "qat-2-bits": steps,
}


def _fit(model, seed, epochs=None, schedule="cosine"):
    return fitted(
        model, epochs or EPOCHS, seed=seed, learning_rate=LEARNING_RATE, schedule=schedule
    )


def _wrapped(model, **settings):
    images = data.calibration_images(CALIBRATION_SIZE)
    return train.quantization_aware(model, calibration=images, **settings)


def _untrained(model, bits):
    wrapped = _wrapped(model, weight_bits=bits, weight_range="least-squares")
    return train.convert_quantized(wrapped)


def _post_training(file):
    compressor = Compressor(LiteModel(file), data.calibration_images(CALIBRATION_SIZE))
    recipes = {bits: Recipe(weight_bits=bits, calibration_size=CALIBRATION_SIZE) for bits in WIDTHS}
    return {str(b): measured(compressor.compress(r).to_bytes()) for b, r in recipes.items()}


def _history(name, histories):
    about = {"recipe": recipe(list(SEEDS), EPOCHS, LEARNING_RATE)}
    return f"{name}-history.json", as_json(histories), about
