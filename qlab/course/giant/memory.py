"""Where memory goes in published language models: arithmetic on their shapes, nothing run."""

from typing import NamedTuple

from qlab.lessons.judges import for_function, like


class Shape(NamedTuple):
    """Sizes of a published decoder-only model; `inner` is the width of its feed-forward layers."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    vocabulary: int
    positions: int
    parameters: int


SHAPES = {  # by name; the notebook links the sources
    "GPT-2": Shape(12, 768, 12, 12, 64, 3072, 50257, 1024, 124_439_808),
    "Qwen2 0.5B": Shape(24, 896, 14, 2, 64, 4864, 151936, 32768, 494_032_768),
    "Llama 2 7B": Shape(32, 4096, 32, 32, 128, 11008, 32000, 4096, 6_738_415_616),
    "Llama 3 8B": Shape(32, 4096, 32, 8, 128, 14336, 128256, 8192, 8_030_261_248),
}


def weight_bytes(shape, bits):
    """Bytes of all parameters at so many bits, without scales."""
    return shape.parameters * bits // 8


def cache_bytes(shape, positions, bits):
    """Bytes of the key-value cache of one text of so many positions."""
    numbers = 2 * shape.layers * shape.kv_heads * shape.head_size * positions  # keys and values
    return numbers * bits // 8


def activation_bytes(shape, at_once, bits):
    """Bytes of the widest step, for so many positions read at once.

    The sum, its normalized copy and two vectors of the feed-forward layer live at the same time.
    """
    return at_once * (2 * shape.width + 2 * shape.inner) * bits // 8


def _cache(shape, positions, bits, *, kinds=2, layers=True, heads="kv_heads", each=8):
    """`cache_bytes` with one thing done differently."""
    numbers = kinds * getattr(shape, heads) * shape.head_size * positions
    return numbers * (shape.layers if layers else 1) * bits / each


judge_cache_bytes = for_function(
    cache_bytes,
    [(SHAPES["Llama 3 8B"], 8192, 16), (SHAPES["Qwen2 0.5B"], 1000, 8)],
    same=lambda args, expected, got: like(cache_bytes)(args, got),
    mistakes={
        "keys_alone": like(lambda *given: _cache(*given, kinds=1)),
        "all_heads": like(lambda *given: _cache(*given, heads="heads")),
        "one_layer": like(lambda *given: _cache(*given, layers=False)),
        "in_bits": like(lambda *given: _cache(*given, each=1)),
        "one_position": like(lambda shape, n, bits: _cache(shape, 1, bits)),
        "weights": like(lambda shape, n, bits: weight_bytes(shape, bits)),
    },
)
