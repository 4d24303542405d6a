"""INSTRUCTOR.md shows what it says, the examples of CONTRIBUTING.md run, links lead somewhere."""

import ast
import builtins
import doctest
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path
from types import ModuleType

import ipywidgets
import pytest

from qlab import data, evaluate, pretrained, widgets
from qlab.tflite.operators import OPERATORS, Operator

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "INSTRUCTOR.md").read_text("utf-8")
SETTING = re.compile(r"```python\n(widgets\.[^`]+)\n```\n\nOn screen: (.+?)\n\n", re.DOTALL)
SETTINGS = SETTING.findall(PAGE)
NUMBER = re.compile(r"(?<![\w.,])([−+-]?\d[\d,]*(?:\.\d+)?)( %| points| bytes)?(?!\w)")
PLANS = ("90 minutes", "Half a day")


def chapter(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


# Links


@pytest.mark.parametrize("page", ["INSTRUCTOR.md", "README.md"])
def test_every_link_leads_to_a_file_and_a_heading(page):
    links = re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", (ROOT / page).read_text("utf-8"))
    local = [(path or page, anchor) for path, anchor in links if "://" not in path]
    assert local
    for path, anchor in local:
        assert (ROOT / path).exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
            assert anchor in [h.lower().replace(" ", "-") for h in headings], anchor


@pytest.mark.parametrize("page", ["INSTRUCTOR.md", "README.md"])
def test_every_line_that_calls_qlab_is_understood(page):
    from qlab.cli import build_parser

    text = (ROOT / page).read_text("utf-8")
    lines = re.findall(r"(?:^|`) *(?:!|[\w.\\/]*[\\/])?qlab ([a-z][^`\n]*)`?$", text, re.MULTILINE)
    lines += re.findall(r"`(?:[\w.\\/]*/)?qlab ([a-z][^`]*)`", text)
    assert len(lines) > 5
    for line in lines:
        build_parser().parse_args(shlex.split(line.replace("$", ""), comments=True))
    assert text.index(". .venv/bin/activate") < re.search(r"^qlab ", text, re.MULTILINE).start()


def test_a_teacher_fills_in_the_address_in_one_place():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("notebooks/*.ipynb")]
    said = "".join(page.read_text("utf-8") for page in pages if page.name != "INSTRUCTOR.md")
    assert said.count("REPOSITORY-ADDRESS") <= 1 and "git clone" in said


def test_every_command_is_one_of_qlab_or_make():
    from qlab.cli import build_parser

    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    commands = set(
        re.findall(r"(?<!from )qlab ([a-z]+)", "\n".join(re.findall(r"`([^`]+)`", prose)))
    )
    assert {"report", "doctor"} <= commands
    assert commands <= set(build_parser()._subparsers._group_actions[0].choices)
    targets = set(re.findall(r"`make ([a-z]+)", PAGE))
    assert "offline" in targets
    assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


# Plans


def steps(plan):
    """Rows of a plan: (minute, notebook or "", set of section numbers or None for all)."""
    for row in re.findall(r"^\| (\d.*)\|$", chapter(plan), re.MULTILINE):
        minute, notebook, sections, what = (cell.strip() for cell in row.split("|"))
        assert what
        link = re.search(r"\((.+)\)", notebook)
        numbers = [int(n) for n in re.findall(r"\d+", sections)]
        which = set(range(numbers[0], numbers[-1] + 1)) if numbers else None
        yield int(minute), link.group(1) if link else "", which


