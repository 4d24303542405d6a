"""A control moved in the browser: what needs no scoring is drawn first, and the last move wins."""

import asyncio

import ipywidgets
import numpy as np
import pytest

import qlab
from qlab.tflite import prefixes
from qlab.trials import subjects
from qlab.widgets import (
    PruningExplorer,
    QuantizationExplorer,
    SensitivityExplorer,
    SparsitySensitivityExplorer,
)
from qlab.widgets.kit import readout


@pytest.fixture
def explorer():
    few = qlab.data.load().validation
    return QuantizationExplorer(images=few.images[:300], labels=few.labels[:300])


@pytest.fixture
def scored(monkeypatch):
    """How many images were scored, call by call."""
    calls, scoring = [], prefixes.scoring

    def counted(*given):
        done, steps = 0, scoring(*given)
        while True:
            try:
                found = next(steps)
            except StopIteration as end:
                calls.append(end.value.n - done)
                return end.value
            calls.append(found.n - done)
            done = found.n
            yield found

    monkeypatch.setattr(prefixes, "scoring", counted)
    return calls


def move(explorer, setting, value):
    """Say what the browser says when a learner chooses a value of a drop-down."""
    choose(explorer.cards[setting].children[0], value)


def move_layer(explorer, layer, value):
    choose(explorer.table.boxes[layer], value)


def choose(box, value):
    options = [x[1] if isinstance(x, tuple) else x for x in box.options]
    box.set_state({"index": options.index(value)})


def type_in(explorer, setting, value):
    explorer.cards[setting].children[0].set_state({"value": value})


def in_a_kernel(*steps):
    """Run functions in a running loop, as messages to a kernel, then let what they began end."""

    async def run():
        for step in steps:
            step()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)

    asyncio.run(run())


def greyed(explorer):
    return explorer.picture.widget.waiting, explorer.picture.widget.measuring


def test_the_picture_is_sent_before_scoring_begins(explorer, scored, monkeypatch):
    order = []
    send = ipywidgets.Widget._send

    def sending(widget, message, buffers=None):
        if widget is explorer.picture.widget:
            order.append((len(scored), [name for [name] in message["buffer_paths"]]))
        return send(widget, message, buffers)

    monkeypatch.setattr(ipywidgets.Widget, "_send", sending)
    readout = explorer.readout.value
    seen = []

    def look():
        seen.append((greyed(explorer), explorer.picture.alt, explorer.readout.value == readout))

    in_a_kernel(lambda: move(explorer, "weight_bits", 4), look)
    assert order == [(0, ["panel_0"]), (1, ["panel_2"])]
    [(waiting, alt, unchanged)] = seen
    assert waiting == ([2], True) and unchanged
    assert alt.startswith("Weights of dense1: 15 levels") and alt.endswith("being measured.")
    assert greyed(explorer) == ([], False)
    assert explorer.result.recipe.weight_bits == 4 and explorer.readout.value != readout


def test_the_picture_after_both_steps_is_that_of_one(explorer):
    moves = ("weight_bits", 3), ("layer", "conv2"), ("activation_bits", 4), ("weight_bits", 6)
    in_a_kernel(*(lambda m=m: (move(explorer, *m), explorer.settle()) for m in moves))
    first, words = explorer.picture.png, explorer.picture.alt
    explorer.update()
    assert explorer.picture.png == first and explorer.picture.alt == words
    explorer.picture.reframe()
    explorer.update()
    assert explorer.picture.png == first


def test_superseded_work_is_dropped_and_the_last_move_wins(explorer, scored):
    in_a_kernel(*(lambda bits=bits: move(explorer, "weight_bits", bits) for bits in (7, 6, 5, 4)))
    assert scored == [300]
    assert [point.weight_bits for point in explorer.trail] == [8, 4]
    assert explorer.result.recipe.weight_bits == 4


def test_who_asks_for_the_result_gets_that_of_the_present_settings(explorer, scored):
    found = []

    def ask():
        found.append((explorer.result.recipe.weight_bits, len(explorer.trail), len(scored)))

    in_a_kernel(lambda: move(explorer, "weight_bits", 4), ask, ask)
    assert found == [(4, 2, 1), (4, 2, 1)]
    assert scored == [300]


def test_a_setting_in_code_drops_what_was_being_measured(explorer, scored):
    def code():
        explorer.activation_bits = 4
        assert scored == [300] and greyed(explorer) == ([], False)
        assert explorer.result.recipe.activation_bits == 4

    in_a_kernel(lambda: move(explorer, "weight_bits", 4), code)
    assert scored == [300] and explorer.result.recipe.weight_bits == 4


