"""Settings: each says in one place what it may be, in words, and which control moves it."""

import traitlets

from qlab.arithmetic.sparsity import require_sparsity
from qlab.engine.recipes import ROUNDING_CHOICES
from qlab.widgets.kit import controls

FLOAT_OR_INT8 = {32: "32, float", 8: "8, int8"}


def steps(label, values, default):
    """One of a few numbers; a slider and a drop-down."""
    return _setting(Among(values, default), controls.step_slider, label, values)


def choice(label, values, default):
    """One of a few values; a drop-down of them, or of what a mapping calls them."""
    named = [(words, x) for x, words in values.items()] if isinstance(values, dict) else values
    return _setting(Among(tuple(values), default), controls.drop_down, label, named)


def rounding():
    """How weights are rounded; a drop-down."""
    return choice("Rounding", {x: words for x, (words, _) in ROUNDING_CHOICES.items()}, "nearest")


def rounding_of(recipe):
    """Which of the `ROUNDING_CHOICES` a recipe has, or the one that is most like it."""
    alike = (x for x, (_, y) in ROUNDING_CHOICES.items() if y.items() <= vars(recipe).items())
    return next(alike, recipe.rounding)


def rare(setting):
    """A setting whose control stands in the closed row "More settings"."""
    return setting.tag(rare=True)


def name_among(label, known, default=""):
    """One of the names in an attribute of the explorer; a drop-down."""
    return _setting(OneOf(known, default), controls.drop_down, label, known)


def layer_name():
    """A layer with weights, of those in the explorer's ``layers``; a drop-down."""
    kind = OneOf("layers", "", "no layer with weights is called {!r}; there are {}")
    return _setting(kind, controls.drop_down, "Layer shown", "layers")


def number(label, kind, stops, **more):
    """A number of a `kind`; a slider that rests at `stops`, and a box for those between.

    The stops may also be the name of the explorer's attribute that holds them.
    """
    return _setting(kind, controls.number_slider, label, stops, **more)


def _setting(kind, control, label, values, **more):
    def make(explorer, name):
        found = getattr(explorer, values) if isinstance(values, str) else values
        return control(explorer, name, label, tuple(found), **more)

    return kind.tag(setting=True, control=make, stops=values if isinstance(values, str) else None)


def words(label, default):
    """A line of text; a box, which is read when Enter is pressed or the box is left."""
    return traitlets.Unicode(default).tag(
        setting=True, control=lambda explorer, name: controls.text_box(explorer, name, label)
    )


def by_layer():
    """Values of single layers, by their names."""
    return traitlets.Dict().tag(setting=True, by_layer=True)


class Among(traitlets.Enum):
    """One of a few values."""

    def validate(self, obj, value):
        """Return the value, or say in words which there are."""
        if value in self.values:
            return value
        known = ", ".join(str(x) for x in self.values)
        raise traitlets.TraitError(f"{self.name} is {value!r}; choose one of {known}")


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

    def __init__(self, known, default="", words="NAME is {!r}; choose one of {}"):
        super().__init__(default)
        self._known, self._words = known, words

    def validate(self, obj, value):
        """Return the name, or say in words which there are."""
        value, known = super().validate(obj, value), getattr(obj, self._known, None)
        if known is not None and value not in known:
            words = self._words.replace("NAME", self.name)
            raise traitlets.TraitError(words.format(value, ", ".join(known)))
        return value


class _Within:
    """A number within two ends: numbers, names of attributes of the explorer, or None."""

    def __init__(self, default, low, high, unit=""):
        super().__init__(default)
        self._ends, self._unit = (low, high), unit

    def validate(self, obj, value):
        """Return the number, or say in words where it should lie."""
        value = super().validate(obj, value)
        low, high = (getattr(obj, x, None) if isinstance(x, str) else x for x in self._ends)
        if (low is not None and value < low) or (high is not None and value > high):
            known = [x for x in (low, high) if x is not None]
            ends = " to ".join(f"{x:,}" if isinstance(x, int) else f"{x:g}" for x in known)
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
