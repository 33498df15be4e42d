"""Products with the stacked rows of the tasks, and with the tasks' Gram matrices."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]

# Newton steps for the length of a row, of which the last starts this close to the root.
_MOST_STEPS, _CLOSE = 50, 1e-6
# Tasks whose slopes stay in the cache while all rows are read.
_AT_ONCE = 64


@kernel
def multiply_tasks(X: Array, starts: Array, weights: Array, out: Array) -> None:
    """Set out[i] = X[i] . weights[t] for the rows i of each task t.

    X (n, d) contains the stacked rows of the tasks, task t from starts[t] to starts[t + 1];
    weights is (T, d) and out (n,).
    """
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[first:last] = np.dot(X[first:last], weights[t])


@kernel
def multiply_tasks_transposed(X: Array, starts: Array, u: Array, out: Array) -> None:
    """Set out[t] = X_t' u_t for each task t: u (n,), out (T, d)."""
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[t] = np.dot(u[first:last], X[first:last])


@kernel(fastmath=FAST)
def sum_products(
    X: Array,
    weights: Array,
    wy: Array,
    starts: Array,
    centre: bool,
    origin: Array,
    x: Array,
    xx: Array,
    xy: Array,
) -> None:
    """Set x, xx and xy to weighted sums of each task's rows minus its origin, and of products.

    X (n, d) contains the stacked rows of the tasks, task t from starts[t] to starts[t + 1];
    weights and weighted labels wy are (n,); origin and x (T, d), xx (T, d, d), xy (T, d). With
    ``centre`` the origins are set to the means first.
    """
    d = X.shape[1]
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        w, u = weights[first:last], wy[first:last]
        total = w.sum()
        # By features, so that sums over the rows read contiguous memory.
        columns = np.ascontiguousarray(X[first:last].T)
        for j in range(d):
            column = columns[j]
            if centre and total > 0.0:
                origin[t, j] = np.dot(w, column) / total
            shift, one, two = origin[t, j], 0.0, 0.0
            for i in range(last - first):
                column[i] -= shift
                one += w[i] * column[i]
                two += u[i] * column[i]
            x[t, j], xy[t, j] = one, two
        weight = w[0] if last > first else 1.0
        if (w != weight).any():
            columns *= np.sqrt(w)
            weight = 1.0
        _multiply_rows(columns, weight, xx[t])


@kernel(fastmath=FAST)
def _multiply_rows(A: Array, weight: float, out: Array) -> None:
    """Set out = weight A A'.

    Two rows times four at a time, of the lower triangle; beyond the last row stands the last. With
    few rows this takes about two thirds of the time of np.dot, which computes both triangles here.
    """
    d, n = A.shape
    last = d - 1
    for j in range(0, d, 2):
        j1 = min(j + 1, last)
        a, b = A[j], A[j1]
        for k in range(0, j1 + 1, 4):
            k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
            p, q, r, s = A[k], A[k1], A[k2], A[k3]
            ap, aq, ar, as_, bp, bq, br, bs = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(n):
                x, y, pi, qi, ri, si = a[i], b[i], p[i], q[i], r[i], s[i]
                ap += x * pi
                aq += x * qi
                ar += x * ri
                as_ += x * si
                bp += y * pi
                bq += y * qi
                br += y * ri
                bs += y * si
            out[j, k], out[j, k1], out[j, k2], out[j, k3] = ap, aq, ar, as_
            out[j1, k], out[j1, k1], out[j1, k2], out[j1, k3] = bp, bq, br, bs
    for j in range(d):
        for k in range(j + 1):
            out[j, k] *= weight
            out[k, j] = out[j, k]


