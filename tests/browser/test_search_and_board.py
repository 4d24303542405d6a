"""A search for bits and zeros in JupyterLab, on few pictures; and the class board."""

import pytest
from playwright.sync_api import expect

from .course import PATIENCE, both_themes, changes, fill

pytestmark = pytest.mark.browser

SEARCH = """from qlab.trials.search import search_images
from qlab.widgets import SearchExplorer
images, labels = search_images(500)
SearchExplorer(images=images, labels=labels)"""

BOARD = """import qlab
from qlab import challenge
from qlab.widgets import ChallengeBoard
for who, name in (("qlab, chain", "chain-int8-seed0"), ("qlab, 2 bits", "qat-w2-seed0")):
    challenge.submit({0!r}, qlab.artefacts.path(name + ".tflite"), who)
ChallengeBoard({0!r})"""


def test_a_search_keeps_to_its_budget(lab):
    lab.open(lab.write("search.ipynb", SEARCH))
    lab.run_all()
    explorer = lab.page.locator(".qlab-explorer")
    fill(explorer, "Budget (KB, gzipped)", 34.5)
    explorer.get_by_label("Files a press").fill("20")
    explorer.get_by_label("Files a press").press("Enter")
    changes(explorer, lambda: explorer.get_by_role("button", name="Search").press("Enter"))
    expect(explorer.locator(".qlab-job").first).to_contain_text("Done.", timeout=PATIENCE)
    expect(explorer).to_contain_text("among 133 of 133 uniform files")
    both_themes(lab, "search", explorer)


def test_a_board_is_looked_at_again(lab, tmp_path):
    lab.open(lab.write("board.ipynb", BOARD.format(str(tmp_path))))
    lab.run_all()
    place = lab.page.locator(".qlab-board")
    place.get_by_role("button", name="Look again").press("Enter")
    expect(place.get_by_role("status")).to_contain_text("2 submissions, 0 measured just now")
    expect(place.locator("table").first).to_contain_text("qlab, chain")
    both_themes(lab, "board", place)
