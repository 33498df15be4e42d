"""Choose strengths by cross-validation, in the same way for every method of a benchmark."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.model_selection import StratifiedTaskKFold, alpha_max

Array = NDArray[Any]

# Held-out losses need no more digits than this; the chosen models are refitted to the default.
PATH_TOL = 1e-3
# A path ends when so many strengths in a row were no better: what comes then overfits, and takes
# longest. The steps of a ridge are twice as long.
NORM_PATIENCE, RIDGE_PATIENCE = 3, 2
# Folds within folds multiply: five in five would take most of the benchmark's time.
N_NESTED = 3


@dataclass(frozen=True)
class Problem:
    """A method and its training rows.

    Parameters
    ----------
    estimator : estimator with ``alpha``, ``warm_start`` and ``tol``
    X, y : as in the estimator's fit
    strata : ndarray of shape (n_samples,) or None
        What the splitter takes as y.
    n_splits, seed : int
        The folds.
    task_loss : callable
        ``task_loss(coef, intercept, X, y)`` gives each task's mean loss (n_tasks,).
    norm : bool
        Whether the penalty has an alpha_max; if not, it is a ridge.
    """

    estimator: Any
    X: Array
    y: Array
    strata: Array | None
    n_splits: int
    seed: int
    task_loss: Callable[[Array, Array, Array, Array], Array]
    norm: bool

    def take(self, rows: Array) -> "Problem":
        """The same with some of the rows."""
        strata = None if self.strata is None else self.strata[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], strata=strata)

    def folds(self) -> list[tuple[Array, Array]]:
        """Training and test rows of each fold."""
        column = self.estimator.task_column
        cv = StratifiedTaskKFold(self.n_splits, task_column=column, random_state=self.seed)
        return list(cv.split(self.X, self.strata))

    def alphas(self) -> Array:
        """The strengths to try, from the strongest to the weakest."""
        if self.norm:
            return alpha_max(self.estimator, self.X, self.y) * 10.0 ** (-np.arange(17) / 4)
        features = self.X
        if self.estimator.task_column is not None:
            features = np.delete(features, self.estimator.task_column, axis=1)
        centred = features - features.mean(axis=0)
        return np.linalg.norm(centred, 2) ** 2 / len(centred) * 10.0 ** (1 - np.arange(13) / 2)


@dataclass(frozen=True)
class HeldOut:
    """Strengths tried, falling, and the mean loss (n_alphas, n_folds, n_tasks) of held-out rows."""

    alphas: Array
    losses: Array


def follow_path(problem: Problem) -> HeldOut:
    """Cross-validate falling strengths: one model per fold, each fit starting from the last."""
    folds, alphas = problem.folds(), problem.alphas()
    model = clone(problem.estimator).set_params(warm_start=True, tol=PATH_TOL)
    models = [clone(model) for _ in folds]
    losses: list[Array] = []
    best, best_at = np.inf, 0
    patience = NORM_PATIENCE if problem.norm else RIDGE_PATIENCE
    for k, alpha in enumerate(alphas):
        rows = []
        for model, (train, test) in zip(models, folds, strict=True):
            model.set_params(alpha=alpha).fit(problem.X[train], problem.y[train])
            rows.append(
                problem.task_loss(model.coef_, model.intercept_, problem.X[test], problem.y[test])
            )
        losses.append(np.stack(rows))
        mean = float(losses[-1].mean())
        if mean < best:
            best, best_at = mean, k
        elif k - best_at >= patience:
            break
    return HeldOut(alphas[: len(losses)], np.stack(losses))


# The rules of choice: each takes the problem and its path, and returns strengths (n_tasks,).
Rule = Callable[[Problem, HeldOut], Array]


def one_for_all(problem: Problem, held_out: HeldOut) -> Array:
    """The strength with the least mean loss of all tasks together."""
    best = held_out.losses.mean(axis=(1, 2)).argmin()
    return np.full(held_out.losses.shape[2], held_out.alphas[best])


def one_standard_error(problem: Problem, held_out: HeldOut) -> Array:
    """The largest strength whose loss is within one standard error, over folds, of the least."""
    by_fold = held_out.losses.mean(axis=2)
    mean = by_fold.mean(axis=1)
    best = mean.argmin()
    error = by_fold[best].std(ddof=1) / np.sqrt(by_fold.shape[1])
    first = int(np.flatnonzero(mean <= mean[best] + error)[0])
    return np.full(held_out.losses.shape[2], held_out.alphas[first])


def one_for_each(problem: Problem, held_out: HeldOut) -> Array:
    """Each task's own best strength; only for tasks that are fitted independently."""
    return held_out.alphas[held_out.losses.mean(axis=1).argmin(axis=0)]


def one_for_all_or_each(problem: Problem, held_out: HeldOut) -> Array:
    """One strength for all tasks, or one for each, whichever cross-validates better.

    On the folds that chose it, one for each always wins. So each fold judges strengths that were
    chosen, by cross-validation again, without it.
    """
    rules: tuple[Rule, ...] = (one_for_all, one_for_each)
    losses = np.zeros(len(rules))
    outer = replace(problem, n_splits=N_NESTED)
    for train, test in outer.folds():
        part = outer.take(train)
        inner = follow_path(part)
        for k, rule in enumerate(rules):
            coef, intercept = refit(part, rule(part, inner))
            losses[k] += problem.task_loss(coef, intercept, problem.X[test], problem.y[test]).mean()
    return rules[losses.argmin()](problem, held_out)


def refit(problem: Problem, alpha: Array) -> tuple[Array, Array]:
    """Coefficients (n_tasks, n_features) and intercepts with each task at its own strength.

    Where strengths differ, the tasks must be independent: a task's coefficients are then those of
    a fit of all tasks at its strength.
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
