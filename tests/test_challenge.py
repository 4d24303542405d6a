"""Grading: honest files get what they are worth, and hostile ones at worst fail."""

import gzip
import json
import os
import platform
import re
import subprocess
import sys
from types import SimpleNamespace

import engine
import hostile
import numpy as np
import psutil
import pytest
from ai_edge_litert import schema_py_generated as schema

import qlab
from qlab import challenge, cli
from qlab.challenge import allowed, intake, judge, reader, rules, sandbox, seal
from qlab.challenge.grading import codes, grade_bytes
from qlab.tflite import artefacts, reading
from qlab.tflite.graph import pack
from qlab.tflite.sparse_encoding import sparse_file

CAN_SEAL = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


def shipped(name):
    return artefacts.path(f"{name}.tflite").read_bytes()


@pytest.fixture(scope="module")
def few(fashion):
    """The first 500 test pictures: enough to see what happens."""
    return SimpleNamespace(images=fashion.test.images[:500], labels=fashion.test.labels[:500])


def refusal(data, few, **limits):
    verdict = grade_bytes(data, few, challenge.Limits(**limits))
    assert not verdict.qualifies and verdict.n == 0
    assert str(verdict).startswith(f"does not qualify: {verdict.reason}\n")
    return verdict.reason


# ---- honest files -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "leagues"), [("baseline-int8", ("0.85",)), ("qat-w4-seed0", ("0.90", "0.85"))]
)
def test_a_shipped_file_gets_what_the_manifest_says(name, leagues, tmp_path):
    path = tmp_path / "mine.tflite"
    path.write_bytes(shipped(name))
    verdict = challenge.grade(path)
    entry = artefacts.manifest()["files"][f"{name}.tflite"]
    assert verdict.correct == entry["test"]["correct"] and verdict.n == 10_000
    assert list(verdict.interval) == pytest.approx(entry["test"]["interval"], abs=1e-4)
    assert verdict.sha256 == entry["sha256"] and verdict.file_bytes == entry["bytes"]
    assert verdict.gzip_bytes == len(gzip.compress(path.read_bytes(), 6, mtime=0))
    assert verdict.leagues == leagues and verdict.reason == ""
    if CAN_SEAL:
        assert verdict.gaps == ()


@pytest.mark.parametrize(
    "name", ["baseline", "baseline-float16", "baseline-dynamic-range", "qat-w4-seed1"]
)
def test_other_kinds_of_files_are_scored_as_by_the_courses_own_engine(name, few):
    verdict = grade_bytes(shipped(name), few)
    predictions = qlab.predict(qlab.pretrained(name), few.images, batch=1)
    assert verdict.correct == (predictions == few.labels).sum()


def test_pictures_as_uint8(few):
    data = hostile.takes_bytes(shipped("baseline-int8"), "UINT8")
    assert rules.check(reader.read(data)).dtype == np.uint8
    assert grade_bytes(data, few).correct == grade_bytes(shipped("baseline-int8"), few).correct


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_a_file_that_insists_on_so_many_pictures_a_call(batch, few):
    data = engine.fixed_batch(qlab.pretrained("baseline"), batch).data
    assert grade_bytes(data, few).correct == grade_bytes(shipped("baseline"), few).correct


@pytest.mark.parametrize("bits", [2, 4])
def test_a_network_with_branches_and_packed_weights(bits, few):
    model = engine.compressor("mixture").compress(qlab.Recipe(weight_bits=bits)).packed()
    predictions = qlab.predict(model, few.images, batch=1)
    assert grade_bytes(model.data, few).correct == (predictions == few.labels).sum()


def test_a_file_without_its_zeros(few):
    dense = engine.compressor("baseline").compress(qlab.Recipe(sparsity=0.6))
    sparse = sparse_file(dense)
    assert sparse.gzip_bytes < sparse.file_bytes < dense.file_bytes
    assert grade_bytes(sparse.data, few).correct == grade_bytes(dense.data, few).correct > 400


