"""Starts the judge process, waits for it, ends it, and doubts what it says."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.challenge import judge
from qlab.challenge.intake import Refused
from qlab.system.isolated import Isolated
from qlab.system.text import printable
from qlab.tflite import micro_runtime
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel

_START = "from qlab.challenge.judge import main; main()"
_KEPT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what Python may need to start


class JudgeError(RuntimeError):
    """The judge process could not start, so that nothing was graded."""


@dataclass(frozen=True)
class Limits:
    """What a file may use while it is judged."""

    seconds: int = 60
    wall_seconds: float = 300.0
    memory_bytes: int = 2**30


def predict(model, images, codes, limits):
    """Have a file run in a judge process; return its classes, and what could not be limited."""
    answer, gaps = _told(model, images, codes, limits)
    if answer[:1] == judge.FAILED:
        raise Refused(f"LiteRT cannot run it: {printable(answer[1:], 300)}")
    return _classes(answer, images), gaps


def micro(model, images, codes, limits):
    """Have TensorFlow Lite Micro run a file in a judge process; return its classes and its RAM."""
    answer = _told(model, images, codes, limits, micro_runtime.LARGEST_ARENA)[0]
    if answer[:1] == judge.FAILED:
        said = answer[1:].decode("utf-8", "replace")
        raise Refused(micro_runtime.sentence(LiteModel(model), said))
    head, rest = answer[: 1 + judge.ARENA.size], answer[1 + judge.ARENA.size :]
    classes = _classes(answer[:1] + rest, images)
    return classes, judge.ARENA.unpack(head[1:])[0]


def _told(model, images, codes, limits, arena=0):
    room = max(len(images) + judge.ARENA.size, judge.MOST_REASON) + 3
    warm_up, codes = _warm_up(), np.ascontiguousarray(codes)
    header = judge.HEADER.pack(
        codes.dtype.str[-2:].encode(),
        *(arena, len(images), len(warm_up), len(model)),
        *(limits.seconds, limits.memory_bytes, room),
    )
    job = (header, codes.tobytes(), warm_up, model, np.ascontiguousarray(images).tobytes())
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.writelines(job)
        question.seek(0)
        ended = _run(question, answer, limits.wall_seconds)
        answer.seek(0)
        return _doubted(answer.read(room + 1), ended, limits)


def _run(question, answer, seconds):
    """Run a judge from file to file; return its exit code, None if it had to be ended."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with (
        tempfile.TemporaryDirectory(prefix="qlab-judge-") as folder,
        Isolated(
            _START,
            seconds,
            options=("-S",),
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
        ) as judging,
    ):
        judging.ended(wait=True)
    return None if judging.timed_out else judging.returncode


def _doubted(answer, ended, limits):
    """Take an answer apart, or say in words what came instead of one."""
    if answer[:1] != judge.READY or len(answer) < 2 or answer[1] >= 1 << len(judge.GAPS):
        why = "it took too long" if ended is None else f"it ended with {ended}"
        raise JudgeError(
            f"the judge process could not start ({why}), so nothing was graded: `qlab doctor` "
            "checks this installation"
        )
    gaps = tuple(gap for i, gap in enumerate(judge.GAPS) if answer[1] >> i & 1)
    if ended is None:
        raise Refused(f"it was still running after {limits.wall_seconds:g} s and was stopped")
    if ended == -getattr(signal, "SIGXCPU", 0):
        raise Refused(f"it used up {limits.seconds} s of processor time and was stopped")
    if ended:
        raise Refused(f"it ended the process that ran it ({_signal(ended)})")
    return answer[2:], gaps


def _classes(answer, images):
    classes = np.frombuffer(answer, np.uint8)[1:]
    known = (classes < judge.CLASSES) | (classes == judge.NO_CLASS)
    if answer[:1] != judge.PREDICTED or len(classes) != len(images) or not known.all():
        raise Refused("its process did not answer with one class a picture")
    return classes


def _signal(ended):
    """The name of the signal that ended a process, or its exit code."""
    try:
        return signal.Signals(-ended).name
    except ValueError:
        return f"exit code {ended}"


@functools.cache
def _warm_up():
    """A file of one addition, ours: running it makes LiteRT look at the processor."""
    tensors = [schema.TensorT() for _ in range(2)]
    for tensor in tensors:
        tensor.shape, tensor.name = [4], b"x"
    operator, graph = schema.OperatorT(), schema.SubGraphT()
    operator.inputs, operator.outputs = [0, 0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
    operator.builtinOptions = schema.AddOptionsT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [1]
    model = schema.ModelT()
    model.version, model.subgraphs = 3, [graph]
    model.operatorCodes, model.buffers = [schema.OperatorCodeT()], [schema.BufferT()]
    return pack(model)
