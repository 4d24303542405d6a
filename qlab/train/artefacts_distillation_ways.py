"""Other ways to be taught, at one size and 600 labels: the numbers of five seeds each.

Each way starts from the same weights, sees the same 600 labels in the same order, and is compared
with the shipped students of the same seed. The last pair goes on, quantization-aware, from the
shipped recipe's taught student.
"""

import json

import numpy as np

from qlab import train
from qlab.train import artefacts_distillation as main
from qlab.train.measuring import measured

STUDENT, LABELS = "5k", 600
TEACHER_EPOCHS = 150  # of the teacher that has no more labels than the student
QUANTIZED = {"weight_bits": 2, "activation_bits": 8, "weight_range": "least-squares"}
QUANTIZED_EPOCHS = 75
NAME = "distilled-ways.json"


def hinted(recipe, images, labels):
    """Taught by the teacher's answers and by its layer "features"."""
    student, teacher = _student(recipe), train.load("teacher")
    recipe |= {"hint": ["conv2", "features"], "hint_weight": 1.0}
    more = {"hint": tuple(recipe["hint"]), "hint_weight": recipe["hint_weight"]}
    return _file(main.fitted(student, teacher, images, labels, recipe, **more))


def self_taught(recipe, images, labels):
    """Taught by a network like itself that learned from the same labels before."""
    first = train.student(STUDENT, recipe["seed"] + len(main.SEEDS))
    plain = {**recipe, **main.loss_of("plain")}
    main.fitted(first, np.zeros((LABELS, 10), np.float32), images, labels, plain)
    return _file(main.fitted(_student(recipe), first, images, labels, recipe))


def few_label_teacher(recipe, images, labels):
    """Taught by a teacher that has seen the same 600 labels and no more."""
    model, plain = train.teacher(recipe["seed"], precision=main.PRECISION), train.teacher()
    train.fit_teacher(model, images, labels, TEACHER_EPOCHS, recipe["seed"])
    plain.set_weights(model.get_weights())
    recipe |= {"teacher": f"trained on the same {LABELS} labels, {TEACHER_EPOCHS} epochs"}
    recipe["teacher_measured"] = measured(_file(plain), main.pairs()[1])
    return _file(main.fitted(_student(recipe), plain, images, labels, recipe))


def all_images(recipe, images, labels):
    """Taught on all 60,000 images; 59,400 of them have no label, only the teacher's answer."""
    recipe |= {"images": 60_000, "epochs": main.EPOCHS[60_000]}
    known = np.full(60_000, -1)
    known[main.chosen(LABELS, recipe["seed"])] = labels
    everything, logits = main.pairs()[0][0], train.teacher_logits()
    return _file(main.fitted(_student(recipe), logits, everything, known, recipe))


def quantized(arm):
    """A way: the taught student, trained on quantization-aware with or without the teacher."""

    def way(recipe, images, labels):
        taught = main.trained(recipe)
        recipe |= QUANTIZED | {"epochs": QUANTIZED_EPOCHS, "arm": arm} | main.loss_of(arm)
        aware = train.quantization_aware(taught, calibration=images[:128], **QUANTIZED)
        logits = train.teacher_logits()[main.chosen(LABELS, recipe["seed"])]
        main.fitted(aware, logits, images, labels, recipe)
        return train.convert_quantized(aware)

    way.__doc__ = f"The taught student, trained on with weights of 2 bits, {arm}."
    return way


WAYS = {
    "hint": hinted,
    "self": self_taught,
    "teacher with the same labels": few_label_teacher,
    "all images": all_images,
    "2 bits, taught": quantized("taught"),
    "2 bits, plain": quantized("plain"),
}


def ways():
    """Each of `WAYS` with every seed.

    Returns
    -------
    contents : dict of str to bytes
    entries : dict of str to dict
    """
    found = {}
    for name, way in WAYS.items():
        found[name] = {"about": _about(way), "by_seed": {}}
        for seed in main.SEEDS:
            recipe = main.recipe_of(STUDENT, LABELS, seed, "taught", **main.TAUGHT)
            indices = main.chosen(LABELS, seed)
            images, labels = (part[indices] for part in main.pairs()[0])
            score = measured(way(recipe, images, labels), main.pairs()[1])
            found[name]["by_seed"][seed] = {**score, "recipe": recipe}
            print(f"{name}, seed {seed}: accuracy {score['accuracy']:.4f}", flush=True)
    recipe = main.recipe_of(STUDENT, LABELS, list(main.SEEDS), "taught", **main.TAUGHT)
    return {NAME: json.dumps(found, indent=1).encode()}, {NAME: {"recipe": recipe}}


PRODUCTS = {"distilled-ways": ways}


def _about(way):
    return way.__doc__.strip()


def _student(recipe):
    return train.student(STUDENT, recipe["seed"])


def _file(model):
    return train.convert(model)
