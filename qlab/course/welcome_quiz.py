"""Quiz of notebook 00."""

from qlab.arithmetic.results import compare
from qlab.engine.recipes import Recipe
from qlab.lessons.predictions import Question
from qlab.lessons.quizzes import ITEMS, Item

ITEMS.add(
    Item(
        Question(
            "00.quiz.share",
            "How much of the float32 file is left when weights and activations have 8 bits?",
            {
                "less than a quarter": (0, 0.2499),
                "exactly a quarter": (0.2499, 0.2501),
                "a little more than a quarter": (0.2501, 0.4),
                "about half": (0.4, 0.6),
            },
            shown="{:.1%} of the bytes",
            why="8 of 32 bits are a quarter. Names, graph and scales come on top.",
        ),
        lambda model, small: small.file_bytes / model.file_bytes,
    )
)

ITEMS.add(
    Item(
        Question(
            "00.quiz.differ",
            "Both files answered for 10,000 pictures. For how many do they name different classes?",
            {
                "for none": (0, 1),
                "for 1 to 999": (1, 1000),
                "for 1,000 or more": (1000, float("inf")),
            },
            shown="{:,} pictures",
            why="Nearly the same accuracy does not mean the same answers: "
            "some get better, some get worse.",
        ),
        lambda before, after: int((before.predictions != after.predictions).sum()),
    )
)


def verdict(before, after):
    """Tell what a paired test says of the second model: "neither", "better" or "worse"."""
    result = compare(before, after)
    if result.within_noise:
        return "neither"
    return "better" if result.difference > 0 else "worse"


ITEMS.add(
    Item(
        Question(
            "00.quiz.noise",
            "Is the 8-bit file really worse, or could other pictures turn it round?",
            {
                "it is really worse": "worse",
                "it is really better": "better",
                "the difference is within noise": "neither",
            },
            why="A test on the same pictures decides. Notebook 01 shows how.",
        ),
        verdict,
    )
)

ITEMS.add(
    Item(
        Question(
            "00.quiz.values",
            "With 4 bits: how many different values can the weights of one channel have?",
            {"4": 4, "8": 8, "15": 15, "255": 255},
            why="4 bits make 16 codes. One is left out, so that both sides of 0 are equal.",
        ),
        lambda compressor, model: _values(compressor, model),
    )
)


def _values(compressor, model):
    """Count the codes of the first weighted layer at 4 bits."""
    layer = next(layer for layer in model.layers if layer.weights is not None)
    params = compressor.weight_params(layer.name, Recipe(weight_bits=4))
    return int(params.q_max - params.q_min + 1)


ITEMS.add(
    Item(
        Question(
            "00.quiz.kind",
            "Where did the accuracy of the 8-bit file come from?",
            {
                "from a table made in advance": "cached",
                "from this machine, which ran the file just now": "measured",
                "from a formula; no file was run": "simulated",
            },
            why="Every number in this course says its kind: measured, cached or simulated.",
        ),
        lambda after: after.kind,
    )
)
