"""A range becomes a scale and a zero point, and numbers become codes."""

from dataclasses import dataclass

import numpy as np

INTEGER_BITS = (2, 3, 4, 5, 6, 7, 8)
NARROWEST = 1e-6  # the TFLite converter widens a range up to this, by as much at either end


@dataclass(frozen=True, eq=False)
class QuantParams:
    """The grid of real values ``r = scale * (q - zero_point)``, with q in [q_min, q_max].

    Parameters
    ----------
    scale, zero_point : ndarray, shape (), or (C,) if per channel
        float32 and int64; `affine_params` and `symmetric_params` make them.
    q_min, q_max : int
        The lowest and the highest code.
    axis : int
        The axis of the C output channels; without meaning where there is one scale.

    Examples
    --------
    >>> grid = affine_params(-1.0, 1.0, bits=2)
    >>> grid.levels, [f"{r:.2f}" for r in grid.span]
    (4, ['-1.33', '0.67'])
    """

    scale: np.ndarray
    zero_point: np.ndarray
    q_min: int
    q_max: int
    axis: int = -1

    @property
    def span(self):
        """(float, float): the lowest and highest real value of a grid with one scale."""
        low, high = self.scale * (np.array([self.q_min, self.q_max]) - self.zero_point)
        return float(low), float(high)

    @property
    def levels(self):
        """int: how many codes the grid has."""
        return self.q_max - self.q_min + 1


def affine_params(low, high, bits=8):
    """Grid of 2**bits codes over a range, moved so that zero is exactly one of them.

    Parameters
    ----------
    low, high : float
        The range to cover; widened to contain 0.
    bits : int
        2 to 8.

    Returns
    -------
    QuantParams
        ``scale = (high - low) / (2**bits - 1)``; codes ``128 - 2**bits`` to 127. A range of
        ReLU outputs (``low == 0``) therefore has ``zero_point = 128 - 2**bits``. A range no
        wider than 1e-6 is widened by 1e-6 at either end, as the TFLite converter does.

    Raises
    ------
    ValueError
        If `bits` is not 2 to 8, or the range is not finite or is empty.

    References
    ----------
    .. [1] Jacob et al., CVPR 2018, arXiv:1712.05877, eq. 1 and section 3.

    Examples
    --------
    >>> p = affine_params(0.0, 6.0, bits=4)
    >>> f"{p.scale:.3f}", int(p.zero_point), p.q_min, p.q_max
    ('0.400', 112, 112, 127)
    """
    _require_bits(bits)
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            f"the range [{low}, {high}] is not finite; look for NaN or infinity in the data"
        )
    q_min, q_max = 128 - 2**bits, 127
    if high - low <= NARROWEST:
        low, high = low - NARROWEST, high + NARROWEST
    scale = (high - low) / (q_max - q_min)
    from_low, from_high = q_min - low / scale, q_max - high / scale
    error_low, error_high = abs(q_min) + abs(low / scale), abs(q_max) + abs(high / scale)
    zero_point = np.rint(from_low if error_low < error_high else from_high)
    return QuantParams(np.float32(scale), np.int64(np.clip(zero_point, q_min, q_max)), q_min, q_max)


