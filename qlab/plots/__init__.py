"""Pictures: ``plot_<thing>(result, ax=None) -> Axes``, functions of arrays, in matplotlib alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        "anatomy",
        "arithmetic",
        "calibration",
        "clustering",
        "distillation",
        "flips",
        "histograms",
        "history",
        "pareto",
        "predictions",
        "pruning",
        "qat",
        "schedule",
        "search",
        "sensitivity",
        "style",
        "tradeoff",
    ),
    submod_attrs={
        "anatomy": ["plot_anatomy", "plot_file"],
        "arithmetic": ["plot_fake_quantization"],
        "calibration": ["plot_calibration"],
        "clustering": ["plot_values"],
        "distillation": ["plot_answers", "plot_similarity"],
        "flips": ["plot_flip_counts", "plot_flips"],
        "histograms": ["plot_activations", "plot_weights"],
        "history": ["plot_history"],
        "pareto": ["plot_pareto"],
        "predictions": ["plot_class_accuracy", "plot_confusion", "plot_images", "plot_predictions"],
        "pruning": ["plot_mask", "plot_pruned_weights", "plot_sparsity"],
        "qat": ["plot_quantization_aware"],
        "schedule": ["plot_schedule"],
        "search": ["plot_search"],
        "sensitivity": ["plot_sensitivity"],
        "tradeoff": ["best_front", "plot_tradeoff"],
    },
)
