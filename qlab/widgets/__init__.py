"""The explorers: each answers one question and stands alone in one notebook cell."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("controls", "download", "explorer", "live", "readout", "style", "subject"),
    submod_attrs={
        "board": ["ChallengeBoard"],
        "byte_anatomy": ["AnatomyExplorer"],
        "calibration": ["CalibrationExplorer"],
        "clustering": ["ClusteringExplorer"],
        "distillation": ["DistillationExplorer"],
        "explorer": ["Explorer"],
        "flip_gallery": ["FlipGallery"],
        "pareto": ["ParetoExplorer"],
        "pruning": ["PruningExplorer"],
        "qat": ["QatExplorer"],
        "quantization": ["QuantizationExplorer"],
        "schedule": ["ScheduleExplorer"],
        "search": ["SearchExplorer"],
        "sensitivity": ["SensitivityExplorer"],
        "sparsity_sensitivity": ["SparsitySensitivityExplorer"],
    },
)
