"""The fit explorer, against the engine, the planner and TensorFlow Lite Micro asked directly."""

import threading

import numpy as np
import pytest
import traitlets

import qlab
from qlab.plots.fit_panels import COLOURS, ArenaPanel, ChipPanel, size_words
from qlab.tflite import micro_runtime
from qlab.tflite.arena import plan_arena
from qlab.tflite.boards import BOARDS
from qlab.tflite.micro_form import micro_form
from qlab.tflite.transforms import remove_filters
from qlab.trials.fit import Asking, Question, advice
from qlab.widgets import FitExplorer
from qlab.widgets.fit_explorer import BY_NAME

N, CALIBRATED = 200, 32
here = pytest.mark.skipif(not micro_runtime.available(), reason="tflite-micro is not here")


@pytest.fixture
def explorer(given):
    made = FitExplorer(**given)
    yield made
    made.asking.wait()


@pytest.fixture
def nowhere(monkeypatch):
    """A machine without the runtime, on which nobody was asked about a file yet."""
    monkeypatch.setattr(micro_runtime, "available", lambda: False)
    monkeypatch.setattr(micro_runtime, "_ASKED", {})


def by_hand(given, removed=0.0, **recipe):
    model = remove_filters(qlab.pretrained("baseline"), removed)
    compressor = qlab.Compressor(model, given["calibration_images"])
    return micro_form(compressor.compress(qlab.Recipe(calibration_size=CALIBRATED, **recipe)))


@pytest.mark.parametrize(
    ("settings", "recipe"),
    [
        ({"removed_filters": 0.5}, {"removed": 0.5}),
        ({"weight_bits": 4, "sparsity": 0.5}, {"weight_bits": 4, "sparsity": 0.5}),
        ({"activation_bits": 32}, {"activation_bits": 32}),
    ],
)
def test_the_file_is_the_one_that_the_engine_makes(explorer, given, settings, recipe):
    explorer.set(**settings)
    model = by_hand(given, **{"weight_bits": 8, **recipe})
    assert explorer.result.model.data == model.data
    expected = qlab.evaluate(model, given["images"], given["labels"]).predictions
    np.testing.assert_array_equal(explorer.result.measurement.predictions, expected)
    assert explorer.result.plan == plan_arena(model)
    assert explorer.download.press()[1] == model.data


@here
def test_what_the_runtime_measures_follows_the_plan(explorer):
    explorer.removed_filters = 0.5
    planned = explorer.result.plan.bytes
    explorer.asking.wait()
    report = qlab.micro(explorer.result.model)
    assert explorer.result.told is report
    assert report.arena_bytes > planned
    assert f"{report.arena_bytes:,} bytes, measured" in explorer.picture.alt
    assert f"{report.arena_bytes:,}" in explorer.readout.value
    assert str(planned) not in explorer.readout.value.replace(",", "")


@here
def test_removed_filters_move_the_arena_and_zeros_move_nothing(explorer):
    explorer.asking.wait()
    whole = explorer.result
    explorer.sparsity = 0.8
    zeros = explorer.result
    assert (zeros.file_bytes, zeros.micro.arena_bytes) == (
        whole.file_bytes,
        whole.micro.arena_bytes,
    )
    assert "neither flash nor RAM is smaller" in explorer.notes.value
    explorer.set(sparsity=0, removed_filters=0.5)
    assert explorer.result.plan.bytes * 2 == whole.plan.bytes
    assert explorer.result.micro.arena_bytes < 0.6 * whole.micro.arena_bytes


@here
def test_a_file_that_is_refused_says_why_and_fits_no_board(explorer):
    explorer.set(weight_bits=16, activation_bits=32)
    explorer.asking.wait()
    assert micro_runtime.FLOAT16 in explorer.notes.value
    assert "No board can use it." in explorer.notes.value
    assert "refuses the file" in explorer.picture.alt
    assert not any(explorer.result.holds(board) for board in BOARDS)
    assert f"0 of {len(BOARDS)} boards hold it" in explorer.readout.value


