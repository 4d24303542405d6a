"""The five articles: each sentence leads to a place that exists; the case study has its record."""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from qlab import data
from qlab.course.claims import articles, case_study
from qlab.lessons.claims import CLAIMS, OUTCOMES
from qlab.tflite import artefacts

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SAYS = articles.content()["says"]


def headings(file):
    cells = nbformat.read(NOTEBOOKS / file, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return set(re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE))


@pytest.mark.parametrize("key", articles.content()["notebooks"])
def test_each_place_is_a_heading_of_its_notebook(key):
    wanted = {
        place.partition(" ")[2] for row in SAYS for place in row["where"] if place.split()[0] == key
    }
    assert wanted - headings(articles.content()["notebooks"][key]) == set()


def test_each_sentence_has_an_article_an_answer_and_a_place():
    known = range(1, len(articles.content()["articles"]) + 1)
    for row in SAYS:
        assert row["in"] and set(row["in"]) <= set(known) and row["how"] in articles.HOW
        assert row["where"] or row["how"] == "not checked", row
    assert {i for row in SAYS for i in row["in"]} == set(known) and len(known) == 5
    assert len({row["words"] for row in SAYS}) == len(SAYS)


def test_the_tables_have_all_rows_and_their_links():
    said, named = articles.what_articles_say(), articles.what_articles_name()
    assert [row[0] for row in said.rows] == [row["words"] for row in SAYS]
    assert repr(said).count("\n") == len(SAYS) + 1
    page = said._repr_html_() + named._repr_html_()
    assert page.count("<a href=") == sum(len(row["where"]) for row in SAYS) + sum(
        len(row["sources"]) for row in articles.content()["names"]
    )
    assert 'href="08_claims_checked.ipynb#A-third-or-a-quarter"' in page
    wanted = ("MobileNet", "Micro", "PyTorch", "TensorRT", "Hexagon", "Mali", "Neural Compute")
    names = " ".join(row["name"] for row in articles.content()["names"])
    assert all(name in names for name in wanted)
    assert all(row["sources"] for row in articles.content()["names"])


def stored(file):
    """Plain texts that a notebook shows."""
    for cell in nbformat.read(NOTEBOOKS / file, as_version=4).cells:
        for output in cell.get("outputs", ()):
            yield output.get("text", "") or output.get("data", {}).get("text/plain", "")


def test_notebook_08_marks_every_claim_and_says_the_condition_where_there_is_one():
    (table,) = (x for x in stored("08_claims_checked.ipynb") if x.count("\n    ") >= len(CLAIMS))
    found = re.findall(r"^(true|true with a condition|false): (.+)\n    (.+)$", table, re.MULTILINE)
    assert {words for _, words, _ in found} == {claim.words for claim in CLAIMS.values()}
    assert {mark for mark, *_ in found} == set(OUTCOMES)
    conditions = {claim.words: claim.condition for claim in CLAIMS.values()}
    for mark, words, numbers in found:
        if mark == OUTCOMES[1]:
            assert conditions[words] and numbers.endswith(f"; true {conditions[words]}"), words


# The case study


def test_the_record_has_what_the_article_prints_and_a_control():
    record = case_study.recorded()
    entry = artefacts.manifest()["files"][case_study.FILE]
    seeds = entry["recipe"]["seeds"]
    assert list(record) == entry["recipe"]["parts"]
    assert {"float", "longer"} <= set(record) <= set(case_study.NAMED)
    for part, found in record.items():
        assert len(found) == len(seeds), part
        for one in found:
            assert one["log"]["epochs"] == 10 and one["log"]["images"] == 60_000
            assert one["log"]["steps"] == 10 * 1875  # batches of 32
            assert set(one["training"]) == set(one["test"]) == {"loss", "accuracy"}
            assert set(map(float, one["log"]["learning_rates"])) == {0.001}
    assert case_study.about().startswith("cached: run on 20")


def test_the_recorded_answers_are_those_of_the_recorded_accuracy():
    labels = data.load().test.labels
    for part, found in case_study.recorded().items():
        for one, answered in zip(found, case_study.answered(part, labels), strict=True):
            assert answered.accuracy == pytest.approx(one["test"]["accuracy"], abs=1e-6)
            assert answered.kind == "cached"
        for file, entry in found[0].get("files", {}).items():
            (first, *_) = case_study.answered(part, labels, file)
            assert first.accuracy == pytest.approx(entry["accuracy"])


def test_float_files_answer_as_keras_does():
    labels = data.load().test.labels
    keras, file = (case_study.answered("float", labels, x)[0] for x in (None, "float32"))
    assert np.mean(keras.predictions == file.predictions) > 0.999


def test_the_record_is_small():
    assert artefacts.path(case_study.FILE).stat().st_size < 400_000
    assert json.loads(artefacts.path(case_study.FILE).read_text("utf-8"))
