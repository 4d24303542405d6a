"""Reading, checking and writing files, good ones and bad ones."""

import os
import subprocess
import sys
from pathlib import Path

import engine
import numpy as np
import pytest

import qlab
from qlab import LiteModel
from qlab.tflite import litemodel
from qlab.tflite.graph import pack

ModelError = litemodel.ModelError


@pytest.fixture(scope="module")
def baseline():
    return engine.float_model("baseline")


def test_layers_of_the_baseline(baseline):
    described = [(x.name, x.op, x.activation) for x in baseline.layers]
    assert described == [
        ("conv1", "CONV_2D", "RELU"),
        ("pool1", "MAX_POOL_2D", "NONE"),
        ("conv2", "CONV_2D", "RELU"),
        ("pool2", "MAX_POOL_2D", "NONE"),
        ("flatten", "RESHAPE", "NONE"),
        ("dense1", "FULLY_CONNECTED", "RELU"),
        ("logits", "FULLY_CONNECTED", "NONE"),
    ]
    assert baseline.layer("conv2").weights.shape == (16, 2, 2, 32)
    assert baseline.layer("conv2").weights.dtype == np.float32
    assert baseline.layer("dense1").bias.shape == (125,)
    for before, after in zip(baseline.layers, baseline.layers[1:], strict=False):
        assert after.inputs == (before.output,)


@pytest.mark.parametrize("name", ["baseline", "depthwise", "tanh_mlp"])
def test_weights_are_those_of_the_keras_model(name):
    model = engine.float_model(name)
    dense = [x for x in model.layers if x.op == "FULLY_CONNECTED"]
    kernels = [
        layer.get_weights()[0] for layer in engine.keras_model(name).layers if "dense" in
        type(layer).__name__.lower()
    ]  # fmt: skip
    assert len(dense) == len(kernels) > 0
    for layer, kernel in zip(dense, kernels, strict=True):
        assert np.array_equal(layer.weights, kernel.T)


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
def test_names_are_unique_and_every_layer_with_weights_says_its_channels(name):
    model = engine.float_model(name)
    assert len({x.name for x in model.layers}) == len(model.layers)
    for layer in model.layers:
        if layer.weights is not None:
            channels = layer.weights.shape[layer.channel_axis]
            assert channels == model.parsed.subgraphs[0].tensors[layer.output].shape[-1]
            assert layer.bias is None or layer.bias.shape == (channels,)


def test_the_error_for_an_unknown_layer_lists_the_layers(baseline):
    with pytest.raises(
        ValueError, match=r"no layer is called 'conv9'; there are conv1, pool1, .*logits"
    ):
        baseline.layer("conv9")


def test_bytes_in_and_out(baseline, tmp_path):
    assert LiteModel.from_bytes(baseline.to_bytes()).data == baseline.data
    assert LiteModel.from_file(baseline.save(tmp_path / "model.tflite")).data == baseline.data
    assert baseline.file_bytes == len(baseline.data) == (tmp_path / "model.tflite").stat().st_size
    assert 0 < baseline.gzip_bytes < baseline.file_bytes


def test_writing_the_object_tree_again_changes_no_prediction(baseline, fashion):
    again = LiteModel.from_bytes(pack(baseline.graph()))
    images = fashion.test.images[:500]
    assert np.array_equal(qlab.predict(again, images), qlab.predict(baseline, images))


def test_editing_a_graph_leaves_the_model_alone(baseline):
    baseline.graph().subgraphs[0].operators.clear()
    assert len(baseline.parsed.subgraphs[0].operators) == len(baseline.layers) == 7


# ---- saving -------------------------------------------------------------------------------------
def test_saving_replaces_a_file_whole(baseline, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    assert baseline.save(str(path)) == path
    assert path.read_bytes() == baseline.data
    assert os.listdir(tmp_path) == ["model.tflite"]


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_save_that_fails_keeps_the_old_file_and_leaves_nothing(
    baseline, tmp_path, monkeypatch, step
):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    owner, name = (os, "replace") if step == "replace" else (Path, "write_bytes")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, full_disk)
        with pytest.raises(OSError, match="No space left"):
            baseline.save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.tflite"]


def test_saving_into_a_folder_that_is_not_there(baseline, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing; make it first"):
        baseline.save(tmp_path / "missing" / "model.tflite")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_saved_file_may_be_read_by_whom_the_user_lets(baseline, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    saved = baseline.save(tmp_path / "model.tflite")
    assert saved.stat().st_mode == plain.stat().st_mode


# ---- from Keras ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", engine.NETWORKS)
def test_a_learners_keras_model_and_its_file_predict_as_keras_does(name, fashion, tmp_path):
    images = fashion.test.images[:300]
    model = LiteModel.from_file(engine.float_model(name).save(tmp_path / f"{name}.tflite"))
    expected = engine.keras_model(name)(images / np.float32(255)).numpy().argmax(1)
    assert (qlab.predict(model, images) == expected).mean() > 0.99


def test_a_keras_model_of_two_outputs_is_not_scored_and_says_so(fashion):
    from qlab.train import keras

    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)], name="fork")
    with pytest.raises(ModelError, match=r"this model gives 2 outputs .* write a model that gives"):
        qlab.predict(LiteModel.from_keras(model), fashion.test.images[:2])


