"""The quiz of notebook 06."""

from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "06.quiz.step",
            "In the chain that keeps, which step made the gzipped file smaller by the largest "
            "factor?",
            {"pruning": 1, "clustering": 2, "rounding to int8": 3},
            why="Pruning made most weights the same: zero.",
        ),
        lambda chains: _largest_step([x.model.gzip_bytes for x in chains["kept"][:4]]),
    )
)

ITEMS.add(
    Item(
        Question(
            "06.quiz.naive",
            "How far apart are the two chains' int8 files in accuracy, on average over three "
            "seeds?",
            {
                "less than half a point": (0, 0.005),
                "half a point to 2 points": (0.005, 0.02),
                "more than 2 points": (0.02, 1),
            },
            shown="{:.2%}",
            why="Accuracy does not give the naive chain away. Only somebody who looks at the bytes "
            "will notice.",
        ),
        lambda points: abs(_mean(points["int8"]) - _mean(points["naive-int8"])),
    )
)

ITEMS.add(
    Item(
        Question(
            "06.quiz.mixed",
            "On the test images, beside its rival (the smallest uniform file that loses at most "
            "one point to float): what is the mixed file?",
            {
                "smaller, and more accurate beyond noise": "better",
                "smaller, and equal within noise": "equal",
                "smaller, and less accurate beyond noise": "worse",
            },
            why="Four fifths of the rival's bytes were its budget. What it could win there was to "
            "lose nothing.",
        ),
        lambda long: _verdict(long["test"]),
    )
)

ITEMS.add(
    Item(
        Question(
            "06.quiz.front",
            "How many models are not on the front, but have an interval that reaches it?",
            {"none": (0, 1), "fewer than ten": (1, 10), "ten or more": (10, 10_000)},
            shown="{:,} models",
            why="What keeps them off the front may be chance. Choose among them by something else.",
        ),
        lambda standings: list(standings).count("interval reaches the front"),
    )
)

ITEMS.add(
    Item(
        Question(
            "06.quiz.memory",
            "The float model's weights move from DRAM (memory outside the chip) onto the chip. How "
            "much of the simulated energy is left?",
            {
                "half or more": (0.5, 1.01),
                "a quarter to a half": (0.25, 0.5),
                "less than a quarter": (0, 0.25),
            },
            shown="{:.0%}",
            why="Nearly all of it was spent on fetching weights.",
            kind="simulated",
        ),
        lambda estimates: estimates["on-chip"].total_nj / estimates["off-chip"].total_nj,
    )
)


def _mean(values):
    return sum(values) / len(values)


def _largest_step(sizes):
    """Number of the step, from 1 on, after which the size is smallest beside that before."""
    return min(range(1, len(sizes)), key=lambda i: sizes[i] / sizes[i - 1])


def _verdict(test):
    """What a paired test says of the mixed file: better, equal or worse."""
    if test["p_value"] >= 0.05:
        return "equal"
    return "better" if test["only_mixed"] > test["only_uniform"] else "worse"
