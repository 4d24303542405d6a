"""Which code each weight takes, so that the outputs of its layer move as little as possible.

A layer's weights are a matrix here, a row for each output, and a row w that becomes w - e moves
its output by e . x. Over the inputs x that were seen this is e H e on average, squared, where H
holds their second moments. Layers whose rows see different inputs (depthwise, grouped) have one H
for each group of rows, one after the other.
"""

from dataclasses import dataclass, replace

import numpy as np

from qlab.arithmetic.affine import quantize, symmetric_params
from qlab.system.threads import one_thread

AT_ONCE = 2**21  # weights that are rounded at once while ranges are tried
DAMPING = 0.01  # of the mean curvature, as published
REFITS = 30  # of a least-squares range; it has settled long before
SHARES = np.linspace(1.0, 0.2, 17, dtype=np.float32)  # of the largest weight: ranges to try
BLOCK = 64  # inputs that are rounded before the others hear of it
ROUNDINGS = ("nearest", "gptq")


@dataclass(frozen=True, eq=False)
class Curvature:
    """What GPTQ needs of second moments at any bits: the order, and who makes up for whom."""

    moments: np.ndarray  # (groups, inputs, inputs)
    order: np.ndarray  # (groups, inputs): the first is rounded first
    feedback: np.ndarray  # (groups, inputs, inputs), in that order: from the row to the column
    pivots: np.ndarray  # (groups, inputs): what an error costs that the later ones make up for


def curvature(moments, damping=DAMPING):
    """Order and factor the second moments of a layer: once, for all bit widths.

    With A upper triangular and A A^T the damped moments, an error e moves the output by e A. Input
    j is then best moved by the sum over i < j of e_i A_ij / A_jj. GPTQ as published takes the same
    numbers from the Cholesky factor of the inverse, which is the inverse of A [1]_.

    .. [1] Chee et al., NeurIPS 2023, arXiv:2307.13304, theorem 6.

    >>> curvature([[1.0, 0.5], [0.5, 4.0]], damping=1e-9).order.tolist()
    [[1, 0]]
    """
    moments = _stack(moments)
    if not damping > 0:
        raise ValueError(f"damping is {damping}; give more than 0, such as {DAMPING}")
    diagonal = np.diagonal(moments, axis1=1, axis2=2)
    order = np.argsort(-diagonal, axis=1, kind="stable")
    back, mean = order[:, ::-1], diagonal.mean(1)
    unit = np.where(mean > np.finfo(np.float32).tiny, mean, 1.0)
    alike = np.take_along_axis(moments, back[:, :, None], 1)
    alike = np.take_along_axis(alike, back[:, None, :], 2) / unit[:, None, None]
    alike += damping * np.eye(alike.shape[1])
    try:
        factor = np.linalg.cholesky(alike)[:, ::-1, ::-1]
    except np.linalg.LinAlgError:
        raise ValueError(f"damping {damping} is too little for these moments; give more") from None
    pivots = np.diagonal(factor, axis1=1, axis2=2)
    return Curvature(moments, order, factor / pivots[:, None], pivots**2 * mean[:, None])


@one_thread
def gptq(weights, scale, bits, curvature, zeros=None, block=BLOCK):
    """Codes, int8, that move the layer's outputs less than the nearest codes do [1]_.

    One input after the other is rounded, and those still to come make up for its error. Codes are
    symmetric and narrow; `scale` is one number, or one for each row. Where `zeros` is true the
    code stays 0, and the others make up for that; it is where the weights are 0 unless given.
    A row that would be no better on the moments themselves, undamped, keeps its nearest codes.

    .. [1] Frantar et al., ICLR 2023, arXiv:2210.17323.

    >>> alike = curvature([[1.0, 0.9], [0.9, 1.0]])
    >>> gptq([[0.4, 0.4]], 1.0, 4, alike).tolist()  # their sum is 0.8: 0 and 0 are worse
    [[0, 1]]
    """
    weights = _matrix(weights)
    grid = _grid(scale, bits, weights)
    zeros = weights == 0 if zeros is None else np.asarray(zeros, bool)
    _require_alike(weights, zeros, "zeros")
    _require_fit(weights, curvature.moments)
    if block < 1:
        raise ValueError(f"block is {block}; give the number of inputs rounded at a time")
    plain = np.where(zeros, np.int8(0), quantize(weights, grid))
    codes, _ = _fed_back(weights, grid, curvature, zeros, block)
    error, before = (
        output_error(weights, x, grid.scale, curvature.moments) for x in (codes, plain)
    )
    return np.where((error < before)[:, None], codes, plain)


