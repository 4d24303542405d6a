"""The data set: found on this machine or fetched, verified, and split.

``load()`` gives the images and labels, ``calibration_images()`` what a compressor calibrates on.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("fashion_mnist", "fetching", "idx"),
    submod_attrs={
        "fashion_mnist": [
            "CLASS_NAMES",
            "FashionMNIST",
            "Split",
            "calibration_images",
            "fetch",
            "load",
            "stratified",
        ],
        "fetching": ["DataError"],
    },
)
