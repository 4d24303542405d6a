"""The live engine: a recipe and a float model become a real `.tflite` file in milliseconds.

The calibration images run through the float model once. After that a recipe only decides grids and
rewrites numbers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=("compressor", "planning", "recipes")
)
