"""Answers to the exercises of notebook 09 as learners write them: right ones, classic mistakes."""

import qlab

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


CORRECT = {"own_model.as_it_wants": [by_find_pixels, by_evaluate]}
MISTAKES = [
    ("own_model.as_it_wants", as_it_came, "comes back as it came"),
    ("own_model.as_it_wants", the_way, "This is the way itself"),
    ("own_model.as_it_wants", rights, "These are the counts"),
    ("own_model.as_it_wants", lambda m, x, y: m.with_pixels("0 to 255"), "one file only"),
    ("own_model.as_it_wants", the_worst, "fewest right answers"),
    ("own_model.as_it_wants", lambda m, x, y: m.with_pixels("0 to 1"), "scored before"),
]