def test_something_that_is_no_keras_model_is_refused_in_words():
    with pytest.raises((TypeError, ValueError), match="Keras"):
        LiteModel.from_keras("baseline.keras")


# ---- bad files ----------------------------------------------------------------------------------
def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        LiteModel.from_file(tmp_path / "missing.tflite")


@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"hello, this is a text file", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(5000)],
    ids=["empty", "mark alone", "text", "picture", "zeros"],
)
def test_a_file_that_is_no_model(content, tmp_path):
    path = tmp_path / "holiday.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"holiday.tflite is not a .tflite file"):
        LiteModel.from_file(path)


def test_a_file_that_has_nothing_but_the_mark():
    with pytest.raises(ModelError, match="damaged or truncated"):
        LiteModel.from_bytes(b"\x00\x10\x00\x00TFL3" + bytes(64))
    with pytest.raises(ModelError):
        LiteModel.from_bytes(b"\x10\x00\x00\x00TFL3" + bytes(64))


def test_a_file_that_is_too_large_is_not_even_read(tmp_path, monkeypatch, baseline):
    path = baseline.save(tmp_path / "large.tflite")
    monkeypatch.setattr(litemodel, "LARGEST_FILE", 1000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    with pytest.raises(
        ModelError, match=r"large.tflite has [\d,]+ bytes; qlab reads at most 1,000"
    ):
        LiteModel.from_file(path)


@pytest.mark.parametrize("part", range(50))
def test_a_truncated_file(baseline, part):
    with pytest.raises(ModelError, match="my model"):
        LiteModel.from_bytes(baseline.data[: len(baseline.data) * part // 50], name="my model")


def test_a_file_without_its_last_bytes(baseline):
    for missing in (1, 2, 3, 4, 8, 15, 16, 17, 64):
        data = baseline.data[:-missing]
        try:
            LiteModel.from_bytes(data)
        except ModelError:
            continue
        assert baseline.data[-missing:] == bytes(missing)  # only padding may be missed


@pytest.mark.parametrize("seeds", [(0, 30), (30, 60)])
@pytest.mark.parametrize("bits", [None, 8])
def test_damaged_files_are_refused_or_work_and_never_end_the_process(seeds, bits, tmp_path):
    model = engine.float_model("baseline")
    if bits == 8:
        seeds = (seeds[0] + 1000, seeds[0] + 1008)
        model = engine.compressor("baseline").compress(qlab.Recipe())
    path = model.save(tmp_path / "model.tflite")
    script = Path(__file__).with_name("mutants.py")
    run = subprocess.run(
        [sys.executable, str(script), str(path), *map(str, seeds)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(script.parents[1])},
    )
    said = run.stdout.splitlines()
    assert run.returncode == 0, f"after {said[-1:]}: {run.stderr[-2000:]}"
    assert len(said) == seeds[1] - seeds[0]
    assert any("refused: " in line for line in said)


def swap(graph, **changes):
    for name, value in changes.items():
        setattr(graph.subgraphs[0], name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.subgraphs.clear(), "it has no graph"),
        (lambda g: swap(g, operators=[]), "it has no operators"),
        (lambda g: swap(g, outputs=[]), "it takes nothing in or gives nothing out"),
        (lambda g: swap(g, inputs=np.array([999])), "an input or output is not there"),
        (lambda g: setattr(g.subgraphs[0].tensors[3], "buffer", 99), "a buffer that is not there"),
        (lambda g: setattr(g.subgraphs[0].operators[0], "opcodeIndex", 99), "operator has no code"),
        (
            lambda g: setattr(g.subgraphs[0].operators[0], "inputs", np.array([0, 500, 1])),
            "a tensor that is not there",
        ),
        (
            lambda g: setattr(g.subgraphs[0].tensors[1], "shape", np.array([7, 7, 7])),
            "does not have as many bytes as its shape says",
        ),
        (lambda g: setattr(g.subgraphs[0].tensors[10], "name", b"\xff\xfe"), "name is not text"),
    ],
)
def test_a_structure_that_is_not_sound(baseline, change, words):
    with pytest.raises(ModelError, match=words):
        LiteModel.from_bytes(engine.edited(baseline, change).data)


def test_a_model_that_litert_refuses(baseline):
    def stride_of_zero(graph):
        graph.subgraphs[0].operators[0].builtinOptions.strideH = 0

    with pytest.raises(ModelError, match=r"it refuses layer conv1 \(CONV_2D\). Convert the model"):
        LiteModel.from_bytes(engine.edited(baseline, stride_of_zero).data)


def test_a_model_that_takes_too_long(baseline, monkeypatch):
    monkeypatch.setattr(litemodel, "_TRIAL", "import time; time.sleep(60)")
    with pytest.raises(ModelError, match="this model: one image took LiteRT over 1 s"):
        litemodel._try_elsewhere(baseline, "this model", seconds=1)
    asked = []
    monkeypatch.setattr(litemodel, "_try_elsewhere", lambda *given: asked.append(given))
    LiteModel.from_bytes(baseline.data)
    assert [(model.data, name) for model, name in asked] == [(baseline.data, "this model")]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*my\.tflite"):
        LiteModel.from_file(tmp_path / "my.tflite")
