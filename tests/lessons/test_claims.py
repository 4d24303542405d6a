"""Claims: every rule gives every mark, for numbers that should give it, and none is typed in."""

import copy
import html
import math
import pickle
import re

import pytest

from qlab.arithmetic.results import Measurement
from qlab.lessons.claims import CLAIMS, OUTCOMES, Claim, check_claim, mark
from qlab.lessons.claims_table import ClaimsTable, WordsTable
from qlab.lessons.limits import Limit
from qlab.lessons.predictions import QUESTIONS

TRUE, CONDITION, FALSE = OUTCOMES
AREAS = {
    "size": ("third", "sixteenth", "sparser", "smaller"),
    "accuracy": ("unreliable", "loses_nothing", "beats", "hundred"),
    "code": ("weights_only", "special_optimizer", "all_optimizations", "saved_pruned", "snippets"),
    "speed": ("faster", "overhead"),
    "not measured here": ("energy", "winner"),
}
# What a run gives, and what that must mean; then numbers that would turn the mark round.
RULES = [
    ("third", {"int8": 3.63, "int16x8": 3.52, "tiny": 2.48}, CONDITION),
    ("third", {"int8": 3.63, "int16x8": 3.52}, TRUE),
    ("third", {"float16": 1.96, "4 bits": 6.62}, FALSE),
    ("sixteenth", {"2 bits": (21.5, 71.5), "chain": (16.8, 0.5)}, CONDITION),
    ("sixteenth", {"2 bits": (21.5, 71.5), "no gzip": (6.6, 0.5)}, FALSE),
    ("sixteenth", {"chain": (16.8, 0.5)}, TRUE),
    ("sparser", {"50 %": 0.0, "90 %": -0.01}, TRUE),
    ("sparser", {"50 %": 0.0, "64 steps": 90.0}, CONDITION),
    ("sparser", {"64 steps": 90.0}, FALSE),
    ("smaller", {"file": 1.0, "gzipped": 5.1}, CONDITION),
    ("smaller", {"file": 1.0, "with wrappers": 0.5}, FALSE),
    ("smaller", {"gzipped": 5.1, "zeros left out": 6.2}, TRUE),
    ("unreliable", {"8 bits": 0.1, "2 bits": 71.5}, CONDITION),
    ("unreliable", {"8 bits": 0.1, "6 bits": -0.2, "4 bits": 1.5}, FALSE),
    ("unreliable", {"2 bits": 71.5, "blank": 80.4}, TRUE),
    ("loses_nothing", {"8 bits": 0, "2 bits": 3}, CONDITION),
    ("loses_nothing", {"8 bits": 0, "4 bits": 0}, TRUE),
    ("loses_nothing", {"3 bits": 1, "2 bits": 3}, FALSE),
    ("beats", {"8 bits": 0, "4 bits": 3}, CONDITION),
    ("beats", {"8 bits": 0, "4 bits": 2}, FALSE),
    ("beats", {"4 bits": 3, "2 bits": 3}, TRUE),
    ("hundred", {"baseline": 3, "student": 10}, FALSE),
    ("hundred", {"baseline": 3, "larger": 100}, CONDITION),
    ("hundred", {"larger": 100, "wider": 50}, TRUE),
    ("weights_only", {"before": (4, 81), "after": (4, 0.4)}, FALSE),
    ("weights_only", {"before": (0, 81), "after": (0, 0.4)}, CONDITION),
    ("weights_only", {"before": (0, 0.1)}, TRUE),
    ("snippets", {"a": 1, "b": 1}, FALSE),
    ("snippets", {"a": 0, "b": 1}, CONDITION),
    ("snippets", {"a": 0, "b": 0}, TRUE),
    ("faster", {"int8": 1.42, "int4": 0.49, "int16x8": 0.02}, CONDITION),
    ("faster", {"int4": 0.49, "as fast": 1.0}, FALSE),
    ("faster", {"int8": 1.42, "by 64": 1.4}, TRUE),
    ("overhead", {"baseline": 0.92, "1 x 1": 1.57}, CONDITION),
    ("overhead", {"baseline": 0.92, "beside float": 0.65}, FALSE),
    ("overhead", {"1 x 1": 1.57}, TRUE),
    ("special_optimizer", {"optimizers": 0, "losses": 0}, FALSE),
    ("special_optimizer", {"optimizers": 1, "losses": 0}, CONDITION),
    ("special_optimizer", {"optimizers": 2, "losses": 1}, TRUE),
    ("all_optimizations", {"alone": 1, "with data": 2}, FALSE),
    ("all_optimizations", {"alone": 1, "with a wish for each": 4}, CONDITION),
    ("all_optimizations", {"alone": 4}, TRUE),
    ("saved_pruned", {"wrapped": 0.5, "stripped": 1.0}, FALSE),
    ("saved_pruned", {"stripped": 1.0, "gzipped": 4.8}, CONDITION),
    ("saved_pruned", {"gzipped": 4.8}, TRUE),
    ("energy", {"float16": 1.0, "int8": 4.1}, CONDITION),
    ("energy", {"float16": 1.0}, FALSE),
    ("energy", {"dynamic range": 3.8, "int8": 4.1}, TRUE),
    ("winner", {"SENet": 2.25, "ResNet-50": 7.14}, FALSE),
    ("winner", {"SENet": 2.25, "another": 23.0}, CONDITION),
    ("winner", {"another": 23.0}, TRUE),
]


