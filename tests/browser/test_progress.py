"""Guess, fail, take a hint, pass, come back: the progress is still there."""

import pytest

pytestmark = pytest.mark.browser

WRONG = "check('ptq.packed_bytes', lambda count, bits: 0)"
RIGHT = "check('ptq.packed_bytes', lambda count, bits: -(-count * bits // 8))"
CELLS = (
    "import os\nos.environ['QLAB_PROGRESS'] = 'remember.json'\n"  # apart from other tests
    "from qlab.lessons import check, predict, progress, reveal",
    "predict('welcome.size')",
    "reveal('welcome.size', 3.62)",
    WRONG,
    "progress()",
)
SET_SOURCE = """([index, source]) =>
  window.qlabPanel.content.model.sharedModel.cells[index].setSource(source)"""


def outputs(lab):
    """The text on the page below the cells."""
    return " ".join(lab.page.locator(".jp-OutputArea").all_inner_texts())


def test_progress_outlives_page_and_kernel(lab):
    lab.open(lab.write("remember.ipynb", *CELLS))
    lab.run_all()
    assert "Guess skipped" in outputs(lab) and "Hint 1 of" in outputs(lab)

    option = lab.page.locator(".qlab-prediction input[type=radio]").first
    option.focus()
    lab.page.keyboard.press("Space")
    lab.page.get_by_text("Kept: less than 2 times").wait_for()
    lab.page.evaluate(SET_SOURCE, [3, RIGHT])
    lab.run_all()
    assert "Your guess: less than 2 times" in outputs(lab)
    assert "ptq.packed_bytes: correct" in outputs(lab)

    lab.close()  # the kernel goes
    lab.page.reload()
    lab.open("remember.ipynb")
    lab.run_all()
    assert "Your guess: less than 2 times" in outputs(lab)
    assert lab.page.locator(".qlab-prediction input[type=radio]").first.is_checked()
    row = lab.page.get_by_role("row", name="00 Welcome")
    assert "1 of 2 made: 0 right, 1 wrong" in row.inner_text()
    row = lab.page.get_by_role("row", name="02 Post-training quantization")
    assert "1 of 6 passed" in row.inner_text()
    lab.theme("dark")
    lab.screenshot("progress-dark")
