"""A file for a microcontroller, made and measured, and why a board does not hold it."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass, field, replace
from functools import lru_cache

import qlab
from qlab.engine.recipes import Recipe
from qlab.system.steps import mapped
from qlab.tflite.anatomy import byte_counts
from qlab.tflite.arena import ArenaPlan, plan_arena
from qlab.tflite.litemodel import ModelError
from qlab.tflite.micro_form import micro_form
from qlab.tflite.transforms import remove_filters
from qlab.trials.subjects import Remembering, Trial, of_the_file

REMEMBERED = 24
PATIENCE = 10  # seconds that the end of the process waits for an answer
NETWORKS_REMEMBERED = 6  # with so many of their filters removed, calibrated


@dataclass(eq=False)
class Question:
    """What TensorFlow Lite Micro says of a file: it is asked only once."""

    model: qlab.LiteModel

    def __post_init__(self):
        self.known, self._lock = None, threading.Lock()

    def report(self):
        """Ask, or wait for the answer if another thread is asking; return the MicroReport."""
        with self._lock:
            if self.known is None:
                self.known = qlab.micro(self.model)
            return self.known


class Asking:
    """Puts questions in a thread, the latest first; those that it overtook are dropped."""

    def __init__(self, heard):
        self._heard, self._next, self._thread = heard, None, None
        self._lock = threading.Lock()

    def ask(self, question):
        """Come back at once; `heard` is called with the question when there is an answer."""
        with self._lock:
            self._next = question
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                atexit.register(self._leave)
                self._thread.start()

    def wait(self, seconds=None):
        """Return when nothing is asked any more, or so much later."""
        if (thread := self._thread) is not None:
            thread.join(seconds)
            if seconds is None:
                self.wait()

    def _work(self):
        while (question := self._taken()) is not None:
            self._heard(question)

    def _taken(self):
        with self._lock:
            question, self._next = self._next, None
            if question is None:
                self._thread = None
                atexit.unregister(self._leave)
            return question

    def _leave(self):
        """The process ends: no thread may be inside LiteRT then."""
        with self._lock:
            self._next = None
        self.wait(PATIENCE)


@dataclass(frozen=True, eq=False, kw_only=True)
class FitTrial(Trial):
    """A file as a microcontroller takes it, its RAM (None if unknown) and its accuracy."""

    plan: ArenaPlan | None = field(repr=False)
    question: Question = field(repr=False)
    removed: float  # share of the filters of each layer

    @property
    def micro(self):
        """MicroReport: what TensorFlow Lite Micro says of the file; asked when first needed."""
        return self.question.report()

    @property
    def told(self):
        """MicroReport or None: the same, if it has said it already."""
        return self.question.known

    @of_the_file
    def parts(self):
        """dict of str to int: bytes of the file by what they hold."""
        return byte_counts(self.model.data)

    @property
    def ram(self):
        """tuple of int or None, str: the arena's bytes as far as they are known, and their kind."""
        if self.told is not None and self.told.arena_bytes is not None:
            return self.told.arena_bytes, self.told.kind
        return (None if self.plan is None else self.plan.bytes), "simulated"

    @property
    def ram_parts(self):
        """dict of str to int: bytes of the arena by what they hold."""
        report = self.told
        if report is not None and report.activations_bytes is not None:
            return {
                "activations": report.activations_bytes,
                "unpacked weights": report.unpacked_bytes,
                "always there": report.persistent_bytes or 0,
            }
        held = self.plan.at_peak() if self.plan else {}
        unpacked = held.get("unpacked weights", 0) + held.get("scratch", 0)
        rest = self.plan.bytes - unpacked if self.plan else 0
        return {"activations": rest, "unpacked weights": unpacked, "always there": 0}

    @property
    def refusal(self):
        """str: why TensorFlow Lite Micro cannot use it; empty if it can, or nobody knows."""
        asked = self.told is not None and self.told.runs is not None
        return self.told.why if asked else ""

    @of_the_file
    def heaviest(self):
        """tuple of str and float: the layer with most weights, and its share of all."""
        sizes = {x.name: x.weights.size for x in self.model.layers if x.weights is not None}
        name = max(sizes, key=sizes.get)
        return name, sizes[name] / sum(sizes.values())

    @of_the_file
    def largest(self):
        """Buffer: what takes most RAM at the peak."""
        return max(self.plan.live(self.plan.peak), key=lambda x: x.bytes)

    def holds(self, board):
        """Whether a board holds it, as far as is known: with the runtime's word, or by the plan."""
        ram = self.ram[0]
        return not self.refusal and ram is not None and board.holds(self.file_bytes, ram)


