"""Do it in code: exercises, their checks, their hints and their reference solutions."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

from qlab.lessons import memory
from qlab.lessons.cards import card
from qlab.lessons.registry import Registry

EXERCISES = Registry("exercise")


@dataclass(frozen=True)
class Finding:
    """What a judge saw. ``problem`` is empty when the answer is right.

    ``mistake`` is a name among the exercise's mistakes, or words. Where the problem is ``plain``,
    it says all, and a general hint would lead away from it.
    """

    problem: str = ""
    mistake: str = ""
    attempted: bool = True
    note: str = ""
    plain: bool = False


INTERRUPTED = Finding(
    "The check was interrupted before it was done.",
    "If your function seems to run for ever, look at its loops: something must change in each "
    "turn, so that the loop can end.",
)


@dataclass(frozen=True)
class Exercise:
    """A task with its judge, its reference and its hints, from weak to strong.

    ``mistakes`` has the words for the names by which the judge calls mistakes.
    """

    id: str
    judge: Callable[[object], Finding]
    reference: Callable
    hints: tuple[str, ...]
    mistakes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The answer to a check. ``status`` is "correct", "not yet" or "not attempted yet"."""

    id: str
    status: str
    lines: tuple[str, ...] = ()

    @property
    def passed(self):
        """True when the answer is right."""
        return self.status == "correct"

    def __repr__(self):
        return "\n".join((f"{self.id}: {self.status}", *self.lines))

    def _repr_html_(self):
        state = {"correct": "right", "not yet": "wrong"}.get(self.status, "open")
        return card(state, f"{self.id}: {self.status}", *self.lines)


@dataclass(frozen=True, repr=False)
class Solution:
    """Source code that prints as it is and shows highlighted in a notebook."""

    title: str
    source: str

    def __repr__(self):
        return f"# {self.title}\n{self.source}"

    def _repr_markdown_(self):
        return f"```python\n{self!r}\n```"


def untouched(answer):
    """Tell whether an answer is a starter's placeholder: None, ``...``, or a tuple of those."""
    if isinstance(answer, tuple) and answer:
        return all(untouched(part) for part in answer)
    return answer is None or answer is Ellipsis


def check(id, answer):
    """Check an answer: a function, a number or a recipe.

    Parameters
    ----------
    id : str
    answer : object
        What the exercise asks for. None, ``...`` and an unchanged starter are fine.

    Returns
    -------
    CheckResult
        What failed on which input, and a hint. Hints grow stronger with each failure.

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> check("ptq.packed_bytes", lambda count, bits: -(-count * bits // 8))
    ptq.packed_bytes: correct
    >>> check("ptq.packed_bytes", ...)
    ptq.packed_bytes: not attempted yet
    """
    exercise = EXERCISES.find(id)
    id = exercise.id
    finding = _judged(exercise, answer)
    if not finding.attempted:
        memory.seen(id)
        return CheckResult(id, "not attempted yet", tuple(filter(None, [finding.note])))
    if not finding.problem:
        memory.record_check(id, passed=True)
        return CheckResult(id, "correct", tuple(filter(None, [finding.note])))
    mistake = exercise.mistakes.get(finding.mistake, finding.mistake)
    general = not (mistake or finding.plain)
    tried = memory.record_check(id, passed=False, mistake=mistake, general=general)
    hints = _hints(exercise, mistake, tried, general)
    return CheckResult(id, "not yet", (finding.problem, *hints))


def _judged(exercise, answer):
    if untouched(answer):
        return Finding(attempted=False)
    try:
        return exercise.judge(answer)
    except KeyboardInterrupt:
        return INTERRUPTED


def _hints(exercise, mistake, tried, general):
    """A recognised mistake is named; where nothing else is known, there is a `general` hint."""
    last = len(exercise.hints)
    level = min(tried["general"], last)
    if mistake:
        yield f"Hint: {mistake}"
    if general:
        memory.record_hint(exercise.id, level)
        yield f"Hint {level} of {last}: {exercise.hints[level - 1]}"
    if level == last if general else tried["failures"] >= last:
        yield f'Still stuck? solution("{exercise.id}") shows one way.'


def solution(id):
    """Show the reference for an exercise: the source that the check itself runs.

    Parameters
    ----------
    id : str

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    exercise = EXERCISES.find(id)
    reference = exercise.reference
    memory.record_solution(exercise.id)
    source = textwrap.dedent(inspect.getsource(reference)).rstrip()
    return Solution(f"{reference.__module__}.{reference.__qualname__}", source)
