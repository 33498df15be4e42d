"""A main task with auxiliary labels, and the methods of benchmarks.auxiliary that fit it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LassoCV, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from benchmarks._tuning import PATH_TOL
from skmtl.auxiliary import AuxiliaryTaskClassifier, AuxiliaryTaskRegressor
from skmtl.model_selection import alpha_max

Array = NDArray[Any]
Folds = Sequence[tuple[Array, Array]]

ALONE = "main task alone"
RIDGE_ALONE = "alone, ridge"
ONE = "weight=1"
CV = 'weight="cv"'
GRID = "weight in grid"
CAUTIOUS = "grid, 1 s.e."
CHEATING = "cheating upper bound"

# Alphas below twice the main task's alpha_max, and those of plain ridges and logistic regressions.
_N_ALPHAS, _STEP = 6, 3.0
RIDGE_ALPHAS = 10.0 ** np.arange(-2, 5)
LOGISTIC_CS = 10.0 ** np.arange(-3, 2)


@dataclass(frozen=True)
class Effort:
    """How much a run computes: everything, or little for tests."""

    quick: bool = False

    @property
    def n_alphas(self) -> int:
        """The number of alphas to try."""
        return 2 if self.quick else _N_ALPHAS

    @property
    def n_folds(self) -> int:
        """The number of folds, where the data do not determine it."""
        return 2 if self.quick else 5


@dataclass(frozen=True, eq=False)
class Trial:
    """Training rows, folds of those with a main label, and test rows.

    Parameters
    ----------
    X, extra : ndarrays of shape (n_samples, n_features) and (n_samples, n_extra)
        Features and auxiliary labels of the training rows.
    y : ndarray of shape (n_samples,)
        Main labels; NaN in rows that have auxiliary labels only. Classes are 0 and 1.
    folds : sequence of (train, test)
        The test rows have main labels.
    X_test, y_test, extra_test : ndarrays
    """

    X: Array
    y: Array
    extra: Array
    folds: Folds
    X_test: Array
    y_test: Array
    extra_test: Array

    def scaled(self) -> "Trial":
        """The trial with features and auxiliary numbers in units of the training rows.

        Columns of 0 and 1 in ``extra`` are classes, and stay.
        """
        X, X_test = standardise(self.X, self.X_test)
        extra, extra_test = self.extra.copy(), self.extra_test.copy()
        for k in range(extra.shape[1]):
            if not np.isin(extra[:, k], (0.0, 1.0)).all():
                extra[:, [k]], extra_test[:, [k]] = standardise(extra[:, [k]], extra_test[:, [k]])
        return Trial(X, self.y, extra, self.folds, X_test, self.y_test, extra_test)

    @property
    def labelled(self) -> Array:
        """The rows with a main label."""
        return np.flatnonzero(~np.isnan(self.y))

    @property
    def labelled_folds(self) -> Folds:
        """The folds as positions among the rows with a main label."""
        rows = self.labelled
        return [
            (np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test)))
            for train, test in self.folds
        ]


def standardise(train: Array, *others: Array) -> list[Array]:
    """Arrays in units of the training rows; constant columns become 0."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    unit = np.where(deviation > 1e-10 * (1 + np.abs(mean)), deviation, np.inf)
    return [(part - mean) / unit for part in (train, *others)]


def squared_error(y: Array, predicted: Array) -> float:
    """The mean squared error, as a fraction of the variance of y."""
    return float(((y - predicted) ** 2).mean() / y.var())


def ridge(X: Array, y: Array, folds: Folds) -> Any:
    """A ridge regression whose alpha is selected on the folds."""
    search = GridSearchCV(
        Ridge(), {"alpha": RIDGE_ALPHAS}, cv=folds, scoring="neg_mean_squared_error"
    )
    return search.fit(X, y)


def lasso(X: Array, y: Array, folds: Folds) -> Any:
    """A Lasso whose alpha is selected on the folds."""
    top = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    return LassoCV(alphas=top * np.geomspace(1, 1e-3, 30), cv=folds).fit(X, y)


def logistic(X: Array, y: Array, folds: Folds) -> Any:
    """A logistic regression whose C is selected on the folds."""
    model = LogisticRegression(max_iter=1000)
    return GridSearchCV(model, {"C": LOGISTIC_CS}, cv=folds, scoring="neg_log_loss").fit(X, y)


