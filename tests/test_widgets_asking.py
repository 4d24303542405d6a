"""The button that asks the test images about a file: once, at the end, and counted."""

import asyncio
import inspect

import pytest

import qlab
from qlab import widgets
from qlab.lessons import memory
from qlab.trials import subjects
from qlab.trials.search import search_images
from qlab.widgets.kit import readout
from tests.test_widgets_keeping import KEEPERS


@pytest.fixture(scope="module")
def validation(fashion):
    """A few of the images to choose with, under their name."""
    split = fashion.validation
    return qlab.data.Split(split.images[:200], split.labels[:200], split.name)


@pytest.fixture
def calibrated(validation, monkeypatch):
    """Explorers choose with a few of the validation images, to be quick."""
    monkeypatch.setattr(subjects, "course_images", lambda: validation)
    return {"calibration_images": qlab.data.calibration_images(16)}


def row(explorer):
    """The labels of the buttons around the explorer's file."""
    buttons = (getattr(x, "button", x) for x in explorer.download.children[:-1])
    return [button.description for button in buttons]


def answer(explorer):
    """Press the button, and read what it says."""
    explorer.download.asking.button.click()
    assert explorer.error == ""
    return explorer.download.link.text


@pytest.mark.parametrize("kind", KEEPERS, ids=lambda kind: kind.__name__)
def test_the_file_that_is_taken_away_is_scored_on_the_test_images(kind, calibrated, fashion):
    explorer = kind(**calibrated, **KEEPERS[kind])
    assert row(explorer)[1:] == ["Keep on the board", "Ask the test images"]
    said = answer(explorer)
    _, data = explorer.download.press()
    measured = qlab.evaluate(qlab.LiteModel(data), fashion.test.images, fashion.test.labels)
    score = f"{readout.percent(measured.accuracy)} (95 % interval {readout.interval(measured)})"
    assert said == (
        f"Test images: {score}. You have asked once for this model; choose with the validation "
        "images, or the test images stop being a test."
    )
    assert answer(explorer).startswith(f"Test images: {score}. You have asked 2 times for")


def test_each_file_has_a_count_of_its_own_and_a_new_setting_clears_the_answer(calibrated):
    explorer = widgets.QuantizationExplorer(**calibrated, weight_bits=4)
    assert "asked once" in answer(explorer)
    explorer.weight_bits = 3
    assert explorer.download.link.text == explorer.download.asking.status.value == ""
    assert "asked once" in answer(explorer)
    explorer.weight_bits = 4
    assert "asked 2 times" in answer(explorer)
    assert [x["asked"] for x in memory.progress()["test_images"].values()] == [1, 2]


def test_another_learner_has_not_asked_yet(calibrated, monkeypatch, tmp_path):
    explorer = widgets.QuantizationExplorer(**calibrated)
    assert "asked once" in answer(explorer)
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "another.json"))
    assert "asked once" in answer(explorer)


def test_a_setting_that_does_not_work_clears_the_answer_too(calibrated, monkeypatch):
    explorer = widgets.QuantizationExplorer(**calibrated)
    answer(explorer)
    monkeypatch.setattr(explorer, "compute", lambda: 1 / 0)
    explorer.weight_bits = 3
    assert explorer.error and explorer.download.link.text == ""


def test_it_can_be_stopped_and_a_setting_stops_it_and_neither_counts(calibrated):
    explorer = widgets.QuantizationExplorer(**calibrated)
    asking = explorer.download.asking

    async def begin():
        asking.start()
        await asyncio.sleep(0)
        assert asking.button.description == "Stop"
        assert "test images scored: 0 of 10000" in asking.status.value

    async def stop():
        await begin()
        asking.button.click()
        assert "your count is kept" in asking.status.value
        await begin()
        explorer.weight_bits = 4
        await asking._task
        assert asking.status.value == "" and asking.button.description == "Ask the test images"

    asyncio.run(stop())
    assert explorer.download.link.text == "" and not memory.progress()["test_images"]


def test_what_fails_is_told_in_words_and_does_not_count(calibrated, monkeypatch):
    explorer = widgets.QuantizationExplorer(**calibrated)

    def gone():
        raise qlab.data.DataError("the data is nowhere to be had")

    monkeypatch.setattr(subjects, "course_data", gone)
    explorer.download.asking.button.click()
    assert "nowhere to be had" in explorer.error and explorer.download.link.text == ""
    assert not explorer.download.asking.running and not memory.progress()["test_images"]


def test_it_is_not_there_for_images_of_ones_own(calibrated, validation):
    own = {"images": validation.images, "labels": validation.labels}
    explorer = widgets.QuantizationExplorer(**calibrated, **own)
    assert row(explorer) == ["Download this .tflite", "Keep on the board"]
    assert "200 images in" in explorer.readout.value


def test_a_table_has_no_such_button_and_before_a_live_training_it_says_what_to_do(calibrated):
    assert widgets.QuantizationExplorer(**calibrated).save_trail.asking is None
    explorer = widgets.QatExplorer(**calibrated)
    explorer.download.asking.button.click()
    assert "press 'Start live training' first" in explorer.error
    assert not memory.progress()["test_images"]


def test_a_search_still_asks_the_test_images_by_its_own_button(calibrated):
    images, labels = search_images(100)
    explorer = widgets.SearchExplorer(images=images, labels=labels, **calibrated)
    assert explorer.download.asking is None
    explorer.search(files=4, uniform=0)
    explorer.budget_kb = 40
    assert explorer.ask_test_images().measurement.images_are == "test images"
    assert "10,000 test images in" in explorer.readout.value
    assert "asked the test images once for this very file" in explorer.notes.value
    explorer.ask_test_images()
    assert "asked the test images 2 times for this very file" in explorer.notes.value
    assert [x["asked"] for x in memory.progress()["test_images"].values()] == [2]


@pytest.mark.parametrize(
    "kind",
    [
        *(kind for kind in KEEPERS if kind is not widgets.AnatomyExplorer),
        widgets.QatExplorer,
        widgets.DistillationExplorer,
        widgets.CalibrationExplorer,
        widgets.FlipGallery,
    ],
    ids=lambda kind: kind.__name__,
)
def test_read_outs_say_which_images_a_number_is_of(kind, calibrated):
    known = inspect.signature(kind).parameters
    explorer = kind(**{x: calibrated[x] for x in calibrated if x in known})
    assert "200 validation images" in explorer.readout.value
    assert "200 images" not in explorer.readout.value


def test_the_board_says_which_images_scored_a_model(calibrated):
    explorer = widgets.QuantizationExplorer(**calibrated)
    explorer.download.keep()
    assert " of 200 validation images, " in explorer.download.link.text


def test_the_course_chooses_with_the_validation_images():
    assert subjects.course_images().name == "validation"
    assert subjects.course_images() is subjects.course_images()
