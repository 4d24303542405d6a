"""Notebook "Claims checked": what introductory articles say, in our words, and measured."""

import math

from qlab.lessons.claims import OUTCOMES, CheckedClaim, Claim, mark
from qlab.lessons.judges import for_function, like
from qlab.lessons.limits import Limit


def _same(args, expected, got):
    return isinstance(got, str) and got == expected


def _word(holds):
    return "true" if holds else "false"


def _says(wrong):
    """A test for a mistake: the answer is what `wrong` says."""
    return lambda args, got: isinstance(got, str) and got == wrong(*args)


judge_mark = for_function(
    mark,
    [
        ({"8 bits": True, "4 bits": True, "2 bits": False},),
        ({"8 bits": True, "4 bits": True},),
        ({"8 bits": False, "4 bits": False, "2 bits": False},),
        ({"8 bits": False, "4 bits": False, "2 bits": True},),
        ({"8 bits": True},),
    ],
    same=_same,
    mistakes={
        "any_first": _says(lambda held: OUTCOMES[1] if any(held.values()) else "false"),
        "one_is_enough": _says(lambda held: _word(any(held.values()))),
        "over_names": _says(lambda held: mark({name: bool(name) for name in held})),
        "all_or_nothing": _says(lambda held: _word(all(held.values()))),
        "majority": _says(lambda held: _word(2 * sum(held.values()) > len(held))),
        "upside_down": _says(lambda held: mark({name: not x for name, x in held.items()})),
        "misspelled": lambda args, got: got not in OUTCOMES,
    },
)


def bits_left(before_bytes, after_bytes):
    """How many bits each weight may have, if the weights were float32 and are all of the file.

    >>> bits_left(305_676, 152_838)
    16.0
    """
    return 32 * after_bytes / before_bytes


judge_bits_left = for_function(
    bits_left,
    [(400, 100), (305_676, 83_872), (1000.0, 64.0)],
    mistakes={
        "times_smaller": like(lambda before, after: before / after),
        "swapped": like(lambda before, after: 32 * before / after),
        "part_left": like(lambda before, after: after / before),
        "unit": lambda args, got: isinstance(got, str),
        "logarithm": like(
            lambda before, after: math.log2(before / after),
            lambda before, after: 32 - math.log2(before / after),
            lambda before, after: 32 / math.log2(before / after),
        ),
        "other_float": like(
            *(lambda before, after, bits=bits: bits * after / before for bits in (8, 16, 64))
        ),
        "rounded": like(
            lambda before, after: round(32 * after / before),
            lambda before, after: 32 * after // before,
        ),
    },
)


def half_can_go(accuracies):
    """Check the claim that half of the weights can go, from (before, after) of each case.

    >>> half_can_go({"at once": (0.90, 0.85), "while training": (0.90, 0.901)}).mark
    'true with a condition'
    """
    limit = Limit("points lost", high=0.5)
    claim = Claim("half_can_go", "Half of the weights can go, and nobody notices.", limit)
    return claim.check(
        {case: 100 * (before - after) for case, (before, after) in accuracies.items()}
    )


def _as_fractions(accuracies):
    return {case: before - after < 0.5 for case, (before, after) in accuracies.items()}


def _turned_round(accuracies):
    return {case: 100 * (after - before) <= 0.5 for case, (before, after) in accuracies.items()}


def _low_for_high(accuracies):
    return {case: 100 * (before - after) >= 0.5 for case, (before, after) in accuracies.items()}


def _holds_as(wrong):
    """A test for a mistake: it holds in the cases in which `wrong` says so."""
    return lambda args, got: isinstance(got, CheckedClaim) and got.held == wrong(*args)


judge_half_can_go = for_function(
    half_can_go,
    [
        ({"at once": (0.90, 0.85), "while training": (0.90, 0.901)},),
        ({"all": (0.88, 0.876)},),
        ({"one": (0.7, 0.6), "two": (0.8, 0.79)},),
        ({"better": (0.7, 0.8), "a little worse": (0.9, 0.894), "the same": (0.9, 0.9)},),
    ],
    same=lambda args, expected, got: isinstance(got, CheckedClaim) and got.held == expected.held,
    mistakes={
        "unchecked": lambda args, got: isinstance(got, Claim),
        "mark_alone": lambda args, got: isinstance(got, (str, dict)),
        "fractions": _holds_as(_as_fractions),
        "turned_round": _holds_as(_turned_round),
        "low_for_high": _holds_as(_low_for_high),
    },
)


def _share_of_weights(file):
    """Fraction of a file's bytes that are weights, at 8 bits each."""
    sizes = (layer.weights.size for layer in file.layers if layer.weights is not None)
    return sum(sizes) / file.file_bytes


TRUTHS = {
    "student": lambda eight: _share_of_weights(eight["student of 5,000 weights"]),
    "chain": lambda memory: memory["the chain at 4 bits"][0] / memory["the chain at 4 bits"][1],
    "changed": lambda changed: changed["8 bits"],
    "one": lambda by_size: 100 * min(by_size[1]),
    "saved": lambda saved: saved["wrapped"] / saved["plain"],
}
