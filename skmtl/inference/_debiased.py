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
    df : ndarray of shape (n_features, n_tasks)
        Degrees of freedom of the noise.
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
    coef, prior = _around_prior(fitted, data)
    d, n_tasks = coef.shape
    df = _freedom(data, coef, int(fitted.fit_intercept))
    found, errors = np.full((d, n_tasks), np.nan), np.full((d, n_tasks), np.nan)
    overlaps = np.zeros(d)
    together = _Correlations(data, d) if data.codes is None else None
    for sample in _samples(data, coef, centre=fitted.fit_intercept):
        tasks, residuals = sample.tasks, sample.residuals
        directions = find_directions(sample.X, inflation, n_jobs)
        overlaps = np.maximum(overlaps, directions.overlaps)
        known = (directions.slopes > 0) & (directions.overlaps <= _COLLINEAR)
        slopes = np.where(known, directions.slopes, np.nan)[:, None]
        norms = np.maximum(directions.norms, _TINY)[:, None]
        along = directions.coef.T @ (sample.X.T @ residuals) / norms
        # The noise is that of the other directions, and thus independent of the estimate.
        squares = (residuals**2).sum(axis=0)
        _check_noise(squares, tasks, data)
        squares = np.maximum(squares - along**2, _EPS * squares)
        found[:, tasks] = coef[:, tasks] + along * norms / slopes
        errors[:, tasks] = norms / slopes * np.sqrt(squares / df[:, tasks])
        if together is not None:
            # Directions that all tasks share need not be compared.
            alone = len(tasks) == n_tasks
            Z = None if alone else sample.X @ directions.coef / norms[:, 0]
            together.add(sample, along, Z)
    found += prior
    _warn_of_unknown(np.isnan(found), data)
    if together is None:
        test = "chi2", *_test_independent(found / errors, df)
    else:
        test = "F", *_test_together(found / errors, df, together, data)
    name, statistic, p = test
    return Debiased(found, errors, df, statistic, p, name, overlaps, fitted)


def _around_prior(fitted: TaskEstimator, data: TaskData) -> tuple[Array, Array]:
    """The penalised coefficients (n_features, n_tasks) less those of the prior, and the latter.

    The labels of ``data`` are less the predictors of the prior, and the fit selects deviations.
    """
    coef = np.atleast_2d(fitted.coef_).T.astype(np.float64)
    if data.prior is None or fitted._fit_coef is None:
        return coef, np.zeros_like(coef)
    deviations = np.atleast_2d(fitted._fit_coef).T.astype(np.float64)
    return deviations * (1.0 if data.scales is None else data.scales), data.prior.T


def _freedom(data: TaskData, coef: Array, n_intercepts: int) -> Array:
    """Degrees of freedom of the noise (n_features, n_tasks).

    The number of labels of a task minus that of its non-zero coefficients (deviations from
    ``prior_coef``), its intercept, and the coefficient that is estimated, if this is not one of
    them.

    Raises
    ------
    ValueError
        If there are none.
    """
    used = coef != 0
    df: Array = data.label_counts - n_intercepts - used.sum(axis=0) - ~used
    few = data.tasks[df.min(axis=0) < 1].tolist()
    if few:
        raise ValueError(
            f"{len(few)} tasks, such as {few[:5]}, have hardly more labels than non-zero "
            f"coefficients, so that their noise cannot be estimated. Select fewer features by a "
            f"larger alpha (rule='1se' of BlockSparseRegressorCV), or leave these tasks out."
        )
    return df


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
        self.along = np.empty((n_features, data.n_tasks))
        self.pattern = np.empty(data.n_tasks, dtype=np.intp)
        self._directions: list[Array] = []
        self._shape = len(data.y), n_features

    def add(self, sample: _Sample, along: Array, Z: Array | None) -> None:
        """Add the tasks of a sample.

        Parameters
        ----------
        sample : _Sample
        along : ndarray of shape (n_features, n_own)
            The products of the residuals and the directions of norm 1.
        Z : ndarray of shape (n_rows, n_features) or None
            These directions; None if the sample has all tasks.
        """
        self.residuals[np.ix_(sample.rows, sample.tasks)] = sample.residuals
        self.along[:, sample.tasks] = along
        if Z is None:
            return
        self.pattern[sample.tasks] = len(self._directions)
        self._directions.append(np.zeros(self._shape))
        self._directions[-1][sample.rows] = Z

    def __iter__(self) -> Iterator[Array]:
        """For each feature the correlations (n_tasks, n_tasks) of its estimates.

        Those of the noise are computed from the residuals without their part along the directions.
        """
        products = self.residuals.T @ self.residuals
        for j, along in enumerate(self.along):
            if not self._directions:
                rest = products - np.outer(along, along)
                sizes = np.sqrt(np.maximum(rest.diagonal(), _TINY))
                yield rest / np.outer(sizes, sizes)
                continue
            Z = np.stack([directions[:, j] for directions in self._directions], axis=1)
            Z = Z[:, self.pattern]
            residuals = self.residuals - along * Z
            norms = np.sqrt((residuals**2).T @ self.seen)
            noise = np.eye(len(along))
            sizes = norms * norms.T
            np.divide(residuals.T @ residuals, sizes, out=noise, where=sizes > 0)
            yield noise * (Z.T @ Z)


