"""Questions of notebook 04, and its exercises that end in a file."""

import numpy as np

from qlab.arithmetic.metrics import sparsity
from qlab.course import shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import EXERCISES, Exercise, Finding
from qlab.lessons.predictions import QUESTIONS, Question
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.sparse_encoding import encoded_bytes

BUDGET_BYTES = 105_000
BUDGET_ACCURACY = 0.875

QUESTIONS.add(
    Question(
        "04.cliff",
        "The smallest weights of the whole network become zero, and nothing is trained. "
        "How sparse is it when it has first lost more than 5 points?",
        {
            "at 30 %": 0.3,
            "at 50 %": 0.5,
            "at 70 %": 0.7,
            "at 80 %": 0.8,
            "at 90 %": 0.9,
        },
        why="Most weights are near zero and matter little. The cliff comes when larger ones go.",
    )
)

QUESTIONS.add(
    Question(
        "04.scope",
        "80 % of the weights go. Either one threshold holds for all layers, or each layer loses "
        "80 %. Which keeps the higher accuracy?",
        {
            "one threshold for all layers": "global",
            "the same share of each layer": "per-layer",
            "no difference beyond noise": "neither",
        },
        why="The dense layer has most weights and the smallest ones, and can spare them. "
        "The same share of each layer also takes weights from small layers, which cannot.",
    )
)

QUESTIONS.add(
    Question(
        "04.unstripped",
        "You forget to take the wrappers off, and convert. How large is the .tflite file, "
        "beside that of the model before pruning?",
        {
            "smaller: nine of ten weights are zero": (0, 0.9),
            "as large": (0.9, 1.2),
            "a little larger": (1.2, 1.5),
            "one and a half times as large, or more": (1.5, 10),
        },
        shown="{:.1f} times as large",
        why="Each weight has a mask beside it, as large as the weight. "
        "The wrappers put both into the file, and multiply them each time it runs.",
    )
)

QUESTIONS.add(
    Question(
        "04.filled",
        "The pruned model is trained on without its wrappers, for 16 steps. 90 % of its weights "
        "were zero. How many are zero now?",
        {
            "as many: a zero stays zero": (0.75, 1.01),
            "half to three quarters": (0.5, 0.75),
            "less than half": (-0.01, 0.5),
        },
        shown="{:.0%} are zero",
        why="A weight of zero has a gradient like any other; only the mask held it at zero. "
        "Those that are still zero belong to units that put out 0 for every picture.",
    )
)

QUESTIONS.add(
    Question(
        "04.tuned",
        "90 % of the weights go, while the network trains on. How far below its control does it "
        "end, on average over three seeds?",
        {
            "less than half a point, or above it": (-1, 0.005),
            "half a point to 2 points": (0.005, 0.02),
            "2 to 5 points": (0.02, 0.05),
            "5 points or more": (0.05, 1),
        },
        why="The weights that are left take over the work of those that went, if training lets "
        "them.",
    )
)

QUESTIONS.add(
    Question(
        "04.file",
        "90 % of the weights are zero. How many times smaller is the .tflite file?",
        {
            "none: it is as large as before": (0, 1.1),
            "a little, less than twice": (1.1, 2),
            "two to eight times": (2, 8),
            "nearly ten times": (8, 100),
        },
        shown="{:.2f} times smaller",
        why="A float zero takes four bytes, like any other float.",
    )
)

QUESTIONS.add(
    Question(
        "04.faster",
        "And how many times faster is it?",
        {
            "none: it is no faster": (0, 1.4),
            "1.4 to 7 times": (1.4, 7),
            "nearly ten times": (7, 100),
        },
        why="The kernel reads every weight and multiplies with it. Nobody told it which are zero.",
    )
)

QUESTIONS.add(
    Question(
        "04.filters",
        "Now whole filters go: three of four in the first convolution, and half the units of the "
        "dense layer, with the weights that read them. How many times faster is that?",
        {
            "no faster": (0, 1.2),
            "1.2 to 4 times": (1.2, 4),
            "4 times or more": (4, 100),
        },
        why="Nothing is left of what was removed, so nobody has to skip it.",
    )
)

QUESTIONS.add(
    Question(
        "04.sixteen",
        "Both leave at most 16 different values in a layer: rounding to 4 bits with one grid, "
        "and 16 clusters. Whose weights gzip smaller, if each is stored as a code of one byte?",
        {
            "rounding": "rounding",
            "clusters": "clusters",
            "the same, to 5 %": "same",
        },
        why="Rounding puts most weights into a few codes around zero; a coder likes that. "
        "Clusters follow the weights, so that codes are used more evenly. They lose less accuracy.",
    )
)

QUESTIONS.add(
    Question(
        "04.layer",
        "One layer loses 80 % of its weights, all others keep theirs. Which hurts most?",
        {
            "the first convolution, 128 weights": "conv1",
            "the second convolution, 2,048 weights": "conv2",
            "the dense layer, 72,000 weights": "dense1",
            "the last layer, 1,250 weights": "logits",
        },
        why="Each of its weights decides between classes, and nothing after it can make up for it. "
        "The dense layer has plenty.",
    )
)