@pytest.mark.parametrize(
    ("correct", "leagues"),
    [(9000, ("0.90", "0.85")), (8999, ("0.85",)), (8500, ("0.85",)), (8499, ()), (0, ())],
)
def test_leagues_are_exact(correct, leagues):
    verdict = challenge.Verdict(correct=correct, n=10_000, sha256="a" * 64)
    assert verdict.leagues == leagues and verdict.qualifies == bool(leagues)
    assert ("below 0.85" in str(verdict)) == (not leagues)


def test_a_file_that_was_refused_is_in_no_league():
    assert challenge.Verdict("why", correct=10_000, n=10_000).leagues == ()


def test_brightness_is_quantized_as_by_the_courses_own_engine():
    for scale, zero_point, dtype in [(1 / 255, -128, "i1"), (0.007, 3, "u1"), (1.0, 0, "f4")]:
        table = codes(rules.Input(np.dtype(dtype), np.float32(scale), zero_point))
        view, pixels = np.empty((1, 256), dtype), np.arange(256, dtype=np.uint8)[None]
        qlab.runtime._fill(
            "0 to 1", view, pixels, {"quantization": (np.float32(scale), zero_point)}
        )
        assert np.array_equal(table, view[0])


# ---- files that are none ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it does not carry the mark TFL3"),
        (b"hello, this is a text file", "it does not carry the mark TFL3"),
        (gzip.compress(shipped("qat-w2-seed0")), "it does not carry the mark TFL3"),
        (b"\x1c\0\0\0TFL3" + bytes(100), "damaged or truncated"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 4000, "damaged or truncated"),
        (b"\xff\xff\xff\xffTFL3" + bytes(100), "damaged or truncated"),
        (np.random.default_rng(0).bytes(4000), "it does not carry the mark TFL3"),
        (b"\x10\0\0\0TFL3" + np.random.default_rng(1).bytes(9000), "damaged or truncated"),
        (shipped("qat-w2-seed0")[:20_000], "damaged or truncated"),
    ],
    ids=["empty", "text", "gzip", "zeros", "ones", "far", "random", "marked random", "truncated"],
)
def test_a_file_that_is_no_model(content, words, tmp_path):
    path = tmp_path / "mine.tflite"
    path.write_bytes(content)
    verdict = challenge.grade(path)
    assert words in verdict.reason and not verdict.qualifies
    assert verdict.file_bytes == len(content)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.tflite"
    with open(path, "wb") as file:
        file.truncate(2**40)  # a hole: it takes no room
    assert "larger than 5,000,000 bytes" in challenge.grade(path).reason
    with open(path, "wb") as file:
        file.truncate(5_000_001)
    assert "larger than 5,000,000 bytes" in challenge.grade(path).reason


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "grows.tflite"
    path.write_bytes(bytes(100))
    status = SimpleNamespace(st_mode=path.stat().st_mode, st_size=10)
    monkeypatch.setattr(os, "fstat", lambda handle: status)
    with pytest.raises(intake.Refused, match="larger than 50 bytes"):
        intake.read(path, 50)


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
def test_what_is_no_plain_file_is_not_read(tmp_path):
    target = tmp_path / "mine.tflite"
    target.write_bytes(shipped("qat-w2-seed0"))
    (tmp_path / "link.tflite").symlink_to(target)
    (tmp_path / "lost.tflite").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.tflite").symlink_to(tmp_path / "round.tflite")
    os.mkfifo(tmp_path / "pipe.tflite")
    reasons = {x.name: challenge.grade(x).reason for x in tmp_path.glob("*.tflite")}
    assert reasons.pop("mine.tflite") == ""
    assert reasons.pop("pipe.tflite") == "it is not a file"
    assert set(reasons.values()) == {"it is a link; give the file itself"}
    assert challenge.grade(tmp_path).reason == "it is not a file"
    assert challenge.grade("/dev/zero").reason == "it is not a file"
    assert "no such file" in challenge.grade(tmp_path / "missing").reason
    assert "cannot be read" in challenge.grade(target / "below").reason
    assert "cannot be read" in challenge.grade("a\0b").reason


