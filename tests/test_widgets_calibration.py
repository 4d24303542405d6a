"""The calibration explorer, against the engine asked directly."""

import asyncio
import csv
import io
import threading

import numpy as np
import pytest
import traitlets

import qlab
from qlab.plots import style
from qlab.plots.quantization_panels import CalibrationPanel, middle, shares
from qlab.trials.draws import Pool, input_range
from qlab.widgets.calibration_explorer import CalibrationExplorer
from qlab.widgets.kit.job import Job

N = 1000


@pytest.fixture(scope="module")
def pool():
    return qlab.data.calibration_images(256)


@pytest.fixture
def explorer(fashion, pool):
    test = fashion.test
    return CalibrationExplorer(
        images=test.images[:N], labels=test.labels[:N], calibration_images=pool, draws=3
    )


@pytest.fixture(scope="module")
def baseline():
    """On all 10,000 images, opened as a learner does."""
    return CalibrationExplorer()


def score(images, recipe, fashion, n=N):
    model = qlab.Compressor(qlab.pretrained("baseline"), images).compress(recipe)
    return qlab.evaluate(model, fashion.test.images[:n], fashion.test.labels[:n])


def test_every_draw_is_scored_as_the_engine_scores_it(explorer, pool, fashion):
    explorer.set(activation_bits=3, observer="percentile", calibration_size=20)
    recipe = qlab.Recipe(activation_bits=3, observer="percentile", calibration_size=20)
    assert explorer.recipe == explorer.result.recipe == recipe
    for i, measurement in enumerate(explorer.result.measurements):
        order = np.random.default_rng(i).permutation(len(pool)) if i else np.arange(len(pool))
        expected = score(pool[order], recipe, fashion)
        np.testing.assert_array_equal(measurement.predictions, expected.predictions)
    assert len(explorer.result.measurements) == 3
    assert explorer.result.spread == max(explorer.result.accuracies) - min(
        explorer.result.accuracies
    )


def test_the_draws_of_the_course_are_disjoint_and_seeded():
    pool = Pool(qlab.pretrained("baseline"), 3)
    draws = [pool.draw("random", i)[1] for i in range(3)]
    np.testing.assert_array_equal(draws[0], qlab.data.calibration_images(1024))
    np.testing.assert_array_equal(np.concatenate(draws), qlab.data.calibration_images(3 * 1024))


def test_one_class_is_another_class_in_each_draw(explorer, pool):
    explorer.set(calibration_images_are="one class", calibration_size=4)
    classes = qlab.predict(explorer.subject.model, pool)
    for name, draw in zip(explorer.result.names, explorer._draws, strict=True):
        wanted = pool[classes == int(name.split()[1])]
        expected = qlab.Compressor(explorer.subject.model, wanted)
        assert draw.subject.compressor.calibration_images == len(wanted)
        for size in (1, 4):
            recipe = qlab.Recipe(calibration_size=size)
            assert draw.subject.compressor.activation_range(
                "conv1", recipe
            ) == expected.activation_range("conv1", recipe)
    assert len(set(explorer.result.names)) == 3
    garment, images = Pool(explorer.subject.model, 2).draw("one class", 1)
    np.testing.assert_array_equal(images, qlab.data.calibration_images(1024, classes=garment))


@pytest.mark.parametrize(("kind", "draws"), [("blank", 1), ("unscaled", 3)])
def test_bad_images_are_what_they_say(explorer, pool, fashion, kind, draws):
    explorer.calibration_images_are = kind
    bad = np.zeros_like(pool) if kind == "blank" else pool.astype(np.float32)
    expected = score(bad, explorer.recipe, fashion)
    assert explorer.result.accuracies[0] == expected.accuracy
    assert len(explorer.result.accuracies) == draws
    assert explorer.result.comparisons[0].p_value < 1e-6


def test_the_range_of_the_input_is_read_from_the_file(explorer, pool):
    low, high = explorer.result.input_ranges[0]
    assert low == 0
    assert high == pytest.approx(pool[:64].max() / 255, rel=1e-6)
    explorer.calibration_images_are = "unscaled"
    assert explorer.result.input_ranges[0][1] == pytest.approx(255, rel=1e-6)
    model = explorer.subject.compressor.compress(qlab.Recipe(calibration_size=64))
    assert input_range(model)[1] == pytest.approx(high)


def test_the_truth_can_be_found_on_the_baseline(baseline):
    """Flat at 8 bits; at 2 bits under min-max more is worse, which percentile and MSE repair."""
    eight = baseline.sweep()
    low, high = baseline.subject.float_measurement.interval
    assert all(low < accuracy < high for size in eight if size >= 4 for accuracy in eight[size])

    baseline.set(activation_bits=2, calibration_size=1024)
    many = middle(baseline.result.accuracies)
    baseline.calibration_size = 4
    few = middle(baseline.result.accuracies)
    assert few - many > 0.01

    for observer, gain in (("percentile", 0.005), ("mse", 0.03)):
        baseline.set(observer=observer, calibration_size=1024)
        assert middle(baseline.result.accuracies) - many > gain

    baseline.set(observer="min-max", activation_bits=8, calibration_images_are="blank")
    assert baseline.result.accuracies[0] < low - 0.2
    baseline.calibration_images_are = "unscaled"
    assert max(baseline.result.accuracies) < low - 0.2


