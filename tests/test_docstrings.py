"""What a learner can call says what it takes; doctest runs the examples."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import nbformat
import pytest

import qlab
from qlab import lessons, train, widgets


def offered():
    """The functions and classes that the public rooms offer, by name."""
    for room in (qlab, lessons, train, widgets):
        for name in room.__all__:
            yield f"{room.__name__}.{name}", getattr(room, name)


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


PUBLIC = {  # without the course's own content: the cell that uses it tells what it does
    name: found
    for name, found in (*offered(), *used_in_the_notebooks())
    if _named(found) and re.match(r"qlab\.(?!course\.)", f"{found.__module__}.")
}


def test_the_notebooks_were_read():
    assert {"qlab.arithmetic.affine.fake_quantize", "qlab.tflite.runtime.logits"} <= PUBLIC.keys()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_numpydoc(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert text, f"{name} has no docstring"
    if name != "qlab.ModelError" and inspect.signature(PUBLIC[name]).parameters:
        assert "Parameters\n----------" in text, f"{name} does not describe its parameters"