def test_code_alone_and_a_browser_without_a_loop_measure_at_once(explorer, scored):
    in_a_kernel(lambda: setattr(explorer, "weight_bits", 5), lambda: scored.append("next"))
    assert scored == [300, "next"]
    move(explorer, "weight_bits", 4)
    assert scored == [300, "next", 300] and greyed(explorer) == ([], False)


def test_another_model_is_taken_up_at_once_and_takes_no_old_result(explorer, scored):
    in_a_kernel(
        lambda: move(explorer, "weight_bits", 4),
        lambda: move(explorer, "model_name", "depthwise-separable"),
    )
    assert explorer.result.recipe.weight_bits == 4
    assert "pointwise5" in explorer.picture.alt and greyed(explorer) == ([], False)
    assert len(explorer.trail) == 1


def test_an_error_in_scoring_is_said_and_what_is_old_stays_grey(explorer, monkeypatch):
    def broken(*given, **how):
        raise ValueError("the runtime <b>refused</b>")

    with monkeypatch.context() as patched:
        patched.setattr(prefixes, "scoring", broken)
        in_a_kernel(lambda: move(explorer, "weight_bits", 4))
    assert explorer.result is None and "refused" in explorer.error
    assert "still of the last settings that worked" in explorer.alert.value
    assert greyed(explorer) == ([2], False)
    in_a_kernel(lambda: move(explorer, "weight_bits", 5))
    assert (explorer.error, explorer.alert.value, greyed(explorer)) == ("", "", ([], False))
    assert explorer.result.recipe.weight_bits == 5


def test_an_error_before_the_drawing_leaves_the_picture(explorer):
    picture = explorer.picture.png
    explorer.overrides = {"conv9": {"weight_bits": 3}}
    assert explorer.error
    in_a_kernel(lambda: move(explorer, "weight_bits", 4))
    assert "conv9" in explorer.error and explorer.result is None
    assert explorer.picture.png == picture and greyed(explorer) == ([], False)


def test_in_a_hurry_the_first_images_are_shown_and_none_is_scored_twice(
    explorer, scored, monkeypatch
):
    monkeypatch.setattr(subjects, "FIRST", 100)
    shown, present = [], explorer.present
    monkeypatch.setattr(explorer, "present", lambda x: shown.append(x.measurement) or present(x))
    explorer._took = 1.0
    in_a_kernel(lambda: move(explorer, "weight_bits", 3))
    first, whole = shown
    assert scored == [100, 100, 100]
    assert (first.n, whole.n, first.images_are) == (100, 300, "of 300 images")
    width = [high - low for low, high in (first.interval, whole.interval)]
    assert width[0] > width[1]
    assert [point.weight_bits for point in explorer.trail] == [8, 3]
    at_once = explorer.update().measurement
    assert np.array_equal(at_once.predictions, whole.predictions)
    assert np.array_equal(first.predictions, whole.predictions[:100])


def test_a_newer_move_ends_the_scoring_between_two_parts(explorer, scored, monkeypatch):
    monkeypatch.setattr(subjects, "FIRST", 100)
    explorer._took = 1.0

    async def run():
        move(explorer, "weight_bits", 3)
        while not scored:
            await asyncio.sleep(0)
        move(explorer, "weight_bits", 5)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)

    asyncio.run(run())
    assert scored == [100] * 4
    assert [point.weight_bits for point in explorer.trail] == [8, 5]


def few(kind, model=None):
    split = qlab.data.load().validation
    return kind(model, split.images[:300], split.labels[:300], split.images[300:310])


def shown_in_a_hurry(explorer, monkeypatch, step):
    """The results that are shown one after the other when a step is made in a hurry."""
    shown, present = [], explorer.present
    monkeypatch.setattr(subjects, "FIRST", 100)
    monkeypatch.setattr(explorer, "present", lambda x: shown.append(x) or present(x))
    explorer._took = 1.0
    in_a_kernel(step)
    return shown