def cells(notebook):
    """The code cells of a notebook with their section; 0 is before the first."""
    section = 0
    for cell in json.loads((ROOT / notebook).read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for heading in re.findall(r"^## (.+)$", source, re.MULTILINE):
                number = re.match(r"(\d+)\.", heading)
                section = int(number.group(1)) if number else "end"
        else:
            yield section, source


@pytest.mark.parametrize(("plan", "minutes"), list(zip(PLANS, (90, 210), strict=True)))
def test_a_plan_goes_forward_and_fits(plan, minutes):
    starts = [minute for minute, _, _ in steps(plan)]
    assert starts[0] == 0 and starts == sorted(set(starts)) and starts[-1] < minutes
    assert all(5 <= b - a <= 35 for a, b in zip(starts, [*starts[1:], minutes], strict=True))


@pytest.mark.parametrize("plan", PLANS)
def test_the_sections_of_a_plan_exist_and_need_no_other(plan):
    chosen = {}
    for _, notebook, sections in steps(plan):
        if sections:
            chosen.setdefault(notebook, set()).update(sections)
        elif notebook:
            assert (ROOT / notebook).exists()
    assert chosen
    for notebook, sections in chosen.items():
        kept = [source for section, source in cells(notebook) if section in {0, *sections}]
        assert sections <= {section for section, _ in cells(notebook)}
        trees = [ast.parse(re.sub(r"^%.*$", "", s, flags=re.MULTILINE)) for s in kept]
        assert undefined(trees) == set(), notebook


def undefined(trees):
    """Names that are used and never given a value."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    given = {n.id for n in names if isinstance(n.ctx, ast.Store)} | set(dir(builtins))
    given |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    given |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            given |= {(n.asname or n.name).split(".")[0] for n in node.names}
    return {n.id for n in names if isinstance(n.ctx, ast.Load)} - given


def test_a_missing_section_would_be_noticed():
    assert undefined([ast.parse("a = 1\nprint(a, b)")]) == {"b"}


# Settings


def test_every_misconception_has_a_setting_or_a_section_of_the_last_notebook():
    entries = chapter("What people get wrong").split("\n### ")[1:]
    assert len(entries) >= 10
    for entry in entries:
        elsewhere = "Notebook 09, section" in entry  # whose data set no setting above has
        assert elsewhere or SETTING.search(f"{entry}\n\n"), entry.splitlines()[0]
    assert len(SETTINGS) == PAGE.count("```python\nwidgets.")


def on_screen(explorer):
    """All text that an explorer shows, labels included; of the numbers as text only small ones."""

    def walk(widget):
        yield getattr(widget, "description", "") or ""
        if isinstance(widget, ipywidgets.HTML):
            yield widget.value
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    explorer.reveal.opened = isinstance(explorer, widgets.SensitivityExplorer)
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", " ".join(walk(explorer)), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(text))


def numbers(text):
    """(value, unit) of every number in `text`."""
    for digits, unit in NUMBER.findall(text):
        yield float(digits.replace(",", "").replace("−", "-")), unit.strip()


def near(said, unit, shown):
    """Whether the number said is the one shown, on this or on another processor."""
    if unit in ("%", "points"):
        return abs(said - shown) <= 0.5
    if unit == "bytes":
        return abs(said - shown) <= 0.005 * said
    return abs(said - shown) <= max(2, 0.2 * said)


@functools.cache
def explorer_of(kind):
    """An explorer, which all its settings on the page share, and its defaults."""
    explorer = getattr(widgets, kind)()
    return explorer, {name: getattr(explorer, name) for name in explorer.settings}


@pytest.mark.parametrize(("code", "claim"), SETTINGS, ids=[code[8:60] for code, _ in SETTINGS])
def test_a_setting_shows_what_the_page_says(fashion, code, claim):
    call = ast.parse(code, mode="eval").body
    explorer, defaults = explorer_of(call.func.attr)
    explorer.set(**defaults | {x.arg: ast.literal_eval(x.value) for x in call.keywords})
    text = on_screen(explorer)
    for words in re.findall(r"\*\*(.+?)\*\*", claim):
        assert words in text
    for value, unit in numbers(re.sub(r"`.*?`", "", claim)):
        shown = [v for v, u in numbers(text) if u == unit or unit != "%"]
        assert any(near(value, unit, v) for v in shown), f"{value} {unit} is not on screen: {text}"


def test_a_wrong_number_would_be_noticed(fashion):
    explorer, defaults = explorer_of("QuantizationExplorer")
    explorer.set(**defaults | {"weight_bits": 3})
    text = on_screen(explorer)
    percents = [value for value, unit in numbers(text) if unit == "%"]
    assert any(near(100 * explorer.result.measurement.accuracy, "%", value) for value in percents)
    assert not any(near(90.3, "%", value) for value in percents)


# CONTRIBUTING.md

TRY_PATTERN = """
import levels
from qlab.lessons import check, progress, quizzes, reveal, solution
from qlab.lessons.content import register
register(levels)
print(reveal("levels.how_many", 16).measured)
wrong = check("levels.levels_of", lambda bits: 2 * bits).lines[1:]
print(check("levels.levels_of", levels.levels_of).status, "/", *wrong)
print(quizzes.Sheet("levels", {"zeros": 7}).mark("levels.quiz.zeros", "some").lines[1])
print("def levels_of(bits):" in solution("levels.levels_of").source, "90 Levels" in str(progress()))
"""


GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def blocks(title, language="python"):
    """The examples of one chapter of the guide for contributors."""
    text = GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.+?)```", text, re.DOTALL)


def test_each_way_to_contribute_touches_at_most_four_files_in_folders_that_are_there():
    ways = re.findall(r"\*\*Touches\*\* (.+?)\n\n", GUIDE, re.DOTALL)
    assert len(ways) == GUIDE.count("\n## Add ") + 1  # a technique is a setting or a transform
    for way in ways:
        paths = re.findall(r"`([^`]+)`", way)
        assert 1 <= len(paths) <= 4
        for path in paths:
            there = (ROOT / path).exists()
            assert there or re.search("levels|stripes", path), path
            assert there or any(x.exists() for x in (ROOT / path).parents[:2])


def test_the_drawing_of_the_house_has_its_rooms():
    rooms = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(rooms) == sorted(path.parent.name for path in ROOT.glob("qlab/*/__init__.py"))


def test_the_explorer_for_contributors_runs(monkeypatch):
    names = {"Explorer": widgets.Explorer, "Shown": widgets.Shown}
    for example in doctest.DocTestParser().get_examples(widgets.Explorer.__doc__):
        exec(example.source, names)
    monkeypatch.setattr(widgets, "LevelsExplorer", names["LevelsExplorer"], raising=False)
    [test] = blocks("Add an explorer")
    exec(test, {})


def test_the_operator_for_contributors_is_the_row_in_the_table():
    convert, row = blocks("Add an operator")
    found = {}
    exec(convert, found)
    assert eval(row, {"Operator": Operator}) == OPERATORS["HARD_SWISH"]
    assert found["versions"]["HARD_SWISH"] == OPERATORS["HARD_SWISH"].int8_version


def test_the_data_set_for_contributors_runs(monkeypatch):
    load, use = blocks("Add another data set")
    stripes = ModuleType("qlab.data.stripes")
    exec(load, vars(stripes))
    monkeypatch.setattr(data, "stripes", stripes, raising=False)
    monkeypatch.setitem(sys.modules, stripes.__name__, stripes)
    found = {}
    exec(use, found)
    measured = found["explorer"].result.measurement
    assert measured.n == 450 and measured.accuracy > 0.95
    assert found["gallery"].of_class == "all" and not found["gallery"].error
    assert found["gallery"].class_names == stripes.CLASS_NAMES


def test_the_technique_for_contributors_runs(fashion):
    found = {}
    for block in blocks("Add a technique"):
        exec(block, found)
    images, labels = fashion.test.images, fashion.test.labels
    before, small, int8 = (
        evaluate(model, images, labels).accuracy
        for model in (pretrained("baseline"), found["small"], found["int8"])
    )
    assert 0.8 < small < before
    assert abs(int8 - small) < 0.01


def test_the_questions_for_contributors_run(tmp_path):
    (tmp_path / "levels").mkdir()
    for language, name in (("toml", "content.toml"), ("python", "__init__.py")):
        [pattern] = blocks("Add a notebook with questions", language)
        (tmp_path / "levels" / name).write_text(pattern, "utf-8")
    # In a process of its own, so that no other test meets these questions.
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", TRY_PATTERN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.splitlines() == [
        "16",
        "correct / Hint: Each bit doubles the values.",
        "Pruning has set them to 0. A line break in a long text is only there to keep lines short: "
        "on screen it is a space.",
        "True True",
    ], done.stderr
