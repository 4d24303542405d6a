"""What takes minutes: the slider in a browser, and the notebooks under nbval."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qlab.doctor import EXPLORER, find_chromium
from tools.bench.jupyterlab import REPOSITORY as CHECKOUT
from tools.bench.jupyterlab import browser_at, fresh_page, jupyterlab
from tools.bench.rows import Row

NOTEBOOKS = {  # how a row is called, which notebooks it takes, and its target in seconds
    "notebooks 00 to 02 under nbval": ("0[0-2]_*", 240),
    **{f"notebook {n:02} under nbval": (f"{n:02}_*", 120) for n in range(3, 9)},
}
_KEYS = "key on the slider to picture and accuracy changed"
KEYS, WARM = 40, 6
PRESS = """async ([handle, key]) => {
  const place = document.querySelector('.qlab-explorer');
  const picture = place.querySelector('img.qlab-picture');
  const readout = place.querySelector('.qlab-readout-row');
  const before = [picture.src, readout.textContent];
  const changed = () => picture.src !== before[0] && readout.textContent !== before[1];
  const start = performance.now();
  const both = new Promise((resolve, reject) => {
    const look = new MutationObserver(() => { if (changed()) { look.disconnect(); resolve(); } });
    const kinds = {childList: true, characterData: true, attributeFilter: ['src']};
    look.observe(place, {subtree: true, ...kinds});
    setTimeout(() => reject(new Error('nothing changed in 10 s after ' + key)), 10000);
  });
  place.querySelector(handle).dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  await both;
  await picture.decode();
  await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""


def slider_in_a_browser():
    """Key pressed on the slider to picture and accuracy changed, in Chromium."""
    chromium = find_chromium()
    if chromium is None:
        why = "needs Chromium; `qlab doctor` says how to get it"
        return [Row(_KEYS, "ms", 150, (), tail=True, note=why)]
    try:
        samples = _key_times(chromium)
    except Exception as error:  # no row may stop the others: this one says why it is missing
        return [Row(_KEYS, "ms", 150, (), tail=True, note=str(error).strip().splitlines()[-1])]
    note = f"JupyterLab in Chromium, {len(samples)} keys"
    return [Row(_KEYS, "ms", 150, samples, tail=True, note=note)]


def _key_times(chromium):
    """Press arrow keys on the weight-bits slider; milliseconds to picture and read-out."""
    times, handle = [], ".qlab-weight-bits .noUi-handle"
    with (
        tempfile.TemporaryDirectory() as home,
        jupyterlab(Path(home)) as server,
        browser_at(str(chromium)) as browser,
        fresh_page(browser, server) as lab,
    ):
        lab.open(lab.write("keys.ipynb", EXPLORER))
        lab.run_all()
        lab.page.locator(".qlab-explorer img.qlab-picture").wait_for()
        for i in range(KEYS + WARM):
            key = "ArrowLeft" if i % 12 < 6 else "ArrowRight"
            times.append(lab.page.evaluate(PRESS, [handle, key]))
    return tuple(times[WARM:])


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


def _pytest(*arguments):
    """Run pytest in the checkout and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