@kernel(fastmath=FAST)
def multiply_grams(grams: Array, W: Array, out: Array) -> None:
    """Set out[t] = grams[t] @ W[t] for symmetric matrices (T, d, d); W and out (T, d).

    Only the lower triangles are read, since memory bandwidth limits such products.
    """
    n_tasks, d = W.shape
    whole = d - d % 4
    for t in range(n_tasks):
        w, z, gram = W[t], out[t], grams[t]
        z[:] = 0.0
        for j in range(0, whole, 4):
            # Four rows at a time, so that z is read and written once for all of them.
            p, q, r, s = gram[j], gram[j + 1], gram[j + 2], gram[j + 3]
            wp, wq, wr, ws = w[j], w[j + 1], w[j + 2], w[j + 3]
            zp, zq, zr, zs = 0.0, 0.0, 0.0, 0.0
            for k in range(j):
                x = w[k]
                zp += p[k] * x
                zq += q[k] * x
                zr += r[k] * x
                zs += s[k] * x
                z[k] += p[k] * wp + q[k] * wq + r[k] * wr + s[k] * ws
            z[j] += zp + p[j] * wp + q[j] * wq + r[j] * wr + s[j] * ws
            z[j + 1] += zq + q[j] * wp + q[j + 1] * wq + r[j + 1] * wr + s[j + 1] * ws
            z[j + 2] += zr + r[j] * wp + r[j + 1] * wq + r[j + 2] * wr + s[j + 2] * ws
            z[j + 3] += zs + s[j] * wp + s[j + 1] * wq + s[j + 2] * wr + s[j + 3] * ws
        for j in range(whole, d):
            row, weight, total = gram[j], w[j], 0.0
            for k in range(j):
                total += row[k] * w[k]
                z[k] += row[k] * weight
            z[j] += total + row[j] * weight


@kernel(fastmath=FAST)
def factorise_grams(grams: Array, scales: Array, shifts: Array, factors: Array) -> bool:
    """Compute the Cholesky factors of scales[t] grams[t] + shifts[t] I, as lower triangles.

    The diagonals of factors (T, d, d) hold reciprocals. Returns False if a matrix is not
    numerically positive definite.
    """
    n_tasks, d, _ = grams.shape
    for t in range(n_tasks):
        gram, factor, scale = grams[t], factors[t], scales[t]
        for i in range(d):
            row = factor[i]
            for j in range(i):
                other, total = factor[j], 0.0
                for k in range(j):
                    total += row[k] * other[k]
                row[j] = (scale * gram[i, j] - total) * other[j]
            total = 0.0
            for k in range(i):
                total += row[k] * row[k]
            whole = scale * gram[i, i] + shifts[t]
            left = whole - total
            # Also false for NaN.
            if not left > 1e-14 * whole:
                return False
            row[i] = 1.0 / math.sqrt(left)
    return True


@kernel(fastmath=FAST)
def solve_factored(factors: Array, W: Array) -> None:
    """Overwrite W[t] by the solution x of L L' x = W[t] for each task's factor L; W (T, d).

    The lower triangles of factors (T, d, d) hold L, with reciprocals on the diagonal.
    """
    n_tasks, d = W.shape
    for t in range(n_tasks):
        w, factor = W[t], factors[t]
        for j in range(d):
            row, total = factor[j], 0.0
            for k in range(j):
                total += row[k] * w[k]
            w[j] = (w[j] - total) * row[j]
        # By rows of L in both passes, because they are contiguous.
        for j in range(d - 1, -1, -1):
            row = factor[j]
            weight = w[j] * row[j]
            w[j] = weight
            for k in range(j):
                w[k] -= row[k] * weight


@kernel(fastmath=FAST)
def multiply_gram_rows(grams: Array, rows: Array, W: Array, out: Array) -> None:
    """Set out[t] = grams[t] @ W[t], where only the entries ``rows`` of W[t] are non-zero."""
    n_tasks, d = W.shape
    for t in range(n_tasks):
        w, z, gram = W[t], out[t], grams[t]
        z[:] = 0.0
        for j in rows:
            row, weight = gram[j], w[j]
            for k in range(d):
                z[k] += row[k] * weight


@kernel
def take_grams(grams: Array, features: Array, out: Array) -> None:
    """Set out[t] (s, s) to the rows and columns ``features`` of grams[t] (d, d)."""
    for t in range(grams.shape[0]):
        for a in range(features.size):
            row = grams[t, features[a]]
            for b in range(features.size):
                out[t, a, b] = row[features[b]]