def test_the_files_descriptor_is_closed_again(tmp_path):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no list of open files on this system")
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path, "/dev/zero", tmp_path / "missing", __file__):
        challenge.grade(path)
    assert len(os.listdir("/proc/self/fd")) == before


# ---- the reader ---------------------------------------------------------------------------------
def test_the_tables_are_those_of_the_schema():
    """What is known of them is all that there is, but for three ways out of the file, and one."""
    left = set()
    for name, slots in allowed.TABLES.items():
        fields = reading.fields(getattr(schema, name))
        assert slots >= len([x for x in fields if x.slot < slots])
        left |= {(name, field.name) for field in fields if field.slot >= slots}
    assert left == {
        ("Model", "externalBufferGroups"),
        ("Model", "externalBuffers"),
        ("Tensor", "externalBuffer"),
        ("Tensor", "variantTensors"),
        ("FullyConnectedOptions", "quantSpec"),
    }
    assert {getattr(schema.BuiltinOperator, name) for name in rules.OPERATORS}


def external(graph):
    graph.externalBuffers = [schema.ExternalBufferT()]


def quantized_by_others(graph):
    held = graph.subgraphs[0].tensors[0].quantization = schema.QuantizationParametersT()
    held.detailsType, held.details = 1, schema.CustomQuantizationT()


def composite(graph):
    operator = graph.subgraphs[0].operators[0]
    operator.builtinOptions2Type = schema.BuiltinOptions2.StableHLOCompositeOptions
    operator.builtinOptions2 = schema.StableHLOCompositeOptionsT()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external, "its Model has a part that the challenge does not know"),
        (quantized_by_others, "it has CustomQuantization, which are not allowed here"),
        (composite, "it has StableHLOCompositeOptions, which are not allowed here"),
    ],
)
def test_parts_that_the_challenge_does_not_know_are_refused(change, words):
    data = engine.edited(qlab.pretrained("baseline"), change).data
    assert reading.Reader(data).model().version == 3
    with pytest.raises(challenge.Refused, match=words):
        reader.read(data)


def test_numbers_out_of_line_are_refused():
    data = hostile.out_of_line()
    assert reading.Reader(data).model().version == 3
    with pytest.raises(challenge.Refused, match="numbers are not in line"):
        reader.read(data)


def test_what_is_stored_once_and_named_twice_is_refused():
    data = hostile.equal_tensors(2)
    assert len(reading.Reader(data).model().subgraphs[0].tensors) == 2
    with pytest.raises(challenge.Refused, match="on top of each other"):
        reader.read(data)


def test_a_model_in_place_of_a_path_is_told_how_to_save_it():
    with pytest.raises(TypeError, match=r"takes the path of a file, not a LiteModel; .*save\("):
        challenge.grade(qlab.pretrained("baseline"))


def test_every_cut_is_refused_before_it_is_run():
    data = shipped("qat-w2-seed0")
    for size in range(0, len(data) - 64, 997):
        with pytest.raises(challenge.Refused):
            rules.check(reader.read(data[:size]))


def test_many_pointers_to_one_place_are_refused_at_once():
    data = hostile.one_tensor_many_times(15_000)
    assert len(data) < 300_000
    with pytest.raises(challenge.Refused, match="on top of each other"):
        reader.read(data)


def test_more_parts_than_are_sensible_are_refused():
    graph = hostile.Graph()
    answer = graph.means()
    graph.model.buffers += [schema.BufferT() for _ in range(reader.MOST_TABLES)]
    with pytest.raises(challenge.Refused, match="more than 20,000 parts"):
        reader.read(graph.bytes(answer))


# ---- the rules ----------------------------------------------------------------------------------
def first(graph):
    return graph.subgraphs[0].operators[0]


def a_tensor(graph, **changes):
    vars(graph.subgraphs[0].tensors[10]).update(changes)


def a_buffer(graph, **changes):
    vars(graph.buffers[0]).update(changes)


def other_code(graph, name):
    graph.operatorCodes[0].builtinCode = getattr(schema.BuiltinOperator, name)


