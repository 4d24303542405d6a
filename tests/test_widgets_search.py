"""The explorer of mixed-precision search, against the search and the engine asked directly."""

import asyncio

import numpy as np
import pytest

import qlab
from qlab.arithmetic.metrics import wilson_interval
from qlab.trials import search as module
from qlab.trials.search import Scorer, best, run_search, search_images, smallest
from qlab.widgets.search_explorer import Found, SearchExplorer, _recipe, _rival, as_good

N = 300


@pytest.fixture(scope="module")
def given(fashion):
    images, labels = search_images(N)
    return {
        "images": images,
        "labels": labels,
        "test_images": fashion.test.images[:N],
        "test_labels": fashion.test.labels[:N],
        "calibration_images": qlab.data.calibration_images(64),
    }


@pytest.fixture
def explorer(given):
    return SearchExplorer(**given, files=40)


@pytest.fixture(scope="module")
def searched(given):
    """After a greedy and a random search of 40 files each, and 20 uniform recipes."""
    explorer = SearchExplorer(**given, files=40)
    explorer.search(uniform=20)
    explorer.method = "random"
    explorer.search(uniform=0)
    return explorer


def test_the_search_is_that_of_the_module(searched, given):
    compressor = qlab.Compressor(qlab.pretrained("baseline"), given["calibration_images"])
    score = Scorer(compressor, given["images"], given["labels"])
    for _ in run_search(score, 26_000, "greedy", 40, seed=0):
        pass
    assert searched.budget_kb == 26
    assert searched.trials["greedy"] == score.trials
    assert [len(mine) for mine in searched.trials.values()] == [27, 40, 40]


def test_result_is_the_best_of_all_files_and_its_rival_a_uniform_one(searched):
    found = searched.result
    everything = [x for mine in searched.trials.values() for x in mine]
    assert found.best == best(everything, 26_000)
    assert found.recipe == found.best.recipe
    assert found.uniform == best(searched.trials["uniform"], 26_000)
    low = wilson_interval(found.best.correct, N)[0]
    assert found.rival == smallest(searched.trials["uniform"], low * N)
    assert found.saved == pytest.approx(1 - found.best.gzip_bytes / found.rival.gzip_bytes)
    assert f"among 27 of {module.UNIFORM} uniform files" in searched.readout.value


def trial(right, size, bits=8):
    return module.Candidate(1, qlab.Recipe(weight_bits=bits), right, 5000, size)


@pytest.mark.parametrize(
    ("rival", "words"),
    [
        (trial(4574, 34_845, 4), "27 %"),  # 13 images below the best, and as good
        (trial(4560, 25_000, 3), "nothing"),  # as good, and smaller than the best
        (None, "none reaches"),
    ],
)
def test_the_rival_is_as_good_within_noise(rival, words):
    top = trial(4587, 25_472, 7)
    assert rival is None or as_good(top) <= rival.correct < top.correct
    found = Found(26_000, top, None, rival, None, None, 7)
    assert words in _rival(found)


def test_a_small_model_has_budgets_of_a_tenth(given):
    small = {name: values[:20] for name, values in given.items()}
    student = qlab.pretrained("distilled-5k-50000-plain-seed0")
    explorer = SearchExplorer(student, **small, budget_kb=3.5)
    assert explorer.result.budget_bytes == 3500
    box, slider = explorer.cards["budget_kb"].children
    assert box.value == slider.value == 3.5
    explorer.search(files=60, uniform=0)
    assert explorer.result.best.gzip_bytes <= 3500
    assert explorer.tflite()[0] == "qlab-mixed-3.5KB.tflite"


def test_moving_the_budget_makes_no_file(searched):
    count = sum(map(len, searched.trials.values()))
    for budget in (20, 40, 74):
        searched.budget_kb = budget
        assert searched.result.best.gzip_bytes <= 1000 * budget
    assert sum(map(len, searched.trials.values())) == count
    searched.budget_kb = 7
    assert searched.result.best is None or searched.result.best.gzip_bytes <= 7000
    searched.budget_kb = 26


