"""Pictures: ``plot_<thing>(result, ax=None) -> Axes``, functions of arrays, in matplotlib alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        "anatomy",
        "arithmetic",
        "calibration",
        "flips",
        "histograms",
        "history",
        "predictions",
        "qat",
        "sensitivity",
        "style",
        "tradeoff",
    ),
    submod_attrs={
        "anatomy": ["plot_anatomy", "plot_file"],
        "arithmetic": ["plot_fake_quantization"],
        "calibration": ["plot_calibration"],
        "flips": ["plot_flip_counts", "plot_flips"],
        "histograms": ["plot_activations", "plot_weights"],
        "history": ["plot_history"],
        "predictions": ["plot_class_accuracy", "plot_confusion", "plot_images", "plot_predictions"],
        "qat": ["plot_quantization_aware"],
        "sensitivity": ["plot_sensitivity"],
        "tradeoff": ["best_front", "plot_tradeoff"],
    },
)
