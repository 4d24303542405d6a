"""What goes to the browser: panels that have changed, and tables while they are open."""

import io
import itertools

import ipywidgets
import numpy as np
import pytest
from PIL import Image

import qlab
from qlab.widgets import QuantizationExplorer
from qlab.widgets.kit.live import LivePicture


@pytest.fixture
def messages(monkeypatch):
    """Every message to the browser from now on: the widget, what is said, and its bytes."""
    sent = []

    def send(widget, message, buffers=()):
        sent.append((widget, message, len(str(message)) + sum(map(len, buffers or ()))))

    monkeypatch.setattr(ipywidgets.Widget, "_send", send)
    return sent


@pytest.fixture(scope="module")
def explorer():
    """A QuantizationExplorer on so few images that a move takes milliseconds."""
    few = qlab.data.load().validation
    return QuantizationExplorer(images=few.images[:20], labels=few.labels[:20])


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def panels_in(messages, picture):
    """Names of the panels that messages hold."""
    states = [message["state"] for widget, message, _ in messages if widget is picture.widget]
    paths = [message["buffer_paths"] for widget, message, _ in messages if widget is picture.widget]
    assert not any(name.startswith("panel") for state in states for name in state)  # as bytes only
    return sorted({name for path in paths for [name] in path})


def state_bytes(widget, seen):
    """Bytes of all that the browser holds of a widget and of those inside it."""
    if widget in seen:
        return 0
    seen.add(widget)
    inside = sum(state_bytes(x, seen) for x in getattr(widget, "children", ()))
    return inside + sum(
        len(x) if isinstance(x, bytes) else len(repr(x)) for x in widget.get_state().values()
    )


@pytest.mark.parametrize("ratios", [None, (3, 1, 2)])
def test_panels_side_by_side_are_the_whole_picture_without_seams(ratios):
    picture = LivePicture(panels=3, width=600, height=200, ratios=ratios)
    for i, axes in enumerate(picture.axes):
        axes.set(title=f"panel {i}", ylabel="value")
        picture.add(*axes.plot([0, i], [i, 0]))
    picture.redraw("three lines")
    cut = [pixels(getattr(picture.widget, f"panel_{i}")) for i in range(3)]
    assert np.array_equal(np.hstack(cut), pixels(picture.png))
    assert [2 * x for x in picture.widget.widths] == [x.shape[1] for x in cut]
    assert picture.alt == picture.widget.alt == "three lines"


def test_only_panels_that_changed_are_sent(messages):
    picture = LivePicture(panels=3, width=600, height=200)
    dots = [picture.add(*axes.plot([0.5], [0.5], "o"))[0] for axes in picture.axes]
    picture.redraw("first")
    assert panels_in(messages, picture) == ["panel_0", "panel_1", "panel_2"]
    messages.clear()
    dots[1].set_ydata([0.51])
    picture.redraw()
    assert panels_in(messages, picture) == ["panel_1"]
    messages.clear()
    picture.redraw()
    assert messages == []


def test_another_picture_in_its_place_sends_what_differs(messages):
    first, second = (LivePicture(panels=2, width=400, height=200) for _ in range(2))
    second.add(second.axes[1].text(0.5, 0.5, "another"))
    first.redraw()
    second.widget = first.widget
    messages.clear()
    second.redraw()
    assert panels_in(messages, first) == ["panel_1"]


def test_a_move_of_the_weights_leaves_the_activations_alone(explorer, messages):
    explorer.weight_bits = 8
    messages.clear()
    explorer.weight_bits = 4
    assert panels_in(messages, explorer.picture) == ["panel_0", "panel_2"]
    assert sum(size for *_, size in messages) < 30 * 1024


def test_closed_tables_are_not_built_and_not_sent(explorer, messages, monkeypatch):
    built = []
    original = explorer._tables
    monkeypatch.setattr(explorer, "_tables", lambda: built.append(1) or original())
    explorer.activation_bits = 4
    assert built == [] and explorer.numbers.value == ""
    assert not any(widget is explorer.numbers for widget, *_ in messages)

    explorer.reveal.opened = True
    assert explorer.numbers.value == explorer.tables() and "Recipes tried" in explorer.tables()
    before = explorer.numbers.value
    explorer.activation_bits = 5
    assert explorer.numbers.value != before

    explorer.reveal.opened = False
    assert explorer.numbers.value == ""
    explorer.activation_bits = 8
    assert explorer.numbers.value == ""


def test_500_moves_grow_nothing(explorer):
    """The browser holds the same bytes after one round of the bits, and after many."""
    rounds = [*range(8, 1, -1), *range(3, 8)]
    held = []
    for moves in (rounds, itertools.islice(itertools.cycle(rounds), 500)):
        for bits in moves:
            explorer.weight_bits = bits
        explorer.set(weight_bits=8)
        held.append(state_bytes(explorer, set()))
    assert len(explorer.trail) > 500
    assert held[1] == pytest.approx(held[0], rel=0.01)
