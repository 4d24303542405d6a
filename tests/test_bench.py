"""The bench measures what it says; how fast this machine is, is not a test's business."""

import io
import itertools
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import qlab
from qlab.tflite import prefixes
from tools.bench import __main__ as bench
from tools.bench import classroom, course, engine, kernel
from tools.bench.rows import Row, table


@pytest.mark.parametrize(
    ("samples", "at_least", "tail", "met"),
    [
        ((1.0, 2.0, 9.0), False, False, True),
        ((1.0, 2.0, 9.0), False, True, False),
        ((1.0, 3.0, 9.0), False, False, False),
        ((1.0, 2.0, 9.0), True, False, True),
        ((1.0, 1.5, 9.0), True, False, False),
        ((), False, False, None),
    ],
)
def test_a_target_is_met_by_the_median_or_the_tail_on_the_right_side(samples, at_least, tail, met):
    assert Row("x", "s", 2.0, samples, at_least, tail).met is met


def test_the_unfavourable_tail_of_a_lower_bound_is_the_low_one():
    samples = tuple(float(x) for x in range(101))
    assert Row("x", "x", 8, samples).p95 == pytest.approx(95)
    assert Row("x", "x", 8, samples, at_least=True).p95 == pytest.approx(5)


def test_what_was_not_measured_is_said_and_does_not_count_as_met():
    text = table([Row("browser", "ms", 150, (), note="needs Chromium")])
    assert "not measured" in text
    assert "needs Chromium" in text


def test_json_and_exit_code(monkeypatch):
    def step():
        """A step."""
        return [Row("slow", "s", 1.0, (2.0, 3.0)), Row("quick", "s", 1.0, (0.5,))]

    monkeypatch.setattr(engine, "STEPS", (step,))
    monkeypatch.setattr(kernel, "STEPS", ())
    monkeypatch.setattr(course, "STEPS", ())
    out = io.StringIO()
    assert bench.main(["--json"], out=out) == 1
    slow, quick = json.loads(out.getvalue())
    assert (slow["median"], slow["met"], slow["samples"]) == (2.5, False, [2.0, 3.0])
    assert quick["met"] is True


def test_quick_leaves_out_the_browser_and_the_notebooks(monkeypatch):
    said = []
    for room in (engine, kernel):
        monkeypatch.setattr(room, "STEPS", ())
    monkeypatch.setattr(course, "STEPS", (lambda: pytest.fail("it was run"),))
    assert bench.measure(said.append, quick=True) == []
    assert said == []


@pytest.mark.parametrize("options", [[], ["--json"], ["--quick"], ["--json", "--quick"]])
def test_the_options_are_understood(options, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(
        bench, "measure", lambda progress, quick: seen.append(quick) or [Row("a", "s", 1, (0.5,))]
    )
    assert bench.main(options) == 0
    assert seen == ["--quick" in options]
    assert capsys.readouterr().out.startswith("[") is ("--json" in options)
    with pytest.raises(SystemExit):
        bench.main(["extra"])


def test_every_step_says_what_it_measures():
    for step in (*engine.STEPS, *kernel.STEPS, *course.STEPS):
        assert step.__doc__.splitlines()[0].endswith((".", "minutes."))


def test_the_runtime_alone_predicts_what_qlab_predicts(fashion):
    """Both sides of the ratio do the same work on the same file."""
    model, images = qlab.pretrained("baseline-int8"), fashion.test.images[:500]
    alone = engine._score_alone(model, (images ^ 0x80).view(np.int8), 250)
    assert np.array_equal(alone, qlab.predict(model, images))


def test_the_engine_is_measured_against_the_runtime():
    for row in engine.every_layer_against_runtime(rounds=1):
        assert len(row.samples) == len(engine.RECIPES)
        assert min(row.samples) > 0


def test_moves_of_dense_layers_change_nothing_else():
    compressor = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(128))
    files = [compressor.compress(x) for x in engine._dense_moves("baseline", 24)]
    assert len({x.data for x in files}) == 24
    assert len({x.layer("conv2").weights.tobytes() for x in files}) == 1
    assert len({prefixes.cuts(x.parsed)[4].digest for x in files}) == 1


