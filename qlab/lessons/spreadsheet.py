"""What learners did as rows, and as CSV that a spreadsheet opens safely."""

from qlab.lessons.syllabus import standing
from qlab.lessons.tally import counted_guess
from qlab.system.text import to_csv

COLUMNS = (
    *("learner", "file", "notebook", "kind", "id", "status", "guess", "measured"),
    *("attempts", "hints", "mistakes", "when", "minutes"),
)


def rows(progress, learner, file, course):
    """Yield a row for each notebook, question and exercise of a course, done or not."""
    for part in course:
        common = {"learner": learner, "file": file, "notebook": part.topic}
        notebook = progress["notebooks"].get(part.topic, {})
        yield {
            **common,
            "kind": "notebook",
            "id": part.topic,
            "status": "begun" if standing(part, progress).begun else "not begun",
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
    """Where a question stands, in words."""
    if "guess" not in entry:
        return "not guessed"
    if "right" not in entry:
        return "guessed, result not seen"
    word = "right" if entry["right"] else "wrong"
    return f"{word}, guessed after the result was shown" if entry.get("late") else word


def exercise_status(entry):
    """Where an exercise stands, in words."""
    word = "passed" if "passed" in entry else "not passed yet"
    if word != "passed" and not entry.get("attempts"):
        word = "not attempted"
    return f"{word}, solution seen" if "solution" in entry else word


def class_csv(learners, course):
    """What learners did, as the bytes of a CSV file."""
    each = (row for x in learners for row in rows(x.progress, x.name, x.file, course))
    cells = ([row.get(name, "") for name in COLUMNS] for row in each)
    return to_csv(COLUMNS, cells, spreadsheet=True)


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
