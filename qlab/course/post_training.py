"""Questions and the last two exercises of notebook 02: sizes and mixed bits."""

from qlab.course import shipped
from qlab.engine.recipes import Recipe
from qlab.lessons.exercises import EXERCISES, Exercise, Finding
from qlab.lessons.judges import for_function, like
from qlab.lessons.predictions import QUESTIONS, Question

BUDGET_BYTES = 32_000
BUDGET_ACCURACY = 0.88

QUESTIONS.add(
    Question(
        "02.smallest",
        "The converter offers four ways to shrink the model. Which file is the smallest?",
        {
            "float16: weights as 16-bit floats": "float16",
            "dynamic range: 8-bit weights": "dynamic-range",
            "full integer: 8-bit weights and activations": "int8",
            "int16x8: 8-bit weights, 16-bit activations": "int16x8",
        },
        why="Dynamic range and full integer hold the same 8-bit weights. "
        "Full integer also stores a scale and a zero point for every bias and activation.",
    )
)

QUESTIONS.add(
    Question(
        "02.overhead",
        "8 of 32 bits promise a quarter of the bytes. The 8-bit file is larger than that. "
        "Which part of it grew most?",
        {
            "the biases": "biases",
            "scales and zero points": "scales",
            "the names of tensors": "names",
            "the graph, which says what comes after what": "graph",
        },
        why="Each output channel needs a scale and a zero point, for its weights and for its bias. "
        "The float32 file has none.",
    )
)

QUESTIONS.add(
    Question(
        "02.flips",
        "The weights go from 32 bits to 4. Some wrong answers become right, some right ones "
        "become wrong. What part of these changes is for the better?",
        {
            "none: fewer bits only take away": (0, 0.01),
            "about one in ten": (0.01, 0.2),
            "about one in three": (0.2, 0.45),
            "about half": (0.45, 1.01),
        },
        shown="{:.2f} of the changes",
        why="Rounding pushes images that sit near a boundary to either side. "
        "The accuracy shows only the difference of the two streams.",
    )
)

QUESTIONS.add(
    Question(
        "02.cliff",
        "Lower the weights bit by bit and keep activations at 8. "
        "Which is the first number of bits with an accuracy below 80 %?",
        {"6 bits": 6, "5 bits": 5, "4 bits": 4, "3 bits": 3, "2 bits": 2},
        why="At 3 bits a weight has 7 values to choose from. At 2 bits it has three: "
        "minus the largest, zero, and the largest.",
    )
)

QUESTIONS.add(
    Question(
        "02.weights_or_activations",
        "Give 2 bits to the weights or to the activations, and 8 to the others. Which hurts more?",
        {
            "2-bit weights hurt more": "weights",
            "2-bit activations hurt more": "activations",
            "no difference beyond noise": "neither",
        },
        why="Weights need a sign, so 2 bits leave three values. "
        "Activations after ReLU need none, so they have four.",
    )
)

QUESTIONS.add(
    Question(
        "02.more_images",
        "Activations at 2 bits, min-max observer. You calibrate on 1,024 images instead of 4. "
        "What happens to the accuracy?",
        {"it rises": "rises", "it stays within noise": "neither", "it falls": "falls"},
        why="Min-max keeps the largest value it ever saw. More images bring rarer values, "
        "and all others share the few steps that are left.",
    )
)

QUESTIONS.add(
    Question(
        "02.one_class",
        "All 128 calibration images show trousers. Weights and activations have 8 bits. "
        "What happens to the accuracy on all ten classes?",
        {
            "it stays within noise": "neither",
            "it falls by less than 5 points": "a little",
            "it falls by 5 points or more": "a lot",
        },
        why="Calibration takes nothing but ranges. "
        "Trousers drive the layers about as far as other garments do.",
    )
)

QUESTIONS.add(
    Question(
        "02.blank",
        "All calibration images are blank. What is the accuracy of the 8-bit model, in percent?",
        bounds=(0, 100),
        near=10,
        shown="{:.0f} %",
        why="The ranges were taken from blank images. Real activations lie far outside them, "
        "and all of them are cut off at the end of the range.",
    )
)

QUESTIONS.add(
    Question(
        "02.layer",
        "One layer's weights go to 2 bits, all others stay at 8. Which layer hurts most?",
        {
            "the first convolution, 128 weights": 0,
            "the second convolution, 2,048 weights": 1,
            "the dense layer, 72,000 weights": 2,
            "the last layer, 1,250 weights": 3,
        },
        why="Size and damage are two different things. That is what makes mixed bits worth while.",
    )
)


def packed_bytes(count, bits):
    """Bytes of `count` weights of `bits` bits each, packed without gaps."""
    return -(-count * bits // 8)


EXERCISES.add(
    Exercise(
        "02.packed_bytes",
        for_function(
            packed_bytes,
            [(8, 4), (75_609, 4), (3, 3), (1, 2), (10, 8)],
            mistakes={
                "These are bits. A byte has 8.": like(lambda count, bits: count * bits),
                "The last few bits need a byte of their own. Round up.": like(
                    lambda count, bits: count * bits // 8, lambda count, bits: count * (bits // 8)
                ),
                "A file has whole bytes. Round up.": like(lambda count, bits: count * bits / 8),
                "Here each weight has a byte of its own. Packed, 4-bit weights share one.": like(
                    lambda count, bits: count
                ),
            },
        ),
        packed_bytes,
        (
            "How many bits are there in all?",
            "count * bits bits, 8 to a byte. The last byte may be partly empty.",
            "Divide by 8 and round up: math.ceil, or -(-bits // 8).",
        ),
    )
)


def mixed_recipe():
    """Few bits where the weights are, 8 where they are few."""
    heaviest = max(
        (x for x in shipped.model().layers if x.weights is not None), key=lambda x: x.weights.size
    )
    return Recipe(overrides={heaviest.name: {"weight_bits": 3}})


def _judge_recipe(recipe):
    """Build the file, score it on the test images, and hold it against the budget."""
    if not isinstance(recipe, Recipe):
        return Finding(f"This check needs a qlab.Recipe, and got {type(recipe).__name__}.")
    try:
        small, measured = shipped.score(recipe)
    except ValueError as error:
        return Finding(f"This recipe cannot be built: {error}")
    size = shipped.compressor().sizes(small, recipe).packed_floor_bytes
    accuracy = measured.accuracy
    if size <= BUDGET_BYTES and accuracy >= BUDGET_ACCURACY:
        return Finding(note=f"Packed size {size:,} bytes, accuracy at least {BUDGET_ACCURACY:.0%}.")
    return Finding(
        f"Packed size {size:,} bytes (at most {BUDGET_BYTES:,}), "
        f"accuracy {accuracy:.1%} (at least {BUDGET_ACCURACY:.0%}).",
        _recipe_mistake(recipe, size),
    )


def _recipe_mistake(recipe, size):
    weights = (
        recipe.weight_bits,
        *(dict(bits).get("weight_bits", 8) for _, bits in recipe.overrides),
    )
    if size > BUDGET_BYTES and min(weights) >= 8:
        return "Activations are not stored in the file. Lower weight_bits."
    if size <= BUDGET_BYTES and not recipe.overrides:
        return "All layers share one number of bits. With overrides you can spare some of them."
    return ""


EXERCISES.add(
    Exercise(
        "02.mixed_recipe",
        _judge_recipe,
        mixed_recipe,
        (
            "Which layer holds most of the weights? Bits saved elsewhere hardly count.",
            "Keep weight_bits=8 and lower only the largest layer, with overrides.",
            "overrides={name_of_the_largest_layer: {'weight_bits': 3}}.",
        ),
    )
)
