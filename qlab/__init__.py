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

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "affine",
        "artefacts",
        "challenge",
        "clusters",
        "compressor",
        "data",
        "distillation",
        "export",
        "lessons",
        "litemodel",
        "metrics",
        "observers",
        "operations",
        "pareto",
        "plots",
        "results",
        "runtime",
        "search",
        "sparse_encoding",
        "sparsity",
        "stages",
        "timing",
        "train",
        "widgets",
    ],
    submod_attrs={
        "artefacts": ["pretrained"],
        "compressor": ["Compressor"],
        "litemodel": ["Layer", "LiteModel", "ModelError"],
        "metrics": ["compare"],
        "results": ["Comparison", "Latency", "Measurement", "Recipe", "Sizes"],
        "runtime": ["evaluate", "latency", "predict"],
    },
)