def test_the_mark_follows_from_the_numbers():
    marks = [check_claim(f"claims.{name}", numbers).mark for name, numbers, _ in RULES]
    wrong = [(found, *rule) for found, rule in zip(marks, RULES, strict=True) if found != rule[2]]
    assert wrong == []


def test_every_claim_is_tried_for_every_mark_and_asked_for_before():
    names = [name for area in AREAS.values() for name in area]
    assert [f"claims.{name}" for name in names] == list(CLAIMS)
    for name in names:
        assert {expected for n, _, expected in RULES if n == name} == set(OUTCOMES)
        question = QUESTIONS[f"claims.{name}"]
        assert (
            tuple(question.options) == OUTCOMES and CLAIMS[f"claims.{name}"].words in question.text
        )
        for limit in CLAIMS[f"claims.{name}"].limits:  # said before anything is measured
            assert str(limit) in question.text
        assert "`" not in question.text  # plain text, in a widget and in a table
        assert [question.option_for(outcome) for outcome in OUTCOMES] == list(OUTCOMES)


def marks_about_the_limits(claim):
    """One case inside all limits and one outside the first: each alone, and both together."""
    inside = tuple(x.low if math.isfinite(x.low) else x.high for x in claim.limits)
    first = claim.limits[0]
    out = first.low - 1 if math.isfinite(first.low) else first.high + 1
    cases = {"in": inside, "out": (out, *inside[1:])}
    together = claim.check(cases).mark
    return *(claim.check({name: case}).mark for name, case in cases.items()), together


def test_no_rule_is_constant():
    marks = {id: marks_about_the_limits(claim) for id, claim in CLAIMS.items()}
    assert marks == dict.fromkeys(CLAIMS, (TRUE, FALSE, CONDITION))


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((True,), TRUE),
        ((False, False), FALSE),
        ((False, True), CONDITION),
        ((True, False), CONDITION),
    ],
)
def test_the_three_marks(held, expected):
    assert mark(dict(enumerate(held))) == expected


def test_both_ends_of_a_limit_belong_to_it():
    limit = Limit("times smaller", low=3, high=4)
    assert [limit.holds(x) for x in (2.99, 3, 4, 4.01)] == [False, True, True, False]
    assert str(limit) == "times smaller, 3 to 4"


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (3.6251, 2, "3.63"),
        (2.9999999, 2, "2.9999999"),  # never rounded over an end: this one does not hold
        (4.004, 1, "4.004"),
        (4.04, 0, "4.04"),
        (0.0192, 2, "0.019"),
        (0.09, 1, "0.09"),
        (-0.03, 0, "0"),
        (-0.05, 1, "-0.05"),
        (-1e-15, 1, "0.0"),
        (0, 1, "0.0"),
        (1e9, 0, "1000000000"),
    ],
)
def test_a_number_is_written_on_its_side_of_each_end(number, digits, text):
    limit = Limit("times smaller", low=3, high=4, digits=digits)
    assert limit.write(number) == text
    assert limit.holds(float(text)) == limit.holds(number)


def test_a_limit_survives_being_copied_and_stored():
    limit = Limit("points lost", high=0.5)
    assert copy.deepcopy(limit) == pickle.loads(pickle.dumps(limit)) == limit


def test_a_claim_of_ones_own_says_rule_numbers_mark_and_condition():
    limits = Limit("times smaller", low=2, digits=0), Limit("points lost", high=1)
    found = Claim("mine", "Free lunch.", limits).check({"8 bits": (4, 0.25), "2 bits": (16, 70)})
    said = repr(found)
    assert "Limit: times smaller, at least 2; points lost, at most 1." in said
    assert "  holds     8 bits: 4 times smaller, 0.2 points lost" in said
    assert "  does not  2 bits: 16 times smaller, 70.0 points lost" in said
    assert said.endswith("So it is: true with a condition")
    assert Claim("mine", "Free lunch.", list(limits)).limits == limits
    assert Claim("mine", "Free lunch.", limits[0]).limits == limits[:1]
    assert found.condition == "holds for: 8 bits; not for: 2 bits"
    assert found.measured == "4 to 16 times smaller, 0.2 to 70.0 points lost"


def test_a_claim_may_name_its_condition_in_words():
    claim = Claim("mine", "Free.", Limit("points lost", high=1), condition="on Mondays")
    found = claim.check({"a": 0.5, "b": 2})
    assert found.condition == "true on Mondays"
    assert repr(found).endswith("So it is: true with a condition: true on Mondays")
    assert "true on Mondays" in found._repr_html_()
    assert claim.check({"a": 0.5}).condition == claim.check({"b": 2}).condition == ""
    assert repr(claim.check({"a": 0.5})).endswith("So it is: true")


