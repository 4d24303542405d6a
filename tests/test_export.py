"""Export: files, C array, card, provenance; what is refused, and what hostile files do."""

import dataclasses
import getpass
import gzip
import hashlib
import json
import keyword
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile import has_ended
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

import qlab
from qlab import cli
from qlab.arithmetic.metrics import wilson_interval
from qlab.challenge import Limits
from qlab.data import digits
from qlab.export import ExportError, c_array, card, examine, writing
from qlab.export import microcontroller as micro
from qlab.export.measuring import Examined
from qlab.export.microcontroller import CANNOT
from qlab.export.writing import in_a_process
from qlab.system.text import markdown
from qlab.tflite import artefacts, micro_runtime
from qlab.tflite.boards import BOARDS, holding
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel
from qlab.tflite.micro_form import micro_form
from qlab.tflite.operations import COUNTED
from qlab.trials import shelf
from qlab.trials.subjects import misfit

NAMES = ("small.tflite", "small.h", "small.c", "small-card.md", "small-provenance.json")
needs_package = pytest.mark.skipif(
    not micro_runtime.available() and os.environ.get("CI") != "true",
    reason="tflite-micro is not installed; there are packages for Linux on x86-64 alone",
)
C_WORDS = {"auto", "char", "class", "const", "delete", "double", "float", "for", "if", "int"}


def held(source):
    """The bytes that a C array holds."""
    rows = re.search(r"\] = \{\n(.*)\n\};", source, re.DOTALL).group(1)
    return bytes.fromhex("".join(re.findall(r"0x([0-9a-f]{2}),", rows)))


def export(*arguments, **settings):
    """Export, and run the C array in TensorFlow Lite Micro."""
    files = writing.export(*arguments, **settings)
    for name, path in files.items():
        if name.endswith(".c") and micro_runtime.available():
            report = qlab.micro(LiteModel(held(path.read_text())))
            assert report.runs and report.equal >= 0.99 * report.compared == 297
    return files


@pytest.fixture(scope="module")
def four_bits():
    """A file with a byte for each weight of 4 bits."""
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(64))
    return engine.compress(qlab.Recipe(weight_bits=4, calibration_size=64))


@pytest.fixture(scope="module")
def exported(four_bits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    recipe = qlab.Recipe(weight_bits=4, calibration_size=64)
    return export(four_bits, folder, "my 4 bits.tflite", recipe)


@pytest.fixture
def compiler():
    """A C compiler; without it, skip on a learner's machine and fail in CI."""
    found = micro.find_compiler()
    if found is None:
        words = "No C compiler (cc, gcc, clang) is installed, so the C arrays were not compiled."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    return found


# the files


def test_every_file_is_there_and_the_tflite_is_the_model(exported, four_bits):
    assert list(exported) == [
        *("my-4-bits.tflite", "my-4-bits-packed.tflite", "my-4-bits.h", "my-4-bits.c"),
        *("my-4-bits-card.md", "my-4-bits-provenance.json"),
    ]
    folder = exported["my-4-bits.h"].parent
    assert sorted(os.listdir(folder)) == sorted(exported)
    assert exported["my-4-bits.tflite"].read_bytes() == four_bits.data
    packed = exported["my-4-bits-packed.tflite"].read_bytes()
    assert packed == four_bits.packed().data
    assert len(packed) < 0.6 * four_bits.file_bytes


def test_the_packed_file_is_measured_as_it_was_written(exported, fashion):
    written = LiteModel.from_file(exported["my-4-bits-packed.tflite"])
    correct = qlab.evaluate(written, fashion.test.images, fashion.test.labels, threads=1).correct
    known = json.loads(exported["my-4-bits-provenance.json"].read_text())["measured"]
    assert known["my-4-bits-packed.tflite"]["accuracy"]["correct"] == correct


def test_a_float32_file_exports_too(tmp_path):
    files = export(qlab.pretrained("baseline"), tmp_path, "baseline")
    assert "baseline-packed.tflite" not in files
    text = files["baseline-card.md"].read_text()
    assert "(1, 28, 28, 1), FLOAT32." in text
    known = artefacts.manifest()["files"]["baseline.tflite"]["test"]
    low, high = (100 * x for x in known["interval"])
    assert f"| {100 * known['accuracy']:.2f} % | {low:.1f} to {high:.1f} % |" in text


# the C array


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("baseline", ("-std=c99",)),
        ("baseline-int8", ("-std=c11",)),
        ("qat-w4-seed0", ("-x", "c++", "-std=c++11")),
    ],
)
def test_a_compiled_array_gives_the_file_byte_for_byte(model, flags, compiler):
    if "c++" in flags and not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("No C++ compiler (g++, clang++) is installed.")
    model = qlab.pretrained(model)
    strict = ("-Wall", "-Wextra", "-Werror", "-pedantic")
    files = c_array(model, "a-model")
    found = micro.compiled_bytes(files, "a-model", compiler, (*strict, *flags))
    assert found == model.data


