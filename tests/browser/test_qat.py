"""The QAT explorer in JupyterLab: bits moved, a training stopped, cells run meanwhile."""

import re

import pytest
from playwright.sync_api import expect

RUN_SECOND = """() => {
  const panel = window.qlabPanel;
  panel.content.activeCellIndex = 1;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""


@pytest.mark.browser
def test_training_is_watched_and_stopped_while_cells_run(lab):
    cell = "from qlab.widgets import QatExplorer\nexplorer = QatExplorer()\nexplorer"
    other = "print('a cell ran while training:', explorer.job.running)"
    lab.open(lab.write("qat.ipynb", cell, other))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    picture, readout = explorer.locator(".qlab-picture"), explorer.locator(".qlab-readout")
    picture.wait_for()
    expect(readout).to_contain_text("all three agree")
    lab.screenshot("qat-light", explorer)

    explorer.locator(".qlab-weight-bits .noUi-handle").press("Home")
    expect(explorer.get_by_label("Weight bits")).to_have_value("2")
    expect(picture).to_have_attribute("title", re.compile("At 2 bits"), timeout=30_000)
    expect(explorer.locator(".qlab-notes")).to_contain_text("GPTQ is the best")
    explorer.get_by_label("Layer shown").select_option("conv2")
    expect(picture).to_have_attribute("title", re.compile("Weights of conv2"))

    explorer.get_by_role("button", name="Start live training").press("Enter")
    expect(explorer.get_by_role("progressbar")).to_be_visible()
    lab.page.evaluate(RUN_SECOND)
    output = lab.page.locator(".jp-OutputArea-output", has_text="a cell ran while training")
    expect(output).to_contain_text("a cell ran while training: True")
    learning = re.compile(r"Live training after (0\.[2-9]|[12])")
    expect(picture).to_have_attribute("title", learning, timeout=120_000)
    expect(explorer.locator(".qlab-job").first).to_contain_text("s left")
    explorer.get_by_role("button", name="Stop").click()
    expect(explorer.locator(".qlab-job").first).to_contain_text("the best so far is kept")
    expect(explorer.get_by_role("button", name="Start live training")).to_be_visible()
    expect(readout).to_contain_text("Live, best so far")
    lab.screenshot("qat-live-light", explorer)

    with lab.page.expect_download() as download:
        explorer.get_by_role("button", name="Download the best so far").click()
    assert download.value.suggested_filename == "qlab-qat-w2.tflite"
    lab.theme("dark")
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)
    lab.screenshot("qat-dark", explorer)
    explorer.get_by_label("Weight bits").select_option("8")
    expect(readout).to_contain_text("too close to call", timeout=30_000)
