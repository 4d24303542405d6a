"""qlab: a hands-on course on making neural networks small.

Names load when first touched, so that ``import qlab`` is quick and brings in neither TensorFlow
nor matplotlib nor ipywidgets (Scientific Python SPEC 1).

Examples
--------
>>> import qlab
>>> qlab.Recipe(weight_bits=4).weight_bits
4
"""

import lazy_loader

from qlab.system import threads

threads.obey()  # before NumPy is loaded, which asks only then
del threads

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "arithmetic",
        "challenge",
        "course",
        "data",
        "engine",
        "export",
        "lessons",
        "plots",
        "system",
        "tflite",
        "train",
        "trials",
        "widgets",
    ],
    submod_attrs={
        # The modules that notebooks call by name, wherever their room is.
        "arithmetic": [
            *("affine", "clusters", "distillation", "metrics", "observers", "results"),
            "sparsity",
        ],
        "data.datasets": ["Dataset"],
        "engine": ["compressor"],
        "arithmetic.results": ["Comparison", "Latency", "Measurement", "Sizes", "compare"],
        "engine.compressor": ["Compressor"],
        "engine.recipes": ["Recipe"],
        "tflite": ["artefacts", "litemodel", "operations", "runtime", "sparse_encoding", "timing"],
        "tflite.artefacts": ["pretrained"],
        "tflite.litemodel": ["Layer", "LiteModel", "ModelError"],
        "tflite.micro_runtime": ["MicroReport", "micro"],
        "tflite.runtime": ["evaluate", "find_pixels", "latency", "predict"],
        "trials": ["pareto", "search", "stages"],
    },
)
