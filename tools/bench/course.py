"""What takes minutes: the slider in a browser, and the notebooks under nbval."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qlab.doctor import find_chromium
from tools.bench import Row

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {  # how a row is called, which notebooks it takes, and its target in seconds
    "notebooks 00 to 02 under nbval": ("0[0-2]_*", 240),
    **{f"notebook {n:02} under nbval": (f"{n:02}_*", 120) for n in range(3, 8)},
}
_KEYS = "key on the slider to picture and accuracy changed"


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
    """Each notebook under nbval; this takes minutes."""
    return [_under_nbval(name, *facts) for name, facts in NOTEBOOKS.items()]


def _under_nbval(name, pattern, target):
    """Run the notebooks of one row."""
    paths = sorted((CHECKOUT / "notebooks").glob(f"{pattern}.ipynb"))
    if not paths:
        return Row(name, "s", target, (), note="needs a checkout of the repository")
    sanitize = CHECKOUT / "tests" / "notebooks" / "sanitize.cfg"
    start = time.perf_counter()
    done = _pytest("--nbval", f"--nbval-sanitize-with={sanitize}", *map(str, paths))
    seconds = time.perf_counter() - start
    said = done.stdout.strip().splitlines()[-1].strip("= ")
    return Row(name, "s", target, (seconds,), note=said)


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
