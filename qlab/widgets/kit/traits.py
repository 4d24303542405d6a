"""Settings that are refused in words when they cannot be."""

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


class OneOf(traitlets.Unicode):
    """A name among those in an attribute of the explorer, which knows them once it is built."""

    def __init__(self, known, words, default=""):
        super().__init__(default)
        self._known, self._words = known, words

    def validate(self, obj, value):
        """Return the name, or say in words which there are."""
        value, known = super().validate(obj, value), self.known(obj)
        if known is not None and value not in known:
            raise traitlets.TraitError(self._words.format(value, ", ".join(known)))
        return value

    def known(self, obj):
        """The names, once the explorer knows them."""
        return getattr(obj, self._known, None)


class LayerName(OneOf):
    """A layer with weights, of those in the explorer's ``layers``."""

    def __init__(self):
        super().__init__("layers", "no layer with weights is called {!r}; there are {}")


class _Within:
    """A number within two ends; an end may be the name of an attribute of the explorer."""

    def __init__(self, default, low, high, unit=""):
        super().__init__(default)
        self._ends, self._unit = (low, high), unit

    def validate(self, obj, value):
        """Return the number, or say in words where it should lie."""
        value = super().validate(obj, value)
        low, high = (getattr(obj, x, None) if isinstance(x, str) else x for x in self._ends)
        if None not in (low, high) and not low <= value <= high:
            ends = " to ".join(f"{x:,}" if isinstance(x, int) else f"{x:g}" for x in (low, high))
            raise traitlets.TraitError(f"{self.name} is {value}; choose {ends}{self._unit}")
        return value


class WholeWithin(_Within, traitlets.Int):
    """A whole number within two ends."""


class FloatWithin(_Within, traitlets.Float):
    """A number within two ends."""


def require_known(asked, known, noun):
    """Refuse, in words, a name among `asked` that is not `known`."""
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise ValueError(f"no {noun} is called {unknown[0]!r}; there are {', '.join(known)}")
