"""Quiz of notebook 07."""

from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item


def share_of_weights(file):
    """Fraction of a file's bytes that are weights, at 8 bits each."""
    sizes = (layer.weights.size for layer in file.layers if layer.weights is not None)
    return sum(sizes) / file.file_bytes


ITEMS.add(
    Item(
        Question(
            "07.quiz.student",
            "The student has 5,000 weights. What share of its 8-bit file are they?",
            {
                "nearly all of it": (0.85, 1.0),
                "about three quarters": (0.65, 0.85),
                "about half": (0.4, 0.65),
            },
            shown="{:.0%} of the file",
            why="The rest hardly shrinks with the bits. In a small network it is much of the file.",
        ),
        lambda eight: share_of_weights(eight["student of 5,000 weights"]),
    )
)

ITEMS.add(
    Item(
        Question(
            "07.quiz.chain",
            "The chain's 4-bit file, not gzipped, beside the float file: how many times smaller?",
            {"4 times or less": (0, 4), "6 to 8 times": (6, 8), "16 times or more": (16, 1e9)},
            shown="{:.1f} times smaller",
            why="Zeros and few values are still stored code by code. gzip is what finds them.",
        ),
        lambda chain, whole: whole.file_bytes / chain.file_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "07.quiz.changed",
            "Rounded to 8 bits, the accuracy stays within noise. "
            "How many of the 10,000 answers changed?",
            {"none": (0, 1), "some, fewer than 200": (1, 200), "more than 200": (200, 10_001)},
            shown="{:,} answers",
            why="Some wrong ones become right, some right ones wrong. An accuracy hides both.",
        ),
        lambda changed: changed["8 bits"],
    )
)

ITEMS.add(
    Item(
        Question(
            "07.quiz.one",
            "Five times, a single picture was the calibration set. What was the worst accuracy?",
            {"above 90 %": (90, 100), "85 to 90 %": (85, 90), "below 85 %": (0, 85)},
            shown="{:.1f} %",
            why="A range that fits one picture may be too narrow for the next. What lies beyond is "
            "clipped.",
        ),
        lambda by_size: 100 * min(by_size[1]),
    )
)

ITEMS.add(
    Item(
        Question(
            "07.quiz.saved",
            "You save the network in Keras, before and after quantize_model. "
            "How large is the second file beside the first?",
            {
                "about a quarter": (0, 0.4),
                "about half": (0.4, 0.9),
                "as large, or a little larger": (0.9, 2),
            },
            shown="{:.2f} times as large",
            why="The weights stay float32, and the ends of each range come on top. Both are saved "
            "without the optimizer, which keeps more numbers for each weight.",
        ),
        lambda saved: saved["wrapped"] / saved["plain"],
    )
)
