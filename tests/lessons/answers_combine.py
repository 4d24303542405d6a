"""Answers to the exercises of notebook 07 as learners write them: right ones, classic mistakes."""

import numpy as np


def counted_zeros(before, after):
    old = lasting = 0
    for b, a in zip(before.ravel(), after.ravel(), strict=True):
        old += b == 0
        lasting += b == 0 and a == 0
    return lasting / old


def zeros_by_masks(before, after):
    return ((before == 0) & (after == 0)).sum() / (before == 0).sum()


def looped_step(here, candidates):
    best, price = None, float("inf")
    for place, (right, size) in enumerate(candidates):
        if size >= here[1]:
            continue
        mine = max(1, here[0] - right) / (here[1] - size)
        if mine < price:
            best, price = place, mine
    return best


def step_by_bytes_an_image(here, candidates):
    """Right: bytes saved for each image, the other way round."""
    saved = [max(here[1] - size, 0) for _, size in candidates]
    lost = [max(here[0] - right, 1) for right, _ in candidates]
    return np.divide(saved, lost).argmax()


def prices(here, candidates, floor=1, worst=np.inf):
    return [
        max(here[0] - right, floor) / (here[1] - size) if size < here[1] else worst
        for right, size in candidates
    ]


def step_over_growing(here, candidates):
    lost = [max(here[0] - right, 1) for right, _ in candidates]
    saved = [here[1] - size or 1e-9 for _, size in candidates]
    return int(np.argmin(np.divide(lost, saved)))


def compared_front(costs, accuracies):
    """Right, and in the order of the list; keeps equal points."""
    points = list(zip(costs, accuracies, strict=True))

    def beats(x, y):
        return x[0] <= y[0] and x[1] >= y[1] and x != y

    return [i for i, y in enumerate(points) if not any(beats(x, y) for x in points)]


def swept_front(costs, accuracies):
    found, best = set(), -1.0
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -accuracies[i])):
        if accuracies[i] > best:
            best = accuracies[i]
            found.add(i)
    return found


def front_where(beats, itself=False):
    """The front by some notion of beating."""

    def answer(costs, accuracies):
        points = list(zip(costs, accuracies, strict=True))
        return [
            i
            for i, y in enumerate(points)
            if not any(beats(x, y) for j, x in enumerate(points) if itself or j != i)
        ]

    return answer


def masked_front(costs, accuracies):
    return np.isin(np.arange(len(costs)), compared_front(costs, accuracies))


def front_points(costs, accuracies):
    return [(costs[i], accuracies[i]) for i in swept_front(costs, accuracies)]


def swept_by(key, keeps):
    """The front by one walk from small to large."""

    def answer(costs, accuracies):
        found, best = [], 0
        for i in sorted(range(len(costs)), key=lambda i: key(costs[i], accuracies[i])):
            if keeps(accuracies[i], best):
                best = accuracies[i]
                found.append(i)
        return found

    return answer


def sorted_places(costs, accuracies):
    order = sorted(zip(costs, accuracies, strict=True), key=lambda x: (x[0], -x[1]))
    return swept_front(*zip(*order, strict=True))


def counted_macs(height, width, channels, filters, kernel, stride):
    count = 0
    for _ in range(0, height - kernel + 1, stride):
        for _ in range(0, width - kernel + 1, stride):
            count += filters * channels * kernel**2
    return count


def macs_of(rows, columns, channels, filters, kernel):
    return rows * columns * channels * filters * kernel**2


