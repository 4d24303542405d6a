"""The quantization-aware models that ship, their float controls, and what helps at 2 bits."""

from qlab import data, train
from qlab.engine.compressor import Compressor
from qlab.engine.recipes import Recipe
from qlab.tflite.litemodel import LiteModel
from qlab.train.parity_meter import keras_score
from tools.artefacts.common import (
    CALIBRATION_SIZE,
    as_json,
    facts,
    fitted,
    keras_bytes,
    measured,
    pair,
)
from tools.artefacts.runs import SEEDS, Run, by_seed

WIDTHS = (8, 4, 3, 2)
TRAINING = {"epochs": 4, "learning_rate": 1e-3, "schedule": "cosine"}
RANGES = {8: "max", 4: "max", 3: "max", 2: "least-squares"}
STEPS = {  # of making 2 bits work: settings of the aware model, and of its training
    "constant learning rate": ({}, {"schedule": "constant"}),
    "cosine learning rate": ({}, {}),
    "gradual, 4 then 3 then 2 bits": ({}, {"stages": ((4, 1), (3, 1), (2, 2))}),
    "one grid a tensor": ({"granularity": "per-tensor", "weight_range": "least-squares"}, {}),
    "least-squares grids": ({"weight_range": "least-squares"}, {}),
    "least-squares grids, twice the epochs": (
        {"weight_range": "least-squares"},
        {"stages": ((2, 2 * TRAINING["epochs"]),)},
    ),
}


def control(workshop, seed, **training):
    """The float control of all widths, and what post-training quantization makes of it."""
    model = workshop.baseline(seed)
    history, log = fitted(model, **training, seed=seed)
    content = train.convert(model)
    least = {
        str(bits): measured(train.convert_quantized(_wrapped(model, bits, "least-squares")))
        for bits in WIDTHS[1:]
    }
    yield f"qat-control-seed{seed}.tflite", content, {
        "role": "float control of every qat-w* of this seed",
        "trainings": [log],
        "history": history,
        "post_training": _post_training(content),
        "post_training_least_squares": least,
    }  # fmt: skip


def aware(workshop, seed, weight_bits, weight_range, calibration_size, **training):
    """A model trained quantization-aware."""
    model = _wrapped(workshop.baseline(seed), weight_bits, weight_range)
    before = measured(train.convert_quantized(model))
    history, log = fitted(model, **training, seed=seed)
    name = f"qat-w{weight_bits}-seed{seed}"
    yield f"{name}.tflite", train.convert_quantized(model), {
        "control": f"qat-control-seed{seed}.tflite",
        "trainings": [log],
        "history": history,
        "before_training": before,
        "keras": facts(keras_score(model, *pair("validation"))),
    }  # fmt: skip
    if seed == SEEDS[0]:
        yield f"{name}.keras", keras_bytes(model), {}


def step(workshop, seed, settings, stages, **training):
    """One way of making 2 bits work, from one baseline; only the numbers are kept."""
    model, logs = workshop.baseline(seed), []
    for stage, (bits, epochs) in enumerate(stages):
        model = train.float_twin(model) if stage else model
        model = _wrapped(model, bits, **settings)
        logs.append(fitted(model, epochs, **training, seed=seed + 100 * stage)[1])
    content = train.convert_quantized(model)
    found = {"trainings": logs, **{x: measured(content, x) for x in ("validation", "test")}}
    yield f"qat-2-bits-seed{seed}.json", as_json(found), {"part": True}


def steps(workshop, names, seeds):
    """What helps at 2 bits, and by how much: each of `STEPS` with every seed."""
    found = {}
    for number, (name, recipe) in enumerate(names.items()):
        files = {
            seed: workshop.json(f"qat-2-bits-{number}-seed{seed}", f"qat-2-bits-seed{seed}.json")
            for seed in seeds
        }
        found[name] = {**recipe, "by_seed": files}
    yield "qat-2-bits.json", as_json(found), {}


def _step_recipe(name):
    settings, training = STEPS[name]
    whole = {**TRAINING, **training}
    stages = whole.pop("stages", ((2, whole["epochs"]),))
    del whole["epochs"]
    return {"settings": settings, "stages": [list(x) for x in stages], **whole}


def _wrapped(model, weight_bits, weight_range="max", granularity="per-channel"):
    return train.quantization_aware(
        model, weight_bits=weight_bits, activation_bits=8, weight_range=weight_range,
        granularity=granularity, calibration=data.calibration_images(CALIBRATION_SIZE),
    )  # fmt: skip


def _post_training(file):
    compressor = Compressor(LiteModel(file), data.calibration_images(CALIBRATION_SIZE))
    recipes = {bits: Recipe(weight_bits=bits, calibration_size=CALIBRATION_SIZE) for bits in WIDTHS}
    return {str(b): measured(compressor.compress(r).to_bytes()) for b, r in recipes.items()}


RUNS = by_seed("qat-control", control, TRAINING)
for _bits in WIDTHS:
    RUNS += by_seed(f"qat-w{_bits}", aware, {
        "weight_bits": _bits, "weight_range": RANGES[_bits],
        "calibration_size": CALIBRATION_SIZE, **TRAINING,
    })  # fmt: skip
for _number, _name in enumerate(STEPS):
    RUNS += by_seed(f"qat-2-bits-{_number}", step, _step_recipe(_name))
RUNS.append(
    Run("qat-2-bits", steps, {"names": {x: _step_recipe(x) for x in STEPS}, "seeds": list(SEEDS)},
        tuple(f"qat-2-bits-{i}-seed{seed}" for i in range(len(STEPS)) for seed in SEEDS))
)  # fmt: skip
