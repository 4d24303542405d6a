"""content.toml: what is wrong in it is said in words, and it ships."""

import importlib
import itertools
import sys
import tomllib
from pathlib import Path

import pytest

from qlab.lessons.content import ContentError, register
from qlab.lessons.registry import NOTEBOOKS

ROOT = Path(__file__).parents[2]
HEAD = 'title = "Mine"\n'
QUESTION = (
    HEAD + '[questions.q]\ntext = "?"\nwhy = "So."\n[questions.q.options]\n"a" = 1\n"b" = 2\n'
)
EXERCISE = HEAD + '[exercises.twice]\nhints = ["x + x"]\n'
QUIZ = QUESTION.replace("questions", "quiz") + '"c" = 3\n'
JUDGE = """
from qlab.lessons.judges import for_function, like

def twice(x):
    return 2 * x

judge_twice = for_function(twice, [(1,), (3,)], mistakes={"once": like(lambda x: x)})
"""
NUMBERS = itertools.count()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make a topic of a content.toml and Python, and import it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(content, python=""):
        folder = tmp_path / f"topic{next(NUMBERS)}"
        folder.mkdir()
        (folder / "content.toml").write_text(content, "utf-8")
        (folder / "__init__.py").write_text(python, "utf-8")
        monkeypatch.delitem(sys.modules, folder.name, raising=False)
        return importlib.import_module(folder.name)

    return make


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[questions", "is no TOML: "),
        ("", r"content\.toml has no 'title'"),
        ("title = 7", "'title' should be a text"),
        (HEAD + "[quizz.q]", "has 'quizz', which is unknown. Did you mean 'quiz'"),
        (HEAD + "[questions]\nq = 1", r"questions\.q should be a table"),
        (
            QUESTION.replace("why", "what"),
            r"questions\.q has 'what', which is unknown. It may have",
        ),
        (QUESTION.replace('why = "So."\n', ""), r"questions\.q has no 'why'"),
        (QUESTION.replace('"?"', "1"), r"questions\.q: 'text' should be a text"),
        (QUESTION, "needs 3 to 5 options"),
        (QUESTION + '"c" = ""', r"\.q: option 'c' has no meaning. Give a value, or the range"),
        (QUESTION + '"c" = []', "option 'c' has no meaning"),
        (QUESTION + '"c" = [1]', "option 'c' has no meaning"),
        (QUESTION + '"c" = ["1", "2"]', "option 'c' has no meaning"),
        (QUESTION.split("[questions.q.options]")[0], "needs either options or bounds"),
        (EXERCISE, r"\.twice: there is no judge 'judge_twice'"),
        (EXERCISE.replace("hints", "hint"), "'hint', which is unknown. Did you mean 'hints'"),
        (QUIZ, r"\.quiz\.q: TRUTHS has no 'q'"),
        (
            HEAD + '[claims.c]\nwords = "So."\nwhy = "So."\nlimits = [{ quantity = "x" }]',
            "needs low",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(package, content, words):
    topic = package(content)
    with pytest.raises(ValueError, match=words):
        register(topic)
    assert topic.__name__ not in NOTEBOOKS


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", r"\.twice: the mistake 'once' has not got words in content.toml"),
        ('mistakes.once = "x"\nmistakes.thrice = "y"', "'thrice' has not got a test in its judge"),
        ('mistakes.once = "x"\nreference = "double"', r"\.twice: there is no reference 'double'"),
    ],
)
def test_judge_and_words_must_know_the_same(package, more, words):
    with pytest.raises(ContentError, match=words):
        register(package(EXERCISE + more, JUDGE))


def test_every_topic_has_its_words_and_they_ship():
    topics = {path.parent.name for path in ROOT.glob("qlab/course/*/content.toml")}
    assert topics == set(NOTEBOOKS)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert settings["package-data"]["*"] == ["content.toml"]
