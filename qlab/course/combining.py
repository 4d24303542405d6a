"""Questions and exercises of notebook 06, first half: the chain and the search."""

import numpy as np

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "06.plain",
        "The model has zeros and clusters. It is trained on for a moment, quantization-aware in "
        "the plain way. How many of its zeros are still zero in the int8 file?",
        {
            "nearly all: 95 % or more": (0.95, 1.01),
            "half or more": (0.5, 0.95),
            "less than half": (-0.01, 0.5),
        },
        why="Each weight has a gradient of its own, zero or not. Those that moved least round back "
        "to zero.",
    )
)

QUESTIONS.add(
    Question(
        "06.naive",
        "Now the long run. The naive chain also ends in int8. How large is its file, gzipped, "
        "beside that of the chain that keeps?",
        {
            "as large, to a tenth": (0, 1.1),
            "less than one and a half times as large": (1.1, 1.5),
            "one and a half times as large, or more": (1.5, 10),
        },
        shown="{:.1f} times as large",
        why="Weights that were zero or equal went their own ways, and gzip has to tell each one.",
    )
)

QUESTIONS.add(
    Question(
        "06.order",
        "Nothing is trained, and both files are int8 in the end. One was pruned, then clustered; "
        "the other was clustered, then pruned. Which is more accurate?",
        {
            "pruned first": "pruned first",
            "clustered first": "clustered first",
            "no difference beyond noise": "neither",
        },
        why="Clusters that come first are spent in part on weights that pruning then removes. "
        "What is left must share fewer values.",
    )
)

QUESTIONS.add(
    Question(
        "06.search",
        "Each way makes as many files. Which finds the more accurate one within the budget?",
        {"greedy": "greedy", "random": "random", "both the same": "both"},
        why="With so many recipes, most throws of the dice land where some layer is ruined. "
        "Greedy goes down step by step, and sees what each step costs.",
    )
)

QUESTIONS.add(
    Question(
        "06.layer",
        "Which layer will get the fewest bits?",
        {
            "the first convolution, 128 weights": "conv1",
            "the second convolution, 2,048 weights": "conv2",
            "the dense layer, 72,000 weights": "dense1",
            "the last layer, 1,250 weights": "logits",
        },
        why="It has nearly all the bytes, so that each bit less saves most there. "
        "In a small layer a bit saves next to nothing.",
    )
)

QUESTIONS.add(
    Question(
        "06.smallest",
        "Of all models on the board with 90 % or more, which is the smallest, gzipped?",
        {
            "one with weights of 2 bits, of notebook 03": "qat",
            "one pruned to 95 %, of notebook 04": "pruned",
            "a student of notebook 05": "distilled",
            "one of the chain": "chain",
        },
        why="Zeros and few bits save different things, and the chain has both. "
        "The others have one of them, or neither.",
    )
)


def zeros_kept(before, after):
    """Of the weights that were zero, the share that still is.

    Examples
    --------
    >>> zeros_kept(np.array([0, 0, 0.5, 0]), np.array([0, 0.1, 0, 0])).round(3)
    np.float64(0.667)
    """
    return np.mean(after[before == 0] == 0)


def _weights(seed, shape=(40,), zeros=0.6, filled=0.3):
    rng = np.random.default_rng(seed)
    before = rng.normal(0, 0.1, shape).round(3) + 0.001
    before[rng.random(shape) < zeros] = 0
    after = before + np.where(rng.random(shape) < filled, 0.01, 0)
    after[rng.random(shape) < 0.2] = 0
    return before.astype(np.float32), after.astype(np.float32)


EXERCISES.add(
    Exercise(
        "06.zeros_kept",
        for_function(
            zeros_kept,
            [
                (np.float32([0, 0, 0.5, 0, 0.2]), np.float32([0, 0.1, 0, 0, 0])),
                _weights(0),
                _weights(1, (3, 2, 2, 5), zeros=0.3, filled=0.8),
            ],
            mistakes={
                "This is the share of zeros in `after`, new ones among them. Ask only those that "
                "were zero before.": like(lambda b, a: np.mean(a == 0)),
                "This is a count. Divide it by the number of zeros in `before`.": like(
                    lambda b, a: ((a == 0) & (b == 0)).sum()
                ),
                "Divide by the number of zeros in `before`, not by all weights.": like(
                    lambda b, a: np.mean((a == 0) & (b == 0))
                ),
                "This divides by the zeros of `after`. It says how many of those are old ones.": (
                    like(lambda b, a: np.mean(b[a == 0] == 0))
                ),
                "A new zero can hide a lost one: the two counts are of different weights.": like(
                    lambda b, a: np.sum(a == 0) / np.sum(b == 0)
                ),
                "This is the share that was lost.": like(lambda b, a: np.mean(a[b == 0] != 0)),
            },
        ),
        zeros_kept,
        (
            "Which weights were zero? A layer's weights have up to four axes, so work on whole "
            "arrays: before == 0 is a mask.",
            "after[before == 0] are the same weights now.",
            "The mean of a mask is the share that is True: np.mean(after[before == 0] == 0)",
        ),
    )
)


