"""The strength that transfer_gain selects within a training set."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skmtl
from skmtl import BlockSparseRegressor, IndependentTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inspection._transfer_models import alpha_grid, make_tuned
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold


def _grid_search(model: Any, X: Any, y: Any, scorer: Any, column: Any) -> GridSearchCV:
    cv = StratifiedTaskKFold(5, task_column=column, random_state=0)
    return GridSearchCV(model, {"alpha": alpha_grid(model, X, y)}, scoring=scorer, cv=cv)


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
        found = make_tuned(model, X, y, scorer, column, 0).fit(X, y)
    assert isinstance(found, AlphaSearchCV)
    grid = _grid_search(model, X, y, scorer, column).fit(X, y)
    assert_allclose(found.scores_path_.mean(axis=1), grid.cv_results_["mean_test_score"], rtol=1e-3)
    assert found.alpha_ == grid.best_params_["alpha"]
    assert_allclose(found.coef_, grid.best_estimator_.coef_, rtol=0, atol=0)


class OwnFit(BlockSparseRegressor):
    """A user's subclass whose fit does more than the library's."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(X, y, sample_weight)


def test_a_subclass_with_its_own_fit_uses_grid_search() -> None:
    dataset = make_block_sparse(20, 4, 2, n_informative=2, random_state=0)
    for model in (OwnFit(), make_pipeline(BlockSparseRegressor())):
        tuned = make_tuned(model, dataset.data, dataset.target, make_task_scorer("rmse"), None, 0)
        assert isinstance(tuned, GridSearchCV)


def test_groups_stay_together() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 15)), rng.standard_normal((30, 2))
    X, Y, groups = np.repeat(X, 2, axis=0), np.repeat(Y, 2, axis=0), np.repeat(np.arange(30), 2)
    scorer = make_task_scorer("rmse")
    tuned = make_tuned(IndependentTaskRegressor(), X, Y, scorer, None, 0, grouped=True)
    # Pure noise: leaked copies of rows would favour a small alpha.
    assert tuned.fit(X, Y, groups=groups).alpha_ > tuned.fit(X, Y).alpha_


@pytest.mark.parametrize("undefined", ["some", "all"])
def test_a_strength_without_a_score_is_the_worst(undefined: str) -> None:
    dataset = make_block_sparse(40, 5, 2, n_informative=2, random_state=0)
    top = alpha_grid(BlockSparseRegressor(), dataset.data, dataset.target)[0]

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        if undefined == "all" or estimator.alpha < 0.1 * top:
            raise ValueError("not finite")
        return np.nan if estimator.alpha < 0.2 * top else -estimator.alpha

    tuned = make_tuned(BlockSparseRegressor(), dataset.data, dataset.target, scorer, None, 0)
    chosen = tuned.fit(dataset.data, dataset.target).alpha_ / top
    assert chosen == 1.0 if undefined == "all" else 0.2 <= chosen < 0.4
