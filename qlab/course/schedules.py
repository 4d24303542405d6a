"""Exercise of notebook 04: how sparsity rises while a model trains."""

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function, like


def polynomial(step, begin_step, end_step, initial, final):
    """Sparsity at a step: 0 at first, then from `initial` to `final`, fast and ever slower."""
    if step < begin_step:
        return 0.0
    rest = 1 - (min(step, end_step) - begin_step) / (end_step - begin_step)
    return final + (initial - final) * rest**3


def _schedule(*, power=3, rest=True, ends=True, early=0.0, shifted=True, lowest=None, factor=1):
    """`polynomial` with one thing done differently."""

    def answer(step, begin_step, end_step, initial, final):
        if ends and step < begin_step:
            return factor * (initial if early is None else early)
        first = initial if lowest is None else lowest
        at = min(step, end_step) if ends else step
        done = (at - begin_step) / (end_step - begin_step) if shifted else at / end_step
        if rest:
            return factor * (final + (first - final) * (1 - done) ** power)
        return factor * (first + (final - first) * done**power)

    return answer


EXERCISES.add(
    Exercise(
        "04.polynomial",
        for_function(
            polynomial,
            [
                (150, 100, 300, 0.5, 0.9),
                (40, 100, 300, 0.5, 0.9),
                (700, 100, 300, 0.5, 0.9),
                (260, 50, 450, 0.2, 0.8),
                (50, 50, 450, 0.2, 0.8),
            ],
            mistakes={
                "Outside begin_step and end_step the curve runs on. "
                "It is 0 before the first, and stays after the last.": like(_schedule(ends=False)),
                "Before begin_step nothing is pruned yet: 0.": like(_schedule(early=None)),
                "This begins slowly and cuts most at the end, when training can no longer repair "
                "it. Cube what is left of the way, not what is done.": like(_schedule(rest=False)),
                "This is a straight line. Cube what is left of the way.": like(_schedule(power=1)),
                "This is a square. The power is 3.": like(_schedule(power=2)),
                "The way begins at begin_step, not at step 0.": like(_schedule(shifted=False)),
                "It begins at 0. At begin_step, `initial` goes at once.": like(_schedule(lowest=0)),
                "These are percent. Give a fraction.": like(_schedule(factor=100)),
            },
        ),
        polynomial,
        (
            "Three cases: before begin_step, between the two, after end_step.",
            "Of the way from begin_step to end_step, which part is still left? It goes from 1 to "
            "0. Cube it.",
            "final + (initial - final) * left**3",
        ),
    )
)
