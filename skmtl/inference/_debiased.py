"""Estimates whose bias by the penalty is removed, and tests of each feature in all tasks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import clone, is_classifier

from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators import TaskEstimator
from skmtl.inference._nodewise import find_directions
from skmtl.penalties import Penalty, split

Array = NDArray[Any]

# Directions that overlap another feature by more do not isolate the effect of their own.
_COLLINEAR = 0.99
# Eigenvalues of the noise correlations that are positive beyond rounding error.
_POSITIVE = 1e-8
_EPS, _TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
_BOOTSTRAP = "Use method='bootstrap', which shows the variability of the penalised estimate."


@dataclass(frozen=True)
class Debiased:
    """Estimates without the bias of the penalty, and the tests of the features.

    Attributes
    ----------
    coef, errors : ndarrays of shape (n_features, n_tasks)
        NaN where the data do not identify the coefficient.
    df : ndarray of shape (n_tasks,)
        Degrees of freedom of the tasks' noise.
    statistic, p : ndarrays of shape (n_features,)
    test : {"F", "chi2"}
    overlaps : ndarray of shape (n_features,)
    fitted : estimator
    """

    coef: Array
    errors: Array
    df: Array
    statistic: Array
    p: Array
    test: str
    overlaps: Array
    fitted: Any


@dataclass(frozen=True)
class _Sample:
    """Rows with the same weights in some tasks, centred and multiplied by roots of the weights.

    Attributes
    ----------
    tasks : int ndarray of shape (n_own,)
    rows : int ndarray of shape (n_rows,)
        Their positions in a matrix of labels.
    X : ndarray of shape (n_rows, n_features)
    residuals : ndarray of shape (n_rows, n_own)
        Of the penalised fit.
    """

    tasks: Array
    rows: Array
    X: Array
    residuals: Array


def debias(
    estimator: Any, X: Any, y: Any, sample_weight: Any, inflation: float, n_jobs: int | None
) -> Debiased:
    """Fit an estimator, and remove the bias of its penalty.

    Parameters
    ----------
    estimator : TaskEstimator
    X, y, sample_weight : as in its fit
    inflation : float
    n_jobs : int or None

    Raises
    ------
    ValueError
        If the method is not valid for the estimator or the data.
    """
    _check_kind(estimator)
    fitted = clone(estimator).fit(X, y, sample_weight)
    data = fitted._read(X, y, sample_weight)
    _check_penalty(fitted, data)
    coef = np.atleast_2d(fitted.coef_).T.astype(np.float64)
    d, n_tasks = coef.shape
    df = data.label_counts - int(fitted.fit_intercept) - np.count_nonzero(coef, axis=0)
    _check_freedom(df, data)
    found, errors = np.full((d, n_tasks), np.nan), np.full((d, n_tasks), np.nan)
    overlaps, noise = np.zeros(d), np.empty(n_tasks)
    together = _Correlations(data, d) if data.codes is None else None
    for sample in _samples(data, coef, centre=fitted.fit_intercept):
        tasks = sample.tasks
        noise[tasks] = np.sqrt((sample.residuals**2).sum(axis=0) / df[tasks])
        directions = find_directions(sample.X, inflation, n_jobs)
        overlaps = np.maximum(overlaps, directions.overlaps)
        known = (directions.slopes > 0) & (directions.overlaps <= _COLLINEAR)
        slopes = np.where(known, directions.slopes, np.nan)[:, None]
        moves = directions.coef.T @ (sample.X.T @ sample.residuals)
        found[:, tasks] = coef[:, tasks] + moves / slopes
        errors[:, tasks] = directions.norms[:, None] / slopes * noise[tasks]
        if together is not None:
            # Directions that all tasks share need not be compared.
            scales = np.maximum(directions.norms, _TINY)
            alone = len(tasks) == n_tasks
            together.add(sample, None if alone else sample.X @ directions.coef / scales)
    _check_noise(noise, data)
    _warn_of_unknown(np.isnan(found), fitted, data)
    if together is None:
        test = "chi2", *_test_independent(found / errors, df)
    else:
        test = "F", *_test_together(found / errors, df, together, data)
    name, statistic, p = test
    return Debiased(found, errors, df, statistic, p, name, overlaps, fitted)


def _samples(data: TaskData, coef: Array, *, centre: bool) -> Iterator[_Sample]:
    """The rows of each task, or of all tasks with the same weights."""
    labels = data.y if data.scales is None else data.y * data.spread(data.scales)
    if data.codes is None:
        patterns, own = np.unique(data.weights, axis=1, return_inverse=True)
        groups = [np.flatnonzero(own.reshape(-1) == k) for k in range(patterns.shape[1])]
    else:
        groups = [np.array([task]) for task in range(data.n_tasks)]
    for tasks in groups:
        if data.codes is None:
            weights = data.weights[:, tasks[0]]
            rows = np.flatnonzero(weights > 0)
            y, weights = labels[np.ix_(rows, tasks)], weights[rows]
        else:
            rows = np.arange(*data.starts[tasks[0] : tasks[0] + 2])
            y, weights = labels[rows, None], data.weights[rows]
        X = data.X[rows]
        X = np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float64)
        root = np.sqrt(weights / weights.mean())[:, None]
        constant = np.zeros(X.shape[1], dtype=bool)
        if centre:
            constant = np.ptp(X, axis=0) == 0
            X = X - np.average(X, axis=0, weights=weights)
            y = y - np.average(y, axis=0, weights=weights)
        X[:, constant] = 0.0
        yield _Sample(tasks, rows, root * X, root * (y - X @ coef[:, tasks]))


class _Correlations:
    """Correlations of the estimates of a feature in tasks that have rows in common.

    They are the products of those of the noise and of those of the directions.
    """

    def __init__(self, data: TaskData, n_features: int) -> None:
        self.residuals, self.seen = np.zeros(data.y.shape), (data.weights > 0).astype(np.float64)
        self.pattern = np.empty(data.n_tasks, dtype=np.intp)
        self._directions: list[Array] = []
        self._shape = len(data.y), n_features

    def add(self, sample: _Sample, Z: Array | None) -> None:
        """Add the tasks of a sample, with directions Z (n_rows, n_features) of norm 1.

        None: the tasks of this sample are all tasks.
        """
        self.residuals[np.ix_(sample.rows, sample.tasks)] = sample.residuals
        if Z is None:
            return
        self.pattern[sample.tasks] = len(self._directions)
        self._directions.append(np.zeros(self._shape))
        self._directions[-1][sample.rows] = Z

    def noise(self) -> Array:
        """The correlations (n_tasks, n_tasks) of the noise, over the rows that tasks share."""
        sizes = np.sqrt((self.residuals**2).T @ self.seen)
        products, sizes = self.residuals.T @ self.residuals, sizes * sizes.T
        found = np.eye(len(sizes))
        np.divide(products, sizes, out=found, where=sizes > 0)
        return found

    def of_features(self) -> Iterator[Array]:
        """For each feature, the correlations of its directions between tasks, or a one."""
        if not self._directions:
            yield from np.ones((self._shape[1], 1, 1))
            return
        for j in range(self._shape[1]):
            columns = np.stack([Z[:, j] for Z in self._directions])
            yield (columns @ columns.T)[np.ix_(self.pattern, self.pattern)]


def _test_together(
    t: Array, df: Array, correlations: _Correlations, data: TaskData
) -> tuple[Array, Array]:
    """Statistics and p-values of Hotelling's test of each feature over all tasks."""
    n_tasks, least = t.shape[1], int(df.min())
    if least < n_tasks:
        few = data.tasks[df < n_tasks].tolist()
        raise ValueError(
            f"The noise covariance of {n_tasks} tasks needs as many degrees of freedom of the "
            f"noise (labels minus non-zero coefficients minus 1) in every task, but they are "
            f"{least} in the smallest of {few[:5]}. Pass fewer tasks, select fewer features by a "
            f"larger alpha, or use the stacked layout if the noise of the tasks is independent."
        )
    noise = correlations.noise()
    if np.linalg.eigvalsh(noise)[0] <= _POSITIVE:
        raise ValueError(
            "The estimated noise covariance of the tasks has no inverse: some task's noise is a "
            "combination of that of others, or too few rows have the labels of several tasks. "
            "Leave such tasks out, or use the stacked layout if their noise is independent."
        )
    statistic, p = np.full(len(t), np.nan), np.full(len(t), np.nan)
    for j, between in enumerate(correlations.of_features()):
        known = np.flatnonzero(~np.isnan(t[j]))
        if not len(known):
            continue
        scores = t[j, known]
        joint = (noise * between)[np.ix_(known, known)]
        m = len(known)
        squared = scores @ np.linalg.solve(joint, scores)
        statistic[j] = squared * (least - m + 1) / (least * m)
        p[j] = stats.f.sf(statistic[j], m, least - m + 1)
    return statistic, p


