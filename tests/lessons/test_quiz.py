"""The quizzes: five questions each, every truth from what a notebook measures."""

import functools
import json
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import qlab
from qlab.arithmetic.results import Measurement
from qlab.course.clustering import few_values
from qlab.course.own_model.budget import small_recipe
from qlab.course.qat import straight_through
from qlab.course.shipped_model import compressor, model, score
from qlab.course.welcome import verdict
from qlab.data import digits
from qlab.lessons import memory, progress, quiz, quizzes
from qlab.lessons.quizzes import ITEMS, Sheet, items
from qlab.system.output import quiet
from qlab.tflite.micro_form import micro_form
from qlab.tflite.operations import count_operations, energy
from qlab.tflite.sparse_encoding import encoded_bytes, sparse_file
from qlab.tflite.transforms import equalize
from qlab.trials import pareto
from qlab.trials.sensitivity import scan
from qlab.trials.stages import chain_stages
from qlab.widgets import AnatomyExplorer

TOPICS = ("welcome", "baseline", "ptq", "rounding", "qat", "pruning", "clustering")
TOPICS += ("distillation", "combine", "claims", "own_model")


def measured_in(topic):
    """The variables of a notebook that its quiz is about, measured as the notebook does."""
    split, whole, engine = qlab.data.load().validation, model(), compressor()
    float32 = qlab.evaluate(whole, split.images, split.labels)
    if topic == "welcome":
        small, after = score(qlab.Recipe())
        return {
            "model": whole,
            "small": small,
            "before": float32,
            "after": after,
            "compressor": engine,
        }
    if topic == "baseline":
        weights = [layer.weights.nbytes for layer in whole.layers if layer.weights is not None]
        hits = [float32.hits[float32.labels == i].mean() for i in range(10)]
        return {"measured": float32, "by_class": hits, "share": max(weights) / whole.file_bytes}
    if topic == "qat":
        return measured_in_qat()
    if topic == "pruning":
        return measured_in_pruning()
    if topic == "clustering":
        return measured_in_clustering()
    if topic == "distillation":
        return measured_in_distillation()
    if topic == "combine":
        return measured_in_combine()
    if topic == "claims":
        return measured_in_claims()
    if topic == "own_model":
        return measured_in_own_model()
    if topic == "rounding":
        return measured_in_rounding(whole, engine, split)
    return {
        "model": whole,
        "compressor": engine,
        "calibration": qlab.data.calibration_images(64),
        "scores": {"float32": float32, "int8": score(qlab.Recipe())[1]},
        "after": AnatomyExplorer().result.parts,
    }


def measured_in_rounding(whole, engine, split):
    """What notebook 03 measures, as it does."""
    two = qlab.Recipe(weight_bits=2, rounding="gptq", weight_observer="min-max")
    inputs = dense_inputs(whole, qlab.data.calibration_images(128))
    float_weights, errors = whole.layer("dense1").weights, {}
    for rounding in ("nearest", "gptq"):
        change = engine.plan(two.replace(rounding=rounding)).weights("dense1") - float_weights
        errors[rounding] = np.square(change).mean(), np.square(inputs @ change.T).mean()
    least = engine.plan(qlab.Recipe(weight_bits=2)).stored["dense1"].values
    return {
        "model": whole,
        "score": lambda recipe: score(recipe)[1],
        "entries": tuple(scan(engine, split.images, split.labels, bits=2)),
        "zeros": {"min-max": {"dense1": (least == 0).mean()}},
        "errors": errors,
        "lost": lost_by_separable(split),
    }


def dense_inputs(whole, images):
    """What the dense layer of the baseline reads."""
    tensor = whole.layer("dense1").inputs[0]
    found = qlab.runtime.activations(whole, images, [tensor])
    return np.concatenate([batch for _, [batch] in found]).reshape(len(images), -1)


def lost_by_separable(split):
    recipe = qlab.Recipe(weight_bits=4, granularity="per-tensor")
    lost = {"plain": 0, "equalized": 0}
    for seed in range(3):
        separable = qlab.pretrained(f"separable-seed{seed}")
        before = qlab.evaluate(separable, split.images, split.labels)
        for name, form in (("plain", separable), ("equalized", equalize(separable))):
            engine = qlab.Compressor(form, qlab.data.calibration_images(128))
            after = qlab.evaluate(engine.compress(recipe), split.images, split.labels)
            lost[name] += before.accuracy - after.accuracy
    return lost


