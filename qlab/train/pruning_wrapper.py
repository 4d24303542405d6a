"""tfmot's pruning wrapper, with what it forgets to save."""

from qlab.system.quiet import quiet
from qlab.train.door import keras
from qlab.train.toolkit import tfmot  # noqa: F401  (in quiet, before its inner modules)

with quiet():
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

Base = pruning_wrapper.PruneLowMagnitude


class PruneLowMagnitude(Base):
    """The wrapper, whose configuration also says n of m: tfmot's own loses it in a file."""

    def get_config(self):
        """Everything that makes the wrapper anew."""
        return {**super().get_config(), "sparsity_m_by_n": self.sparsity_m_by_n}


def scope():
    """Scope in which Keras can load a model wrapped for pruning."""
    return keras.utils.custom_object_scope({"PruneLowMagnitude": PruneLowMagnitude})
