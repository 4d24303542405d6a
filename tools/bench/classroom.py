"""``python -m tools.bench.classroom``: a class on one machine, each learner with a real kernel.

A learner moves a control each two seconds, as the browser says it: the weight bits of a dense layer
and, in turn, the weight or activation bits of all layers. After some moves the hand rests.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil
import zmq
from jupyter_client import KernelManager

from tools.bench.jupyterlab import environment
from tools.bench.rows import Row, table

KERNELS, ROUNDS, MOVES = 30, 5, 6
EACH, REST = 2.0, 4.0  # seconds between two moves, and after the last of a round
UP = """
import ipywidgets, qlab
from qlab.widgets.kit.controls import LayerBoxes
explorer = qlab.widgets.QuantizationExplorer()
layers = [x.name for x in explorer.subject.model.layers if x.op == "FULLY_CONNECTED"]
widths = [(str(bits), {"weight_bits": bits}) for bits in range(8, 1, -1)]
dense = LayerBoxes(explorer, "overrides", layers, widths, {"weight_bits": 8}, "Dense layers")
cards = (explorer.cards[name] for name in ("weight_bits", "activation_bits"))
moved = [dense.boxes[layers[0]], *(card.children[0] for card in cards)]
explorer
"""
IDS = "[x.model_id for x in moved] + [explorer.readout.model_id]"
SCORED = re.compile(r"([\d,]+) (?:of [\d,]+ )?validation images")
DENSE, ALL = "a dense layer", "every layer"
PLAN = (  # moved in turn, each to these positions of its drop-down; few files come twice
    (DENSE, 0, range(1, 7)),
    (ALL, 1, range(1, 6)),
    (DENSE, 0, range(1, 7)),
    (ALL, 2, range(5, -1, -1)),
)


@dataclass
class Move:
    """What a learner moved and when; when how many images had been scored."""

    what: str
    sent: float
    rests: bool
    seen: list[tuple[float, int]] = field(default_factory=list)

    def seconds(self, images):
        """Until an accuracy of at least so many images was there; None if there never was."""
        return next((at - self.sent for at, n in self.seen if n >= images), None)


class Learner:
    """A kernel with the explorer, and what was moved in it."""

    def __init__(self, folder, settings):
        folder.mkdir()
        self.manager = KernelManager(transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel(env=settings, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels(stdin=False, hb=False)
        self.client.wait_for_ready(timeout=120)
        reply = self.client.execute_interactive(
            UP, user_expressions={"ids": IDS}, timeout=300, output_hook=lambda message: None
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError(reply["content"]["evalue"])
        ids = reply["content"]["user_expressions"]["ids"]["data"]["text/plain"]
        *self.controls, self.readout = ast.literal_eval(ids)
        self.moves, self._by_message, self._turns = [], {}, [0, 0, 0]

    @property
    def socket(self):
        return self.client.iopub_channel.socket

    @property
    def cpu_seconds(self):
        times = psutil.Process(self.manager.provisioner.pid).cpu_times()
        return times.user + times.system

    def move(self, rests):
        """Say what the browser says when the learner chooses the next value of a drop-down."""
        what, which, places = PLAN[len(self.moves) % len(PLAN)]
        index = places[self._turns[which] % len(places)]
        self._turns[which] += 1
        state = {"method": "update", "state": {"index": index}}
        content = {"comm_id": self.controls[which], "data": {**state, "buffer_paths": []}}
        message = self.client.session.msg("comm_msg", content)
        self._by_message[message["header"]["msg_id"]] = len(self.moves)
        self.moves.append(Move(what, time.perf_counter(), rests))
        self.client.shell_channel.send(message)

    def hear(self):
        """Take a message of the kernel; an accuracy answers its move, and those before it."""
        message, now = self.client.iopub_channel.get_msg(timeout=0), time.perf_counter()
        content = message["content"]
        if message["msg_type"] != "comm_msg" or content["comm_id"] != self.readout:
            return
        scored = SCORED.search(content["data"].get("state", {}).get("value", ""))
        last = self._by_message.get(message["parent_header"].get("msg_id"))
        if scored and last is not None:
            for move in self.moves[: last + 1]:
                move.seen.append((now, int(scored[1].replace(",", ""))))

    def leave(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def classroom(kernels, threads, say):
    """While it lasts, so many kernels run; they are started one after the other."""
    with tempfile.TemporaryDirectory(prefix="qlab-") as home, contextlib.ExitStack() as stack:
        settings = {**environment(Path(home)), "QLAB_THREADS": str(threads)}
        learners = []
        for i in range(kernels):
            learners.append(Learner(Path(home) / str(i), settings))
            stack.callback(learners[-1].leave)
            say(f"{i + 1} of {kernels} kernels are up")
        yield learners


def lesson(learners, rounds, say):
    """Let all learners move their controls; what they wait for is noted in their moves."""
    poller, by_socket, dice = zmq.Poller(), {x.socket: x for x in learners}, random.Random(0)
    for learner in learners:
        poller.register(learner.socket, zmq.POLLIN)
    begin = time.perf_counter()
    plan = sorted(
        (begin + at, i, rests)
        for i in range(len(learners))
        for at, rests in _moments(rounds, dice.uniform(0, EACH + MOVES))
    )
    end = plan[-1][0] + REST
    for done in count(0):
        due = plan[done][0] if done < len(plan) else end
        while (left := due - time.perf_counter()) > 0:
            for socket, _ in poller.poll(1000 * left):
                by_socket[socket].hear()
        if done == len(plan):
            return
        _, i, rests = plan[done]
        learners[i].move(rests)
        if done % len(learners) == 0:
            say(f"{done} of {len(plan)} moves")


def _moments(rounds, first):
    """When a learner moves, in seconds, and whether the hand rests then."""
    for _ in range(rounds):
        for i in range(MOVES):
            yield first + i * EACH, i == MOVES - 1
        first += (MOVES - 1) * EACH + REST


def rows(learners, cpu_seconds):
    """What learners waited for; the first moves of each are left out, which nothing preceded."""
    moves = [move for x in learners for move in x.moves[2:]]
    many = f"{len(learners)} kernels, {len(moves)} moves"
    note = f"{many}, {1e3 * cpu_seconds:.0f} ms of processor time a move"
    each = {what: [x for x in moves if x.what == what] for what in (DENSE, ALL)}
    name = "first accuracy after a move"
    yield Row(name, "s", 0.4, _times(moves, 1), note=note)
    yield Row(f"{name}, the tail", "s", 1.5, _times(moves, 1), tail=True)
    for what, some in each.items():
        yield Row(f"{name}: {what}", "s", 0.4, _times(some, 1))
    rest = [x for x in moves if x.rests]
    note = f"{len(rest)} rests of {REST:g} s, while the others go on"
    yield Row("all 10,000 after the hand rests", "s", 3, _times(rest, 10_000), tail=True, note=note)


def _times(moves, images):
    """Seconds; infinite where nothing came."""
    found = (move.seconds(images) for move in moves)
    return tuple(float("inf") if x is None else x for x in found)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.bench.classroom", description=__doc__)
    parser.add_argument("--kernels", type=int, default=KERNELS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {MOVES} moves and a rest")
    parser.add_argument("--threads", type=int, default=1, help="of each kernel")
    chosen = parser.parse_args(arguments)
    say = lambda words: print(words, file=sys.stderr, flush=True)  # noqa: E731
    with classroom(chosen.kernels, chosen.threads, say) as learners:
        before = sum(x.cpu_seconds for x in learners)
        lesson(learners, chosen.rounds, say)
        spent = sum(x.cpu_seconds for x in learners) - before
        megabytes = [
            psutil.Process(x.manager.provisioner.pid).memory_info().rss / 1e6 for x in learners
        ]
    found = list(rows(learners, spent / sum(len(x.moves) for x in learners)))
    found.append(Row("memory of a kernel", "MB", 260, tuple(megabytes)))
    print(table(found))
    return int(any(row.met is False for row in found))


if __name__ == "__main__":
    sys.exit(main())