@here
def test_a_file_that_answers_otherwise_fits_no_board_though_it_runs(explorer):
    explorer.activation_bits = 32
    assert explorer.result.micro.runs
    explorer.asking.wait()
    assert not any(explorer.result.holds(board) for board in BOARDS)
    assert micro_runtime.ONE_SCALE in explorer.notes.value
    assert "refuses" not in explorer.picture.alt


def test_without_the_runtime_the_plan_stands_and_says_so(nowhere, given):
    explorer = FitExplorer(**given)
    explorer.asking.wait()
    assert "at least 28,736 bytes by qlab's plan" in explorer.picture.alt
    assert micro_runtime.UNAVAILABLE.replace("'", "&#x27;") in explorer.notes.value
    assert "simulated" in explorer.readout.value
    assert explorer.result.holds(BY_NAME["Arduino Nano 33 IoT"])
    assert not explorer.result.refusal


def test_what_was_measured_of_a_shipped_file_stands_where_the_runtime_is_not(
    nowhere, given, monkeypatch
):
    measured = {"runs": True, "why": "", "arena_bytes": 40_000, "persistent_bytes": 11_264}
    measured |= {"activations_bytes": 28_736, "unpacked_bytes": 0}

    class Cached(dict):
        def get(self, digest):
            return measured

    monkeypatch.setattr(micro_runtime, "cached", Cached)
    explorer = FitExplorer(**given)
    explorer.asking.wait()
    assert "RAM: 40,000 bytes, cached" in explorer.picture.alt
    assert not explorer.result.holds(BY_NAME["Arduino Nano 33 IoT"])


@pytest.mark.parametrize(
    ("settings", "board", "words"),
    [
        ({}, "Arduino Uno R3", ["83,872 - 32,768", "dense1", "Remove filters"]),
        ({"weight_bits": 32, "activation_bits": 32}, "Arduino Nano 33 IoT",
         ["305,676 - 262,144", "weights of 8 bits", "activations and weights of 8", "conv1"]),
        ({"weight_bits": 32}, "Arduino Nano 33 IoT",
         ["Choose weights of 8 bits, because a layer puts out one byte"]),
        ({"removed_filters": 0.5}, "Nucleo-L031K6", ["Remove filters", "11,664"]),
        ({"activation_bits": 32}, "B-L475E-IOT01A", ["unpacked into 288,000", "weights of dense1"]),
        ({}, "Raspberry Pi Pico", []),
    ],
)  # fmt: skip
def test_what_must_change_follows_from_what_takes_the_room(nowhere, given, settings, board, words):
    explorer = FitExplorer(board=board, **given, **settings)
    said = " ".join(advice(explorer.result, BY_NAME[board]))
    assert bool(said) == bool(words)
    for word in words:
        if " - " in word:
            size, room = (int(x.replace(",", "")) for x in word.split(" - "))
            assert explorer.result.file_bytes == size
            word = f"The file is {size - room:,} bytes too large"
        assert word in said


def test_the_board_changes_what_is_said_and_not_the_file(nowhere, given):
    explorer = FitExplorer(**given)
    data = explorer.result.model.data
    explorer.board = "Arduino Uno R3"
    assert explorer.result.model.data == data
    assert "It does not fit the Arduino Uno R3." in explorer.notes.value
    with pytest.raises(traitlets.TraitError, match="Arduino Uno R3"):
        explorer.board = "Arduino Uno R9"


def test_a_newer_question_overtakes_those_that_wait():
    begun, free, heard = threading.Event(), threading.Event(), []

    def hear(question):
        heard.append(question)
        begun.set()
        free.wait()

    asking = Asking(hear)
    first, second, third = (Question(None) for _ in range(3))
    asking.ask(first)
    begun.wait()
    asking.ask(second)
    asking.ask(third)
    free.set()
    asking.wait()
    assert heard == [first, third]


