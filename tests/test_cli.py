"""The `qlab` command and the doctor."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import engine
import numpy as np
import pytest

import qlab
from qlab import cli, data, doctor
from qlab.tflite import artefacts

COMMANDS = ("data", "doctor", "lab", "report", "export", "inspect", "grade", "board")


def in_a_process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "qlab.cli", *arguments], capture_output=True, text=True
    )


def test_help_names_every_command_and_imports_nothing_heavy():
    run = in_a_process("--help")
    assert run.returncode == 0
    for command in COMMANDS:
        assert f"    {command} " in run.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: qlab {command}" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"qlab {qlab.__version__}\n"


@pytest.mark.parametrize(
    "line",
    [
        *([], ["nonsense"], ["data", "--nonsense"], ["doctor", "extra"]),
        *(["report", "one", "two"], ["report", "--to"]),
    ],
)
def test_a_wrong_command_line_exits_with_2(line, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(line)
    assert end.value.code == 2
    assert "usage: qlab" in capsys.readouterr().err


def test_data_says_what_was_found_and_where(fashion, capsys):
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    assert "50,000 training, 10,000 validation and 10,000 test images, verified" in out
    assert str(data.fetch(progress=False)) in out


def test_a_known_failure_is_said_in_words(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QLAB_DATA", str(tmp_path / "nothing-here"))
    assert cli.main(["data"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("qlab: QLAB_DATA names ")
    assert "Traceback" not in err


def raising(error):
    def run(*_, **__):
        raise error

    return run


def test_an_unforeseen_failure_keeps_its_type_and_names_debug(monkeypatch, capsys):
    monkeypatch.setattr(data, "fetch", raising(ZeroDivisionError("by zero")))
    assert cli.main(["data"]) == 1
    err = capsys.readouterr().err
    assert err == "qlab: ZeroDivisionError: by zero (`qlab --debug ...` shows where)\n"


@pytest.mark.parametrize("line", [["--debug", "data"], ["data", "--debug"]])
def test_debug_lets_the_traceback_out(line, monkeypatch):
    monkeypatch.setattr(data, "fetch", raising(ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        cli.main(line)


def test_ctrl_c_exits_with_130(monkeypatch, capsys):
    monkeypatch.setattr(data, "fetch", raising(KeyboardInterrupt()))
    assert cli.main(["data"]) == 130
    assert capsys.readouterr().err == "qlab: stopped\n"


def test_a_closed_pipe_is_no_traceback():
    command = f'"{sys.executable}" -m qlab.cli data | true'
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert "Traceback" not in run.stderr


def test_report_without_progress_says_where_it_looked(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("QLAB_PROGRESS", str(tmp_path / "mine.json"))
    assert cli.main(["report", "--to", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"qlab: there is no progress in {tmp_path / 'mine.json'} yet")
    assert list(tmp_path.iterdir()) == []


def test_report_of_ones_own_progress_in_a_process(tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text('{"version": 1, "learner": "Ada"}')
    run = in_a_process("report", str(mine), "--to", str(tmp_path / "new" / "folder"))
    assert (run.returncode, run.stderr) == (0, "")
    assert "progress of Ada" in run.stdout
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert written == ["qlab-report.csv", "qlab-report.html"]


KERAS_SETTINGS = """
class backend:
    image_data_format = staticmethod(lambda: "channels_last")
    floatx = staticmethod(lambda: "float32")
