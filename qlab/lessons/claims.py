"""A claim as something that can fail: cases, a number in each, and limits set before measuring."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from qlab.lessons.cards import MARKS, table_card
from qlab.lessons.limits import Limit
from qlab.lessons.predictions import Question
from qlab.lessons.registry import Registry

OUTCOMES = ("true", "true with a condition", "false")
CLAIMS = Registry("claim")
STATES = dict(zip(OUTCOMES, ("right", "open", "wrong"), strict=True))


def mark(held):
    """Say what a claim is worth: one of `OUTCOMES`."""
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
    limits : Limit or sequence of Limit
        A case holds if it keeps all of them.
    why : str
        A sentence or two, read after the mark.
    condition : str
        In a few words, when it holds; said if the mark is "true with a condition".

    Raises
    ------
    TypeError
        If `limits` holds anything but limits, or nothing.

    Examples
    --------
    >>> claim = Claim("mine", "Half the bits, half the file.", Limit("times smaller", low=1.9))
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
    condition: str = ""

    def __post_init__(self):
        given = self.limits
        limits = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        if not limits or not all(isinstance(limit, Limit) for limit in limits):
            raise TypeError(f"limits is {given!r}; give Limit(quantity, low=... or high=...)")
        object.__setattr__(self, "limits", limits)

    @property
    def question(self):
        """Question: tells the limit and asks for the mark, before anything is measured."""
        text = f"“{self.words}” {self.rule} How will the measurement mark that?"
        return Question(self.id, text, {outcome: outcome for outcome in OUTCOMES}, why=self.why)

    @property
    def rule(self):
        """str: when a case holds, in words."""
        return f"Limit: {'; '.join(map(str, self.limits))}."

    def check(self, numbers):
        """Hold the claim against what was measured.

        `numbers` has for each case a number or, with several limits, a tuple in their order.
        """
        if not isinstance(numbers, Mapping):
            raise TypeError(f'give a dictionary, such as {{"8 bits": 3.6}}, not {numbers!r}')
        if not numbers:
            raise ValueError("there is no case: give a dictionary, with a number for each case")
        return CheckedClaim(self, {case: self._row(case, x) for case, x in numbers.items()})

    def _row(self, case, given):
        """The numbers of one case, one a limit."""
        row = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        wanted = ", ".join(limit.quantity for limit in self.limits)
        for number in row:
            if not isinstance(number, Real):
                advice = "its accuracy is one" if hasattr(number, "accuracy") else f"give {wanted}"
                kind = type(number).__name__
                raise TypeError(f"case {case!r} is a {kind}, not a number: {advice}")
        if len(row) != len(self.limits) or not all(map(math.isfinite, row)):
            raise ValueError(f"case {case!r} is {given}; give numbers: {wanted}")
        return tuple(map(float, row))


@dataclass(frozen=True, repr=False)
class CheckedClaim:
    """A claim beside what was measured. `Claim.check` makes it."""

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
        """str: when it holds, in the claim's words or else by its cases; "" if always or never."""
        if self.mark != "true with a condition":
            return ""
        if self.claim.condition:
            return f"true {self.claim.condition}"
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
        lines = [f"“{self.claim.words}”", self.claim.rule]
        for case, holds in self.held.items():
            lines.append(f"  {'holds   ' if holds else 'does not'}  {case}: {self.say(case)}")
        return "\n".join((*lines, self._end))

    def _repr_html_(self):
        rows = [(case, self.say(case), _said(holds)) for case, holds in self.held.items()]
        caption = f"“{self.claim.words}”\n{self.claim.rule}"
        heads = "case", "measured", "the claim"
        return table_card(STATES[self.mark], caption, heads, rows, self._end)

    @property
    def _end(self):
        named = f": {self.condition}" if self.claim.condition and self.condition else ""
        return f"So it is: {self.mark}{named}"


def check_claim(id, numbers):
    """Hold one of the course's claims against what was measured.

    Parameters
    ----------
    id : str
        Such as "claims.third".
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
    >>> check_claim("claims.third", {"int8": 3.6, "float16": 1.96}).mark
    'true with a condition'
    """
    return CLAIMS.find(id).check(numbers)


def _said(holds):
    return f"{MARKS['right']} holds" if holds else f"{MARKS['wrong']} does not hold"
