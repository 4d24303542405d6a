"""`qlab report`: one learner, a class, and files that somebody prepared to do harm."""

import csv
import io
import os
import random
from html.parser import HTMLParser

import pytest

from qlab import cli
from qlab.lessons import document, predict, reveal
from qlab.lessons.cards import table
from qlab.lessons.exercises import EXERCISES
from qlab.lessons.predictions import QUESTIONS
from qlab.lessons.report_pages import page
from qlab.lessons.spreadsheet import COLUMNS
from qlab.lessons.syllabus import parts
from qlab.lessons.tally import OTHER, tally_exercise, tally_question
from qlab.system.text import to_csv

NOON = "2025-01-31T12:00:00Z"
IN_COURSE = [e.id for part in parts() for e in part.exercises]
QUIZ = [q.id for part in parts() for q in part.quiz]
TRUTHS = {"welcome.size": 3.62, "rounding.blank": 10.0, "ptq.cliff": 2}


def generated(seed):
    """A learner who guesses and tries at random, and measures `TRUTHS`."""
    draw = random.Random(seed)
    whole = {**document.empty(), "learner": f"Learner {seed}"}
    for id, question in QUESTIONS.items():
        if draw.random() < 0.8:
            guess = draw.choice(list(question.options or range(101)))
            entry = {"guess": guess, "guessed": NOON}
            if id in TRUTHS:
                entry.update(counted=guess, truth=TRUTHS[id], measured=f"{TRUTHS[id]}")
                entry.update(right=draw.random() < 0.5, revealed=NOON)
            whole["questions"][id] = entry
    for id in EXERCISES:
        entry = {"attempts": draw.randint(1, 9), "failures": 0, "hints": [1, 2]}
        whole["exercises"][id] = {**entry, **({"passed": NOON} if draw.random() < 0.7 else {})}
    for part in parts():
        whole["notebooks"][part.topic] = {"first": NOON, "last": NOON, "seconds": 1200}
    return whole


def make_class(folder, learners):
    folder.mkdir()
    for seed in range(learners):
        (folder / f"{seed:02}.json").write_bytes(document.to_bytes(generated(seed)))
    return folder


def run(*arguments):
    return cli.main(["report", *map(str, arguments)])


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


