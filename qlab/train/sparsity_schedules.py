"""When to prune, and how much: tfmot's two schedules, with their settings checked in words."""

from qlab.arithmetic.sparsity import magnitude_masks, require_sparsity
from qlab.train.toolkit import tfmot

Schedule = tfmot.sparsity.keras.PruningSchedule


def polynomial_decay(final, initial=0.5, begin_step=0, end_step=1000, power=3, frequency=100):
    """Sparsity that rises quickly at first and then ever more slowly [1]_.

    At step t it is ``final + (initial - final) * (1 - (t - begin) / (end - begin)) ** power``. The
    classic recipe goes from 0.50 to 0.90.

    Parameters
    ----------
    final, initial : float
        Fraction of weights in [0, 1) that are zero at the end and at the beginning.
    begin_step, end_step : int
        Batches of training, the first one 1; 60,000 images in batches of 128 are 469 an epoch. A
        schedule that begins at 0 prunes for the first time at step `frequency`.
    power : float
        1 is a straight line.
    frequency : int
        Prune again each so many steps, counted from `begin_step`; the last time at or before
        `end_step`.

    Returns
    -------
    tfmot.sparsity.keras.PolynomialDecay
        To be given to `prune`.

    Raises
    ------
    ValueError
        If a sparsity is not in [0, 1), or the steps are not in order; the message says what to do.

    References
    ----------
    .. [1] Zhu and Gupta, arXiv:1710.01878, eq. 1.

    Examples
    --------
    >>> schedule = polynomial_decay(0.9, end_step=400)
    >>> [round(float(schedule(step)[1]), 3) for step in (0, 100, 200, 400)]
    [0.5, 0.731, 0.85, 0.9]
    """
    require_sparsity(final, "final")
    require_sparsity(initial, "initial")
    _check_steps(begin_step, end_step, frequency)
    if not power > 0:
        raise ValueError(f"power is {power!r}; it must be above 0, and is 3 in the paper")
    if initial > final:
        raise ValueError(
            f"initial is {initial} and final {final}: pruned weights do not come back, so begin "
            "with the smaller sparsity"
        )
    return tfmot.sparsity.keras.PolynomialDecay(
        float(initial), float(final), begin_step, end_step, power, frequency
    )


def constant_sparsity(sparsity, begin_step=1, end_step=-1, frequency=100):
    """The same sparsity from `begin_step` on.

    Parameters
    ----------
    sparsity : float
        Fraction of weights in [0, 1) that are zero.
    begin_step, end_step : int
        Batches of training, the first one 1; after `end_step` the masks stay as they are. -1
        goes on to the end.
    frequency : int
        Choose anew which weights are zero each so many steps.

    Returns
    -------
    tfmot.sparsity.keras.ConstantSparsity
        To be given to `prune`.

    Raises
    ------
    ValueError
        If the sparsity is not in [0, 1), or the steps are not in order; the message says what to
        do.

    Examples
    --------
    >>> float(constant_sparsity(0.75)(0)[1])
    0.75
    """
    require_sparsity(sparsity)
    _check_steps(begin_step, None if end_step == -1 else end_step, frequency)
    return tfmot.sparsity.keras.ConstantSparsity(float(sparsity), begin_step, end_step, frequency)


def by_layer(schedule, kernels):
    """Share one schedule among layers so that one magnitude is the threshold of all."""
    config = schedule.get_config()["config"]
    shares = {
        key: {name: _share(mask) for name, mask in magnitude_masks(kernels, value).items()}
        for key, value in config.items()
        if key.endswith("_sparsity")
    }
    return {
        name: type(schedule)(**config | {key: share[name] for key, share in shares.items()})
        for name in kernels
    }


def _share(mask):
    """Share of a mask that is False; a layer that would lose everything keeps one weight."""
    return float(min(1 - mask.mean(), 1 - 1 / mask.size))


def _check_steps(begin, end, frequency):
    for name, value, least in (("begin_step", begin, 0), ("frequency", frequency, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number, {least} or more")
    if end is None:
        return
    if isinstance(end, bool) or not isinstance(end, int) or end <= begin:
        raise ValueError(
            f"end_step is {end!r}; it must be a whole number above begin_step, which is {begin}"
        )