def _test_independent(t: Array, df: Array) -> tuple[Array, Array]:
    """Statistics and p-values of the sum of squared scores of tasks with separate rows.

    Each t statistic is replaced by the normal score with the same p-value, so that the sum has a
    chi-squared distribution for few labels as well.
    """
    tails = np.maximum(stats.t.sf(np.abs(t), df), _TINY)
    known = ~np.isnan(t)
    statistic = np.where(known, stats.norm.isf(tails) ** 2, 0.0).sum(axis=1)
    n_known = known.sum(axis=1)
    statistic[n_known == 0] = np.nan
    return statistic, np.asarray(stats.chi2.sf(statistic, np.maximum(n_known, 1)))


def _check_kind(estimator: Any) -> None:
    """Raise unless it is an estimator of ours for the squared loss."""
    name = type(estimator).__name__
    if not isinstance(estimator, TaskEstimator):
        raise ValueError(
            f"method='debiased' takes a block-sparse regressor of skmtl, got {name}. Pass "
            f"BlockSparseRegressor, and the X that the steps before it return. {_BOOTSTRAP}"
        )
    estimator._validate_params()
    if is_classifier(estimator) or getattr(estimator, "loss", "squared") != "squared":
        raise ValueError(
            f"method='debiased' is for the squared loss, got {name}(loss={estimator.loss!r}). "
            f"{_BOOTSTRAP}"
        )
    if not estimator._is_convex or type(estimator)._get_penalty is TaskEstimator._get_penalty:
        raise ValueError(_not_sparse(estimator))
    if getattr(estimator, "refit_support", False):
        raise ValueError(
            "method='debiased' needs refit_support=False: the residuals of a refit understate the "
            "noise. Set refit_support=False."
        )