def _test_together(
    t: Array, df: Array, correlations: _Correlations, data: TaskData
) -> tuple[Array, Array]:
    """Statistics and p-values of Hotelling's test of each feature over all tasks."""
    n_tasks, least = t.shape[1], int(df.min())
    if least < n_tasks:
        few = data.tasks[df.min(axis=0) < n_tasks].tolist()
        raise ValueError(
            f"The noise covariance of {n_tasks} tasks needs as many degrees of freedom of the "
            f"noise (labels minus non-zero coefficients minus 2) in every task, but they are "
            f"{least} in the smallest of {few[:5]}. Pass fewer tasks, select fewer features by a "
            f"larger alpha, or use the stacked layout if the noise of the tasks is independent."
        )
    statistic, p = np.full(len(t), np.nan), np.full(len(t), np.nan)
    for j, joint in enumerate(correlations):
        known = np.flatnonzero(~np.isnan(t[j]))
        if not len(known):
            continue
        joint, scores, m = joint[np.ix_(known, known)], t[j, known], len(known)
        if np.linalg.eigvalsh(joint)[0] <= _POSITIVE:
            raise ValueError(
                "The estimated noise covariance of the tasks has no inverse: some task's noise is "
                "a combination of that of others, or too few rows have the labels of several "
                "tasks. Leave such tasks out, or use the stacked layout if their noise is "
                "independent."
            )
        freedom = int(df[j, known].min())
        squared = scores @ np.linalg.solve(joint, scores)
        statistic[j] = squared * (freedom - m + 1) / (freedom * m)
        p[j] = stats.f.sf(statistic[j], m, freedom - m + 1)
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
    if estimator._refits:
        raise ValueError(
            "method='debiased' needs refit_support=False: the residuals of a refit understate the "
            "noise. Set refit_support=False."
        )


def _not_sparse(estimator: Any) -> str:
    return (
        f"method='debiased' needs an initial estimate that is sparse by L1 and row norms, without "
        f"constraints; the penalty of {type(estimator).__name__} with these parameters is another. "
        f"Use BlockSparseRegressor with its default norm and no feature_groups. {_BOOTSTRAP}"
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


def _check_noise(squares: Array, tasks: Array, data: TaskData) -> None:
    """Raise if the sums of squared residuals of some tasks are rounding error."""
    totals = data.per_task(data.weights * data.y**2) / data.totals * data.label_counts
    totals = totals if data.scales is None else totals * data.scales**2
    exact = data.tasks[tasks][squares <= (1e3 * _EPS) ** 2 * totals[tasks]].tolist()
    if exact:
        raise ValueError(
            f"The labels of the tasks {exact[:5]} are constant or fitted exactly: without noise "
            f"there is nothing to test. Leave these tasks out."
        )


def _warn_of_unknown(unknown: Array, data: TaskData) -> None:
    if unknown.any():
        features = np.flatnonzero(unknown.any(axis=1)).tolist()
        tasks = data.tasks[unknown.any(axis=0)].tolist()
        warn(
            f"{len(features)} features (positions {features[:5]}) are constant or collinear with "
            f"others in some tasks ({tasks[:5]}), where their coefficients are not identified and "
            f"have NaN intervals. Leave such features out."
        )
