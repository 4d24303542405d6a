"""TensorFlow Lite Micro, in a process of its own: what runs, in how much RAM, and why not."""

import hashlib
import itertools
import json
import os
import pickle
import re
import subprocess
import sys

import engine
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab.tflite import artefacts, micro_runtime
from qlab.tflite.arena import Buffer, _placed, plan_arena
from qlab.tflite.boards import BOARDS, holding
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.micro_form import micro_form
from qlab.tflite.operators import ROWS, named
from tools.micro import HEAD, IN_NOTEBOOKS, row

needs_package = pytest.mark.skipif(
    not micro_runtime.available() and os.environ.get("CI") != "true",
    reason="tflite-micro is not installed; there are packages for Linux on x86-64 alone",
)


@pytest.fixture(scope="module")
def engines():
    few = qlab.data.calibration_images(64)
    return {
        name: qlab.Compressor(qlab.pretrained(file), few)
        for name, file in artefacts.NETWORKS.items()
    }


def compressed(engines, network="baseline", **settings):
    return engines[network].compress(qlab.Recipe(calibration_size=64, **settings))


@pytest.fixture
def unasked(monkeypatch):
    monkeypatch.setattr(micro_runtime, "_ASKED", {})


@pytest.fixture
def without_package(monkeypatch, unasked):
    monkeypatch.setattr(micro_runtime, "PACKAGE", "no_such_package")


# what runs


@needs_package
@pytest.mark.parametrize(
    ("name", "arena_bytes"),
    [
        ("baseline", 117_456),
        ("baseline-int8", 32_432),
        ("baseline-int16x8", 61_168),
        ("qat-w8-seed0", 32_432),
    ],
)
def test_shipped_files_run_and_answer_as_in_litert(name, arena_bytes):
    report = qlab.micro(qlab.pretrained(name))
    assert report.runs and report.kind == "measured" and not report.why
    assert report.arena_bytes == arena_bytes
    assert report.flash_bytes == qlab.pretrained(name).file_bytes
    parts = report.activations_bytes, report.unpacked_bytes, report.persistent_bytes
    assert sum(parts) == report.arena_bytes
    assert report.compared == 300 == len(report.predictions)
    assert report.agreement >= 0.99


@needs_package
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("baseline-dynamic-range", "dynamic range quantization.*layer conv2, CONV_2D"),
        ("baseline-float16", "float16 weights.*DEQUANTIZE"),
        ("qat-w4-seed0", "several share one.*layer dense1, FULLY_CONNECTED"),
        ("qat-w2-seed0", "several share one.*layer dense1, FULLY_CONNECTED"),
    ],
)
def test_what_it_refuses_is_said_with_the_layer(name, words):
    report = qlab.micro(qlab.pretrained(name))
    assert report.runs is False and report.arena_bytes is None
    assert re.search(words, report.why)
    assert np.isnan(report.agreement)


@needs_package
def test_the_arena_is_the_smallest_that_works(unasked, monkeypatch):
    model = qlab.pretrained("baseline-int8")
    needed = qlab.micro(model).arena_bytes
    answers = []
    for arena in (needed, needed - 16):
        monkeypatch.setattr(micro_runtime, "LARGEST_ARENA", arena)
        micro_runtime._ASKED.clear()
        answers.append(qlab.micro(model).runs)
    assert answers == [True, False]


@needs_package
def test_weights_alone_in_8_bits_are_unpacked_into_ram(engines):
    report = qlab.micro(compressed(engines, activation_bits=32, granularity="per-tensor"))
    assert report.runs and not report.why
    assert report.unpacked_bytes == 4 * 72_000  # the weights of dense1, in float32
    assert report.unpacked_bytes > 0.9 * report.arena_bytes
    assert report.equal == report.compared


@needs_package
def test_a_scale_for_each_channel_is_lost_in_dequantize_and_that_is_said(engines):
    report = qlab.micro(compressed(engines, activation_bits=32))
    assert report.runs and "one scale for all weights" in report.why
    assert report.agreement < 0.98


@needs_package
def test_images_of_ones_own_are_answered(fashion):
    images = fashion.validation.images[300:340]
    model = qlab.pretrained("baseline-int8")
    report = qlab.micro(model, images)
    assert report.compared == 40
    again = qlab.micro(model, images.astype(np.float32) / 255)
    np.testing.assert_array_equal(report.predictions, again.predictions)
    assert (report.predictions == fashion.validation.labels[300:340]).mean() > 0.8
    with pytest.raises(ValueError, match="do not fit"):
        qlab.micro(model, images[:, :20])


