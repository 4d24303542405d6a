"""The Pareto board in JupyterLab: a model is kept, found by pointer and by keyboard, measured."""

import re

import pytest
from playwright.sync_api import expect

KEEP = (
    "import qlab\nfrom qlab.trials import pareto, shelf\n"
    "_ = [pareto.drop(each.name) for each in shelf.kept()]  # other tests share this server\n"
    "kept = pareto.keep(qlab.pretrained('baseline-int8'), 'my <b>int8</b>', qlab.Recipe())\n"
    "from qlab.widgets import ParetoExplorer\nexplorer = ParetoExplorer(shown='yours')\nexplorer"
)


@pytest.mark.browser
def test_the_board_tells_the_recipe_to_pointer_and_keyboard(lab):
    lab.open(lab.write("pareto.ipynb", KEEP))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    picture, spots = explorer.locator(".qlab-picture"), explorer.locator(".qlab-spots li")
    picture.wait_for()
    expect(spots).to_have_count(1)
    expect(picture).to_have_attribute("title", re.compile("Front: my <b>int8</b> 90"))

    explorer.get_by_label("Models").select_option("all")
    expect(picture).to_have_attribute("title", re.compile("Front: .*; "))
    mine = explorer.locator(".qlab-spots li", has_text="my <b>int8</b>")
    expect(mine).to_have_count(1)
    text = mine.locator("div")
    expect(text).to_be_hidden()
    mine.hover()
    expect(text).to_be_visible()
    expect(text).to_contain_text("weight bits 8, activation bits 8, granularity per-channel")
    lab.screenshot("pareto-light")
    lab.page.mouse.move(0, 0)
    expect(text).to_be_hidden()

    box = explorer.get_by_label("Look at")
    box.select_option("qat-w4-seed0")
    expect(explorer.locator(".qlab-notes").first).to_contain_text("Recipe of qat-w4-seed0")
    box.focus()
    for _ in range(20):
        lab.page.keyboard.press("Tab")
        if explorer.locator(".qlab-spots li:focus").count():
            break
    focused = explorer.locator(".qlab-spots li:focus")
    expect(focused.locator("div")).to_be_visible()
    expect(focused).to_have_attribute("aria-label", re.compile("gzipped"))

    explorer.get_by_label("Accuracy against").select_option("latency here")
    expect(picture).to_have_attribute("title", re.compile("latency"))
    lab.theme("dark")
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)
    mine.hover()
    expect(text).to_be_visible()
    lab.screenshot("pareto-dark")


@pytest.mark.browser
def test_the_board_is_measured_stopped_and_taken_away(lab):
    cell = "from qlab.widgets import ParetoExplorer\nexplorer = ParetoExplorer()\nexplorer"
    lab.open(lab.write("pareto2.ipynb", cell))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    explorer.get_by_role("button", name="Measure all here").press("Enter")
    expect(explorer.get_by_role("progressbar")).to_be_visible()
    expect(explorer.locator(".qlab-job")).to_contain_text(re.compile(r": [5-9] of"), timeout=60_000)
    explorer.get_by_role("button", name="Stop").click()
    expect(explorer.locator(".qlab-job")).to_contain_text("is kept")
    explorer.get_by_text("The numbers in this picture, as text").click()
    table = explorer.locator(".qlab-numbers table")
    expect(table).to_be_visible()
    expect(table).to_contain_text("measured")
    expect(table).to_contain_text("cached")
    with lab.page.expect_download() as download:
        explorer.get_by_role("button", name="Download the table").click()
    assert download.value.suggested_filename == "qlab-pareto.csv"
    text = download.value.path().read_text("utf-8-sig")
    assert text.startswith("model,origin,standing,accuracy,")
    assert "baseline-int8" in text
    lab.screenshot("pareto-table-light", explorer)
