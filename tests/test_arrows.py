"""The arrows between the rooms, as the design draws them: in the source and at run time."""

import ast
import graphlib
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import qlab
from qlab.system.providers import PROVIDERS

PACKAGE = Path(qlab.__file__).parent
BELOW = {  # what each room may use; `providers` holds the few calls that go the other way
    "system": "",
    "arithmetic": "system",
    "data": "system",
    "tflite": "arithmetic data system",
    "engine": "tflite arithmetic data system",
    "train": "engine tflite arithmetic data system",
    "trials": "train engine tflite arithmetic data system",
    "plots": "trials engine tflite arithmetic data system",
    "lessons": "arithmetic system",
    "challenge": "tflite arithmetic data system",
    "export": "trials engine tflite arithmetic data system",
    "course": "lessons trials train engine tflite arithmetic data system",
    "widgets": "lessons plots challenge export trials train engine tflite arithmetic data system",
    "doctor": "tflite arithmetic data system",
    "cli": "doctor lessons challenge export data system",
}
OWNERS = {  # who alone may write these imports
    "tensorflow": {"train"},
    "tf_keras": {"train"},
    "keras": {"train"},
    "tensorflow_model_optimization": {"train"},
    "matplotlib": {"plots", "widgets"},
    "scipy": {"arithmetic"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
    "ai_edge_litert": {"tflite", "engine", "challenge", "export", "trials"},
}
LATE = {"train"}  # rooms that others import only inside the function that needs them


def module_name(path):
    return ".".join(("qlab", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


MODULES = {module_name(path): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def imports(source):
    """Yield ``(module or module.name, whether a function puts it off)`` for every import."""

    def walk(node, late):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, late) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "imports are written in full: from qlab.room import name"
                yield from ((f"{child.module}.{alias.name}", late) for alias in child.names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, late or inside)

    yield from walk(ast.parse(source), False)


def room_of(name):
    """The room of a module; where a public name of `qlab` comes from, for ``qlab.NAME``."""
    room = [*name.split("."), ""][1]
    return room if room in BELOW or not room else ""


def wrong_arrows(name, source):
    """Imports that the design does not allow."""
    room, wrong = room_of(name), []
    for target, late in imports(source):
        top, other = target.split(".")[0], room_of(target)
        if top == "qlab" and other and other != room:
            if other not in BELOW[room].split() or (
                other in LATE and room not in LATE and not late
            ):
                wrong.append(f"{name} imports {target}")
        elif room not in OWNERS.get(top, {room}):
            wrong.append(f"{name} imports {target}")
    return wrong


def test_no_import_goes_up_or_past_its_owner():
    rooms = {room_of(name) for name in MODULES} - {""}
    assert rooms == set(BELOW)
    assert [
        wrong for name in MODULES if name != "qlab" for wrong in wrong_arrows(name, MODULES[name])
    ] == []


def test_there_are_no_circles():
    """Between modules, imports inside functions included."""
    graph = {}
    for name, source in MODULES.items():
        graph[name] = {
            next((m for m in (target, target.rpartition(".")[0]) if m in MODULES), name)
            for target, _ in imports(source)
        } - {name, "qlab"}
        if "lazy_loader" in source:  # its names are loaded when touched
            graph[name] = set()
    graph = {
        name: {t for t in targets if not name.startswith(f"{t}.")}
        for name, targets in graph.items()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_is_provided_is_there(name):
    assert pkgutil.resolve_name(PROVIDERS[name])


def fresh(code):
    """What a fresh interpreter has loaded after `code`."""
    code = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_qlab_loads_no_heavy_library():
    assert not fresh("import qlab") & {*OWNERS, "numpy", "IPython"}


def test_all_but_training_drawing_and_controls_load_without_them():
    names = [name for name in MODULES if room_of(name) not in {"train", "plots", "widgets", ""}]
    loaded = fresh(f"import {', '.join(names)}")
    assert not loaded & {"tensorflow", "tf_keras", "matplotlib", "ipywidgets"}


@pytest.mark.parametrize("room", sorted(n for n, s in MODULES.items() if "lazy_loader" in s))
def test_every_name_that_a_room_offers_is_there(room):
    module = importlib.import_module(room)
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_every_public_name_resolves_without_tensorflow():
    loaded = fresh("import qlab; [getattr(qlab, name) for name in qlab.__all__]")
    assert "tensorflow" not in loaded
    assert {"LiteModel", "Recipe", "Compressor", "predict", "data"} <= set(qlab.__all__)


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("qlab.arithmetic.affine", "import tensorflow as tf", True),
        ("qlab.plots.style", "def f():\n    from ipywidgets import VBox", True),
        ("qlab.tflite.runtime", "from matplotlib.axes import Axes", True),
        ("qlab.arithmetic.affine", "from qlab.tflite import runtime", True),
        ("qlab.tflite.litemodel", "def f():\n    from qlab import train", True),
        ("qlab.trials.quantized_training", "from qlab.train.live_training import Frame", True),
        (
            "qlab.trials.quantized_training",
            "def f():\n    from qlab.train.live_training import Frame",
            False,
        ),
        (
            "qlab.widgets.qat_explorer",
            "import ipywidgets, matplotlib\nfrom qlab.plots import style",
            False,
        ),
    ],
)
def test_the_source_check_sees_a_wrong_arrow(name, source, wrong):
    assert bool(wrong_arrows(name, source)) == wrong
