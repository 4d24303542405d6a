"""The glossary: in order, each word linked from the notebook in which a learner meets it first."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ENTRY = re.compile(
    r"^### (.+?)\n\n(.+?)\s+First\s+met\s+in\s+\[notebook\s+\d\db?\]\((\S+)\)\.", re.M | re.S
)
LINK = re.compile(r"\]\(glossary\.ipynb#([^)]+)\)")


def words(name):
    cells = json.loads((NOTEBOOKS / name).read_text("utf-8"))["cells"]
    return "\n\n".join("".join(x["source"]) for x in cells if x["cell_type"] == "markdown")


ENTRIES = {term.replace(" ", "-"): book for term, _, book in ENTRY.findall(words("glossary.ipynb"))}
LINKS = {path.name: LINK.findall(words(path.name)) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}


def test_every_heading_is_an_entry_and_they_are_in_order():
    headings = re.findall(r"^### (.+)$", words("glossary.ipynb"), re.M)
    assert [x.replace(" ", "-") for x in headings] == list(ENTRIES)
    assert headings == sorted(headings, key=str.lower)


@pytest.mark.parametrize(("anchor", "book"), ENTRIES.items())
def test_a_word_is_linked_once_and_where_it_is_met_first(anchor, book):
    numbered = {name for name, links in LINKS.items() if name[0].isdigit() and anchor in links}
    assert numbered == {book}
    assert LINKS[book].count(anchor) == 1


def test_links_lead_to_entries():
    assert {x for links in LINKS.values() for x in links} <= set(ENTRIES)
    inside = re.findall(r"\]\(#([^)]+)\)", words("glossary.ipynb"))
    assert inside and set(inside) <= set(ENTRIES)