def test_an_answer_about_an_earlier_file_changes_nothing(nowhere, explorer):
    explorer.asking.wait()
    earlier = explorer.result.question
    explorer.removed_filters = 0.5
    explorer.asking.wait()
    shown = explorer.readout.value
    explorer.readout.value = "as it is"
    explorer._heard(earlier)
    assert explorer.readout.value == "as it is"
    explorer._heard(explorer.result.question)
    assert explorer.readout.value == shown


def test_the_sketch_draws_all_but_the_accuracy(nowhere, explorer):
    explorer.asking.wait()
    with explorer._one_update():
        explorer.removed_filters = 0.5
        explorer._stale = False
    alt, waiting = explorer.sketch()
    assert "14,368 bytes by qlab's plan" in alt
    assert waiting == ()
    assert "is being measured" in explorer.readout.value
    explorer.update()
    assert "is being measured" not in explorer.readout.value


def test_memories_are_to_scale_and_filled_by_bytes(nowhere, given):
    ax = qlab.plots.style.new_axes()
    panel, board = ChipPanel(ax), BY_NAME["Arduino Nano 33 IoT"]
    panel.frame(board)
    panel.show({"weights": 65_536, "rest": 0}, {"activations": 65_536})
    flash, ram = (panel.memories[x] for x in ("flash", "RAM"))
    assert flash.side**2 / ram.side**2 == pytest.approx(board.flash_bytes / board.ram_bytes)
    (box,) = [x.get_extents() for x in flash.filling.get_paths()[:1]]
    assert box.width * box.height == pytest.approx(flash.side**2 / 4)
    (box,) = [x.get_extents() for x in ram.filling.get_paths()]
    assert box.height == pytest.approx(2 * ram.side)
    assert (flash.share.get_text(), ram.share.get_text()) == ("25 % full", "200 % full")
    assert len(flash.over.get_paths()) == 0
    assert len(ram.over.get_paths()) == 1


def test_the_picture_of_the_arena_is_the_plan():
    plan = plan_arena(qlab.pretrained("baseline-int8"))
    panel = ArenaPanel(qlab.plots.style.new_axes())
    panel.frame(plan.steps, 40_960)
    panel.show(plan, 3_696, 2**15)
    boxes = [path.get_extents() for path in panel.boxes.get_paths()]
    assert len(boxes) == len(plan.buffers) + 1
    for box, buffer in zip(boxes, plan.buffers, strict=False):
        assert (box.y0 * 1024, box.y1 * 1024) == pytest.approx((buffer.offset, buffer.end))
        assert (round(box.x0), round(box.x1)) == (buffer.first, buffer.last)
    assert boxes[-1].y0 * 1024 == plan.bytes
    assert panel.peak.get_x() + 0.5 == plan.peak == 2
    assert set(COLOURS) >= {x.kind for x in plan.buffers}
    assert "from conv1\n22.8 KB" in [x.get_text() for x in panel.names if x.get_visible()]


def test_the_tables_hold_every_board_and_every_tensor(nowhere, explorer):
    tables = explorer.tables()
    for board in BOARDS:
        assert board.name in tables
        assert board.source in tables
        assert board.source in explorer.boards.value
        assert f"<td>{size_words(board.flash_bytes)}</td>" in tables
    for buffer in explorer.result.plan.buffers:
        assert f"<td>{buffer.bytes:,}</td><td>{buffer.offset:,}</td>" in tables


def test_networks_that_were_trained_small_are_offered(nowhere, given):
    explorer = FitExplorer(**given, model_name="student-5k", board="Nucleo-L031K6")
    assert explorer.result.file_bytes == 9_256
    assert (
        "By qlab&#x27;s plan it fits" in explorer.notes.value or "By qlab's" in explorer.notes.value
    )
    assert repr(explorer) == "FitExplorer()"
