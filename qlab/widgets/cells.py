"""A cell of the read-out for an explorer that scores more than one file."""

from __future__ import annotations

from qlab.widgets import readout


def measured(name, measurement):
    """Accuracy of one of several files, under a name of its own, with its interval and badge.

    Parameters
    ----------
    name : str
        Says whose accuracy it is.
    measurement : qlab.results.Measurement

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> from qlab.results import Measurement
    >>> "Accuracy of draw 3" in measured("Accuracy of draw 3", Measurement([1, 2], [1, 3]))
    True
    """
    low, high = measurement.interval
    return readout.cell(
        name,
        f"{readout.percent(measurement.accuracy)} {readout.badge(measurement.kind)}",
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %",
        f"{measurement.n:,} images",
    )
