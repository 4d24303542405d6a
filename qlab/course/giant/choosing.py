"""The best file under a budget of bytes: chosen on validation, and the test is asked once."""

from qlab.lessons.exercises import Finding, untouched
from qlab.lessons.judges import Stopped, close, no_function, run, show


def best_under(files, budget, ask_test):
    """Name of the best file within the budget, and its bits a character on the test text."""
    fitting = [name for name, (size, bits) in files.items() if size <= budget]
    best = min(fitting, key=lambda name: files[name][1])
    return best, ask_test(best)


# Bytes, bits a character on validation, and on test, by name: the test would have chosen others.
CASES = (
    ({"a": (900, 1.9, 2.1), "b": (450, 2.2, 2.4), "c": (480, 2.3, 2.25), "d": (120, 3.1, 3.2),
      "e": (300, 5.0, 5.2)}, 500),
    ({"w": (40, 2.9, 3.0), "x": (70, 2.4, 2.6), "y": (80, 2.5, 2.55), "z": (81, 2.0, 2.1),
      "v": (50, 4.0, 4.1)}, 80),
)  # fmt: skip


def judge_best_under(answer):
    """Run the learner's function, and count how often it asks the test."""
    if not callable(answer):
        return no_function(answer)
    for case, budget in CASES:
        asked = []

        def ask_test(name, case=case, asked=asked):
            asked.append(name)
            return case[name][2]

        files = {name: numbers[:2] for name, numbers in case.items()}
        got = run(answer, (files, budget, ask_test), copies=False)
        if untouched(got):
            return Finding(attempted=False, note="Your function returns nothing so far.")
        best = best_under(files, budget, {name: x[2] for name, x in case.items()}.get)
        if not _same(got, best) or asked != [best[0]]:
            mistake = _mistake(case, budget, got, asked)
            return Finding(_words(files, budget, best, got, asked), mistake)
    return Finding()


def _same(got, best):
    pair = isinstance(got, (tuple, list)) and len(got) == 2
    return pair and got[0] == best[0] and close(best[1], got[1])


def _words(files, budget, best, got, asked):
    came = got.words if isinstance(got, Stopped) else show(got)
    return (
        f"For files = {files}, budget = {budget}\nexpected {show(best)}\ngot {came}\n"
        f"The test was asked about: {', '.join(map(show, asked)) or 'nothing'}."
    )


def _mistake(case, budget, got, asked):
    """Which classic mistake explains what came."""
    if isinstance(got, Stopped):
        return ""
    if len(asked) > 1:
        return "peeked" if len(set(asked)) > 1 else "twice"
    if isinstance(got, str):
        return "name_alone"
    name = got[0] if isinstance(got, (tuple, list)) and got else None
    if not isinstance(name, str) or name not in case:
        return ""
    fitting = {n: x for n, x in case.items() if x[0] <= budget}
    found = {
        "too_large": name not in fitting,
        "smallest": name == min(fitting, key=lambda n: fitting[n][0]),
        "worst": name == max(fitting, key=lambda n: fitting[n][1]),
        "fullest": name == max(fitting, key=lambda n: fitting[n][0]),
        "not_asked": not asked,
    }
    return next((mistake for mistake, true in found.items() if true), "")
