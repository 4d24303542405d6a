"""What a file makes of text: bits a character, with their noise, and the text that it writes."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

import qlab
from qlab.data import texts
from qlab.system.steps import finished
from qlab.tflite import runtime
from qlab.tflite.litemodel import ModelError
from qlab.trials.subjects import Trial

DRAWS = 2_000
AT_ONCE = 8  # windows a call
CALIBRATION = 64  # windows
MODELS = {"large": "language", "small": "language-small"}


@dataclass(frozen=True, eq=False)
class TextScore:
    """Bits that each counted character costs a model: float32 of shape (windows, 96).

    Neighbouring characters are hard or easy together, because they stand in one scene. If single
    characters were drawn anew, the interval would be too narrow, so blocks of 384 are.

    >>> score = TextScore(np.full((8, 96), 2.0, np.float32))
    >>> score.mean, score.interval
    (2.0, (2.0, 2.0))
    """

    bits: np.ndarray = field(repr=False)

    @property
    def n(self):
        return self.bits.size

    @property
    def mean(self):
        return float(self.bits.mean(dtype=np.float64))

    @cached_property
    def interval(self):
        """(float, float): 95 % interval of the mean."""
        starts = range(0, len(self.bits), texts.BLOCK)
        sums = np.array([self.bits[i : i + texts.BLOCK].sum(dtype=np.float64) for i in starts])
        counts = np.array([self.bits[i : i + texts.BLOCK].size for i in starts])
        drawn = np.random.default_rng(0).integers(0, len(sums), (DRAWS, len(sums)))
        low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), (0.025, 0.975))
        return float(low), float(high)

    def less(self, other):
        """TextScore of the differences to another, character by character."""
        return TextScore(self.bits - other.bits)

    def __str__(self):
        low, high = self.interval
        return f"{self.mean:.3f} bits a character (95 % interval {low:.3f} to {high:.3f})"


def require_language(model):
    """Raise ModelError unless a model reads 128 characters and says what follows each."""
    part = model.parsed.subgraphs[0]
    ends = [part.tensors[int(i)] for i in (part.inputs[0], part.outputs[0])]
    shapes = [list(x.shape)[1:] for x in ends]
    if shapes != [[texts.CONTEXT], [texts.CONTEXT, len(texts.CHARACTERS)]]:
        raise ModelError(
            f"this model takes {shapes[0]} and answers {shapes[1]}, but a language model of this "
            f"course takes {texts.CONTEXT} characters and answers with {len(texts.CHARACTERS)} "
            "numbers for each; load one with qlab.pretrained('language-seed0')"
        )


def score_text(model, windows):
    """Score a model on windows of text.

    Parameters
    ----------
    model : LiteModel
        A language model, compressed or not.
    windows : ndarray of uint8, shape (n, 129)
        As `qlab.data.texts.windows` makes them.

    Returns
    -------
    TextScore
    """
    return finished(scoring(model, windows))


def scoring(model, windows):
    """Score in steps, a few windows each."""
    require_language(model)
    found = np.empty((len(windows), texts.COUNTED), np.float32)
    asked = np.ascontiguousarray(windows[:, :-1])
    for rows, outputs in runtime.batches(model, asked, AT_ONCE):
        wanted = windows[rows, -texts.COUNTED :].astype(np.intp)
        found[rows] = surprise(outputs[0]()[: len(wanted), -texts.COUNTED :], wanted)
        yield
    return TextScore(found)


def surprise(logits, wanted):
    """Bits that the wanted characters cost: minus the binary logarithm of their probabilities."""
    logits = logits - logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits).sum(-1))
    chosen = np.take_along_axis(logits, wanted[..., None], -1)[..., 0]
    return (total - chosen) / np.log(np.float32(2))


class TextTrial(Trial):
    """A file, and what it makes of text: a `Trial` whose measurements are of `TextScore`."""

    @cached_property
    def comparison(self):
        """TextScore: how many bits more a character costs than in the float model."""
        return self.measurement.less(self.reference)


@dataclass(frozen=True, eq=False)
class TextSubject:
    """A language model, ready to be compressed, and the windows of text that score it."""

    compressor: qlab.Compressor
    windows: np.ndarray

    @cached_property
    def float_measurement(self):
        return score_text(self.compressor.model, self.windows)

    def trying(self, recipe, told=lambda *_: None):
        """Make a recipe's file and score it, in steps; `told` how many layers are rounded."""
        for done, layers in self.compressor.working(recipe):
            told(done, layers, "rounding the layers")
            yield
        plan = self.compressor.plan(recipe)
        score = yield from scoring(plan.model, self.windows)
        reference = self.float_measurement
        return TextTrial(recipe, plan.model, score, reference, self.compressor)

    def trial(self, recipe):
        return finished(self.trying(recipe))


@lru_cache(2)
def language_subject(name="language", calibration="verse"):
    """A shipped model, calibrated on 8,192 characters, and 9,984 that it has never seen."""
    seen = texts.windows(texts.encode(texts.load(calibration)))[:CALIBRATION, :-1]
    model = qlab.pretrained(f"{name}-seed0")
    return TextSubject(
        qlab.Compressor(model, np.ascontiguousarray(seen)), texts.sample("validation")
    )


class Written(NamedTuple):
    """One character that a model wrote, and how much it surprised the model itself, in bits."""

    character: str
    bits: float


def write(model, prompt, length=400, temperature=0.8, seed=0):
    """Let a model write on from a prompt, one character at a time.

    The model sees the last 128 characters. At temperature 0 it takes the likeliest character.

    Parameters
    ----------
    model : LiteModel
    prompt : str
    length : int
    temperature : float
    seed : int
        Of the draws: the same seed takes the same chances.

    Yields
    ------
    Written

    Raises
    ------
    ValueError
        If the prompt is empty or has characters that the model does not know, or the temperature
        is negative.
    """
    require_language(model)
    if not prompt:
        raise ValueError("the prompt is empty; write a character or more, such as 'ROMEO.'")
    if not 0 <= temperature <= 10:
        raise ValueError(f"temperature is {temperature}; choose 0 to 10")
    tokens, random = list(texts.encode(prompt)), np.random.default_rng(seed)
    interpreter = runtime.interpreter(model)
    asked, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    seen = np.zeros((1, texts.CONTEXT), asked["dtype"])
    for _ in range(length):
        last = tokens[-texts.CONTEXT :]
        seen[0, : len(last)] = last
        interpreter.set_tensor(asked["index"], seen)
        interpreter.invoke()
        logits = interpreter.get_tensor(answer["index"])[0, len(last) - 1]
        token = _drawn(logits, temperature, random.random())
        tokens.append(token)
        yield Written(texts.CHARACTERS[token], float(surprise(logits[None], np.array([token]))[0]))


def _drawn(logits, temperature, chance):
    """The character at which the probabilities, added up, pass the chance."""
    if not temperature:
        return int(logits.argmax())
    odds = np.exp((logits - logits.max()) / np.float64(temperature)).cumsum()
    return int(np.searchsorted(odds, chance * odds[-1], side="right").clip(0, len(odds) - 1))
