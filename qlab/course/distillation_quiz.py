"""Quiz of notebook 05."""

from qlab.arithmetic.distillation import softened
from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "05.quiz.hot",
            "The temperature is 1,000. What does the teacher say of the garment above?",
            {
                "nearly 100 % for one class": (0.9, 1.01),
                "about half for one class": (0.3, 0.7),
                "about 10 % for each class": (0.09, 0.12),
            },
            shown="{:.0%} for the largest",
            why="The more the logits are divided, the less they differ.",
        ),
        lambda logits: softened(logits, 1000.0).max(),
    )
)

ITEMS.add(
    Item(
        Question(
            "05.quiz.changed",
            "The student learned from the living teacher. How many of the teacher's weights did "
            "that change?",
            {
                "none": 0,
                "only those of its last layer": (1, 2_000),
                "all of them": (2_000, 1e9),
            },
            why="The teacher is asked outside the gradient. Only the student has an optimizer.",
        ),
        lambda changed: changed,
    )
)

ITEMS.add(
    Item(
        Question(
            "05.quiz.larger",
            "600 labels. Which student gains more from the teacher, over the better control?",
            {
                "the one of 5,000 weights, by half a point or more": (0.005, 1),
                "both the same, to half a point": (-0.005, 0.005),
                "the one of 20,000 weights, by half a point or more": (-1, -0.005),
            },
            why="A student can only keep what it has room for.",
        ),
        lambda gains: gains["5k", 600] - gains["20k", 600],
    )
)

ITEMS.add(
    Item(
        Question(
            "05.quiz.size",
            "How large is the small student's file beside the teacher's?",
            {
                "about half": (0.35, 0.7),
                "a fifth to a third": (0.2, 0.35),
                "less than a fifth": (0, 0.2),
            },
            shown="{:.0%} of the teacher's",
            why="That is what distillation is for: the teacher stays at home.",
        ),
        lambda files: files["student"].file_bytes / files["teacher"].file_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "05.quiz.smoothing",
            "Label smoothing softens labels, too, but all other classes get the same share. "
            "In how many of the four settings was the taught student better on average?",
            {"in none or one": (0, 1.5), "in two": (1.5, 2.5), "in three or four": (2.5, 5)},
            shown="in {:.0f} of 4",
            why="Where a teacher helps, it is by which class gets how much, not by softness alone.",
        ),
        lambda smoothed: sum(gain > 0 for gain in smoothed.values()),
    )
)