CORRECT = {
    "combine.zeros_kept": [counted_zeros, zeros_by_masks],
    "combine.cheapest_step": [looped_step, step_by_bytes_an_image],
    "combine.front": [compared_front, swept_front],
    "combine.conv_macs": [counted_macs],
}
MISTAKES = [
    ("combine.zeros_kept", lambda b, a: (a == 0).mean(), "new ones among them"),
    ("combine.zeros_kept", lambda b, a: (a[b == 0] == 0).sum(), "This is a count"),
    ("combine.zeros_kept", lambda b, a: ((a == 0) & (b == 0)).mean(), "not by all weights"),
    ("combine.zeros_kept", lambda b, a: (b[a == 0] == 0).mean(), "zeros of `after`"),
    ("combine.zeros_kept", lambda b, a: (a == 0).sum() / (b == 0).sum(), "hide a lost one"),
    ("combine.zeros_kept", lambda b, a: (a[b == 0] != 0).mean(), "share that was lost"),
    ("combine.zeros_kept", lambda b, a: 100 * counted_zeros(b, a), "This is a percentage"),
    (
        "combine.cheapest_step",
        lambda h, c: max(range(len(c)), key=lambda i: c[i][0]),
        "most accurate",
    ),
    (
        "combine.cheapest_step",
        lambda h, c: min(range(len(c)), key=lambda i: c[i][1]),
        "the smallest",
    ),
    ("combine.cheapest_step", lambda h, c: np.argmax(prices(h, c, worst=-1)), "the dearest"),
    ("combine.cheapest_step", lambda h, c: np.argmin(prices(h, c, floor=-99)), "by luck"),
    ("combine.cheapest_step", step_over_growing, "price is negative"),
    (
        "combine.cheapest_step",
        lambda h, c: looped_step(h, [x for x in c if x[1] < h[1]]),
        "shortened",
    ),
    (
        "combine.cheapest_step",
        lambda h, c: np.argmin([max(1, h[0] - x) for x, _ in c]),
        "whatever it s",
    ),
    (
        "combine.cheapest_step",
        lambda h, c: np.argmin([abs(h[0] - x) / (h[1] - y) if y < h[1] else 9 for x, y in c]),
        "no loss",
    ),
    ("combine.cheapest_step", lambda h, c: c[looped_step(h, c)], "Its place"),
    (
        "combine.front",
        front_where(lambda x, y: x[0] < y[0] and x[1] > y[1]),
        "on one side is enough",
    ),
    ("combine.front", front_where(lambda x, y: x[0] <= y[0] and x[1] >= y[1]), "beat each other"),
    (
        "combine.front",
        front_where(lambda x, y: x[0] <= y[0] and x[1] >= y[1], True),
        "beats itself",
    ),
    ("combine.front", lambda c, a: [np.argmin(c)], "the smallest alone"),
    ("combine.front", lambda c, a: [np.argmax(a)], "the most accurate alone"),
    (
        "combine.front",
        front_where(lambda x, y: x[0] <= y[0] and x[1] <= y[1] and x != y),
        "lower one",
    ),
    ("combine.front", swept_by(lambda c, a: c, lambda a, b: a > b), "Two models of one size"),
    ("combine.front", swept_by(lambda c, a: (c, -a), lambda a, b: a >= b), "only as accurate"),
    ("combine.front", sorted_places, "places after sorting"),
    ("combine.front", masked_front, "mask"),
    ("combine.front", front_points, "These are the points"),
    ("combine.front", lambda c, a: [c[i] for i in swept_front(c, a)], "costs or the accuracies"),
    ("combine.front", lambda c, a: {a[i] for i in swept_front(c, a)}, "costs or the accuracies"),
    ("combine.conv_macs", lambda h, w, c, f, k, s: k * k * c * f, "These are the weights"),
    ("combine.conv_macs", lambda *a: counted_macs(*a) // a[2], "sees all channels"),
    ("combine.conv_macs", lambda *a: 2 * counted_macs(*a), "count as one"),
    (
        "combine.conv_macs",
        lambda h, w, c, f, k, s: macs_of(h // s, w // s, c, f, k),
        "the kernel must",
    ),
    ("combine.conv_macs", lambda h, w, c, f, k, s: macs_of(h, w, c, f, k), "the kernel must fit"),
    (
        "combine.conv_macs",
        lambda h, w, c, f, k, s: macs_of((h - k) // s, (w - k) // s, c, f, k),
        "One place is missing",
    ),
    (
        "combine.conv_macs",
        lambda h, w, c, f, k, s: macs_of(h - k + 1, w - k + 1, c, f, k),
        "stride is missing",
    ),
    ("combine.conv_macs", lambda *a: counted_macs(*a) // a[3], "one filter"),
    (
        "combine.conv_macs",
        lambda h, w, c, f, k, s: macs_of((h - k + 1) // s, (w - k + 1) // s, c, f, k),
        "One place is missing",
    ),
    (
        "combine.conv_macs",
        lambda h, w, c, f, k, s: macs_of((h - k) / s + 1, (w - k) / s + 1, c, f, k),
        "round down",
    ),
    ("combine.conv_macs", lambda h, w, *a: counted_macs(h, h, *a), "Width is not height"),
    (
        "combine.conv_macs",
        lambda *a: counted_macs(*a) * (a[4] ** 2 * a[2] + 1) // (a[4] ** 2 * a[2]),
        "The bias",
    ),
    ("combine.conv_macs", lambda *a: counted_macs(*a) // a[4], "rows and columns"),
]
