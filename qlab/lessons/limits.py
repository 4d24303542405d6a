"""A limit: a quantity, and the range in which a claim about it holds."""

import math
from dataclasses import KW_ONLY, dataclass
from numbers import Real


@dataclass(frozen=True)
class Limit:
    """A quantity, and the range in which a claim about it holds, both ends included.

    Parameters
    ----------
    quantity : str
        With its unit, such as "times smaller".
    low, high : float
        By name: what stands alone could be either end.
    digits : int
        Of its numbers after the point, in print. There are more where they are needed: below 1
        leading zeros do not count, unless `digits` is 0, and no number is rounded over an end.
    unit : str
        What is printed after a number; `quantity` if not given.

    Raises
    ------
    TypeError
        If an end is given without its name, or is no number.
    ValueError
        If there is neither end, or `low` is above `high`.

    Examples
    --------
    >>> limit = Limit("points lost", high=1)
    >>> str(limit), limit.holds(0.4), limit.holds(3)
    ('points lost, at most 1', True, False)
    >>> limit.say(0.63), limit.say(1.001), limit.say(0.02, 12.34)
    ('0.6 points lost', '1.001 points lost', '0.02 to 12.3 points lost')
    """

    quantity: str
    _: KW_ONLY
    low: float = -math.inf
    high: float = math.inf
    digits: int = 1
    unit: str = ""

    def __new__(cls, *given, **named):
        """Refuse an end without a name, in words."""
        if len(given) > 1:
            ends = ", ".join(map(repr, given[1:]))
            raise TypeError(f"which end is {ends}? Write low=... (at least) or high=... (at most)")
        return super().__new__(cls)

    def __post_init__(self):
        for name in ("low", "high"):
            end = getattr(self, name)
            if not isinstance(end, Real):
                raise TypeError(f"{name} is {end!r}; give a number, such as {name}=0.5")
        if math.isinf(self.low) and math.isinf(self.high):
            raise ValueError(f"the limit of {self.quantity!r} needs low, high or both")
        if not self.low <= self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}: nothing lies between")

    def __str__(self):
        if math.isinf(self.high):
            return f"{self.quantity}, at least {self.low:g}"
        if math.isinf(self.low):
            return f"{self.quantity}, at most {self.high:g}"
        return f"{self.quantity}, {self.low:g} to {self.high:g}"

    def holds(self, number):
        """Whether a number keeps this limit."""
        return bool(self.low <= number <= self.high)

    def write(self, number):
        """A number as text, on the side of each end on which it lies.

        >>> limit = Limit("times smaller", low=3, high=4, digits=2)
        >>> limit.write(3.6251), limit.write(2.9999999), limit.write(0.0192)
        ('3.63', '2.9999999', '0.019')
        """
        more = _leading_zeros(number) if self.digits else 0
        for digits in range(self.digits + more, 18):
            text = f"{round(number, digits) + 0.0:.{digits}f}"  # + 0.0: never "-0.0"
            if self.holds(float(text)) == self.holds(number):
                return text
        return repr(number)

    def say(self, *numbers):
        """One number, or the smallest and the largest of several, with the unit."""
        ends = dict.fromkeys(self.write(end) for end in (min(numbers), max(numbers)))
        return f"{' to '.join(ends)} {self.unit or self.quantity}"


def _leading_zeros(number):
    """Zeros after the point before the first other digit; 0 where noise is all that follows."""
    size = abs(number)
    return -math.floor(math.log10(size)) - 1 if 1e-4 <= size < 1 else 0