class Parsed(HTMLParser):
    """Tags, attributes and text of a page, as a browser would find them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]

    def handle_data(self, data):
        self.text += data + "\n"


HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3", "p"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li", "svg", "rect"),
}


def parsed(path):
    """A written page, after a check that it is self-contained and can do nothing."""
    text = path.read_text("utf-8")
    page = Parsed(text)
    assert set(page.tags) <= HARMLESS
    names = {name for _, name, _ in page.attributes}
    assert names <= {
        *("lang", "charset", "name", "content", "http-equiv", "scope", "class"),
        *("width", "height", "aria-hidden"),
    }
    assert "http:" not in text and "https:" not in text and "url(" not in text
    assert page.tags.count("h1") == 1
    return page


# One learner


def test_ones_own_report_tells_what_was_done_predicted_and_measured(tmp_path, capsys):
    predict("welcome.size").guess("4 times or more")
    reveal("welcome.size", 3.62)
    predict("welcome.accuracy").guess("100 to 499")
    assert run("--to", tmp_path) == 0
    out = capsys.readouterr().out
    assert os.environ["QLAB_PROGRESS"] in out and str(tmp_path / "qlab-report.csv") in out
    text = parsed(tmp_path / "qlab-report.html").text
    assert "4 times or more" in text and "3.62 times smaller, so: between 3 and 4 times" in text
    still_open = text.split("Still open")[1].split("Predictions")[0]
    assert "Question welcome.size" not in still_open
    assert "Question welcome.accuracy: guessed, result not seen." in still_open
    assert "Question rounding.blank: not guessed." in still_open
    assert all(f"Exercise {id}: not attempted." in still_open for id in IN_COURSE)
    by_id = {row["id"]: row for row in rows_of(tmp_path / "qlab-report.csv")}
    assert set(by_id) == {*QUESTIONS, *IN_COURSE, *QUIZ, *(part.topic for part in parts())}
    assert (
        by_id["welcome.size"]["status"] == "wrong"
        and by_id["welcome.size"]["guess"] == "4 times or more"
    )
    assert by_id["rounding.blank"]["status"] == "not guessed"


def test_a_finished_course_has_nothing_open(tmp_path):
    whole = generated(1)
    for id in QUESTIONS:
        whole["questions"][id] = {"guess": 1, "right": True, "late": True, "measured": "1"}
    for id in EXERCISES:
        whole["exercises"][id] = {"attempts": 1, "passed": NOON, "solution": NOON}
    (tmp_path / "ada.json").write_bytes(document.to_bytes(whole))
    assert run(tmp_path / "ada.json", "--to", tmp_path) == 0
    text = parsed(tmp_path / "qlab-report.html").text
    assert "Nothing: the whole course is done." in text
    assert "right, guessed after the result was shown" in text and "passed, solution seen" in text


def test_a_second_report_replaces_the_first(tmp_path):
    for name in ("Ada", "Grace"):
        (tmp_path / "one.json").write_bytes(
            document.to_bytes({**document.empty(), "learner": name})
        )
        assert run(tmp_path / "one.json", "--to", tmp_path / "out") == 0
    assert "Grace" in parsed(tmp_path / "out" / "qlab-report.html").text
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b'{"version": 9}', b"x" * 2_000_000])
def test_a_broken_file_of_ones_own_is_an_error_in_words(data, tmp_path, capsys):
    (tmp_path / "one.json").write_bytes(data)
    assert run(tmp_path / "one.json", "--to", tmp_path) == 1
    err = capsys.readouterr().err
    assert "cannot be used" in err and "Traceback" not in err
    assert (tmp_path / "one.json").read_bytes() == data


def test_a_pipe_is_an_error_in_words(tmp_path, capsys):
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has no such pipes")
    os.mkfifo(tmp_path / "one.json")
    assert run(tmp_path / "one.json") == 1
    assert "cannot be read: it is not a file" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path, capsys):
    (tmp_path / "one.json").write_bytes(document.to_bytes(document.empty()))
    assert run(tmp_path / "one.json", "--to", tmp_path / "one.json") == 1
    assert "Choose another folder with --to." in capsys.readouterr().err


# A class


def test_a_class_is_counted(tmp_path, capsys):
    folder = make_class(tmp_path / "class", 30)
    assert run(folder, "--to", tmp_path) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"30 learners in {folder}\nwrote ")
    page = parsed(tmp_path / "qlab-class.html")
    whole = [generated(seed) for seed in range(30)]
    guesses = [w["questions"].get("ptq.cliff", {}).get("guess") for w in whole]
    section = page.text.split("Question ptq.cliff")[1].split("Question ")[0]
    lines = section.splitlines()
    for option in QUESTIONS["ptq.cliff"].options:
        share = lines[lines.index(option) + 1]
        assert share.startswith(f"{guesses.count(option)} (")
    assert lines[lines.index("2 bits") + 2] == "✓ measured"
    assert section.count("✓ measured") == 1
    assert f"{guesses.count(None)} without a guess." in section
    passed = sum("passed" in w["exercises"]["ptq.quantize"] for w in whole)
    lines = page.text.split("Exercise ptq.quantize")[1].splitlines()
    assert lines[lines.index("passed") + 1] == str(passed)
    assert lines[lines.index("tried, not passed") + 1] == str(30 - passed)
    assert "Nobody has measured it yet." in page.text.split("Question baseline.noise")[1]
    rows = rows_of(tmp_path / "qlab-class.csv")
    assert len(rows) == 30 * (len(QUESTIONS) + len(IN_COURSE) + len(QUIZ) + len(parts()))
    assert {row["learner"] for row in rows} == {f"Learner {seed}" for seed in range(30)}


def test_bars_are_as_long_as_their_share(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for number, option in enumerate(["2 bits", "2 bits", "2 bits", "3 bits"]):
        whole = {**document.empty(), "questions": {"ptq.cliff": {"guess": option}}}
        (folder / f"{number}.json").write_bytes(document.to_bytes(whole))
    assert run(folder, "--to", tmp_path) == 0
    text = (tmp_path / "qlab-class.html").read_text("utf-8")
    section = text.split("Question ptq.cliff")[1].split("<h3")[0]
    widths = {
        row.split("</th>")[0].split(">")[-1]: float(row.split('width="')[2].split('"')[0])
        for row in section.split("<tr")[2:]
    }
    assert widths["2 bits"] == 150 and widths["3 bits"] == 50
    assert sum(widths.values()) == 200


def test_broken_files_are_listed_and_do_not_stop_the_class(tmp_path, capsys):
    folder = make_class(tmp_path / "class", 2)
    (folder / "a").mkdir()
    (folder / "a" / "deep.json").write_bytes(b"[" * 100_000)
    (folder / "cut.json").write_bytes((folder / "00.json").read_bytes()[:100])
    (folder / "folder.json").mkdir()
    (folder / "huge.json").write_bytes(b" " * 2_000_000)
    (folder / "nowhere.json").symlink_to(tmp_path / "nothing")
    (folder / "linked.json").symlink_to(folder / "00.json")
    (folder / "notes.txt").write_text("not read")
    (folder / "ada-models" / ("ab" * 32)).mkdir(parents=True)
    (folder / "ada-models" / ("ab" * 32) / "about.json").write_text('{"version": 1, "name": "x"}')
    broken = {"linked.json", "a/deep.json", "cut.json", "folder.json", "huge.json", "nowhere.json"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.json")
        broken.add("pipe.json")
    assert run(folder, "--to", tmp_path) == 1
    out = capsys.readouterr().out
    text = parsed(tmp_path / "qlab-class.html").text
    assert "2 learners" in out and "Files left out" in text
    assert {line.split(": ")[1] for line in out.splitlines() if "left out" in line} == broken
    assert all(f"{file}: " in text for file in broken) and "notes.txt" not in out + text


@pytest.mark.parametrize("name", ["Ada", ""])
def test_what_is_handed_in_twice_counts_once(name, tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    begun = {"00": {"first": NOON, "last": NOON}}
    later = {"00": {"first": NOON, "last": "2025-01-31T13:00:00Z"}}
    other = {"00": {"first": "2025-01-31T12:00:01Z", "last": NOON}}
    for file, notebooks in (("a", later), ("b", begun), ("c", other), ("d", later), ("e", {})):
        whole = {**document.empty(), "learner": name, "notebooks": notebooks}
        (folder / f"{file}.json").write_bytes(document.to_bytes(whole))
    assert run(folder, "--to", tmp_path) == 0
    out = capsys.readouterr().out
    twice = ["a", "b"] if name else ["a"]
    assert f"{5 - len(twice)} learners" in out
    assert [line[-6:] for line in out.splitlines() if "counted once" in line] == [
        f"{file}.json" for file in twice
    ]
    assert {row["file"][0] for row in rows_of(tmp_path / "qlab-class.csv")} == {*"abcde"} - {*twice}


def test_a_report_tells_of_chosen_notebooks_alone(tmp_path, capsys):
    folder = make_class(tmp_path / "class", 1)
    for source, kind in ((folder, "class"), (folder / "00.json", "report")):
        assert run(source, "--to", tmp_path, "--notebooks", "00", "02") == 0
        text = (tmp_path / f"qlab-{kind}.html").read_text("utf-8")
        assert "02 Post-training quantization" in text and "03 Better rounding" not in text
        ids = {row["id"].split(".")[0] for row in rows_of(tmp_path / f"qlab-{kind}.csv")}
        assert ids == {"welcome", "ptq"}
    assert run(folder, "--to", tmp_path, "--notebooks", "99") == 1
    assert "there is no notebook 99; there are 00, 01, 02" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links and modes")
def test_a_report_is_private_and_goes_through_no_planted_link(tmp_path):
    folder, to, victim = make_class(tmp_path / "class", 1), tmp_path / "to", tmp_path / "victim"
    to.mkdir()
    victim.write_text("mine")
    (to / "qlab-class.html").symlink_to(victim)
    assert run(folder, "--to", to) == 0
    assert victim.read_text() == "mine"
    assert {path.lstat().st_mode & 0o777 for path in to.iterdir()} == {0o600}


def test_a_class_without_a_usable_file_fails_and_says_which(tmp_path, capsys):
    (tmp_path / "a.json").write_bytes(b"{")
    assert run(tmp_path, "--to", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "left out: a.json: it is not JSON" in said.out
    assert "no usable progress file" in said.err
    assert not (tmp_path / "out").exists()


def test_learners_of_one_name_are_told_apart_and_the_nameless_have_their_file(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for file, name in (("a", "Ada"), ("b", "Ada"), ("c", " ")):
        whole = {**document.empty(), "learner": name}
        (folder / f"{file}.json").write_bytes(document.to_bytes(whole))
    assert run(folder, "--to", tmp_path) == 0
    text = parsed(tmp_path / "qlab-class.html").text
    assert "Ada (a.json)" in text and "Ada (b.json)" in text and "\nc\n" in text


def documents(id, *entries, kind="questions"):
    return [{**document.empty(), kind: {id: entry} if entry else {}} for entry in entries]


def test_guesses_of_a_number_fall_into_ranges():
    guesses = [0, 19.9, 20, 100, 101, -1, "thirty", None]
    class_ = documents("rounding.blank", *({"guess": g} if g is not None else {} for g in guesses))
    counts = tally_question(QUESTIONS["rounding.blank"], class_).counts
    assert list(counts.values()) == [2, 1, 0, 0, 1, 3]
    assert next(iter(counts)) == "0 % to 20 %" and list(counts)[-1] == OTHER


def test_what_most_learners_measured_is_true():
    truths = (3.6, 3.61, 9.0, True, "3.6", "x")
    entries = [{"truth": truth, "measured": str(truth)} for truth in truths]
    result = tally_question(
        QUESTIONS["welcome.size"], documents("welcome.size", *entries, {"guess": "x"})
    )
    assert (result.true_label, result.others) == ("between 3 and 4 times", 4)
    result = tally_question(QUESTIONS["welcome.size"], documents("welcome.size", {"truth": "x"}))
    assert (result.true_label, result.others) == ("", 1)
    entries += [{"truth": 3.61, "measured": "3.61"}] * 3
    result = tally_question(QUESTIONS["welcome.size"], documents("welcome.size", *entries))
    assert result.true_label == "between 3 and 4 times" and result.measured == "3.61"
    assert result.others == 4 and result.skipped == 9


def test_attempts_hints_and_mistakes_are_counted():
    entries = (
        {"attempts": 1, "passed": NOON},
        {"attempts": 4, "hints": [1, 2], "mistakes": ["percent"], "solution": NOON},
        {"attempts": 9, "hints": [1], "mistakes": ["percent", "count"], "passed": NOON},
        {},
    )
    exercise = EXERCISES["baseline.accuracy"]
    result = tally_exercise(exercise, documents(exercise.id, *entries, kind="exercises"))
    assert (result.passed, result.tried, result.untouched) == (2, 1, 1)
    assert (result.median_attempts, result.most_attempts, result.solutions) == (4, 9, 1)
    assert result.hints == {1: 2, 2: 1} and result.mistakes == {"percent": 2, "count": 1}


# Harm

XSS = "</td></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;"


def hostile():
    """Every text that a file may hold is an attack."""
    questions = {
        id: {"guess": XSS, "measured": XSS, "truth": XSS, "right": False} for id in QUESTIONS
    }
    exercises = {id: {"attempts": 1, "hints": [0, 99], "mistakes": [XSS]} for id in EXERCISES}
    return {
        **document.empty(),
        "learner": XSS,
        "questions": {**questions, XSS: {}},
        "exercises": exercises,
    }


@pytest.mark.parametrize("whole_class", [False, True])
def test_no_text_of_a_file_becomes_html(whole_class, tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for name in ("one", "<b onclick=x>"):
        (folder / f"{name}.json").write_bytes(document.to_bytes(hostile()))
    (folder / "<i>.json").write_bytes(b"{")
    source = folder if whole_class else folder / "one.json"
    assert run(source, "--to", tmp_path) == whole_class  # one file is broken
    text = parsed(tmp_path / f"qlab-{'class' if whole_class else 'report'}.html").text
    assert "<script>alert(1)</script>" in text  # as text
    if whole_class:
        assert "<i>.json: it is not JSON" in text and "<b onclick=x>" in text
    assert "entries for questions or exercises not in this version" in text


def test_the_check_for_html_sees_an_attack(tmp_path):
    bad = tmp_path / "bad.html"
    for attack in ("<script>", "<a href=x>", "<p onclick=x>", "<p style='background:url(x)'>"):
        bad.write_text(f"<h1>x</h1>{attack}")
        with pytest.raises(AssertionError):
            parsed(bad)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1", "\ufeff=1"]
)
def test_no_text_of_a_file_becomes_a_formula(text, tmp_path):
    whole = {**hostile(), "learner": text}
    whole["questions"]["welcome.size"] = {"guess": text, "measured": text}
    whole["exercises"]["baseline.accuracy"] = {"mistakes": [text, "second"]}
    (tmp_path / "one.json").write_bytes(document.to_bytes(whole))
    assert run(tmp_path, "--to", tmp_path) == 0
    for row in rows_of(tmp_path / "qlab-class.csv"):
        for cell in row.values():
            assert cell[:1] not in {*"=+-@\t\r\n\uff1d\ufeff"} and cell.lstrip()[:1] != "="


def test_numbers_stay_numbers_in_the_table():
    row = {"guess": -3, "measured": "a,b\nc"}
    text = to_csv(COLUMNS, [[row.get(name, "") for name in COLUMNS]], spreadsheet=True)
    assert text.decode("utf-8-sig").splitlines()[1] == ',,,,,,-3,"a,b c",,,,,'


def test_file_names_cannot_steer_the_terminal(tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    name = "\x1b[2J\u202eevil\udcff.json"
    try:
        (folder / name).write_bytes(b"{")
        (folder / f"good{name}").write_bytes(document.to_bytes(document.empty()))
    except (OSError, UnicodeError):
        pytest.skip("this system does not allow such names")
    assert run(folder, "--to", tmp_path) == 1
    out = capsys.readouterr().out
    text = (tmp_path / "qlab-class.html").read_text("utf-8")
    table = (tmp_path / "qlab-class.csv").read_text("utf-8-sig")
    assert not {"\x1b", "\u202e", "\udcff"} & set(out + text + table) and "evil" in out


def test_hostile_numbers_do_not_stop_the_class(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    numbers = (1e15, -1e15, 5e-324, -0.0, 10**15, 0, True)
    tried = {"attempts": 10**9, "hints": [10**9]}
    for index, number in enumerate(numbers):
        entry = {
            "truth": number,
            "measured": "",
            **({"guess": number} if number is not True else {}),
        }
        whole = {
            **document.empty(),
            "questions": dict.fromkeys(QUESTIONS, entry),
            "exercises": dict.fromkeys(EXERCISES, tried),
            "notebooks": {"00": {"seconds": 10**9}},
        }
        (folder / f"{index}.json").write_bytes(document.to_bytes(whole))
    assert run(folder, "--to", tmp_path) == 0
    text = parsed(tmp_path / "qlab-class.html").text
    assert text.count("Question ") == len(QUESTIONS) + len(QUIZ)
    assert run(folder / "0.json", "--to", tmp_path) == 0


def test_reading_a_class_changes_nothing(tmp_path):
    folder = make_class(tmp_path / "class", 2)
    (folder / "bad.json").write_bytes(b"{")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run(folder, "--to", tmp_path) == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# The pieces


def test_a_page_says_its_language_and_forbids_scripts():
    cells = str(table("C", ("x", "y"), [("1", "<2")]))
    text = page("page.html", title="A & B", unknown=0) + cells
    assert '<html lang="en">' in text and "default-src 'none'" in text
    assert "<title>A &amp; B</title>" in text and '<th scope="row">1</th><td>&lt;2</td>' in text
