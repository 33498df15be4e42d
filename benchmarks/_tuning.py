"""Select strengths by cross-validation, in the same way for every method of a benchmark."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmtl.model_selection import StratifiedTaskKFold, alpha_max

Array = NDArray[Any]

# Held-out losses need no more accuracy than this; the final fit uses the estimator's own tol.
PATH_TOL = 1e-3
# Nested folds multiply the number of fits: five within five would take most of the time.
N_NESTED = 3


@dataclass(frozen=True)
class Path:
    """The strengths to try, and when to stop.

    Parameters
    ----------
    grid : callable
        ``grid(estimator, X, y)`` returns strengths in decreasing order.
    patience : int
        The path ends after this many consecutive strengths without improvement: weaker ones
        overfit, and take longest.
    rise : float
        The path ends only if the loss also exceeds the best by this relative amount. If the tasks
        are almost equal, or almost zero, the loss may be flat, and its last digits fluctuate.
    """

    grid: Callable[[Any, Array, Array], Array]
    patience: int
    rise: float = 0.0


def norm_alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Strengths of a norm, down from the smallest at which all coefficients are zero."""
    return alpha_max(estimator, X, y) * 10.0 ** (-np.arange(17) / 4)


def ridge_alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Strengths of a ridge, starting where the coefficients are close to zero."""
    features = _features(estimator, X)
    centred = features - features.mean(axis=0)
    return np.linalg.norm(centred, 2) ** 2 / len(centred) * 10.0 ** (1 - np.arange(13) / 2)


def trace_alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Strengths of a squared trace norm.

    Its ratio to the squared Frobenius norm is between 1 (proportional tasks) and the largest
    possible rank (nothing in common). The grid of a ridge is divided by the square root of that
    rank.
    """
    n_tasks = y.shape[1] if y.ndim == 2 else len(np.unique(X[:, estimator.task_column]))
    rank = min(_features(estimator, X).shape[1], n_tasks)
    return ridge_alphas(estimator, X, y)[3:] / np.sqrt(rank)


def cluster_alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Strengths of a cluster norm, starting where the tasks are almost equal."""
    return ridge_alphas(estimator, X, y)[1:]


def _features(estimator: Any, X: Array) -> Array:
    """X without the task column."""
    column = estimator.task_column
    return X if column is None else np.delete(X, column, axis=1)


NORM = Path(norm_alphas, patience=3)
# The steps of all other grids are twice as long.
RIDGE = Path(ridge_alphas, patience=2)
TRACE = Path(trace_alphas, patience=2, rise=0.01)
CLUSTER = Path(cluster_alphas, patience=2, rise=0.01)


@dataclass(frozen=True)
class Problem:
    """A model and its training rows.

    Parameters
    ----------
    estimator : estimator with ``alpha``, ``warm_start`` and ``tol``
        Its ``tol`` is used in the final fit.
    X, y : as in the estimator's fit
        Stacked tasks are numbered in the last column of X.
    path : Path
    n_splits, seed : int
        Number of folds, and the random state of the splitter.
    strata : ndarray of shape (n_samples,) or None
        The y passed to the splitter. None: the labels if the tasks share their rows, otherwise
        nothing.
    path_tol : float
        The ``tol`` of the fits in cross-validation.
    """

    estimator: Any
    X: Array
    y: Array
    path: Path
    n_splits: int
    seed: int
    strata: Array | None = None
    path_tol: float = PATH_TOL

    def having(self, **parameters: Any) -> "Problem":
        """The problem with some of the estimator's parameters set."""
        return replace(self, estimator=clone(self.estimator).set_params(**parameters))

    def take(self, rows: Array) -> "Problem":
        """The problem restricted to some of the rows."""
        strata = None if self.strata is None else self.strata[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], strata=strata)

    def folds(self) -> list[tuple[Array, Array]]:
        """Training and test rows of each fold."""
        strata = self.y if self.strata is None and self.y.ndim == 2 else self.strata
        column = self.estimator.task_column
        cv = StratifiedTaskKFold(self.n_splits, task_column=column, random_state=self.seed)
        return list(cv.split(self.X, strata))

    def loss(self, coef: Array, intercept: Array, rows: Array) -> Array:
        """Each task's mean loss (n_tasks,) in the given rows."""
        task_loss = logistic_loss if is_classifier(self.estimator) else squared_loss
        return task_loss(coef, intercept, self.X[rows], self.y[rows])


def squared_loss(coef: Array, intercept: Array, X: Array, y: Array) -> Array:
    """Each task's mean squared error; stacked tasks are numbered in the last column of X."""
    if y.ndim == 2:
        return ((y - X @ coef.T - intercept) ** 2).mean(axis=0)
    task = X[:, -1].astype(np.intp)
    squares = np.bincount(task, (y - predict(coef, intercept, X)) ** 2, minlength=len(coef))
    return squares / np.bincount(task, minlength=len(coef))