def circle(graph):
    operators = graph.subgraphs[0].operators
    operators[0].inputs = [*operators[-1].outputs, *operators[0].inputs[1:]]


def written_twice(graph):
    operators = graph.subgraphs[0].operators
    operators[2].outputs = operators[0].outputs


def over_a_constant(graph):
    first(graph).outputs = first(graph).inputs[1:2]


def picture(graph, **changes):
    main = graph.subgraphs[0]
    vars(main.tensors[main.inputs[0]]).update(changes)


def without_scale(graph):
    picture(graph, type=schema.TensorType.UINT8, quantization=None)


BROKEN = [
    (lambda g: setattr(g, "version", 2), "its schema is not version 3"),
    (lambda g: g.subgraphs.append(g.subgraphs[0]), "it has 2 graphs"),
    (lambda g: g.subgraphs.clear(), "it has 0 graphs"),
    (lambda g: setattr(g.subgraphs[0], "operators", []), "it has no operators"),
    (lambda g: setattr(first(g), "opcodeIndex", 99), "an operator has no code"),
    (lambda g: other_code(g, "WHILE"), "it uses the operator WHILE, which is not allowed"),
    (lambda g: other_code(g, "VAR_HANDLE"), "the operator VAR_HANDLE"),
    (lambda g: other_code(g, "HASHTABLE"), "the operator HASHTABLE"),
    (lambda g: other_code(g, "RANDOM_UNIFORM"), "the operator RANDOM_UNIFORM"),
    (lambda g: other_code(g, "DELEGATE"), "the operator DELEGATE"),
    (lambda g: other_code(g, "STABLEHLO_CUSTOM_CALL"), "the operator STABLEHLO_CUSTOM_CALL"),
    (lambda g: setattr(first(g), "customOptions", [1]), "has custom options"),
    (lambda g: setattr(first(g), "largeCustomOptionsSize", 9), "options outside of the file"),
    (lambda g: setattr(first(g), "inputs", [0, 500]), "names a tensor that is not there"),
    (lambda g: setattr(first(g), "outputs", []), "names a tensor that is not there"),
    (lambda g: setattr(first(g), "outputs", [-1]), "writes a tensor that is a constant or"),
    (circle, "an operator reads a tensor that none before it has written"),
    (written_twice, "was written before"),
    (over_a_constant, "writes a tensor that is a constant"),
    (lambda g: a_tensor(g, isVariable=True), "keeps its value from picture to picture"),
    (lambda g: a_tensor(g, shape=[2**20, 2**20]), "has 1,099,511,627,776 numbers"),
    (lambda g: a_tensor(g, shape=[2**31 - 1] * 8), "numbers; 67,108,864 are most"),
    (lambda g: a_tensor(g, shape=[-1, 10]), "has the shape"),
    (lambda g: a_tensor(g, shape=[1] * 9), "has the shape"),
    (lambda g: a_tensor(g, type=schema.TensorType.STRING), "is of type STRING"),
    (lambda g: a_tensor(g, type=99), "is of type 99"),
    (lambda g: a_tensor(g, buffer=999), "names a buffer that is not there"),
    (lambda g: a_tensor(g, buffer=3, name=b"\x1b[2J"), r"tensor \ufffd\[2J has"),
    (lambda g: a_buffer(g, offset=64, size=64), "outside of its own structure"),
    (lambda g: setattr(g.metadata[0], "buffer", 10**6), "a note names a buffer"),
    (lambda g: setattr(g.signatureDefs[0], "subgraphIndex", 3), "a signature names a part"),
    (lambda g: setattr(g.subgraphs[0], "inputs", []), "it has 0 inputs and 1 outputs"),
    (lambda g: setattr(g.subgraphs[0], "outputs", [15, 16]), "1 inputs and 2 outputs"),
    (lambda g: setattr(g.subgraphs[0], "inputs", [999]), "its input or output is not there"),
    (lambda g: setattr(g.subgraphs[0], "outputs", [-1]), "its input or output is not there"),
    (lambda g: picture(g, shape=[1, 784]), r"its input has the shape \[1, 784\]"),
    (lambda g: picture(g, shape=[1, 28, 28, 3]), r"its input has the shape \[1, 28, 28, 3\]"),
    (lambda g: picture(g, shape=[0, 28, 28, 1]), r"its input has the shape \[0, 28, 28, 1\]"),
    (lambda g: picture(g, type=schema.TensorType.INT16), "its input is INT16"),
    (without_scale, "its uint8 input does not say one scale"),
]


