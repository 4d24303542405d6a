"""The board in a notebook."""

import re
from types import SimpleNamespace

import hostile
import ipywidgets
import pytest

from qlab import challenge
from qlab.tflite import artefacts
from qlab.widgets import ChallengeBoard

EVIL = "<img src=x onerror=alert(1)>\x1b[31m&amp;"


@pytest.fixture(scope="module")
def few(fashion):
    return SimpleNamespace(images=fashion.test.images[:300], labels=fashion.test.labels[:300])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


def put(folder, name, shipped="qat-w2-seed0"):
    (folder / f"{name}.tflite").write_bytes(artefacts.path(f"{shipped}.tflite").read_bytes())


def rows(html):
    """The rows of each table, as text."""
    found = re.findall(r"<tbody>(.*?)</tbody>", html, re.S)
    split = [re.findall(r"<tr>(.*?)</tr>", table, re.S) for table in found]
    return [
        [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)).strip() for row in part]
        for part in split
    ]


def test_an_empty_folder(folder):
    board = ChallengeBoard(folder)
    assert rows(board.tables.value) == [["nobody yet"]] * 3
    assert "No submissions yet." in board.status.value
    assert repr(board) == "ChallengeBoard()" and board.error == ""


def test_new_submissions_show_when_the_button_is_pressed(folder, few):
    board = ChallengeBoard(folder, test=few)
    put(folder, "Ada"), put(folder, "Grace", "baseline-int8")
    assert "Ada" not in board.tables.value
    board.again.click()
    assert [x.entry.name for x in board.result.league("0.90")] == ["Ada", "Grace"]
    known = r"\(a shipped file or its weights: qat-w2-seed0.tflite\)"
    for league in rows(board.tables.value)[:2]:
        assert re.match(rf"1 Ada {known} 18,\d{{3}} 27,848 \d\d\.\d\d % measured", league[0])
        assert re.match(r"2 Grace ", league[1])
    assert "2 submissions, 2 measured just now." in board.status.value
    assert "--regrade" not in board.status.value
    board.refresh()
    assert "cached" in board.tables.value and "measured<" not in board.tables.value
    assert "--regrade" in board.status.value


def test_what_comes_from_outside_is_escaped(folder, few):
    challenge.submit(folder, artefacts.path("qat-w2-seed0.tflite"), EVIL, test=few)
    (folder / "<b>bad.tflite").write_bytes(hostile.custom(b"<script>x</script>"))
    board = ChallengeBoard(folder, test=few)
    for html in (board.tables.value, board._repr_mimebundle_()["text/html"]):
        assert "<img" not in html and "<b>bad" not in html and "<script" not in html
        assert "\x1b" not in html
        assert "&lt;img src=x onerror=alert 1 &gt;" in html and "&lt;script&gt;" in html
        assert "&amp;amp;" in html


def test_a_folder_that_is_not_there_is_said(folder, few):
    put(folder, "Ada")
    board = ChallengeBoard(folder, test=few)
    shown = board.tables.value
    (folder / "Ada.tflite").unlink()
    (folder / "Ada.tflite.json").unlink()
    folder.rmdir()
    assert board.refresh() is None and board.result is None
    assert "This did not work: there is no folder" in board.status.value
    assert board.error.startswith("there is no folder") and board.tables.value == shown
    folder.mkdir()
    assert board.refresh().entries == () and board.error == ""


def test_an_unforeseen_error_is_said_with_its_type(folder, monkeypatch):
    board = ChallengeBoard(folder)

    def broken(*_, **__):
        raise ZeroDivisionError("<b>")

    monkeypatch.setattr(challenge, "board", broken)
    board.refresh()
    assert board.error == "ZeroDivisionError: <b>"
    assert "ZeroDivisionError: &lt;b&gt;" in board.status.value


def test_everything_has_words_and_the_button_a_name(folder, few):
    put(folder, "Ada")
    board = ChallengeBoard(folder, test=few)
    buttons = [x for x in board.children if isinstance(x, ipywidgets.Button)]
    assert [x.description for x in buttons] == ["Look again"]
    html = board.tables.value
    assert html.count("<caption>") == 3 and html.count('scope="col"') == 21
    assert html.count('scope="row"') == 2 and 'role="status"' in board.status.value
    assert "<svg" not in html and "<img" not in html


def test_a_page_without_a_kernel_shows_the_tables(folder, few):
    put(folder, "Ada")
    bundle = ChallengeBoard(folder, test=few)._repr_mimebundle_()
    assert bundle["text/plain"] == "ChallengeBoard()"
    assert rows(bundle["text/html"])[0][0].startswith("1 Ada ")
    assert "application/vnd.jupyter.widget-view+json" in bundle