def error_of(model: Any, X: Array, y: Array) -> float:
    """The log loss of a classifier, or the squared error of a regressor."""
    if is_classifier(model):
        return float(log_loss(y, model.predict_proba(X)[:, 1], labels=[0, 1]))
    return squared_error(y, model.predict(X))


def compare(trial: Trial, estimator: Any, plain: Any, effort: Effort) -> dict[str, float]:
    """The test error of each way of using the auxiliary labels.

    Parameters
    ----------
    trial : Trial
    estimator : estimator of skmtl
        What main and auxiliary tasks share; its alpha is selected.
    plain : callable
        ``ridge``, ``lasso`` or ``logistic``: fits the main task with the auxiliary labels as
        features.
    effort : Effort
    """
    trial = trial.scaled()
    with warnings.catch_warnings():
        # Fits with the weakest penalties need not converge.
        warnings.simplefilter("ignore")
        errors = _with_auxiliaries(trial, estimator, effort)
        rows, folds = trial.labelled, trial.labelled_folds
        y = trial.y[rows]
        if plain is lasso:
            alone = ridge(trial.X[rows], y, folds)
            errors[RIDGE_ALONE] = error_of(alone, trial.X_test, trial.y_test)
        both = np.column_stack([trial.X, trial.extra])[rows]
        both_test = np.column_stack([trial.X_test, trial.extra_test])
        errors[CHEATING] = error_of(plain(both, y, folds), both_test, trial.y_test)
    return errors


def _with_auxiliaries(trial: Trial, estimator: Any, effort: Effort) -> dict[str, float]:
    """Fit with every weight and alpha on the same folds, and let each rule take its choice."""
    wrapper = AuxiliaryTaskClassifier if is_classifier(estimator) else AuxiliaryTaskRegressor
    X, y = np.column_stack([trial.X, trial.extra]), trial.y[:, None]
    auxiliary = list(range(trial.X.shape[1], X.shape[1]))
    top = alpha_max(estimator, trial.X[trial.labelled], y[trial.labelled])
    alphas = 2 * top * _STEP ** -np.arange(effort.n_alphas)

    def fit(alpha: float, weight: float | str) -> Any:
        model = clone(estimator).set_params(alpha=alpha)
        if weight == "cv":
            model.set_params(tol=PATH_TOL)
        return wrapper(model, auxiliary=auxiliary, weight=weight, cv=trial.folds).fit(X, y)

    searched: list[Any] = []
    best = np.full(1, -np.inf)
    for alpha in alphas:
        searched.append(fit(alpha, "cv"))
        mean = searched[-1].weight_scores_.mean(axis=1)
        if (mean < best).all():
            # Weaker penalties overfit with every weight, and take longest.
            break
        best = np.maximum(best, mean)
    weights = searched[0].weights_
    choices = choose(
        np.stack([model.weight_scores_ for model in searched]),
        [int(np.flatnonzero(weights == model.weight_)[0]) for model in searched],
        int(np.flatnonzero(weights == 1)[0]),
    )
    errors, fitted = {}, {}
    for name, (k, i) in choices.items():
        if (k, i) not in fitted:
            fitted[k, i] = fit(alphas[k], weights[i])
        model = fitted[k, i]
        z = trial.X_test @ model.coef_[0] + model.intercept_[0]
        if is_classifier(estimator):
            errors[name] = float(np.logaddexp(0, (1 - 2 * trial.y_test) * z).mean())
        else:
            errors[name] = squared_error(trial.y_test, z)
    return errors


def choose(scores: Array, selected: Sequence[int], one: int) -> dict[str, tuple[int, int]]:
    """The alpha and the weight that each rule selects.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_weights, n_folds)
        Of held-out main labels, the greater the better. The first weight is 0.
    selected : sequence of int
        The weight that weight="cv" selects at each alpha.
    one : int
        The position of weight 1.

    Returns
    -------
    dict from method to positions (alpha, weight)
    """
    mean = scores.mean(axis=2)
    alone = int(mean[:, 0].argmax())
    k = int(np.argmax([mean[k, i] for k, i in enumerate(selected)]))
    best = tuple(map(int, np.unravel_index(mean.argmax(), mean.shape)))
    gains = scores[best] - scores[alone, 0]
    better = gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains))
    return {
        ALONE: (alone, 0),
        ONE: (int(mean[:, one].argmax()), one),
        CV: (k, selected[k]),
        GRID: (best[0], best[1]),
        CAUTIOUS: (best[0], best[1]) if better else (alone, 0),
    }
