"""Tables of words that also print as text, and one of all claims with their marks and numbers."""

from collections.abc import Mapping

from markupsafe import Markup

from qlab.lessons.cards import MARKS, element, table_card
from qlab.lessons.claims import STATES, CheckedClaim


class WordsTable:
    """A table of words; a cell that is a list of (words, address) shows links.

    Parameters
    ----------
    caption : str
    heads : sequence of str
    rows : iterable of sequences

    Examples
    --------
    >>> rows = [("small", "16 KB"), ("large", [("more", "boards.html")])]
    >>> WordsTable("Boards", ("board", "RAM"), rows)
    Boards
    board | RAM
    small | 16 KB
    large | more
    """

    def __init__(self, caption, heads, rows):
        self.caption, self.heads, self.rows = caption, tuple(heads), [tuple(row) for row in rows]

    def __repr__(self):
        plain = [[_plain(cell) for cell in row] for row in (self.heads, *self.rows)]
        return "\n".join([self.caption, *map(" | ".join, plain)])

    def _repr_html_(self):
        rows = [tuple(map(_linked, row)) for row in self.rows]
        return table_card("open", self.caption, self.heads, rows)


def _plain(cell):
    return "; ".join(words for words, _ in cell) if isinstance(cell, list) else str(cell)


def _linked(cell):
    if not isinstance(cell, list):
        return cell
    return Markup("; ").join(element("a", words, href=address) for words, address in cell)


class ClaimsTable(WordsTable):
    """Checked claims, their marks and their numbers, as a table that also prints as text.

    Parameters
    ----------
    checked : iterable of CheckedClaim
        Or a dictionary of them.

    Raises
    ------
    TypeError
        If there is anything else in it.

    Examples
    --------
    >>> from qlab.lessons.claims import Claim, Limit
    >>> claim = Claim("mine", "Half the bits, half the file.", Limit("times smaller", low=1.9))
    >>> ClaimsTable([claim.check({"large network": 1.96, "small network": 1.76})])
    true with a condition: Half the bits, half the file.
        1.8 to 2.0 times smaller; holds for: large network; not for: small network
    """

    def __init__(self, checked):
        self.checked = tuple(checked.values() if isinstance(checked, Mapping) else checked)
        for one in self.checked:
            if not isinstance(one, CheckedClaim):
                raise TypeError(f"{one!r} is no checked claim: give what claim.check(...) returns")
        rows = [
            (
                found.claim.words,
                f"{MARKS[STATES[found.mark]]} {found.mark}",
                "; ".join(filter(None, (found.measured, found.condition))),
            )
            for found in self.checked
        ]
        super().__init__("Claims, marks, numbers", ("claim", "mark", "measured"), rows)

    def __repr__(self):
        marks = (found.mark for found in self.checked)
        rows = zip(self.rows, marks, strict=True)
        return "\n".join(f"{mark}: {claim}\n    {words}" for (claim, _, words), mark in rows)
