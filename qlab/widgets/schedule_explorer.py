"""How fast should sparsity rise? The explorer of pruning schedules; arithmetic, no model."""

from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.sparsity import polynomial_sparsity
from qlab.data.doors import require_whole
from qlab.plots.pruning_panels import CutsPanel, SchedulePanel
from qlab.system.text import to_csv
from qlab.tflite import artefacts
from qlab.trials.shipped import families
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Explorer, Shown
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.readout import percent
from qlab.widgets.kit.traits import Sparsity, WholeWithin, number, rare, steps

EPOCHS, STEPS_PER_EPOCH = 8, 391  # of the shipped models: 50,000 images in batches of 128
END_STEP = 1500
POWERS = (1, 2, 3, 4, 6, 8)
FREQUENCIES = (1, 10, 25, 50, 100, 200, 500, 1000)
FINALS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule, worked out for each step of a training."""

    wished: np.ndarray
    masks: np.ndarray
    updates: np.ndarray
    cuts: np.ndarray

    @property
    def reached(self):
        """float: sparsity of the masks at the end of the training."""
        return float(self.masks[-1])

    @property
    def steps_after(self):
        """int: steps of the training after the last update."""
        return int(len(self.masks) - 1 - self.updates[-1])


class ScheduleExplorer(Explorer):
    """Draw how sparsity rises over a training, and in which steps.

    Between two updates of the masks the network repairs the damage: the curve says how much is cut
    in all by then, the frequency in how many pieces.

    Parameters
    ----------
    epochs : int
        Of the training.
    steps_per_epoch : int
        Batches; 391 are 50,000 images in batches of 128.
    **settings
        ``begin_step``, ``end_step``, ``power``, ``frequency``, ``final_sparsity``, and
        ``initial_sparsity``, under "More settings".

    Attributes
    ----------
    result : Schedule

    Raises
    ------
    ValueError
        If a length is not a whole number above 0, or a setting does not fit the others.

    Examples
    --------
    >>> explorer = ScheduleExplorer(begin_step=0, end_step=1000, frequency=300)
    >>> explorer.result.updates.tolist(), round(explorer.result.reached, 4)
    ([0, 300, 600, 900], 0.8996)
    """

    question = "How fast should sparsity rise, and in how many steps?"
    begin_step = number("Begin step", WholeWithin(0, 0, "steps"), "_tenths")
    end_step = number("End step", WholeWithin(END_STEP, 0, "steps"), "_tenths")
    power = steps("Power", POWERS, 3)
    frequency = number("Frequency", WholeWithin(100, 1, None, " step or more"), "_frequencies")
    final_sparsity = number("Final sparsity", Sparsity(0.9), (0.0, *FINALS))
    initial_sparsity = rare(number("Initial sparsity", Sparsity(0.5), (0.0, 0.2, 0.4, *FINALS)))

    def __init__(self, epochs=EPOCHS, steps_per_epoch=STEPS_PER_EPOCH, **settings):
        super().__init__()
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            require_whole(name, value, 1)
        self.epoch, self.steps = steps_per_epoch, epochs * steps_per_epoch
        self.end_step = min(END_STEP, self.steps)
        self._tenths = [self.steps * i // 10 for i in range(11)]
        self._frequencies = [x for x in FREQUENCIES if x < self.steps] + [self.steps]
        self._shipped = _shipped_schedules()
        picture = LivePicture(panels=2, width=900, height=300, ratios=(1.5, 1))
        self._masks = picture.put(SchedulePanel, self.steps, self.epoch)
        self._cuts = picture.put(CutsPanel, self.steps, self.epoch)
        self.download = self.offer("Save the schedule as CSV", self.csv)
        self.assemble(self.controls(), picture, [self.download], settings)

    def compute(self):
        """Work out the schedule at each step of the training."""
        at = np.arange(self.steps + 1)
        ends = self.begin_step, self.end_step, self.initial_sparsity, self.final_sparsity
        wished = polynomial_sparsity(at, *ends, self.power, frequency=1)
        masks = polynomial_sparsity(at, *ends, self.power, self.frequency)
        updates = np.arange(self.begin_step, self.end_step + 1, self.frequency)
        return Schedule(wished, masks, updates, np.diff(masks[updates], prepend=0.0))

    def show(self, result):
        ends = self.begin_step, self.end_step
        self._masks.show(result.wished, result.masks, result.updates, *ends)
        self._cuts.show(result.updates, result.cuts)
        missed = self.final_sparsity - result.reached > 5e-5
        return Shown(
            f"Sparsity rises from step {ends[0]:,} to {ends[1]:,} in {len(result.updates):,} "
            f"updates and ends at {percent(result.reached)}; the first update cuts "
            f"{percent(result.cuts[0])} of the weights.",
            self._cells(result, missed),
            self._notes(result, missed),
            lambda: [_table(result)],
        )

    def csv(self):
        """The schedule as a table, a row for each update: name, CSV in UTF-8, and words."""
        result = self.result or self.update()
        rows = (
            (int(step), f"{result.masks[step]:.6f}", f"{cut:.6f}")
            for step, cut in zip(result.updates, result.cuts, strict=True)
        )
        words = f"{len(result.updates):,} updates."
        return "qlab-schedule.csv", to_csv(("step", "sparsity", "cut"), rows), words

    def _cells(self, result, missed):
        asked = percent(self.final_sparsity)
        largest = int(np.argmax(result.cuts))
        at, following = [*result.updates, self.steps][largest : largest + 2]
        return (
            readout.cell(
                "Pruned at the end",
                f"{percent(result.reached)} {readout.badge('simulated')}",
                f"<b>{asked} is not reached</b>" if missed else f"{asked}, as asked",
            ),
            readout.cell(
                "Updates of the masks",
                f"{len(result.updates):,}",
                f"the last at step {result.updates[-1]:,}",
                f"{result.steps_after:,} steps of repair after it",
            ),
            readout.cell(
                "Largest cut",
                percent(result.cuts[largest]),
                f"of all weights, at step {at:,}",
                f"then {following - at:,} steps to repair it",
            ),
            readout.table_cell("Pruned by the end of", (), _by_epoch(result, self.epoch)),
        )

    def _asked(self):
        """The settings, as the manifest writes those of shipped models."""
        steps = {x: getattr(self, x) for x in ("begin_step", "end_step", "power", "frequency")}
        return {"initial": self.initial_sparsity, "final": self.final_sparsity, **steps}

    def _notes(self, result, missed):
        notes = ["No model was trained for this picture: it is the schedule's formula."]
        for name, schedule in self._shipped.items():
            if schedule == self._asked():
                notes.append(f"{name} of the shipped models was trained so.")
        if missed:
            notes.append(
                f"The last update is at step {result.updates[-1]:,}, before the end step, because "
                f"{self.frequency:,} does not divide the {self.end_step - self.begin_step:,} steps "
                "from begin to end. The curve goes on, the masks do not."
            )
        if result.steps_after < self.epoch / 4:
            notes.append(
                f"After the last update there are {result.steps_after:,} steps: little time to "
                "repair it."
            )
        if self.final_sparsity == self.initial_sparsity:
            notes.append("Initial and final sparsity are the same: that is constant sparsity.")
        return notes


def _table(result):
    """The updates as text: all of them, or 30 that are evenly chosen."""
    chosen = np.linspace(0, len(result.updates) - 1, min(len(result.updates), 30)).astype(int)
    rows = [
        (f"{at:,}", percent(result.masks[at]), percent(cut))
        for at, cut in zip(result.updates[chosen], result.cuts[chosen], strict=True)
    ]
    part = "" if len(chosen) == len(result.updates) else f", {len(chosen)} of them"
    header = ("step", "pruned", "cut by this update")
    return readout.table(f"Updates of the masks{part}", header, rows)


def _shipped_schedules():
    """The schedule of each family of shipped models that was pruned so."""
    files = artefacts.manifest()["files"]
    return {
        name: files[f"{next(iter(by_seed.values()))[0]}.tflite"]["recipe"]["settings"]["schedule"]
        for name, by_seed in families(r"pruned-\d+").items()
    }


def _by_epoch(result, epoch):
    """Sparsity at the end of each epoch: of the first five and the last."""
    ends = np.arange(epoch, len(result.masks), epoch)
    shown = ends if len(ends) <= 6 else [*ends[:5], ends[-1]]
    return [(f"epoch {at // epoch}", percent(result.masks[at])) for at in shown]
