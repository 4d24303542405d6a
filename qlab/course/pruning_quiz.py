"""Quiz of notebook 04."""

from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "04.quiz.encoded",
            "90 % of the weights are zero, and are left out of the float file. "
            "How large is it, beside the file with its zeros?",
            {
                "about a tenth": (0, 0.12),
                "about a sixth": (0.12, 0.25),
                "about half": (0.4, 0.6),
            },
            shown="{:.2f} times the size",
            why="Each weight that is left takes its four bytes, and up to two more that say where "
            "it is.",
        ),
        lambda small, sparse: small.file_bytes / sparse.file_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "04.quiz.together",
            "Prune to 90 %, round to int8, gzip. How many times smaller is that than the gzipped "
            "float file?",
            {
                "about 4 times, as by int8 alone": (3, 5),
                "about 7 times": (5, 10),
                "14 times or more": (14, 40),
            },
            shown="{:.1f} times smaller",
            why="Zeros and few bits add up: fewer weights are left, and each has fewer bits.",
        ),
        lambda whole, tiny: whole.gzip_bytes / tiny.gzip_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "04.quiz.eighty",
            "80 % of each layer, gone while the model trained on. What did that cost, beside the "
            "control, as a mean of three seeds?",
            {
                "half a point or less": (-0.02, 0.005),
                "half a point to 2 points": (0.005, 0.02),
                "2 points or more": (0.02, 1),
            },
            why="Beside the model of before it would look better than it is: "
            "the extra epochs are in it, and the control had them too.",
        ),
        lambda mean: mean["control"] - mean[80],
    )
)

ITEMS.add(
    Item(
        Question(
            "04.quiz.work",
            "dense1 has 95 % of the weights. What part of the multiplications?",
            {
                "95 %, too": (0.9, 1),
                "about half": (0.4, 0.6),
                "less than a quarter": (0, 0.25),
            },
            shown="{:.0%}",
            why="Each weight of a convolution is used at every place of the picture, "
            "each weight of a dense layer once. Bytes are in dense1, time is in the convolutions.",
        ),
        lambda work: work["dense1"] / sum(work.values()),
    )
)

ITEMS.add(
    Item(
        Question(
            "04.quiz.values",
            "8 clusters, or rounding to 3 bits with one grid a layer, untrained. "
            "Which keeps more accuracy?",
            {
                "rounding, by a point or more": (-1, -0.01),
                "neither, to a point": (-0.01, 0.01),
                "clusters, by a point or more": (0.01, 1),
            },
            why="Clusters go where the weights are. A grid spends its values evenly up to the "
            "largest weight, where hardly any weight is.",
        ),
        lambda kept: kept["8 clusters"] - kept["3 bits"],
    )
)
