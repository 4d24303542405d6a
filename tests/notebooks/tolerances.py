"""What a number in a notebook's output may differ by from run to run, by its kind.

Accuracies and differences of two may move by a few tenths of a point, and bits a character by a
few hundredths, because another processor rounds otherwise; times may be any; all other numbers,
such as sizes, are exact.
"""

import copy
import math
import re

TOLERANCES = dict.fromkeys(("%", "point", "points"), 0.3) | {"bits": 0.03}
TOLERANCES |= dict.fromkeys(("ms", "µs", "s"), math.inf)
SIGNED = r"[-−+]?\d[\d,]*(?:\.\d+)?"
NUMBER = re.compile(rf"(?<![\w.]){SIGNED}")
UNIT = re.compile(rf"(?:(?: to | and |, ){SIGNED})*\)?\s?(%|points?\b|bits\b|ms\b|µs\b|s\b)")
INTERVAL = re.compile(rf"(?:interval |%\s+\()(?:{SIGNED}(?: to |, ))?$")  # its ends have no unit


def within(new, stored):
    """Return the `stored` text if each number of the `new` one is near enough to it, else `new`."""
    if not isinstance(new, str) or not isinstance(stored, str):
        return new
    if NUMBER.sub("#", new) != NUMBER.sub("#", stored):
        return new
    pairs = zip(NUMBER.finditer(new), NUMBER.finditer(stored), strict=True)
    near = (abs(_value(a) - _value(b)) <= _tolerance(b) + 1e-9 for a, b in pairs)
    return stored if all(near) else new


def _value(found):
    return float(found[0].replace(",", "").replace("−", "-"))


def _tolerance(found):
    """How far the number that was found in a stored text may move."""
    if unit := UNIT.match(found.string, found.end()):
        return TOLERANCES[unit[1]]
    return TOLERANCES["points"] if INTERVAL.search(found.string, 0, found.start()) else 0


def outputs_within(new, stored):
    """The `new` outputs of a cell, with the text of the `stored` ones where that is near enough."""
    if len(new) != len(stored):
        return new
    new = copy.deepcopy(new)
    for one, other in zip(new, stored, strict=True):
        if "image/png" in one.get("data", ()) and "text/html" not in other.get("data", ()):
            one["data"].pop("text/html", None)  # the forms of a figure, see `drop_views`
        for held, kept in ((one, other), (one.get("data", {}), other.get("data", {}))):
            for key in held.keys() & kept.keys():
                held[key] = within(held[key], kept[key])
    return new