def output_error(weights, codes, scale, moments):
    """Mean squared error of each output, float64, over inputs with these second moments."""
    weights, codes, moments = _matrix(weights), np.asarray(codes), _stack(moments)
    _require_alike(weights, codes, "codes")
    _require_fit(weights, moments)
    error = weights - codes * _scales(scale, weights).astype(np.float64)[:, None]
    error = _grouped(error, len(moments))
    return np.maximum((error @ moments * error).sum(2).reshape(-1), 0.0)


def refit_range(weights, end, largest, top, total, xp=np):
    """Where a symmetric grid that ends at `end` had better end: one step to least squares.

    The codes stay, and the scale becomes the one that fits them best. `total` sums over what shares
    a grid, and `xp` may be TensorFlow, so that training takes the same step.
    """
    codes = xp.maximum(xp.minimum(xp.round(weights * top / end), top), -top)
    scale = total(weights * codes) / xp.maximum(total(codes * codes), 1.0)
    return xp.where(scale > 0, xp.minimum(scale * top, largest), largest)


def least_squares_scale(weights, bits, axis=0):
    """Scale of each row (axis 0) or of all (None) with the least squared rounding error."""
    weights = _matrix(weights)
    grid, other = symmetric_params(weights, bits, axis), None if axis is None else 1
    largest = np.abs(weights).max(other, keepdims=True)
    end = largest = np.where(largest > 0, largest, np.float32(grid.q_max))
    for _ in range(REFITS):
        end = refit_range(
            weights, end, largest, float(grid.q_max), lambda x: x.sum(other, keepdims=True)
        )
    scale = end.reshape(grid.scale.shape) / np.float32(grid.q_max)
    return np.where(scale > np.finfo(np.float32).tiny, scale, grid.scale)


@one_thread
def moment_scale(weights, bits, curvature, axis=0, rounding="gptq"):
    """Scale of each row (axis 0) or of all (None), float32, that moves the outputs least.

    It is a share of the one that reaches the largest weight. Each share is tried with the rounding
    that will be used, because GPTQ and "nearest" want different ones. The error is the damped one.

    >>> seen = curvature([[1.0, 0.0], [0.0, 0.01]])  # the large weight has hardly any input
    >>> f"{moment_scale([[0.4, 1.0]], 2, seen)[0]:.2f}"
    '0.40'
    """
    weights = _matrix(weights)
    grid, zeros, errors = symmetric_params(weights, bits, axis), weights == 0, []
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding is {rounding!r}; choose one of {', '.join(ROUNDINGS)}")
    _require_fit(weights, curvature.moments)
    largest = np.broadcast_to(grid.scale, len(weights))[:, None]
    many = max(1, AT_ONCE // weights.size)
    for shares in np.split(SHARES, range(many, len(SHARES), many)):
        scales = largest * shares
        rows, still = (np.repeat(x, len(shares), 0) for x in (weights, zeros))
        tried = _grid(scales.reshape(-1), bits, rows)
        _, error = _fed_back(rows, tried, curvature, still, BLOCK, rounding == "gptq")
        errors.append(error.reshape(scales.shape))
    errors = np.concatenate(errors, 1)
    best = SHARES[(errors.sum(0) if axis is None else errors).argmin(-1)]
    return (grid.scale * best).astype(np.float32)


def bias_correction(weights, dequantized, mean_inputs):
    """What to add to the bias to keep the mean output (arXiv:1906.04721, section 4.2)."""
    weights, rounded = _matrix(weights), _matrix(dequantized)
    mean = np.atleast_2d(np.asarray(mean_inputs, np.float64))
    _require_alike(weights, rounded, "dequantized weights")
    _require_fit(weights, mean)
    error = np.subtract(weights, rounded, dtype=np.float64)
    return (_grouped(error, len(mean)) @ mean[:, :, None]).reshape(-1)


def equalizing_scales(range_out_of_first, range_into_second):
    """What to divide the channels of one layer by, and to multiply in the next, so that they match.

    The ranges are the largest magnitudes of a channel's weights in the two layers [1]_. A channel
    that is dead in either stays as it is.

    .. [1] Nagel et al., ICCV 2019, arXiv:1906.04721, equation 11.

    >>> equalizing_scales([4.0, 1.0, 0.0], [1.0, 1.0, 5.0]).tolist()
    [2.0, 1.0, 1.0]
    """
    first, second = np.asarray(range_out_of_first, float), np.asarray(range_into_second, float)
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} channels go out and {second.shape} come in; pass a pair")
    for ranges in (first, second):
        if not (np.isfinite(ranges) & (ranges >= 0)).all():
            raise ValueError("ranges are magnitudes: finite and not below 0")
    alive = np.minimum(first, second) > np.finfo(np.float32).tiny
    return np.sqrt(np.where(alive, first, 1.0) / np.where(alive, second, 1.0))


