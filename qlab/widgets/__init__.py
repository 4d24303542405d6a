"""The explorers: each answers one question and stands alone in one notebook cell."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("controls", "download", "explorer", "live", "readout", "style", "subject"),
    submod_attrs={
        "byte_anatomy": ["AnatomyExplorer"],
        "calibration": ["CalibrationExplorer"],
        "explorer": ["Explorer"],
        "flip_gallery": ["FlipGallery"],
        "qat": ["QatExplorer"],
        "quantization": ["QuantizationExplorer"],
        "sensitivity": ["SensitivityExplorer"],
    },
)
