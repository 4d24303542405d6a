"""`qlab lab`: the learner's copy of the notebooks, and how JupyterLab is started on it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

import qlab
from qlab import cli
from qlab.lessons import learner_copy
from qlab.lessons.learner_copy import NOTE_ID, RECORD, RUN_ME, CopyError, bring_notebooks

ROOT = Path(__file__).resolve().parents[1]
OTHERS = pytest.mark.skipif(os.name == "nt", reason="Windows has no owners of this kind")


def code(source, outputs=()):
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "execution_count": 1,
        "source": [source],
        "outputs": list(outputs),
    }


def written(path, *cells):
    """A notebook of these cells, or of one that prints, in a file."""
    content = {"cells": list(cells) or [code("print(1)")], "metadata": {}}
    path.write_text(json.dumps({**content, "nbformat": 4, "nbformat_minor": 5}))
    return path


def cells_of(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def sources(path):
    return ["".join(cell["source"]) for cell in cells_of(path) if cell["id"] != NOTE_ID]


@pytest.fixture
def course(tmp_path):
    """A course of one notebook; `updated` is what it says after an update."""
    source = tmp_path / "notebooks"
    source.mkdir()
    written(source / "01.ipynb", code("print(1)", [RUN_ME]))
    return source


@pytest.fixture
def mine(course, tmp_path):
    """The learner's folder, with the first version in it."""
    folder = tmp_path / "mine"
    bring_notebooks(course, folder)
    return folder


def update(course, mine, source="print(2)"):
    """Update the course and bring it: the copies, by the names of their originals."""
    written(course / "01.ipynb", code(source))
    return {copy.original: copy for copy in bring_notebooks(course, mine)}


def ran(path):
    """Save a notebook as JupyterLab does after its cells were run."""
    written(path, *(cell | {"outputs": [RUN_ME]} for cell in cells_of(path)))


# The copy


def test_every_notebook_comes_without_outputs_and_questions_say_to_run_them(tmp_path):
    copies = bring_notebooks(ROOT / "notebooks", tmp_path)
    there = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [copy.name for copy in copies] == there and len(there) > 8
    asking = 0
    for name in there:
        assert "".join(sources(ROOT / "notebooks" / name)) == "".join(sources(tmp_path / name))
        for cell in cells_of(tmp_path / name):
            asks = bool(re.search(r"(?<![\w.])predict\(f?\"", "".join(cell["source"])))
            asking += asks
            assert cell.get("outputs", []) == ([RUN_ME] if asks else [])
            assert cell.get("execution_count") is None
    assert asking > 30


def test_the_copies_are_valid_and_trusted_once_they_are_run(tmp_path):
    bring_notebooks(ROOT / "notebooks", tmp_path)
    notary = NotebookNotary(data_dir=str(tmp_path))
    for path in tmp_path.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        # What is not run must not keep JupyterLab from trusting, and showing, what is.
        assert notary.check_cells(notebook)


def test_a_second_time_changes_nothing(course, mine):
    before = {path: path.stat().st_mtime_ns for path in mine.iterdir()}
    (copy,) = bring_notebooks(course, mine)
    assert copy == ("01.ipynb", "01.ipynb", False)
    assert {path: path.stat().st_mtime_ns for path in mine.iterdir()} == before


def test_an_untouched_notebook_is_replaced(course, mine):
    assert update(course, mine)["01.ipynb"] == ("01.ipynb", "01.ipynb", False)
    assert sources(mine / "01.ipynb") == ["print(2)"]
    assert sorted(os.listdir(mine)) == [RECORD, "01.ipynb"]


def test_one_that_was_only_opened_is_untouched(course, mine):
    content = json.loads((mine / "01.ipynb").read_text())
    content["metadata"]["language_info"] = {"name": "python"}
    content["cells"][0]["source"] = "print(1)"
    (mine / "01.ipynb").write_text(json.dumps(content))
    update(course, mine)
    assert sources(mine / "01.ipynb") == ["print(2)"]


