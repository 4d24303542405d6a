"""Language models: characters, windows, bits a character, what bits do to them, what they write."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import qlab
from qlab.data import texts
from qlab.trials import language
from qlab.widgets import TextExplorer
from qlab.widgets.text_explorer import parted, parting_words

CHAPTER = texts.load("validation")[3000:7000]  # after the list of the persons


@pytest.fixture(scope="module")
def small():
    """The small model with two pages to calibrate on, and eight windows to score on."""
    seen = texts.windows(texts.encode(texts.load("verse")))[:16, :-1]
    compressor = qlab.Compressor(qlab.pretrained("language-small-seed0"), seen)
    return language.TextSubject(compressor, texts.own(CHAPTER)[:8])


def recipe(bits, rounding="nearest", **more):
    return qlab.Recipe(bits, 32, calibration_size=16, rounding=rounding, **more)


def test_characters_become_tokens_and_come_back():
    assert texts.decode(texts.encode(CHAPTER)) == CHAPTER
    with pytest.raises(ValueError, match="does not know '7' 'é'; it has letters"):
        texts.encode("é7")


@pytest.mark.parametrize("part", texts.WORKS)
def test_every_work_is_whole_and_has_known_characters_alone(part):
    text = texts.load(part)
    assert set(text) <= set(texts.CHARACTERS) and len(text) > 90_000 * len(texts.WORKS[part])


def test_what_is_kept_apart_shares_no_sentence_with_what_calibrates():
    kept = texts.load("validation") + texts.load("test")
    for part in ("verse", "prose"):
        text = texts.load(part)
        pieces = {text[i : i + 60] for i in range(len(text) - 60)}
        assert not any(kept[i : i + 60] in pieces for i in range(0, len(kept) - 60, 60))


def test_windows_count_each_character_once_and_show_32_before_it():
    found = texts.windows(texts.encode(CHAPTER))
    counted = texts.decode(found[:, -96:].reshape(-1))
    assert found.shape[1] == 129 and counted == CHAPTER[33 : 33 + len(counted)]
    with pytest.raises(ValueError, match="the text has 128 characters; give 129 or more"):
        texts.windows(texts.encode(CHAPTER[:128]))


def test_a_learners_text_loses_what_is_unknown_and_another_script_is_refused():
    plain = texts.own(CHAPTER)
    assert np.array_equal(texts.own(CHAPTER.replace("a", "a7")), plain)
    with pytest.raises(ValueError, match="know only 60 of the 240 characters"):
        texts.own("Война и мир " * 20)


def test_surprise_is_minus_the_binary_logarithm_of_the_probability():
    logits = np.random.default_rng(0).normal(0, 5, (3, 7)).astype(np.float32)
    share = np.exp(logits.astype(float))
    share /= share.sum(1, keepdims=True)
    found = language.surprise(logits, np.array([0, 6, 3]))
    assert found == pytest.approx(-np.log2(share[np.arange(3), [0, 6, 3]]), rel=1e-5)


def test_the_interval_knows_that_neighbours_are_alike():
    scenes = np.repeat(np.random.default_rng(1).normal(2, 1, (40, 1)), 4, axis=0)
    score = language.TextScore(np.tile(scenes, (1, 96)).astype(np.float32))
    low, high = score.interval
    assert (high - low) / 2 == pytest.approx(1.96 * scenes.std() / np.sqrt(40), rel=0.15)
    assert score.less(score).interval == (0, 0)


def test_a_score_is_that_of_litert_window_by_window(small):
    windows, interpreter = small.windows[:2], Interpreter(model_content=small.compressor.model.data)
    interpreter.allocate_tensors()
    (asked,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    bits = []
    for window in windows:
        interpreter.set_tensor(asked["index"], window[None, :-1].astype(np.int32))
        interpreter.invoke()
        logits = interpreter.get_tensor(answer["index"])[0].astype(float)
        share = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        bits.append(-share[np.arange(32, 128), window[33:]] / np.log(2))
    found = language.score_text(small.compressor.model, windows)
    assert found.bits == pytest.approx(np.array(bits), abs=1e-4)
    assert 1.5 < found.mean < 3


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_bits_in_the_manifest_come_out_again(split):
    known = qlab.artefacts.manifest()["files"]["language-small-seed0.tflite"][split]
    windows = texts.windows(texts.encode(texts.load(split)))
    score = language.score_text(qlab.pretrained("language-small-seed0"), windows)
    assert score.n == known["n"] > 200_000 and score.mean == pytest.approx(known["bits"], abs=1e-3)
    assert score.interval == pytest.approx(known["interval"], abs=1e-3)


def test_a_model_of_images_is_no_language_model():
    with pytest.raises(qlab.ModelError, match="a language model of this course takes 128"):
        language.score_text(qlab.pretrained("baseline"), texts.own(CHAPTER))


def test_eight_bits_cost_next_to_nothing_and_gptq_saves_what_two_bits_lose(small):
    lost = {
        (bits, way): small.trial(recipe(bits, way)).comparison.mean
        for bits, way in ((8, "nearest"), (4, "nearest"), (2, "nearest"), (2, "gptq"))
    }
    assert abs(lost[8, "nearest"]) < 0.01 < lost[4, "nearest"] < lost[2, "gptq"]
    assert lost[2, "gptq"] < 0.6 * lost[2, "nearest"]


@pytest.mark.parametrize("bits", [4, 2])
def test_a_packed_file_scores_the_same(small, bits):
    trial = small.trial(recipe(bits))
    packed = trial.model.packed()
    assert packed.file_bytes < 0.8 * trial.file_bytes
    found = language.score_text(packed, small.windows)
    assert found.bits == pytest.approx(trial.measurement.bits, abs=1e-4)


def test_the_embedding_has_bits_and_a_range_of_its_own(small):
    alone = recipe(32, overrides={"embedding": {"weight_bits": 2}})
    (codes,) = small.compressor.plan(alone).constants.values()
    assert codes.values.shape == (68, 128) and np.unique(codes.values).size == 3
    assert codes.params.scale.shape == (68,)
    whole = small.compressor.plan(alone.replace(granularity="per-tensor")).constants
    assert [x.params.scale.shape for x in whole.values()] == [()]
    nearer = small.compressor.plan(
        recipe(32, overrides={"embedding": {"weight_bits": 2, "weight_observer": "mse"}})
    ).constants
    (better,) = nearer.values()
    table = codes.real + 0  # what is compared is the error that each leaves
    source = small.compressor.model
    exact = qlab.tflite.graph.constant(source.parsed, next(iter(nearer)))
    assert np.square(better.real - exact).sum() < np.square(table - exact).sum()
    assert small.trial(alone).comparison.mean > 0
    with pytest.raises(ValueError, match="embedding has no weights, so sparsity cannot be set"):
        small.compressor.plan(recipe(32, overrides={"embedding": {"sparsity": 0.5}}))


def test_the_same_chances_write_the_same_text(small):
    model = small.compressor.model
    said = lambda **more: "".join(x.character for x in language.write(model, "KING.\n", 24, **more))  # noqa: E731
    assert said(seed=3) == said(seed=3) != said(seed=4)
    assert said(temperature=0, seed=3) == said(temperature=0, seed=4)
    first = next(language.write(model, CHAPTER[:500], 1, 0))
    assert first == next(language.write(model, CHAPTER[372:500], 1, 0))  # it sees 128 characters
    logits = model_logits(model, CHAPTER[372:500])
    assert first.character == texts.CHARACTERS[logits[-1].argmax()]


def model_logits(model, text):
    asked = texts.encode(text)[None]
    return next(iter(qlab.tflite.runtime.batches(model, asked)))[1][0]()[0].copy()


def test_a_prompt_that_cannot_be_is_refused_in_words(small):
    model = small.compressor.model
    for prompt, more, words in (
        ("", {}, "the prompt is empty"),
        ("ROMEO 2", {}, "does not know '2'"),
        ("A", {"temperature": -1}, "temperature is -1; choose 0 to 10"),
    ):
        with pytest.raises(ValueError, match=words):
            next(language.write(model, prompt, **more))


@pytest.fixture(scope="module")
def explorer():
    return TextExplorer(CHAPTER, model_name="small", length=12, prompt="KING & QUEEN")


def test_the_explorer_writes_with_both_and_says_where_they_part(explorer):
    explorer.set(weight_bits=32, rounding="nearest", temperature=0.8)
    written = explorer.write()
    assert parted(written) is None and "the same 12 characters" in parting_words(written)
    explorer.weight_bits = 2
    written = explorer.write()
    place = parted(written)
    assert place is not None and f"part after {place} characters" in explorer.notes.value
    assert explorer.page.value.count("qlab-parting") == 2
    assert "KING &amp; QUEEN" in explorer.page.value
    shown = "".join(x.character for x in written["this file"])
    assert qlab.lessons.cards.escape(shown) in explorer.tables()
    assert len(explorer.trail) >= 2 and b"weight_bits" in explorer.trail_csv()[1]


def test_the_explorer_says_what_is_wrong_with_a_prompt_and_goes_on(explorer):
    explorer.prompt = "ROMEO 2"
    assert "does not know '2'" in explorer.error and explorer.result is None
    explorer.prompt = "ROMEO"
    assert not explorer.error and explorer.result is not None
    name, content, words = explorer.tflite()
    assert name.endswith(".tflite") and content[4:8] == b"TFL3" and "Scored again" in words
