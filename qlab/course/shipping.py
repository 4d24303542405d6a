"""Questions and exercises of notebook 06, second half: work, energy, export, the challenge."""

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like
from qlab.lessons.predictions import QUESTIONS, Question

QUESTIONS.add(
    Question(
        "06.energy",
        "One image, the float model, the weights in DRAM (memory outside the chip). What takes "
        "most of the energy?",
        {
            "the multiplications": "arithmetic",
            "reading the weights": "weights",
            "reading and writing activations": "activations",
        },
        why="A byte from DRAM costs many times as much as a multiplication. Each weight of the "
        "dense layer is fetched, and used once.",
        kind="simulated",
    )
)

QUESTIONS.add(
    Question(
        "06.c_source",
        "The .tflite file is also written as C source, for a microcontroller. How long is that "
        "text, beside the file?",
        {
            "as long, to a tenth": (0.9, 1.1),
            "less than four times as long": (1.1, 4),
            "four times as long, or longer": (4, 20),
        },
        shown="{:.1f} times as long",
        why="Each byte is spelled in six characters. Compiled, it is one byte again.",
    )
)

QUESTIONS.add(
    Question(
        "06.league",
        "On the search images, your recipe was right more than nine times in ten. In which "
        "leagues is its file?",
        {
            "in both": "0.90 and 0.85",
            "in league 0.85 alone": "0.85",
            "in none": "none",
        },
        why="The search images are training images, which the model has learned. The challenge "
        "asks the test images.",
    )
)


def conv_macs(height, width, channels, filters, kernel, stride):
    """Multiply-accumulates of a convolution without padding, for one image."""
    places = ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
    return places * filters * kernel * kernel * channels


def _places(height, width, channels, filters, kernel, stride):
    return conv_macs(height, width, channels, filters, kernel, stride) // (
        filters * kernel * kernel * channels
    )


def _unrounded(height, width, channels, filters, kernel, stride):
    sides = [(side - kernel) / stride + 1 for side in (height, width)]
    return _macs(*sides, channels, filters, kernel)


def _macs(h, w, channels, filters, kernel):
    return h * w * channels * filters * kernel * kernel


def _as_large(height, width, channels, filters, kernel, stride):
    return _macs(-(-height // stride), -(-width // stride), channels, filters, kernel)


def _unstrided(height, width, channels, filters, kernel, stride):
    return _macs(height - kernel + 1, width - kernel + 1, channels, filters, kernel)


def _one_short(height, width, channels, filters, kernel, stride):
    places = (height - kernel) // stride, (width - kernel) // stride
    return _macs(*places, channels, filters, kernel)


EXERCISES.add(
    Exercise(
        "06.conv_macs",
        for_function(
            conv_macs,
            [(28, 28, 1, 32, 2, 1), (13, 13, 32, 16, 2, 1), (33, 24, 3, 8, 5, 3)],
            mistakes={
                "These are the weights. Each is used at every place of the picture.": like(
                    lambda h, w, c, f, k, s: k * k * c * f
                ),
                "A filter sees all channels of its input: there is a weight for each.": like(
                    lambda *a: conv_macs(*a) / a[2]
                ),
                "A multiplication and the addition after it count as one.": like(
                    lambda *a: 2 * conv_macs(*a)
                ),
                "Without padding the output is smaller than the input: the kernel must fit.": like(
                    _as_large, lambda h, w, c, f, k, s: _macs(h, w, c, f, k)
                ),
                "One place is missing along each side. A kernel as large as the picture fits once.": (  # noqa: E501
                    like(_one_short)
                ),
                "The stride is missing: the kernel moves by that many pixels.": like(_unstrided),
                "This is one filter. There are several.": like(lambda *a: conv_macs(*a) / a[3]),
                "A kernel stands at whole places: round down, with //.": like(_unrounded),
                "Width is not height here: the picture need not be square.": like(
                    lambda h, w, *a: conv_macs(h, h, *a), lambda h, w, *a: conv_macs(w, w, *a)
                ),
                "The bias is counted, too. It is added, and multiplies nothing.": like(
                    lambda *a: conv_macs(*a) + _places(*a) * a[3], lambda *a: conv_macs(*a) + a[3]
                ),
                "A kernel has rows and columns: kernel * kernel products for each channel.": like(
                    lambda *a: conv_macs(*a) / a[4]
                ),
            },
        ),
        conv_macs,
        (
            "How many numbers does the output have, and how many products make each?",
            "Along a side the kernel fits (height - kernel) // stride + 1 times.",
            "places * filters * kernel * kernel * channels",
        ),
    )
)
