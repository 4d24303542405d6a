"""What takes minutes: the slider in a browser, and the notebooks under nbval."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qlab.bench import Row
from qlab.doctor import find_chromium

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("00_welcome", "01_baseline", "02_post_training_quantization")
_KEYS = "key on the slider to picture and accuracy changed"
_NBVAL = "notebooks 00 to 02 under nbval"


def slider_in_a_browser():
    """Key pressed on the slider to picture and accuracy changed, in Chromium."""
    script = CHECKOUT / "tests" / "browser" / "measure_keys.py"
    if find_chromium() is None or not script.is_file():
        why = "needs Chromium and a checkout of the repository; `qlab doctor` says how to get them"
        return [Row(_KEYS, "ms", 150, (), tail=True, note=why)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "keys.json")
        done = _pytest(
            str(script), "--override-ini=python_files=measure_*.py", QLAB_BENCH_OUT=str(out)
        )
        if not out.is_file():
            return [Row(_KEYS, "ms", 150, (), tail=True, note=done.stdout.strip().splitlines()[-1])]
        samples = tuple(json.loads(out.read_text()))
    return [
        Row(
            _KEYS,
            "ms",
            150,
            samples,
            tail=True,
            note=f"JupyterLab in Chromium, {len(samples)} keys",
        )
    ]


def notebooks():
    """Notebooks 00 to 02 under nbval; this takes minutes."""
    paths = [CHECKOUT / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS]
    if not all(path.is_file() for path in paths):
        return [Row(_NBVAL, "s", 240, (), note="needs a checkout of the repository")]
    sanitize = CHECKOUT / "tests" / "notebooks" / "sanitize.cfg"
    start = time.perf_counter()
    done = _pytest("--nbval", f"--nbval-sanitize-with={sanitize}", *map(str, paths))
    seconds = time.perf_counter() - start
    return [
        Row(_NBVAL, "s", 240, (seconds,), note=done.stdout.strip().splitlines()[-1].strip("= "))
    ]


STEPS = (slider_in_a_browser, notebooks)


def _pytest(*arguments, **environment):
    """Run pytest in the checkout and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
