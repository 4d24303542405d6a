"""Training and conversion: the only room that imports TensorFlow, and not before it is used.

``from qlab.train import keras`` gives Keras 2, which is what this course trains with.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clustered_training": ["cluster_weights", "strip_clustering"],
        "distilling": ["Distiller", "distil"],
        "fake_quantization": ["float_twin", "preserving", "quantization_aware"],
        "fitting": ["BATCH_SIZE", "LEARNING_RATE", "fit", "fit_teacher"],
        "keras2": ["keras", "tf", "tfmot"],
        "model_files": ["MODES", "convert", "load", "save"],
        "networks": ["baseline", "separable", "student", "teacher"],
        "parity_meter": ["parity"],
        "qat_conversion": ["convert_quantized"],
        "soft_labels": ["teacher_logits"],
        "sparse_training": [
            "constant_sparsity", "polynomial_decay", "prune", "pruning_callback", "remove_filters",
            "sparsities", "strip_pruning",
        ],
    },
)  # fmt: skip
