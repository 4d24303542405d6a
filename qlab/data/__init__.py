"""Data sets: a learner's own, checked, and Fashion-MNIST: found or fetched, verified, split.

``Dataset`` holds any pictures with their classes. ``load()`` gives Fashion-MNIST, and
``calibration_images()`` what a compressor of its models calibrates on. ``digits.load()`` gives
handwritten digits.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("datasets", "doors", "digits", "fashion_mnist", "fetching", "idx", "outside"),
    submod_attrs={
        "doors": ["DatasetError"],
        "datasets": ["Dataset", "Split", "stratified"],
        "fashion_mnist": [
            "CLASS_NAMES",
            "FashionMNIST",
            "calibration_images",
            "fetch",
            "is_fashion",
            "load",
        ],
        "fetching": ["DataError"],
    },
)