@kernel
def turn_grams(grams: Array, features: Array, out: Array) -> None:
    """Set out[:, t] (s, s) to the rows and columns ``features`` of grams[t] (d, d)."""
    for t in range(grams.shape[0]):
        for a in range(features.size):
            row = grams[t, features[a]]
            for b in range(features.size):
                out[a, t, b] = row[features[b]]


@kernel(fastmath=FAST)
def sweep_task_rows(
    grams: Array,
    scales: Array,
    bends: Array,
    penalty: tuple[Array, Array, Array, bool],
    W: Array,
    H: Array,
    n_sweeps: int,
) -> None:
    """Sweeps of block coordinate descent over the rows of W, for one quadratic per task.

    grams (s, T, s) times scales (T,) are the rows of the Hessians without the ridges; bends (s, T)
    holds the diagonals with the ridges. Each row is minimised exactly. The rows W (s, T) and the
    slopes H (T, s), without the ridges, are updated. penalty contains the ridges (T,), the
    thresholds (s,) of each row's entries and of the row, and whether W >= 0.
    """
    ridges, entries, groups, positive = penalty
    s, n_tasks = W.shape
    target, column, moved = np.empty(n_tasks), np.empty(n_tasks), False
    for i in range(n_sweeps * s):
        j, then = i % s, (i + 1) % s
        entry, group, w, bend = entries[j], groups[j], W[j], bends[j]
        if not moved:
            column[:] = H[:, j]
        square, length = 0.0, 0.0
        for t in range(n_tasks):
            v = column[t] + (bend[t] - ridges[t]) * w[t]
            v = max(v - entry, 0.0) + (0.0 if positive else min(v + entry, 0.0))
            target[t] = v
            square += v * v
            length += w[t] * w[t]
        reach = math.sqrt(square)
        moved = reach > group or length > 0.0
        if not moved:
            continue
        more, shrink = 0.0, 0.0
        if reach > group:
            shrink = 1.0
            if group > 0.0:
                fitted = _fit_row_length(target, bend, group, math.sqrt(length))
                if fitted > 0.0:
                    more = group / fitted
                else:  # the norm of target exceeds group by less than rounding
                    shrink = 0.0
        for t in range(n_tasks):
            whole = bend[t] + more
            new = shrink * target[t] / whole if whole > 0.0 else 0.0
            change, slopes, row = (new - w[t]) * scales[t], H[t], grams[j, t]
            w[t] = new
            if change != 0.0:
                for k in range(s):
                    slopes[k] -= change * row[k]
            column[t] = slopes[then]


@kernel(fastmath=FAST)
def _fit_row_length(target: Array, bend: Array, group: float, length: float) -> float:
    """The length r of the row that minimises sum_t (bend_t w_t / 2 - target_t) w_t + group |w|.

    The row is r target / (bend r + group), and the norm of target exceeds group. ``length`` is a
    guess. 1 / |target / (bend r + group)| is concave and increasing in r: from below the root,
    Newton's method converges to it without overshooting.
    """
    for _ in range(_MOST_STEPS):
        square, change = 0.0, 0.0
        for t in range(target.size):
            inverse = 1.0 / (bend[t] * length + group)
            square += (target[t] * inverse) ** 2
            change += (target[t] * inverse) ** 2 * (bend[t] * inverse)
        norm = math.sqrt(square)
        if not change > 0.0:
            break
        length = max(length + square * (norm - 1.0) / change, 0.0)
        if abs(norm - 1.0) <= _CLOSE:
            break
    return length


@kernel(fastmath=FAST)
def sum_row_grams(grams: Array, scales: Array, rows: Array, directions: Array, out: Array) -> None:
    """Set out[a, b] = sum_t scales[t] grams[rows[a], t, rows[b]] directions[a, t] directions[b, t].

    grams is (s, T, s), directions (m, T), and out (m, m).
    """
    for a in range(rows.size):
        gram, sums, p = grams[rows[a]], out[a], directions[a]
        sums[:] = 0.0
        for t in range(scales.size):
            weight, row = scales[t] * p[t], gram[t]
            for b in range(a + 1):
                sums[b] += weight * directions[b, t] * row[rows[b]]
        for b in range(a):
            out[b, a] = sums[b]


