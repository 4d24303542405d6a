"""Some of the models of `make models`, one for each sort of thing that a table can say."""

import fuzz_engine
import kinds
import model_table
import numpy as np
import pytest

PART = ("mobile3", "causal", "text", "up_smooth", "with_prelu")


@pytest.mark.parametrize("name", PART)
def test_a_kind_is_as_near_to_float_as_the_converters_file(name):
    row = model_table.row(name, train=False)
    assert row.became == "works", row


def test_what_stays_in_float_and_what_is_refused_is_said():
    row = model_table.row("with_sine", train=False)
    assert (row.became, row.words) == ("in part", row.words)
    assert "no integer form of SIN" in row.words
    row = model_table.row("two_inputs", train=False)
    assert row.became == "refused"
    assert "2 inputs" in row.words


def test_there_are_many_kinds():
    assert len(set(kinds.BUILDERS.values())) >= 90


@pytest.mark.parametrize(
    ("source", "ours", "theirs", "became"),
    [
        ((90, 100), (30, 99), (30, 99), ""),
        ((90, 100), (30, 96), (30, 99), "wrong"),
        ((90, 100), (28, 99), (30, 99), "coarser"),
        ((90, 100), (30, 96), (None, None), "wrong"),
        ((20, 100), (30, 99), (30, 99), "wrong"),
    ],
)
def test_the_table_sees_what_is_wrong(source, ours, theirs, became):
    assert model_table.problem(source, ours, theirs)[0] == became


@pytest.mark.parametrize(
    ("gaps", "became"), [((-2, 1, 1), "works"), ((-2, -1, -1), "coarser"), ((-2, 3), "works")]
)
def test_the_mean_of_several_draws_decides(gaps, became):
    seems = lambda gap: "coarser" if gap < -1 else "works"  # noqa: E731
    rows = [model_table.Row("x", seems(gap), 30 + gap, 30, 99, 99) for gap in gaps]
    row = model_table.averaged(rows)
    assert (row.became, row.ours_db) == (became, 28)
    assert f"{np.mean(gaps):+.1f} dB" in row.words
    wrong = model_table.Row("x", "wrong", 40, 30, 80, 99)
    assert model_table.averaged([*rows, wrong]).became == "wrong"


def test_distances():
    due = np.eye(4)
    assert model_table._distance(due, due) == (pytest.approx(126, abs=1), 100)
    assert model_table._distance(due, np.roll(due, 1, 1)) == (pytest.approx(-3, abs=0.1), 0)


# ---- damaged files ------------------------------------------------------------------------------
def test_damaged_files_of_other_kinds_end_no_process(monkeypatch):
    whole = fuzz_engine.bases(("token", "two_inputs"))
    monkeypatch.setattr(fuzz_engine, "bases", lambda: whole)
    outcomes = fuzz_engine.run(range(40))
    assert [x for x in outcomes if x.problem] == []
    assert [x.seed for x in outcomes] == list(range(40))
    assert {x.became for x in outcomes} > {"refused"}


def test_the_fuzzer_names_what_raises(monkeypatch):
    def broken(*_):
        raise KeyError(3)

    monkeypatch.setattr(fuzz_engine, "outcome", broken)
    became, _ = fuzz_engine.tried(b"", None)
    assert fuzz_engine.Outcome(0, "", "", became).problem
    assert became == "raises KeyError(3)"
