"""What every explorer shares: one question, a few controls, a picture, a read-out."""

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from html import escape
from typing import NamedTuple

import ipywidgets
import traitlets

from qlab.system.steps import finished
from qlab.widgets.kit import readout
from qlab.widgets.kit.css import STYLE
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.front_end import Pulse, Reveal
from qlab.widgets.kit.hotspots import SpottedPicture

ALERT = (
    '<div class="qlab-alert" role="alert"><b>This did not work.</b> {} '
    "What you see below is still of the last settings that worked.</div>"
)
COMPUTING, FAILED = "qlab-computing", "qlab-failed"  # classes of an explorer that is greyed
SLOW = 0.15  # seconds of measuring; where the last took longer, some images are scored first
PAUSE = 0.01  # seconds between two steps, in which the kernel hears a newer move


class Shown(NamedTuple):
    """What an explorer shows of a result, besides the marks in its picture.

    Parameters
    ----------
    alt : str
        The picture in words.
    cells : sequence of str
        The read-out, in HTML from `qlab.widgets.kit.readout`.
    notes : sequence of str
        Sentences of HTML below the picture.
    tables : callable
        Called when the learner wants to read the numbers in the picture; it returns them as an
        iterable of tables in HTML.
    spots : iterable of qlab.widgets.kit.hotspots.Spot
        Places on a `SpottedPicture` that tell more.
    """

    alt: str
    cells: Sequence[str] = ()
    notes: Sequence[str] = ()
    tables: Callable[[], Iterable[str]] = tuple
    spots: Iterable = ()


class Measured(traitlets.Any):
    """A trait whose value is that of the settings as they are, also while it is being measured."""

    def get(self, obj, cls=None):
        obj.settle()
        return super().get(obj, cls)


