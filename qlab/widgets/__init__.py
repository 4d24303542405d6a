"""The explorers: each answers one question and stands alone in one notebook cell.

The room `kit` holds what all of them share; here is one explorer a module, and the views of
questions and quizzes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=("kit",),
    submod_attrs={
        "challenge_board": ["ChallengeBoard"],
        "anatomy_explorer": ["AnatomyExplorer"],
        "calibration_explorer": ["CalibrationExplorer"],
        "clustering_explorer": ["ClusteringExplorer"],
        "distillation_explorer": ["DistillationExplorer"],
        "kit.explorer": ["Explorer", "Shown"],
        "kit.model_explorer": ["ModelExplorer"],
        "fit_explorer": ["FitExplorer"],
        "flip_gallery": ["FlipGallery"],
        "outlier_explorer": ["OutlierExplorer"],
        "pareto_explorer": ["ParetoExplorer"],
        "pruning_explorer": ["PruningExplorer"],
        "qat_explorer": ["QatExplorer"],
        "quantization_explorer": ["QuantizationExplorer"],
        "schedule_explorer": ["ScheduleExplorer"],
        "search_explorer": ["SearchExplorer"],
        "sensitivity_explorer": ["SensitivityExplorer"],
        "sparsity_sensitivity_explorer": ["SparsitySensitivityExplorer"],
        "text_explorer": ["TextExplorer"],
    },
)
