"""Any cell may be run again, and any section first: each notebook so, in kernels of its own."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.execute import CELL_TIMEOUT, course
from tests.notebooks.sections import sections

NOTEBOOKS = {path.stem: path for path in course()}
SECTIONS = [
    (stem, title)
    for stem, path in NOTEBOOKS.items()
    for title in sections(nbformat.read(path, as_version=4))[1]
]


def execute(stem, cells):
    """Execute code cells in this order in a new kernel; the first that fails is raised."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x.source) for x in cells])
    where = {"metadata": {"path": str(NOTEBOOKS[stem].parent)}}
    NotebookClient(notebook, timeout=CELL_TIMEOUT, kernel_name="python3", resources=where).execute()


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_each_cell_runs_twice_in_a_row(stem):
    cells = nbformat.read(NOTEBOOKS[stem], as_version=4).cells
    execute(stem, [x for x in cells if x.cell_type == "code" for _ in range(2)])


@pytest.mark.parametrize(("stem", "title"), SECTIONS)
def test_each_section_runs_alone_after_the_first_cell(stem, title):
    first, found = sections(nbformat.read(NOTEBOOKS[stem], as_version=4))
    execute(stem, [*first, *found[title]])
