"""Block coordinate descent over the rows of W, for losses that couple the classes of a row.

It minimises the quadratic model of a loss, with a penalty on rows,

    -<H, D> + <D, A'A D> / 2 + sum_k ridges_k |w_k|^2 / 2
        + sum_j (entry_j |W_j|_1 + group_j |W_j|_2)

over W = W_0 + D (s, K), optionally with W >= 0, from the matrix A'A between all its entries.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]
# Ridges (n_classes,), the thresholds (s,) of each row's entries and of the row, and whether W >= 0.
Penalty = tuple[Array, Array, Array, bool]
# The same for one row.
RowPenalty = tuple[Array, float, float, bool]

# Extrapolate from _DEPTH differences of iterates that are _SWEEPS sweeps apart.
_DEPTH = 5
_SWEEPS = 5


@kernel(fastmath=FAST)
def minimise_classes(
    gram: Array,
    bends: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    residual: float,
    tol: float,
    max_sweeps: int,
) -> int:
    """Sweep over the rows until the model's duality gap is at most tol; update W and H.

    gram is A'A (s K, s K), bends (s,) the largest eigenvalues of its diagonal blocks (K, K),
    H (s, K) = A'r, and residual the initial |r|^2. Returns the number of sweeps.
    """
    s, n_classes = W.shape
    curvature = bends + penalty[0].max()
    slopes = H.reshape(H.size)
    first_W, first_H = W.copy(), H.copy()
    past_W, past_H = np.empty((_DEPTH + 1, s, n_classes)), np.empty((_DEPTH + 1, s, n_classes))
    step, n_kept, n_sweeps = np.empty(n_classes), 0, 0
    while n_sweeps < max_sweeps:
        for _ in range(_SWEEPS):
            for j in range(s):
                if _update_row(W[j], H[j], _of_row(penalty, j), curvature[j], step):
                    _subtract(gram[j * n_classes : (j + 1) * n_classes], step, slopes)
        n_sweeps += _SWEEPS
        decrease = _decrease(first_W, first_H, W, H)
        if _gap(W, H, max(residual - 2.0 * decrease, 0.0), penalty) <= tol:
            break
        past_W[n_kept], past_H[n_kept] = W, H
        n_kept += 1
        if n_kept > _DEPTH:
            n_kept = 0
            tried_W, tried_H = np.empty_like(W), np.empty_like(H)
            if _extrapolate(past_W, past_H, tried_W, tried_H):
                tried = _penalty_value(tried_W, penalty)
                tried -= _decrease(first_W, first_H, tried_W, tried_H)
                if tried < _penalty_value(W, penalty) - decrease:
                    W[:], H[:] = tried_W, tried_H
    return n_sweeps


@kernel(fastmath=FAST)
def _subtract(rows: Array, step: Array, slopes: Array) -> None:
    """Subtract the rows, with coefficients ``step``, from the slopes, four rows at a time."""
    n_rows = step.size
    whole = n_rows - n_rows % 4
    for k in range(0, whole, 4):
        a, b, c, d = step[k], step[k + 1], step[k + 2], step[k + 3]
        if a == 0.0 and b == 0.0 and c == 0.0 and d == 0.0:
            continue
        for i in range(slopes.size):
            slopes[i] -= (
                a * rows[k, i] + b * rows[k + 1, i] + c * rows[k + 2, i] + d * rows[k + 3, i]
            )
    for k in range(whole, n_rows):
        a = step[k]
        for i in range(slopes.size):
            slopes[i] -= a * rows[k, i]


@kernel
def _of_row(penalty: Penalty, j: int) -> RowPenalty:
    return penalty[0], penalty[1][j], penalty[2][j], penalty[3]


@kernel(fastmath=FAST)
def _update_row(w: Array, h: Array, penalty: RowPenalty, curvature: float, step: Array) -> bool:
    """Minimise over one row with a curvature bound; set step, and return whether it changed."""
    ridges, entry, group, positive = penalty
    if curvature <= 0.0:
        return False
    square, was_zero = 0.0, True
    for k in range(w.size):
        v = h[k] + (curvature - ridges[k]) * w[k]
        if positive:
            v = max(v - entry, 0.0)
        elif entry > 0.0:
            v = max(v - entry, 0.0) + min(v + entry, 0.0)
        step[k] = v
        square += v * v
        if w[k] != 0.0:
            was_zero = False
    length = math.sqrt(square)
    if length <= group:
        if was_zero:
            return False
        for k in range(w.size):
            step[k] = -w[k]
            w[k] = 0.0
        return True
    shrink = (1.0 - group / length) / curvature
    moved = 0.0
    for k in range(w.size):
        new = shrink * step[k]
        step[k] = new - w[k]
        w[k] = new
        moved += abs(step[k])
    return moved > 0.0


@kernel(fastmath=FAST)
def _decrease(first_W: Array, first_H: Array, W: Array, H: Array) -> float:
    """The decrease of the quadratic since the first W, exact from the slopes at both points."""
    decrease = 0.0
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            decrease += (W[j, k] - first_W[j, k]) * (first_H[j, k] + H[j, k])
    return decrease / 2.0


@kernel(fastmath=FAST)
def _penalty_value(W: Array, penalty: Penalty) -> float:
    """The value of the norms and of the ridges."""
    value = 0.0
    for j in range(W.shape[0]):
        ridges, entry, group, positive = _of_row(penalty, j)
        square = 0.0
        for k in range(W.shape[1]):
            w = W[j, k]
            if positive and w < 0.0:
                return np.inf
            square += w * w
            value += ridges[k] * w * w / 2.0 + entry * abs(w)
        value += group * math.sqrt(square)
    return value


@kernel(fastmath=FAST)
def _gap(W: Array, H: Array, square: float, penalty: Penalty) -> float:
    """The duality gap of the model, with the scaled residual as the dual point.

    With the scale c of the residual it is, from the conjugates of the three terms,

        Omega(W) - c <H, W> + (1 + c^2) sum_k ridges_k |w_k|^2 / 2 + (1 - c)^2 |r|^2 / 2

    where |r|^2 has little weight near the minimum, since c is close to 1.
    """
    ridge, inner, norms, ratio = 0.0, 0.0, 0.0, 0.0
    for j in range(W.shape[0]):
        ridges, entry, group, positive = _of_row(penalty, j)
        length, largest, slope = 0.0, 0.0, 0.0
        for k in range(W.shape[1]):
            w = W[j, k]
            ridge += ridges[k] * w * w
            inner += w * H[j, k]
            norms += entry * abs(w)
            length += w * w
            g = H[j, k] - ridges[k] * w
            g = max(g, 0.0) if positive else abs(g)
            largest = max(largest, g)
            slope += g * g
        norms += group * math.sqrt(length)
        if entry == 0.0:
            ratio = max(ratio, math.sqrt(slope) / group)
        elif group == 0.0:
            ratio = max(ratio, largest / entry)
        else:
            ratio = max(ratio, _row_ratio(W[j], H[j], _of_row(penalty, j), ratio))
    scale = 1.0 if ratio <= 1.0 else 1.0 / ratio
    conjugates = norms - scale * inner + (1.0 + scale * scale) * ridge / 2.0
    return conjugates + (1.0 - scale) * (1.0 - scale) * square / 2.0


@kernel(fastmath=FAST)
def _row_ratio(w: Array, h: Array, penalty: RowPenalty, least: float) -> float:
    """The nu at which the slopes, soft-thresholded at nu entry, have the norm nu group."""
    ridges, entry, group, positive = penalty
    nu = least
    for _ in range(30):
        square, inner = 0.0, 0.0
        for k in range(w.size):
            g = h[k] - ridges[k] * w[k]
            left = (g if positive else abs(g)) - nu * entry
            if left > 0.0:
                square += left * left
                inner += left
        length = math.sqrt(square)
        excess = length - nu * group
        if excess <= 1e-9 * length or length == 0.0:
            break
        # Newton's method from below stays below the root of a convex, decreasing function.
        nu += excess / (group + entry * inner / length)
    return nu


@kernel(fastmath=FAST)
def _extrapolate(past_W: Array, past_H: Array, W: Array, H: Array) -> bool:
    """Anderson extrapolation: the combination of iterates whose steps nearly cancel.

    H is an affine function of W, so that the same combination applies to it. Returns False if the
    system for the coefficients is degenerate.
    """
    depth = past_W.shape[0] - 1
    system = np.empty((depth, depth))
    for a in range(depth):
        for b in range(a + 1):
            total = 0.0
            for j in range(W.shape[0]):
                for k in range(W.shape[1]):
                    one = past_W[a + 1, j, k] - past_W[a, j, k]
                    total += one * (past_W[b + 1, j, k] - past_W[b, j, k])
            system[a, b] = total
            system[b, a] = total
    trace = 0.0
    for a in range(depth):
        trace += system[a, a]
    if not trace > 0.0:
        return False
    for a in range(depth):
        system[a, a] += 1e-14 * trace
    # Gaussian elimination; the matrix is positive definite.
    share = np.ones(depth)
    for a in range(depth):
        if not system[a, a] > 0.0:
            return False
        for b in range(a + 1, depth):
            ratio = system[b, a] / system[a, a]
            for c in range(a, depth):
                system[b, c] -= ratio * system[a, c]
            share[b] -= ratio * share[a]
    total = 0.0
    for a in range(depth - 1, -1, -1):
        for b in range(a + 1, depth):
            share[a] -= system[a, b] * share[b]
        share[a] /= system[a, a]
        total += share[a]
    if not abs(total) > 0.0:
        return False
    W[:], H[:] = 0.0, 0.0
    for a in range(depth):
        W += (share[a] / total) * past_W[a + 1]
        H += (share[a] / total) * past_H[a + 1]
    return True