def test_the_pruned_weights_are_drawn_before_they_are_scored(scored, monkeypatch):
    explorer = few(PruningExplorer, qlab.pretrained("baseline"))
    explorer.sparsity = 0.2
    before = explorer._hole.kept.get_data().values.sum()
    calls, seen = list(scored), []

    def look():
        left = explorer._hole.kept.get_data().values.sum()
        seen.append((greyed(explorer), explorer.picture.alt, left, scored == calls))

    in_a_kernel(lambda: type_in(explorer, "sparsity", 0.5), look)
    [(waiting, alt, left, unscored)] = seen
    assert waiting == ([2, 3], True) and unscored and "being measured" in alt
    assert before > left == explorer._hole.kept.get_data().values.sum() > 0
    assert greyed(explorer) == ([], False)
    assert explorer.result.absent == pytest.approx(0.5, abs=0.01)
    first, whole = shown_in_a_hurry(
        explorer, monkeypatch, lambda: type_in(explorer, "sparsity", 0.9)
    )
    assert (first.measurement.n, whole.measurement.n) == (100, 300)
    assert first.latency == whole.latency and first.comparison.n == 100
    assert list(explorer._curve().values())[-1] == whole.measurement.accuracy
    assert len(explorer._curve()) == 4


def test_a_mixed_recipe_moved_by_hand_leaves_the_bars(scored, monkeypatch):
    explorer = few(SensitivityExplorer)
    entries, seen, calls = explorer.result.entries, [], list(scored)

    def look():
        recipe = dict(explorer.recipe.overrides)["dense1"]
        seen.append((greyed(explorer), recipe, scored == calls))

    in_a_kernel(lambda: move_layer(explorer, "dense1", 2), look)
    assert seen == [(([1], True), (("weight_bits", 2),), True)]
    assert explorer.result.entries is entries and greyed(explorer) == ([], False)
    first, whole = shown_in_a_hurry(explorer, monkeypatch, lambda: move_layer(explorer, "conv2", 2))
    assert (first.mixed.measurement.n, first.comparison.n) == (100, 100)
    assert (whole.mixed.measurement.n, whole.uniform[8].measurement.n) == (300, 300)
    assert len(explorer._tried) == 2


def test_a_scan_is_dropped_between_two_layers_and_the_last_move_wins(monkeypatch):
    explorer = few(SensitivityExplorer)

    async def run():
        move(explorer, "bits", 2)
        assert greyed(explorer) == ([0, 1], True)
        while "2 of 4" not in explorer.job.status.value:
            await asyncio.sleep(0)
        move(explorer, "bits", 4)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)

    asyncio.run(run())
    assert [bits for bits, *_ in explorer._scans] == [3, 4] and not explorer.job.status.value
    at_hand = [x.measurement.accuracy for x in explorer.result.entries]
    explorer.bits = 3
    explorer._scans.clear()
    explorer.bits = 4
    assert [x.measurement.accuracy for x in explorer.result.entries] == at_hand


def test_a_sparsity_moved_by_hand_moves_its_ring_at_once(scored, monkeypatch):
    explorer = few(SparsitySensitivityExplorer)
    seen, calls = [], list(scored)

    def look():
        rings = explorer._panel.chosen.get_xdata()
        seen.append((greyed(explorer), [*rings], scored == calls))

    in_a_kernel(lambda: move_layer(explorer, "dense1", 0.8), look)
    assert seen == [(([1], True), [0.8], True)]
    assert dict(explorer.result.mixed.recipe.overrides)["dense1"] == (("sparsity", 0.8),)
    first, whole = shown_in_a_hurry(
        explorer, monkeypatch, lambda: move_layer(explorer, "conv2", 0.5)
    )
    assert (first.mixed.measurement.n, whole.mixed.measurement.n) == (100, 300)
    assert len(explorer._tried) == 3
    in_a_kernel(lambda: move(explorer, "weight_bits", 8), lambda: seen.append(greyed(explorer)))
    assert seen[-1] == ([0, 1], True) and explorer.result.dense.recipe.weight_bits == 8


def test_the_badge_says_how_an_accuracy_was_measured(explorer, monkeypatch):
    whole = "run here, just now. LiteRT ran the whole file. 300 images were scored."
    monkeypatch.setattr(prefixes, "MEMORY", prefixes.Memory(2**26))
    explorer.activation_bits = 6
    assert f'title="{whole}"' in explorer.readout.value
    for bits in (6, 5, 4):
        explorer.overrides = {"dense1": {"weight_bits": bits}}
    words = "LiteRT ran only what comes after the first 2 layers with weights, because"
    assert words in explorer.readout.value and 'tabindex="0"' in explorer.readout.value
    [first, _] = shown_in_a_hurry(
        explorer, monkeypatch, lambda: move(explorer, "activation_bits", 5)
    )
    assert readout.how(first.measurement) == (
        "LiteRT ran the whole file. 100 of 300 images were scored"
    )
