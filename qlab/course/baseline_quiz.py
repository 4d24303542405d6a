"""Quiz of notebook 01."""

from qlab.arithmetic.metrics import wilson_interval
from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "01.quiz.wrong",
            "How many of the 10,000 test pictures does the shipped model get wrong?",
            {
                "about 100": (0, 500),
                "about 1,000": (500, 2000),
                "about 5,000": (2000, 8000),
            },
            shown="{:,} pictures",
            why="An accuracy near 90 % means that one answer in ten is wrong.",
        ),
        lambda measured: measured.n - measured.correct,
    )
)


def _width(correct, n):
    low, high = wilson_interval(correct, n)
    return high - low


ITEMS.add(
    Item(
        Question(
            "01.quiz.interval",
            "You test with four times as many pictures. How wide is the interval then?",
            {
                "a quarter as wide": (0.2, 0.35),
                "half as wide": (0.35, 0.7),
                "as wide as before": (0.7, 1.1),
            },
            shown="{:.2f} times as wide",
            why="The width goes with one over the square root of n. "
            "To halve it takes four times the pictures.",
        ),
        lambda measured: (
            _width(4 * measured.correct, 4 * measured.n) / _width(measured.correct, measured.n)
        ),
    )
)

ITEMS.add(
    Item(
        Question(
            "01.quiz.difference",
            "Somebody says: 'Mine is 0.2 points better, on these 10,000 pictures.' "
            "How does that compare with the 95 % interval?",
            {
                "0.2 points is less than it reaches to one side": (0.002, 1),
                "0.2 points is more than it reaches to one side": (0, 0.002),
                "an interval says nothing about that": (-1, 0),
            },
            why="Ask for both sets of answers. A test on the pairs can decide what two "
            "accuracies cannot.",
        ),
        lambda measured: (measured.interval[1] - measured.interval[0]) / 2,
    )
)

ITEMS.add(
    Item(
        Question(
            "01.quiz.classes",
            "How far apart are the garment with the best accuracy and the one with the worst?",
            {
                "less than 5 points": (0, 0.05),
                "5 to 20 points": (0.05, 0.2),
                "more than 20 points": (0.2, 1.01),
            },
            shown="{:.0%} of the pictures of a class",
            why="One average hides that. Look at the classes before you deploy.",
        ),
        lambda by_class: max(by_class) - min(by_class),
    )
)

ITEMS.add(
    Item(
        Question(
            "01.quiz.layer",
            "You may store one single layer with 8 instead of 32 bits. "
            "How much of the file can that save?",
            {
                "less than a quarter": (0, 0.25),
                "about half": (0.25, 0.6),
                "about two thirds or more": (0.6, 0.76),
            },
            shown="{:.0%} of the file",
            why="Nearly all weights are in one dense layer. Start there.",
        ),
        lambda share: 0.75 * share,
    )
)
