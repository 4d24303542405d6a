"""The arrows between the rooms, as the design draws them, held for every module there is.

Twice over: in a fresh interpreter, for what importing a module brings in; and in the source, for
imports that a function puts off until it runs.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import qlab

PACKAGE = Path(__file__).resolve().parents[1] / "qlab"

LAYERS = {
    "numpy": "affine clusters data distillation fetch files fronts idx machine metrics observers "
    "quiet recipes results sparsity",
    "litert": "anatomy artefacts budget challenge coding compressor export filters grouping "
    "litemodel lowering notes operations packing pareto reading rewriting runtime search "
    "sensitivity shaping shelf sparse_encoding sparse_tensors stages timing",
    "train": "train",
    "lessons": "lessons",
    "plots": "plots",
    "widgets": "widgets",
    "bench": "bench",
    "command": "__init__ cli doctor",
}
LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms.split()}
MAY_USE = {
    "numpy": {"numpy"},
    "litert": {"numpy", "litert"},
    "train": {"numpy", "litert", "train"},
    "lessons": {"numpy", "litert", "lessons"},
    "plots": {"numpy", "litert", "plots"},
    "widgets": {"numpy", "litert", "plots", "lessons", "widgets"},
    "bench": {"numpy", "litert", "bench", "command"},
    "command": {"command"},
}
# Other arrows, allowed only inside the function that needs them.
PUT_OFF = {
    ("litemodel", "train"): "LiteModel.from_keras converts, which only TensorFlow can",
    ("lessons", "widgets"): "predict() shows its question with buttons",
    ("lessons", "train"): "exhibits of the bug museum convert and prune",
    ("widgets", "train"): "live training starts at the press of a button, TensorFlow with it",
    ("bench", "train"): "the converter is what the engine is compared with",
    ("bench", "widgets"): "the explorer's redraw is measured",
    ("cli", "bench"): "`qlab --help` answers at once",
    ("cli", "challenge"): "the same",
    ("cli", "data"): "the same",
    ("cli", "doctor"): "the same",
    ("cli", "export"): "the same",
    ("cli", "lessons"): "the same",
    ("doctor", "artefacts"): "a damaged installation must not stop the doctor",
    ("doctor", "fetch"): "the same",
    ("doctor", "idx"): "the same",
}
# Who alone may write these imports, at the top or in a function.
OWNERS = {
    "tensorflow": {"train"},
    "tf_keras": {"train"},
    "keras": {"train"},
    "tensorflow_model_optimization": {"train"},
    "matplotlib": {"plots", "widgets"},
    "ipywidgets": {"widgets"},
    "ai_edge_litert": {"litert"},
}
BROUGHT_ALONG = {"train": {"matplotlib"}}  # by tensorflow_model_optimization, not by us


def module_name(path):
    parts = ("qlab", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name):
    """The module or folder right under ``qlab``; ``__init__`` for ``qlab`` itself."""
    return [*name.split("."), "__init__"][1]


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def home_of(name):
    """Where ``qlab.name`` lives: a room itself, or the room that a public name comes from."""
    if name.startswith("__"):
        return "qlab"
    if name in qlab.__all__ and not {name, f"{name}.py"} & {x.name for x in PACKAGE.iterdir()}:
        return getattr(getattr(qlab, name), "__module__", f"qlab.{name}")
    return f"qlab.{name}"


def imports(source):
    """Yield ``(module, put_off)`` for every import, and for every ``qlab.name`` that is used."""

    def walk(node, put_off):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Attribute) and ast.unparse(child.value) == "qlab":
                yield home_of(child.attr), put_off
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, put_off) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "imports are written in full: from qlab.room import name"
                for alias in child.names:
                    whole = child.module == "qlab"
                    yield home_of(alias.name) if whole else child.module, put_off
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, put_off or is_function)

    yield from walk(ast.parse(source), False)


def wrong_arrows(room, source):
    """Imports in `source`, a module of `room`, that the design does not allow."""
    layer = LAYER_OF[room]
    wrong = []
    for name, put_off in imports(source):
        top = name.split(".")[0]
        if name == "qlab":  # the names behind it load when touched, and are yielded then
            continue
        if top == "qlab":
            assert room_of(name) in LAYER_OF, f"{room} uses {name}, which is no room"
            target = room_of(name)
            allowed = LAYER_OF[target] in MAY_USE[layer]
            if not allowed and not (put_off and (room, target) in PUT_OFF):
                wrong.append(f"{room} imports qlab.{target}")
        elif layer not in OWNERS.get(top, {layer}):
            wrong.append(f"{room} imports {top}")
    return wrong


@pytest.mark.parametrize("name", MODULES)
def test_source_keeps_the_arrows(name):
    room = room_of(name)
    assert room in LAYER_OF, f"say in LAYERS which layer {name} belongs to"
    assert wrong_arrows(room, MODULES[name].read_text("utf-8")) == []


@pytest.mark.parametrize("room", LAYER_OF)
def test_import_brings_in_no_more_than_its_layer_may(room):
    """All modules of a room in one fresh interpreter: what any of them brings in is found."""
    layer, names = LAYER_OF[room], [name for name in MODULES if room_of(name) == room]
    code = f"import {', '.join(names)}, sys, json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    heavy = loaded & set(OWNERS) - BROUGHT_ALONG.get(layer, set())
    assert {top for top in heavy if not OWNERS[top] & MAY_USE[layer]} == set()
    rooms = {room_of(module) for module in loaded if module.startswith("qlab.")}
    assert {room for room in rooms if LAYER_OF[room] not in MAY_USE[layer]} == set()


def test_importing_qlab_loads_no_heavy_library():
    code = "import qlab, sys, json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "qlab" in loaded
    assert not loaded & {*OWNERS, "numpy", "IPython"}


def test_every_public_name_resolves_without_tensorflow():
    code = (
        "import qlab, sys; [getattr(qlab, name) for name in qlab.__all__];"
        "assert 'tensorflow' not in sys.modules; print(*qlab.__all__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert {"LiteModel", "Recipe", "Compressor", "predict", "data"} <= set(run.stdout.split())


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("affine", "import tensorflow as tf", ["affine imports tensorflow"]),
        ("plots", "def f():\n    from ipywidgets import VBox", ["plots imports ipywidgets"]),
        ("runtime", "from matplotlib.axes import Axes", ["runtime imports matplotlib"]),
        ("affine", "from qlab import runtime", ["affine imports qlab.runtime"]),
        ("affine", "import qlab\ndef f():\n    qlab.predict()", ["affine imports qlab.runtime"]),
        ("metrics", "from qlab import Recipe", []),
        ("plots", "from qlab.widgets.live import Live", ["plots imports qlab.widgets"]),
        ("litemodel", "from qlab import train", ["litemodel imports qlab.train"]),
        ("litemodel", "def f():\n    from qlab import train", []),
        ("widgets", "import ipywidgets, matplotlib\nfrom qlab.plots import style", []),
        ("metrics", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras", []),
    ],
)
def test_the_source_check_sees_a_wrong_arrow(room, source, expected):
    assert wrong_arrows(room, source) == expected
