"""Calibration: what activations were seen, and what range to represent."""

from dataclasses import dataclass

import numpy as np

from qlab.arithmetic.affine import affine_params

BINS = 1024
PERCENTILE = 99.9


@dataclass(frozen=True, eq=False)
class Observation:
    """What one activation did on each calibration image."""

    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    edges: np.ndarray

    def histogram(self, calibration_size):
        """Histogram over the first images."""
        return self.counts[:calibration_size].sum(axis=0, dtype=np.int64)


def observe(batches, images):
    """Observe streamed activations, in two passes: first for extrema, then for histograms."""
    extrema = None
    for start, values in batches():
        flat = [value.reshape(len(value), -1) for value in values]
        if extrema is None:
            extrema = np.zeros((len(flat), 2, images), np.float32)
            counts = [np.zeros((images, BINS), _counter(rows.shape[1])) for rows in flat]
        for i, rows in enumerate(flat):
            extrema[i, 0, start : start + len(rows)] = rows.min(axis=1)
            extrema[i, 1, start : start + len(rows)] = rows.max(axis=1)
    if not np.isfinite(extrema).all():
        raise ValueError(
            "an activation is NaN or infinite on the calibration images; "
            "look at these images, and at the model's weights"
        )
    edges = [_edges(low, high) for low, high in extrema]
    for start, values in batches():
        for i, value in enumerate(values):
            _count(value.reshape(len(value), -1), edges[i], counts[i][start : start + len(value)])
    return [
        Observation(np.minimum.accumulate(low), np.maximum.accumulate(high), count, edge)
        for (low, high), count, edge in zip(extrema, counts, edges, strict=True)
    ]


def merge(observations):
    """Pool activations that will share one grid, such as the inputs of a concatenation."""
    if len(observations) == 1:
        return observations[0]
    low = np.minimum.reduce([seen.low for seen in observations])
    high = np.maximum.reduce([seen.high for seen in observations])
    edges = _edges(low, high)
    counts = np.zeros(observations[0].counts.shape, np.uint32)
    for seen in observations:
        centres = (seen.edges[:-1] + seen.edges[1:]) / 2
        np.add.at(counts, (slice(None), _bin(centres, edges)), seen.counts)
    return Observation(low, high, counts, edges)


def activation_range(observation, calibration_size, observer="min-max", bits=8):
    """Range to represent, by one of three observers."""
    if not 1 <= calibration_size <= len(observation.low):
        raise ValueError(
            f"calibration_size is {calibration_size}; "
            f"there are 1 to {len(observation.low)} calibration images"
        )
    low = min(float(observation.low[calibration_size - 1]), 0.0)
    high = max(float(observation.high[calibration_size - 1]), 0.0)
    if observer == "min-max" or high == low:
        return low, high
    if observer == "percentile":
        return _percentile_range(observation, calibration_size, low, high)
    if observer == "mse":
        return _least_error_range(observation, calibration_size, low, high, bits)
    raise ValueError(f"observer is {observer!r}; choose one of min-max, percentile, mse")


def _percentile_range(observation, calibration_size, low, high):
    """Clip the outermost 0.1 % at the top, and at the bottom if there are negative values."""
    cumulative = np.concatenate([[0], np.cumsum(observation.histogram(calibration_size))])
    total, tail = cumulative[-1], 1 - PERCENTILE / 100
    top = np.interp(total * (1 - tail), cumulative, observation.edges)
    bottom = np.interp(total * tail, cumulative, observation.edges) if low < 0 else 0.0
    return max(low, min(float(bottom), 0.0)), min(high, max(float(top), 0.0))


def _least_error_range(observation, calibration_size, low, high, bits):
    """Try fractions of the range; keep the one of least squared error over the histogram."""
    counts = observation.histogram(calibration_size)
    used = counts > 0
    centres = ((observation.edges[:-1] + observation.edges[1:]) / 2)[used]
    best, least = (low, high), np.inf
    for fraction in np.linspace(1.0, 0.21, 80):
        params = affine_params(low * fraction, high * fraction, bits)
        codes = np.clip(
            np.rint(centres / params.scale) + params.zero_point, params.q_min, params.q_max
        )
        error = float(counts[used] @ (centres - params.scale * (codes - params.zero_point)) ** 2)
        if error < least:
            best, least = (low * fraction, high * fraction), error
    return best


def _counter(values):
    """Smallest type that counts so many values of one image: it halves what a Compressor keeps."""
    return np.uint16 if values <= np.iinfo(np.uint16).max else np.uint32


def _edges(low, high):
    """Bin edges over all that was seen, and 0."""
    return np.linspace(min(float(low.min()), 0.0), max(float(high.max()), 0.0), BINS + 1)


def _bin(x, edges):
    """Index of the bin of each value; values outside go into the outermost bins."""
    width = (edges[-1] - edges[0]) / BINS
    if width < np.finfo(np.float32).tiny:
        return np.zeros(x.shape, np.intp)
    return np.clip((x - edges[0]) / width, 0, BINS - 1).astype(np.intp)


def _count(rows, edges, counts):
    """Add the histogram of each row of values to the same row of counts."""
    width = (edges[-1] - edges[0]) / BINS
    if width < np.finfo(np.float32).tiny:  # one point, or too narrow for float32 to tell bins apart
        counts[:, 0] += rows.shape[1]
        return
    scaled = (rows - np.float32(edges[0])) * np.float32(1 / width)
    codes = np.clip(scaled, 0, BINS - 1, out=scaled).astype(np.int32)
    codes += np.arange(len(rows), dtype=np.int32)[:, None] * BINS
    counts += (
        np.bincount(codes.reshape(-1), minlength=len(rows) * BINS)
        .reshape(len(rows), BINS)
        .astype(counts.dtype)
    )
