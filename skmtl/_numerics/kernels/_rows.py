"""Block coordinate descent over the rows of W, with Anderson extrapolation.

The kernels minimise

    |r|^2 / 2 + sum_t ridges_t |w_t|^2 / 2 + sum_j (entry_j |W_j|_1 + group_j |W_j|_2)

over W (s, T), optionally with W >= 0, where r is the residual of a quadratic model of the loss.
They update either the slopes H = A'r, by Gram matrices, or the residual, by dense or sparse
columns.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]
# Ridges (n_tasks,), the thresholds (s,) of each row's entries and of the row, and whether W >= 0.
Penalty = tuple[Array, Array, Array, bool]
# The same for one row.
RowPenalty = tuple[Array, float, float, bool]

# Extrapolate from _DEPTH differences of iterates that are _SWEEPS sweeps apart.
_DEPTH = 5
_SWEEPS = 5
# Between two gaps, rows that are zero and do not enter are left out of the sweeps. If the others
# are more than this share of all rows, copies of them would not pay.
_MOST_MOVING = 0.7


@kernel(fastmath=FAST)
def minimise_rows(
    gram: Array,
    factors: Array,
    grams: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    residual: float,
    tol: float,
    max_sweeps: int,
) -> tuple[int, float, float]:
    """Sweep over the rows until the model's duality gap is at most tol; update W and H.

    A'A is gram (s, s) times factors (T,) or, if gram is empty, grams (s, s, T). residual is the
    initial |r|^2. Returns the number of sweeps, the gap, and |r|^2.
    """
    s, n_tasks = W.shape
    shared = gram.size > 0
    value, gap = _value_and_gap(W, H, residual, penalty)
    if gap <= tol:
        return 0, gap, residual
    curvature = np.empty(s)
    for j in range(s):
        curvature[j] = 0.0
        for t in range(n_tasks):
            diagonal = gram[j, j] * factors[t] if shared else grams[j, j, t]
            curvature[j] = max(curvature[j], diagonal + penalty[0][t])
    first_W, first_H, square = W.copy(), H.copy(), residual
    past_W, past_H = np.empty((_DEPTH + 1, s, n_tasks)), np.empty((_DEPTH + 1, s, n_tasks))
    n_kept, n_sweeps, moving = 0, 0, np.empty(s, dtype=np.bool_)
    while gap > tol and n_sweeps < max_sweeps:
        n_moving = s
        if shared:
            n_moving = 0
            for j in range(s):
                moving[j] = _enters(W[j], H[j], _of_row(penalty, j))
                n_moving += moving[j]
        if n_moving > _MOST_MOVING * s:
            _sweep(gram, factors, grams, penalty, curvature, W, H)
        else:
            _sweep_some(gram, factors, grams, penalty, curvature, W, H, moving, n_moving)
        n_sweeps += _SWEEPS
        square = _moved_square(residual, first_W, first_H, W, H)
        value, gap = _value_and_gap(W, H, square, penalty)
        if gap <= tol:
            break
        past_W[n_kept], past_H[n_kept] = W, H
        n_kept += 1
        if n_kept > _DEPTH:
            n_kept = 0
            tried_W, tried_H = np.empty_like(W), np.empty_like(H)
            if _extrapolate(past_W, past_H, tried_W, tried_H):
                moved = _moved_square(residual, first_W, first_H, tried_W, tried_H)
                lower, left = _value_and_gap(tried_W, tried_H, moved, penalty)
                if lower < value:
                    W[:], H[:] = tried_W, tried_H
                    square, gap = moved, left
    return n_sweeps, gap, square


@kernel(fastmath=FAST)
def _sweep(
    gram: Array,
    factors: Array,
    grams: Array,
    penalty: Penalty,
    curvature: Array,
    W: Array,
    H: Array,
) -> None:
    """Sweep over all rows _SWEEPS times; see :func:`minimise_rows`."""
    s, n_tasks = W.shape
    shared, step = gram.size > 0, np.empty(n_tasks)
    for _ in range(_SWEEPS):
        for j in range(s):
            if not _update_row(W[j], H[j], _of_row(penalty, j), curvature[j], step):
                continue
            if shared:
                for t in range(n_tasks):
                    step[t] *= factors[t]
                for k in range(s):
                    product = gram[j, k]
                    if product != 0.0:
                        for t in range(n_tasks):
                            H[k, t] -= product * step[t]
            else:
                for k in range(s):
                    for t in range(n_tasks):
                        H[k, t] -= grams[j, k, t] * step[t]


@kernel(fastmath=FAST)
def _sweep_some(
    gram: Array,
    factors: Array,
    grams: Array,
    penalty: Penalty,
    curvature: Array,
    W: Array,
    H: Array,
    moving: Array,
    n_moving: int,
) -> None:
    """The same over some rows only, then update the slopes of the others once."""
    s, n_tasks = W.shape
    rows = np.empty(n_moving, dtype=np.intp)
    part_W, part_H = np.empty((n_moving, n_tasks)), np.empty((n_moving, n_tasks))
    part_gram, bounds = np.empty((n_moving, n_moving)), np.empty(n_moving)
    entry, group = np.empty(n_moving), np.empty(n_moving)
    a = 0
    for j in range(s):
        if moving[j]:
            rows[a] = j
            part_W[a], part_H[a], bounds[a] = W[j], H[j], curvature[j]
            entry[a], group[a] = penalty[1][j], penalty[2][j]
            a += 1
    for a in range(n_moving):
        for b in range(n_moving):
            part_gram[a, b] = gram[rows[a], rows[b]]
    own = (penalty[0], entry, group, penalty[3])
    _sweep(part_gram, factors, grams, own, bounds, part_W, part_H)
    for a in range(n_moving):
        j = rows[a]
        H[j] = part_H[a]
        for t in range(n_tasks):
            new = part_W[a, t]
            part_W[a, t] = factors[t] * (new - W[j, t])
            W[j, t] = new
    for k in range(s):
        if not moving[k]:
            for a in range(n_moving):
                product = gram[k, rows[a]]
                for t in range(n_tasks):
                    H[k, t] -= product * part_W[a, t]


@kernel(fastmath=FAST)
def minimise_rows_dense(
    columns: Array,
    factors: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    R: Array,
    tol: float,
    max_sweeps: int,
) -> tuple[int, float]:
    """Minimise by updates of the residual R (T, n) with the columns of A (s, n).

    Both are multiplied by the rows' root weights; the residual of task t has the weight
    factors[t]. A row costs 4 n T operations, compared with 2 s T for Gram matrices, so that this
    suits large supports. Sets the slopes H (s, T), and returns the number of sweeps and the gap.
    """
    s, n_tasks = W.shape
    squares = np.empty(s)
    for j in range(s):
        total = 0.0
        for i in range(columns.shape[1]):
            total += columns[j, i] * columns[j, i]
        squares[j] = total
    active = np.empty(s, dtype=np.bool_)
    value, gap = dense_gap(columns, factors, penalty, W, H, R, active)
    if gap <= tol:
        return 0, gap
    past_W = np.empty((_DEPTH + 1, s, n_tasks))
    past_R = np.empty((_DEPTH + 1, n_tasks, R.shape[1]))
    step, n_kept, n_sweeps = np.empty(n_tasks), 0, 0
    while gap > tol and n_sweeps < max_sweeps:
        last = -1  # the row whose step is pending; it is applied while the next slopes are summed
        for _ in range(_SWEEPS):
            for j in range(s):
                if not active[j]:
                    continue
                if last >= 0:
                    _step_and_correlate(columns[last], step, R, columns[j], factors, H[j])
                else:
                    _correlate(columns[j], R, factors, H[j])
                curvature = 0.0
                for t in range(n_tasks):
                    curvature = max(curvature, squares[j] * factors[t] + penalty[0][t])
                last = j if _update_row(W[j], H[j], _of_row(penalty, j), curvature, step) else -1
        if last >= 0:
            _step_and_correlate(columns[last], step, R, columns[last], factors, H[last])
        n_sweeps += _SWEEPS
        value, gap = dense_gap(columns, factors, penalty, W, H, R, active)
        if gap <= tol:
            break
        past_W[n_kept], past_R[n_kept] = W, R
        n_kept += 1
        if n_kept > _DEPTH:
            n_kept = 0
            tried_W, tried_R = np.empty_like(W), np.empty_like(R)
            if _extrapolate(past_W, past_R, tried_W, tried_R):
                square = _square(tried_R, factors)
                if _value(tried_W, square, penalty) < value:
                    W[:], R[:] = tried_W, tried_R
                    value, gap = dense_gap(columns, factors, penalty, W, H, R, active)
    return n_sweeps, gap


@kernel(fastmath=FAST)
def dense_gap(
    columns: Array,
    factors: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    R: Array,
    active: Array,
) -> tuple[float, float]:
    """Set the slopes H, and which rows are active; return the model's value and its gap."""
    for j in range(W.shape[0]):
        _correlate(columns[j], R, factors, H[j])
        active[j] = _enters(W[j], H[j], _of_row(penalty, j))
    return _value_and_gap(W, H, _square(R, factors), penalty)