def measured_in_own_model():
    """What notebook 09 measures, as it does."""
    data, own = digits.load(), qlab.pretrained("digits")
    engine, split = qlab.Compressor(own, data.calibration_images()), data.validation

    def scored(model, split=split):
        return qlab.evaluate(model, split.images, split.labels)

    def lost(rounding):
        return whole.accuracy - scored(engine.compress(two.replace(rounding=rounding))).accuracy

    whole, two = scored(own), qlab.Recipe(weight_bits=2)
    small = engine.compress(small_recipe())
    return {
        "data": data,
        "model": own,
        "lost": {rounding: lost(rounding) for rounding in ("nearest", "gptq")},
        "converted": scored(qlab.pretrained("digits-int8")),
        "eight": scored(engine.compress(qlab.Recipe())),
        "chosen": scored(small),
        "tested": scored(small.packed(), data.test),
    }


def measured_in_claims():
    """What notebook 08 measures, as it does."""
    test, calibration = qlab.data.load().test, qlab.data.calibration_images(128)
    student = qlab.pretrained("distilled-5k-600-taught-seed0")
    before = qlab.evaluate(model(), test.images, test.labels).predictions
    one = [qlab.Compressor(model(), qlab.data.calibration_images(1, seed=s)) for s in range(5)]
    files = [engine.compress(qlab.Recipe(calibration_size=1)) for engine in one]
    saved = saved_in_claims()
    return {
        "eight": {
            "student of 5,000 weights": qlab.Compressor(student, calibration).compress(
                qlab.Recipe()
            )
        },
        "memory": {"the chain at 4 bits": [memory_bytes("control"), memory_bytes("int4")]},
        "changed": {"8 bits": int((score(qlab.Recipe())[1].predictions != before).sum())},
        "by_size": {1: [qlab.evaluate(f, test.images, test.labels).accuracy for f in files]},
        "saved": saved,
    }


def memory_bytes(way):
    report = qlab.micro(micro_form(qlab.pretrained(f"chain-{way}-seed0")))
    return report.flash_bytes + report.arena_bytes


def saved_in_claims():
    """Bytes of the h5 files of notebook 08: the network, and wrapped by quantize_model."""
    from qlab import train

    keras, quantization = train.keras, train.tfmot.quantization.keras
    network = keras.models.load_model(qlab.artefacts.path("baseline.keras"))
    models = {"plain": network, "wrapped": quantization.quantize_model(network)}
    with tempfile.TemporaryDirectory() as folder, quiet():
        for name, kept in models.items():
            kept.save(Path(folder, f"{name}.h5"), include_optimizer=False)
        return {name: Path(folder, f"{name}.h5").stat().st_size for name in models}


def measured_in_combine():
    """Accuracies come from the manifest; tests/test_chain.py measures them."""
    entries, few = qlab.artefacts.manifest()["files"], qlab.data.load().test.images[:50]

    def accuracy(way, seed):
        return entries[f"chain-{way}-seed{seed}.tflite"]["test"]["accuracy"]

    float32 = qlab.pretrained("chain-control-seed0")
    return {
        "chains": {"kept": chain_stages(few, np.zeros(len(few), int), "kept")},
        "points": {
            way: [accuracy(way, seed) - accuracy("control", seed) for seed in range(3)]
            for way in ("int8", "naive-int8")
        },
        "long": json.loads(qlab.artefacts.path("search.json").read_text("utf-8")),
        "standings": pareto.standings(pareto.entries()),
        "estimates": {place: energy(float32, place) for place in ("off-chip", "on-chip")},
    }


def measured_in_distillation():
    data, settings = qlab.data.load(), (("5k", 600), ("20k", 600), ("5k", 6_000), ("5k", 50_000))

    @functools.cache
    def tested(size, labels, arm):
        names = [f"distilled-{size}-{labels}-{arm}-seed{seed}" for seed in range(5)]
        models = map(qlab.pretrained, names)
        return [qlab.evaluate(model, data.test.images, data.test.labels) for model in models]

    def gained(size):
        taught, plain = (
            np.array([x.hits for x in tested(size, 600, arm)], float) for arm in ("taught", "plain")
        )
        return taught - plain

    files = {"teacher": qlab.pretrained("teacher")}
    files["student"] = qlab.pretrained("distilled-5k-600-taught-seed0")
    return {
        "logits": qlab.runtime.logits(files["teacher"], data.validation.images[:1])[0],
        "changed": 0,
        "more": {"plain": qlab.metrics.crossed_interval(gained("20k") - gained("5k"), 0.05 / 3)},
        "files": files,
        "true_to_permuted": [
            qlab.compare(tested(*x, "permuted"), tested(*x, "taught"), family=12) for x in settings
        ],
    }