class Fitter:
    """Makes files of one network for microcontrollers, and scores them."""

    def __init__(self, subject, images):
        self.subject, self.images = subject, images
        self.compressor = lru_cache(NETWORKS_REMEMBERED)(self._compressor)
        self.made = lru_cache(REMEMBERED)(self._made)
        self.trial = Remembering(self._trying)

    def _compressor(self, removed):
        if removed == 0:
            return self.subject.compressor
        smaller = remove_filters(self.subject.model, removed)
        return qlab.Compressor(smaller, self.images[: self.subject.calibration_size])

    def _made(self, weight_bits, activation_bits, removed, sparsity):
        recipe = Recipe(
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            sparsity=sparsity,
            calibration_size=self.subject.calibration_size,
        )
        compressor = self.compressor(removed)
        model = micro_form(compressor.compress(recipe))
        return FitTrial(
            recipe, model, None, self.subject.float_measurement, compressor,
            plan=_planned(model), question=Question(model), removed=removed,
        )  # fmt: skip

    def _trying(self, *how, hurry=False):
        made = self.made(*how)
        steps = self.subject.scoring(made.model, hurry)
        return mapped(lambda found: replace(made, measurement=found), steps)


def _planned(model):
    try:
        return plan_arena(model)
    except ModelError:
        return None


FEWER = "Remove filters"


def advice(trial, board):
    """What to change so that a board holds a file, and why: sentences, by what takes the room."""
    found = [trial.refusal] if trial.refusal else []
    if trial.file_bytes > board.flash_bytes:
        found.append(_less_flash(trial, board))
    if (trial.ram[0] or 0) > board.ram_bytes and trial.plan:
        found.append(_less_ram(trial, board))
    return [*found, *(["Or take a smaller network."] if FEWER in " ".join(found) else [])]


def _less_flash(trial, board):
    """Why the flash is too small, and what takes less."""
    name, share = trial.heaviest
    over = trial.file_bytes - board.flash_bytes
    said = (
        f"The file is {over:,} bytes too large for the flash, and {100 * share:.0f} % of its "
        f"weights are in {name}."
    )
    if trial.recipe.weight_bits > 8:
        times = trial.recipe.weight_bits // 8
        return f"{said} Choose weights of 8 bits, because they take 1 byte each instead of {times}."
    return (
        f"{said} {FEWER}, because they have weights, and the layers that read them lose weights "
        "too."
    )


def _less_ram(trial, board):
    """Why the RAM is too small, and what takes less."""
    over, buffer = trial.ram[0] - board.ram_bytes, trial.largest
    name = trial.plan.owner(buffer)
    said = f"The RAM is {over:,} bytes too small."
    if buffer.kind != "activations":
        return (
            f"{said} Choose activations of 8 bits as well, because the weights of {name} are "
            f"unpacked into {buffer.bytes:,} bytes of RAM only to meet float activations."
        )
    said += f" At the peak, what {name} puts out takes {buffer.bytes:,} bytes."
    bits = {"activations": trial.recipe.activation_bits, "weights": trial.recipe.weight_bits}
    if wide := [x for x in bits if bits[x] > 8]:
        return (
            f"{said} Choose {' and '.join(wide)} of 8 bits, because a layer puts out one byte for "
            "a number instead of 4 only if both are integers."
        )
    if buffer.first == 0:
        return f"{said} Take a network that reads smaller pictures."
    return f"{said} {FEWER}, because each filter that {name} loses is one map less to keep there."
