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


def _lost(here, candidates, floor=True):
    return [max(here[0] - right, 1) if floor else here[0] - right for right, _ in candidates]


def _saved(here, candidates):
    return [here[1] - size for _, size in candidates]


def _most_for_nothing(here, candidates):
    """Divide images by bytes, with a gain or no loss as it is."""
    pairs = zip(_lost(here, candidates, False), _saved(here, candidates), strict=True)
    return int(np.argmin([lost / saved if saved > 0 else np.inf for lost, saved in pairs]))


def _shortened(here, candidates):
    """Leave out what saves nothing, and count places in what is left."""
    return cheapest_step(here, [x for x in candidates if x[1] < here[1]])


def _gains_as_losses(least):
    """Take the absolute value of what is lost."""

    def choose(here, candidates):
        pairs = zip(_lost(here, candidates, False), _saved(here, candidates), strict=True)
        return int(np.argmin([max(abs(a), least) / b if b > 0 else np.inf for a, b in pairs]))

    return choose


def _growing(here, candidates):
    """Forget that a step may save nothing, or make the file larger."""
    pairs = zip(_lost(here, candidates), _saved(here, candidates), strict=True)
    return int(np.argmin([lost / saved if saved else np.inf for lost, saved in pairs]))


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
        "most_accurate": like(lambda h, c: int(np.argmax([x for x, _ in c]))),
        "smallest": like(lambda h, c: int(np.argmin([x for _, x in c]))),
        "dearest": like(
            lambda h, c: int(
                np.argmax(
                    [a / b if b > 0 else -1 for a, b in zip(_lost(h, c), _saved(h, c), strict=True)]
                )
            )
        ),
        "most_for_nothing": like(_most_for_nothing),
        "shortened": like(_shortened),
        "gains_as_losses": like(_gains_as_losses(0), _gains_as_losses(1)),
        "fewest_lost": like(lambda h, c: int(np.argmin(_lost(h, c)))),
        "growing": like(_growing),
        "candidate_itself": like(lambda h, c: c[cheapest_step(h, c)]),
    },
)


def conv_macs(height, width, channels, filters, kernel, stride):
    """Multiply-accumulates of a convolution without padding, for one image."""
    places = ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
    return places * filters * kernel * kernel * channels


def _places(height, width, channels, filters, kernel, stride):
    return conv_macs(height, width, channels, filters, kernel, stride) // (
        filters * kernel * kernel * channels
    )


def _unrounded(height, width, channels, filters, kernel, stride):
    sides = [(side - kernel) / stride + 1 for side in (height, width)]
    return _macs(*sides, channels, filters, kernel)


def _macs(h, w, channels, filters, kernel):
    return h * w * channels * filters * kernel * kernel


def _as_large(height, width, channels, filters, kernel, stride):
    return _macs(-(-height // stride), -(-width // stride), channels, filters, kernel)


def _unstrided(height, width, channels, filters, kernel, stride):
    return _macs(height - kernel + 1, width - kernel + 1, channels, filters, kernel)


def _one_short(height, width, channels, filters, kernel, stride):
    places = (height - kernel) // stride, (width - kernel) // stride
    return _macs(*places, channels, filters, kernel)


judge_conv_macs = for_function(
    conv_macs,
    [(28, 28, 1, 32, 2, 1), (13, 13, 32, 16, 2, 1), (33, 24, 3, 8, 5, 3)],
    mistakes={
        "weights": like(lambda h, w, c, f, k, s: k * k * c * f),
        "one_channel": like(lambda *a: conv_macs(*a) / a[2]),
        "counted_twice": like(lambda *a: 2 * conv_macs(*a)),
        "padded": like(_as_large, lambda h, w, c, f, k, s: _macs(h, w, c, f, k)),
        "one_missing": like(_one_short),
        "unstrided": like(_unstrided),
        "one_filter": like(lambda *a: conv_macs(*a) / a[3]),
        "unrounded": like(_unrounded),
        "square_picture": like(
            lambda h, w, *a: conv_macs(h, h, *a), lambda h, w, *a: conv_macs(w, w, *a)
        ),
        "bias": like(
            lambda *a: conv_macs(*a) + _places(*a) * a[3], lambda *a: conv_macs(*a) + a[3]
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
