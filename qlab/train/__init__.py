"""Training and conversion: the only room that imports TensorFlow, and not before it is used.

``from qlab.train import keras`` gives Keras 2, which is what this course trains with.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clustering": ["cluster_weights", "strip_clustering"],
        "conversion": ["MODES", "convert"],
        "distillation": ["Distiller", "distil"],
        "door": ["keras", "tf"],
        "fitting": ["BATCH_SIZE", "LEARNING_RATE", "fit"],
        "models": ["baseline"],
        "collaborative": ["preserving"],
        "pruning": ["prune", "pruning_callback", "sparsities", "strip_pruning"],
        "qat": ["float_twin", "quantization_aware"],
        "qat_conversion": ["convert_quantized"],
        "parity_meter": ["parity"],
        "saving": ["load", "save"],
        "students": ["student"],
        "teachers": ["fit_teacher", "teacher"],
        "soft_labels": ["teacher_logits"],
        "sparsity_schedules": ["constant_sparsity", "polynomial_decay"],
        "toolkit": ["tfmot"],
    },
)
