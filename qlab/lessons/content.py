"""Read the content of a topic: a package with its wording in content.toml and the rest in Python.

The file says what learners read: questions, exercises, quiz and claims. What it names is looked up
in the package and its modules: ``judge_NAME`` judges exercise NAME, whose reference is NAME itself,
and ``TRUTHS["NAME"]`` computes the truth of the quiz question NAME.
"""

import importlib
import pkgutil
import tomllib
from difflib import get_close_matches
from importlib.resources import files

from qlab.lessons.claims import CLAIMS, Claim
from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.limits import Limit
from qlab.lessons.predictions import QUESTIONS, Question
from qlab.lessons.quizzes import ITEMS, Item
from qlab.lessons.registry import NOTEBOOKS

TEXT, TABLE, LIST, NUMBER = (str, "a text"), (dict, "a table"), (list, "a list"), (int, "a number")
ASKED = {"text": TEXT, "why": TEXT}
WANTED = {  # of each kind of entry: the keys it must have, then those it may have
    "questions": (
        ASKED,
        {"options": TABLE, "bounds": LIST, "near": NUMBER, "shown": TEXT, "kind": TEXT},
    ),
    "exercises": ({"hints": LIST}, {"mistakes": TABLE, "reference": TEXT}),
    "quiz": ({**ASKED, "options": TABLE}, {"shown": TEXT, "kind": TEXT}),
    "claims": ({"words": TEXT, "limits": LIST, "why": TEXT}, {"condition": TEXT}),
}


class ContentError(ValueError):
    """A content.toml that cannot be used; the message says what to mend."""


def register(package):
    """Add what a topic's package asks, under ids that begin with the package's name."""
    topic, content = package.__name__.rpartition(".")[2], read(package)
    python, truths = _python(package)
    for id, entry in _entries(topic, content, "questions"):
        QUESTIONS.add(Question(id, **_asked(id, entry)))
    for id, entry in _entries(topic, content, "claims"):
        limits = tuple(Limit(**limit) for limit in entry["limits"])
        words, why, when = (_line(entry.get(key, "")) for key in ("words", "why", "condition"))
        claim = CLAIMS.add(Claim(id, words, limits, why, when))
        QUESTIONS.add(claim.question)
    for id, entry in _entries(topic, content, "exercises"):
        EXERCISES.add(_exercise(id, entry, python))
    for id, entry in _entries(topic, content, "quiz"):
        question = Question(id, **_asked(id, entry))
        ITEMS.add(Item(question, _named(truths, id.rpartition(".")[2], f"{id}: TRUTHS has no")))
    NOTEBOOKS[topic] = content.get("number", ""), content["title"]


def read(package):
    topic = package.__name__.rpartition(".")[2]
    try:
        content = tomllib.loads(files(package).joinpath("content.toml").read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ContentError(f"{topic}/content.toml is no TOML: {error}") from None
    _check(topic, content)
    return content


def _entries(topic, content, kind):
    """The entries of one kind with their ids; those of the quiz have one more part."""
    prefix = f"{topic}.quiz" if kind == "quiz" else topic
    return [(f"{prefix}.{name}", entry) for name, entry in content.get(kind, {}).items()]


def _check(topic, content):
    """Refuse, in words, what is missing, unknown or of another type."""
    where = f"{topic}/content.toml"
    _check_keys(where, content, {"title": TEXT}, {"number": TEXT, **dict.fromkeys(WANTED, TABLE)})
    for kind, (must, may) in WANTED.items():
        for name, entry in content.get(kind, {}).items():
            if not isinstance(entry, dict):
                raise ContentError(f"{where}: {kind}.{name} should be a table")
            _check_keys(f"{where}: {kind}.{name}", entry, must, may)


def _check_keys(where, table, must, may):
    known = {**must, **may}
    for key in table.keys() - known.keys():
        near = get_close_matches(key, known, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"It may have: {', '.join(known)}."
        raise ContentError(f"{where} has {key!r}, which is unknown. {advice}")
    for key in must:
        if key not in table:
            raise ContentError(f"{where} has no {key!r}.")
    for key, value in table.items():
        type_, words = known[key]
        if not isinstance(value, (int, float) if type_ is int else type_):
            raise ContentError(f"{where}: {key!r} should be {words}.")


def _asked(id, entry):
    asked = {key: _line(value) if isinstance(value, str) else value for key, value in entry.items()}
    if "options" in entry:
        asked["options"] = {o: _meaning(id, o, m) for o, m in entry["options"].items()}
    return {**asked, "bounds": tuple(entry.get("bounds", ()))}


def _meaning(id, option, meaning):
    """A value, or a range as a tuple."""
    if isinstance(meaning, (str, int, float)) and meaning != "":
        return meaning
    number = (int, float)
    if (
        isinstance(meaning, list)
        and len(meaning) == 2
        and all(isinstance(x, number) for x in meaning)
    ):
        return tuple(meaning)
    raise ContentError(
        f"{id}: option {option!r} has no meaning. Give a value, or the range [low, high) of the "
        "truths that it stands for."
    )


def _exercise(id, entry, python):
    """An exercise with its judge and its reference, which must know the same mistakes."""
    name = id.partition(".")[2]
    judge = _named(python, f"judge_{name}", f"{id}: there is no judge")
    reference = _named(python, entry.get("reference", name), f"{id}: there is no reference")
    words = {key: _line(text) for key, text in entry.get("mistakes", {}).items()}
    tested = getattr(judge, "mistakes", words)
    for key in [*words, *tested]:
        if key not in words or key not in tested:
            lacks = "words in content.toml" if key in tested else "a test in its judge"
            raise ContentError(f"{id}: the mistake {key!r} has not got {lacks}.")
    return Exercise(id, judge, reference, tuple(map(_line, entry["hints"])), words)


def _named(names, name, complaint):
    if name not in names:
        raise ContentError(f"{complaint} {name!r}.")
    return names[name]


def _python(package):
    """All names in a package's modules, and the truths in their `TRUTHS`."""
    modules = [package]
    for found in pkgutil.iter_modules(package.__path__):
        modules.append(importlib.import_module(f"{package.__name__}.{found.name}"))
    names, truths = {}, {}
    for module in modules:
        names.update(vars(module))
        truths.update(vars(module).get("TRUTHS", {}))
    return names, truths


def _line(text):
    """A text whose line breaks, in the file, are only there to keep its lines short."""
    return " ".join(line.strip() for line in text.strip().splitlines())