def test_an_array_that_lost_a_byte_is_not_the_model(compiler):
    model = qlab.pretrained("qat-w4-seed0")
    files = c_array(model, "m")
    files["m.c"] = files["m.c"].replace(b"0x54, 0x46, 0x4c, 0x33", b"0x54, 0x46, 0x4c, 0x34", 1)
    assert micro.compiled_bytes(files, "m", compiler) != model.data
    files["m.c"] = files["m.c"].replace(b"0x54,", b"", 1)
    shorter = micro.compiled_bytes(files, "m", compiler)  # C fills up with a zero
    assert shorter != model.data
    files["m.c"] = files["m.c"].replace(b"};", b"", 1)
    with pytest.raises(ExportError, match=r"failed: m\.c"):
        micro.compiled_bytes(files, "m", compiler)


def test_the_header_has_guard_length_and_the_operators():
    header = c_array(qlab.pretrained("baseline"), "base")["base.h"].decode("ascii")
    assert "#ifndef QLAB_BASE_MODEL_H\n#define QLAB_BASE_MODEL_H\n" in header
    assert "extern const unsigned char base_model[305676];" in header
    calls = re.findall(r"resolver\.(\w+)\(\);", header)
    assert calls == ["AddConv2D", "AddFullyConnected", "AddMaxPool2D", "AddReshape"]
    assert "MicroMutableOpResolver<4>" in header


def test_the_array_is_const_and_aligned_in_each_language():
    source = c_array(qlab.pretrained("qat-w4-seed0"), "m")["m.c"].decode("ascii")
    for words in ("alignas(16)", "_Alignas(16)", "__attribute__((aligned(16)))"):
        assert f"#define QLAB_M_MODEL_H_ALIGNED {words}\n" in source
    assert "QLAB_M_MODEL_H_ALIGNED const unsigned char m_model[46160] = {\n" in source
    assert "const unsigned int m_model_len = 46160u;" in source


def test_every_operator_of_the_engine_has_its_call():
    from qlab.tflite.operators import SUPPORTED

    assert set(SUPPORTED) - micro.KNOWN == {"GELU", "TILE"}
    spelt = {"AVERAGE_POOL_2D": "AveragePool2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
             "RELU6": "Relu6", "CONCATENATION": "Concatenation"}  # fmt: skip
    assert {op: micro._camel(op) for op in spelt} == spelt


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("baseline", ()),
        ("baseline-int8", ()),
        ("baseline-int16x8", ()),
        ("qat-w4-seed0", ("FULLY_CONNECTED takes one weight a byte",)),
        ("baseline-dynamic-range", ("dynamic range",)),
        ("baseline-float16", ("float16",)),
    ],
)
@pytest.mark.parametrize("there", [pytest.param(True, marks=needs_package), False])
def test_what_a_microcontroller_cannot_run_is_said_on_top(name, words, there, monkeypatch):
    if not there:
        monkeypatch.setattr(micro_runtime, "PACKAGE", "no_such_package")
        monkeypatch.setattr(micro_runtime, "_ASKED", {})
        monkeypatch.setattr(micro_runtime, "cached", dict)
    model = qlab.pretrained(name)
    found = micro.obstacles(model)
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))
    lines = c_array(model, "m")["m.h"].decode().splitlines()
    assert (" * TensorFlow Lite Micro cannot run it as it is: " in lines[2]) == bool(words)
    assert all(word in " ".join(lines) for word in words)
    assert (" * Several weights share a byte" in "\n".join(lines)) == name.startswith("qat-w4")
    assert ("RAM: a tensor arena of" in "\n".join(lines)) == (there and not words)


@needs_package
@pytest.mark.parametrize(
    "name",
    ["baseline", "baseline-int8", "qat-w4-seed0", "qat-w2-seed0", "chain-int4-seed0",
     "distilled-5k-600-taught-seed0", "separable-seed0"],
)  # fmt: skip
def test_a_compiled_array_runs_in_tensorflow_lite_micro(name, compiler):
    form = micro_form(qlab.pretrained(name))
    compiled = micro.compiled_bytes(c_array(form, "m"), "m", compiler)
    report = qlab.micro(LiteModel(compiled))
    assert report.runs and report.agreement >= 0.99
    expected = qlab.predict(qlab.pretrained(name), qlab.data.load().validation.images[:300])
    assert np.mean(report.predictions == expected) >= 0.99


