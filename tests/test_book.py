"""What the book is made of; tests/release builds it."""

import json

from tools import book


def test_links_and_pictures_are_looked_at(tmp_path):
    (tmp_path / "there.html").write_text('<p id="place">1</p>')
    (tmp_path / "page.html").write_text(
        '<a href="there.html#place">1</a> <a href="there.html#none">2</a> <a href="gone.html">3</a>'
        '<a href="https://nowhere.example/">4</a> <img src="there.html"> <a href="#top">5</a>'
    )
    assert sorted(book.faults(tmp_path)) == [
        "page.html: #top leads to a page that has no such place",
        "page.html: 1 pictures have no alt text",
        "page.html: gone.html leads nowhere",
        "page.html: there.html#none leads to a page that has no such place",
    ]


def test_each_picture_of_the_notebooks_gets_words():
    for path in (book.CHECKOUT / "notebooks").glob("*.ipynb"):
        for cell in book.adapted(json.loads(path.read_text("utf-8")))["cells"]:
            if any("image/png" in x.get("data", {}) for x in cell.get("outputs", ())):
                assert len(cell["metadata"]["mystnb"]["image"]["alt"]) > 30


def test_places_have_small_letters_in_the_book_and_addresses_stay():
    assert book.lowered("](glossary.ipynb#LiteRT)") == "](glossary.ipynb#litert)"
    assert book.lowered("](https://x.example/A#B)") == "](https://x.example/A#B)"


def test_the_reference_names_what_is_public():
    text = book.reference()
    for name in (
        "qlab.engine.compressor.Compressor",
        "qlab.plots.",
        "qlab.lessons.",
        "qlab.train.",
    ):
        assert name in text
