"""The explorer of pruning schedules, against the formula and against tfmot's own schedule."""

import csv
import io

import numpy as np
import pytest
import traitlets

from qlab.widgets import ScheduleExplorer


@pytest.fixture
def explorer():
    return ScheduleExplorer()


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"begin_step": 300, "end_step": 1100, "frequency": 130, "power": 1},
        {"final_sparsity": 0.5, "initial_sparsity": 0.5},
    ],
)
def test_the_masks_are_those_that_tfmot_would_make(explorer, setting):
    from qlab.train import polynomial_decay

    explorer.set(**setting)
    schedule = polynomial_decay(
        explorer.final_sparsity,
        explorer.initial_sparsity,
        explorer.begin_step,
        explorer.end_step,
        explorer.power,
        explorer.frequency,
    )
    masks, held, updates = explorer.result.masks, 0.0, []
    for step in range(explorer.steps + 1):
        should, sparsity = schedule(step)
        if bool(should):
            held, updates = float(sparsity), [*updates, step]
        if should or step in (0, explorer.steps):
            assert masks[step] == pytest.approx(held, abs=1e-5), step
    assert explorer.result.updates.tolist() == updates


def test_the_cuts_add_up_to_what_is_reached(explorer):
    result = explorer.result
    assert result.cuts.sum() == pytest.approx(result.reached)
    assert result.cuts[0] == explorer.initial_sparsity
    assert len(result.cuts) == len(result.updates) == 16


def test_a_frequency_that_does_not_divide_is_pointed_out(explorer):
    assert "as asked" in explorer.readout.value
    explorer.set(end_step=1000, frequency=300)
    assert explorer.result.reached < 0.9
    assert "90.00 % is not reached" in explorer.readout.value
    assert "300 does not divide the 1,000 steps" in explorer.notes.value
    explorer.frequency = 250
    assert explorer.result.reached == 0.9
    assert "not reached" not in explorer.readout.value


def test_a_steep_power_cuts_early(explorer):
    explorer.power = 1
    straight = explorer.result.masks[:700].mean()
    explorer.power = 6
    assert explorer.result.masks[:700].mean() > straight


def test_the_picture_the_words_and_the_table_follow(explorer):
    before = explorer.picture.png
    explorer.set(final_sparsity=0.8, frequency=750)
    assert explorer.picture.png != before
    assert "in 3 updates and ends at" in explorer.picture.alt
    assert explorer.tables().count("<tr>") == 1 + 3
    assert "simulated" in explorer.readout.value
    explorer.frequency = 1
    assert ", 30 of them" in explorer.tables()


def test_the_csv_holds_every_update(explorer):
    explorer.frequency = 7
    name, data, words = explorer.csv()
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert (name, words) == ("qlab-schedule.csv", "215 updates.")
    assert [int(row["step"]) for row in rows] == explorer.result.updates.tolist()
    sparsity = [float(row["sparsity"]) for row in rows]
    np.testing.assert_allclose(sparsity, explorer.result.masks[explorer.result.updates], atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"final_sparsity": 90}, "for 90 % give 0.9"),
        ({"final_sparsity": 1}, "leaves no weights"),
        ({"initial_sparsity": -0.1}, "fraction from 0 to below 1"),
        ({"end_step": 3129}, "choose 0 to 3,128"),
        ({"begin_step": -1}, "choose 0 to 3,128"),
        ({"frequency": 0}, "choose 1 step or more"),
        ({"power": 0}, "power"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(explorer, setting, words):
    before = explorer.result
    with pytest.raises(traitlets.TraitError, match=words):
        explorer.set(**setting)
    assert explorer.result is before


def test_settings_that_contradict_each_other_are_said_on_screen(explorer):
    explorer.begin_step = 1600
    assert "begin_step 1600 and end_step 1500" in explorer.error
    explorer.begin_step = 0
    explorer.initial_sparsity = 0.95
    assert "initial 0.95 is above final 0.9" in explorer.error
    explorer.initial_sparsity = 0.2
    assert explorer.error == ""
    assert explorer.result.cuts[0] == pytest.approx(0.2)


def test_the_initial_sparsity_has_its_control_among_more_settings(explorer):
    (seldom,) = (x for x in explorer.children if "qlab-more" in x._dom_classes)
    assert seldom.children == (explorer.cards["initial_sparsity"],)
    box, slider = seldom.children[0].children
    assert box.description == "Initial sparsity"
    slider.value = 0.2
    assert explorer.result.cuts[0] == pytest.approx(0.2)


def test_another_training_has_another_length():
    explorer = ScheduleExplorer(epochs=2, steps_per_epoch=50)
    assert (explorer.steps, explorer.end_step, len(explorer.result.masks)) == (100, 100, 101)
    with pytest.raises(ValueError, match="epochs must be a whole number, 1 or more; got 0"):
        ScheduleExplorer(epochs=0)


def test_the_schedule_of_a_shipped_model_is_named(explorer):
    assert "pruned-90 of the shipped models was trained so" in explorer.notes.value
    explorer.final_sparsity = 0.8
    assert "pruned-80 of the shipped models" in explorer.notes.value
    explorer.power = 2
    assert "shipped models" not in explorer.notes.value


def test_controls_and_fixed_text(explorer):
    cards = explorer.children[1].children
    assert [card.children[0].description for card in cards] == [
        "Begin step", "End step", "Power", "Frequency", "Final sparsity",
    ]  # fmt: skip
    cards[4].children[0].value = 0.77
    assert explorer.final_sparsity == 0.77
    assert repr(explorer) == "ScheduleExplorer()"
