"""`make fuzz`: grade damaged `.tflite` files, and look for a crash, a hang or a wrong verdict.

A seed gives the same file each time (for the same shipped models); a file that the grader gets
wrong is kept in ``build/fuzz``.
"""

import argparse
import gzip
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from damage import damaged

from qlab import data
from qlab.challenge import Limits, grade
from qlab.tflite import artefacts

BASES = ("qat-w2-seed0", "baseline-int8", "qat-w4-seed0", "baseline-dynamic-range", "baseline")
LIMITS = Limits(seconds=10, wall_seconds=120)
AT_ONCE = 2
KEPT = Path(__file__).parents[1] / "build" / "fuzz"


@dataclass(frozen=True)
class Outcome:
    """What came of one file."""

    seed: int
    kind: str
    stage: str
    """Where it ended: ``refused``, ``failed``, ``crashed``, ``limit``, ``below`` or ``ok``."""
    problem: str = ""
    """What the grader got wrong, if anything."""


@dataclass(frozen=True)
class Pictures:
    images: np.ndarray
    labels: np.ndarray


@cache
def pictures(count):
    test = data.load().test
    return Pictures(test.images[:count], test.labels[:count])


@cache
def base(name):
    return artefacts.path(f"{name}.tflite").read_bytes()


def trial(seed, count, checker):
    """Damage a file, grade it, and doubt the verdict."""
    kind, content = damaged(base(BASES[seed % len(BASES)]), seed)
    with tempfile.TemporaryDirectory(prefix="qlab-fuzz-") as folder:
        path = Path(folder, "damaged.tflite")
        path.write_bytes(content)
        try:
            verdict = grade(path, pictures(count), LIMITS)
            stage, problem = stage_of(verdict), wrong(verdict, content, count, checker)
        except Exception as error:
            stage, problem = "error", f"the grader raised {error!r}"
    if problem:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{seed}.tflite").write_bytes(content)
    return Outcome(seed, kind, stage, problem)


def stage_of(verdict):
    for words, stage in (
        ("LiteRT cannot run it", "failed"),
        ("it ended the process", "crashed"),
        ("it used up", "limit"),
        ("it was still running", "limit"),
    ):
        if verdict.reason.startswith(words):
            return stage
    if verdict.reason:
        return "refused"
    return "ok" if verdict.qualifies else "below"


def wrong(verdict, content, count, checker):
    """What is wrong about a verdict; empty if nothing is. An ``ok`` is measured by other means."""
    if not verdict.qualifies:
        return "" if str(verdict).startswith("does not qualify: ") else "no reason is given"
    if verdict.gzip_bytes != len(gzip.compress(content, 6, mtime=0)):
        return "another gzipped size"
    correct = checker.submit(remeasured, content, count).result(120)
    return "" if correct == verdict.correct else f"{correct} are right, not {verdict.correct}"


def remeasured(content, count):
    """Right answers of a file, by the course's own engine; AssertionError if it breaks a rule."""
    from ai_edge_litert import schema_py_generated as schema

    from qlab import LiteModel
    from qlab.tflite import runtime

    model = LiteModel(content)
    (graph,) = model.parsed.subgraphs
    for code in model.parsed.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        assert number not in (
            *(schema.BuiltinOperator.CUSTOM, schema.BuiltinOperator.WHILE),
            *(schema.BuiltinOperator.IF, schema.BuiltinOperator.CALL_ONCE),
        )
    assert list(graph.tensors[graph.inputs[0]].shape[1:]) == [28, 28, 1]
    test = pictures(count)
    outputs = np.concatenate(
        [x[0].reshape(len(x[0]), -1) for _, x in runtime._outputs(model, test.images, 1, 1)]
    )
    assert outputs.shape == (count, 10)
    right = outputs.argmax(1) == test.labels
    return int((right & ~np.isnan(outputs.astype(np.float64)).any(1)).sum())


def run(seeds, count, say=lambda outcome: None):
    """Grade a damaged file for each seed, on so many pictures.

    Returns
    -------
    list of Outcome
    """
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as checker,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        outcomes = []
        for outcome in pool.map(lambda seed: trial(seed, count, checker), seeds):
            outcomes.append(outcome)
            say(outcome)
        return outcomes


def main(count=5000, first=0, pictures=10_000):
    """Print what came of each file that is worth a line, and the sums; 1 if anything was wrong."""
    print(f"seeds {first} to {first + count - 1}, {pictures:,} pictures each", flush=True)
    start = time.monotonic()

    def say(outcome):
        if outcome.problem or outcome.stage in ("crashed", "limit"):
            words = outcome.problem or f"{outcome.stage}, in the judge process: as it should"
            print(f"seed {outcome.seed}, {outcome.kind}: {words}", flush=True)
        if (outcome.seed - first + 1) % 500 == 0:
            seconds = time.monotonic() - start
            print(f"{outcome.seed - first + 1:,} graded in {seconds:.0f} s", flush=True)

    outcomes = run(range(first, first + count), pictures, say)
    for stage, number in Counter(x.stage for x in outcomes).most_common():
        print(f"{number:6,} {stage}")
    problems = [x for x in outcomes if x.problem]
    print(f"{len(problems)} wrong" + (f"; their files are in {KEPT}" if problems else ""))
    return 1 if problems else 0


def options():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=5000, help="files (default: 5000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: 0)")
    parser.add_argument("--pictures", type=int, default=10_000, help="each is scored on (10000)")
    return vars(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main(**options()))
