"""``progress()``: the map of the course with what this learner has done."""

from qlab.lessons import memory
from qlab.lessons.cards import COLOURS, Cell, element, marked, table
from qlab.lessons.syllabus import parts, standing

HEAD = ("Notebook", "State", "Predictions", "Exercises", "Quiz", "Time")
STATES = {"done": "right", "begun": "open", "not begun": "open"}
CELL = "padding:.3em .8em;text-align:left;border-bottom:1px solid var(--jp-border-color2, #bbb)"
STYLES = {
    "table": "border-collapse:collapse;color:inherit",
    "caption": "text-align:left;font-weight:600;color:inherit",
    "cell": CELL,
}


class Progress:
    """The map of the course, drawn when it is shown. Make one with `progress`."""

    def __repr__(self):
        return "Progress()"

    def __str__(self):
        rows = [HEAD, *(_row(s) for s in _standings())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join((_title(), *lines, _next(), *memory.notices()))

    def _repr_html_(self):
        body = table(_title(), HEAD, [_html_row(s) for s in _standings()], STYLES)
        notes = (element("p", words) for words in (_next(), *memory.notices()))
        colour = "color:var(--jp-content-font-color1, inherit)"
        return str(element("div", body, *notes, style=colour))


def progress():
    """Show the map of the course: what is done, guesses right and wrong, minutes.

    Returns
    -------
    Progress

    Examples
    --------
    >>> print(progress())
    Your progress
    Notebook    State      Predictions  Exercises      Quiz          Time
    00 Welcome  not begun  0 of 2 made  0 of 1 passed  0 of 5 right  none yet ...
    Next: 00 Welcome.
    """
    return Progress()


def _standings():
    done = memory.progress()
    return [standing(part, done) for part in parts()]


def _title():
    name = memory.learner()
    return f"Progress of {name}" if name else "Your progress"


def _next():
    open_ = [s.part for s in _standings() if s.state != "done"]
    return f"Next: {open_[0].name}." if open_ else "All done."


def _row(s):
    predicted = f"{s.guessed} of {len(s.part.questions)} made" if s.part.questions else "none"
    if s.right + s.wrong:
        predicted += f": {s.right} right, {s.wrong} wrong"
    return (
        s.part.name,
        s.state,
        predicted,
        f"{s.passed} of {len(s.part.exercises)} passed",
        f"{s.quizzed} of {len(s.part.quiz)} right" if s.part.quiz else "none",
        _time(s),
    )


def _time(s):
    """Only to 5 minutes: finer would pretend to know when the learner looked away."""
    if not s.begun:
        return "none yet"
    return f"about {5 * round(s.seconds / 300)} min" if s.seconds >= 300 else "under 5 min"


def _html_row(s):
    notebook, state, *others = _row(s)
    edge = f"{CELL};white-space:nowrap;border-left:5px solid {COLOURS[STATES[state]]}"
    return notebook, Cell(marked(STATES[state], state), {"style": edge}), *others