@pytest.mark.parametrize(("change", "words"), BROKEN, ids=[words[:40] for _, words in BROKEN])
def test_a_broken_rule_is_named(change, words):
    data = engine.edited(qlab.pretrained("baseline"), change).data
    with pytest.raises(challenge.Refused, match=words) as refused:
        rules.check(reader.read(data))
    assert str(refused.value).isprintable()


def test_operators_of_others_are_refused_by_name(few):
    assert "CUSTOM (FlexWriteFile), which is not allowed" in refusal(hostile.custom(), few)
    assert "CUSTOM (\ufffd[31mx)" in refusal(hostile.custom(b"\x1b[31mx"), few)


# ---- malicious files, really run ----------------------------------------------------------------
def run_unchecked(data, few, **limits):
    """What the judge process makes of a file that no rule was held against."""
    table = np.arange(256, dtype=np.float32)
    with pytest.raises(challenge.Refused) as refused:
        sandbox.predict(data, few.images, table, challenge.Limits(**limits))
    return str(refused.value)


def test_a_loop_without_end(few):
    assert refusal(hostile.endless(), few) == "it has WhileOptions, which are not allowed here"
    if "resource" in sys.modules or os.name != "nt":
        words = "it used up 1 s of processor time and was stopped"
        assert run_unchecked(hostile.endless(), few, seconds=1) == words


def test_a_process_that_does_not_end_is_ended_by_the_clock(few):
    words = "it was still running after 2 s and was stopped"
    assert run_unchecked(hostile.endless(), few, wall_seconds=2) == words


def test_work_without_end(few):
    words = "it used up 1 s of processor time and was stopped"
    assert refusal(hostile.enlarged(4000), few, seconds=1) == words


@pytest.mark.parametrize("side", [60_000, 2**31 - 1])
def test_memory_without_end(side, few):
    words = refusal(hostile.enlarged(side), few)
    assert words.startswith(("LiteRT cannot run it: ", "it ended the process that ran it"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to the limit")
def test_more_memory_than_is_allowed(few):
    small = 300 * 2**20
    words = refusal(hostile.enlarged(9000), few, memory_bytes=small)
    assert words.startswith(("LiteRT cannot run it: ", "it ended the process that ran it"))


def test_outputs_that_are_no_numbers_are_right_nowhere(few):
    verdict = grade_bytes(hostile.nothing_but_nan(), few)
    assert (verdict.correct, verdict.n, verdict.reason) == (0, 500, "")


def test_an_output_whose_shape_only_running_tells(few):
    honest = grade_bytes(hostile.honest(), few)
    assert honest.n == 500 and honest.reason == ""
    ten = grade_bytes(hostile.reshaped_while_running((1, 10)), few)
    assert (ten.correct, ten.reason) == (honest.correct, "")
    assert "LiteRT cannot run it" in refusal(hostile.reshaped_while_running((1, 11)), few)


def test_outputs_of_another_number(few):
    graph = hostile.Graph()
    data = graph.bytes(graph.add("MUL", [graph.means(), graph.means()], (1, 10)))
    assert grade_bytes(data, few).n == 500
    graph = hostile.Graph()
    axes = graph.constant(np.array([1], np.int32))
    data = graph.bytes(graph.add("MEAN", [graph.picture, axes], (1, 10), options="ReducerOptions"))
    words = "its output has the shape [1, 28, 1]; 10 numbers a picture are due"
    assert refusal(data, few) == f"LiteRT cannot run it: {words}"


def test_answers_that_were_stored_by_position_are_worth_a_guess(fashion):
    verdict = grade_bytes(hostile.answers_by_position(fashion.test.labels), fashion.test)
    assert verdict.n == 10_000 and 0.07 < verdict.accuracy < 0.13  # ten classes


# ---- the judge process --------------------------------------------------------------------------
def answers(monkeypatch, few, code, wall_seconds=60):
    """Have another program answer in the judge's place."""
    monkeypatch.setattr(sandbox, "_START", f"import os, sys, time\n{code}")
    limits = challenge.Limits(wall_seconds=wall_seconds)
    return sandbox.predict(b"", few.images[:4], np.zeros(256, np.uint8), limits)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.write(1, b'R\\0P\\1\\2\\3')", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0P' + bytes(5))", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0P\\0\\1\\2\\x0a')", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0P' + bytes(10**6))", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0X' + bytes(4))", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0')", "did not answer with one class a picture"),
        ("os.write(1, b'R\\0F\\xff\\x1b[2Jbad')", r"LiteRT cannot run it: \ufffd\ufffd\[2Jbad"),
        ("os.write(1, b'R\\0P' + bytes(4)); sys.exit(3)", r"ended the process .*exit code 3"),
        ("os.write(1, b'R\\0'); os.abort()", r"ended the process that ran it \(SIGABRT\)"),
    ],
)
def test_an_answer_is_doubted(monkeypatch, few, code, words):
    with pytest.raises(challenge.Refused, match=words):
        answers(monkeypatch, few, code)