class Explorer(ipywidgets.VBox):
    """Base of the explorers. A subclass names its settings, computes, and says what to show.

    1. Settings are traits tagged ``setting=True``. Whatever changes one, a control or
       ``explorer.weight_bits = 4`` in the next cell, causes exactly one `update`; several at once,
       ``explorer.set(weight_bits=4, activation_bits=8)``, cause one as well.
    2. ``compute()`` returns the result of the current settings. It touches no widget.
    3. ``show(result)`` moves the marks of the picture, and returns a `Shown`: the picture in words,
       the read-out, notes and tables. This class puts them on screen.
    4. ``__init__`` ends with ``self.assemble(controls, picture, actions, settings)``.
    5. Where measuring takes a while, ``sketch()`` moves the marks that need none of it, and
       ``trying(hurry)`` measures in steps. A move in the browser then draws first: panels that wait
       for the measurement are greyed until it is there, and a newer move ends it between two steps.
       A setting that is set in code has its result at once, as ever.

    Attributes
    ----------
    result : object or None
        What `compute` returned for the settings as they are; None if that failed. Who asks while it
        is being measured waits for it.
    error : str
        What went wrong, in words, as shown to the learner; empty if nothing did.

    Examples
    --------
    >>> from qlab.widgets.kit import readout
    >>> from qlab.widgets.kit.live import LivePicture
    >>> from qlab.widgets.kit.traits import steps
    >>> class LevelsExplorer(Explorer):
    ...     question = "How many levels do b bits have?"
    ...     bits = steps("Bits", (2, 4, 8), 8)
    ...
    ...     def __init__(self, **settings):
    ...         super().__init__()
    ...         picture = LivePicture(panels=1, width=450, height=200)
    ...         picture.axes[0].set(xlim=(0, 9), ylim=(0, 300), xlabel="bits")
    ...         (self.dot,) = picture.add(*picture.axes[0].plot([], [], "o"))
    ...         self.assemble(self.controls(), picture, settings=settings)
    ...
    ...     def compute(self):
    ...         return 2**self.bits
    ...
    ...     def show(self, result):
    ...         self.dot.set_data([self.bits], [result])
    ...         return Shown(
    ...             alt=f"{self.bits} bits have {result} levels.",
    ...             cells=[readout.cell("Levels", str(result))],
    ...             tables=lambda: [readout.table("Levels", ["levels"], [[result]])],
    ...         )
    >>> explorer = LevelsExplorer(bits=4)
    >>> explorer.result
    16
    >>> explorer.bits = 2
    >>> explorer.result, explorer.picture.alt, explorer
    (4, '2 bits have 4 levels.', LevelsExplorer())
    >>> "<td>4</td>" in explorer.tables()
    True
    """

    question = ""
    notes_as = staticmethod(readout.notes)  # or readout.sentences
    result = Measured(None, allow_none=True)
    error = traitlets.Unicode("")

    def __init__(self):
        super().__init__()
        self.readout, self.notes = ipywidgets.HTML(), ipywidgets.HTML()
        self.numbers, self.alert = ipywidgets.HTML(), ipywidgets.HTML()
        self.reveal = Reveal(words="The numbers in this picture, as text")
        self.reveal.observe(lambda _: self.guard(self._fill), "opened")
        self.picture, self.actions, self.cards = None, (), {}
        self._shown = Shown("")
        self.by_hand, self._pending, self._task = False, None, None
        self._took = self._spent = 0.0  # seconds of measuring, the last time and this time
        self._buttons = ipywidgets.Box()
        self._held, self._stale, self.building = True, False, False
        self._one_at_a_time = threading.RLock()

    def assemble(self, controls, picture, actions=(), settings=None):
        """Lay out the parts, apply the first settings, and run the first `update`.

        Parameters
        ----------
        controls : sequence of ipywidgets.Widget
            Usually ``self.controls()``; at most five.
        picture : qlab.widgets.kit.live.LivePicture
        actions : sequence of ipywidgets.Widget
            Buttons below the picture.
        settings : mapping or None
            Settings that differ from their defaults.

        Raises
        ------
        Exception
            What the first `update` raises: an explorer that cannot start says so at once.
        """
        self._put(picture, actions)
        question = f'<div class="qlab-question">{escape(self.question)}</div>'
        parts = (
            ("question", ipywidgets.HTML(f"{STYLE}{question}")),
            *self._top(),
            ("controls", ipywidgets.Box(controls)),
            *self._more(),
            ("alert-row", self.alert),
            ("pulse", Pulse()),
            ("readout-row", self.readout),
            ("picture-row", picture.widget),
            *self._below(),
            ("notes-row", self.notes),
            ("actions", self._buttons),
            ("reveal-row", self.reveal),
            ("numbers", self.numbers),
        )
        for name, part in parts:
            part.add_class(f"qlab-{name}")
        self.add_class("qlab-explorer")
        self.children = [part for _, part in parts]
        self.set(**settings or {})
        self.observe(self._setting_changed, self.settings)
        self._held, self._stale = False, False
        self.update()

    def _put(self, picture, actions):
        """Show a picture with its buttons, in the place of the one before."""
        if self.picture is not None:
            picture.widget = self.picture.widget
        self.picture, self.actions = picture, tuple(actions)
        self._buttons.children = self.actions

    @property
    def settings(self):
        """tuple of str: the names of the settings."""
        return tuple(self.trait_names(setting=True))

    def controls(self):
        """Make the control of each setting that has one, in the order of the class.

        Those of rare settings are not returned: `assemble` puts them in a row that can be opened.
        """
        names = dict.fromkeys(x for kind in reversed(type(self).__mro__) for x in vars(kind))
        made = self.traits(control=lambda make: make is not None)
        self.cards = {x: made[x].metadata["control"](self, x) for x in names if x in made}
        return [card for x, card in self.cards.items() if not made[x].metadata.get("rare")]

    def _top(self):
        """Rows above the controls."""
        return ()

    def _below(self):
        """Rows below the picture."""
        return ()

    def _more(self):
        """The row of rare settings, closed at first; none if there are none."""
        rare = [self.cards[x] for x in self.cards if self.trait_metadata(x, "rare")]
        if rare:
            yield "reveal-row", Reveal(words="More settings")
            yield "more", ipywidgets.Box(rare, _dom_classes=["qlab-controls"])

    def offer(self, label, make, recipe=None, asks=False, pixels=None, dataset=None):
        """A `Download` whose troubles are told where the explorer tells its own."""

        def settled():
            self.settle()
            return make()

        return Download(label, settled, self.guard, recipe, asks, pixels, dataset)

    def set(self, **settings):
        """Change several settings with one update; if one is refused, none is changed.

        A TraitError says which setting there is not, or what one may be.
        """
        unknown = sorted(set(settings) - set(self.settings))
        if unknown:
            raise traitlets.TraitError(
                f"{type(self).__name__} has no setting {unknown[0]!r}; "
                f"it has {', '.join(self.settings)}"
            )
        before = {name: getattr(self, name) for name in settings}
        with self._one_update():
            try:
                self._apply(settings)
            except traitlets.TraitError:
                self._apply(before)
                self._stale = False
                raise

    def _apply(self, settings):
        for name, value in settings.items():
            setattr(self, name, value)

    def compute(self):
        """Return the result of the current settings: what the steps of `trying` return."""
        if type(self).trying is Explorer.trying:
            name = type(self).__name__
            raise NotImplementedError(f"{name} does not say how to compute its result")
        return finished(self.trying(hurry=False))

    def show(self, result):
        """Move the marks of the picture, and return the `Shown` of `result`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to show its result")

    def update(self):
        """Compute the current settings, show them and return the `result`; errors are raised."""
        self._begin()
        return self._finish(self.compute())

    def sketch(self):
        """Move the marks that need no scoring.

        Returns the picture in words, and the panels that wait for the measurement.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what can be drawn first")

    def trying(self, hurry):
        """Do what `compute` does, in steps, and return its result.

        In a `hurry` a result of some of the images may come first: what is yielded is shown, unless
        it is None.
        """
        yield from ()
        return self.compute()

    def settle(self):
        """Finish what is being measured, so that result and picture are of the present settings."""
        while self._pending is not None:
            self._step(self._pending)

    def _begin(self):
        """Put away what is of earlier settings."""
        self._pending = None
        for action in self.actions:
            if isinstance(action, Download):
                action.clear()

    def _finish(self, result):
        self.present(result)
        self.result = result
        self._say("")
        self._grey()
        return result

    def _draws_first(self):
        """Whether a control was moved in the browser of an explorer that can draw first."""
        return self.by_hand and type(self).sketch is not Explorer.sketch and _loop() is not None

    def _draw_first(self):
        """Draw what needs no scoring, and measure between other messages."""
        hurry = self._pending is not None or self._took > SLOW
        self._begin()
        self.picture.redraw(*self.sketch())
        self._pending, self._spent = self._to_the_end(hurry), 0.0
        self._task = _loop().create_task(self._drive(self._pending))
        return True

    def _to_the_end(self, hurry):
        result = yield from self.trying(hurry)
        self._finish(result)

    async def _drive(self, steps):
        while self._pending is steps:
            await asyncio.sleep(PAUSE)  # first of all, the picture is on its way
            if self._pending is steps:
                self._step(steps)

    def _step(self, steps):
        """Do one step of measuring; meanwhile nothing is to be settled."""
        with self._one_at_a_time:
            self._pending, start = None, time.perf_counter()
            more = self.guard(lambda: self._go_on(steps))
            self._spent += time.perf_counter() - start
            if more:
                self._pending = steps
            else:
                self._took = self._spent
            if more is None:
                self._failed()

    def _go_on(self, steps):
        """Show what the next step found; False if there is no next step."""
        for found in steps:
            if found is not None:
                self.present(found)
            return True
        return False

    def present(self, result):
        """Put on screen what `show` says of `result`."""
        shown = self.show(result)
        told = self._wording(shown)  # what fails here leaves the screen as it was
        spots = (shown.spots,) if isinstance(self.picture, SpottedPicture) else ()
        self.picture.redraw(shown.alt, *spots)
        self._print(shown, *told)

    def _wording(self, shown):
        """All that is told in words: the read-out, the notes, and the numbers if they are open."""
        notes = self.notes_as([*shown.notes, *self.remarks()])
        return readout.row(*shown.cells), notes, self._numbers(shown)

    def _print(self, shown, *words):
        """Put what `_wording` found on the page."""
        self.readout.value, self.notes.value, self.numbers.value = words
        self._shown = shown

    def remarks(self):
        """Sentences that belong to every result, after its notes."""
        return ()

    def tables(self):
        """The numbers in the picture as tables, in HTML."""
        self.settle()
        return "".join(self._shown.tables())

    def _numbers(self, shown):
        """Tables of what is shown, while the learner has them open."""
        return "".join(shown.tables()) if self.reveal.opened else ""

    def _fill(self):
        """Put the tables on the page when they are opened, and take them away when closed."""
        self.numbers.value = self._numbers(self._shown)

    def guard(self, work):
        """Return what `work()` returns; None if it raises, which the learner is told in words."""
        try:
            return work()
        except Exception as error:  # the learner is told below; nobody else could be
            known = isinstance(error, (ValueError, OSError, ImportError))
            words = str(error) if known and str(error) else f"{type(error).__name__}: {error}"
            self._say(words)
            return None

    def _setting_changed(self, change):
        """Update once, unless `set` is collecting."""
        if self._held:
            self._stale = True
            return
        if not self.by_hand:  # a page greys what it moves itself, which costs no message
            self._grey(COMPUTING)
        with self._one_at_a_time:
            if self.guard(self._draw_first if self._draws_first() else self.update) is None:
                self._failed()

    def _failed(self):
        """The settings as they are have no result."""
        self.picture.give_up()
        self._grey(FAILED)
        self.result = None

    def _grey(self, *why):
        """Grey what is of other settings, with a class that says why; without one, nothing is."""
        kept = tuple(x for x in self._dom_classes if x not in (COMPUTING, FAILED))
        if self._dom_classes != kept + why:
            self._dom_classes = kept + why

    @contextmanager
    def moved(self, by_hand):
        """Say of the changes of settings inside whether they were made in the browser."""
        before, self.by_hand = self.by_hand, by_hand
        try:
            yield
        finally:
            self.by_hand = before

    @contextmanager
    def _one_update(self):
        """Collect changes of settings inside, and update once at the end if there were any."""
        held, self._held = self._held, True
        try:
            yield
        finally:
            self._held = held
            if self._stale and not held:
                self._stale = False
                self._setting_changed(None)

    def _say(self, words):
        self.error = words
        self.alert.value = ALERT.format(escape(words)) if words else ""

    def __repr__(self):
        return f"{type(self).__name__}()"

    def _repr_mimebundle_(self, **kwargs):
        self.settle()
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = repr(self)
        bundle["image/png"] = base64.b64encode(self.picture.png).decode()
        shown = {"width": self.picture.width, "height": self.picture.height}
        return bundle, {"image/png": {**shown, "alt": self.picture.alt}}


def _loop():
    """The event loop of the kernel; None in a script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class SweepingExplorer(Explorer):
    """An explorer whose ``job`` measures more than the present setting, step by step.

    A new setting ends the job, between two of its steps. A subclass measures them in
    ``_measuring()`` and moves the marks that show them in ``_show_curves(result)``, or has a
    ``_sweep()`` of its own.
    """

    def update(self):
        """Compute the current settings and show them, between two steps of the job."""
        self.job.cancel(" by a new setting")  # before the lock, which a step may hold
        with self.job.lock:
            return super().update()

    def _begin(self):
        self.job.cancel(" by a new setting")
        super()._begin()

    def all_steps(self):
        """Do all steps of the job here and now."""
        with self.job.lock:
            for _ in self.job.work():
                pass

    def _sweep(self):
        """Steps of the job: the marks move after each; after the last, all is shown."""
        for step in self._measuring():
            if self.result is not None:
                self._show_curves(self.result)
                self.picture.redraw()
            yield step
        if self.result is not None:
            self.present(self.result)


class ThreadedExplorer(Explorer):
    """An explorer whose ``job`` shows results from a thread of its own."""

    def present(self, result):
        """Put `result` on screen, one thread at a time."""
        with self._one_at_a_time:
            super().present(result)
