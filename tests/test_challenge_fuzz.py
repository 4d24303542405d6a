"""300 damaged files, of the 5,000 that `make fuzz` grades."""

import sys
from collections import Counter

import damage
import fuzz
import pytest

SEEDS, PICTURES = range(300), 1_000


@pytest.mark.skipif(sys.platform == "win32", reason="judge processes are not limited on Windows")
def test_damaged_files_crash_nothing_and_never_get_a_wrong_ok():
    outcomes = fuzz.run(SEEDS, PICTURES)
    wrong = [f"seed {x.seed}, {x.kind}: {x.problem}" for x in outcomes if x.problem]
    assert wrong == [], f"the files are in {fuzz.KEPT}"
    assert [x.seed for x in outcomes] == list(SEEDS)
    stages = Counter(x.stage for x in outcomes)
    assert min(stages["refused"], stages["failed"], stages["ok"]) > 20, stages  # all ways are gone


def test_every_kind_of_damage_is_done_and_does_something():
    names = {f.__name__ for f in (*damage.TO_BYTES, *damage.TO_MEANING)}
    done = Counter()
    for seed in SEEDS:
        data = fuzz.base(fuzz.BASES[seed % len(fuzz.BASES)])
        kind, changed = damage.damaged(data, seed)
        done.update(kind.split("+") if changed != data else ())
    assert set(done) == names


def test_a_seed_gives_the_same_file_each_time():
    data = fuzz.base(fuzz.BASES[0])
    assert damage.damaged(data, 7) == damage.damaged(data, 7)
    assert damage.damaged(data, 7) != damage.damaged(data, 8)


class Checker:
    """Says of every file that 7 pictures are right."""

    def submit(self, *_):
        return self

    def result(self, _):
        return 7


@pytest.mark.parametrize(
    ("correct", "gzip_bytes", "problem"),
    [
        (95, 23, "7 are right, not 95"),
        (95, 1, "another gzipped size"),
        (7, 23, ""),
    ],
)
def test_the_fuzzer_sees_a_wrong_ok(correct, gzip_bytes, problem):
    import gzip

    from qlab.challenge import Verdict

    content = b"abc"
    assert len(gzip.compress(content, 6, mtime=0)) == 23
    verdict = Verdict(correct=correct, n=max(7, min(100, correct)), gzip_bytes=gzip_bytes)
    assert fuzz.wrong(verdict, content, 100, Checker()) == problem


def test_the_fuzzer_keeps_the_file_that_breaks_the_grader(monkeypatch, tmp_path):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "grade", broken)
    monkeypatch.setattr(fuzz, "KEPT", tmp_path / "kept")
    outcome = fuzz.trial(3, 10, Checker())
    assert outcome.problem == "the grader raised ZeroDivisionError()"
    _, content = damage.damaged(fuzz.base(fuzz.BASES[3]), 3)
    assert (tmp_path / "kept" / "3.tflite").read_bytes() == content
