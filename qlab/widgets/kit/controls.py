"""Controls for an explorer's settings: each has a label, and each can be reached by keyboard."""

from __future__ import annotations

import ipywidgets
import traitlets

from qlab.widgets.kit.traits import OneOf

FULL = {"width": "100%"}
FLOAT_OR_INT8 = (("32, float", 32), ("8, int8", 8))


def choice(explorer, trait, label=None, options=None):
    """Drop-down for a setting; without `options`, of all the values that it may have."""
    return _card(trait, _box(explorer, trait, label, options or _values(explorer, trait)))


def steps(explorer, trait, label=None, values=None):
    """Slider and linked drop-down for a setting that can have only these `values`."""
    values = values or _values(explorer, trait)
    return _card(trait, _box(explorer, trait, label, values), _slider(explorer, trait, values))


def doublings(last):
    """Stops for a number of images: 1, 2, 4, ... and the last."""
    return [2**i for i in range(11) if 2**i < last] + [last]


def number(explorer, trait, label, stops, step=None):
    """Slider that rests at `stops`, and a linked box that takes every number between."""
    value = getattr(explorer, trait)
    if isinstance(stops[0], float):
        kind, usual = ipywidgets.BoundedFloatText, 0.01
    else:
        kind, usual = ipywidgets.BoundedIntText, 1
    box = kind(value, min=stops[0], max=stops[-1], step=step or usual, description=label)
    traitlets.link((explorer, trait), (box, "value"))
    card = _card(trait, box, _slider(explorer, trait, stops))
    if stops[-1] >= 100_000:
        card.add_class("qlab-wide")
    return card


def enable(card, on):
    """Let a control be moved, or not: where it would change nothing."""
    for child in card.children:
        child.disabled = not on


class LayerBoxes(ipywidgets.VBox):
    """One drop-down a layer, linked with a dictionary among an explorer's settings."""

    def __init__(self, explorer, trait, layers, options, default, heading):
        self._explorer, self._trait, self._default = explorer, trait, default
        self.boxes = {}
        for name in layers:
            box = ipywidgets.Dropdown(options=options, value=default, description=name, layout=FULL)
            box.observe(lambda change, name=name: self._chosen(name, change.new), "value")
            self.boxes[name] = box
        cards = ipywidgets.Box([ipywidgets.VBox([box]) for box in self.boxes.values()])
        cards.add_class("qlab-controls")
        for card in cards.children:
            card.add_class("qlab-control")
        words = ipywidgets.HTML(f'<div class="qlab-notes"><b>{heading}</b></div>')
        super().__init__([words, cards], layout=FULL)

    def show(self, enabled=None):
        """Let the boxes say what the setting says."""
        held = getattr(self._explorer, self._trait)
        for name, box in self.boxes.items():
            box.value = held.get(name, self._default)
            box.disabled = enabled is not None and name not in enabled

    def _chosen(self, name, value):
        """A box was moved: by the learner, or by `show`, which changes nothing."""
        held = getattr(self._explorer, self._trait)
        if held.get(name, self._default) != value:
            setattr(self._explorer, self._trait, {**held, name: value})


def _values(explorer, trait):
    """The values that a setting may have, as its trait knows them."""
    kind = explorer.traits()[trait]
    return list(kind.known(explorer) if isinstance(kind, OneOf) else kind.values)


def _box(explorer, trait, label, options):
    """A linked drop-down; without a label it has the setting's name."""
    label = label or trait.replace("_", " ").capitalize()
    box = ipywidgets.Dropdown(options=options, value=getattr(explorer, trait), description=label)
    traitlets.link((explorer, trait), (box, "value"))
    return box


def _slider(explorer, trait, values):
    """A slider over `values`; it rests at the one nearest to the setting."""
    values = tuple(values)

    def nearest():
        return min(values, key=lambda v: abs(v - getattr(explorer, trait)))

    def moved(change):
        if change.new != nearest():
            setattr(explorer, trait, change.new)

    slider = ipywidgets.SelectionSlider(options=values, value=nearest(), readout=False)
    slider.observe(moved, "value")
    explorer.observe(lambda _: setattr(slider, "value", nearest()), trait)
    return slider


def _card(trait, *children):
    """Label and box in one line, slider below, in one column of the controls."""
    for child in children:
        child.layout = ipywidgets.Layout(**FULL)
    card = ipywidgets.VBox(children)
    card.add_class("qlab-control")
    card.add_class(f"qlab-{trait.replace('_', '-')}")
    if len(children) == 1:
        card.add_class("qlab-choice")
    return card
