"""A notebook as its learner may take it: from the start, or a section alone after a restart."""

import re

HEADING = re.compile(r"^## (.*)", re.MULTILINE)
# A quiz asks about what the whole page measured, and what you saw is a recap: neither is a section.
ENDS = ("Quiz", "What you saw", "What carries over")


def sections(notebook):
    """The code cells before the first heading, and ``{heading: code cells}`` of what may follow."""
    first, found, here = [], {}, None
    for cell in notebook.cells:
        heading = cell.cell_type == "markdown" and HEADING.search(cell.source)
        if heading:
            here = heading[1]
        elif cell.cell_type == "code":
            (first if here is None else found.setdefault(here, [])).append(cell)
    return first, {title: cells for title, cells in found.items() if not title.startswith(ENDS)}
