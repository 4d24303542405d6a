"""The Pareto front: the models that no other beats."""

import operator

import numpy as np

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


def _are_values(args, got):
    """Tell a mistake: the sizes, or the accuracies, of the right models."""
    got, right = _array(got), front(*args)
    return got is not None and any(
        sorted(got.ravel().tolist()) == sorted(values[i] for i in right) for values in args
    )


FRONTS = [
    ([30, 10, 20, 10, 30, 25], [0.90, 0.80, 0.70, 0.80, 0.88, 0.84]),
    ([50, 20, 20, 40, 10, 60], [0.93, 0.91, 0.90, 0.91, 0.85, 0.93]),
    ([5, 4, 3, 2, 1], [0.5, 0.6, 0.7, 0.8, 0.8]),
    ([20, 20, 40, 10], [0.90, 0.91, 0.93, 0.85]),
]

judge_front = for_function(
    front,
    FRONTS,
    same=_same_front,
    mistakes={
        "equal_size": _picks(_swept(_by_cost, operator.gt)),
        "equal_accuracy": _picks(_swept(_by_both, operator.ge)),
        "one_side_is_enough": _picks(_unless(lambda x, m: x[0] < m[0] and x[1] > m[1])),
        "equal_points": _picks(_unless(lambda x, m: x[0] <= m[0] and x[1] >= m[1])),
        "beaten_by_itself": _is_empty,
        "smallest_alone": _only(0, min),
        "most_accurate_alone": _only(1, max),
        "lower_wins": _picks(_unless(lambda x, m: x[0] <= m[0] and x[1] <= m[1] and x != m)),
        "mask": _is_mask,
        "points": _are_points,
        "values": _are_values,
        "sorted_places": _are_sorted_places,
    },
)
