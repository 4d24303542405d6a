"""What a learner can call says what it takes; doctest runs the examples."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import nbformat
import pytest

import qlab
from qlab import affine, lessons, train, widgets


def offered():
    """What the public rooms offer, and the arithmetic that the course teaches, by name."""
    for room in (qlab, lessons, train, widgets):
        yield from ((f"{room.__name__}.{name}", getattr(room, name)) for name in room.__all__)
    own = (x for x in vars(affine).values() if getattr(x, "__module__", "") == affine.__name__)
    yield from ((f"affine.{x.__name__}", x) for x in own if not x.__name__.startswith("_"))


def used_in_the_notebooks():
    """What a notebook imports from qlab, and what it reaches from there by dots."""
    for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        tree = ast.parse(re.sub(r"^%.*$", "", code, flags=re.MULTILINE))
        known = {"qlab": qlab}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "qlab":
                known |= {x.asname or x.name: _imported(node.module, x.name) for x in node.names}
        yield from ((f"{x.__module__}.{x.__qualname__}", x) for x in known.values() if _named(x))
        for node in ast.walk(tree):
            found = _reached(node, known) if isinstance(node, ast.Attribute) else None
            if _named(found):
                yield f"{found.__module__}.{found.__qualname__}", found


def _imported(module, name):
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        return importlib.import_module(f"{module}.{name}")


def _reached(node, known):
    """What ``name.attribute.attribute`` means, by modules alone; None if nothing of qlab."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    holder = _reached(node.value, known) if isinstance(node, ast.Attribute) else None
    return getattr(holder, node.attr, None) if inspect.ismodule(holder) else None


def _named(x):
    return inspect.isfunction(x) or inspect.isclass(x)


def _of_qlab(pairs):
    return {name: x for name, x in pairs if _named(x) and x.__module__.startswith("qlab")}


PUBLIC = _of_qlab(offered())
USED = _of_qlab(used_in_the_notebooks())


def described(name):
    """Parameters under a docstring's heading; what is said "as in" another is said there."""
    room, text = name.rpartition(".")[0], inspect.getdoc(PUBLIC[name])
    section = re.search(r"Parameters\n-{10}\n(.*?)(?=\n\n\w+\n---|$)", text, re.DOTALL)
    found = set()
    for head, words in re.findall(
        r"^([\w*].*)\n?((?:    .*\n?)*)", section[1] if section else "", re.MULTILINE
    ):
        names = {x.strip(" *") for x in head.split(" : ")[0].split(",")}
        shared = re.match(r" +As in `(\w+)`", words)
        if shared:
            missing = names - described(f"{room}.{shared[1]}")
            assert not missing, f"{shared[1]} does not describe {', '.join(missing)}"
        found |= names
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_numpydoc(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert text, f"{name} has no docstring"
    if name != "qlab.ModelError":
        missing = set(inspect.signature(PUBLIC[name]).parameters) - described(name)
        assert not missing, f"{name} does not describe {', '.join(missing)}"


def test_what_the_notebooks_call_has_a_docstring():
    assert {"qlab.arithmetic.affine.fake_quantize", "qlab.tflite.runtime.logits"} <= USED.keys()
    assert [name for name, x in USED.items() if not inspect.getdoc(x)] == []
