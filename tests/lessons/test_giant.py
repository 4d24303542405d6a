"""Notebook 10: its arithmetic on published shapes, and its rows of a layer."""

import numpy as np
import pytest

from qlab import plots
from qlab.arithmetic import rounding
from qlab.course.giant import by_hand, memory
from qlab.tflite.artefacts import pretrained


def counted(shape, tied, gated, bias, places):
    """Parameters of a shape, counted layer by layer."""
    width, inner = shape.width, shape.inner
    asked, kept = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    attention = 2 * width * asked + 2 * width * kept
    feed = (3 if gated else 2) * width * inner
    if bias == "all":  # GPT-2: each dense layer and each of its layer normalizations
        extra, last = asked + 2 * kept + width + inner + width + 4 * width, 2 * width
    else:
        extra, last = (asked + 2 * kept if bias == "query, key, value" else 0) + 2 * width, width
    tables = (1 if tied else 2) * shape.vocabulary * width + places * width
    return tables + shape.layers * (attention + feed + extra) + last


@pytest.mark.parametrize(
    ("name", "tied", "gated", "bias", "places"),
    [
        ("GPT-2", True, False, "all", 1024),
        ("Qwen2 0.5B", True, True, "query, key, value", 0),
        ("Llama 2 7B", False, True, "", 0),
        ("Llama 3 8B", False, True, "", 0),
    ],
)
def test_the_shapes_have_as_many_parameters_as_was_published(name, tied, gated, bias, places):
    shape = memory.SHAPES[name]
    assert counted(shape, tied, gated, bias, places) == shape.parameters
    assert memory.weight_bytes(shape, 4) == shape.parameters // 2


def test_half_a_megabyte_for_each_token_of_llama_2():
    """As its shape says: 2 x 32 layers x 32 heads x 128 numbers of 2 bytes."""
    assert memory.cache_bytes(memory.SHAPES["Llama 2 7B"], 1, 16) == 524_288


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_row_by_hand_is_the_engines(bits):
    weights, moments, scale, q_max = by_hand.row_of(
        pretrained("language-small-seed0"), "block1_value", 5, bits
    )
    curved = rounding.curvature(moments, damping=1e-12)
    [engine] = rounding.gptq(weights[None], scale, bits, curved)
    assert np.array_equal(by_hand.gptq_row(weights, moments, scale, q_max), engine)


def test_a_character_that_came_is_named_with_its_bits():
    (ax,) = plots.plot_next_characters([[0.25, 0.75]], "\n$", ["x$"], ["\n"])
    assert [x.get_text() for x in ax.get_yticklabels()] == [r"\$", "new line"]
    assert ax.texts[0].get_text() == "“new line” came:\n2.0 bits"


def test_memory_is_stacked_in_gigabytes():
    ax = plots.plot_memory({"a": {"weights": 2e9, "keys and values": 1e9}}, limit=1e9)
    assert [bar.get_width() for bar in ax.patches] == [2.0, 1.0]
    assert ax.patches[1].get_x() == 2.0
    assert ax.get_xlabel() == "GB, simulated"
