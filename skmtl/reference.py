"""The objectives in cvxpy: slow, general, and independent of the solvers.

Needs cvxpy (``pip install "skmtl[reference]"``). The problem follows the formula in the estimator's
docstring, task by task. It shares with the estimators only the validation of data, and the
definitions of losses and penalties as cvxpy expressions, but no prox, dual or centring.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import TaskData, task_factors
from skmtl.estimators import TaskEstimator

Array = NDArray[Any]

_CLARABEL = {
    "tol_gap_abs": 1e-11,
    "tol_gap_rel": 1e-11,
    "tol_feas": 1e-11,
    "max_iter": 500,
}


class Reference(NamedTuple):
    """The solution found by cvxpy, in the shapes of the fitted estimator's attributes.

    Parameters
    ----------
    coef_ : ndarray of shape (n_tasks, n_features), or (n_features,) for a 1-D regression target
    intercept_ : ndarray of shape (n_tasks,), or float for a 1-D regression target
    objective : float
        Its minimum, in the scale of the estimator's ``objective_``.
    """

    coef_: Array
    intercept_: Array
    objective: float


def to_cvxpy(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None
) -> tuple[Any, dict[str, Any]]:
    """State an estimator's objective as a cvxpy problem.

    Parameters
    ----------
    estimator : estimator of skmtl with a convex objective
        Its parameters define the objective; it is neither fitted nor changed.
    X, y, sample_weight : as in the estimator's fit

    Returns
    -------
    problem : cvxpy.Problem
        Minimises the loss plus the penalty.
    variables : dict
        "coef": the variable W (n_features, n_tasks), with one column if tasks are pooled.
        "intercept": the variable b (n_tasks,), (1,) for a common intercept, or None; with the
        multinomial loss an expression whose sum is zero. Tasks left out of the objective (with
        labels of one class only) have no column; if all are left out, both are None and the
        problem is empty.

    Raises
    ------
    ValueError
        If the estimator's objective is not convex, or its alpha is unknown before the fit.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor, reference
    >>> X, Y = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [[1.0, 2.0], [0.0, 1.0], [3.0, 3.0]]
    >>> problem, variables = reference.to_cvxpy(BlockSparseRegressor(0.1), X, Y)
    >>> variables["coef"].shape
    (2, 2)
    """
    estimator, data = _read(estimator, X, y, sample_weight)
    return _state(estimator, data.select(estimator._learnable(data)))


def solve(estimator: Any, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Reference:
    """Minimise an estimator's objective with cvxpy.

    Parameters
    ----------
    estimator, X, y, sample_weight : as in :func:`to_cvxpy`
    **options
        For ``cvxpy.Problem.solve``. Default: Clarabel with tight tolerances.

    Returns
    -------
    Reference
        ``coef_`` and ``intercept_`` in the fitted estimator's shapes, and ``objective``.

    Raises
    ------
    RuntimeError
        If cvxpy finds no optimum.
    ValueError
        As in :func:`to_cvxpy`.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor, reference
    >>> X, Y = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [[1.0, 2.0], [0.0, 1.0], [3.0, 3.0]]
    >>> round(reference.solve(BlockSparseRegressor(0.1), X, Y).objective, 4)
    0.1885
    """
    estimator, data = _read(estimator, X, y, sample_weight)
    learned = estimator._learnable(data)
    problem, variables = _state(estimator, data.select(learned))
    _minimise(problem, options)
    coef = np.zeros((data.n_tasks, data.X.shape[1]))
    if variables["coef"] is not None:
        coef[learned] = variables["coef"].value.T
    intercept = np.where(learned, 0.0, estimator._left_out_intercepts(data))
    if variables["intercept"] is not None:
        intercept[learned] = variables["intercept"].value
    if data.scales is not None:
        coef, intercept = estimator._get_loss().rescale(coef, intercept, data.scales)
    if data.prior is not None:
        coef = data.prior + coef
    if data.layout == "single":
        return Reference(coef[0], intercept[0], float(problem.value))
    return Reference(coef, intercept, float(problem.value))


def _read(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, TaskData]:
    """A clone of the estimator, and the validated data of its fit."""
    name = type(estimator).__name__
    if not isinstance(estimator, TaskEstimator):
        raise TypeError(
            f"estimator must be one of skmtl's, got {name}. For a pipeline or a search, pass the "
            f"last step, with the X that it is fitted on."
        )
    if estimator._not_stated is not None:
        raise ValueError(f"{name} has no reference: {estimator._not_stated}.")
    estimator = clone(estimator)
    estimator._validate_params()
    return estimator, estimator._read(X, y, sample_weight)


def _minimise(problem: Any, options: dict[str, Any]) -> None:
    """Solve the problem, by default with Clarabel and tight tolerances."""
    import cvxpy as cp

    if options:
        problem.solve(**options)
    else:
        try:
            # Tight tolerances lose accuracy in joint problems with a singular matrix.
            problem.solve(solver="CLARABEL", **({} if problem.constraints else _CLARABEL))
        except cp.SolverError:
            # Clarabel's equilibration may lead to a nearly singular factorisation.
            problem.solve(solver="CLARABEL", equilibrate_enable=False)
    if problem.status not in ("optimal", "optimal_inaccurate"):
        raise RuntimeError(f"cvxpy found no optimum: its status is {problem.status}.")


def _state(estimator: Any, data: TaskData) -> tuple[Any, dict[str, Any]]:
    """(T / S) sum_t c_t sum_i s_i loss(y_i, x_i w_t + b_t) + penalty(W).

    Multinomial: (1 / S) sum_i s_i [log sum_k exp(x_i w_k + b_k) - (x_i w_y + b_y)] + penalty(W).
    """
    import cvxpy as cp

    n_tasks, d = data.n_tasks, data.X.shape[1]
    if n_tasks == 0:
        return cp.Problem(cp.Minimize(0.0)), {"coef": None, "intercept": None}
    pooling = estimator._pooling(data)
    W = cp.Variable((d, n_tasks if pooling is None else 1), name="coef")
    b = None
    if estimator.fit_intercept:
        b = cp.Variable(1 if pooling == "all" else n_tasks, name="intercept")
    factors = task_factors(estimator.task_weight, data)
    loss, total = estimator._get_loss().columns(data.positions), 0.0
    if loss.couples_tasks:
        if b is not None:
            # The loss is invariant to adding a constant to all intercepts; fix their sum.
            others = cp.Variable(n_tasks - 1, name="intercept")
            b = cp.hstack([others, -cp.sum(others)])
        Z = data.X @ W if b is None else data.X @ W + b[None, :]
        Z = Z if data.offset is None else Z + data.offset
        # All columns have the same weights, so that their sum is T times S.
        total = data.weights[:, 0] @ loss.to_cvxpy(data.y, Z)
    for t in range(0 if loss.couples_tasks else n_tasks):
        X, y, s, offset = _rows_of(data, t)
        z = X @ W[:, 0 if pooling else t] + offset
        if b is not None:
            z = z + b[0 if pooling == "all" else t]
        c = 1.0 if factors is None else factors[t]
        total = total + c * (s @ loss.column(t).to_cvxpy(y, z))
    objective = n_tasks / data.weights.sum() * total
    if b is not None and b.size > 1 and estimator._shrinks_intercepts(data):
        objective = objective + _state_pull(estimator, data, factors, W, b)
    penalty, constraints = estimator._get_penalty(data), []
    if penalty is not None:
        value, constraints = penalty.stated(W)
        objective = objective + value
    return cp.Problem(cp.Minimize(objective), constraints), {"coef": W, "intercept": b}


def _state_pull(estimator: Any, data: TaskData, factors: Any, W: Any, b: Any) -> Any:
    """(T / S) (m / 2) min_beta sum_t c_t (mean_x w_t + b_t - beta)^2."""
    import cvxpy as cp

    c = np.ones(data.n_tasks) if factors is None else factors
    total, mean = 0.0, np.zeros(data.X.shape[1])
    for t in range(data.n_tasks):
        X, _, s, _ = _rows_of(data, t)
        total, mean = total + c[t] * s.sum(), mean + c[t] * (X.T @ s)
    # If tasks are pooled, W has a single column, which broadcasts.
    at_mean = b + (mean / total) @ W
    away = cp.multiply(np.sqrt(c), at_mean - cp.Variable(name="beta"))
    return data.n_tasks / data.weights.sum() * estimator._pull / 2 * cp.sum_squares(away)


def _rows_of(data: TaskData, t: int) -> tuple[Any, Array, Array, Array]:
    """The features, labels, weights and offsets of a task's labelled rows."""
    offset = np.zeros(data.y.shape) if data.offset is None else data.offset
    if data.codes is None:
        rows = np.flatnonzero(data.weights[:, t] > 0)
        return data.X[rows], data.y[rows, t], data.weights[rows, t], offset[rows, t]
    rows = np.flatnonzero(data.codes == t)
    return data.X[rows], data.y[rows], data.weights[rows], offset[rows]
