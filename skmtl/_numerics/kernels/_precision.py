"""Block coordinate descent over the rows of a covariance matrix, for the graphical lasso.

The dual of the graphical lasso with a covariance S (T, T) maximises log det C over the matrices C
with the diagonal of S and |C - S| <= limit. The row of C that maximises it, given all others, is
C b, where b minimises a lasso,

    <b, C b> / 2 - <S_j, b> + <limit_j, |b|>,    b_j = 0,

and -b is the row of the precision matrix, divided by its diagonal entry.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]

# Sweeps of coordinate descent between two Newton steps, and rounds of both.
_SWEEPS = 5
_ROUNDS = 200
# Slopes below this, relative to the terms they are sums of, are rounding error.
_ROUNDING = 1e-14


@kernel(fastmath=FAST)
def sweep_covariance(S: Array, limit: Array, C: Array, B: Array) -> int:
    """Maximise log det C over each row in turn; update C (T, T) and the coefficients B (T, T).

    C must be feasible and positive definite. S has a unit diagonal. Row j of B holds the starting
    point of the lasso of row j, and then its solution. Returns the number of lassos that were not
    solved; their rows of C are left unchanged.
    """
    n_tasks, failures = len(C), 0
    slopes, factor = np.empty(n_tasks), np.empty((n_tasks, n_tasks))
    support = np.empty(n_tasks, dtype=np.intp)
    for j in range(n_tasks):
        b = B[j]
        b[j] = 0.0
        _set_slopes(C, S[j], b, j, slopes)
        if not _solve_lasso(C, S[j], limit[j], b, j, slopes, support, factor):
            failures += 1
            continue
        for i in range(n_tasks):
            if i != j:
                moved = min(max(slopes[i], -limit[j, i]), limit[j, i])
                C[j, i] = S[j, i] - moved
                C[i, j] = C[j, i]
    return failures


@kernel(fastmath=FAST)
def _set_slopes(C: Array, s: Array, b: Array, j: int, slopes: Array) -> None:
    """Set slopes = s - C b, the negative gradient of the quadratic, and 0 for task j."""
    slopes[:] = s
    for k in range(b.size):
        if b[k] != 0.0:
            _subtract(b[k], C[k], slopes)
    slopes[j] = 0.0


@kernel(fastmath=FAST)
def _subtract(step: float, row: Array, slopes: Array) -> None:
    for i in range(slopes.size):
        slopes[i] -= step * row[i]


@kernel(fastmath=FAST)
def _solve_lasso(
    C: Array, s: Array, limit: Array, b: Array, j: int, slopes: Array, support: Array, factor: Array
) -> bool:
    """Minimise the lasso by coordinate descent and Newton steps on the non-zero coefficients.

    Returns whether the optimality conditions hold up to rounding error.
    """
    for _ in range(_ROUNDS):
        for _ in range(_SWEEPS):
            _sweep(C, limit, b, j, slopes)
        n = 0
        for i in range(b.size):
            if b[i] != 0.0:
                support[n] = i
                n += 1
        if _factorise(C, support[:n], factor):
            for _ in range(2 * b.size):
                step, zero = _newton(limit, b, slopes, support[:n], factor)
                _set_slopes(C, s, b, j, slopes)
                if step == 1.0:
                    break
                if zero >= 0:
                    _remove(zero, support[:n], factor)
                    n -= 1
        if _is_optimal(limit, b, j, slopes):
            return True
    return False


@kernel(fastmath=FAST)
def _sweep(C: Array, limit: Array, b: Array, j: int, slopes: Array) -> None:
    """Minimise over each coefficient in turn; the diagonal of C is one."""
    for i in range(b.size):
        if i == j or (b[i] == 0.0 and abs(slopes[i]) <= limit[i]):
            continue
        v = slopes[i] + b[i]
        step = max(v - limit[i], 0.0) + min(v + limit[i], 0.0) - b[i]
        if step != 0.0:
            b[i] += step
            _subtract(step, C[i], slopes)
    slopes[j] = 0.0


@kernel
def _is_optimal(limit: Array, b: Array, j: int, slopes: Array) -> bool:
    size = 1.0
    for i in range(b.size):
        size += abs(b[i])
    for i in range(b.size):
        excess = abs(slopes[i]) - limit[i]
        if b[i] != 0.0:
            excess = abs(slopes[i] - math.copysign(limit[i], b[i]))
        if i != j and not excess <= _ROUNDING * size:
            return False
    return True


@kernel(fastmath=FAST)
def _newton(
    limit: Array, b: Array, slopes: Array, support: Array, factor: Array
) -> tuple[float, int]:
    """Minimise along the line to the optimum on the support with fixed signs.

    The step is exact: coefficients may change sign on the way. Returns the step, 1 if it ends at
    that optimum, and the position in the support of the coefficient that becomes zero, or -1.
    """
    n = support.size
    direction, crossings = np.empty(n), np.empty(n)
    for p in range(n):
        i = support[p]
        direction[p] = slopes[i] - math.copysign(limit[i], b[i])
    bend = _solve_triangles(factor, direction)
    for p in range(n):
        coefficient = b[support[p]]
        crosses = direction[p] * coefficient < 0.0
        crossings[p] = -coefficient / direction[p] if crosses else np.inf
    # The slope along the line is bend (t - 1), and increases where a coefficient changes sign.
    step, zero, jumps = 1.0, -1, 0.0
    while zero < 0:
        first = 0
        for p in range(1, n):
            if crossings[p] < crossings[first]:
                first = p
        if n == 0 or crossings[first] >= step:
            break
        jumps += 2.0 * limit[support[first]] * abs(direction[first])
        step = 1.0 - jumps / bend
        if step <= crossings[first]:
            step, zero = crossings[first], first
        crossings[first] = np.inf
    for p in range(n):
        b[support[p]] += step * direction[p]
    if zero >= 0:
        b[support[zero]] = 0.0
    return step, zero


@kernel(fastmath=FAST)
def _factorise(C: Array, support: Array, factor: Array) -> bool:
    """Set factor to the Cholesky factor of C on the support, unless C is numerically singular."""
    for p in range(support.size):
        for q in range(p + 1):
            total = C[support[p], support[q]]
            for k in range(q):
                total -= factor[p, k] * factor[q, k]
            if q < p:
                factor[p, q] = total / factor[q, q]
            elif total > 0.0:
                factor[p, p] = math.sqrt(total)
            else:
                return False
    return True


@kernel(fastmath=FAST)
def _solve_triangles(factor: Array, x: Array) -> float:
    """Solve for x in place, given the Cholesky factor; returns <x, solution>."""
    product = 0.0
    for p in range(x.size):
        for k in range(p):
            x[p] -= factor[p, k] * x[k]
        x[p] /= factor[p, p]
        product += x[p] * x[p]
    for p in range(x.size - 1, -1, -1):
        x[p] /= factor[p, p]
        for k in range(p):
            x[k] -= factor[p, k] * x[p]
    return product


@kernel(fastmath=FAST)
def _remove(p: int, support: Array, factor: Array) -> None:
    """Remove position p from the support and, by a rank-one update, from the Cholesky factor."""
    n = support.size
    column = np.empty(n)
    for q in range(p + 1, n):
        support[q - 1] = support[q]
        column[q - 1] = factor[q, p]
        for k in range(p):
            factor[q - 1, k] = factor[q, k]
        for k in range(p + 1, q + 1):
            factor[q - 1, k - 1] = factor[q, k]
    for k in range(p, n - 1):
        old = factor[k, k]
        new = math.hypot(old, column[k])
        cosine, sine = new / old, column[k] / old
        factor[k, k] = new
        for q in range(k + 1, n - 1):
            factor[q, k] = (factor[q, k] + sine * column[q]) / cosine
            column[q] = cosine * column[q] - sine * factor[q, k]
