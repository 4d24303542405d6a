"""Work in steps: a generator that yields what it has found so far, and returns what it found."""

import time


def finished(steps):
    """What a generator returns, once all its steps are done."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def mapped(made, steps):
    """The same steps, with what `made` makes of all that is found; None stays None."""
    while True:
        try:
            found = next(steps)
        except StopIteration as end:
            return made(end.value)
        yield None if found is None else made(found)


def timed(steps):
    """The same steps, each with the milliseconds that all so far took; pauses are left out."""
    spent = 0.0
    while True:
        start = time.perf_counter()
        try:
            found = next(steps)
        except StopIteration as end:
            return end.value, spent + 1e3 * (time.perf_counter() - start)
        spent += 1e3 * (time.perf_counter() - start)
        yield found, spent
