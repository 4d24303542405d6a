"""The page of a class: per question how it predicted and what was true; per exercise who passed."""

from collections import Counter

from qlab.lessons.learner_page import unknown
from qlab.lessons.pages import Html, bar, element, listing, page, table
from qlab.lessons.syllabus import parts, standing
from qlab.lessons.tally import tally_exercise, tally_question


def class_page(learners, broken):
    """Return the HTML page of a class."""
    documents = [learner.progress for learner in learners]
    return page(
        f"qlab: a class of {len(learners)}",
        _learners(learners),
        _broken(broken),
        *(_notebook(part, documents) for part in parts()),
        unknown(documents),
    )


def _learners(learners):
    course = parts()
    questions = sum(len(part.questions) for part in course)
    exercises = sum(len(part.exercises) for part in course)
    same = Counter(learner.name for learner in learners)
    body = []
    for learner in learners:
        steps = [standing(part, learner.progress) for part in course]
        name = learner.name if same[learner.name] == 1 else f"{learner.name} ({learner.file})"
        body.append(
            (
                name,
                f"{sum(s.guessed for s in steps)} of {questions}",
                sum(s.right for s in steps),
                f"{sum(s.passed for s in steps)} of {exercises}",
                round(sum(s.seconds for s in steps) / 60),
            )
        )
    head = ("Learner", "Predictions", "Right", "Exercises passed", "Minutes")
    return table("Minutes leave out pauses of more than 10 minutes.", head, body)


def _broken(broken):
    if not broken:
        return ""
    return Html(element("h2", "Files left out") + listing(f"{file}: {why}" for file, why in broken))


def _notebook(part, documents):
    return element(
        "section",
        element("h2", part.name),
        *(_question(tally_question(question, documents)) for question in part.questions),
        *(_exercise(exercise, tally_exercise(exercise, documents)) for exercise in part.exercises),
        *(_question(tally_question(question, documents)) for question in part.quiz),
    )


def _question(tally):
    rows = []
    for label, count in tally.counts.items():
        mark = "✓ measured" if label == tally.true_label else ""
        share = f"{count} ({100 * count / tally.answered:.0f} %)" if tally.answered else "0"
        rows.append((label, bar(count, tally.answered), share, mark))
    return element(
        "section",
        element("h3", f"Question {tally.question.id}"),
        table(
            tally.question.text,
            ("Answer", "Guesses", "Learners", "True"),
            rows,
            row_class=lambda row: "true" if row[3] else "",
        ),
        element("p", _question_words(tally)),
    )


def _question_words(tally):
    told = f"{tally.question.told(tally.measured)}."
    words = [told if tally.true_label else "Nobody has measured it yet."]
    if tally.others:
        words.append(f"{tally.others} measured something else.")
    words.append(f"{tally.skipped} without a guess.")
    if tally.late:
        words.append(f"{tally.late} guessed after the result was shown.")
    return " ".join(words)


def _exercise(exercise, tally):
    n = tally.passed + tally.tried + tally.untouched
    attempts = f"median {tally.median_attempts:g} (at most {tally.most_attempts})"
    hints = [
        f"hint {level}: {count} learners. {exercise.hints[level - 1]}"
        for level, count in tally.hints.items()
        if 1 <= level <= len(exercise.hints)
    ]
    mistakes = [f"mistake: {count} learners. {text}" for text, count in tally.mistakes.items()]
    outcomes = (
        ("passed", tally.passed),
        ("tried, not passed", tally.tried),
        ("not tried", tally.untouched),
    )
    return element(
        "section",
        element("h3", f"Exercise {tally.id}"),
        table(
            "How far the class got",
            ("Outcome", "Share", "Learners"),
            [(word, bar(count, n), count) for word, count in outcomes],
            row_class=lambda row: "true" if row[0] == "passed" else "",
        ),
        element(
            "p",
            f"Attempts of those who tried: {attempts if tally.most_attempts else 'none'}. "
            f"Saw the solution before passing: {tally.solutions}.",
        ),
        listing([*hints, *mistakes]) if hints or mistakes else "",
    )