def logistic_loss(coef: Array, intercept: Array, X: Array, Y: Array) -> Array:
    """Each task's mean log loss; Y (n_samples, n_tasks) holds 0 and 1."""
    return np.logaddexp(0, (1 - 2 * Y) * (X @ coef.T + intercept)).mean(axis=0)


def predict(coef: Array, intercept: Array, X: Array) -> Array:
    """Predict each row with its own task, whose number is in the last column of X."""
    task = X[:, -1].astype(np.intp)
    return np.einsum("ij,ij->i", X[:, :-1], coef[task]) + intercept[task]


@dataclass(frozen=True)
class HeldOut:
    """Decreasing strengths, and the mean loss (n_alphas, n_folds, n_tasks) of held-out rows."""

    problem: Problem
    alphas: Array
    losses: Array

    @property
    def best(self) -> float:
        """The smallest mean loss over all tasks."""
        return float(self.losses.mean(axis=(1, 2)).min())


def follow_path(problem: Problem) -> HeldOut:
    """Cross-validate decreasing strengths with one warm-started model per fold."""
    folds, path = problem.folds(), problem.path
    alphas = path.grid(problem.estimator, problem.X, problem.y)
    model = clone(problem.estimator).set_params(warm_start=True, tol=problem.path_tol)
    models = [clone(model) for _ in folds]
    losses: list[Array] = []
    best, best_at = np.inf, 0
    for k, alpha in enumerate(alphas):
        rows = []
        for model, (train, test) in zip(models, folds, strict=True):
            model.set_params(alpha=alpha).fit(problem.X[train], problem.y[train])
            rows.append(problem.loss(model.coef_, model.intercept_, test))
        losses.append(np.stack(rows))
        mean = float(losses[-1].mean())
        if mean < best:
            best, best_at = mean, k
        elif k - best_at >= path.patience and mean >= (1 + path.rise) * best:
            break
    return HeldOut(problem, alphas[: len(losses)], np.stack(losses))


def search(problem: Problem, grid: dict[str, tuple[Any, ...]]) -> HeldOut:
    """Cross-validate further parameters, with a path of its own for each value.

    The parameters are selected one at a time, in the order of ``grid``: earlier parameters are
    fixed at their best value, later ones at their first value.
    """
    first = {name: values[0] for name, values in grid.items()}
    best = follow_path(problem.having(**first))
    for name, values in grid.items():
        others = [follow_path(best.problem.having(**{name: value})) for value in values[1:]]
        best = min([best, *others], key=lambda held_out: held_out.best)
    return best


# A selection rule takes the held-out losses of a path and returns strengths (n_tasks,).
Rule = Callable[[HeldOut], Array]


def one_for_all(held_out: HeldOut) -> Array:
    """The strength with the smallest mean loss over all tasks."""
    best = held_out.losses.mean(axis=(1, 2)).argmin()
    return np.full(held_out.losses.shape[2], held_out.alphas[best])


def one_standard_error(held_out: HeldOut) -> Array:
    """The largest strength with a loss within one standard error, over folds, of the smallest."""
    by_fold = held_out.losses.mean(axis=2)
    mean = by_fold.mean(axis=1)
    best = mean.argmin()
    error = by_fold[best].std(ddof=1) / np.sqrt(by_fold.shape[1])
    first = int(np.flatnonzero(mean <= mean[best] + error)[0])
    return np.full(held_out.losses.shape[2], held_out.alphas[first])


def one_for_each(held_out: HeldOut) -> Array:
    """The best strength of each task; only for tasks that are fitted independently."""
    return held_out.alphas[held_out.losses.mean(axis=1).argmin(axis=0)]


def one_for_all_or_each(held_out: HeldOut) -> Array:
    """One strength for all tasks or one for each, whichever has the lower cross-validated loss.

    On the folds used for selection, one for each is never worse. The rules are therefore compared
    by nested cross-validation: each outer fold scores strengths selected without its rows.
    """
    rules: tuple[Rule, ...] = (one_for_all, one_for_each)
    losses = np.zeros(len(rules))
    outer = replace(held_out.problem, n_splits=N_NESTED)
    for train, test in outer.folds():
        inner = follow_path(outer.take(train))
        for k, rule in enumerate(rules):
            coef, intercept = refit(inner.problem, rule(inner))
            losses[k] += outer.loss(coef, intercept, test).mean()
    return rules[losses.argmin()](held_out)


def refit(problem: Problem, alpha: Array) -> tuple[Array, Array]:
    """Coefficients (n_tasks, n_features) and intercepts, with each task fitted at its own strength.

    If the strengths differ, the tasks must be independent: each task's coefficients are then taken
    from a fit of all tasks at its strength.
    """
    model = clone(problem.estimator).set_params(warm_start=True)
    coef = intercept = np.empty(0)
    for k, strength in enumerate(np.unique(alpha)[::-1]):
        model.set_params(alpha=strength).fit(problem.X, problem.y)
        if k == 0:
            coef, intercept = model.coef_.copy(), model.intercept_.copy()
        else:
            own = alpha == strength
            coef[own], intercept[own] = model.coef_[own], model.intercept_[own]
    return coef, intercept
