"""What a learner can call says what it takes; doctest runs the examples."""

import inspect

import pytest

import qlab
from qlab import lessons, train, widgets

PUBLIC = {
    f"{room.__name__}.{name}": getattr(room, name)
    for room in (qlab, lessons, train, widgets)
    for name in room.__all__
    if inspect.isfunction(getattr(room, name)) or inspect.isclass(getattr(room, name))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_numpydoc(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert text, f"{name} has no docstring"
    if name != "qlab.ModelError" and inspect.signature(PUBLIC[name]).parameters:
        assert "Parameters\n----------" in text, f"{name} does not describe its parameters"
