"""The explorer of quantization-aware training, against the engine asked directly; live training."""

import io
import os
import subprocess
import sys
import threading
from contextlib import redirect_stdout

import numpy as np
import pytest

import qlab
from qlab.engine.recipes import Recipe
from qlab.system.output import quiet
from qlab.trials.quantized_training import Live, weights_in_steps
from qlab.widgets.qat_explorer import QatExplorer

N = 1000


@pytest.fixture(scope="module")
def explorer(given):
    return QatExplorer(**given)


@pytest.fixture(scope="module")
def trained(explorer):
    """A quarter of an epoch of 2,000 images at 3 bits."""
    explorer.weight_bits = 3
    return explorer.train(epochs=0.25, images=2000)


@pytest.mark.parametrize("bits", [8, 2])
def test_each_way_is_what_the_engine_and_litert_say(explorer, given, bits):
    explorer.weight_bits = bits
    result, images, labels = explorer.result, given["images"], given["labels"]
    plain = Recipe(weight_bits=bits, calibration_size=128)
    ways = {
        "nearest": plain,
        "least squares": plain.replace(weight_observer="mse"),
        "gptq": plain.replace(rounding="gptq"),
    }
    assert list(result.control) == list(ways)
    for seed in range(3):
        control = qlab.pretrained(f"qat-control-seed{seed}")
        engine = qlab.Compressor(control, given["calibration_images"])
        files = {way: engine.compress(recipe) for way, recipe in ways.items()}
        files["QAT"] = qlab.pretrained(f"qat-w{bits}-seed{seed}")
        for way, measured in (result.control | {"QAT": result.qat}).items():
            again = qlab.evaluate(files[way], images, labels)
            np.testing.assert_array_equal(measured[seed].predictions, again.predictions)


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_qat_is_held_against_the_best_that_needs_no_training(explorer, bits):
    explorer.weight_bits = bits
    result = explorer.result
    means = {way: np.mean([x.accuracy for x in each]) for way, each in result.control.items()}
    assert means[result.best] == max(means.values())
    assert result.gain == qlab.compare(result.control[result.best], result.qat, family=4)
    assert result.to_nearest == qlab.compare(result.control["nearest"], result.qat, family=4)
    assert result.gain.difference <= result.to_nearest.difference
    first, *_, last = explorer.readout.value.split('class="qlab-name"')[1:]
    for pair, cell in ((result.gain, first), (result.to_nearest, last)):
        assert f"{pair.points} <small>" in cell and pair.interval_words in cell
        assert str(pair) in explorer.tables()
    assert "Because four widths are compared at once" in explorer.notes.value
    assert f"{100 * result.qat[1].accuracy:.2f}" in explorer.tables()


def test_the_shipped_accuracies_are_those_of_the_manifest():
    explorer = QatExplorer(weight_bits=2)
    files = qlab.artefacts.manifest()["files"]
    for seed in range(3):
        control = files[f"qat-control-seed{seed}.tflite"]
        qat = files[f"qat-w2-seed{seed}.tflite"]
        found = {way: each[seed] for way, each in explorer.result.control.items()}
        assert found["nearest"].correct == control["post_training"]["2"]["correct"]
        assert explorer.result.qat[seed].correct == qat["validation"]["correct"]
    assert explorer.result.best == "gptq"
    assert explorer.result.gain.verdict == "better"  # at 2 bits, beyond all noise
    assert explorer.result.gain.difference < 0.1 * explorer.result.to_nearest.difference


def test_a_second_visit_is_remembered(explorer):
    explorer.weight_bits = 8
    first = explorer.result
    explorer.weight_bits = 2
    assert explorer.result is not first
    explorer.weight_bits = 8
    assert explorer.result is first


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_weights_in_steps_are_those_of_the_files(bits):
    shipped, baseline = qlab.pretrained(f"qat-w{bits}-seed0"), qlab.pretrained("baseline")
    before, after = weights_in_steps(shipped, baseline, "logits")
    top = 2 ** (bits - 1) - 1
    assert set(np.unique(after)) <= set(range(-top, top + 1))
    real = baseline.layer("logits").weights
    ratio = (real.ravel() / before).reshape(real.shape)  # the step, one for each row
    np.testing.assert_allclose(ratio, ratio[:, :1] * np.ones_like(ratio), rtol=1e-4)
    assert np.corrcoef(before, after)[0, 1] > 0.5


def test_the_layer_moves_the_histogram_and_scores_nothing(explorer):
    explorer.set(weight_bits=4, layer="conv1")
    result, picture = explorer.result, explorer.picture.png
    explorer.layer = "logits"
    assert explorer.result is result
    assert explorer.picture.png != picture
    assert "Weights of logits" in explorer.picture.alt
    assert "Weights of logits" in explorer.tables()


