"""Pictures, in matplotlib alone: ``plot_<thing>(values, ax=None) -> Axes`` for notebooks.

Without an `ax` they make a new figure; those of several panels take and return a list of axes.

The panels, from which explorers put a picture together, draw their frame once (``__init__``,
``frame``) and then only move their marks (``show``), so that a slider moves without delay.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["drawing", "style"],
    submod_attrs={
        "answer_panels": ["plot_class_accuracy", "plot_images", "plot_predictions"],
        "claim_panels": ["plot_claim", "plot_claims"],
        "distillation_panels": ["plot_grid", "plot_similarity"],
        "file_panels": ["plot_stages"],
        "fit_panels": ["plot_arena"],
        "language_panels": [
            "plot_channel_ranges",
            "plot_memory",
            "plot_next_characters",
            "plot_transformer",
        ],
        "pruning_panels": ["plot_mask", "plot_pruned_weights", "plot_removed_filters"],
        "quantization_panels": ["plot_fake_quantization", "plot_integer_layer"],
        "rounding_panels": ["plot_feedback"],
        "training_panels": ["plot_history", "plot_intervals", "plot_wrapped_layer"],
    },
)