def export(wrapped):
    """Turn a model that was trained with pruning wrappers into a file: strip it, then convert."""
    from qlab import train

    return LiteModel(train.convert(train.strip_pruning(wrapped)))


def _judge_export(file):
    """Look into the file: no wrappers, and the zeros are there."""
    if isinstance(file, bytes | bytearray):
        file = LiteModel(bytes(file))
    if not isinstance(file, LiteModel):
        return Finding(
            f"This check needs a file as qlab.LiteModel, and got {type(file).__name__}.",
            "train.convert makes the bytes of a file, and qlab.LiteModel takes them.",
        )
    try:
        wrapped = len(file.parsed.subgraphs) > 1
        share = 0.0 if wrapped else _share_of_zeros(file)
    except (LookupError, ValueError, TypeError, AttributeError):
        return Finding("This file cannot be read: it is no .tflite file, or a damaged one.")
    if wrapped:
        return Finding(
            f"The file has {file.file_bytes:,} bytes, and variables beside its weights.",
            "The wrappers are still on, with a mask for each weight. Strip first, then convert.",
        )
    if share >= 0.75:
        return Finding(note=f"{file.file_bytes:,} bytes; {share:.0%} of the weights are zero.")
    return Finding(f"Only {share:.0%} of its weights are zero.", _few_zeros(share))


def _share_of_zeros(file):
    weights = [x.weights.ravel() for x in file.layers if x.weights is not None]
    return sparsity(np.concatenate(weights))


def _few_zeros(share):
    if share < 0.01:
        return "This is a model that was never pruned. Strip and convert the one you trained."
    return "Zeros have been filled again: it was trained on without its wrappers."


EXERCISES.add(
    Exercise(
        "04.export",
        _judge_export,
        export,
        (
            "Two steps: one takes the wrappers off, the other makes a file.",
            "train.strip_pruning(wrapped) is the plain model, with its zeros.",
            "qlab.LiteModel(train.convert(train.strip_pruning(wrapped)))",
        ),
    )
)


def sparse_recipe():
    """Zeros where the weights are, none where they are few."""
    heaviest = max(
        (x for x in shipped.model().layers if x.weights is not None), key=lambda x: x.weights.size
    )
    own = {heaviest.name: {"sparsity": 0.8}}
    return Recipe(weight_bits=32, activation_bits=32, overrides=own)


def _judge_recipe(recipe):
    """Build the file, score it on the test images, and hold it against the budget."""
    if not isinstance(recipe, Recipe):
        return Finding(f"This check needs a qlab.Recipe, and got {type(recipe).__name__}.")
    try:
        small, measured = shipped.score(recipe)
    except ValueError as error:
        return Finding(f"This recipe cannot be built: {error}")
    size, accuracy = encoded_bytes(small), measured.accuracy
    problem = (
        f"Encoded {size:,} bytes (at most {BUDGET_BYTES:,}), "
        f"accuracy {accuracy:.1%} (at least {BUDGET_ACCURACY:.1%})."
    )
    if not _plain_float(recipe):
        return Finding(
            problem,
            "Here the weights stay floats, and zeros are all that makes them small: "
            "weight_bits=32, activation_bits=32, and no clusters.",
        )
    if size <= BUDGET_BYTES and accuracy >= BUDGET_ACCURACY:
        return Finding(
            note=f"Encoded {size:,} bytes, accuracy at least {BUDGET_ACCURACY:.1%}, untrained."
        )
    return Finding(problem, _recipe_mistake(recipe, size))


def _plain_float(recipe):
    settings = {name for _, own in recipe.overrides for name, _ in own}
    plain = recipe.weight_bits == recipe.activation_bits == 32 and recipe.clusters is None
    return plain and settings <= {"sparsity"}


def _recipe_mistake(recipe, size):
    fits = size <= BUDGET_BYTES
    own = [dict(settings).get("sparsity", 0) for _, settings in recipe.overrides]
    if not fits and not any((recipe.sparsity, *own)):
        return "Nothing is pruned yet. Set a sparsity, for all layers or with overrides."
    if fits and recipe.sparsity_scope == "per-layer" and not own:
        return "Each layer lost the same share. The small layers need theirs: use overrides."
    if fits and not own:
        return "One threshold cuts small layers too, where it hurts most. Spare them: overrides."
    return ""


EXERCISES.add(
    Exercise(
        "04.sparse_recipe",
        _judge_recipe,
        sparse_recipe,
        (
            "Which layer holds most of the weights? Zeros elsewhere save next to nothing.",
            "Leave sparsity=0 for all, and give the largest layer one of its own, with overrides.",
            "overrides={name_of_the_largest_layer: {'sparsity': 0.8}}",
        ),
    )
)
