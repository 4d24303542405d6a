"""All claims with their marks and numbers, as a table."""

from collections.abc import Mapping

from qlab.lessons.cards import MARKS, table_card
from qlab.lessons.claims import STATES, CheckedClaim


class ClaimsTable:
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

    def _rows(self):
        for found in self.checked:
            words = "; ".join(filter(None, (found.measured, found.condition)))
            yield found.claim.words, found.mark, words

    def __repr__(self):
        return "\n".join(f"{mark}: {claim}\n    {words}" for claim, mark, words in self._rows())

    def _repr_html_(self):
        rows = [
            (claim, f"{MARKS[STATES[mark]]} {mark}", words) for claim, mark, words in self._rows()
        ]
        return table_card("open", "Claims, marks, numbers", ("claim", "mark", "measured"), rows)
