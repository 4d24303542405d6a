"""Exercises and questions of notebooks 05 and 05b that rest on real files."""

import re

import pytest

import qlab
from qlab.arithmetic import sparsity
from qlab.course.clustering.budget import sparse_recipe
from qlab.course.pruning.masks import polynomial
from qlab.course.pruning.sparse_files import export
from qlab.lessons import check
from qlab.lessons.predictions import QUESTIONS
from qlab.tflite.graph import pack

FLOATS = qlab.Recipe(weight_bits=32, activation_bits=32)
SMALL_LAYERS = ("conv1", "conv2", "logits")


@pytest.fixture(scope="module")
def engine():
    return qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(16))


def pruned(engine, sparsity):
    return engine.compress(FLOATS.replace(sparsity=sparsity, calibration_size=16))


def hint(verdict):
    assert verdict.status == "not yet"
    return verdict.lines[1]


# A file from a wrapped model


@pytest.mark.parametrize("form", [lambda model: model, lambda model: model.data])
def test_a_file_with_its_zeros_passes(engine, form):
    verdict = check("pruning.export", form(pruned(engine, 0.8)))
    assert verdict.passed and "80% of the weights are zero" in verdict.lines[0]


@pytest.mark.parametrize(
    ("sparsity", "words"), [(0.0, "never pruned"), (0.2, "filled again"), (0.6, "filled again")]
)
def test_a_file_with_too_few_zeros_gets_its_own_hint(engine, sparsity, words):
    assert words in hint(check("pruning.export", pruned(engine, sparsity)))


def test_a_file_with_variables_is_still_wrapped(engine):
    graph = engine.model.graph()
    graph.subgraphs.append(graph.subgraphs[0])
    assert "wrappers are still on" in hint(check("pruning.export", qlab.LiteModel(pack(graph))))


@pytest.mark.parametrize("answer", [0.8, "pruned.tflite", export, {}])
def test_something_else_than_a_file(answer):
    verdict = check("pruning.export", answer)
    assert "needs a file" in verdict.lines[0] and "train.convert" in hint(verdict)


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(100)])
def test_bytes_that_are_no_file(data):
    assert "cannot be read" in check("pruning.export", data).lines[0]


def test_the_reference_makes_such_a_file():
    from qlab import train

    train_set = qlab.data.load().train
    wrapped = train.prune(train.load("baseline"), 0.8)
    train.fit(wrapped, train_set.images[:256], train_set.labels[:256], epochs=1, progress=False)
    assert check("pruning.export", export(wrapped)).passed
    converter = train.tf.lite.TFLiteConverter.from_keras_model(wrapped)
    assert "wrappers are still on" in hint(check("pruning.export", converter.convert()))


# A recipe under a budget

CORRECT = {
    "reference": sparse_recipe(),
    "others spared from a sparsity for all": FLOATS.replace(
        sparsity=0.8, overrides={name: {"sparsity": 0.0} for name in SMALL_LAYERS}
    ),
    "the same, with a share for each": FLOATS.replace(
        sparsity=0.8,
        sparsity_scope="per-layer",
        overrides={name: {"sparsity": 0.0} for name in SMALL_LAYERS},
    ),
    "a little of another layer, too": FLOATS.replace(
        overrides={"dense1": {"sparsity": 0.8}, "conv2": {"sparsity": 0.1}}
    ),
}


@pytest.mark.parametrize("recipe", CORRECT.values(), ids=CORRECT)
def test_recipes_within_the_budget_pass(recipe):
    verdict = check("clustering.sparse_recipe", recipe)
    assert verdict.passed, verdict
    assert re.search(r"has 10\d,\d{3} bytes, and it reaches 8[78]\.\d\d %", verdict.lines[0])


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (FLOATS, "Nothing is pruned"),
        (FLOATS.replace(sparsity=0.78), "One threshold"),
        (FLOATS.replace(sparsity=0.95), "One threshold"),
        (FLOATS.replace(sparsity=0.8, sparsity_scope="per-layer"), "the same share"),
        (qlab.Recipe(), "stay floats"),
        (qlab.Recipe(sparsity=0.78), "stay floats"),
        (FLOATS.replace(clusters=16), "no clusters"),
        (FLOATS.replace(overrides={"dense1": {"clusters": 16}}), "no clusters"),
    ],
)
def test_a_recipe_outside_the_budget_gets_its_own_hint(recipe, words):
    found = hint(check("clustering.sparse_recipe", recipe))
    assert found.startswith("Hint: ") and words in found


def test_no_single_sparsity_meets_the_budget():
    for scope in sparsity.SCOPES:  # 0.77 is too large, and from 0.78 on it fits
        for share in (0.77, 0.775, 0.78):
            recipe = FLOATS.replace(sparsity=share, sparsity_scope=scope)
            assert check("clustering.sparse_recipe", recipe).status == "not yet", recipe


@pytest.mark.parametrize("answer", [{"sparsity": 0.8}, 0.8, sparse_recipe])
def test_something_else_than_a_recipe(answer):
    assert "needs a qlab.Recipe" in check("clustering.sparse_recipe", answer).lines[0]


def test_a_recipe_that_names_no_layer_is_told_in_words():
    verdict = check(
        "clustering.sparse_recipe", FLOATS.replace(overrides={"dense9": {"sparsity": 0.8}})
    )
    assert "cannot be built" in verdict.lines[0] and "dense9" in verdict.lines[0]


# What the lessons say is what qlab does


def test_the_schedule_by_hand_is_that_of_qlab():
    for step in range(0, 500, 7):
        ours = sparsity.polynomial_sparsity(step, 50, 450, 0.5, 0.9, frequency=1)
        assert polynomial(step, 50, 450, 0.5, 0.9) == pytest.approx(ours)


def test_the_layers_in_the_question_are_those_of_the_model(engine):
    sizes = {x.name: x.weights.size for x in engine.layers if x.weights is not None}
    options = QUESTIONS["clustering.layer"].options
    assert {name: text.split(", ")[1] for text, name in options.items()} == {
        name: f"{size:,} weights" for name, size in sizes.items()
    }