@needs_package
@pytest.mark.parametrize("name", ["baseline-dynamic-range", "baseline-float16"])
def test_a_file_that_it_refuses_is_exported_with_that_sentence(name, tmp_path, compiler):
    said = []
    files = writing.export(qlab.pretrained(name), tmp_path, "m", verify=True, say=said.append)
    why = qlab.micro(qlab.pretrained(name)).why
    assert files["m.h"].read_text().splitlines()[2].startswith(f" * {CANNOT} {why[:20]}")
    assert markdown(f"{CANNOT} {why}", 2000) in files["m-card.md"].read_text()
    assert any(words.endswith(f"equal, byte for byte. {CANNOT} {why}") for words in said)
    assert json.loads(files["m-provenance.json"].read_text())["microcontroller"]["runs"] is False
    assert "| board |" not in files["m-card.md"].read_text()


@needs_package
def test_an_array_that_answers_otherwise_says_so_on_top(compiler):
    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(64))
    model = engine.compress(qlab.Recipe(activation_bits=32, calibration_size=64))
    files = c_array(model, "m")
    assert "It runs, and answers otherwise than LiteRT" in files["m.h"].decode().splitlines()[2]
    assert "answers otherwise" in writing._verified(files, "m", model)


def test_a_model_too_large_for_an_array_goes_without(monkeypatch, tmp_path):
    monkeypatch.setattr(writing, "LARGEST", 1000)
    said = []
    files = export(qlab.pretrained("baseline-int8"), tmp_path, "small", say=said.append)
    assert "small.c" not in files and "small-card.md" in files
    assert any(words.startswith("no C array") for words in said)


@given(st.text(max_size=80))
def test_any_name_becomes_files_and_an_identifier(text):
    stem = micro.file_stem(f"{text}.tflite")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", stem)
    assert micro.file_stem(stem) == stem or stem.lower().endswith(".tflite")
    word = micro.identifier(stem)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", word)
    assert word not in C_WORDS and not keyword.iskeyword(word)
    assert len(word) < 70


@pytest.mark.parametrize(
    ("stem", "word"),
    [
        ("int", "int_model"),
        ("my_model", "my_model"),
        ("model", "model_model"),
        ("_reserved__name", "reserved_name_model"),
        ("Zoë's net", "Zoe_s_net_model"),
        ("42", "m_42_model"),
        ("....", "model"),
    ],
)
def test_identifiers(stem, word):
    assert micro.identifier(stem) == word


# card and provenance


def test_the_card_says_what_a_new_measurement_says(exported, four_bits, fashion):
    text = exported["my-4-bits-card.md"].read_text("utf-8")
    test = fashion.test
    answers = [
        qlab.predict(model, test.images, threads=1) for model in (four_bits, four_bits.packed())
    ]
    for i, name in enumerate(fashion.class_names):
        cells = [f"| {name} | 1,000 |"]
        for each in answers:
            correct = int((each == i)[test.labels == i].sum())
            low, high = wilson_interval(correct, 1000)
            cells.append(f" {correct / 10:.2f} % | {100 * low:.1f} to {100 * high:.1f} % |")
        assert "".join(cells) in text
    assert f"| `my-4-bits.tflite` | {four_bits.file_bytes:,} | {four_bits.gzip_bytes:,} |" in text
    assert "| file | bytes | gzipped at level 6 |" in text
    assert four_bits.gzip_bytes == len(gzip.compress(four_bits.data, 6, mtime=0))
    differ = int((answers[0] != answers[1]).sum())
    assert f"answers {differ:,} of 10,000 images differently" in text


def test_the_card_has_every_section_and_its_kinds(exported):
    text = exported["my-4-bits-card.md"].read_text("utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections == ["Recipe", "Data", "Accuracy", "Size", "Latency", "Arithmetic", "Use",
                        "Microcontroller", "Limits"]  # fmt: skip
    assert "weight bits 4, activation bits 8, granularity per-channel" in text
    assert "**simulated**" in text and "ISSCC 2014" in text
    assert "not the latency on a phone or a microcontroller" in text
    assert "real value = 0.00392156886 × (code + 128)" in text
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1