def test_a_sweep_scores_each_size_once_and_leaves_the_setting_alone(explorer):
    before = explorer.result
    swept = explorer.sweep()
    assert sorted(swept) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert explorer.result is before
    assert swept[64] == before.accuracies
    explorer.calibration_size = 4
    assert explorer.result.accuracies == swept[4]
    assert list(explorer._sweep()) == []


def test_a_sweep_stops_when_told_and_keeps_what_it_had(explorer):
    async def press_start_then_stop():
        explorer.job.start()
        while len(explorer.trail["random", "min-max", 8]) < 3:
            await asyncio.sleep(0.005)
        assert explorer.job.button.description == "Stop"
        assert "<progress" in explorer.job.status.value
        explorer.job.cancel()
        await explorer.job._task

    asyncio.run(press_start_then_stop())
    assert 3 <= len(explorer.trail["random", "min-max", 8]) < 9
    assert not explorer.job.running
    assert explorer.job.button.description == "Score all sizes"


def test_a_new_setting_stops_a_sweep(explorer):
    async def start_then_change_the_bits():
        explorer.job.start()
        await asyncio.sleep(0.005)
        assert explorer.job.running
        explorer.activation_bits = 4
        await explorer.job._task

    asyncio.run(start_then_change_the_bits())
    assert not explorer.job.running
    assert explorer.result.recipe.activation_bits == 4
    assert len(explorer.trail["random", "min-max", 8]) < 9
    assert "new setting" in explorer.job.status.value


def test_started_anew_before_the_old_steps_have_ended(explorer):
    """The button may be answered by another thread than the one that runs the steps."""
    entered, go_on, log = threading.Event(), threading.Event(), []

    def work():
        mine = len(log)
        log.append(mine)
        entered.set()
        go_on.wait(10)
        yield 1, 2
        log.append(mine)
        yield 2, 2

    job = Job("Try", work, explorer.guard)
    first = threading.Thread(target=job.start)
    first.start()
    entered.wait(10)
    job.cancel()
    go_on.set()
    first.join(10)
    assert not first.is_alive()
    assert not job.running
    assert log == [0]
    job.start()
    assert log == [0, 1, 1]
    assert explorer.error == ""


def test_a_setting_changed_during_a_step_does_not_mix_the_trails(explorer):
    steps = explorer._sweep()
    next(steps)
    explorer.observer = "percentile"
    next(steps)
    assert len(explorer.trail["random", "min-max", 8]) == 3
    assert sorted(explorer.trail["random", "percentile", 8]) == [64]


def test_a_step_that_fails_is_said_and_ends_the_job(explorer):
    def work():
        yield 1, 2
        raise ValueError("the second half is missing")

    job = Job("Try", work, explorer.guard)
    job.start()
    assert "the second half is missing" in explorer.error
    assert not job.running


def test_the_trail_is_saved_with_every_draw(explorer):
    explorer.observer = "mse"
    name, data, note = explorer.trail_csv()
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert name == "qlab-calibration.csv"
    assert note == "6 files scored."
    assert [float(row["accuracy"]) for row in rows[3:]] == list(explorer.result.accuracies)
    assert {row["observer"] for row in rows} == {"min-max", "mse"}


def test_picture_and_table_follow_the_settings(explorer):
    before = explorer.picture.png
    explorer.layer = "logits"
    assert explorer.picture.png != before
    low, high = explorer.result.ranges[1]
    assert f"{low:.4g} to {high:.4g}" in explorer.tables()
    assert "logits" in explorer.picture.alt
    assert repr(explorer) == "CalibrationExplorer()"


def test_all_draws_of_one_kind_are_kept_and_those_of_others_are_not(explorer):
    first = explorer._draws
    explorer.calibration_size = 8
    assert explorer._draws is first
    explorer.calibration_images_are = "unscaled"
    assert explorer._draws is not first
    explorer.set(calibration_images_are="random", calibration_size=64)
    assert explorer.result.accuracies == explorer.trail["random", "min-max", 8][64]


def test_what_cannot_be_is_said_in_words(explorer, fashion, pool):
    explorer.calibration_size = 300
    assert "only 256 calibration images" in explorer.error
    assert explorer.result is None
    explorer.calibration_size = 16
    assert explorer.error == ""
    for refused in ({"layer": "conv9"}, {"activation_bits": 32}, {"draws": 3}):
        with pytest.raises(traitlets.TraitError):
            explorer.set(**refused)
    with pytest.raises(ValueError, match="choose 2 to 9"):
        CalibrationExplorer(calibration_images=pool, draws=1)
    alike = np.repeat(pool[:1], 20, axis=0)
    with pytest.raises(ValueError, match="are of 1 classes"):
        Pool(explorer.subject.model, 3, alike).draw("one class", 2)


def test_shares_add_up_in_other_bins():
    rng = np.random.default_rng(0)
    counts, edges = np.histogram(rng.normal(size=1000), 40)
    assert shares(counts, edges, [-9, 0, 9]).sum() == pytest.approx(100)
    assert shares([5], [0.0, 0.0], [0.0, 1.0, 2.0]).tolist() == [100, 0]


def test_a_still_picture_shows_every_draw():
    ax = style.new_axes()
    CalibrationPanel(ax, 0.904, (0.898, 0.910), 16).show({1: [0.8, 0.9], 16: [0.90, 0.91]}, 16)
    dots = [line.get_ydata() for line in ax.lines if line.get_marker() == "o"]
    assert {0.8, 0.9, 0.91} <= {y for line in dots for y in line}