def test_a_sound_answer(monkeypatch, few):
    given, gaps = answers(monkeypatch, few, "os.write(1, b'R\\3P\\0\\1\\xff\\x09')")
    assert given.tolist() == [0, 1, judge.NO_CLASS, 9]
    assert gaps == ("processor time", "memory")


@pytest.mark.parametrize("code", ["sys.exit(1)", "os.write(1, b'?')", "import no_such_module"])
def test_a_judge_that_cannot_start_is_no_verdict(monkeypatch, few, code):
    with pytest.raises(challenge.JudgeError, match="nothing was graded: `qlab doctor`"):
        answers(monkeypatch, few, code)


def test_the_judge_is_told_no_more_than_it_needs(monkeypatch, few, tmp_path):
    monkeypatch.setenv("A_SECRET", "swordfish")
    handle = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(handle, True)
    code = (
        "job = sys.stdin.buffer.read()\n"
        f"held = os.path.exists('/dev/fd/{handle}')\n"
        "said = [len(job), 'A_SECRET' in os.environ, os.listdir('.'), held]\n"
        "os.write(1, b'R\\0F' + repr(said).encode())"
    )
    with pytest.raises(challenge.Refused) as refused:
        answers(monkeypatch, few, code)
    os.close(handle)
    size = judge.HEADER.size + 256 + len(sandbox._warm_up()) + 4 * 28 * 28  # no room for labels
    assert str(refused.value) == f"LiteRT cannot run it: [{size}, False, [], False]"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_children_of_the_judge_end_with_it(monkeypatch, few, tmp_path):
    file = tmp_path / "child"
    code = (
        "child = os.fork()\n"
        f"child and open({str(file)!r}, 'w').write(str(child))\n"
        "os.write(1, b'R\\0'); time.sleep(60)"
    )
    with pytest.raises(challenge.Refused, match="still running after 3 s"):
        answers(monkeypatch, few, code, wall_seconds=3)
    child = psutil.Process(int(file.read_text())) if psutil.pid_exists(int(file.read_text())) else 0
    assert not child or child.status() == psutil.STATUS_ZOMBIE or child.wait(30) is None