@needs_package
def test_the_card_gives_flash_ram_and_the_boards(exported, four_bits):
    text = exported["my-4-bits-card.md"].read_text("utf-8")
    report = qlab.micro(micro_form(four_bits))
    assert f"another form of the model, of {report.flash_bytes:,} bytes" in text
    assert f"| RAM: the arena | {report.arena_bytes:,} |" in text
    parts = re.findall(r"^\| … .* \| ([\d,]+) \|$", text, re.MULTILINE)
    assert sum(int(n.replace(",", "")) for n in parts) == report.arena_bytes
    rows = dict(re.findall(r"^\| \[(.*?)\]\(https(.*)$", text, re.M))
    assert len(rows) == len(BOARDS)
    assert {name for name, rest in rows.items() if "holds it" in rest} == {
        board.name for board in holding(report.flash_bytes, report.arena_bytes)
    }
    known = json.loads(exported["my-4-bits-provenance.json"].read_text())["microcontroller"]
    assert known["arena_bytes"] == report.arena_bytes and known["compared"] == 300
    assert re.search(r"\d", known["tflite-micro"])


def test_the_card_of_a_network_with_its_own_names(tmp_path):
    """Of two sizes, and with an operator whose work nobody counts."""
    data = digits.load()
    compressor = qlab.Compressor(qlab.pretrained("digits"), data.calibration_images())
    recipe = qlab.Recipe(weight_bits=8, overrides={"dense1_1": {"weight_bits": 2}})
    small = compressor.compress(recipe)
    files = writing.export(small, tmp_path, "small", recipe, dataset=data)
    card = files["small-card.md"].read_text("utf-8").replace("\\", "")
    assert small.packed_bytes < small.file_bytes
    assert f"holds `small.tflite` as it is, {small.file_bytes:,} bytes. It does not hold" in card
    assert "overrides (dense1_1 (weight bits 2))" in card
    [uncounted] = re.findall("^Not counted: .*", card, re.MULTILINE)
    assert uncounted.endswith(f" {COUNTED[-1]}.") and "…" not in uncounted


def test_text_from_the_file_cannot_change_the_form_of_the_card():
    graph = qlab.pretrained("baseline-int8").graph()
    graph.description = b"</table><script>alert(1)</script>\n# Head | [x](http://y) `z`"
    for tensor in graph.subgraphs[0].tensors:
        if b"conv1" in (tensor.name or b""):
            tensor.name = b"evil/| <img src=x>\n## Pwned/Relu"
    found = examine(LiteModel(pack(graph)), "m", None)
    text = card(found, ["m.tflite"])
    assert "describes itself as" in text
    assert "<script" not in text and "<img" not in text and "](http:" not in text
    assert "\n# Head" not in text and "\n## Pwned" not in text
    layers = [row for row in text.splitlines() if "MAX_POOL_2D" in row]
    assert all(row.replace(r"\|", "").count("|") == 6 for row in layers)


@needs_package
def test_a_layers_name_cannot_leave_the_comment_nor_the_card(compiler):
    graph = qlab.pretrained("qat-w4-seed0").graph()
    for tensor in graph.subgraphs[0].tensors:
        if b"dense1" in (tensor.name or b""):
            tensor.name = b"evil <img src=x>\n## Pwned | x/Relu"
    model = LiteModel(pack(graph))
    assert "evil" in qlab.micro(model).why
    flags = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99")
    assert micro.compiled_bytes(c_array(model, "m"), "m", compiler, flags) == model.data
    found = examine(qlab.pretrained("baseline-int8"), "m")
    text = card(dataclasses.replace(found, for_micro=model, micro=qlab.micro(model)), ["m.tflite"])
    assert "evil" in text and "<img" not in text and "\n## Pwned" not in text