def test_a_table_of_words_prints_as_text_and_links_on_a_page():
    table = WordsTable("Boards", ("board", "more"), [("a<b", [("x", "x.html"), ("y", "y.html")])])
    assert repr(table) == "Boards\nboard | more\na<b | x; y"
    page = table._repr_html_()
    assert '<a href="x.html">x</a>; <a href="y.html">y</a>' in page and "a&lt;b" in page


def test_a_mark_without_a_condition_names_none():
    assert check_claim("claims.sparser", {"50 %": 0.0}).condition == ""
    assert check_claim("claims.sparser", {"50 %": 50.0}).condition == ""


def test_the_table_has_each_claim_with_its_mark_and_its_numbers():
    found = [check_claim(f"claims.{name}", numbers) for name, numbers, _ in RULES[:9]]
    text, page = repr(ClaimsTable(found)), html.unescape(ClaimsTable(found)._repr_html_())
    assert text.count("\n") == 2 * len(found) - 1
    for one in found:
        assert f"{one.mark}: {one.claim.words}\n    {one.measured}" in text
        assert one.claim.words in page and one.measured in page and one.condition in page
    assert page.count('scope="col"') == 3 and "<caption" in page
    assert repr(ClaimsTable(dict(enumerate(found)))) == text
    marks = re.findall(r"[✓✗○] (true with a condition|true|false)", page)
    assert marks == [one.mark for one in found]  # in words too, never by colour alone


def test_what_a_learner_writes_is_escaped():
    claim = Claim("mine", "<b>bold</b>", Limit("<i>", low=1))
    page = claim.check({"<script>": 2})._repr_html_()
    assert "<script>" not in page and "<b>" not in page and "<i>" not in page


# Bad input


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({}, "there is no case"),
        ({"8 bits": (1, 2)}, "give numbers: times smaller"),
        ({"8 bits": float("nan")}, "give numbers"),
        ({"8 bits": math.inf}, "give numbers"),
        ({"8 bits": ()}, "give numbers"),
    ],
)
def test_numbers_that_do_not_fit_are_an_error_in_words(numbers, words):
    with pytest.raises(ValueError, match=words):
        check_claim("claims.third", numbers)


@pytest.mark.parametrize("ends", [{}, {"low": 2, "high": 1}])
def test_a_limit_must_be_one(ends):
    with pytest.raises(ValueError, match=r"needs low, high or both|nothing lies between"):
        Limit("points lost", **ends)


def test_an_unknown_claim_names_the_nearest():
    with pytest.raises(ValueError, match=r"Did you mean 'claims\.third'"):
        check_claim("claims.thrid", {"int8": 3.6})


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([2.0, 1.5], "give a dictionary"),
        (2.0, "give a dictionary"),
        (None, "give a dictionary"),
        ({"8 bits": None}, "'8 bits' is a NoneType, not a number: give times smaller"),
        ({"8 bits": "3.6"}, "is a str, not a number"),
        ({"8 bits": Measurement([1, 2], [1, 3])}, "a Measurement, not a number: its accuracy is"),
    ],
)
def test_what_is_no_number_is_an_error_in_words(numbers, words):
    with pytest.raises(TypeError, match=words):
        check_claim("claims.third", numbers)


def test_an_end_needs_its_name_and_a_number():
    with pytest.raises(TypeError, match=r"which end is 0\.5\? Write low=.* or high="):
        Limit("points lost", 0.5)
    with pytest.raises(TypeError, match=r"high is '0\.5'; give a number, such as high=0\.5"):
        Limit("points lost", high="0.5")
    with pytest.raises(ValueError, match="nothing lies between"):
        Limit("points lost", high=math.nan)


@pytest.mark.parametrize("limits", ["points lost", (), ("points lost",), None, 0.5])
def test_a_claim_needs_limits(limits):
    with pytest.raises(TypeError, match=r"give Limit\(quantity, low=\.\.\. or high=\.\.\.\)"):
        Claim("mine", "Free lunch.", limits)


@pytest.mark.parametrize(
    "checked", [[3.6], ["claims.third"], [CLAIMS["claims.third"]], {"a": None}]
)
def test_the_table_takes_checked_claims_alone(checked):
    with pytest.raises(TypeError, match=r"is no checked claim: give what claim\.check"):
        ClaimsTable(checked)


def test_the_caption_of_a_claim_has_its_limit_on_a_line_of_its_own():
    page = html.unescape(check_claim("claims.third", {"int8": 3.6})._repr_html_())
    caption = re.search(r"<caption[^>]*pre-line[^>]*>(.*?)</caption>", page, re.DOTALL)[1]
    assert caption.splitlines()[1] == "Limit: times smaller, 3 to 4."
