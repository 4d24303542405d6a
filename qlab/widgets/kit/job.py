"""Slow work in steps: a button starts it, a bar shows how far it is, the same button stops it."""

import asyncio
import atexit
import threading
from html import escape

import ipywidgets

PAUSE = 0.01  # seconds between steps, in which the kernel hears the button
PATIENCE = 10  # seconds that the end of the process waits for a step


class Job(ipywidgets.HBox):
    """A button for slow work that keeps what it had when it is stopped."""

    def __init__(self, label, work, guard, kept="what was measured", done="Done."):
        self.label, self.work, self.guard, self.kept, self.done = label, work, guard, kept, done
        self.button, self.status = ipywidgets.Button(), ipywidgets.HTML()
        self.button.on_click(lambda _: self.cancel() if self.running else self.start())
        self._steps, self._task = None, None
        self.lock = threading.RLock()
        super().__init__([self.button, self.status])
        self.add_class("qlab-job")
        self._face()

    @property
    def running(self):
        return self._steps is not None

    def start(self):
        """Begin: in a notebook between other messages; elsewhere at once, to the end."""
        steps = self._begin()
        try:
            self._task = asyncio.get_running_loop().create_task(self._run(steps))
        except RuntimeError:
            while self._advance(steps):
                pass

    def _begin(self):
        """Say at once that it starts, and return its steps."""
        self._steps = steps = iter(self.work())
        self._face()
        words = escape(self.label)
        self.status.value = f'<progress aria-label="{words}"></progress> {words}: it starts'
        return steps

    def cancel(self, why=""):
        """Stop after the present step, if it is running."""
        if self._steps is not None:
            self._end(f"Stopped{why}; {self.kept} is kept.")

    def show(self, done, total, words=""):
        """Show how far something is; also for slow work that cannot be stopped."""
        label = escape(words or self.label)
        self.status.value = (
            f'<progress max="{total}" value="{done}" aria-label="{label}"></progress> '
            f"{label}: {done} of {total}"
        )

    def show_other(self, done, total, words):
        """Show in this place how far other work is, until it is done, unless the job runs."""
        if self.running:
            return
        if done < total:
            self.show(done, total, words)
        else:
            self.clear()

    def scoring(self, done, total):
        """Show, in the same way, how many of the trained models are scored."""
        self.show_other(done, total, "scoring the trained models")

    def clear(self):
        """Take the bar away."""
        self.status.value = ""

    async def _run(self, steps):
        while self._advance(steps):
            await asyncio.sleep(PAUSE)

    def _advance(self, steps):
        """Do one step of work that was started; False if it is over, or no longer wanted."""
        over = object()
        with self.lock:
            if self._steps is not steps:
                return False
            step = self.guard(lambda: next(steps, over))
            if self._steps is not steps:
                return False
            if step is over or step is None:
                self._end(self.done if step is over else "")
                return False
            self.show(*step)
            return True

    def _end(self, words):
        self._steps = None
        self._face()
        self.status.value = f'<span role="status">{escape(words)}</span>'

    def _face(self):
        self.button.description = "Stop" if self.running else self.label
        self.button.icon = "stop" if self.running else "play"


class ThreadedJob(Job):
    """A `Job` whose steps are done in a thread; stopping it closes the iterator, in that thread."""

    def start(self):
        """Begin, and come back at once."""
        steps = self._begin()
        self._thread = threading.Thread(target=self._drive, args=(steps,), daemon=True)
        atexit.register(self._leave)
        self._thread.start()

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