def test_the_test_images_are_asked_only_when_told_to(given):
    explorer = SearchExplorer(**given)
    explorer.search(files=35, uniform=0)
    assert explorer.result.final is None
    assert "Test images" not in explorer.readout.value
    assert len(explorer.trials["uniform"]) < module.UNIFORM
    final = explorer.ask_test_images()
    assert len(explorer.trials["uniform"]) == module.UNIFORM  # the rival is the best of them all
    rival = explorer.subject.compressor.compress(explorer.result.uniform.recipe)
    asked = qlab.evaluate(rival, given["test_images"], given["test_labels"])
    np.testing.assert_array_equal(final.reference.predictions, asked.predictions)
    model = explorer.subject.compressor.compress(explorer.result.recipe)
    direct = qlab.evaluate(model, given["test_images"], given["test_labels"])
    np.testing.assert_array_equal(final.measurement.predictions, direct.predictions)
    assert final.comparison == qlab.compare(final.reference, direct)
    assert explorer.result.final is final is explorer.ask_test_images()
    assert "Test images" in explorer.readout.value
    assert "were asked for" not in explorer.notes.value
    explorer.budget_kb = 60
    assert explorer.result.final is None  # another recipe is the best now
    explorer.final_job.start()
    assert explorer.result.final is not None
    assert "asked for 2 recipes" in explorer.notes.value


def test_the_button_searches_and_stops_and_keeps_what_it_had(explorer):
    async def press_twice():
        explorer.job.button.click()
        assert explorer.job.running
        while len(explorer.trials["uniform"]) < 12:
            await asyncio.sleep(0)
        explorer.job.button.click()
        await asyncio.sleep(0.05)

    asyncio.run(press_twice())
    assert not explorer.job.running
    assert "what was measured is kept" in explorer.job.status.value
    kept = len(explorer.trials["uniform"])
    assert 12 <= kept <= module.UNIFORM
    assert explorer.search(files=1, uniform=0).best is not None
    assert len(explorer.trials["uniform"]) == kept


def test_the_button_alone_does_all(given):
    small = {name: values[:20] for name, values in given.items()}
    explorer = SearchExplorer(**small, files=30)
    explorer.job.start()
    assert [len(mine) for mine in explorer.trials.values()] == [module.UNIFORM, 30, 0]
    assert "Done" in explorer.job.status.value
    assert f"{module.UNIFORM + 30:,} files" in explorer.notes.value


def test_progress_is_put_around_the_trials(explorer):
    seen = []

    def progress(trials, total):
        for trial in trials:
            seen.append((trial.number, total))
            yield trial

    explorer.search(files=4, uniform=3, progress=progress)
    assert seen == [(8, 3), (9, 3), (10, 3), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_file_taken_away_is_the_best_packed(searched, given):
    name, data, note = searched.tflite()
    assert name == "qlab-mixed-26KB.tflite"
    model = qlab.LiteModel.from_bytes(data)
    assert model.gzip_bytes == searched.result.best.gzip_bytes
    again = qlab.evaluate(model, given["images"], given["labels"])
    assert abs(again.correct - searched.result.best.correct) <= 3  # packed sums are rounded twice
    assert f"{100 * again.accuracy:.2f} %" in note


def test_picture_words_and_tables_say_the_result(searched):
    top = searched.result.best
    assert f"{top.gzip_bytes:,} bytes" in searched.picture.alt
    assert f"{100 * top.accuracy:.2f} %" in searched.readout.value
    for layer, settings in top.recipe.overrides:
        row = f"<td>{layer}</td><td>{dict(settings)['weight_bits']}</td>"
        assert row in searched.tables()
    assert "Searches" in searched.tables()
    before = searched.picture.png
    searched.budget_kb = 50
    assert searched.picture.png != before
    searched.budget_kb = 26
    assert repr(searched) == "SearchExplorer()"


def test_nothing_within_the_budget_is_said_in_words(given):
    explorer = SearchExplorer(**given, budget_kb=7)
    assert explorer.result.best is None
    assert "none yet" in explorer.readout.value
    with pytest.raises(ValueError, match="No file is within the budget yet"):
        explorer.ask_test_images()
    explorer.download.button.click()
    assert "No file is within the budget yet" in explorer.error


def test_a_layer_name_from_a_file_is_shown_as_text(explorer):
    recipe = qlab.Recipe(overrides={"<script>": {"weight_bits": 4}})
    found = type("Found", (), {"recipe": recipe})
    assert "<script>" not in _recipe(found)


def test_images_and_labels_belong_together(given):
    with pytest.raises(ValueError, match="belong together"):
        SearchExplorer(images=given["images"])
