"""The exercise of notebook 06 on the Pareto front: the models that no other beats."""

import operator

import numpy as np

from qlab.lessons.exercises import EXERCISES, Exercise
from qlab.lessons.judges import for_function
from qlab.trials.fronts import front


def _array(got):
    """An answer as an array; None if it cannot be one."""
    try:
        return np.asarray(sorted(got) if isinstance(got, set) else got)
    except (TypeError, ValueError):
        return None


def _points(costs, accuracies, chosen):
    """The points that indices stand for; None if they are no indices."""
    chosen = _array(chosen)
    if chosen is None or chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        return None
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(costs):
        return None
    return {(costs[i], accuracies[i]) for i in chosen.astype(int)}


def _same_front(args, expected, got):
    return _points(*args, expected) == _points(*args, got)


def _picks(choose):
    """Tell a mistake: the indices stand for the points of those that `choose` keeps."""
    return lambda args, got: _points(*args, got) == _points(*args, choose(*args))


def _unless(beats):
    """Indices of the points that no other beats, by some notion of beating."""

    def choose(costs, accuracies):
        points = list(zip(costs, accuracies, strict=True))
        return [
            i
            for i, mine in enumerate(points)
            if not any(beats(x, mine) for j, x in enumerate(points) if j != i)
        ]

    return choose


def _swept(key, keeps):
    """Indices kept on the way from small to large, by some order and some comparison."""

    def choose(costs, accuracies):
        points, kept, highest = list(zip(costs, accuracies, strict=True)), [], -1
        for i in sorted(range(len(costs)), key=lambda i: key(points[i])):
            if keeps(accuracies[i], highest):
                kept.append(i)
                highest = accuracies[i]
        return kept

    return choose


def _by_cost(point):
    return point[0]


def _by_both(point):
    return point[0], -point[1]


def _are_sorted_places(args, got):
    """Tell a mistake: places in a list that was sorted first."""
    points = list(zip(*args, strict=True))
    for key in (_by_cost, _by_both, tuple):
        order = sorted(points, key=key)
        if _points(*zip(*order, strict=True), got) == _points(*args, front(*args)):
            return True
    return False


def _only(side, best):
    """Tell a mistake: nothing but the best on one side, cost 0 or accuracy 1."""

    def looks_like(args, got):
        points = _points(*args, got)
        return bool(points) and {x[side] for x in points} == {best(args[side])}

    return looks_like


def _is_empty(args, got):
    got = _array(got)
    return got is not None and got.size == 0


def _is_mask(args, got):
    got = _array(got)
    return got is not None and got.dtype.kind == "b" and got.shape == (len(args[0]),)


def _are_points(args, got):
    got = _array(got)
    pairs = got is not None and got.ndim == 2 and got.dtype.kind in "iuf"
    return pairs and {tuple(x) for x in got.tolist()} == _points(*args, front(*args))


FRONTS = [
    ([30, 10, 20, 10, 30, 25], [0.90, 0.80, 0.70, 0.80, 0.88, 0.84]),
    ([50, 20, 20, 40, 10, 60], [0.93, 0.91, 0.90, 0.91, 0.85, 0.93]),
    ([5, 4, 3, 2, 1], [0.5, 0.6, 0.7, 0.8, 0.8]),
    ([20, 20, 40, 10], [0.90, 0.91, 0.93, 0.85]),
]

EXERCISES.add(
    Exercise(
        "06.front",
        for_function(
            front,
            FRONTS,
            same=_same_front,
            mistakes={
                "Two models of one size: the less accurate is beaten, even if it comes first in "
                "your list.": _picks(_swept(_by_cost, operator.gt)),
                "A larger model that is only as accurate is beaten: ask for more accurate than all "
                "smaller ones.": _picks(_swept(_by_both, operator.ge)),
                "A model that is as accurate and smaller beats, too, and so does one that is as "
                "small and more accurate. Being better on one side is enough, if the other is no "
                "worse.": _picks(_unless(lambda x, m: x[0] < m[0] and x[1] > m[1])),
                "With <= and >= alone, two equal models beat each other, and both are gone. "
                "One that beats must be better on at least one side.": _picks(
                    _unless(lambda x, m: x[0] <= m[0] and x[1] >= m[1])
                ),
                "Here each model also beats itself, and nothing is left. Compare it with the "
                "others only, or ask for better on at least one side.": _is_empty,
                "These are the smallest alone. A larger model is on the front if it is more "
                "accurate than all smaller ones.": _only(0, min),
                "These are the most accurate alone. A less accurate model is on the front if it is "
                "smaller than all better ones.": _only(1, max),
                "A higher accuracy is better; here the lower one wins.": _picks(
                    _unless(lambda x, m: x[0] <= m[0] and x[1] <= m[1] and x != m)
                ),
                "This is a mask. Indices are wanted: np.flatnonzero makes them.": _is_mask,
                "These are the points. Their indices are wanted, from 0 on.": _are_points,
                "These are places after sorting. Give those in the lists you got.": (
                    _are_sorted_places
                ),
            },
        ),
        front,
        (
            "When does one model beat another? Not larger, not less accurate, and not the same.",
            "Go through the models from the smallest on. Which of them are on the front?",
            "From the smallest on, of equal size the more accurate first: keep a model if it is "
            "more accurate than all that were kept before.",
        ),
    )
)