@kernel(fastmath=FAST)
def minimise_rows_sparse(
    columns: tuple[Array, Array, Array],
    means: Array,
    weights: Array,
    factors: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    R: Array,
    tol: float,
    max_sweeps: int,
) -> tuple[int, float]:
    """Minimise with sparse columns (CSC), centred implicitly by their weighted means (s,).

    R is (n, T); its weighted sums must be zero unless the means are. During a sweep R is stored
    without the contribution of the means, which is the same for all rows of a task. Sets the
    slopes H (s, T), and returns the number of sweeps and the gap.
    """
    data, indices, indptr = columns
    s, n_tasks = W.shape
    shift, active = np.zeros(n_tasks), np.empty(s, dtype=np.bool_)
    weighted = np.empty_like(data)
    for q in range(data.size):
        weighted[q] = weights[indices[q]] * data[q]
    products = weighted, indices, indptr
    value, gap = _sparse_gap(products, weights, factors, penalty, W, H, R, active)
    if gap <= tol:
        return 0, gap
    n, total = R.shape[0], weights.sum()
    squares, sums = np.zeros(s), np.zeros(s)
    for j in range(s):
        for q in range(indptr[j], indptr[j + 1]):
            sums[j] += weighted[q]
            squares[j] += weighted[q] * data[q]
        squares[j] = max(squares[j] - means[j] * (2.0 * sums[j] - means[j] * total), 0.0)
    past_W = np.empty((_DEPTH + 1, s, n_tasks))
    past_R = np.empty((_DEPTH + 1, n, n_tasks))
    step, n_kept, n_sweeps = np.empty(n_tasks), 0, 0
    while gap > tol and n_sweeps < max_sweeps:
        for _ in range(_SWEEPS):
            for j in range(s):
                if not active[j]:
                    continue
                first, last = indptr[j], indptr[j + 1]
                _correlate_sparse(weighted, indices, first, last, R, H[j])
                curvature = 0.0
                for t in range(n_tasks):
                    H[j, t] = factors[t] * (H[j, t] + sums[j] * shift[t])
                    curvature = max(curvature, squares[j] * factors[t] + penalty[0][t])
                if _update_row(W[j], H[j], _of_row(penalty, j), curvature, step):
                    _step_sparse(data, indices, first, last, R, step)
                    for t in range(n_tasks):
                        shift[t] += means[j] * step[t]
        n_sweeps += _SWEEPS
        for i in range(n):
            for t in range(n_tasks):
                R[i, t] += shift[t]
        shift[:] = 0.0
        value, gap = _sparse_gap(products, weights, factors, penalty, W, H, R, active)
        if gap <= tol:
            break
        past_W[n_kept], past_R[n_kept] = W, R
        n_kept += 1
        if n_kept > _DEPTH:
            n_kept = 0
            tried_W, tried_R = np.empty_like(W), np.empty_like(R)
            if _extrapolate(past_W, past_R, tried_W, tried_R):
                square = _weighted_square(tried_R, weights, factors)
                if _value(tried_W, square, penalty) < value:
                    W[:], R[:] = tried_W, tried_R
                    value, gap = _sparse_gap(products, weights, factors, penalty, W, H, R, active)
    return n_sweeps, gap


