"""What all explorers share: controls, the picture, the read-out, downloads, slow work."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        "controls",
        "css",
        "download",
        "explorer",
        "front_end",
        "hotspots",
        "job",
        "live",
        "readout",
        "traits",
    ),
)
