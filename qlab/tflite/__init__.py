"""A `.tflite` file: read and checked, listed, edited, packed, run, timed and counted.

Everything here takes a file as it is. What a recipe makes of a float model is the engine's.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        *("arena", "artefacts", "boards", "litemodel", "micro_form", "micro_runtime"),
        *("operations", "runtime", "sparse_encoding", "timing"),
    ),
)
