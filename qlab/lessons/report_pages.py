"""The pages of ``qlab report``: one learner's, and a class's. No script, nothing loaded."""

from collections import Counter
from pathlib import Path

from qlab.lessons.cards import element, listing, table
from qlab.lessons.exercises import EXERCISES
from qlab.lessons.predictions import QUESTIONS
from qlab.lessons.quizzes import ITEMS
from qlab.lessons.spreadsheet import exercise_status, question_status
from qlab.lessons.syllabus import standing
from qlab.lessons.tally import counted_guess, tally_exercise, tally_question
from qlab.system.text import fill

TEMPLATES = Path(__file__).with_name("templates")
TRUE, PASSED = "✓ measured", "passed"


def page(template, **values):
    """Fill in a page of this room."""
    return fill(TEMPLATES / template, table=table, listing=listing, **values)


def learner_page(learner, course):
    """The page of one learner: done, predicted, measured, and what is still open."""
    progress = learner.progress
    return page(
        "learner.html",
        title=f"qlab: progress of {learner.name}",
        standings=[_standing_row(standing(part, progress)) for part in course],
        still_open=list(_still_open(progress, course)),
        parts=[_part_rows(part, progress) for part in course],
        unknown=_unknown([progress]),
    )


def _standing_row(s):
    return (
        s.part.name,
        s.state,
        f"{s.guessed} of {len(s.part.questions)}",
        s.right,
        s.wrong,
        f"{s.passed} of {len(s.part.exercises)}",
        f"{s.quizzed} of {len(s.part.quiz)} right" if s.part.quiz else "",
        round(s.seconds / 60),
    )


def _still_open(progress, course):
    for part in course:
        for question in part.questions:
            status = question_status(progress["questions"].get(question.id, {}))
            if status in ("not guessed", "guessed, result not seen"):
                yield f"Question {question.id}: {status}. {question.text}"
        for exercise in part.exercises:
            entry = progress["exercises"].get(exercise.id, {})
            if "passed" not in entry:
                yield f"Exercise {exercise.id}: {exercise_status(entry)}."


def _unknown(documents):
    """How many entries belong to no question or exercise of this version of the course."""
    known = {"questions": {*QUESTIONS, *ITEMS}, "exercises": EXERCISES}
    return sum(id not in ids for d in documents for kind, ids in known.items() for id in d[kind])


def _part_rows(part, progress):
    questions, exercises = progress["questions"], progress["exercises"]
    return {
        "name": part.name,
        "questions": [_question_row(q, questions.get(q.id, {})) for q in part.questions],
        "exercises": [_exercise_row(e, exercises.get(e.id, {})) for e in part.exercises],
        "quiz": [_question_row(q, questions.get(q.id, {})) for q in part.quiz],
    }


def _question_row(question, entry):
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


def _exercise_row(exercise, entry):
    hints = [f"hint {level} of {len(exercise.hints)}" for level in entry.get("hints", ())]
    seen = [*hints, *entry.get("mistakes", ())]
    return (
        exercise.id,
        exercise_status(entry),
        entry.get("attempts", 0),
        listing(seen) if seen else "",
        _day(entry.get("passed", "")),
    )


def _day(when):
    """A time as people write it; it is kept in UTC."""
    return f"{when[:10]} {when[11:16]} UTC" if when else ""


def class_page(learners, broken, course):
    """The page of a class: how it predicted and what was true, and who passed which exercise."""
    documents = [learner.progress for learner in learners]
    return page(
        "class.html",
        title=f"qlab: a class of {len(learners)}",
        learners=list(_learner_rows(learners, course)),
        broken=[f"{file}: {why}" for file, why in broken],
        parts=[
            {
                "name": part.name,
                "questions": [tally_question(q, documents) for q in part.questions],
                "exercises": [(e, tally_exercise(e, documents)) for e in part.exercises],
                "quiz": [tally_question(q, documents) for q in part.quiz],
            }
            for part in course
        ],
        unknown=_unknown(documents),
        guess_rows=_guess_rows,
        outcome_rows=_outcome_rows,
        help_seen=_help_seen,
        row_class=lambda row: "true" if row[-1] == TRUE or row[0] == PASSED else "",
    )


def _learner_rows(learners, course):
    questions = sum(len(part.questions) for part in course)
    exercises = sum(len(part.exercises) for part in course)
    same = Counter(learner.name for learner in learners)
    for learner in learners:
        steps = [standing(part, learner.progress) for part in course]
        yield (
            learner.name if same[learner.name] == 1 else f"{learner.name} ({learner.file})",
            f"{sum(s.guessed for s in steps)} of {questions}",
            sum(s.right for s in steps),
            f"{sum(s.passed for s in steps)} of {exercises}",
            round(sum(s.seconds for s in steps) / 60),
        )


def _guess_rows(tally):
    """A row for each answer: how many gave it, and whether it is true."""
    return [
        (
            label,
            _bar(count, tally.answered),
            f"{count} ({100 * count / tally.answered:.0f} %)" if tally.answered else "0",
            TRUE if label == tally.true_label else "",
        )
        for label, count in tally.counts.items()
    ]


def _outcome_rows(tally):
    words = (PASSED, "tried, not passed", "not tried")
    counts = (tally.passed, tally.tried, tally.untouched)
    return [(w, _bar(n, sum(counts)), n) for w, n in zip(words, counts, strict=True)]


def _help_seen(exercise, tally):
    """Which hints were shown and which mistakes were made, and to how many learners."""
    hints = [
        f"hint {level}: {count} learners. {exercise.hints[level - 1]}"
        for level, count in tally.hints.items()
        if 1 <= level <= len(exercise.hints)
    ]
    return hints + [f"mistake: {n} learners. {text}" for text, n in tally.mistakes.items()]


def _bar(part, whole):
    """A bar, `part` of `whole` long; the number stands next to it in words."""
    width = round(200 * part / whole, 1) if whole else 0
    rect = element("rect", class_="bar", width=str(width), height="14")
    return element("svg", rect, width="200", height="14", aria_hidden="true")