def test_sensitivity_and_search_are_timed():
    [row] = engine.sensitivity_against_scoring(rounds=1)
    assert len(row.samples) == 1
    [row] = engine.files_a_second(runs=1, files=2)
    assert row.samples[0] > 0
    [row] = engine.files_a_second_of_workers(files=2, counts=(1, 2))
    assert row.samples[0] > 0 and "by processes: 1: " in row.note and ", 2: " in row.note


def test_the_engine_is_measured_against_the_converter():
    [row] = engine.slider_against_converter(rounds=1)
    assert len(row.samples) == 1, row.note
    assert min(row.samples) > 0


def test_a_kernel_shows_the_explorer_and_is_weighed():
    started, memory = kernel.explorer_in_a_kernel(runs=1)
    assert started.samples[0] > 0
    assert memory.samples[0] > 50


def test_import_is_timed_in_a_fresh_process():
    [row] = kernel.fresh_import(runs=1)
    assert row.note == "no TensorFlow"
    assert row.samples[0] > 0


def test_without_chromium_the_browser_row_says_so(monkeypatch):
    monkeypatch.setattr(course, "find_chromium", lambda: None)
    first, times, received = course.slider_in_a_browser()
    assert first.met is times.met is received.met is None
    assert "Chromium" in first.note


def test_each_notebook_has_a_row_with_the_target_that_was_set(monkeypatch):
    ran = []

    def pytest_run(*arguments):
        ran.append([Path(x).name for x in arguments if x.endswith(".ipynb")])
        return subprocess.CompletedProcess([], 0, stdout="== 3 passed ==\n")

    monkeypatch.setattr(course, "_pytest", pytest_run)
    rows = course.notebooks()
    there = sorted(x.name for x in (course.CHECKOUT / "notebooks").glob("[01]*.ipynb"))
    assert sorted(name for names in ran for name in names) == there
    assert [len(names) for names in ran] == [3, *[1] * 9]
    assert [row.target for row in rows] == [240, *[120] * 9]
    assert {row.note for row in rows} == {"3 passed"}
    monkeypatch.setattr(course, "CHECKOUT", Path("nowhere"))
    assert {row.met for row in course.notebooks()} == {None}


def test_a_redraw_that_is_timed_gives_a_new_picture(monkeypatch):
    from qlab.widgets.kit import live

    drawn = []
    encode = live.encode
    monkeypatch.setattr(live, "encode", lambda *given: drawn.append(1) or encode(*given))
    kernel.redraw(runs=2)
    assert len(drawn) >= 4  # one when a setting changes, one that is timed, for each of two runs


def test_a_class_waits_for_the_first_accuracy_and_for_all_images():
    move = classroom.Move(
        classroom.ALL, sent=10.0, rests=True, seen=[(10.3, 2_000), (12.0, 10_000)]
    )
    assert move.seconds(1) == pytest.approx(0.3) and move.seconds(10_000) == 2.0
    learner = SimpleNamespace(moves=[*[classroom.Move(classroom.DENSE, 0, False)] * 2, move])
    first, tail, dense, every, rest = classroom.rows([learner], 0.05)
    assert first.median == tail.p95 == every.median == pytest.approx(0.3) and first.met
    assert dense.met is None and rest.samples == (2.0,) and rest.met
    assert "1 moves, 50 ms" in first.note
    unanswered = classroom.Move(classroom.ALL, 0, True)
    assert classroom._times([unanswered], 1) == (float("inf"),)


def test_a_class_rests_after_each_round_and_then_moves_on():
    moments = list(classroom._moments(2, 1.0))
    assert [rests for _, rests in moments] == ([False] * (classroom.MOVES - 1) + [True]) * 2
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(moments)]
    assert set(gaps) == {classroom.EACH, classroom.REST}
    for _, _, places in classroom.PLAN:
        assert len(set(places)) == len(places) > 1