def _fed_back(weights, grid, curvature, zeros, block, heard=True):
    """Codes by row, and their damped error; an input aims at what the errors before it ask for."""
    order, feedback = curvature.order[:, :, None], curvature.feedback
    weights, zeros = (
        np.take_along_axis(_grouped(x, len(order)).swapaxes(1, 2), order, 1)
        for x in (weights.astype(np.float64), zeros)
    )
    scale = grid.scale.reshape(len(order), -1)
    exact = scale.astype(np.float64)
    codes, error = np.zeros(weights.shape, np.float32), np.zeros(weights.shape)
    total = np.zeros(scale.shape)
    for start in range(0, weights.shape[1], block):
        here = slice(start, start + block)
        asked = feedback[:, :start, here].swapaxes(1, 2) @ error[:, :start]
        for j, ask in enumerate(asked.swapaxes(0, 1), start):
            ask = ask + (feedback[:, None, start:j, j] @ error[:, start:j])[:, 0]
            aim = weights[:, j] + ask if heard else weights[:, j]
            code = np.clip(np.rint(aim.astype(np.float32) / scale), grid.q_min, grid.q_max)
            codes[:, j] = np.where(zeros[:, j], 0, code)
            error[:, j] = weights[:, j] - codes[:, j] * exact
            total += curvature.pivots[:, j, None] * (error[:, j] + ask) ** 2
    found = np.empty(codes.shape, np.int8)
    np.put_along_axis(found, order, codes.astype(np.int8), 1)
    return found.swapaxes(1, 2).reshape(grid.scale.size, -1), total.reshape(-1)


def _matrix(weights):
    weights = np.asarray(weights, np.float32)
    if weights.ndim != 2:
        raise ValueError(f"weights have shape {weights.shape}; give a row for each output")
    if not np.isfinite(weights).all():
        raise ValueError("the weights hold NaN or infinity; train with a smaller learning rate")
    return weights


def _stack(moments):
    moments = np.asarray(moments, np.float64)
    moments = moments[None] if moments.ndim == 2 else moments
    if moments.ndim != 3 or moments.shape[1] != moments.shape[2]:
        raise ValueError(f"moments have shape {moments.shape}; give inputs x inputs")
    if not np.isfinite(moments).all():
        raise ValueError("the moments hold NaN or infinity; look at the inputs of the layer")
    return moments


def _grouped(rows, groups):
    return rows.reshape(groups, -1, rows.shape[1])


def _require_fit(weights, moments):
    if weights.shape[1] != moments.shape[-1] or len(weights) % len(moments):
        raise ValueError(
            f"{len(moments)} groups of {moments.shape[-1]} inputs do not fit "
            f"weights of shape {weights.shape}"
        )


def _require_alike(weights, other, what):
    if other.shape != weights.shape:
        raise ValueError(f"{what} {other.shape} do not fit weights of shape {weights.shape}")


def _scales(scale, weights):
    """A scale for each row."""
    scale = np.asarray(scale, np.float32)
    if scale.shape not in ((), (len(weights),)):
        raise ValueError(f"scales {scale.shape} do not fit weights of shape {weights.shape}")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError("a scale is not a finite number above 0")
    return np.broadcast_to(scale, len(weights))


def _grid(scale, bits, weights):
    """Grid of codes for each row; `symmetric_params` knows them, and refuses wrong bits."""
    return replace(symmetric_params(weights, bits), scale=_scales(scale, weights))
