"""What a learner's kernel costs: import, start, memory, redraw."""

from __future__ import annotations

import subprocess
import sys
import time

from qlab.doctor import kernel_with_explorer
from tools.bench.rows import Row

_IMPORT = """
import sys, time
start = time.perf_counter()
import qlab
print(time.perf_counter() - start, "tensorflow" in sys.modules)
"""


def fresh_import(runs=7):
    """Import of qlab in a fresh process."""
    answers = [
        subprocess.run(
            [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(runs)
    ]
    tensorflow = any(loaded == "True" for _, loaded in answers)
    note = "TensorFlow was imported too, which it must not be" if tensorflow else "no TensorFlow"
    samples = tuple(float("inf") if tensorflow else float(seconds) for seconds, _ in answers)
    return [Row("import qlab in a fresh process", "s", 0.5, samples, note=note)]


def explorer_in_a_kernel(runs=3):
    """Fresh kernel to explorer on screen, and that kernel's memory."""
    started, memory = zip(*(kernel_with_explorer() for _ in range(runs)), strict=True)
    note = "from the start of the kernel's process to the message that puts the explorer on screen"
    return [
        Row("fresh kernel to explorer on screen", "s", 4, started, note=note),
        Row(
            "memory of a kernel with the explorer up",
            "MB",
            260,
            memory,
            note="resident set of the kernel's process",
        ),
    ]


def redraw(runs=60):
    """Redraw of the explorer's picture."""
    from qlab.widgets import QuantizationExplorer
    from qlab.widgets.kit.live import DENSITY

    explorer, samples = QuantizationExplorer(), []
    for i in range(runs):
        explorer.weight_bits = (8, 4)[i % 2]
        start = time.perf_counter()
        explorer.present(explorer.result)
        samples.append(1e3 * (time.perf_counter() - start))
    picture = explorer.picture
    size = f"{picture.width} x {picture.height} at {DENSITY} pixels each way"
    note = f"{len(picture.axes)} panels, {size}, encoding included"
    return [Row("redraw of the explorer's picture", "ms", 25, tuple(samples), note=note)]


STEPS = (redraw, fresh_import, explorer_in_a_kernel)
