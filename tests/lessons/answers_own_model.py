"""Answers to the exercises of notebook 09 as learners write them: right ones, classic mistakes."""

import numpy as np

import qlab
from qlab.data import digits

WAYS = ("0 to 1", "0 to 255", "-1 to 1")


def rights(model, images, labels):
    """How many images each way gets right."""
    return {
        way: int((qlab.predict(model.with_pixels(way), images) == labels).sum()) for way in WAYS
    }


def by_find_pixels(model, images, labels):
    return model.with_pixels(qlab.find_pixels(model, images, labels).pixels)


def by_evaluate(model, images, labels):
    ways = [model.with_pixels(way) for way in WAYS]
    return max(ways, key=lambda way: qlab.evaluate(way, images, labels).accuracy)


def the_way(model, images, labels):
    found = rights(model, images, labels)
    return max(found, key=found.get)


def the_worst(model, images, labels):
    found = rights(model, images, labels)
    return model.with_pixels(min(found, key=found.get))


def as_it_came(model, images, labels):
    model.with_pixels("0 to 255")
    return model


def the_first_good(model, images, labels):
    found = rights(model, images, labels)
    return model.with_pixels(next((x for x in WAYS if found[x] > len(labels) / 2), WAYS[0]))


def of_other_pictures(model, images, labels):
    """As if the names were those of the notebook."""
    validation = digits.load().validation
    return by_evaluate(model, validation.images, validation.labels)


def scaled_by_hand(model, images, labels):
    """In uint8, so that each pixel wraps around to its negative."""
    ways = {"0 to 1": images, "0 to 255": np.uint8(255) * images}
    right = {way: (qlab.predict(model, x) == labels).sum() for way, x in ways.items()}
    return model.with_pixels(max(right, key=right.get))


def divided(model, images, labels):
    right = (qlab.predict(model, images / 255) == labels).mean()
    return model.with_pixels("0 to 1" if right > 0.5 else "0 to 255")


def as_found(model, images, labels):
    return qlab.find_pixels(model, images, labels)


CORRECT = {"own_model.as_it_wants": [by_find_pixels, by_evaluate]}
MISTAKES = [
    ("own_model.as_it_wants", as_it_came, "comes back as it came"),
    ("own_model.as_it_wants", the_way, "This is the way itself"),
    ("own_model.as_it_wants", rights, "These are the counts"),
    ("own_model.as_it_wants", lambda m, x, y: m.with_pixels("0 to 255"), "one file only"),
    ("own_model.as_it_wants", the_worst, "fewest right answers"),
    ("own_model.as_it_wants", lambda m, x, y: m.with_pixels("0 to 1"), "0 to 1 for every file"),
    ("own_model.as_it_wants", the_first_good, "not the first that is large"),
    ("own_model.as_it_wants", of_other_pictures, "that your function is given"),
    ("own_model.as_it_wants", scaled_by_hand, "wraps around"),
    ("own_model.as_it_wants", as_found, "This is what find_pixels says"),
]