@needs_package
def test_a_file_is_asked_once(unasked, monkeypatch):
    first = qlab.micro(qlab.pretrained("baseline-int8"))
    monkeypatch.setattr(micro_runtime, "_CHILD", "raise SystemExit(1)")
    assert qlab.micro(qlab.pretrained("baseline-int8")) is first
    assert qlab.micro(qlab.pretrained("baseline")).runs is None


# what is bad


def changed(change, name="baseline-int8"):
    graph = qlab.pretrained(name).graph()
    change(graph)
    return LiteModel(pack(graph))


def wide(graph):
    part = graph.subgraphs[0]
    for index in {int(i) for x in part.operators[:2] for i in (x.inputs[0], x.outputs[0])}:
        _, height, width, channels = part.tensors[index].shape
        part.tensors[index].shape = [1, 100 * height, 100 * width, channels]


@needs_package
def test_an_arena_beyond_memory_is_said():
    report = qlab.micro(changed(wide))
    assert report.runs is False
    assert "more than 67,108,864 bytes of RAM" in report.why


def with_operator(name):
    """The baseline, whose first operator is another."""

    def change(graph):
        number = getattr(schema.BuiltinOperator, name)
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
        graph.operatorCodes.append(code)
        graph.subgraphs[0].operators[0].opcodeIndex = len(graph.operatorCodes) - 1

    return changed(change)


@needs_package
def test_an_operator_that_it_does_not_have_is_named():
    report = micro_runtime._asked(with_operator("GELU"), None)
    assert report.runs is False
    assert "It has no operator GELU. Build the network without it." in report.why


@needs_package
def test_the_table_of_operators_knows_which_it_has():
    """The runtime looks for an operator's kernel first, and refuses our use of it afterwards."""
    code = (
        "import pickle, sys\nfrom tflite_micro import runtime\n"
        "for name, data in pickle.load(sys.stdin.buffer):\n"
        "    print('asked', name, file=sys.stderr, flush=True)\n"
        "    try: runtime.Interpreter.from_bytes(data, arena_size=2**20)\n"
        "    except RuntimeError: pass\n"
    )
    files = pickle.dumps([(row.name, with_operator(row.name).data) for row in ROWS])
    told = subprocess.run([sys.executable, "-c", code], input=files, stderr=subprocess.PIPE)
    assert told.returncode == 0
    asked = re.split(r"^asked (\w+)\n", told.stderr.decode(), flags=re.MULTILINE)[1:]
    lacking = {n for n, said in zip(asked[::2], asked[1::2], strict=True) if "find op" in said}
    assert lacking == set(named(micro=False))


@needs_package
def test_a_crash_ends_the_process_of_its_own_alone(unasked, monkeypatch):
    def dangling(graph):
        graph.subgraphs[0].operators[0].inputs = [0, 10**6, 1]

    model = changed(dangling)
    report = micro_runtime._asked(model, None)
    assert report.runs is False
    assert "ended the interpreter's process" in report.why


def test_several_inputs_are_said():
    def two(graph):
        graph.subgraphs[0].inputs = [0, 0]

    report = micro_runtime._asked(changed(two), None)
    assert report.runs is None
    assert "2 inputs and 1 outputs" in report.why


def test_what_is_no_model_is_said():
    with pytest.raises(TypeError, match=r"takes a qlab\.LiteModel"):
        qlab.micro("baseline.tflite")


# without the package


def test_without_the_package_other_files_get_the_plan_of_their_activations(
    without_package, engines
):
    model = compressed(engines, weight_bits=5)
    report = qlab.micro(model)
    assert report.runs is None and report.kind == "simulated"
    assert "not installed here" in report.why and "qlab[micro]" in report.why
    assert report.arena_bytes is None
    assert report.activations_bytes == plan_arena(model).bytes


def test_without_the_package_a_shipped_file_has_its_cached_numbers(without_package):
    report = qlab.micro(qlab.pretrained("baseline-int8"))
    assert (report.runs, report.kind, report.arena_bytes) == (True, "cached", 32_432)
    refused = qlab.micro(qlab.pretrained("baseline-float16"))
    assert (refused.runs, refused.kind) == (False, "cached") and "float16" in refused.why


