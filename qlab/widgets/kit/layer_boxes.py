"""A drop-down for each layer: the learner's own recipe."""

from __future__ import annotations

import ipywidgets

from qlab.widgets.kit.controls import FULL


class LayerBoxes(ipywidgets.VBox):
    """One drop-down a layer, linked with a dictionary among an explorer's settings."""

    def __init__(self, explorer, trait, layers, options, default, heading):
        """Lay out the boxes."""
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
