"""Answers to the exercises of notebook 06 as learners write them: right ones, classic mistakes."""

import numpy as np


def by_rows(logits, temperature):
    """Right: one image after the other, in lists."""
    answers = []
    for row in logits:
        powers = [np.exp(z / temperature) for z in row]
        answers.append([p / sum(powers) for p in powers])
    return answers


def stable(logits, temperature):
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def t_by_loop(taught, control):
    gains = [a - b for a, b in zip(taught, control, strict=True)]
    mean = sum(gains) / len(gains)
    variance = sum((g - mean) ** 2 for g in gains) / (len(gains) - 1)
    return mean / (variance / len(gains)) ** 0.5


def t_of(ddof=1, root=True):
    def answer(taught, control):
        gains = taught - control
        n = np.sqrt(len(gains)) if root else len(gains)
        return gains.mean() / (gains.std(ddof=ddof) / n)

    return answer


def unpaired(taught, control):
    error = np.sqrt((taught.var(ddof=1) + control.var(ddof=1)) / len(taught))
    return (taught.mean() - control.mean()) / error


CORRECT = {
    "distillation.softened": [by_rows, stable],
    "distillation.paired_t": [t_by_loop],
}
MISTAKES = [
    ("distillation.softened", lambda z, T: stable(z, 1), "temperature is missing"),
    ("distillation.softened", lambda z, T: stable(z * T, 1), "Multiplying makes"),
    ("distillation.softened", lambda z, T: stable(z, 1) / T, "before the exponential"),
    ("distillation.softened", lambda z, T: np.exp(z / T) / np.exp(z / T).sum(0), "the last axis"),
    ("distillation.softened", lambda z, T: np.exp(z / T) / np.exp(z / T).sum(), "the last axis"),
    ("distillation.paired_t", t_of(ddof=0), "ddof=1"),
    ("distillation.paired_t", t_of(root=False), "square root"),
    ("distillation.paired_t", lambda a, b: (a - b).mean() / (a - b).std(ddof=1), "square root"),
    ("distillation.paired_t", unpaired, "seed by seed"),
    ("distillation.paired_t", lambda a, b: t_by_loop(b, a), "taught minus control"),
    ("distillation.paired_t", lambda a, b: (a - b).mean(), "standard error"),
]
