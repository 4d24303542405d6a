"""A job in a thread of its own, for steps that last: cells run meanwhile."""

from __future__ import annotations

import atexit
import threading

from qlab.widgets.kit.job import Job

PATIENCE = 10  # seconds that the end of the process waits for a step


class ThreadedJob(Job):
    """A `Job` whose steps are done in a thread; stopping it closes the iterator, in that thread."""

    def start(self):
        """Begin, and come back at once."""
        self._steps = steps = iter(self.work())
        self._face()
        self._thread = threading.Thread(target=self._drive, args=(steps,), daemon=True)
        atexit.register(self._leave)
        self._thread.start()

    def cancel(self, words="Stopped; the best so far is kept."):
        """Stop, if it is running; the thread ends after its present step."""
        super().cancel(words)

    def wait(self, seconds=None):
        """Return when the thread has ended: at once if none was started."""
        thread = getattr(self, "_thread", None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _drive(self, steps):
        """Do the steps; then close the iterator, so that it puts away what it holds."""
        try:
            while self._advance(steps):
                pass
        finally:
            with self.lock:
                self.guard(steps.close)
            atexit.unregister(self._leave)

    def _leave(self):
        """The process ends: no thread may be inside TensorFlow then."""
        self.cancel()
        self.wait(PATIENCE)
