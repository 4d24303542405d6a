"""Claims, questions and exercises of notebook 07: what introductory articles say, in our words."""

import math

from qlab.lessons.claims import CLAIMS, OUTCOMES, Claim, mark
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like
from qlab.lessons.limits import Limit
from qlab.lessons.predictions import QUESTIONS

SMALLER = "times smaller"
LOST = "points lost"

for claim in (
    Claim(
        "07.third",
        "Quantization to 8 bits shrinks a model to a third or a quarter.",
        Limit(SMALLER, low=3, high=4, digits=2),
        why="The weights do become a quarter. Scales, names and the graph do not, and in a small "
        "network they are a large part of the file.",
    ),
    Claim(
        "07.sixteenth",
        "A model of 1 GB becomes one of 64 MB, and loses hardly any accuracy.",
        (Limit(SMALLER, low=16), Limit(LOST, high=1)),
        why="Rounding after training does not survive 2 bits. Training does, for about a point, "
        "but in this small file scales and names cost the rest. Here only the chain at 4 bits "
        "gets there, and with gzip.",
    ),
    Claim(
        "07.sparser",
        "Pruning makes a network sparser.",
        Limit("points fewer zeros than asked for", high=1, digits=0, unit="points too few"),
        why="Each file has as many zeros as it was asked to have. All four were trained for "
        "long: keep that in mind for section 4.",
    ),
    Claim(
        "07.smaller",
        "Pruning makes a model smaller.",
        Limit(SMALLER, low=1.2, digits=2),
        why="A float zero takes four bytes, like any other float. Somebody has to leave the zeros "
        "out, unless whole filters go: then the arrays themselves are smaller.",
    ),
    Claim(
        "07.unreliable",
        "Quantization after training makes a model unreliable.",
        Limit(LOST, low=3),
        why="At 8 bits it does not, in none of the three networks. At 4 bits it depends on the "
        "network. With fewer bits it does, and so does a calibration set that is not like the "
        "training pictures.",
    ),
    Claim(
        "07.loses_nothing",
        "Quantization-aware training loses nothing.",
        Limit("seeds worse than float, beyond noise", high=0, digits=0, unit="of 3 seeds worse"),
        why="The control is a float network that trained for as long. At 4 bits and more, training "
        "loses nothing that three seeds can show. It cannot make up for every bit.",
    ),
    Claim(
        "07.beats",
        "Quantization-aware training is better than rounding after training.",
        Limit("seeds better, beyond noise", low=3, digits=0, unit="of 3 seeds better"),
        why="Where rounding costs nothing, there is nothing to win back.",
    ),
    Claim(
        "07.hundred",
        "A representative dataset needs about 100 pictures.",
        Limit("pictures that are enough", low=50, digits=0, unit="pictures are enough"),
        why="A range is found with a few pictures. One alone may miss it.",
    ),
    Claim(
        "07.weights_only",
        "quantize_model is quantization of the weights, after training.",
        (
            Limit("activations with a grid", high=0, digits=0),
            Limit("points lost when converted", high=1),
        ),
        why="It prepares a network for training with simulated rounding, of weights and of "
        "activations. Before that training the ranges are not found yet, and the model only "
        "guesses.",
    ),
    Claim(
        "07.snippets",
        "The usual snippets run as they are printed.",
        Limit("errors", high=0, digits=0, unit="of 1 call failed"),
        why="Of the four that fail, two call what does not exist, one hands over a path where "
        "bytes are wanted, and one forgets to name the wrappers. All four are easy to mend.",
    ),
    Claim(
        "07.faster",
        "Integer arithmetic is faster than float arithmetic.",
        Limit("times as fast as float32", low=1.1, digits=2),
        why="It is faster where somebody wrote a fast kernel. Where LiteRT falls back to a simple "
        "one, fewer bits are slower than float.",
    ),
    Claim(
        "07.overhead",
        "Dynamic quantization costs time at inference.",
        Limit("times as long", low=1.2, digits=2),
        why="Finding ranges is work for each value. In the baseline it does not show beside all "
        "other work. In the network of 1 x 1 convolutions, which does little with each value, it "
        "does.",
    ),
):
    CLAIMS.add(claim)
    QUESTIONS.add(claim.question)