ESCAPES = """
import os, socket, sys
from qlab.challenge.seal import seal_process
gaps = seal_process(5, 2**30, 1000)
def tries(work):
    try:
        work()
    except OSError:
        return "refused"
    return "DONE"
print(gaps, [tries(work) for work in (
    lambda: open(sys.argv[1]),
    lambda: open(sys.argv[1], "a"),
    lambda: os.unlink(sys.argv[1]),
    lambda: os.truncate(sys.argv[1], 0),
    lambda: os.rename(sys.argv[1], sys.argv[1] + "2"),
    lambda: os.chmod(sys.argv[1], 0o777),
    lambda: os.mkdir(sys.argv[1] + "3"),
    lambda: socket.socket(),
    lambda: os.fork(),
    lambda: os.kill(os.getppid(), 0),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.pipe(),
    lambda: os.setuid(0),
    lambda: os.stat(sys.argv[1]) and None,
)], flush=True)
"""


@pytest.mark.skipif(not CAN_SEAL, reason="this system cannot take system calls away")
def test_a_sealed_process_can_do_nothing_to_the_machine(tmp_path):
    path = tmp_path / "precious"
    path.write_bytes(b"content")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", ESCAPES, str(path)], capture_output=True, text=True, env=environment
    )
    assert run.stdout.startswith("[] "), run.stdout + run.stderr
    assert "DONE" not in run.stdout and run.stdout.count("refused") == 14
    assert os.listdir(tmp_path) == ["precious"] and path.read_bytes() == b"content"


def test_a_system_that_cannot_do_all_says_what_it_could_not():
    code = (
        "from qlab.challenge import seal; import platform\n"
        "platform.machine = lambda: 'riscv64'\n"
        "print(seal.seal_process(5, 2**33, 1000), seal.seal_process(5, 2**34, 1000), flush=True)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    if sys.platform == "linux":
        assert run.stdout.startswith("['system calls'] "), run.stderr
    assert run.stdout.count("system calls") == 2
    verdict = challenge.Verdict(correct=1, n=1, gaps=("memory", "system calls"))
    assert "could not limit its memory, system calls while it ran" in str(verdict)


def test_the_filter_is_the_same_program_for_both_processors():
    x86, arm = seal.program("x86_64"), seal.program("aarch64")
    assert len(x86) == len(arm) == 8 * (5 + 28 + 2)


# ---- the command --------------------------------------------------------------------------------
def test_the_command_says_yes(tmp_path, capsys):
    path = tmp_path / "mine\x1b[31m.tflite"
    path.write_bytes(shipped("qat-w4-seed0"))
    assert cli.main(["grade", str(path)]) == 0
    said = capsys.readouterr().out
    assert "qualifies for league 0.90 and league 0.85\n" in said
    known = artefacts.manifest()["files"]["qat-w4-seed0.tflite"]["test"]
    low, high = (100 * x for x in known["interval"])
    score = f"{100 * known['accuracy']:.2f} %, 95 % interval {low:.2f} to {high:.2f} %"
    assert f"  accuracy  {score}\n" in said
    assert f"{known['correct']:,} of 10,000 test pictures, measured now" in said
    assert re.search(r"  gzipped   [\d,]+ bytes, at level 6: this is what ranks\n", said)
    assert "\x1b" not in said


def test_the_command_says_no_and_why(tmp_path, capsys):
    path = tmp_path / "mine.tflite"
    path.write_bytes(hostile.honest())
    assert cli.main(["grade", str(path)]) == 1
    said = capsys.readouterr().out
    assert "does not qualify: its test accuracy is below 0.85\n" in said and "10.00 %" in said
    assert cli.main(["grade", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path} does not qualify: it is not a file\n"


def test_the_command_as_json(tmp_path, capsys):
    path = tmp_path / "mine.tflite"
    path.write_bytes(hostile.endless())
    assert cli.main(["grade", "--json", str(path)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["qualifies"] is False and said["leagues"] == [] and said["n"] == 0
    assert said["reason"] == "it has WhileOptions, which are not allowed here"
    assert said["file_bytes"] == len(hostile.endless()) and len(said["sha256"]) == 64


def test_a_file_written_by_the_engine_itself_passes_unchanged(few):
    again = pack(qlab.pretrained("baseline-int8").graph())
    assert grade_bytes(again, few).correct == grade_bytes(shipped("baseline-int8"), few).correct