def symmetric_params(weights, bits=8, axis=0):
    """Symmetric narrow-range grid for weights: zero_point 0, codes to 2**(bits-1) - 1 either way.

    Parameters
    ----------
    weights : array_like of float, any shape
    bits : int
        2 to 8.
    axis : int or None
        The output-channel axis, one scale for each of its C entries; None for one scale in all.

    Returns
    -------
    QuantParams
        ``scale = max|w| / (2**(bits-1) - 1)``, shape (C,) or (). A channel of zeros gets scale 1.

    Raises
    ------
    ValueError
        If `bits` is not 2 to 8, or `weights` is empty or has NaN or infinity.

    References
    ----------
    .. [1] Krishnamoorthi, arXiv:1806.08342, section 3.1.1.

    Examples
    --------
    >>> p = symmetric_params([[0.5, -1.0], [0.1, 0.2]], bits=4)
    >>> [f"{scale:.4f}" for scale in p.scale], p.q_min, p.q_max
    (['0.1429', '0.0286'], -7, 7)
    """
    _require_bits(bits)
    weights = np.asarray(weights, np.float32)
    if weights.size == 0:
        raise ValueError("there are no weights to quantize: the array is empty")
    other = (
        None if axis is None else tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    )
    largest = np.asarray(np.abs(weights).max(axis=other))
    if not np.isfinite(largest).all():
        raise ValueError(
            "the weights hold NaN or infinity; train again with a smaller learning rate"
        )
    q_max = 2 ** (bits - 1) - 1
    scale = (largest.astype(np.float64) / q_max).astype(np.float32)
    scale = np.where(scale > np.finfo(np.float32).tiny, scale, np.float32(1.0))
    return QuantParams(
        scale, np.zeros(scale.shape, np.int64), -q_max, q_max, -1 if axis is None else axis
    )


def quantize(x, params):
    """Codes of real values: round ``x / scale + zero_point`` to the nearest integer and clamp.

    Parameters
    ----------
    x : array_like of float, any shape
    params : QuantParams

    Returns
    -------
    ndarray of int8, shape of `x`
        Ties go to the even integer.

    Raises
    ------
    ValueError
        If a per-channel `params` does not match axis ``params.axis`` of `x`.

    Examples
    --------
    >>> quantize([0.0, 0.3, 9.0], affine_params(0.0, 6.0, bits=4)).tolist()
    [112, 113, 127]
    """
    x = np.asarray(x, np.float32)
    scale, zero_point = _broadcast(x, params)
    return np.clip(np.rint(x / scale) + zero_point, params.q_min, params.q_max).astype(np.int8)


def dequantize(q, params):
    """Real values of codes: ``scale * (q - zero_point)``.

    Parameters
    ----------
    q : array_like of int, any shape
    params : QuantParams

    Returns
    -------
    ndarray of float32, shape of `q`

    Raises
    ------
    ValueError
        If a per-channel `params` does not match axis ``params.axis`` of `q`.

    References
    ----------
    .. [1] Jacob et al., CVPR 2018, arXiv:1712.05877, eq. 1.

    Examples
    --------
    >>> [f"{r:.1f}" for r in dequantize([112, 113, 127], affine_params(0.0, 6.0, bits=4))]
    ['0.0', '0.4', '6.0']
    """
    q = np.asarray(q)
    scale, zero_point = _broadcast(q, params)
    return (scale * (q.astype(np.int32) - zero_point)).astype(np.float32)


def fake_quantize(x, params):
    """Round real values to the grid that `params` describes, staying in float.

    Parameters
    ----------
    x : array_like of float, any shape
    params : QuantParams

    Returns
    -------
    ndarray of float32, shape of `x`
        ``dequantize(quantize(x))``.

    Raises
    ------
    ValueError
        If a per-channel `params` does not match axis ``params.axis`` of `x`.

    References
    ----------
    .. [1] Jacob et al., CVPR 2018, arXiv:1712.05877, section 3.

    Examples
    --------
    >>> [f"{r:.1f}" for r in fake_quantize([0.3, 9.0], affine_params(0.0, 6.0, bits=4))]
    ['0.4', '6.0']
    """
    return dequantize(quantize(x, params), params)


def _require_bits(bits):
    if bits not in INTEGER_BITS:
        raise ValueError(f"bits is {bits!r}; an int8 file holds 2, 3, 4, 5, 6, 7 or 8 bits")


def _broadcast(x, params):
    """Scale and zero point, shaped so that they broadcast against `x`."""
    scale, zero_point = np.asarray(params.scale), np.asarray(params.zero_point)
    if scale.ndim == 0:
        return scale, zero_point
    if x.ndim == 0 or x.shape[params.axis] != scale.size:
        raise ValueError(
            f"{scale.size} scales do not match axis {params.axis} of an array of shape {x.shape}"
        )
    shape = [1] * x.ndim
    shape[params.axis] = scale.size
    return scale.reshape(shape), zero_point.reshape(shape)
