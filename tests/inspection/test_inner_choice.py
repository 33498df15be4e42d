"""The strength that transfer_gain selects within a training set."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmtl
from skmtl import BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inspection._transfer_models import InnerSearch, alpha_grid, fit_tuned, select_alpha
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import StratifiedTaskKFold


def _grid_search(model: Any, X: Any, y: Any, scorer: Any, column: Any) -> GridSearchCV:
    cv = StratifiedTaskKFold(5, task_column=column, random_state=0)
    return GridSearchCV(model, {"alpha": alpha_grid(model, X, y)}, scoring=scorer, cv=cv)


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("BlockSparseRegressor", "shared"),
        ("BlockSparseClassifier", "stacked"),
        ("TaskRelationRegressor", "stacked"),
        ("CappedBlockSparseRegressor", "shared"),
    ],
)
def test_equals_grid_search(name: str, layout: str) -> None:
    dataset = make_block_sparse(
        40, 5, 3, n_informative=2, layout=layout, classification="Classifier" in name, noise=1.0,
        random_state=0,
    )  # fmt: skip
    X, y, column = dataset.data, dataset.target, None if layout == "shared" else -1
    model = getattr(skmtl, name)(task_column=column, tol=1e-6)
    metric = "accuracy" if "Classifier" in name else "rmse"
    scorer = make_task_scorer(metric, task_column=column)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no optimum at the edge of the grid
        found = fit_tuned(model, X, y, scorer, column, 0)
    assert isinstance(found, InnerSearch)
    assert found.estimator.tol == found.best_estimator_.tol == 1e-6
    grid = _grid_search(model, X, y, scorer, column).fit(X, y)
    # Fits within folds stop earlier: at the edge of the support a few labels may be predicted
    # differently.
    found_scores, scores = found.scores_path_.mean(axis=1), grid.cv_results_["mean_test_score"]
    assert_allclose(found_scores, scores, rtol=1e-2, atol=0.05 if metric == "accuracy" else 0)
    assert found.alpha_ == grid.best_params_["alpha"]
    assert_allclose(found.coef_, grid.best_estimator_.coef_, rtol=0, atol=0)


class OwnFit(BlockSparseRegressor):
    """A user's subclass whose fit does more than the library's."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(X, y, sample_weight)


class Counted(TransformerMixin, BaseEstimator):
    """Standardises, and counts its fits."""

    fits = 0

    def fit(self, X: Any, y: Any = None) -> Any:
        Counted.fits += 1
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return (X - self.mean_) / self.scale_


@pytest.mark.parametrize(
    "model", [OwnFit(), make_pipeline(StandardScaler(), BlockSparseRegressor())]
)
def test_other_fits_equal_grid_search(model: Any) -> None:
    dataset = make_block_sparse(40, 4, 2, n_informative=2, noise=1.0, random_state=0)
    X, y, scorer = dataset.data, dataset.target, make_task_scorer("rmse")
    found = fit_tuned(model, X, y, scorer, None, 0)
    assert type(found) is type(model)
    name = "alpha" if isinstance(model, OwnFit) else "blocksparseregressor__alpha"
    last = model if isinstance(model, OwnFit) else model[-1]
    X_last = X if isinstance(model, OwnFit) else StandardScaler().fit_transform(X)
    cv = StratifiedTaskKFold(5, random_state=0)
    grid = GridSearchCV(model, {name: alpha_grid(last, X_last, y)}, scoring=scorer, cv=cv)
    assert found.get_params()[name] == grid.fit(X, y).best_params_[name]
    assert_allclose(found.predict(X), grid.predict(X))


def test_the_first_steps_of_a_pipeline_are_fitted_once_in_each_fold() -> None:
    dataset = make_block_sparse(40, 4, 2, n_informative=2, random_state=0)
    X, y, scorer = dataset.data, dataset.target, make_task_scorer("rmse")
    folds = list(StratifiedTaskKFold(5, random_state=0).split(X, y))
    Counted.fits = 0
    select_alpha(make_pipeline(Counted(), BlockSparseRegressor()), X, y, scorer, folds)
    assert Counted.fits == 6  # five folds, and all rows for the grid


def test_a_given_strength_of_a_baseline_is_kept() -> None:
    dataset = make_block_sparse(20, 4, 2, n_informative=2, random_state=0)
    for model in (IndependentTaskRegressor(0.3), PooledTaskRegressor(0.3)):
        fitted = fit_tuned(model, dataset.data, dataset.target, make_task_scorer("rmse"), None, 0)
        assert type(fitted) is type(model) and np.all(fitted.alpha_ == 0.3)


def test_groups_stay_together() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 15)), rng.standard_normal((30, 2))
    X, Y, groups = np.repeat(X, 2, axis=0), np.repeat(Y, 2, axis=0), np.repeat(np.arange(30), 2)
    model, scorer = IndependentTaskRegressor("cv"), make_task_scorer("rmse")
    apart, together = (fit_tuned(model, X, Y, scorer, None, 0, g) for g in (None, groups))
    # Pure noise: leaked copies of rows would favour a small alpha.
    assert together.alpha_ > np.max(apart.alpha_)


@pytest.mark.parametrize("undefined", ["some", "all"])
def test_a_strength_without_a_score_is_the_worst(undefined: str) -> None:
    dataset = make_block_sparse(40, 5, 2, n_informative=2, random_state=0)
    top = alpha_grid(BlockSparseRegressor(), dataset.data, dataset.target)[0]

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        if undefined == "all" or estimator.alpha < 0.1 * top:
            raise ValueError("not finite")
        return np.nan if estimator.alpha < 0.2 * top else -estimator.alpha

    tuned = fit_tuned(BlockSparseRegressor(), dataset.data, dataset.target, scorer, None, 0)
    chosen = tuned.alpha_ / top
    assert chosen == 1.0 if undefined == "all" else 0.2 <= chosen < 0.4
