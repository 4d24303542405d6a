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
    **{
        f"notebook {n} under nbval": (f"{n}_*", 120)
        for n in ("03", "04", "05", "05b", "06", "07", "08", "09", "10")
    },
}
_FIRST = "key on the slider to the first moved picture"
_KEYS = "key on the slider to picture and accuracy changed"
_BYTES = "bytes to the browser a key"
KEYS, WARM = 40, 6
PRESS = """async ([handle, key]) => {
  const place = document.querySelector('.qlab-explorer');
  const panels = () => [...place.querySelectorAll('.qlab-picture img')];
  const sources = () => panels().map(panel => panel.src).join();
  const readout = place.querySelector('.qlab-readout-row');
  const before = [sources(), readout.textContent];
  const moved = () => sources() !== before[0];
  const measured = () => readout.textContent !== before[1] && !place.querySelector('.qlab-waiting');
  const start = performance.now();
  const until = async condition => {
    await new Promise((resolve, reject) => {
      const look = new MutationObserver(() => condition() && (look.disconnect(), resolve()));
      const kinds = {childList: true, characterData: true, attributeFilter: ['src', 'class']};
      look.observe(place, {subtree: true, ...kinds});
      setTimeout(() => reject(new Error('nothing changed in 10 s after ' + key)), 10000);
    });
    await Promise.all(panels().map(panel => panel.decode().catch(() => 'another came')));
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
  };
  const both = Promise.all([until(moved), until(() => moved() && measured())]);
  place.querySelector(handle).dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  return both;
}"""


def slider_in_a_browser():
    """Key pressed on the slider to picture and to accuracy, and its bytes, in Chromium."""
    chromium = find_chromium()
    if chromium is None:
        why = "needs Chromium; `qlab doctor` says how to get it"
        return _key_rows([], why)
    try:
        keys = _keys(chromium)
    except Exception as error:  # no row may stop the others: these say why they are missing
        return _key_rows([], str(error).strip().splitlines()[-1])
    return _key_rows(keys, f"JupyterLab in Chromium, {len(keys)} keys")


def _key_rows(keys, note):
    """Rows of what a key takes, in milliseconds and in bytes."""
    first, times, received = zip(*keys, strict=True) if keys else ((), (), ())
    return [
        Row(_FIRST, "ms", 75, first, tail=True, note=note),
        Row(_KEYS, "ms", 150, times, tail=True, note=note),
        Row(_BYTES, "KB", 30, received, note="all that the server sends, headers included"),
    ]


def _keys(chromium):
    """Press arrow keys on the weight-bits slider: milliseconds to each of two, and kilobytes."""
    keys, received, handle = [], [], ".qlab-weight-bits .noUi-handle"
    with (
        tempfile.TemporaryDirectory() as home,
        jupyterlab(Path(home)) as server,
        browser_at(str(chromium)) as browser,
        fresh_page(browser, server) as lab,
    ):
        lab.on_received(lambda frame: received.append(len(frame)))
        lab.open(lab.write("keys.ipynb", EXPLORER))
        lab.run_all()
        lab.page.locator(".qlab-explorer .qlab-picture").wait_for()
        for i in range(KEYS + WARM):
            key = "ArrowLeft" if i % 12 < 6 else "ArrowRight"
            received.clear()
            times = lab.page.evaluate(PRESS, [handle, key])
            keys.append((*times, sum(received) / 1000))
    return keys[WARM:]


def notebooks():
    """Each notebook under nbval; this takes minutes."""
    return [_under_nbval(name, *facts) for name, facts in NOTEBOOKS.items()]


def _under_nbval(name, pattern, target):
    """Run the notebooks of one row."""
    paths = sorted((CHECKOUT / "notebooks").glob(f"{pattern}.ipynb"))
    if not paths:
        return Row(name, "s", target, (), note="needs a checkout of the repository")
    start = time.perf_counter()
    done = _pytest("--nbval", *map(str, paths))
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
