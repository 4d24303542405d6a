"""``qlab grade`` and ``qlab board``: their options, and what they print."""

import json
import sys
from dataclasses import replace

from qlab import challenge  # loads what is used of it, when it is used
from qlab.system.files import typed_path
from qlab.system.text import printable

HEAD = " #  {:>9}  {:>9}   accuracy  95 % interval     submitted (UTC)   name"


def add_to(add):
    grade = add(
        "grade",
        lambda given: grade_main(given.file, given.json, given.secret),
        "measure a .tflite file for the challenge, trusting nothing in it",
    )
    grade.epilog = "Exit code: 0 if the file is in a league, 1 if not; the reason is printed."
    grade.add_argument("file", type=typed_path, metavar="FILE")
    _add_secret(grade)
    grade.add_argument("--json", action="store_true", help="print JSON instead of words")
    board = add(
        "board",
        lambda x: board_main(
            x.folder, x.submit, x.name, x.regrade, x.json, x.collect, x.secret, x.seconds
        ),
        "rank a class's submissions in a folder, or add one",
    )
    board.epilog = (
        "Files put into FOLDER by hand count too, under their own names. Exit code of a "
        "submission: 0 if it was taken, 1 if not."
    )
    board.add_argument(
        "folder", type=typed_path, metavar="FOLDER", help="must be there; every member writes to it"
    )
    board.add_argument(
        "--submit", type=typed_path, metavar="FILE", help="grade FILE and, if it qualifies, add it"
    )
    board.add_argument("--name", help="who submits")
    board.add_argument(
        "--regrade", action="store_true", help="measure every file anew, and believe no note"
    )
    board.add_argument(
        "--collect",
        action="store_true",
        help="first take what lies in FOLDER/drop, which learners can write to and not list; made "
        "if it is missing",
    )
    _add_secret(board)
    board.add_argument(
        "--seconds", type=float, default=1800, help="most time for measuring (default: 1800)"
    )
    board.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _add_secret(command):
    command.add_argument(
        "--secret",
        type=typed_path,
        metavar="FILE",
        help="also check on pictures that only this file of the teacher decides; made if missing",
    )


def grade_main(file, as_json=False, secret=None, out=print):
    """Grade a file and print the verdict."""
    verdict = challenge.grade(file, hidden=secret and challenge.read_secret(secret))
    if as_json:
        out(json.dumps(verdict.to_dict(), indent=2))
    else:
        out(f"{printable(file)} {verdict}")
    return 0 if verdict.qualifies else 1


def board_main(
    folder,
    file=None,
    name=None,
    regrade=False,
    as_json=False,
    collect=False,
    secret=None,
    seconds=1800,
    out=print,
):
    """Submit a file if one is given, and print the board."""
    if (file is None) != (name is None):
        raise challenge.BoardError("a submission needs both: --submit FILE and --name NAME")
    taken = True
    if file is not None:
        verdict, submission = challenge.submit(folder, file, name)
        taken = submission is not None
        if not as_json or not taken:
            out(f"{printable(file)} {verdict}\n")
        if taken and challenge.has_drop_box(folder):
            out("It lies in the drop box. The board shows it once your teacher has collected it.")
            return 0
    hidden = secret and challenge.read_secret(secret, folder)
    notices = challenge.collect(folder) if collect else []
    progress = _progress if sys.stderr.isatty() else None
    ranked = challenge.board(folder, regrade, None, progress, hidden, seconds)
    ranked = replace(ranked, notices=(*notices, *ranked.notices))
    out(json.dumps(to_dict(ranked), indent=2) if as_json else "\n".join(lines(ranked)))
    return 0 if taken else 1


def _progress(done, total):
    print(f"\r{done} of {total} files", end="\n" if done == total else "", file=sys.stderr)


def lines(ranked):
    """Yield a board as lines of text."""
    for league in challenge.LEAGUES:
        yield challenge.league_words(league)
        rows = ranked.league(league)
        yield HEAD.format(*challenge.SIZES[league]) if rows else " nobody yet"
        yield from (_line(row, league) for row in rows)
        yield ""
    below = [entry for entry in ranked.entries if not entry.verdict.qualifies]
    yield from (f"In no league: {_below(entry)}" for entry in below)
    yield from ranked.notices
    cached = sum(entry.kind == "cached" for entry in ranked.entries)
    yield f"{len(ranked.entries) - cached} measured now, {cached} cached: measured before."
    if cached:
        yield "Anyone who writes to the folder can change what is cached; --regrade measures anew."


def to_dict(ranked):
    """A board as plain values, for JSON."""
    return {
        "leagues": {name: [_row(row) for row in ranked.league(name)] for name in challenge.LEAGUES},
        "below": [_entry(entry) for entry in ranked.entries if not entry.verdict.qualifies],
        "notices": list(ranked.notices),
    }


def _line(row, league):
    verdict = row.entry.verdict
    sizes = "  ".join(f"{size:9,}" for size in verdict.sizes(league))
    low, high = (100 * end for end in verdict.interval)
    return (
        f"{row.place:2}  {sizes}  "
        f"{100 * verdict.accuracy:7.2f} %  {low:5.2f} to {high:5.2f} %  "
        f"{row.entry.when:%Y-%m-%d %H:%M}   {row.entry.shown}{challenge.remark(row)}"
    )


def _below(entry):
    why = entry.verdict.reason or f"its accuracy is {100 * entry.verdict.accuracy:.2f} %"
    return f"{entry.shown} ({printable(entry.file)}): {why}"


def _row(row):
    return {
        "place": row.place,
        **_entry(row.entry),
        "submissions": row.submissions,
        "same_as": row.same_as,
        "weights_of": row.weights_of,
        "looks_like": row.looks_like,
    }


def _entry(entry):
    verdict = entry.verdict.to_dict()
    when = entry.when.isoformat()
    told = {name: getattr(entry, name) for name in ("name", "owner", "file", "kind", "shipped")}
    return {"when": when, **told, **verdict}
