"""Answers to the exercises of notebook 10 as learners write them: right ones, classic mistakes."""

import math

import numpy as np

from qlab.course.giant.choosing import best_under


def bits_by_loops(probabilities, followed):
    """Right: one place after the other."""
    bits = [-math.log(row[i], 2) for row, i in zip(probabilities, followed, strict=True)]
    return sum(bits) / len(bits)


def bits_with(change):
    return lambda p, followed: change(p[np.arange(len(p)), followed], p)


def row_by_inverse(weights, moments, scale, q_max):
    """Right: as in the paper, with the inverse of what is left."""
    aims, codes = dict(enumerate(map(float, weights))), [0] * len(weights)
    while aims:
        left = sorted(aims, key=lambda i: -moments[i, i])
        inverse = np.linalg.inv(moments[np.ix_(left, left)])
        codes[left[0]] = max(-q_max, min(q_max, round(aims[left[0]] / scale)))
        error = (aims.pop(left[0]) - codes[left[0]] * scale) / inverse[0, 0]
        for place, i in enumerate(left[1:], 1):
            aims[i] -= error * inverse[place, 0]
    return codes


def row_with(order=None, sign=1, clipped=True, scaled=True, old=False, alone=False, in_codes=False):
    """Feedback with a mistake in it."""

    def answer(weights, moments, scale, q_max):
        aims, codes = weights.copy(), np.zeros(len(weights))
        step = scale if scaled else 1
        turn = np.argsort(-np.diag(moments)) if order is None else order(moments)
        for n, j in enumerate(turn):
            codes[j] = round(aims[j] / step)
            if clipped:
                codes[j] = max(-q_max, min(q_max, codes[j]))
            rest = turn[n + 1 :]
            if len(rest) and not alone:
                error = (weights if old else aims)[j] - codes[j] * step
                error = error / (step if in_codes else 1)
                shares = np.linalg.solve(moments[rest][:, rest], moments[rest, j])
                aims[rest] += sign * error * shares
        return codes

    return answer


def cache_by_layers(shape, positions, bits):
    """Right: a layer at a time."""
    each = shape.kv_heads * shape.head_size * bits / 8
    return sum(positions * (each + each) for _ in range(shape.layers))


def cache_with(kinds=2, heads="kv_heads", layers=None, each=8, positions=None):
    def answer(shape, n, bits):
        many = (positions or n) * (layers or shape.layers) * kinds
        return many * getattr(shape, heads) * shape.head_size * bits // each

    return answer


def chosen_by_sorting(files, budget, ask_test):
    """Right: the best first, and the first that fits."""
    for name in sorted(files, key=lambda name: files[name][1]):
        if files[name][0] <= budget:
            return [name, ask_test(name)]
    return None


def chosen(key, fitting=True):
    """One that fits, by another key."""

    def answer(files, budget, ask_test):
        names = [name for name in files if not fitting or files[name][0] <= budget]
        name = min(names, key=lambda name: key(*files[name]))
        return name, ask_test(name)

    return answer


def by_test(files, budget, ask_test):
    tested = {name: ask_test(name) for name in files if files[name][0] <= budget}
    return min(tested.items(), key=lambda item: item[1])


def asked_twice(files, budget, ask_test):
    name, _ = best_under(files, budget, ask_test)
    return name, ask_test(name)


def never_asked(files, budget, ask_test):
    name, _ = best_under(files, budget, lambda name: 0)
    return name, files[name][1]


CORRECT = {
    "giant.bits_a_character": [
        bits_by_loops,
        bits_with(lambda given, p: np.log2(1 / given).mean()),
    ],
    "giant.gptq_row": [row_by_inverse, row_with()],
    "giant.cache_bytes": [cache_by_layers, cache_with()],
    "giant.best_under": [chosen_by_sorting, chosen(lambda size, bits: bits)],
}
BITS, ROW, CACHE, BEST = CORRECT
MISTAKES = [
    (BITS, bits_with(lambda given, p: -np.log(given).mean()), "natural logarithm"),
    (BITS, bits_with(lambda given, p: -np.log10(given).mean()), "base of 10"),
    (BITS, bits_with(lambda given, p: np.log2(given).mean()), "sign is missing"),
    (BITS, bits_with(lambda given, p: -np.log2(given).sum()), "sum over the text"),
    (BITS, bits_with(lambda given, p: -np.log2(given)), "bits of each character"),
    (BITS, bits_with(lambda given, p: -np.log2(given.mean())), "before the logarithm"),
    (BITS, bits_with(lambda given, p: -np.log2(p.max(-1)).mean()), "likeliest character"),
    (BITS, bits_with(lambda given, p: -(p * np.log2(p)).sum() / len(p)), "how unsure"),
    (BITS, bits_with(lambda given, p: -np.log2(p).mean()), "all characters of a row"),
    (BITS, bits_with(lambda given, p: np.exp(-np.log(given).mean())), "perplexity"),
    (ROW, row_with(scaled=False), "scale is missing"),
    (ROW, row_with(alone=True), "to the nearest"),
    (ROW, row_with(clipped=False), "outside the grid"),
    (ROW, lambda w, m, s, q: s * row_with()(w, m, s, q), "rounded weights"),
    (ROW, row_with(order=lambda m: np.arange(len(m))), "order is another"),
    (ROW, row_with(order=lambda m: np.argsort(np.diag(m))), "order is another"),
    (ROW, row_with(sign=-1), "wrong sign"),
    (ROW, row_with(old=True), "the weight as it was"),
    (ROW, row_with(in_codes=True), "counted in codes"),
    (CACHE, cache_with(kinds=1), "Values are kept as well"),
    (CACHE, cache_with(heads="heads"), "heads that ask"),
    (CACHE, cache_with(layers=1), "This is one layer"),
    (CACHE, cache_with(each=1), "These are bits"),
    (CACHE, cache_with(positions=1), "This is one position"),
    (CACHE, lambda shape, n, bits: shape.parameters * bits // 8, "These are the weights"),
    (BEST, by_test, "asked about several"),
    (BEST, asked_twice, "asked twice"),
    (BEST, never_asked, "was not asked"),
    (BEST, lambda *given: best_under(*given)[0], "name alone"),
    (BEST, chosen(lambda size, bits: bits, fitting=False), "more bytes than the budget"),
    (BEST, chosen(lambda size, bits: size), "smallest file"),
    (BEST, chosen(lambda size, bits: -size), "largest file that fits"),
    (BEST, chosen(lambda size, bits: -bits), "worst file"),
]