def measured_in_qat():
    """What notebook 04 measures, from the manifest; tests/test_qat.py measures it anew."""
    entries = qlab.artefacts.manifest()["files"]
    controls = [entries[f"qat-control-seed{seed}.tflite"] for seed in range(3)]

    def mean(bits):
        return np.mean(
            [entries[f"qat-w{bits}-seed{s}.tflite"]["validation"]["accuracy"] for s in range(3)]
        )

    def rounded(kind, bits):
        return np.mean([entry[kind][str(bits)]["accuracy"] for entry in controls])

    start, better = rounded("post_training", 2), rounded("post_training_least_squares", 2)
    names = {"float control": "qat-control", "QAT, 2 bits": "qat-w2"}
    return {
        "slopes": straight_through(np.ones(4), np.array([-1.5, -0.4, 0.4, 1.5]), -1, 1),
        "files": {bits: [qlab.pretrained(f"qat-w{bits}-seed0").packed()] for bits in (4, 2)},
        "gains": {8: mean(8) - rounded("post_training", 8)},
        "shares": {2: (better - start) / (mean(2) - start)},
        "runs": {title: qlab.artefacts.history(name)[0] for title, name in names.items()},
    }


def measured_in_pruning():
    """What notebook 05 measures; accuracies of trained models are those of the manifest."""
    entries = qlab.artefacts.manifest()["files"]

    def mean(name):
        found = [entries[f"{name}-seed{seed}.tflite"]["validation"] for seed in range(3)]
        return np.mean([measured["accuracy"] for measured in found])

    def at_90(names):
        found = []
        for name in names:
            engine = qlab.Compressor(qlab.pretrained(name), qlab.data.calibration_images(16))
            cut = qlab.Recipe(weight_bits=32, activation_bits=32, sparsity=0.9, calibration_size=16)
            found.append(qlab.evaluate(engine.compress(cut), split.images, split.labels).accuracy)
        return np.mean(found)

    split = qlab.data.load().validation
    baselines = ("baseline", "baseline-seed1", "baseline-seed2")
    controls = [f"pruned-control-seed{seed}" for seed in range(3)]
    sparse, whole = qlab.pretrained("pruned-90-seed0"), qlab.pretrained("pruned-control-seed0")
    return {
        "whole": whole,
        "sparse": sparse,
        "small": sparse_file(sparse),
        "tiny": qlab.Compressor(sparse, qlab.data.calibration_images(128)).compress(qlab.Recipe()),
        "mean": {"control": mean("pruned-control"), 80: mean("pruned-80")},
        "work": {row.name: row.macs for row in count_operations(whole) if row.macs},
        "at_90": {"baseline": at_90(baselines), "control": at_90(controls)},
    }


def measured_in_clustering():
    """What notebook 05b measures, as it does."""
    floats, engine = qlab.Recipe(weight_bits=32, activation_bits=32), compressor()
    few = {"8 clusters": floats.replace(clusters=8)}
    for width in (5, 3):
        few[f"{width} bits"] = floats.replace(weight_bits=width, granularity="per-tensor")
    codes = few_values.codes(engine.compress(few["3 bits"]))
    dense1 = floats.replace(overrides={"dense1": {"sparsity": 0.8}})
    conv1 = engine.compress(floats.replace(overrides={"conv1": {"sparsity": 0.8}}))
    return {
        "kept": {name: score(recipe)[1].accuracy for name, recipe in few.items()},
        "bits": {"3 bits": few_values.entropy_bits(codes)},
        "saved": {"conv1": conv1.file_bytes - encoded_bytes(conv1)},
        "in_budget": {
            "zeros in dense1": score(dense1)[1].accuracy,
            "one threshold": score(floats.replace(sparsity=0.78))[1].accuracy,
        },
    }


