"""A recipe as plain data and as words, from whoever made the model: engine, trainer or learner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from qlab.results import Recipe

MOST_ENTRIES = 60
MOST_TEXT = 200
DEEPEST = 4
TRAINING = (
    *("network", "trained_from", "batch_size", "optimizer", "learning_rate", "schedule", "role"),
    *("control", "weight_range", "calibration_size", "seed"),
)


def recipe_dict(recipe):
    """A recipe as data that JSON can hold."""
    if recipe is None:
        return {}
    if isinstance(recipe, str):
        return {"words": _text(recipe)}
    if isinstance(recipe, Recipe):
        given = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
        given["overrides"] = {layer: dict(bits) for layer, bits in recipe.overrides}
        if not given.get("sparsity"):
            given.pop("sparsity_scope", None)
        return _plain(given)
    if isinstance(recipe, Mapping):
        return _plain(dict(recipe))
    raise TypeError(
        f"a recipe is a qlab.Recipe, a dict or words; this is a {type(recipe).__name__}"
    )


def recipe_words(recipe, brief=False):
    """A recipe in one line."""
    if set(recipe) == {"words"}:
        return str(recipe["words"]) or "not recorded"
    shown = {key: x for key, x in recipe.items() if not (brief and key in TRAINING)}
    return _words(shown) or "not recorded"


def _words(mapping):
    parts = []
    for key, value in mapping.items():
        if value is None or value in ({}, [], ()) or (key == "sparsity" and not value):
            continue
        name = str(key).replace("_", " ")
        if isinstance(value, Mapping):
            parts.append(f"{name} ({_words(value)})")
        elif isinstance(value, list | tuple):
            parts.append(f"{name} {' and '.join(map(str, value))}")
        else:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _plain(value, depth=0):
    """A copy of plain data only, cut to a sensible size."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        entries = list(value.items())[:MOST_ENTRIES]
        return {_text(key): _plain(entry, depth + 1) for key, entry in entries}
    if isinstance(value, list | tuple):
        return [_plain(entry, depth + 1) for entry in value[:MOST_ENTRIES]]
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # a NumPy number
    if isinstance(value, int) and abs(value) < 10**15:
        return value
    if isinstance(value, float) and abs(value) < 1e300:
        return value
    return _text(value)


def _text(value):
    """One line of printable characters, cut."""
    return "".join(c if c.isprintable() else " " for c in str(value))[:MOST_TEXT].strip()
