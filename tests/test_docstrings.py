"""What a learner can call says what it takes; doctest runs the examples."""

import inspect
import re

import pytest

import qlab
from qlab import lessons, train, widgets

PUBLIC = {
    f"{room.__name__}.{name}": getattr(room, name)
    for room in (qlab, lessons, train, widgets)
    for name in room.__all__
    if inspect.isfunction(getattr(room, name)) or inspect.isclass(getattr(room, name))
}


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