@pytest.mark.parametrize("touch", [ran, lambda path: written(path, code("print('mine')"))])
def test_a_touched_notebook_stays_and_the_page_of_the_new_one_says_so(course, mine, touch):
    touch(mine / "01.ipynb")
    before = (mine / "01.ipynb").read_bytes()
    assert update(course, mine)["01.ipynb"] == ("01.ipynb", "01-new.ipynb", True)
    assert (mine / "01.ipynb").read_bytes() == before
    first = cells_of(mine / "01-new.ipynb")[0]
    assert "[01.ipynb](01.ipynb)" in first["source"][0]
    assert sources(mine / "01-new.ipynb") == ["print(2)"]
    assert bring_notebooks(course, mine)[0] == ("01.ipynb", "01-new.ipynb", False)


def test_the_new_one_follows_the_same_rule(course, mine):
    ran(mine / "01.ipynb")
    update(course, mine)
    assert update(course, mine, "print(3)")["01.ipynb"].name == "01-new.ipynb"
    assert sources(mine / "01-new.ipynb") == ["print(3)"]
    ran(mine / "01-new.ipynb")
    assert bring_notebooks(course, mine)[0] == ("01.ipynb", "01-new.ipynb", False)
    assert update(course, mine, "print(4)")["01.ipynb"] == ("01.ipynb", "01-new-2.ipynb", True)


def test_working_in_the_present_version_brings_no_second_one(course, mine):
    ran(mine / "01.ipynb")
    assert bring_notebooks(course, mine)[0] == ("01.ipynb", "01.ipynb", False)
    assert sorted(os.listdir(mine)) == [RECORD, "01.ipynb"]


def test_one_that_was_deleted_comes_back(course, mine):
    (mine / "01.ipynb").unlink()
    bring_notebooks(course, mine)
    assert sources(mine / "01.ipynb") == ["print(1)"]


# What is in the folder may be anything


def a_link(path):
    path.symlink_to(written(path.with_name("elsewhere.txt"), code("print('elsewhere')")))


def nonsense(path):
    path.write_text('{"cells": [3]}')


@pytest.mark.parametrize("thing", [a_link, nonsense, Path.mkdir, getattr(os, "mkfifo", nonsense)])
def test_what_is_no_notebook_of_the_learners_stays_and_is_told(course, mine, thing, capsys):
    if os.name == "nt" and thing is a_link:
        pytest.skip("Windows lets only some users make links")
    (mine / "01.ipynb").unlink()
    thing(mine / "01.ipynb")
    before = (mine / "01.ipynb").lstat()
    assert update(course, mine)["01.ipynb"].name == "01-new.ipynb"
    assert (mine / "01.ipynb").lstat() == before
    assert f"{mine / '01.ipynb'} is left as it is (" in capsys.readouterr().err
    assert not (mine / "elsewhere.txt").exists() or "2" not in sources(mine / "elsewhere.txt")[0]
    assert bring_notebooks(course, mine)[0].name == "01-new.ipynb"


@OTHERS
@pytest.mark.parametrize("whose", ["01.ipynb", "."])
def test_what_belongs_to_somebody_else_is_neither_read_nor_replaced(course, mine, whose, anothers):
    anothers(mine / whose)
    if whose == ".":
        with pytest.raises(CopyError, match=r"another user, who could change what you run.*--to"):
            update(course, mine)
    else:
        assert update(course, mine)["01.ipynb"].name == "01-new.ipynb"
    assert sources(mine / "01.ipynb") == ["print(1)"]


@pytest.fixture
def anothers(monkeypatch):
    """Make a path look like somebody else's."""
    return lambda path: monkeypatch.setattr(
        learner_copy, "is_anothers", lambda asked: os.path.realpath(asked) == os.path.realpath(path)
    )