@kernel(fastmath=FAST)
def _sparse_gap(
    columns: tuple[Array, Array, Array],
    weights: Array,
    factors: Array,
    penalty: Penalty,
    W: Array,
    H: Array,
    R: Array,
    active: Array,
) -> tuple[float, float]:
    """As :func:`dense_gap`, for columns that are multiplied by the weights of the rows."""
    data, indices, indptr = columns
    for j in range(W.shape[0]):
        _correlate_sparse(data, indices, indptr[j], indptr[j + 1], R, H[j])
        for t in range(W.shape[1]):
            H[j, t] *= factors[t]
        active[j] = _enters(W[j], H[j], _of_row(penalty, j))
    return _value_and_gap(W, H, _weighted_square(R, weights, factors), penalty)


@kernel
def _of_row(penalty: Penalty, j: int) -> RowPenalty:
    return penalty[0], penalty[1][j], penalty[2][j], penalty[3]


@kernel(fastmath=FAST)
def _enters(w: Array, h: Array, penalty: RowPenalty) -> bool:
    """Whether a row is not zero, or its slopes exceed the thresholds."""
    _, entry, group, positive = penalty
    square = 0.0
    for t in range(w.size):
        if w[t] != 0.0:
            return True
        left = (h[t] if positive else abs(h[t])) - entry
        if left > 0.0:
            square += left * left
    return square > group * group


