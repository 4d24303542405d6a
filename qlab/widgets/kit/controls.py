"""Controls for an explorer's settings: each has a label, and each can be reached by keyboard."""

import ipywidgets

FULL = {"width": "100%"}


def drop_down(explorer, trait, label, options):
    """Drop-down for a setting."""
    return _card(explorer, trait, _box(explorer, trait, label, options))


def step_slider(explorer, trait, label, values):
    """Slider and linked drop-down for a setting that can have only these `values`."""
    box = _box(explorer, trait, label, values)
    return _card(explorer, trait, box, _slider(box, values))


def text_box(explorer, trait, label):
    """Box for words, several lines of them; it is read when it is left."""
    box = ipywidgets.Textarea(
        getattr(explorer, trait), description=label, rows=2, continuous_update=False
    )
    return _card(explorer, trait, box)


def doublings(last):
    """Stops for a number of images: 1, 2, 4, ... and the last."""
    return [2**i for i in range(11) if 2**i < last] + [last]


def number_slider(explorer, trait, label, stops, step=None):
    """Slider that rests at `stops`, and a linked box that takes every number between."""
    value = getattr(explorer, trait)
    if isinstance(stops[0], float):
        kind, usual = ipywidgets.BoundedFloatText, 0.01
    else:
        kind, usual = ipywidgets.BoundedIntText, 1
    box = kind(value, min=stops[0], max=stops[-1], step=step or usual, description=label)
    card = _card(explorer, trait, box, _slider(box, stops))
    if stops[-1] >= 100_000:
        card.add_class("qlab-wide")
    return card


def refill(card, stops):
    """Let a control offer other stops; after that, `card.follow` shows the setting again."""
    for child in card.children:
        if child.has_trait("options"):
            child.options = stops
        else:
            child.max = max(child.max, stops[-1])
            child.min, child.max = stops[0], stops[-1]


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
            box.observe(lambda change, name=name: self._chosen(name, change), "value")
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

    def _chosen(self, name, change):
        """A box was moved: by the learner, or by `show`, which changes nothing."""
        held = getattr(self._explorer, self._trait)
        if held.get(name, self._default) != change.new:
            with self._explorer.moved(by_hand=_by_hand(change.owner)):
                setattr(self._explorer, self._trait, {**held, name: change.new})


def _by_hand(*boxes):
    """Whether the browser says it: ipywidgets locks the properties that it sets because of that."""
    return any(box._property_lock for box in boxes)


def _box(explorer, trait, label, options):
    return ipywidgets.Dropdown(options=options, value=getattr(explorer, trait), description=label)


def _slider(box, values):
    """A slider over `values`; it rests at the one nearest to what the box says."""
    slider = ipywidgets.SelectionSlider(options=tuple(values), readout=False)

    def nearest():
        return min(slider.options, key=lambda v: abs(v - box.value))

    def follow(_):
        slider.value = nearest()

    def moved(change):
        if change.new != nearest():
            box.value = change.new

    follow(None)
    slider.observe(moved, "value")
    box.observe(follow, "value")
    return slider


def _card(explorer, trait, *children):
    """Label and box in one line, slider below, in one column of the controls.

    Box and setting follow each other, except while an explorer is built for another model.
    """
    for child in children:
        child.layout = ipywidgets.Layout(**FULL)
    card, box, following = ipywidgets.VBox(children), children[0], []

    def chosen(change):
        if not (following or explorer.building):
            with explorer.moved(by_hand=_by_hand(*children)):
                setattr(explorer, trait, change.new)

    def follow(_=None):
        if not explorer.building:
            following.append(trait)  # a box that holds the value to its ends leaves the setting
            try:
                box.value = getattr(explorer, trait)
            finally:
                following.pop()

    box.observe(chosen, "value")
    explorer.observe(follow, trait)
    card.follow = follow
    card.add_class("qlab-control")
    card.add_class(f"qlab-{trait.replace('_', '-')}")
    if len(children) == 1:
        card.add_class("qlab-choice")
    return card
