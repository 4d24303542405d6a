"""What explorers and notebooks measure: one topic a module, without any widget or picture.

A trial makes files through the engine, scores them with LiteRT, and keeps what it found.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=(
        "distillation_scores",
        "draws",
        "flips",
        "fronts",
        "outliers",
        "pareto",
        "pruned",
        "quantized_training",
        "search",
        "sensitivity",
        "shelf",
        "shipped",
        "stages",
        "subjects",
    ),
)
