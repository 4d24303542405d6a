"""Questions and the exercise of notebook 00."""

from qlab.course import shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_number
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "00.size",
        "Each weight goes from 32 bits to 8. How many times smaller does the file get?",
        {
            "less than 2 times": (0, 2),
            "between 2 and 3 times": (2, 3),
            "between 3 and 4 times": (3, 4),
            "4 times or more": (4, float("inf")),
        },
        shown="{:.2f} times smaller",
        why="The weights do shrink to a quarter. The rest of the file does not: "
        "names, the graph and the scales.",
    )
)

QUESTIONS.add(
    Question(
        "00.accuracy",
        "The model with 8-bit weights and activations is scored on 10,000 images. "
        "How many more does it get wrong than the float32 model?",
        {
            "fewer than 100": (float("-inf"), 100),
            "100 to 499": (100, 500),
            "500 to 1,999": (500, 2000),
            "2,000 or more": (2000, float("inf")),
        },
        why="Rounding to 8 bits moves each number a little. "
        "Few images sit so close to a boundary that it matters.",
    )
)


def fewest_bits():
    """Fewest weight bits with an accuracy above 80 %, activations at 8 bits: measured."""
    return next(b for b in range(2, 9) if shipped.score(Recipe(weight_bits=b))[1].accuracy > 0.8)


EXERCISES.add(
    Exercise(
        "00.fewest_bits",
        for_number(
            fewest_bits,
            mistakes={
                "With so few bits the accuracy is below 80 %. Give one or more back.": (
                    lambda args, got: got in range(2, fewest_bits())
                ),
                "The accuracy is above 80 %, but fewer bits will do as well.": (
                    lambda args, got: got in range(fewest_bits() + 1, 33)
                ),
            },
        ),
        fewest_bits,
        (
            "Move the slider for weight bits down, one step at a time, and read the accuracy.",
            "Keep activations at 8 bits. Stop just before the accuracy falls below 80 %.",
            "Or ask in code, one number of bits after the other: explorer.set(weight_bits=7), "
            "then explorer.result.measurement.accuracy.",
        ),
    )
)