@pytest.fixture(scope="module")
def sheets():
    return {topic: Sheet(topic, measured_in(topic)) for topic in TOPICS}


def two():
    """A quiz on a small, made-up measurement."""
    right = np.arange(1000) >= 100
    measured = Measurement(np.where(right, 1, 2), np.ones(1000, int))
    return {"measured": measured, "by_class": [0.5, 1.0], "share": 0.9}


# Questions


def test_a_quiz_has_five_questions_that_explain_themselves():
    assert {topic: len(items(topic)) for topic in TOPICS} == dict.fromkeys(TOPICS, 5)
    asked = [(topic, item.question) for topic in TOPICS for item in items(topic)]
    assert len(asked) == len(ITEMS)
    assert [q.id for _, q in asked if not q.why or "?" not in q.text] == []
    assert [q.id for topic, q in asked if not q.id.startswith(f"{topic}.quiz.")] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_the_truth_is_measured_and_falls_in_one_option(sheets, topic):
    states, unexplained = {}, []
    for question in (item.question for item in items(topic)):
        marks = [sheets[topic].mark(question.id, option) for option in question.options]
        states[question.id] = sorted(mark.state for mark in marks)
        unexplained += [question.id for mark in marks if question.why not in mark.lines]
    assert states == {
        item.id: ["right"] + ["wrong"] * (len(item.question.options) - 1) for item in items(topic)
    }
    assert unexplained == []


def test_the_truth_follows_the_measurement():
    good, bad = two(), {**two(), "by_class": [0.9, 0.91]}
    more, less = "more than 20 points", "less than 5 points"
    assert Sheet("baseline", good).mark("baseline.quiz.classes", more).state == "right"
    assert Sheet("baseline", bad).mark("baseline.quiz.classes", more).state == "wrong"
    assert Sheet("baseline", bad).mark("baseline.quiz.classes", less).state == "right"


def test_worse_and_better_are_told_from_noise():
    labels = np.ones(1000, int)
    good, bad = Measurement(labels, labels), Measurement(labels * 2, labels)
    assert (verdict(good, bad), verdict(bad, good), verdict(good, good)) == (
        "worse",
        "better",
        "neither",
    )


# Answers


def test_a_simulated_truth_is_called_so(sheets):
    mark = sheets["combine"].mark("combine.quiz.memory", "half or more")
    assert any(line.startswith("Simulated: ") for line in mark.lines)
    assert not any("Measured" in line for line in mark.lines)


def test_the_first_answer_counts_and_is_kept():
    shown = quiz("baseline", **two())
    shown.choose("baseline.quiz.classes", "less than 5 points")
    assert "Not this one" in shown.feedback["baseline.quiz.classes"].value
    shown.choose("baseline.quiz.classes", "more than 20 points")
    assert "Right" in shown.feedback["baseline.quiz.classes"].value
    assert "1 of 5 answered, 0 right" in shown.score.value
    entry = memory.progress()["questions"]["baseline.quiz.classes"]
    assert (entry["counted"], entry["right"]) == ("less than 5 points", False)
    shown.choose("baseline.quiz.layer", "about two thirds or more")
    assert "2 of 5 answered, 1 right" in shown.score.value
    assert re.search(r"01 Baseline.* 1 of 5 right", str(progress()))


def test_the_answer_that_was_given_last_is_the_framed_one():
    shown = quiz("baseline", **two())
    buttons = shown.buttons["baseline.quiz.classes"]
    for option in ("less than 5 points", "more than 20 points"):
        shown.choose("baseline.quiz.classes", option)
        framed = [text for text, x in buttons.items() if "qlab-chosen" in x._dom_classes]
        assert framed == [option]


def test_after_a_second_try_the_frame_is_on_the_right_answer_also_when_it_is_shown_again():
    for option in ("less than 5 points", "more than 20 points"):
        quiz("baseline", **two()).choose("baseline.quiz.classes", option)
    again = quiz("baseline", **two())
    buttons = again.buttons["baseline.quiz.classes"]
    framed = [text for text, x in buttons.items() if "qlab-chosen" in x._dom_classes]
    assert framed == ["more than 20 points"]
    assert buttons["less than 5 points"].description == "✗ less than 5 points"
    assert "1 of 5 answered, 0 right" in again.score.value


