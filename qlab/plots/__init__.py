"""Pictures: ``plot_<thing>(result, ax=None) -> Axes``, functions of arrays, in matplotlib alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        "anatomy",
        "arithmetic",
        "calibration",
        "claims",
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
        "sparsity",
        "stages",
        "style",
        "tradeoff",
    ),
    submod_attrs={
        "arithmetic": ["plot_fake_quantization"],
        "claims": ["plot_claim"],
        "distillation": ["plot_similarity"],
        "history": ["plot_history"],
        "predictions": ["plot_class_accuracy", "plot_images", "plot_predictions"],
        "pruning": ["plot_pruned_weights"],
        "stages": ["plot_stages"],
    },
)
