"""Quiz of notebook 03."""

from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "03.quiz.clipped",
            "A weight lies beyond the end of its range. What does the straight-through estimator "
            "make of the gradient that arrives there?",
            {
                "0: the weight is not moved": (-0.01, 0.01),
                "half of it": (0.4, 0.6),
                "it passes as it came": (0.99, 1.01),
            },
            shown="times {:.0f}",
            why="Moving a clipped weight a little does not change its rounded value.",
        ),
        lambda slopes: slopes[-1],
    )
)

ITEMS.add(
    Item(
        Question(
            "03.quiz.size",
            "Weights go from 4 bits to 2, both trained quantization-aware. "
            "How large is the .tflite file then?",
            {
                "half as large": (0.45, 0.6),
                "three quarters as large": (0.7, 0.8),
                "as large as before": (0.99, 1.01),
            },
            shown="{:.2f} times the size",
            why="The file packs two weights to a byte and no more. "
            "2 bits only pay after gzip, or on a chip that packs four.",
        ),
        lambda files: files[2][0].file_bytes / files[4][0].file_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "03.quiz.eight",
            "8 bits, mean of three seeds. What does QAT add to the same epochs without it?",
            {
                "it loses half a point or more": (-1, -0.005),
                "less than half a point, up or down": (-0.005, 0.005),
                "half a point or more": (0.005, 1),
            },
            why="At 8 bits the extra epochs are the gain, and the control has them too.",
        ),
        lambda gains: gains[8],
    )
)

ITEMS.add(
    Item(
        Question(
            "03.quiz.grid",
            "At 2 bits the control falls far when rounded to a grid that ends at the largest "
            "weight. How much of the way up to QAT does a better grid go, without QAT?",
            {
                "less than a quarter": (-1, 0.25),
                "a quarter to three quarters": (0.25, 0.75),
                "more than three quarters": (0.75, 1.01),
            },
            shown="{:.0%} of the way",
            why="Choose the grid well first. What is left over is what training adds.",
        ),
        lambda shares: shares[2],
    )
)


def _loss_at_the_end(runs):
    """Training loss after the last epoch, at 2 bits and of the control: what is their ratio."""
    return runs["QAT, 2 bits"]["loss"][-1] / runs["float control"]["loss"][-1]


ITEMS.add(
    Item(
        Question(
            "03.quiz.loss",
            "How does the training loss of QAT at 2 bits end, beside that of the float control?",
            {
                "lower: rounding is a regulariser": (0, 0.95),
                "the same, to 5 %": (0.95, 1.05),
                "higher: three values a weight fit the data less well": (1.05, 100),
            },
            shown="{:.2f} times the control's",
            why="Training with rounded weights is the same task with fewer ways to solve it.",
        ),
        _loss_at_the_end,
    )
)
