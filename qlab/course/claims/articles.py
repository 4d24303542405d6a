"""Which sentence of the five articles is run or checked where, and what the articles name."""

import tomllib
from functools import cache
from importlib.resources import files

from qlab.lessons.claims_table import WordsTable

HOW = ("measured", "simulated", "run", "source", "not checked")


@cache
def content():
    """What articles.toml says."""
    return tomllib.loads(files(__package__).joinpath("articles.toml").read_text("utf-8"))


def what_articles_say():
    """Table of all that the five articles claim or print, and of the place that answers it."""
    known = content()
    named = "; ".join(f"{i} {name}" for i, name in enumerate(known["articles"], 1))
    rows = [
        (row["words"], " ".join(map(str, row["in"])), row["how"], [_link(x) for x in row["where"]])
        for row in known["says"]
    ]
    return WordsTable(f"Five articles: {named}", ("it says", "in", "here", "where"), rows)


def what_articles_name():
    """Table of the products that the articles name: what each is, and what it uses."""
    rows = [
        (row["name"], row["what"], row["uses"], [tuple(x) for x in row["sources"]])
        for row in content()["names"]
    ]
    return WordsTable("What the articles name", ("name", "what it is", "uses", "source"), rows)


def _link(place):
    """Words and address of a place: a notebook and a heading in it."""
    notebook, _, heading = place.partition(" ")
    number, dot, _ = heading.partition(". ")
    words = f"section {number}" if dot and number.isdigit() else f"“{heading}”"
    return f"{notebook}, {words}", f"{content()['notebooks'][notebook]}#{heading.replace(' ', '-')}"