@kernel(fastmath=FAST)
def _update_row(w: Array, h: Array, penalty: RowPenalty, curvature: float, step: Array) -> bool:
    """Minimise over one row with a curvature bound; set step, and return whether it changed."""
    ridges, entry, group, positive = penalty
    if curvature <= 0.0:
        return False
    n_tasks, square, was_zero = w.size, 0.0, True
    for t in range(n_tasks):
        v = h[t] + (curvature - ridges[t]) * w[t]
        if positive:
            v = max(v - entry, 0.0)
        elif entry > 0.0:
            v = max(v - entry, 0.0) + min(v + entry, 0.0)
        step[t] = v
        square += v * v
        if w[t] != 0.0:
            was_zero = False
    length = math.sqrt(square)
    if length <= group:
        if was_zero:
            return False
        for t in range(n_tasks):
            step[t] = -w[t]
            w[t] = 0.0
        return True
    shrink = (1.0 - group / length) / curvature
    moved = 0.0
    for t in range(n_tasks):
        new = shrink * step[t]
        step[t] = new - w[t]
        w[t] = new
        moved += abs(step[t])
    return moved > 0.0


@kernel(fastmath=FAST)
def _correlate(column: Array, R: Array, factors: Array, h: Array) -> None:
    """Set h = factors * (R column), four tasks at a time."""
    n_tasks, n = R.shape
    zero = R.dtype.type(0)  # a float64 would convert all products to double precision
    whole = n_tasks - n_tasks % 4
    for t in range(0, whole, 4):
        a, b, c, d = zero, zero, zero, zero
        for i in range(n):
            x = column[i]
            a += x * R[t, i]
            b += x * R[t + 1, i]
            c += x * R[t + 2, i]
            d += x * R[t + 3, i]
        h[t], h[t + 1], h[t + 2], h[t + 3] = a, b, c, d
    for t in range(whole, n_tasks):
        a = zero
        for i in range(n):
            a += column[i] * R[t, i]
        h[t] = a
    for t in range(n_tasks):
        h[t] *= factors[t]


@kernel(fastmath=FAST)
def _step_and_correlate(
    moved: Array, step: Array, R: Array, column: Array, factors: Array, h: Array
) -> None:
    """Subtract step times the column ``moved`` from R, and set h; R is read only once."""
    n_tasks, n = R.shape
    zero = R.dtype.type(0)
    for t in range(0, n_tasks - 1, 2):
        a, b, one, other = R.dtype.type(step[t]), R.dtype.type(step[t + 1]), zero, zero
        for i in range(n):
            r = R[t, i] - a * moved[i]
            R[t, i] = r
            one += column[i] * r
            r = R[t + 1, i] - b * moved[i]
            R[t + 1, i] = r
            other += column[i] * r
        h[t], h[t + 1] = one * factors[t], other * factors[t + 1]
    for t in range(n_tasks - n_tasks % 2, n_tasks):
        a, one = R.dtype.type(step[t]), zero
        for i in range(n):
            R[t, i] -= a * moved[i]
            one += column[i] * R[t, i]
        h[t] = one * factors[t]


@kernel(fastmath=FAST)
def _correlate_sparse(
    data: Array, indices: Array, first: int, last: int, R: Array, h: Array
) -> None:
    """Set h to the product of R' with the column stored from ``first`` to ``last``."""
    n_tasks = R.shape[1]
    whole = n_tasks - n_tasks % 4
    for t in range(0, whole, 4):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for q in range(first, last):
            i = np.uint64(indices[q])  # an index that may be negative is checked each time
            x = data[q]
            a += x * R[i, t]
            b += x * R[i, t + 1]
            c += x * R[i, t + 2]
            d += x * R[i, t + 3]
        h[t], h[t + 1], h[t + 2], h[t + 3] = a, b, c, d
    for t in range(whole, n_tasks):
        a = 0.0
        for q in range(first, last):
            a += data[q] * R[np.uint64(indices[q]), t]
        h[t] = a


@kernel(fastmath=FAST)
def _step_sparse(data: Array, indices: Array, first: int, last: int, R: Array, step: Array) -> None:
    """Subtract step times the column stored from ``first`` to ``last`` from R."""
    n_tasks = R.shape[1]
    whole = n_tasks - n_tasks % 4
    for q in range(first, last):
        i = np.uint64(indices[q])
        x = data[q]
        for t in range(0, whole, 4):
            # All four are loaded before one is stored, so that they can be computed together.
            a, b = R[i, t] - x * step[t], R[i, t + 1] - x * step[t + 1]
            c, d = R[i, t + 2] - x * step[t + 2], R[i, t + 3] - x * step[t + 3]
            R[i, t], R[i, t + 1], R[i, t + 2], R[i, t + 3] = a, b, c, d
        for t in range(whole, n_tasks):
            R[i, t] -= x * step[t]


