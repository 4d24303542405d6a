"""The list of deliberate faults fits the course as it is; `make faults` plants them."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tools.faults import ROOT, faults, planted

FAULTS = faults()


def names(path):
    """Test functions of a file, and ``Class::function`` for those in a class."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{x.name}" for x in node.body if hasattr(x, "name"))


def test_there_are_faults_in_every_room():
    files = (Path(fault["file"]).with_suffix("").parts for fault in FAULTS)
    rooms = Counter(room for top, room, *_ in files if top == "qlab")
    there = {path.stem for path in (ROOT / "qlab").iterdir() if path.suffix in ("", ".py")}
    assert set(rooms) == there - {"__init__", "__pycache__"}
    assert min(rooms.values()) >= 2 and len(FAULTS) >= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["file"])
def test_a_fault_has_its_place_and_its_tests(fault):
    text = (ROOT / fault["file"]).read_text("utf-8")
    assert planted(text, fault) != text
    assert "\n" not in fault["old"] + fault["new"] and fault["why"].endswith(".")
    for test in fault["caught_by"]:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in names(ROOT / file), f"there is no test {test}"


def test_a_place_that_is_gone_is_said_in_words():
    with pytest.raises(ValueError, match=r"a\.py has 'x' 2 times, and it must be there once"):
        planted("x x", {"file": "a.py", "old": "x", "new": "y"})