def test_every_shipped_file_has_its_cached_numbers():
    listed = {
        entry["sha256"]: entry["bytes"]
        for name, entry in artefacts.manifest()["files"].items()
        if name.removesuffix(".tflite") in artefacts.classifiers()
    }
    known = json.loads((artefacts.folder() / micro_runtime.CACHED).read_text())
    assert set(known["files"]) == set(listed), "run `make micro`"
    made = {entry["name"].partition(",")[0] for entry in known["made"].values()}
    assert made == set(IN_NOTEBOOKS), "run `make micro`"
    assert {"date", "how", "machine", "versions"} == set(known["measured"])
    assert "tflite-micro" in known["measured"]["versions"]
    integers = [x for x in known["files"].values() if x["compared"] == 10_000]
    assert len(integers) >= 10
    for entry in known["files"].values():
        if entry["runs"]:
            assert entry["equal"] >= 0.995 * entry["compared"] > 0
            parts = ("activations_bytes", "unpacked_bytes", "persistent_bytes")
            assert sum(entry[part] for part in parts) == entry["arena_bytes"]
        else:
            assert entry["why"] and entry["arena_bytes"] is None


@needs_package
@pytest.mark.parametrize(
    "name", ["baseline-seed1", "chain-int8-seed1", "pruned-filters-seed2", "qat-w3-seed0"]
)
def test_the_cached_numbers_come_out_again(name):
    model = qlab.pretrained(name)
    report = qlab.micro(model)
    entry = micro_runtime.cached()[hashlib.sha256(model.data).hexdigest()]
    for key in ("runs", "why", "arena_bytes", "activations_bytes", "persistent_bytes"):
        assert getattr(report, key) == entry[key]


