"""Explorers whose button measures more than the present setting, one step after the other."""

from __future__ import annotations

from qlab.widgets.kit.explorer import Explorer


class SweepingExplorer(Explorer):
    """An explorer with a ``job``; a new setting ends it, between two of its steps."""

    def update(self):
        """Compute the current settings and show them, between two steps of the job."""
        self.job.cancel("Stopped by a new setting; what was measured is kept.")
        with self.job.lock:
            return super().update()

    def all_steps(self):
        """Do all steps of the job here and now."""
        with self.job.lock:
            for _ in self.job.work():
                pass
