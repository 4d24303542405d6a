"""`make fuzz-engine`: damaged files of many kinds through all that a learner does with a file.

Each is read, taken apart, counted, scored and compressed, in a process that may end: that, and any
error but a refusal in words, is a problem. A seed gives the same file each time; the file of a
problem is kept in ``build/fuzz``.
"""

import argparse
import io
import os
import signal
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from threading import Thread
from typing import NamedTuple

import numpy as np
from damage import damaged
from fuzz import KEPT

from qlab.system import isolated

SHIPPED = ("baseline-int8", "baseline-dynamic-range", "baseline")
UNTRAINED = (
    "attention", "lstm", "unrolled", "token", "halves", "decided", "application",
    "u_net_transposed", "solid", "text", "clipped", "bytes", "efficient", "gru", "two_inputs",
    "two_outputs",
)  # fmt: skip
SECONDS = 180  # an image may take LiteRT 30 s


class Outcome(NamedTuple):
    """What came of one file."""

    seed: int
    base: str
    kind: str
    became: str
    """``refused``, ``refused later``, ``runs``, or what is wrong."""
    words: str = ""

    @property
    def problem(self):
        return self.became not in ("refused", "refused later", "runs")


@cache
def bases(names=UNTRAINED):
    """Whole files by name: shipped ones, and of each Keras model the float file and others."""
    from qlab.tflite import artefacts

    found = {x: artefacts.path(f"{x}.tflite").read_bytes() for x in SHIPPED}
    for name in names:
        found |= _forms(name)
    return found


def _forms(name):
    """A float file; and, where qlab can, files with packed weights, float and integer kernels."""
    import kinds

    from qlab import Compressor, LiteModel, Recipe
    from qlab.system.output import quiet
    from qlab.train import tf

    with quiet():
        data = tf.lite.TFLiteConverter.from_keras_model(kinds.built(name)).convert()
    found = {f"{name} float": data}
    if name in ("two_inputs", "two_outputs"):
        return found
    model = LiteModel(data)
    compressor = Compressor(model, pictures(data)[:4])
    for form, bits in (("packed", (4, 8)), ("hybrid", (8, 32)), ("integer", (8, 8))):
        small = compressor.compress(Recipe(*bits, calibration_size=4))
        found[f"{name} {form}"] = (small.packed() if form == "packed" else small).data
    return found


@cache
def pictures(data):
    """Noise in the shape that a file takes."""
    from qlab import LiteModel

    part = LiteModel(data).parsed.subgraphs[0]
    shape = [int(n) for n in part.tensors[int(part.inputs[0])].shape[1:]]
    return np.random.default_rng(0).integers(0, 256, (20, *shape), np.uint8)


def outcome(data, images):
    """What becomes of one file, and the words of its refusal."""
    import qlab
    from qlab.tflite.operations import count_operations

    try:
        model, late = qlab.LiteModel.from_bytes(data), False
    except qlab.ModelError as error:
        return "refused", str(error)
    seen = []
    for step in (
        lambda: sum(model.anatomy().values()) == len(data) or 1 / 0,
        lambda: count_operations(model),
        lambda: qlab.evaluate(model, images, np.arange(len(images)) % 2),
        lambda: _compressed(model, images),
    ):
        try:
            step()
        except ValueError as error:  # ModelError is one; so is an activation that became NaN
            late = True
            seen.append(str(error))
    return ("refused later" if late else "runs"), "; ".join(seen)


def _compressed(model, images):
    import qlab

    compressor = qlab.Compressor(model, images[:4])
    for bits in ((8, 8), (4, 32)):
        plan = compressor.plan(qlab.Recipe(*bits, calibration_size=4))
        compressor.notes(plan.recipe)
        qlab.predict(plan.model, images)


def forked(code, seconds, memory, data):
    """What `isolated.run` does, in a copy of this process, which takes no time to start.

    Only the start differs: the code, its limits and what is said of its end are the same.
    """
    import resource

    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        signal.alarm(seconds)
        [os.dup2(os.open(os.devnull, os.O_RDWR), i) for i in range(3)]
        sys.stdin = io.TextIOWrapper(io.BytesIO(data))
        try:
            exec(code, {})  # the course's own code
            os._exit(0)
        except BaseException as error:
            os.write(writer, str(error).encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        words = said.read().decode("utf-8", "replace")
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return isolated.Ended(ended, "", words, ended == -signal.SIGALRM)


def _forks():
    """Make a worker start its trials quickly, where the system can."""
    if hasattr(os, "fork"):
        isolated.run = forked


def tried(data, images):
    """`outcome`, with any other error as a problem."""
    try:
        return outcome(data, images)
    except Exception as error:
        return f"raises {error!r:.300}", ""


def trial(seed, pools, which):
    """Damage a file and try it in a process of its own, which is replaced if it ends."""
    base = list(bases())[seed % len(bases())]
    whole = bases()[base]
    kind, content = damaged(whole, seed)
    if which not in pools:
        pools[which] = ProcessPoolExecutor(1, get_context("spawn"), _forks)
    pool = pools[which]
    try:
        became, words = pool.submit(tried, content, pictures(whole)).result(SECONDS)
    except (BrokenProcessPool, TimeoutError) as error:
        became, words = f"its process {'hangs' if type(error) is TimeoutError else 'ended'}", ""
        for process in (pools.pop(which)._processes or {}).values():
            process.kill()
    found = Outcome(seed, base, kind, became, words)
    if found.problem:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"engine-{seed}.tflite").write_bytes(content)
    return found


def run(seeds, say=lambda outcome: None, at_once=2):
    """Try a damaged file for each seed; a list of `Outcome`."""
    pools, found, seeds = {}, [], list(seeds)
    bases()

    def work(which):
        for seed in seeds[which::at_once]:
            found.append(trial(seed, pools, which))
            say(found[-1])

    threads = [Thread(target=work, args=(i,)) for i in range(at_once)]
    for step in (Thread.start, Thread.join):
        [*map(step, threads)]
    [pool.shutdown() for pool in pools.values()]
    return sorted(found)


def main(count=5000, first=0, at_once=2):
    """Print problems and sums; 1 if anything was wrong."""

    def say(found):
        if found.problem:
            print(f"seed {found.seed}, {found.base}, {found.kind}: {found.became}", flush=True)

    outcomes = run(range(first, first + count), say, at_once)
    sums = Counter("a problem" if x.problem else x.became for x in outcomes)
    for became, number in sums.most_common():
        print(f"{number:6,} {became}")
    return 1 if sums["a problem"] else 0


def options():
    """What the command line asks for."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog="make fuzz-engine ARGS=...", description=about)
    parser.add_argument("count", type=int, nargs="?", default=5000, help="files (default: 5000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: 0)")
    parser.add_argument("--at-once", type=int, default=2, help="processes (default: 2)")
    return vars(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main(**options()))
