"""The page of one learner: done, predicted, measured, and what is still open."""

from qlab.lessons.exercises import EXERCISES
from qlab.lessons.pages import element, listing, page, table
from qlab.lessons.predictions import QUESTIONS
from qlab.lessons.quizzes import ITEMS
from qlab.lessons.spreadsheet import exercise_status, question_status
from qlab.lessons.syllabus import parts, standing
from qlab.lessons.tally import counted_guess


def learner_page(learner):
    """Return the HTML page of one learner."""
    return page(
        f"qlab: progress of {learner.name}",
        summary([standing(part, learner.progress) for part in parts()]),
        element("h2", "Still open"),
        _open(learner.progress),
        *(_notebook(part, learner.progress) for part in parts()),
        unknown([learner.progress]),
    )


def summary(standings):
    """Return a table with a row for each notebook."""
    return table(
        "Time leaves out pauses of more than 10 minutes.",
        (
            "Notebook",
            "State",
            "Predictions",
            "Right",
            "Wrong",
            "Exercises passed",
            "Quiz",
            "Minutes",
        ),
        [
            (
                s.part.name,
                s.state,
                f"{s.guessed} of {len(s.part.questions)}",
                s.right,
                s.wrong,
                f"{s.passed} of {len(s.part.exercises)}",
                f"{s.quizzed} of {len(s.part.quiz)} right" if s.part.quiz else "",
                round(s.seconds / 60),
            )
            for s in standings
        ],
    )


def unknown(documents):
    """Say how many entries belong to no question or exercise of this version of the course."""
    known = {"questions": {*QUESTIONS, *ITEMS}, "exercises": EXERCISES}
    count = sum(id not in ids for d in documents for kind, ids in known.items() for id in d[kind])
    if not count:
        return ""
    return element(
        "p", f"Left out: {count} entries for questions or exercises not in this version."
    )


def _open(progress):
    items = []
    for part in parts():
        for question in part.questions:
            status = question_status(progress["questions"].get(question.id, {}))
            if status in ("not guessed", "guessed, result not seen"):
                items.append(f"Question {question.id}: {status}. {question.text}")
        for exercise in part.exercises:
            entry = progress["exercises"].get(exercise.id, {})
            if "passed" not in entry:
                items.append(f"Exercise {exercise.id}: {exercise_status(entry)}.")
    return listing(items) if items else element("p", "Nothing: the whole course is done.")


def _notebook(part, progress):
    questions, quiz = (
        [_question(q, progress["questions"].get(q.id, {})) for q in asked]
        for asked in (part.questions, part.quiz)
    )
    exercises = [_exercise(e, progress["exercises"].get(e.id, {})) for e in part.exercises]
    head = ("Question", "Guess", "Measured", "Result", "When")
    return element(
        "section",
        element("h2", part.name),
        table("Predictions", head, questions) if questions else "",
        table(
            "Exercises",
            ("Exercise", "Result", "Attempts", "Hints and mistakes", "Passed"),
            exercises,
        )
        if exercises
        else "",
        table("Quiz", ("Question", "First answer", *head[2:]), quiz) if quiz else "",
    )


def _question(question, entry):
    guess = counted_guess(entry)
    shown = "" if guess is None else guess
    if guess is not None and not question.options and not isinstance(guess, str):
        shown = question.shown.format(guess)
    return (
        question.text,
        shown,
        entry.get("measured", "not yet"),
        question_status(entry),
        _day(entry.get("guessed", "")),
    )


def _exercise(exercise, entry):
    hints = [f"hint {level} of {len(exercise.hints)}" for level in entry.get("hints", ())]
    return (
        exercise.id,
        exercise_status(entry),
        entry.get("attempts", 0),
        listing([*hints, *entry.get("mistakes", ())]) if hints or entry.get("mistakes") else "",
        _day(entry.get("passed", "")),
    )


def _day(when):
    """A time as people write it; it is kept in UTC."""
    return f"{when[:10]} {when[11:16]} UTC" if when else ""