def cheapest_step(here, candidates):
    """Which step loses the fewest images for each byte that it saves."""
    correct, size = here
    prices = [
        max(correct - right, 1) / (size - smaller) if smaller < size else np.inf
        for right, smaller in candidates
    ]
    return int(np.argmin(prices))


def _lost(here, candidates, floor=True):
    return [max(here[0] - right, 1) if floor else here[0] - right for right, _ in candidates]


def _saved(here, candidates):
    return [here[1] - size for _, size in candidates]


def _most_for_nothing(here, candidates):
    """Divide images by bytes, with a gain or no loss as it is."""
    pairs = zip(_lost(here, candidates, False), _saved(here, candidates), strict=True)
    return int(np.argmin([lost / saved if saved > 0 else np.inf for lost, saved in pairs]))


def _shortened(here, candidates):
    """Leave out what saves nothing, and count places in what is left."""
    return cheapest_step(here, [x for x in candidates if x[1] < here[1]])


def _gains_as_losses(least):
    """Take the absolute value of what is lost."""

    def choose(here, candidates):
        pairs = zip(_lost(here, candidates, False), _saved(here, candidates), strict=True)
        return int(np.argmin([max(abs(a), least) / b if b > 0 else np.inf for a, b in pairs]))

    return choose


def _growing(here, candidates):
    """Forget that a step may save nothing, or make the file larger."""
    pairs = zip(_lost(here, candidates), _saved(here, candidates), strict=True)
    return int(np.argmin([lost / saved if saved else np.inf for lost, saved in pairs]))


STEPS = [
    ((4600, 62000), [(4550, 30000), (4590, 52000), (4599, 61600), (4200, 20000), (4580, 59000)]),
    ((4600, 62000), [(4601, 61990), (4602, 61900), (4590, 50000), (4300, 12000), (4590, 60500)]),
    ((4500, 40000), [(4350, 25000), (4450, 39800), (4499, 40100), (4490, 38000), (4500, 39990)]),
    ((4500, 40000), [(4498, 40500), (4400, 30000), (4490, 38000), (4499, 39990)]),
    ((4600, 62000), [(4630, 50000), (4590, 55000), (4500, 30000), (4600, 61900)]),
]

EXERCISES.add(
    Exercise(
        "06.cheapest_step",
        for_function(
            cheapest_step,
            STEPS,
            mistakes={
                "This is the most accurate candidate. It may save next to nothing: divide what is "
                "lost by what is saved.": like(lambda h, c: int(np.argmax([x for x, _ in c]))),
                "This is the smallest candidate, whatever it costs. Divide what is lost by what is "
                "saved.": like(lambda h, c: int(np.argmin([x for _, x in c]))),
                "This is the dearest one: the fewest images for each byte are wanted.": like(
                    lambda h, c: int(
                        np.argmax(
                            [
                                a / b if b > 0 else -1
                                for a, b in zip(_lost(h, c), _saved(h, c), strict=True)
                            ]
                        )
                    )
                ),
                "A step that loses nothing, or wins an image by luck, is not free: count a loss of "
                "less than one image as one.": like(_most_for_nothing),
                "This is the place in your shortened list. The place in `candidates` is wanted: "
                "give what saves nothing the price infinity instead.": like(_shortened),
                "An image won is no loss: the loss is here - candidate, and at least 1.": like(
                    _gains_as_losses(0), _gains_as_losses(1)
                ),
                "This is the candidate that loses the fewest images, whatever it saves. Divide "
                "what is lost by what is saved.": like(lambda h, c: int(np.argmin(_lost(h, c)))),
                "One of these makes the file larger, and its price is negative. Leave out what "
                "saves nothing.": like(_growing),
                "This is the candidate. Its place in the list is wanted, from 0 on.": like(
                    lambda h, c: c[cheapest_step(h, c)]
                ),
            },
        ),
        cheapest_step,
        (
            "For each candidate: how many images are lost, and how many bytes are saved?",
            "The price is lost / saved, with lost at least 1. Saved must be above 0.",
            "Collect the prices in a list, infinity for what saves nothing, and take np.argmin.",
        ),
    )
)