@OTHERS
def test_whose_a_file_is(tmp_path, monkeypatch):
    assert not learner_copy.is_anothers(tmp_path)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert learner_copy.is_anothers(tmp_path) == (owner != 0)


@pytest.mark.parametrize("record", ["[]", "{", '{"01.ipynb": [1]}', "[" * 100_000, None])
def test_without_its_record_a_changed_notebook_counts_as_touched(course, mine, record):
    (mine / RECORD).unlink() if record is None else (mine / RECORD).write_text(record)
    assert bring_notebooks(course, mine)[0].name == "01.ipynb"
    (mine / RECORD).unlink() if record is None else (mine / RECORD).write_text(record)
    assert update(course, mine)["01.ipynb"].name == "01-new.ipynb"
    assert sources(mine / "01.ipynb") == ["print(1)"]


def test_a_folder_that_cannot_be_used_is_told_in_words(course, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(CopyError, match=r"file.*exists.*qlab lab --to ~/my-course"):
        bring_notebooks(course, tmp_path / "file")

    def refuse(path, data):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(learner_copy, "write_whole", refuse)
    with pytest.raises(CopyError, match=r"because of .*01\.ipynb: Permission denied. Name another"):
        bring_notebooks(course, tmp_path / "new")


def test_a_copy_that_fails_leaves_the_old_one_whole(course, mine, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CopyError, match="No space left"):
        update(course, mine)
    assert sources(mine / "01.ipynb") == ["print(1)"]
    assert sorted(os.listdir(mine)) == [RECORD, "01.ipynb"]


def test_many_at_once_do_not_harm_each_other(tmp_path):
    bring = (
        "import sys; from qlab.lessons import learner_copy as x; x.bring_notebooks(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", bring, str(ROOT / "notebooks"), str(tmp_path / "mine")]
    runs = [subprocess.Popen(command) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    there = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(os.listdir(tmp_path / "mine")) == [RECORD, *there]
    assert not any(copy.is_news for copy in bring_notebooks(ROOT / "notebooks", tmp_path / "mine"))


# JupyterLab on it


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What ``qlab lab --to FOLDER`` would have started, instead of starting it."""
    seen = []
    monkeypatch.setattr(cli, "_become", lambda *what: seen.append(what) or 0)
    monkeypatch.setattr(cli, "CHECKOUT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name in ("00_welcome", "01"):
        written(tmp_path / "notebooks" / f"{name}.ipynb")
    return seen


def test_lab_opens_the_first_notebook_and_passes_arguments_on(started, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(learner_copy, "is_anothers", lambda path: False)
    assert cli.main(["lab", "--port", "9000", "--no-browser"]) == 0
    [(command, folder, _)] = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert (folder / command[3]) == tmp_path / "my-course" / "00_welcome.ipynb"
    assert (folder / command[3]).is_file()
    assert command[4:] == ["--port", "9000", "--no-browser"]


def test_lab_opens_a_folder_that_is_named_from_here(started, monkeypatch, tmp_path, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert cli.main(["lab", "--to", "mine", "--no-browser"]) == 0
    assert started[0][1] == tmp_path / "here" / "mine"
    assert f"your notebooks are in {tmp_path / 'here' / 'mine'}" in capsys.readouterr().out
    assert not (tmp_path / "my-course").exists()


def test_lab_reads_the_home_folder_and_refuses_no_folder(started, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert cli.main(["lab", "--to=~/x"]) == 0
    assert started[0][1] == tmp_path / "home" / "x"
    for nothing in ("", "~nobody-of-this-name/x"):
        with pytest.raises(SystemExit):
            cli.main(["lab", "--to", nothing])
        assert "is no path; give one such as ~/mine" in capsys.readouterr().err


def test_lab_keeps_out_of_the_courses_own_folder(started, monkeypatch, tmp_path, capsys):
    ran(tmp_path / "notebooks" / "01.ipynb")
    before = sorted((tmp_path / "notebooks").iterdir())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "--to", "notebooks"]) == 1
    assert "holds the course's own notebooks" in capsys.readouterr().err
    assert sorted((tmp_path / "notebooks").iterdir()) == before
    assert started == []


def test_every_path_of_the_command_line_may_begin_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for words in ("export a --to=~/x", "report --to=~/x", "board f --submit=~/x", "inspect ~/x"):
        given = cli.build_parser().parse_args(words.split())
        assert str(tmp_path / "x") in vars(given).values()


def test_lab_opens_what_is_new_and_says_why(started, tmp_path, capsys):
    cli.main(["lab"])
    ran(tmp_path / "my-course" / "01.ipynb")
    written(tmp_path / "notebooks" / "01.ipynb", code("print(2)"))
    assert cli.main(["lab"]) == 0
    assert started[1][0][3] == "01-new.ipynb"
    assert "01.ipynb stays as it is, because you have worked in it" in capsys.readouterr().out
    assert cli.main(["lab"]) == 0
    assert started[2][0][3] == "00_welcome.ipynb"


def test_lab_in_a_folder_that_cannot_be_written_ends_in_words(started, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(["lab", "--to", str(tmp_path / "file")]) == 1
    assert "qlab: the notebooks cannot be copied to" in capsys.readouterr().err
    assert started == []


def test_lab_as_root_allows_root_and_says_so(started, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(learner_copy, "is_anothers", lambda path: False)
    assert cli.main(["lab"]) == 0
    assert started[0][0].count("--allow-root") == 1
    assert "you are root" in capsys.readouterr().out
    assert cli.main(["lab", "--allow-root"]) == 0
    assert started[1][0].count("--allow-root") == 1


def test_lab_without_a_checkout_says_how_to_get_one(started, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli, "CHECKOUT", tmp_path / "nowhere")
    assert cli.main(["lab"]) == 1
    assert "Clone the repository" in capsys.readouterr().err
    assert started == []


SETTING = """
from jupyterlab_server.settings_utils import _get_overrides
print(_get_overrides("nowhere")[0]["@jupyter-widgets/jupyterlab-manager:plugin"]["saveState"])
"""


def test_jupyterlab_saves_widgets_and_the_users_own_settings_stand(started, monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "also"))
    assert cli.main(["lab"]) == 0
    environment = started[0][2]

    def found():
        run = [sys.executable, "-c", SETTING]
        return subprocess.run(run, env=environment, capture_output=True, text=True).stdout.strip()

    assert found() == "True"
    assert not (tmp_path / "own").exists()
    (tmp_path / "also" / "labconfig").mkdir(parents=True)
    own = {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": False}}
    (tmp_path / "also" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(own))
    assert found() == "False"


def test_a_notebook_and_a_terminal_know_the_command(started, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    cli.main(["lab"])
    line = ["sh", "-c", "qlab --version"]
    run = subprocess.run(line, env=started[0][2], capture_output=True, text=True)
    assert run.stdout == f"qlab {qlab.__version__}\n", run.stderr
    line[-1] = f". '{sys.prefix}/bin/activate' && {line[-1]}"  # as the README says
    assert subprocess.run(line, capture_output=True, text=True).stdout == run.stdout


def test_lab_becomes_jupyterlab(tmp_path):
    if os.name == "nt":
        pytest.skip("Windows has no exec; there JupyterLab is a child")
    line = "import os; print(os.getpid(), os.getcwd(), os.environ['QLAB_TRY'])"
    become = (
        "from qlab import cli; import os, sys; from pathlib import Path\n"
        f"cli._become([sys.executable, '-c', {line!r}],"
        f" Path({str(tmp_path)!r}), {{**os.environ, 'QLAB_TRY': 'set'}})"
    )
    run = subprocess.Popen([sys.executable, "-c", become], stdout=subprocess.PIPE, text=True)
    pid, folder, setting = run.communicate()[0].split()
    assert int(pid) == run.pid
    assert os.path.samefile(folder, tmp_path)
    assert setting == "set"
