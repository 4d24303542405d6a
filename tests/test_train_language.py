"""The transformer of characters: its file, what it may see, and a training that goes on."""

import numpy as np
import pytest

from qlab.data import texts
from qlab.tflite import runtime
from qlab.tflite.litemodel import LiteModel
from qlab.train import language

TOKENS = texts.encode(texts.load("verse")[:5000])


def answers(file, tokens):
    batches = runtime.batches(LiteModel(file), tokens)
    return np.concatenate([outputs[0]()[: rows.stop - rows.start] for rows, outputs in batches])


def test_the_file_computes_what_the_network_does_with_operators_that_litert_has():
    model = language.Transformer(1, width=32, heads=2, seed=1)
    tokens = texts.windows(TOKENS)[:3, :-1]
    found = answers(model.file(), tokens)
    assert found == pytest.approx(model(tokens.astype(np.int32)).numpy(), abs=1e-5)
    named = {x.name for x in LiteModel(model.file()).layers if x.weights is not None}
    dense = ("query", "key", "value", "merge", "expand", "contract")
    assert named == {"logits", *(f"block1_{x}" for x in dense)}


def test_no_character_sees_what_comes_after_it():
    model = language.Transformer(2, width=32, heads=2, seed=1)
    tokens = texts.windows(TOKENS)[:1, :-1].astype(np.int32)
    changed = tokens.copy()
    changed[0, 100] = (changed[0, 100] + 1) % len(texts.CHARACTERS)
    before, after = model(tokens).numpy()[0], model(changed).numpy()[0]
    assert np.array_equal(before[:100], after[:100])
    assert not np.array_equal(before[100:], after[100:])


def test_a_training_that_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path):
    def trained(folder, *stops):
        for steps in stops:
            model = language.Transformer(1, width=32, heads=2)
            losses = language.train(model, TOKENS, 6, 4, 1e-2, 0, folder, each=3, until=steps)
        return model, losses

    whole, losses = trained(tmp_path / "a", 6)
    again, known = trained(tmp_path / "b", 3, 6)
    assert losses == pytest.approx(known, abs=1e-5) and losses[1] < losses[0] < 6.3
    for one, other in zip(whole.trainable_variables, again.trainable_variables, strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), abs=1e-5)