def test_asking_does_not_import_the_package():
    code = (
        "import sys, qlab; qlab.micro(qlab.pretrained('baseline-int8'));"
        "assert 'tflite_micro' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# the plan


@needs_package
@pytest.mark.parametrize("network", list(artefacts.NETWORKS))
@pytest.mark.parametrize(
    "settings",
    [
        {"weight_bits": 32, "activation_bits": 32},
        {},
        {"activation_bits": 32, "granularity": "per-tensor"},
        {"weight_bits": 4},
    ],
    ids=["float", "int8", "weights", "4 bits"],
)
def test_the_plan_is_as_large_as_the_runtimes(network, settings, engines):
    model = micro_form(compressed(engines, network, **settings))
    report = qlab.micro(model)
    assert plan_arena(model).bytes == report.activations_bytes + report.unpacked_bytes


@needs_package
def test_a_plan_with_scratch_is_as_large_as_the_runtimes(engines):
    model = compressed(engines, "depthwise-separable", weight_bits=4)
    graph = model.graph()
    from qlab.tflite.graph import constant, pack_codes
    from qlab.tflite.micro_form import KINDS, _narrow

    for index in _narrow(graph):  # all of them, whatever that costs
        codes, tensor = constant(graph, index), graph.subgraphs[0].tensors[index]
        graph.buffers[tensor.buffer].data, tensor.type = pack_codes(codes, 4), KINDS.INT4
    everywhere = LiteModel(pack(graph))
    plan, report = plan_arena(everywhere), qlab.micro(everywhere)
    assert report.runs and plan.bytes == report.activations_bytes + report.unpacked_bytes
    assert plan.bytes > 3 * plan_arena(model).bytes
    assert plan.at_peak()["scratch"] == report.unpacked_bytes > 0
    assert qlab.micro(micro_form(model)).arena_bytes < 1.01 * qlab.micro(model).arena_bytes


def test_no_two_tensors_of_a_step_overlap():
    plan = plan_arena(qlab.pretrained("separable-seed0"))
    for step in range(len(plan.steps)):
        live = sorted(plan.live(step), key=lambda x: x.offset)
        assert all(a.end <= b.offset for a, b in itertools.pairwise(live))
    assert {x.offset % 16 for x in plan.buffers} == {0}


def test_the_planner_puts_the_largest_first_and_fills_gaps():
    lives = [("a", 32, 0, 1), ("b", 64, 1, 2), ("c", 16, 2, 3), ("d", 48, 3, 4), ("e", 16, 1, 3)]
    offsets = {x.name: x.offset for x in _placed([Buffer(n, "", *rest) for n, *rest in lives])}
    assert offsets == {"b": 0, "d": 0, "a": 64, "c": 64, "e": 96}
    lives = [("a", 48, 0, 0), ("b", 32, 0, 1), ("c", 16, 1, 1)]  # c fits below b
    offsets = {x.name: x.offset for x in _placed([Buffer(n, "", *rest) for n, *rest in lives])}
    assert offsets == {"a": 0, "b": 48, "c": 0}


def test_the_peak_names_the_layer_and_what_lies_there():
    plan = plan_arena(qlab.pretrained("baseline-int8"))
    assert plan.steps[plan.peak] == "pool1"
    assert sum(plan.at_peak().values()) == plan.bytes == 28_736


def test_pruning_dense_weights_does_not_move_the_peak_and_filters_do(engines):
    peaks = [
        plan_arena(qlab.pretrained(name)).bytes
        for name in ("pruned-control-seed0", "pruned-90-seed0", "pruned-filters-seed0")
    ]
    assert peaks[0] == peaks[1] > 2 * peaks[2]


# the form for microcontrollers


@needs_package
@pytest.mark.parametrize("bits", [4, 2])
@pytest.mark.parametrize("network", list(artefacts.NETWORKS))
def test_a_packed_file_becomes_one_that_runs_and_answers_the_same(network, bits, engines):
    model = compressed(engines, network, weight_bits=bits)
    form = micro_form(model.packed())
    report, plain = qlab.micro(form), qlab.micro(model)
    assert report.runs and form.file_bytes < model.file_bytes
    np.testing.assert_array_equal(report.predictions, plain.predictions)
    assert report.arena_bytes <= plain.arena_bytes + 64  # a note for each layer that unpacks
    assert not qlab.micro(model.packed()).runs


@needs_package
@pytest.mark.parametrize("bits", [32, 8])
def test_a_dilated_convolution_gets_the_shapes_that_it_makes(bits):
    """The converter writes 1 picture where there are 4, and the runtime believes it."""
    settings = {"weight_bits": bits, "activation_bits": bits, "calibration_size": 32}
    model = engine.compressor("dilated").compress(qlab.Recipe(**settings))
    report = qlab.micro(model)
    assert report.runs and "images otherwise than LiteRT" in report.why
    form = micro_form(model)
    mended = qlab.micro(form)
    assert mended.runs and not mended.why and mended.agreement >= 0.99
    assert plan_arena(form).bytes == mended.activations_bytes > report.activations_bytes
    images = qlab.data.load().validation.images[:50]
    np.testing.assert_array_equal(qlab.predict(form, images), qlab.predict(model, images))


@needs_package
@pytest.mark.parametrize("name", ["residual", "concatenate", "joined", "grown", "normed", "moved"])
def test_the_plan_of_other_networks_is_as_large_as_the_runtimes(name):
    report = qlab.micro(engine.float_model(name))
    assert plan_arena(engine.float_model(name)).bytes == report.activations_bytes


def test_what_has_nothing_to_gain_stays_as_it_is():
    for name in ("baseline", "baseline-int8", "baseline-dynamic-range"):
        model = qlab.pretrained(name)
        assert micro_form(model) is model


# the table of `make micro`


@needs_package
def test_the_table_has_a_line_for_a_file_that_runs_and_for_one_that_does_not():
    cells = row("it", qlab.micro(qlab.pretrained("baseline-int8")), (90, 91, 100)).split(" | ")
    assert cells[:2] == ["| it", "84,248"] and cells[6].endswith("of 300")
    assert cells[2:6] == ["32,432", "28,736", "0", "3,696"]
    assert cells[7:] == ["0.9000, 0.9100", "Arduino Nano 33 IoT", "runs |"]
    cells = row("it", qlab.micro(qlab.pretrained("baseline-float16")), None).split(" | ")
    assert cells[2:9] == 7 * [""] and "float16" in cells[9]
    assert HEAD.splitlines()[0].count("|") == len(cells) + 1


# boards


def test_boards_are_in_order_and_hold_what_fits():
    assert [x.ram_bytes for x in BOARDS] == sorted(x.ram_bytes for x in BOARDS)
    assert all(x.source.startswith("https://") for x in BOARDS)
    assert [x.name for x in holding(9_256, 4_608)] == [x.name for x in BOARDS[1:]]
    assert holding(84_248, 33_000)[0].name == "B-L475E-IOT01A"
    assert holding(84_248, 32_432)[0].name == "Arduino Nano 33 IoT"
    assert holding(10**9, 100) == ()