"""


def test_the_doctor_finds_this_machine_fit(fashion):
    run = in_a_process("doctor")
    assert run.returncode == 0, run.stdout
    assert "!!" not in run.stdout
    for name in ("Python", "tensorflow", "Keras 2", "Fashion-MNIST", "anywidget extension"):
        assert f"ok  {name} " in run.stdout
    assert run.stdout.endswith("all that the course needs is here\n")


def test_the_doctor_looks_into_keras_json(tmp_path, monkeypatch):
    told = '{"image_data_format": "channels_first", "floatx": "float32"}'
    (tmp_path / "keras.json").write_text(told)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    *_, check = doctor.check_packages({"tf_keras": "tf_keras"})
    assert (check.ok, check.needed) == (False, False)  # because qlab.train sets it for itself
    assert "your keras.json asks for channels_first and float32" in check.text
    assert '"image_data_format": "channels_last"' in check.text
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "try: from qlab.train import keras\n"
        "except UserWarning as warning: print(warning)\n"
        "warnings.simplefilter('ignore')\n"
        "from qlab import train; print(train.student().count_params())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "has set channels_last and float32 for this kernel" in run.stdout
    assert run.stdout.endswith("5001\n"), run.stderr


@pytest.mark.parametrize(
    ("check", "code", "last"),
    [
        (doctor.Check("thing", "1.0"), 0, "all that the course needs is here"),
        (doctor.Check("thing", "get it", ok=False), 1, "1 line marked !! to mend; each says how"),
        (doctor.Check("thing", "get it", ok=False, needed=False), 0, "all that the course needs"),
    ],
)
def test_only_what_is_needed_fails_the_doctor(check, code, last, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "checks", lambda notes=None: [check])
    assert doctor.main() == code
    first, second = capsys.readouterr().out.splitlines()
    assert first[:2] in {"ok", "!!", "--"}
    assert first.endswith(check.text)
    assert second.startswith(last)


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [((3.21, 167.4), 0, "167 MB, on screen after 3.2 s"), (RuntimeError("why"), 1, "start: why")],
)
def test_the_doctor_weighs_a_kernel_when_asked(answer, code, words, monkeypatch, capsys):
    def kernel():
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    monkeypatch.setattr(doctor, "checks", lambda notes=None: [])
    monkeypatch.setattr(doctor, "kernel_with_explorer", kernel)
    assert cli.main(["doctor"]) == 0
    assert "kernel" not in capsys.readouterr().out
    assert cli.main(["doctor", "--memory"]) == code
    shown = capsys.readouterr()
    assert words in shown.out
    assert "some seconds" in shown.err


def test_the_doctor_sees_a_wrong_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    check = doctor.check_python()
    assert not check.ok
    assert "install CPython 3.11, 3.12 or 3.13" in check.text


def test_the_doctor_sees_a_missing_package():
    [check] = doctor.check_packages({"surely-not-installed": "surely_not_installed"})
    assert not check.ok
    assert "not installed: run `make clean` and then `make setup`" in check.text


def test_the_doctor_sees_missing_and_damaged_data(monkeypatch, tmp_path):
    monkeypatch.setenv("QLAB_DATA", str(tmp_path / "nowhere"))
    assert doctor.check_data().text == "not on this machine yet: run `qlab data`"
    monkeypatch.setenv("QLAB_DATA", str(tmp_path))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    check = doctor.check_data()
    assert not check.ok
    assert "train-images-idx3-ubyte.gz" in check.text


def test_the_doctor_sees_damaged_artefacts(monkeypatch):
    monkeypatch.setattr(artefacts, "verify", lambda: [("a.tflite", None), ("b.tflite", "broken")])
    [check] = doctor.check_artefacts()
    assert (check.ok, check.name, check.text) == (False, "b.tflite", "broken")
    monkeypatch.setattr(artefacts, "verify", raising(artefacts.ArtefactError("no manifest")))
    [check] = doctor.check_artefacts()
    assert (check.ok, check.text) == (False, "no manifest")


def pretend_tf_keras(monkeypatch, tmp_path, source):
    (tmp_path / "tf_keras.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("source", "ok", "words"),
    [
        ("__version__ = '2.21.0'\n" + KERAS_SETTINGS, True, "tf_keras 2.21.0"),
        ("print('noise')\n__version__ = '3.1.0'\n" + KERAS_SETTINGS, False, "tf_keras is 3.1.0"),
        ("raise ImportError('no libtensorflow')", False, "ImportError: no libtensorflow"),
        ("import os; os._exit(7)", False, "exit code 7"),
    ],
)
def test_the_doctor_imports_in_another_process(source, ok, words, monkeypatch, tmp_path):
    pretend_tf_keras(monkeypatch, tmp_path, source)
    *_, check = doctor.check_packages({"tf_keras": "tf_keras"})
    assert check.ok is ok
    assert words in check.text


def test_the_doctor_imports_what_it_vouches_for(monkeypatch, tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("import half_of_it")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("numpy", "matplotlib", "ipywidgets")
    numpy, *broken = doctor.check_packages({name: doctor.PACKAGES[name] for name in names})
    assert numpy.ok and broken[1].ok
    assert not broken[0].ok and "No module named 'half_of_it'" in broken[0].text


@pytest.mark.parametrize("program", [None, "/no/such/python", "another"])
def test_the_doctor_looks_at_the_kernel_that_jupyter_starts(program, monkeypatch, tmp_path):
    if program == "another":
        program = str(tmp_path / "python")
        Path(program).write_text("#!/bin/sh\necho /somewhere/else\n")
        Path(program).chmod(0o755)
    if program:
        folder = tmp_path / "kernels" / "python3"
        folder.mkdir(parents=True)
        spec = {"argv": [program, "-m", "ipykernel_launcher"], "display_name": "old"}
        (folder / "kernel.json").write_text(json.dumps(spec))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    check = doctor.check_kernel()
    assert check.ok is (program is None), check.text
    if program:
        assert program in check.text and f"remove the folder {folder}" in check.text


@pytest.mark.parametrize(("encoding", "ok"), [("UTF-8", True), ("utf8", True), ("cp1252", False)])
def test_the_doctor_looks_at_the_locale(encoding, ok, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: encoding)
    check = doctor.check_locale()
    assert (check.ok, check.needed) == (ok, ok)
    assert ok or "cp1252" in check.text


def test_a_screen_that_lacks_a_sign_gets_a_question_mark(tmp_path):
    (tmp_path / "p.json").write_text('{"version": 1, "learner": "Ada🦊"}')
    poor = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    line = [sys.executable, "-m", "qlab.cli", "report", str(tmp_path / "p.json")]
    run = subprocess.run([*line, "--to", str(tmp_path)], env=poor, capture_output=True)
    assert run.returncode == 0 and b"progress of Ada?," in run.stdout


@pytest.mark.parametrize("name", doctor.EXTENSIONS)
def test_the_doctor_sees_a_missing_or_disabled_widgets_extension(name, monkeypatch, tmp_path):
    from jupyter_core import paths

    monkeypatch.setattr(paths, "jupyter_path", lambda *_: [str(tmp_path)])
    assert f"{name} is not installed" in doctor.check_extension(name).text
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(
        json.dumps({"name": name, "version": "5.0", "jupyterlab": {}})
    )
    assert doctor.check_extension(name).ok
    monkeypatch.setattr(
        "jupyterlab_server.config.get_page_config",
        lambda *_: {"disabledExtensions": [f"{name}:plugin"]},
    )
    assert f"jupyter labextension enable {name}" in doctor.check_extension(name).text


def test_little_memory_is_a_note(monkeypatch):
    import psutil

    memory = types.SimpleNamespace(available=5e8, total=4e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    check = doctor.check_machine()
    assert (check.ok, check.needed) == (False, False)
    assert "0.5 of 4.0 GB free" in check.text


def test_chromium_is_the_one_named_or_the_first_found(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "CHROMIUM_PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("QLAB_CHROMIUM", raising=False)
    assert doctor.find_chromium() is None
    check = doctor.check_chromium()
    assert (check.ok, check.needed) == (False, False)
    assert "QLAB_CHROMIUM" in check.text

    suffix = ".exe" if os.name == "nt" else ""
    for name in ("google-chrome", "mine"):
        (tmp_path / f"{name}{suffix}").write_text("#!/bin/sh\n")
        (tmp_path / f"{name}{suffix}").chmod(0o755)
    assert doctor.find_chromium() == str(tmp_path / f"google-chrome{suffix}")
    monkeypatch.setenv("QLAB_CHROMIUM", str(tmp_path / f"mine{suffix}"))
    assert doctor.find_chromium() == str(tmp_path / f"mine{suffix}")
    monkeypatch.setenv("QLAB_CHROMIUM", "no-such-program")
    assert doctor.find_chromium() is None


@pytest.fixture
def own_file(tmp_path):
    """The baseline in a file that nobody has on record."""
    graph = qlab.pretrained("baseline").graph()
    graph.description = b"mine"
    return qlab.pretrained("baseline").edited(graph).save(tmp_path / "mine.tflite")


def test_inspect_shows_parts_layers_and_pixels(own_file, capsys):
    assert cli.main(["inspect", str(own_file)]) == 0
    model, out = qlab.LiteModel.from_file(own_file), capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith(
        f"mine.tflite: {model.file_bytes:,} bytes, {model.gzip_bytes:,} gzipped"
    )
    for part, size in model.anatomy().items():
        assert any(x.split()[:2] == [part, f"{size:,}"] for x in lines)
    assert any(
        x.startswith("conv2 ") and "CONV_2D" in x and "(16, 2, 2, 32) float32, 2,048" in x
        for x in lines
    )
    assert "input: serving_default_image:0 (?, 28, 28, 1), FLOAT32" in lines
    assert "to be compressed: yes, it is a float32 file. Nothing stays in float." in lines
    assert lines[-1].startswith("pixels: the file does not say whether it wants 0 to 1, 0 to 255")


def test_inspect_finds_the_pixels_out_by_scoring(own_file, fashion, capsys):
    assert cli.main(["inspect", str(own_file), "--fashion-mnist"]) == 0
    out = capsys.readouterr().out
    split = fashion.validation
    right = qlab.evaluate(qlab.pretrained("baseline"), split.images, split.labels).accuracy
    assert (
        "This model wants its pixels as 0 to 1, which is the best of 5 ways that qlab tried" in out
    )
    assert "finds it out" not in out
    assert "in the order that the model must have: 0 T-shirt/top, 1 Trouser, 2 Pullover" in out
    assert "another order" not in out
    assert f"accuracy (measured): {100 * right:.2f} % of 10,000 validation images" in out


def test_inspect_scores_on_your_own_data_as_you_say(own_file, fashion, tmp_path, capsys):
    np.savez(tmp_path / "own.npz", x=fashion.test.images[:200], y=fashion.test.labels[:200])
    line = ["inspect", str(own_file), "--data", str(tmp_path / "own.npz"), "--pixels=-1 to 1"]
    assert cli.main(line) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("accuracy (measured): ")
    assert last.endswith("pixels as -1 to 1")


def test_inspect_says_so_if_the_classes_have_another_order(own_file, fashion, tmp_path, capsys):
    images, labels = fashion.test.images[:500], fashion.test.labels[:500]
    np.savez(tmp_path / "own.npz", x=images, y=(labels + 3) % 10, class_names=list("abcdefghij"))
    assert cli.main(["inspect", str(own_file), "--data", str(tmp_path / "own.npz")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("The classes of this model seem to have another order")
    assert "would be right with 0 d, 1 e, 2 f, 3 g, 4 h, 5 i, 6 j, 7 a, 8 b, 9 c. " in last


def test_inspect_shows_how_weights_are_stored(tmp_path, capsys):
    few = {"conv2": {"weight_bits": 4}, "dense1": {"weight_bits": 2}}
    recipe = qlab.Recipe(weight_bits=8, overrides=few)
    model = engine.compressor("baseline").compress(recipe).packed()
    assert cli.main(["inspect", str(model.save(tmp_path / "packed.tflite"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, kind in (("conv1", "int8"), ("conv2", "int4"), ("dense1", "int2")):
        assert any(x.startswith(f"{name} ") and f") {kind}, " in x for x in lines)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("baseline-int8", "This model is already quantized: conv1 runs on integers; give the"),
        ("baseline-dynamic-range", "are int8, though its activations are float; give the float32"),
    ],
)
def test_inspect_says_why_a_file_is_not_to_be_compressed(name, words, capsys):
    assert cli.main(["inspect", str(artefacts.path(f"{name}.tflite"))]) == 0
    out = capsys.readouterr().out
    assert words in out
    assert "pixels: 0 to 1, as the course or your shelf has it on record" in out


def test_inspect_reads_the_pixels_off_the_codes_of_an_input(fashion, tmp_path, capsys):
    images = fashion.train.images[:128]
    for way in ("0 to 255", "-1 to 1"):
        model = qlab.pretrained("baseline").with_pixels(way)
        file = qlab.Compressor(model, images).compress(qlab.Recipe()).save(tmp_path / "q.tflite")
        assert cli.main(["inspect", str(file)]) == 0
        assert f"pixels: {way}, because that is what the codes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
        (b"nothing", "is not a .tflite file"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 100, "damaged or truncated"),
    ],
)
def test_inspect_of_what_is_no_model_fails_in_words(content, words, tmp_path, capsys):
    path = tmp_path / "bad.tflite"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["inspect", str(path)]) == 1
    assert words in capsys.readouterr().err


def test_inspect_takes_one_source_of_data(own_file, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["inspect", str(own_file), "--data", "x", "--fashion-mnist"])
    assert end.value.code == 2
    assert cli.main(["inspect", str(own_file), "--pixels", "0 to 2"]) == 1
    assert "choose one of '0 to 1', '0 to 255', '-1 to 1'" in capsys.readouterr().err
