"""What learners did as rows, and as CSV that a spreadsheet opens safely."""

import csv
import io

from qlab.lessons.course import parts
from qlab.lessons.pages import printable
from qlab.lessons.tally import counted_guess

COLUMNS = (
    *("learner", "file", "notebook", "kind", "id", "status", "guess", "measured"),
    *("attempts", "hints", "mistakes", "when", "minutes"),
)


def rows(progress, learner, file):
    """Yield a row for each notebook, question and exercise of the course, done or not.

    Parameters
    ----------
    progress : dict
        A progress document.
    learner, file : str

    Yields
    ------
    dict
        Some of `COLUMNS`.
    """
    for part in parts():
        common = {"learner": learner, "file": file, "notebook": part.number}
        notebook = progress["notebooks"].get(part.number, {})
        yield {
            **common,
            "kind": "notebook",
            "id": part.number,
            "status": "begun" if notebook else "not begun",
            "when": notebook.get("first", ""),
            "minutes": round(notebook.get("seconds", 0) / 60),
        }
        for question in part.questions:
            entry = progress["questions"].get(question.id, {})
            yield {**common, "kind": "question", "id": question.id, **_question(entry)}
        for question in part.quiz:
            entry = progress["questions"].get(question.id, {})
            yield {**common, "kind": "quiz", "id": question.id, **_question(entry)}
        for exercise in part.exercises:
            entry = progress["exercises"].get(exercise.id, {})
            yield {**common, "kind": "exercise", "id": exercise.id, **_exercise(entry)}


def question_status(entry):
    """Where a question stands, in words.

    Examples
    --------
    >>> question_status({}), question_status({"guess": 3, "right": True, "late": True})
    ('not guessed', 'right, guessed after the result was shown')
    """
    if "guess" not in entry:
        return "not guessed"
    if "right" not in entry:
        return "guessed, result not seen"
    word = "right" if entry["right"] else "wrong"
    return f"{word}, guessed after the result was shown" if entry.get("late") else word


def exercise_status(entry):
    """Where an exercise stands, in words.

    Examples
    --------
    >>> exercise_status({}), exercise_status({"attempts": 2}), exercise_status({"passed": "..."})
    ('not attempted', 'not passed yet', 'passed')
    """
    word = "passed" if "passed" in entry else "not passed yet"
    if word != "passed" and not entry.get("attempts"):
        word = "not attempted"
    return f"{word}, solution seen" if "solution" in entry else word


def to_csv(rows, columns=COLUMNS):
    """Return rows as the bytes of a CSV file that spreadsheets open as UTF-8.

    A text that a spreadsheet would run as a formula gets an apostrophe in front [1]_.

    Parameters
    ----------
    rows : iterable of dict
    columns : sequence of str
        In this order.

    Returns
    -------
    bytes

    References
    ----------
    .. [1] OWASP, CSV Injection.

    Examples
    --------
    >>> to_csv([{"learner": "=1+1", "guess": -3}]).decode("utf-8-sig").splitlines()[1]
    "'=1+1,,,,,,-3,,,,,,"
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(value):
    if not isinstance(value, str):
        return value
    value = printable(value)
    return (
        f"'{value}"
        if value.lstrip().startswith(("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"))
        else value
    )


def _question(entry):
    guess = counted_guess(entry)
    return {
        "status": question_status(entry),
        "guess": "" if guess is None else guess,
        "measured": entry.get("measured", ""),
        "when": entry.get("guessed", ""),
    }


def _exercise(entry):
    return {
        "status": exercise_status(entry),
        "attempts": entry.get("attempts", 0),
        "hints": " ".join(map(str, entry.get("hints", ()))),
        "mistakes": " | ".join(entry.get("mistakes", ())),
        "when": entry.get("passed", ""),
    }
