"""What a chain keeps, which step a search takes, and how much work a layer is."""

import numpy as np

from qlab.arithmetic.results import ALPHA
from qlab.lessons.judges import for_function, like
from qlab.trials.fronts import NEAR


def zeros_kept(before, after):
    """Of the weights that were zero, the share that still is.

    >>> zeros_kept(np.array([0, 0, 0.5, 0]), np.array([0, 0.1, 0, 0])).round(3)
    np.float64(0.667)
    """
    return np.mean(after[before == 0] == 0)


def _weights(seed, shape=(40,), zeros=0.6, filled=0.3):
    rng = np.random.default_rng(seed)
    before = rng.normal(0, 0.1, shape).round(3) + 0.001
    before[rng.random(shape) < zeros] = 0
    after = before + np.where(rng.random(shape) < filled, 0.01, 0)
    after[rng.random(shape) < 0.2] = 0
    return before.astype(np.float32), after.astype(np.float32)


judge_zeros_kept = for_function(
    zeros_kept,
    [
        (np.float32([0, 0, 0.5, 0, 0.2]), np.float32([0, 0.1, 0, 0, 0])),
        _weights(0),
        _weights(1, (3, 2, 2, 5), zeros=0.3, filled=0.8),
    ],
    mistakes={
        "new_ones_too": like(lambda b, a: np.mean(a == 0)),
        "count": like(lambda b, a: ((a == 0) & (b == 0)).sum()),
        "of_all": like(lambda b, a: np.mean((a == 0) & (b == 0))),
        "of_after": like(lambda b, a: np.mean(b[a == 0] == 0)),
        "totals": like(lambda b, a: np.sum(a == 0) / np.sum(b == 0)),
        "lost": like(lambda b, a: np.mean(a[b == 0] != 0)),
        "percent": like(lambda b, a: 100 * zeros_kept(b, a)),
    },
)


def cheapest_step(here, candidates):
    """Which step loses the fewest images for each byte that it saves."""
    correct, size = here
    prices = [
        max(correct - right, 1) / (size - smaller) if smaller < size else np.inf
        for right, smaller in candidates
    ]
    return int(np.argmin(prices))


def _least(price):
    """Choose the step of the least price, which is of images lost and bytes saved."""
    return lambda here, candidates: int(
        np.argmin([price(here[0] - right, here[1] - size) for right, size in candidates])
    )


def _a_byte(lost, saved):
    return lost / saved if saved > 0 else np.inf


def _shortened(here, candidates):
    """Leave out what saves nothing, and count places in what is left."""
    return cheapest_step(here, [x for x in candidates if x[1] < here[1]])


STEPS = [
    ((4600, 62000), [(4550, 30000), (4590, 52000), (4599, 61600), (4200, 20000), (4580, 59000)]),
    ((4600, 62000), [(4601, 61990), (4602, 61900), (4590, 50000), (4300, 12000), (4590, 60500)]),
    ((4500, 40000), [(4350, 25000), (4450, 39800), (4499, 40100), (4490, 38000), (4500, 39990)]),
    ((4500, 40000), [(4498, 40500), (4400, 30000), (4490, 38000), (4499, 39990)]),
    ((4600, 62000), [(4630, 50000), (4590, 55000), (4500, 30000), (4600, 61900)]),
]

judge_cheapest_step = for_function(
    cheapest_step,
    STEPS,
    mistakes={
        "most_accurate": like(_least(lambda lost, saved: lost)),
        "smallest": like(_least(lambda lost, saved: -saved)),
        "dearest": like(_least(lambda lost, saved: -max(lost, 1) / saved if saved > 0 else 1)),
        "most_for_nothing": like(_least(_a_byte)),
        "shortened": like(_shortened),
        "gains_as_losses": like(
            _least(lambda lost, saved: _a_byte(abs(lost), saved)),
            _least(lambda lost, saved: _a_byte(max(abs(lost), 1), saved)),
        ),
        "fewest_lost": like(_least(lambda lost, saved: max(lost, 1))),
        "growing": like(_least(lambda lost, saved: max(lost, 1) / saved if saved else np.inf)),
        "candidate_itself": like(lambda h, c: c[cheapest_step(h, c)]),
    },
)


def conv_macs(height, width, channels, filters, kernel, stride):
    """Multiply-accumulates of a convolution without padding, for one image."""
    places = ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
    return places * filters * kernel * kernel * channels


def _macs(h, w, channels, filters, kernel):
    return h * w * channels * filters * kernel * kernel


judge_conv_macs = for_function(
    conv_macs,
    [(28, 28, 1, 32, 2, 1), (13, 13, 32, 16, 2, 1), (33, 24, 3, 8, 5, 3)],
    mistakes={
        "weights": like(lambda h, w, c, f, k, s: k * k * c * f),
        "one_channel": like(lambda *a: conv_macs(*a) / a[2]),
        "counted_twice": like(lambda *a: 2 * conv_macs(*a)),
        "padded": like(
            lambda h, w, c, f, k, s: _macs(-(-h // s), -(-w // s), c, f, k),
            lambda h, w, c, f, k, s: _macs(h, w, c, f, k),
        ),
        "one_missing": like(lambda h, w, c, f, k, s: _macs((h - k) // s, (w - k) // s, c, f, k)),
        "unstrided": like(lambda h, w, c, f, k, s: _macs(h - k + 1, w - k + 1, c, f, k)),
        "one_filter": like(lambda *a: conv_macs(*a) / a[3]),
        "unrounded": like(
            lambda h, w, c, f, k, s: _macs((h - k) / s + 1, (w - k) / s + 1, c, f, k)
        ),
        "square_picture": like(
            lambda h, w, *a: conv_macs(h, h, *a), lambda h, w, *a: conv_macs(w, w, *a)
        ),
        "bias": like(
            lambda *a: conv_macs(*a) + conv_macs(*a) // (a[2] * a[4] ** 2),
            lambda *a: conv_macs(*a) + a[3],
        ),
        "one_row": like(lambda *a: conv_macs(*a) / a[4]),
    },
)


def _mean(values):
    return sum(values) / len(values)


def _largest_step(sizes):
    """Number of the step, from 1 on, after which the size is smallest beside that before."""
    return min(range(1, len(sizes)), key=lambda i: sizes[i] / sizes[i - 1])


def _verdict(test):
    """What the paired test says of the mixed file: better, equal or worse."""
    if test["p_value"] >= ALPHA:
        return "equal"
    return "better" if test["only_mixed"] > test["only_uniform"] else "worse"


TRUTHS = {
    "step": lambda chains: _largest_step([x.model.gzip_bytes for x in chains["kept"][:4]]),
    "naive": lambda points: abs(_mean(points["int8"]) - _mean(points["naive-int8"])),
    "mixed": lambda long: _verdict(long["test"]),
    "front": lambda standings: list(standings).count(NEAR),
    "memory": lambda estimates: estimates["on-chip"].total_nj / estimates["off-chip"].total_nj,
}