def test_provenance_checks_out_and_names_nobody(exported, four_bits):
    text = exported["my-4-bits-provenance.json"].read_text()
    known = json.loads(text)
    assert set(known["files"]) == set(exported) - {"my-4-bits-provenance.json"}
    for name, entry in known["files"].items():
        content = exported[name].read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert known["recipe"]["weight_bits"] == 4
    assert known["source"] == {"sha256": hashlib.sha256(four_bits.data).hexdigest()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", known["date"])
    assert set(known["machine"]) == {"cpu", "cores", "system"}
    threads = [row["threads"] for row in known["measured"]["my-4-bits.tflite"]["latency_ms"]]
    assert threads == [1, 2]
    assert known["measured"]["my-4-bits.tflite"]["gzip_level"] == 6
    card_text = exported["my-4-bits-card.md"].read_text("utf-8")
    for secret in (str(Path.home()), str(exported["my-4-bits.h"].parent), f"/{getpass.getuser()}"):
        assert secret not in text and secret not in card_text


def test_a_shipped_file_is_recognised(tmp_path):
    files = export(qlab.pretrained("baseline-int8"), tmp_path, "small")
    source = json.loads(files["small-provenance.json"].read_text())
    entry = artefacts.manifest()["files"]["baseline-int8.tflite"]
    assert source["source"]["artefact"] == "baseline-int8.tflite"
    assert source["source"]["made"] == entry["made"]
    assert source["recipe"] == entry["recipe"]


def test_a_kept_model_brings_its_recipe(four_bits):
    assert examine(four_bits, "m").recipe == {}
    shelf.put(four_bits, "mine", qlab.Recipe(weight_bits=4), (9, 10, "validation images"))
    found = examine(four_bits, "m")
    assert found.source == {"kept_as": "mine"} and found.recipe["weight_bits"] == 4


def test_a_model_of_other_images_is_exported_and_not_scored():
    model = qlab.pretrained("baseline")
    graph = model.graph()
    graph.subgraphs[0].tensors[graph.subgraphs[0].outputs[0]].shape = [1, 3]
    other = LiteModel(pack(graph))
    assert "tells 3 classes apart" in misfit(other)
    scored = examine(model, "m").whole
    unscored = type(scored)("m.tflite", other, None, scored.latency)
    how = qlab.micro(other), {}, {}, None, None, misfit(other)
    found = Examined("m", unscored, None, other, *how)
    text = card(found, ["m.tflite"])
    assert "Not measured: it takes images of 28 x 28 x 1 and tells 3 classes apart" in text


# what is refused


def test_nothing_is_replaced_without_force(tmp_path):
    model = qlab.pretrained("baseline-int8")
    export(model, tmp_path, "small")
    (tmp_path / "small-card.md").write_text("my own words")
    (tmp_path / "small-packed.tflite").write_bytes(b"of an earlier export")
    with pytest.raises(ExportError, match=r"already has .*small-card\.md.*--force"):
        export(model, tmp_path, "small")
    assert (tmp_path / "small-card.md").read_text() == "my own words"
    files = export(model, tmp_path, "small", force=True)
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES) == sorted(files)
    assert (tmp_path / "small-card.md").read_text("utf-8").startswith("# Model card")


def test_the_folder_of_the_model_itself_will_do(tmp_path):
    model = qlab.pretrained("baseline-int8")
    model.save(tmp_path / "small.tflite")
    assert sorted(export(model, tmp_path, "small")) == sorted(NAMES)
    qlab.pretrained("baseline").save(tmp_path / "other.tflite")
    with pytest.raises(ExportError, match=r"already has other\.tflite"):
        export(model, tmp_path, "other")


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        if path.name.endswith(".c"):
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match="No space left on device"):
        export(qlab.pretrained("baseline-int8"), tmp_path, "small")
    assert os.listdir(tmp_path) == []


def test_a_file_or_a_folder_in_the_way_is_said(tmp_path):
    model = qlab.pretrained("baseline-int8")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="is a file; choose another folder"):
        export(model, tmp_path / "file", "small")
    (tmp_path / "small.h").mkdir()
    with pytest.raises(ExportError, match=r"small\.h is a folder"):
        export(model, tmp_path, "small", force=True)


def test_a_missing_compiler_is_said_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert micro.find_compiler() is None
    with pytest.raises(ExportError, match=r"no C compiler here .*leave out --verify"):
        export(qlab.pretrained("baseline-int8"), tmp_path, "small", verify=True)
    assert os.listdir(tmp_path) == []


# the command, and files from outside


def test_the_command_writes_and_says_so(tmp_path, capsys, compiler):
    source = tmp_path / "In Put.tflite"
    qlab.pretrained("qat-w4-seed0").save(source)
    assert cli.main(["export", str(source), "--to", str(tmp_path / "out"), "--verify"]) == 0
    out = capsys.readouterr().out
    assert "checking In Put.tflite in a process of its own" in out
    assert "scoring In-Put.tflite on 10,000 images" in out
    assert "equal, byte for byte" in out
    if micro_runtime.available():
        assert "runs it in 32,448 bytes of RAM and answers 300 of 300 images as LiteRT" in out
        assert "TensorFlow Lite Micro could not be asked" not in out
    assert f"wrote {tmp_path / 'out' / 'In-Put-card.md'}" in out
    assert (tmp_path / "out" / "In-Put.tflite").read_bytes() == source.read_bytes()
    assert cli.main(["export", str(source), "--to", str(tmp_path / "out")]) == 1
    assert "--force" in capsys.readouterr().err


