"""Settings that more than one explorer has, refused in words when they cannot be."""

from __future__ import annotations

import traitlets

from qlab.arithmetic.sparsity import require_sparsity


class Sparsity(traitlets.TraitType):
    """A fraction in [0, 1)."""

    default_value = 0.0
    info_text = "a fraction in [0, 1)"

    def validate(self, obj, value):
        """Return it as a float, or say in words what it should be."""
        try:
            return require_sparsity(value, self.name)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
