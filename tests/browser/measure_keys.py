"""Not a test of its own: `qlab bench` runs it to time the slider in a real browser.

It writes the times, in milliseconds, to the file that ``QLAB_BENCH_OUT`` names.
"""

import json
import os
from pathlib import Path

EXPLORER = "import qlab.widgets\nqlab.widgets.QuantizationExplorer()"
KEYS = 40
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


def test_key_to_picture(lab):
    """Press arrow keys on the weight-bits slider, and wait for picture and read-out each time."""
    lab.open(lab.write("keys.ipynb", EXPLORER))
    lab.run_all()
    lab.page.locator(".qlab-explorer img.qlab-picture").wait_for()
    handle, times = ".qlab-weight-bits .noUi-handle", []
    for i in range(KEYS + 6):
        key = "ArrowLeft" if i % 12 < 6 else "ArrowRight"
        times.append(lab.page.evaluate(PRESS, [handle, key]))
    assert len(times) == KEYS + 6
    Path(os.environ["QLAB_BENCH_OUT"]).write_text(json.dumps(times[6:]))
