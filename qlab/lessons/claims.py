"""A claim as something that can fail: cases, a number in each, and limits set before measuring.

A claim holds in a case if its numbers there keep every limit. The mark follows from the cases
alone: it holds in all of them, in some, or in none. Nobody types a mark.
"""

import math
from dataclasses import dataclass

from qlab.lessons.cards import MARKS, table_card
from qlab.lessons.predictions import Question
from qlab.lessons.registry import Registry

OUTCOMES = ("true", "true with a condition", "false")
CLAIMS = Registry("claim")
STATES = dict(zip(OUTCOMES, ("right", "open", "wrong"), strict=True))


@dataclass(frozen=True)
class Limit:
    """A quantity, and the range in which a claim about it holds, both ends included.

    Parameters
    ----------
    quantity : str
        With its unit, such as "times smaller".
    low, high : float
    digits : int
        Of its numbers after the point, in print.
    unit : str
        What is printed after a number; `quantity` if not given.

    Raises
    ------
    ValueError
        If there is neither end, or `low` is above `high`.

    Examples
    --------
    >>> limit = Limit("points lost", high=1)
    >>> str(limit), limit.holds(0.4), limit.holds(3)
    ('points lost, at most 1', True, False)
    """

    quantity: str
    low: float = -math.inf
    high: float = math.inf
    digits: int = 1
    unit: str = ""

    def __post_init__(self):
        """A limit that everything keeps, or nothing, is none."""
        if math.isinf(self.low) and math.isinf(self.high):
            raise ValueError(f"the limit of {self.quantity!r} needs low, high or both")
        if self.low > self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}: nothing lies between")

    def __str__(self):
        if math.isinf(self.high):
            return f"{self.quantity}, at least {self.low:g}"
        if math.isinf(self.low):
            return f"{self.quantity}, at most {self.high:g}"
        return f"{self.quantity}, {self.low:g} to {self.high:g}"

    def holds(self, number):
        """Whether a number keeps this limit."""
        return self.low <= number <= self.high

    def say(self, *numbers):
        """One number, or the smallest and the largest of several, with the unit."""
        ends = dict.fromkeys(f"{end:.{self.digits}f}" for end in (min(numbers), max(numbers)))
        return f"{' to '.join(ends)} {self.unit or self.quantity}"


def mark(held):
    """Say what a claim is worth: one of `OUTCOMES`.

    Parameters
    ----------
    held : dict of str to bool
        For each case, whether the claim holds in it.

    Returns
    -------
    str

    Examples
    --------
    >>> mark({"8 bits": True, "2 bits": False})
    'true with a condition'
    >>> mark({"8 bits": True, "4 bits": True}), mark({"8 bits": False})
    ('true', 'false')
    """
    if all(held.values()):
        return "true"
    return "true with a condition" if any(held.values()) else "false"


@dataclass(frozen=True)
class Claim:
    """A sentence that people repeat, and what would make it true.

    Parameters
    ----------
    id : str
    words : str
        The sentence.
    limits : tuple of Limit
        A case holds if it keeps all of them.
    why : str
        A sentence or two, read after the mark.

    Examples
    --------
    >>> claim = Claim("07.mine", "Half the bits, half the file.", (Limit("times smaller", 1.9),))
    >>> claim.check({"large network": 1.96, "small network": 1.76})
    “Half the bits, half the file.”
    Limit: times smaller, at least 1.9.
      holds     large network: 2.0 times smaller
      does not  small network: 1.8 times smaller
    So it is: true with a condition
    """

    id: str
    words: str
    limits: tuple[Limit, ...]
    why: str = ""

    @property
    def question(self):
        """Question: asks for the mark, before anything is measured."""
        text = f"“{self.words}” How will the measurement mark that?"
        return Question(self.id, text, {outcome: outcome for outcome in OUTCOMES}, why=self.why)

    @property
    def rule(self):
        """str: when a case holds, in words."""
        return f"Limit: {'; '.join(map(str, self.limits))}."

    def check(self, numbers):
        """Hold the claim against what was measured.

        Parameters
        ----------
        numbers : dict of str to float, or to tuple of float
            For each case one number a limit, in the order of the limits.

        Returns
        -------
        CheckedClaim

        Raises
        ------
        ValueError
            If there is no case, or a case has not one finite number for each limit.
        """
        if not numbers:
            raise ValueError("there is no case: give a dictionary, with a number for each case")
        cases = {}
        for case, given in numbers.items():
            row = tuple(map(float, given if isinstance(given, tuple) else (given,)))
            if len(row) != len(self.limits) or not all(map(math.isfinite, row)):
                wanted = ", ".join(limit.quantity for limit in self.limits)
                raise ValueError(f"case {case!r} is {given}; give numbers: {wanted}")
            cases[case] = row
        return CheckedClaim(self, cases)


@dataclass(frozen=True, repr=False)
class CheckedClaim:
    """A claim beside what was measured. `Claim.check` makes it.

    Attributes
    ----------
    claim : Claim
    numbers : dict of str to tuple of float
        For each case one number a limit.
    """

    claim: Claim
    numbers: dict

    @property
    def held(self):
        """dict of str to bool: for each case, whether the claim holds in it."""
        limits = self.claim.limits
        return {
            case: all(limit.holds(number) for limit, number in zip(limits, row, strict=True))
            for case, row in self.numbers.items()
        }

    @property
    def mark(self):
        """str: one of `OUTCOMES`, from `held` alone."""
        return mark(self.held)

    @property
    def condition(self):
        """str: the cases in which the claim holds, and those in which not; "" if it needs none."""
        if self.mark != "true with a condition":
            return ""
        with_it, without = (
            ", ".join(case for case, holds in self.held.items() if holds is wanted)
            for wanted in (True, False)
        )
        return f"holds for: {with_it}; not for: {without}"

    @property
    def measured(self):
        """str: for each limit, the smallest and the largest number of all cases."""
        columns = zip(*self.numbers.values(), strict=True)
        return ", ".join(
            limit.say(*column) for limit, column in zip(self.claim.limits, columns, strict=True)
        )

    def say(self, case):
        """The numbers of one case in words."""
        row = zip(self.claim.limits, self.numbers[case], strict=True)
        return ", ".join(limit.say(number) for limit, number in row)

    def __repr__(self):
        """Fixed text, for a page or a test without a browser."""
        lines = [f"“{self.claim.words}”", self.claim.rule]
        for case, holds in self.held.items():
            lines.append(f"  {'holds   ' if holds else 'does not'}  {case}: {self.say(case)}")
        return "\n".join((*lines, f"So it is: {self.mark}"))

    def _repr_html_(self):
        rows = [(case, self.say(case), _said(holds)) for case, holds in self.held.items()]
        caption = f"“{self.claim.words}” {self.claim.rule}"
        heads = "case", "measured", "the claim"
        return table_card(STATES[self.mark], caption, heads, rows, f"So it is: {self.mark}")


def check_claim(id, numbers):
    """Hold one of the course's claims against what was measured.

    Parameters
    ----------
    id : str
        Such as "07.third".
    numbers : dict
        As for `Claim.check`.

    Returns
    -------
    CheckedClaim

    Raises
    ------
    ValueError
        If there is no such claim, or the numbers do not fit it.

    Examples
    --------
    >>> check_claim("07.third", {"int8": 3.6, "float16": 1.96}).mark
    'true with a condition'
    """
    return CLAIMS.find(id).check(numbers)


def _said(holds):
    return f"{MARKS['right']} holds" if holds else f"{MARKS['wrong']} does not hold"
