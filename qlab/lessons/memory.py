"""What a learner guessed, tried and passed, remembered in the learner's progress file."""

import os

from qlab.lessons import document
from qlab.lessons.registry import topic_of
from qlab.lessons.store import Store
from qlab.system.files import progress_file

IDLE_SECONDS = 600  # a longer pause is no time spent on a notebook
_stores = {}


def __getattr__(name):
    """``guesses`` and ``failures`` by id, as the file has them now."""
    fields = {"guesses": ("questions", "guess"), "failures": ("exercises", "failures")}
    if name not in fields:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    kind, field = fields[name]
    return {id: entry[field] for id, entry in progress()[kind].items() if field in entry}


def progress():
    """Everything remembered, as `qlab.lessons.document` describes it. Not to be changed."""
    return _store().read()


def notices():
    """What the learner should know about the progress file, in words."""
    return _store().notices


def learner(name=None):
    """Say or ask whose progress this is; reports show the name.

    Parameters
    ----------
    name : str, optional
        Without it, nothing changes. ``$QLAB_LEARNER`` names a learner who was not named here.

    Returns
    -------
    str
        The name, or "" if there is none.

    Examples
    --------
    >>> learner("Ada"), learner()
    ('Ada', 'Ada')
    """
    if name is not None:
        _store().update(lambda whole: whole.update(learner=document.storable(str(name).strip())))
    return progress()["learner"] or _named_outside()


def seen(id):
    """Note that the learner is at work on the notebook of question or exercise `id`."""
    _change("notebooks", topic_of(id), lambda entry, now: None)


def record_guess(question_id, guess):
    """Keep the latest guess for a question."""

    def change(entry, now):
        entry.update(guess=document.storable(guess), guessed=now)
        if "revealed" in entry and "counted" not in entry:
            entry["late"] = True

    _change("questions", question_id, change)


def record_reveal(question_id, truth, measured, right):
    """Keep the truth that a reveal showed."""

    def change(entry, now):
        if "counted" in entry:
            return
        entry.setdefault("revealed", now)
        entry.update(truth=document.storable(truth), measured=document.storable(measured))
        if "guess" in entry:
            entry.update(counted=entry["guess"], right=bool(right))

    _change("questions", question_id, change)


def record_check(exercise_id, passed, mistake="", general=False):
    """Count failed checks in a row, and the `general` hints to them; a pass resets both."""

    def change(entry, now):
        # An older qlab did not count them; it kept the levels that were shown.
        before = min(entry.get("failures", 0), max(entry.get("hints") or [0]))
        if "passed" not in entry:
            entry["attempts"] = entry.get("attempts", 0) + 1
            _add(entry, "mistakes", [document.storable(mistake)] if mistake else [])
        entry["failures"] = 0 if passed else entry.get("failures", 0) + 1
        entry["general"] = 0 if passed else entry.get("general", before) + general
        if passed:
            entry.setdefault("passed", now)

    return _change("exercises", exercise_id, change)


def record_hint(exercise_id, level):
    """Keep that a hint was shown; the weakest is level 1."""
    _change("exercises", exercise_id, lambda entry, now: _add(entry, "hints", [level]))


def record_solution(exercise_id):
    """Keep that the solution was looked at, if the exercise was not passed yet."""

    def change(entry, now):
        if "passed" not in entry:
            entry.setdefault("solution", now)

    _change("exercises", exercise_id, change)


def record_asked(sha256):
    """Count how often the test images were asked about a file, and return the count.

    A progress file holds 1,000 files: one more, and that not asked about for longest is forgotten.
    """

    def change(progress):
        files = progress["test_images"]
        asked = files.pop(sha256, {}).get("asked", 0)
        files[sha256] = {"asked": min(asked + 1, document.MOST_COUNT)}
        for oldest in list(files)[: -document.MOST_ENTRIES]:
            del files[oldest]

    return _update(change)["test_images"][sha256]["asked"]


def forget():
    """Start afresh; the file is set aside, not deleted."""
    _store().forget()


def _store():
    path = progress_file()
    if path not in _stores:
        _stores[path] = Store(path)
    return _stores[path]


def _named_outside():
    return document.storable(os.environ.get("QLAB_LEARNER", "").strip())


def _change(kind, id, change):
    """Apply `change(entry, now)`, count the time, and return the entry as it is then."""
    now = document.now()

    def counted(progress):
        change(progress[kind].setdefault(id, {}), now)
        _spend(progress["notebooks"].setdefault(topic_of(id), {}), now)

    return _update(counted)[kind][id]


def _update(change):
    """Apply `change(progress)` to a file that has the learner's name; return it as it is then."""

    def whole(progress):
        progress["learner"] = progress["learner"] or _named_outside()
        change(progress)

    return _store().update(whole)


def _spend(notebook, now):
    """Add the time since the last event, unless the learner was away."""
    notebook.setdefault("first", now)
    pause = document.seconds_between(notebook.get("last", now), now)
    if 0 <= pause <= IDLE_SECONDS:
        notebook["seconds"] = notebook.get("seconds", 0) + pause
    notebook["last"] = now


def _add(entry, field, values):
    """Keep each value once, in order."""
    if new := [value for value in values if value not in entry.get(field, ())]:
        entry[field] = [*entry.get(field, ()), *new][:50]
