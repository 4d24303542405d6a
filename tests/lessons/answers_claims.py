"""Answers to the exercises of notebook 08 as learners write them: right ones, classic mistakes."""

import math

from qlab.lessons.claims import Claim
from qlab.lessons.limits import Limit

MARKS = ("false", "true with a condition", "true")


def mark_by_count(held):
    count = sum(held.values())
    return MARKS[2 if count == len(held) else min(count, 1)]


def mark_by_set(held):
    outcomes = set(held.values())
    if outcomes == {True}:
        return "true"
    return "false" if outcomes == {False} else "true with a condition"


def over_names(held):
    return MARKS[2 if all(held) else 1 if any(held) else 0]


def any_first(held):
    if any(held.values()):
        return "true with a condition"
    return "true" if all(held.values()) else "false"


def lost(accuracies, times=100, sign=1, **end):
    claim = Claim("mine", "Half.", Limit("points lost", **(end or {"high": 0.5})))
    numbers = {case: times * sign * (b - a) for case, (b, a) in accuracies.items()}
    return claim.check(numbers)


CORRECT = {
    "claims.half_can_go": [lambda x: lost(x, times=1, high=0.005)],
    "claims.mark": [mark_by_count, mark_by_set],
    "claims.bits_left": [lambda before, after: after / (before / 32)],
}
MISTAKES = [
    ("claims.half_can_go", lambda x: lost(x, times=1), "times 100"),
    ("claims.half_can_go", lambda x: lost(x, sign=-1), "before minus after"),
    ("claims.half_can_go", lambda x: lost(x, low=0.5), "high=0.5"),
    ("claims.half_can_go", lambda x: lost(x).mark, "has the numbers and the mark"),
    ("claims.half_can_go", lambda x: lost(x).claim, "the claim alone"),
    ("claims.mark", over_names, "held.values()"),
    (
        "claims.mark",
        lambda held: "true" if any(held.values()) else "false",
        "not enough for 'true'",
    ),
    (
        "claims.mark",
        lambda held: "true" if all(held.values()) else "false",
        "not enough for 'false'",
    ),
    (
        "claims.mark",
        lambda held: "true" if sum(held.values()) > len(held) / 2 else "false",
        "do not vote",
    ),
    ("claims.mark", lambda held: mark_by_set({k: not v for k, v in held.items()}), "Swapped"),
    ("claims.mark", lambda held: all(held.values()), "are spelled"),
    ("claims.mark", any_first, "all(...) before any(...)"),
    ("claims.bits_left", lambda before, after: before / after, "how many times smaller"),
    ("claims.bits_left", lambda before, after: 32 * before / after, "before and after"),
    ("claims.bits_left", lambda before, after: after / before, "part of the file that is left"),
    ("claims.bits_left", lambda before, after: 8 * after / before, "32 bits each"),
    ("claims.bits_left", lambda before, after: 32 * after // before, "Do not round"),
    ("claims.bits_left", lambda before, after: f"{32 * after / before} bits", "without a unit"),
    ("claims.bits_left", lambda before, after: math.log2(before / after), "No logarithm"),
]
