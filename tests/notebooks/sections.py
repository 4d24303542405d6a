"""A notebook as its learner may take it: from the start, or a section alone after a restart."""

import re

HEADING = re.compile(r"^## (.*)", re.MULTILINE)
NEEDS = re.compile(r"This section needs sections? (\d[\d, and]*)")
# A quiz asks about what the whole page measured, and what you saw is a recap: neither is a section.
ENDS = ("Quiz", "What you saw", "What carries over")


def sections(notebook):
    """The code cells before the first heading, and ``{heading: code cells}`` of what may follow.

    What a section says that it needs comes before its own cells: that is what the learner made.
    """
    first, found, needed, here = [], {}, {}, None
    for cell in notebook.cells:
        heading = cell.cell_type == "markdown" and HEADING.search(cell.source)
        if heading:
            here = heading[1]
            said = NEEDS.search(cell.source)
            needed[here] = re.findall(r"\d+", said[1]) if said else []
        elif cell.cell_type == "code":
            (first if here is None else found.setdefault(here, [])).append(cell)
    by_number = {title.split(".")[0]: cells for title, cells in found.items()}
    return first, {
        title: [cell for number in needed[title] for cell in by_number[number]] + cells
        for title, cells in found.items()
        if not title.startswith(ENDS)
    }