def damaged(kind):
    content = qlab.pretrained("baseline-int8").data
    if kind == "truncated":
        return content[: len(content) // 2]
    if kind == "random":
        return content[:8] + np.random.default_rng(0).bytes(5000)
    if kind == "text":
        return b"# not a model\n" * 10
    graph = qlab.pretrained("baseline-int8").graph()
    graph.subgraphs[0].operators[0].inputs = [0, 10**6, 1]
    return pack(graph)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "damaged or truncated"),
        ("random", "damaged or truncated"),
        ("text", "is not a .tflite file"),
        ("malicious", "names a tensor that is not there"),
        ("empty", "is not a .tflite file"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(kind, words, tmp_path, capsys):
    source = tmp_path / "bad.tflite"
    source.write_bytes(b"" if kind == "empty" else damaged(kind))
    assert cli.main(["export", str(source), "--to", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert words in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_said(tmp_path, capsys):
    assert cli.main(["export", str(tmp_path / "no.tflite"), "--to", str(tmp_path)]) == 1
    assert "there is no file" in capsys.readouterr().err


def dies(say):
    say("begun")
    os.abort()


def sleeps(say):
    time.sleep(60)


def eats(say):
    np.ones(2**33, np.uint8)


def complains(say):
    raise ExportError("in words")


def escapes(say):
    child = os.fork()
    if not child:
        os.setsid()  # it leaves the group, and holds what it inherited
        time.sleep(60)
    say(child)
    os._exit(0)


def leaves_one_behind(say):
    child = os.fork()
    if not child:
        time.sleep(60)
    say(child)
    os._exit(0)


def speaks_much(say):
    for _ in range(3000):
        say(80 * "x")
    return 5


def answers(a, b, say):
    say("thinking")
    return a + b


@pytest.mark.parametrize(
    ("work", "seconds", "words"),
    [
        (dies, 60, "ended the process that scored it"),
        (sleeps, 4, "took over 4 s"),
        (complains, 60, "^in words$"),
        pytest.param(eats, 60, "bytes of memory", marks=pytest.mark.skipif(
            not Path("/proc/self").exists(), reason="only Linux keeps this limit")),
    ],
)  # fmt: skip
def test_work_on_a_hostile_file_ends_at_worst_its_own_process(work, seconds, words):
    with pytest.raises(ExportError, match=words):
        in_a_process(work, out=lambda words: None, seconds=seconds)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_a_process_that_left_the_group_does_not_hold_up_the_export():
    said, began = [], time.monotonic()
    with pytest.raises(ExportError, match="ended the process that scored it"):
        in_a_process(escapes, out=said.append, seconds=40)
    os.kill(int(said[0]), signal.SIGKILL)  # it runs on, and the call did not wait for it
    assert time.monotonic() - began < 40


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_what_a_process_leaves_in_its_group_ends_with_it():
    said = []
    with pytest.raises(ExportError, match="ended the process that scored it"):
        in_a_process(leaves_one_behind, out=said.append, seconds=40)
    assert has_ended(int(said[0]))


def test_work_that_speaks_much_is_heard_to_its_end():
    said = []
    assert in_a_process(speaks_much, out=said.append) == 5
    assert len(said) == 3000


def shows_progress(say):
    list(tqdm(range(3), disable=False))
    return type(tqdm.get_lock()).__module__, "multiprocessing.synchronize" in sys.modules


def test_a_progress_bar_takes_no_semaphore_that_a_killed_process_would_leave():
    assert in_a_process(shows_progress) == ["_thread", False]


def loads(say):
    import numpy

    return numpy.__file__


def test_a_strangers_numpy_in_the_folder_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    assert in_a_process(loads) == np.__file__
    code = "from qlab.cli import main; main(['export', 'x', '--to', 'y'])"
    command = [sys.executable, "-c", code]
    paths = os.pathsep.join(["", str(cli.CHECKOUT)])
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert "there is no file" in run.stderr and not Path("ran").exists()


def test_work_in_a_process_answers_and_speaks():
    said = []
    assert in_a_process(answers, 2, 3, out=said.append) == 5
    assert said == ["thinking"]
    judge = Limits()
    assert judge.memory_bytes == writing.MEMORY_BYTES and judge.wall_seconds == writing.SECONDS