@kernel(fastmath=FAST)
def _square(R: Array, factors: Array) -> float:
    total = 0.0
    for t in range(R.shape[0]):
        for i in range(R.shape[1]):
            total += factors[t] * R[t, i] * R[t, i]
    return total


@kernel(fastmath=FAST)
def _weighted_square(R: Array, weights: Array, factors: Array) -> float:
    total = 0.0
    for i in range(R.shape[0]):
        for t in range(R.shape[1]):
            total += weights[i] * factors[t] * R[i, t] * R[i, t]
    return total


@kernel(fastmath=FAST)
def _moved_square(residual: float, first_W: Array, first_H: Array, W: Array, H: Array) -> float:
    """|r|^2 at W, exact from its value at the first W and the slopes at both points."""
    change = 0.0
    for j in range(W.shape[0]):
        for t in range(W.shape[1]):
            change += (W[j, t] - first_W[j, t]) * (first_H[j, t] + H[j, t])
    return max(residual - change, 0.0)


@kernel(fastmath=FAST)
def _value(W: Array, square: float, penalty: Penalty) -> float:
    value = square / 2.0
    for j in range(W.shape[0]):
        ridges, entry, group, positive = _of_row(penalty, j)
        length = 0.0
        for t in range(W.shape[1]):
            w = W[j, t]
            if positive and w < 0.0:
                return np.inf
            length += w * w
            value += ridges[t] * w * w / 2.0 + entry * abs(w)
        value += group * math.sqrt(length)
    return value


@kernel(fastmath=FAST)
def _value_and_gap(W: Array, H: Array, square: float, penalty: Penalty) -> tuple[float, float]:
    """The model's value, and its duality gap with the scaled residual as the dual point."""
    ridge, with_targets, ratio = 0.0, square, 0.0
    for j in range(W.shape[0]):
        ridges, entry, group, positive = _of_row(penalty, j)
        length, largest = 0.0, 0.0
        for t in range(W.shape[1]):
            w = W[j, t]
            ridge += ridges[t] * w * w
            with_targets += w * H[j, t]
            g = H[j, t] - ridges[t] * w
            g = max(g, 0.0) if positive else abs(g)
            largest = max(largest, g)
            length += g * g
        if entry == 0.0:
            ratio = max(ratio, math.sqrt(length) / group)
        elif group == 0.0:
            ratio = max(ratio, largest / entry)
        else:
            ratio = max(ratio, _row_ratio(W[j], H[j], _of_row(penalty, j), ratio))
    value = _value(W, square, penalty)
    scale = 1.0 if ratio <= 1.0 else 1.0 / ratio
    quadratic = square + ridge
    if scale * quadratic > with_targets:
        scale = max(with_targets / quadratic, 0.0) if quadratic > 0.0 else 0.0
    dual = scale * with_targets - scale * scale * quadratic / 2.0
    return value, value - dual


@kernel(fastmath=FAST)
def _row_ratio(w: Array, h: Array, penalty: RowPenalty, least: float) -> float:
    """The nu at which the slopes, soft-thresholded at nu entry, have the norm nu group."""
    ridges, entry, group, positive = penalty
    nu = least
    for _ in range(30):
        square, inner = 0.0, 0.0
        for t in range(w.size):
            g = h[t] - ridges[t] * w[t]
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
def _extrapolate(past_W: Array, past_A: Array, W: Array, A: Array) -> bool:
    """Anderson extrapolation: the combination of iterates whose steps nearly cancel.

    A is an affine function of W, so that the same combination applies to it. Returns False if the
    system for the coefficients is degenerate.
    """
    depth = past_W.shape[0] - 1
    system = np.empty((depth, depth))
    for a in range(depth):
        for b in range(a + 1):
            total = 0.0
            for j in range(W.shape[0]):
                for t in range(W.shape[1]):
                    one = past_W[a + 1, j, t] - past_W[a, j, t]
                    total += one * (past_W[b + 1, j, t] - past_W[b, j, t])
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
    W[:], A[:] = 0.0, 0.0
    for a in range(depth):
        W += (share[a] / total) * past_W[a + 1]
        A += (share[a] / total) * past_A[a + 1]
    return True