@kernel(fastmath=FAST)
def move_task_rows(grams: Array, rows: Array, steps: Array, H: Array) -> None:
    """Subtract steps[a, t] grams[rows[a], t] from H[t]: the slopes after a step in some rows."""
    for t in range(H.shape[0]):
        slopes = H[t]
        for a in range(rows.size):
            change, row = steps[a, t], grams[rows[a], t]
            for k in range(slopes.size):
                slopes[k] -= change * row[k]


@kernel(fastmath=FAST)
def task_rows_gap(
    first: Array,
    slope: Array,
    residual: float,
    penalty: tuple[Array, Array, Array, bool],
    W: Array,
    H: Array,
) -> tuple[float, float]:
    """The model's value at W (s, T) with slopes H (T, s), and its duality gap.

    residual is |r|^2 at the rows ``first`` with the slopes ``slope`` (s, T); the change of a
    quadratic follows exactly from the slopes at both points.
    """
    ridges, entries, groups, positive = penalty
    s, n_tasks = W.shape
    square, with_targets, ridge, value, lowest = residual, 0.0, 0.0, 0.0, 0.0
    lengths, reaches, largest = np.zeros(s), np.zeros(s), np.zeros(s)
    for begin in range(0, n_tasks, _AT_ONCE):
        end = min(begin + _AT_ONCE, n_tasks)
        for j in range(s):
            entry, length, reach, most = entries[j], 0.0, 0.0, largest[j]
            for t in range(begin, end):
                w, h = W[j, t], H[t, j]
                lowest = min(lowest, w)
                square -= (w - first[j, t]) * (slope[j, t] + h)
                with_targets += w * h
                ridge += ridges[t] * w * w
                length += w * w
                value += entry * abs(w)
                short = h - ridges[t] * w
                short = max(short, 0.0) if positive else abs(short)
                reach += short * short
                most = max(most, short)
            lengths[j] += length
            reaches[j] += reach
            largest[j] = most
    if positive and lowest < 0.0:
        return np.inf, np.inf
    ratio = 0.0
    for j in range(s):
        entry, group = entries[j], groups[j]
        value += group * math.sqrt(lengths[j])
        if group == 0.0:
            ratio = max(ratio, largest[j] / entry)
        elif entry == 0.0:
            ratio = max(ratio, math.sqrt(reaches[j]) / group)
        else:
            ratio = _row_ratio(W[j], H[:, j], ridges, entry, group, positive, ratio)
    square = max(square, 0.0)
    with_targets += square
    quadratic = square + ridge
    scale = 1.0 if ratio <= 1.0 else 1.0 / ratio
    if scale * quadratic > with_targets:
        scale = max(with_targets / quadratic, 0.0) if quadratic > 0.0 else 0.0
    value += quadratic / 2.0
    return value, value - scale * with_targets + scale * scale * quadratic / 2.0


@kernel(fastmath=FAST)
def _row_ratio(
    w: Array, h: Array, ridges: Array, entry: float, group: float, positive: bool, nu: float
) -> float:
    """The nu at which a row's slopes, soft-thresholded at nu entry, have the norm nu group.

    At least the given nu.
    """
    g = h - ridges * w
    g = np.maximum(g, 0.0) if positive else np.abs(g)
    for _ in range(30):
        left, inner = 0.0, 0.0
        for t in range(g.size):
            rest = max(g[t] - nu * entry, 0.0)
            left += rest * rest
            inner += rest
        left = math.sqrt(left)
        if left - nu * group <= 1e-9 * left or left == 0.0:
            break
        # Newton's method from below stays below the root of a convex, decreasing function.
        nu += (left - nu * group) / (group + entry * inner / left)
    return nu