def _same(args, expected, got):
    return isinstance(got, str) and got == expected


def _says(wrong):
    """A test for a mistake: the answer is what `wrong` says."""
    return lambda args, got: isinstance(got, str) and got == wrong(*args)


def _over_names(held):
    return mark({name: bool(name) for name in held})


def _any_is_true(held):
    return "true" if any(held.values()) else "false"


def _all_or_nothing(held):
    return "true" if all(held.values()) else "false"


def _majority(held):
    return "true" if 2 * sum(held.values()) > len(held) else "false"


def _upside_down(held):
    return mark({name: not holds for name, holds in held.items()})


def _any_first(held):
    return OUTCOMES[1] if any(held.values()) else "false"


EXERCISES.add(
    Exercise(
        "07.mark",
        for_function(
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
                "In this order 'true' is never reached: ask all(...) before any(...).": (
                    _says(_any_first)
                ),
                "One case that holds is not enough for 'true'. There is a mark in between.": (
                    _says(_any_is_true)
                ),
                "A dictionary gives its names, and a name counts as true. Ask held.values().": (
                    _says(_over_names)
                ),
                "One case that fails is not enough for 'false'. There is a mark in between.": (
                    _says(_all_or_nothing)
                ),
                "Cases do not vote. Some hold and some do not: that is a condition.": (
                    _says(_majority)
                ),
                "Swapped: True means that the claim holds in this case.": (_says(_upside_down)),
                f"The three marks are spelled {', '.join(map(repr, OUTCOMES))}.": (
                    lambda args, got: got not in OUTCOMES
                ),
            },
        ),
        mark,
        (
            "There are three marks: all cases hold, some do, none does.",
            "Python's all(...) and any(...) take a row of True and False.",
            "First ask all(held.values()), then any(held.values()).",
        ),
    )
)


def bits_left(before_bytes, after_bytes):
    """How many bits each weight may have, if the weights were float32 and are all of the file.

    Parameters
    ----------
    before_bytes, after_bytes : float
        In the same unit.

    Returns
    -------
    float

    Examples
    --------
    >>> bits_left(305_676, 152_838)
    16.0
    """
    return 32 * after_bytes / before_bytes


def _halvings(before, after):
    return math.log2(before / after)


EXERCISES.add(
    Exercise(
        "07.bits_left",
        for_function(
            bits_left,
            [(400, 100), (305_676, 83_872), (1000.0, 64.0)],
            mistakes={
                "This is how many times smaller the file is. How many of the 32 bits are left?": (
                    like(lambda before, after: before / after)
                ),
                "This grows when the file shrinks: before and after are swapped.": like(
                    lambda before, after: 32 * before / after
                ),
                "This is the part of the file that is left. A float32 weight has 32 bits.": like(
                    lambda before, after: after / before
                ),
                "Return the number alone, without a unit.": lambda args, got: isinstance(got, str),
                "No logarithm is needed: with half of the bytes, half of the bits are left.": like(
                    _halvings,
                    lambda before, after: 32 - _halvings(before, after),
                    lambda before, after: 32 / _halvings(before, after),
                ),
                "Weights were float32: 32 bits each.": like(
                    *(
                        lambda before, after, bits=bits: bits * after / before
                        for bits in (8, 16, 64)
                    )
                ),
                "A whole number of bits hides what is left. Do not round.": like(
                    lambda before, after: round(32 * after / before),
                    lambda before, after: 32 * after // before,
                ),
            },
        ),
        bits_left,
        (
            "The file shrinks as much as its weights do.",
            "The part that is left is after_bytes / before_bytes.",
            "32 * after_bytes / before_bytes",
        ),
    )
)