def test_no_tensorflow_before_the_button():
    code = (
        "import sys, qlab; from qlab.widgets import QatExplorer; t = qlab.data.load().validation;"
        "QatExplorer(images=t.images[:20], labels=t.labels[:20]);"
        "print('tensorflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_live_training_keeps_the_best_as_a_file(explorer, trained, given):
    accuracies = [x.measurement.accuracy for x in trained.frames]
    assert [x.epoch for x in trained.frames] == [0, 0.25]
    assert trained.frames[0].loss is None
    assert 0 < trained.frames[1].loss < 1
    assert trained.measurement.accuracy == max(accuracies)
    again = qlab.evaluate(trained.model, given["images"], given["labels"])
    np.testing.assert_array_equal(again.predictions, trained.measurement.predictions)
    assert trained.model.file_bytes < 50_000
    assert explorer.live is trained
    name, content, words = explorer.tflite()
    assert (name, content) == ("qlab-qat-w3.tflite", trained.model.data)
    assert f"{100 * max(accuracies):.2f}" in words


def test_live_training_moves_the_weights_on_their_grid(trained):
    first, last = (x.weights["dense1"] for x in trained.frames)
    assert not np.array_equal(first[0], last[0])
    for learning, rounded in (first, last):
        np.testing.assert_allclose(rounded, np.clip(np.rint(learning), -3, 3), atol=1e-3)
    codes = trained.frames[-1].model.layer("dense1").weights
    counts = [np.unique(x, return_counts=True)[1] for x in (codes, np.rint(last[1]))]
    np.testing.assert_array_equal(*counts)


def test_live_training_is_shown_at_its_own_bits_only(explorer, trained):
    explorer.weight_bits = 3
    assert "Live, best so far" in explorer.readout.value
    assert "Live training at 3 bits" in explorer.tables()
    explorer.weight_bits = 4
    assert "Live, best so far" not in explorer.readout.value
    assert "No live training at these bits" in explorer.picture.alt
    explorer.weight_bits = 3
    assert "Live, best so far" in explorer.readout.value


def test_stopped_before_the_first_batch_the_untrained_model_is_kept(given):
    explorer = QatExplorer(**given)
    live = explorer.train(images=2000, stop=lambda: True)
    assert [x.epoch for x in live.frames] == [0]
    assert live.measurement.accuracy > 0.7
    assert qlab.evaluate(live.model, given["images"], given["labels"]).n == N
    assert explorer.train(epochs=0.1, images=256).frames[-1].epoch > 0  # and it can train again


def test_of_equals_the_earliest_is_best(trained):
    live = Live(3, 1, 100)
    assert (live.best, live.model, live.measurement) == (None, None, None)
    better = max(trained.frames, key=lambda x: x.measurement.accuracy)
    worse = min(trained.frames, key=lambda x: x.measurement.accuracy)
    live.frames = [worse, better, better, worse]
    assert live.best is live.frames[1 if better is not worse else 0]


def test_the_button_trains_in_a_thread_and_stops_in_the_first_batch(given):
    explorer = QatExplorer(**given)
    begun, job = threading.Event(), explorer.job
    job.status.observe(lambda change: begun.set() if "batches" in change.new else None, "value")
    job.start()
    assert job.running
    explorer.layer = "conv2"  # the explorer answers meanwhile
    assert explorer.result.weight_bits == 4
    assert begun.wait(120), explorer.error
    job.button.click()
    assert not job.running
    assert "the best so far is kept" in job.status.value
    job.wait(60)
    assert explorer.live.frames[0].epoch == 0
    assert explorer.live.model is not None
    assert explorer.error == ""


def test_what_fails_in_the_thread_is_said_in_words(given, monkeypatch):
    explorer = QatExplorer(**given)
    gone = OSError("the training images are gone; fetch them again")
    monkeypatch.setattr(qlab.data, "load", lambda: (_ for _ in ()).throw(gone))
    explorer.job.start()
    explorer.job.wait(120)
    assert explorer.error == str(gone)
    assert str(gone) in explorer.alert.value
    assert not explorer.job.running


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 1e9}, {"images": 0}, {"images": 0.5}])
def test_wrong_lengths_are_refused_in_words(explorer, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        explorer.train(**wrong)


def test_nothing_to_download_is_said(given):
    explorer = QatExplorer(**given)
    explorer.download.button.click()
    assert "press 'Start live training' first" in explorer.error


def test_it_shows_without_a_kernel(explorer):
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "QatExplorer()"
    assert bundle["image/png"].startswith("iVBOR")
    assert len(explorer.children[1].children) <= 5


def test_two_threads_may_be_quiet_at_once():
    place = os.fstat(2)
    entered, leave = threading.Event(), threading.Event()

    def other():
        with quiet():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert os.path.samestat(os.fstat(2), place)


def test_a_conversion_in_a_thread_leaves_stdout_to_the_cells():
    from qlab.train import model_files

    with redirect_stdout(io.StringIO()) as cell:
        inside, leave = threading.Event(), threading.Event()

        def convert():
            with model_files._no_output():
                inside.set()
                leave.wait(10)

        thread = threading.Thread(target=convert)
        thread.start()
        inside.wait(10)
        print("a cell speaks")
        leave.set()
        thread.join()
    assert cell.getvalue() == "a cell speaks\n"