def _not_sparse(estimator: Any) -> str:
    return (
        f"method='debiased' needs an initial estimate that is sparse by L1 and row norms, without "
        f"constraints; the penalty of {type(estimator).__name__} with these parameters is another. "
        f"Use BlockSparseRegressor with its default norm. {_BOOTSTRAP}"
    )


def _check_penalty(fitted: Any, data: TaskData) -> None:
    """Raise unless the penalty selects features by L1 and row norms alone."""
    penalty = fitted._get_penalty(data)
    if penalty is None and fitted._pooling(data) is None:
        return  # least squares
    rough, quadratic = (None, None) if penalty is None else split(penalty)
    coupled = quadratic is not None and quadratic.couples_tasks
    if rough is None or coupled or not _sums_row_norms(rough):
        raise ValueError(_not_sparse(fitted))


def _sums_row_norms(penalty: Penalty) -> bool:
    """Whether it is a sum of L1 norms and norms of the rows that it penalises."""
    if penalty.free_rows is not None:
        penalty = penalty.of_rows(np.flatnonzero(~penalty.free_rows))
    others = penalty.adds_row_norms or penalty.is_positive
    return penalty.row_thresholds is not None and not others


def _check_freedom(df: Array, data: TaskData) -> None:
    few = data.tasks[df < 1].tolist()
    if few:
        raise ValueError(
            f"{len(few)} tasks, such as {few[:5]}, have no more labels than non-zero coefficients "
            f"(plus an intercept), so that their noise cannot be estimated. Select fewer features "
            f"by a larger alpha, or leave these tasks out."
        )


def _check_noise(noise: Array, data: TaskData) -> None:
    scales = np.sqrt(data.per_task(data.weights * data.y**2) / data.totals)
    scales = scales if data.scales is None else scales * data.scales
    exact = data.tasks[noise <= 1e3 * _EPS * scales].tolist()
    if exact:
        raise ValueError(
            f"The labels of the tasks {exact[:5]} are constant or fitted exactly: without noise "
            f"there is nothing to test. Leave these tasks out."
        )


def _warn_of_unknown(unknown: Array, fitted: Any, data: TaskData) -> None:
    if unknown.any():
        features = np.flatnonzero(unknown.any(axis=1)).tolist()
        tasks = data.tasks[unknown.any(axis=0)].tolist()
        warn(
            f"{len(features)} features (positions {features[:5]}) are constant or collinear with "
            f"others in some tasks ({tasks[:5]}), where their coefficients are not identified and "
            f"have NaN intervals. Leave such features out."
        )
