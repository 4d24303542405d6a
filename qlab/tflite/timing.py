"""Latency with one and two threads, beside the machine's name; and what it does not tell."""

from __future__ import annotations

from dataclasses import dataclass

from qlab.arithmetic.results import Latency
from qlab.system.machine import machine_name
from qlab.system.threads import cores
from qlab.tflite.runtime import latency

THREADS = (1, 2)
RUNS = 200
ELSEWHERE = (
    "The processor differs. A phone's cores and a microcontroller's have other vector "
    "instructions, or none, and other clocks; which of two models is faster can change with that.",
    "The kernels differ. On a computer LiteRT hands most of a graph to XNNPACK. A phone may use "
    "its GPU or NPU; a microcontroller runs TensorFlow Lite Micro with its chip's own kernels.",
    "The memory differs. Here a small model stays in cache after the first run, and warm runs are "
    "all that is timed. A microcontroller reads the weights from flash, every time.",
    "The surroundings differ. A phone slows down when it is warm or low on battery, and shares "
    "its cores; a real application also loads the model and prepares the image.",
)
CARRIES_OVER = (
    "What carries over is what was counted: multiply-accumulates and bytes. For a latency, measure "
    "on the device itself: LiteRT's benchmark tool on a phone, the profiler of TensorFlow Lite "
    "Micro on a microcontroller."
)


@dataclass(frozen=True)
class LatencyReport:
    """Latencies of one model on one machine."""

    machine: str
    rows: tuple[Latency, ...]

    def __str__(self):
        what = "one image" if self.rows[0].batch == 1 else f"{self.rows[0].batch} images"
        lines = [f"{self.machine}; {self.rows[0].runs} warm runs of {what}"]
        for row in self.rows:
            threads = "1 thread " if row.threads == 1 else f"{row.threads} threads"
            lines.append(
                f"{threads}: median {row.median_ms:.4f} ms, 95th percentile {row.p95_ms:.4f} ms"
            )
        return "\n".join(lines)

    @property
    def notes(self):
        """tuple of str: what the reader of these rows should know."""
        most = max(row.threads for row in self.rows)
        if most > cores():
            return (f"This process may use {cores()} of the {most} cores that were asked for.",)
        return ()


def latency_report(model, threads=THREADS, runs=RUNS):
    """Time warm runs of a model here and now, of one image, with each number of threads.

    `ELSEWHERE` says why the report is not of a phone or a microcontroller.

    >>> import qlab
    >>> report = latency_report(qlab.pretrained("baseline"), runs=10)
    >>> [row.threads for row in report.rows], str(report).count("median")
    ([1, 2], 2)
    """
    if not threads:
        raise ValueError("threads is empty; give at least one number of threads, such as (1, 2)")
    rows = tuple(latency(model, 1, runs, n) for n in threads)
    return LatencyReport(machine_name(), rows)
