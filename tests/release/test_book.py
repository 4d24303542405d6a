"""The book is built whole: no warning, no link that leads nowhere, no picture without words."""

import importlib.util
import re

import pytest

from tools import book

if importlib.util.find_spec("myst_nb") is None:
    pytest.skip("needs MyST-NB: make extras", allow_module_level=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    assert book.main(["--to", str(folder)]) == 0
    return folder / "site"


def test_every_page_is_there(site):
    names = {path.stem for path in site.glob("notebooks/*.html")}
    assert names == {path.stem for path in (book.CHECKOUT / "notebooks").glob("*.ipynb")}
    for page in ("index", "INSTRUCTOR", "CONTRIBUTING", "reference", "data/README"):
        assert (site / f"{page}.html").is_file()


def test_the_reference_has_the_public_names(site):
    text = (site / "reference.html").read_text("utf-8")
    for name in ("Compressor", "QuantizationExplorer", "plot_intervals", "fit", "quiz", "quantize"):
        assert re.search(rf'id="qlab\.[\w.]*\b{name}"', text), name


def test_pictures_come_with_what_they_show_and_pages_with_a_dark_theme(site):
    text = (site / "notebooks" / "01_baseline.html").read_text("utf-8")
    alts = re.findall(r'<img[^>]*\balt="([^"]+)"', text)
    assert sum(len(alt) > 30 for alt in alts) >= 4
    assert "theme-toggle" in text


def test_nothing_comes_over_the_network_and_formulas_are_shown(site):
    text = (site / "notebooks" / "02_post_training_quantization.html").read_text("utf-8")
    assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text)
    assert text.count("<math") > 3 and "\\(" not in text