def test_an_earlier_answer_is_shown_again():
    quiz("baseline", **two()).choose("baseline.quiz.wrong", "about 5,000")
    again = quiz("baseline", **two())
    assert "You said: about 5,000" in again.feedback["baseline.quiz.wrong"].value
    assert again.buttons["baseline.quiz.wrong"]["about 5,000"].description == "✗ about 5,000"
    assert "1 of 5 answered" in again.score.value


def test_feedback_is_in_a_word_and_a_mark_and_takes_the_themes_colours():
    shown = quiz("baseline", **two())
    shown.choose("baseline.quiz.wrong", "about 100")
    value = shown.feedback["baseline.quiz.wrong"].value
    assert "✓" in value and "Right" in value and "var(--jp-" in value and 'role="status"' in value
    assert "Measured: 100 pictures, so: about 100" in value
    assert shown.buttons["baseline.quiz.wrong"]["about 100"].description == "✓ about 100"


def test_pressing_a_button_answers():
    shown = quiz("baseline", **two())
    shown.buttons["baseline.quiz.wrong"]["about 100"].click()
    assert "Right" in shown.feedback["baseline.quiz.wrong"].value


def test_every_button_is_named_by_its_option_and_told_its_question():
    shown = quiz("baseline", **two())
    for number, (id, buttons) in enumerate(shown.buttons.items(), 1):
        assert [b.description for b in buttons.values()] == list(ITEMS[id].question.options)
        assert {b.tooltip for b in buttons.values()} == {f"Answer to question {number}"}


# Bad input


def test_an_unknown_quiz_names_those_there_are():
    with pytest.raises(ValueError, match="There are: welcome, baseline, ptq, rounding"):
        quiz("17")


def test_a_missing_variable_is_named():
    with pytest.raises(ValueError, match=r"quiz\('baseline', by_class=by_class, share=share\)"):
        quiz("baseline", measured=two()["measured"])


@pytest.mark.parametrize(
    ("id", "option"), [("baseline.quiz.wrong", "7"), ("baseline.quiz.wrnog", "x")]
)
def test_an_answer_that_cannot_be_given_is_refused(id, option):
    with pytest.raises(ValueError, match=r"not an option|Did you mean 'baseline.quiz.wrong'"):
        quiz("baseline", **two()).choose(id, option)


@pytest.mark.parametrize("broken", [None, 7, SimpleNamespace(n=3)])
def test_a_variable_that_was_overwritten_is_told_and_nothing_stops(broken):
    shown = quiz("baseline", **{**two(), "measured": broken})
    shown.choose("baseline.quiz.wrong", "about 100")
    assert "cannot be marked" in shown.feedback["baseline.quiz.wrong"].value
    assert "right" not in memory.progress()["questions"]["baseline.quiz.wrong"]
    shown.choose("baseline.quiz.layer", "less than a quarter")
    assert "Not this one" in shown.feedback["baseline.quiz.layer"].value


def test_an_old_answer_that_is_no_option_any_more_is_left_out():
    memory.record_guess("baseline.quiz.wrong", "about 7")
    assert "0 of 5 answered" in quiz("baseline", **two()).score.value


# What a page or a test without a browser sees


def test_the_fixed_text_is_the_same_whatever_was_answered():
    shown = quiz("baseline", **two())
    before = shown._repr_mimebundle_()
    assert before["text/plain"] == "Quiz 01: 5 questions about what you measured"
    assert all(option in before["text/html"] for option in ("about 100", "half as wide"))
    shown.choose("baseline.quiz.wrong", "about 100")
    after = quiz("baseline", **two())._repr_mimebundle_()
    assert {k: before[k] for k in ("text/plain", "text/html")} == {
        k: after[k] for k in ("text/plain", "text/html")
    }


def test_the_fixed_text_names_what_cannot_be_marked():
    """So that a notebook whose measurement fits no option fails under nbval."""
    shown = repr(quiz("baseline", **{**two(), "measured": None}))
    assert shown.startswith(
        "Quiz 01: 5 questions about what you measured; not to be marked: baseline."
    )
    assert "baseline.quiz.wrong" in shown and "baseline.quiz.layer" not in shown


def test_marking_needs_no_widget():
    mark = quizzes.Sheet("baseline", two()).answer("baseline.quiz.wrong", "about 100")
    assert repr(mark).startswith("Right\nMeasured: 100 pictures, so: about 100\n")
