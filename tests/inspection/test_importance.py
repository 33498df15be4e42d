"""Importances for scikit-learn's selectors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.linear_model import Lasso, MultiTaskLasso
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsRegressor
from stacked_ridge import StackedRidge

from skmtl import BlockSparseRegressor
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inference import TaskConformalRegressor
from skmtl.inspection import column_importance
from skmtl.model_selection import AlphaSearchCV


def fake(coef: Any, **attributes: Any) -> StackedRidge:
    estimator = StackedRidge(attributes.pop("task_column", None))
    estimator.coef_ = coef
    for name, value in attributes.items():
        setattr(estimator, name, value)
    return estimator


COEF = np.array([[3.0, 0.0, 1.0], [-4.0, 0.0, 0.0]])


def stacked(**parameters: Any) -> Any:
    """Three tasks, 8 features of which 3 matter, the task column last."""
    sizes = [30, 25, 35]
    return make_block_sparse(
        sizes, 8, 3, n_informative=3, noise=0.1, layout="stacked", random_state=1, **parameters
    )


def test_norm_over_tasks() -> None:
    np.testing.assert_allclose(column_importance(fake(COEF)), [5.0, 0.0, 1.0])
    np.testing.assert_allclose(column_importance(fake(COEF[0])), [3.0, 0.0, 1.0])
    np.testing.assert_allclose(column_importance(fake(-COEF[0])), [3.0, 0.0, 1.0])
    np.testing.assert_allclose(column_importance(fake(sp.csr_array(COEF))), [5.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("task_column", "position"), [(-1, 3), (3, 3), (0, 0), (-4, 0), (1, 1), (-2, 2)]
)
def test_task_column_by_position(task_column: int, position: int) -> None:
    importance = column_importance(fake(COEF, task_column=task_column))
    assert importance[position] == 10.0
    np.testing.assert_allclose(np.delete(importance, position), [5.0, 0.0, 1.0])


def test_task_column_by_name() -> None:
    names = np.array(["a", "school", "b", "c"], dtype=object)
    importance = column_importance(fake(COEF, task_column="school", feature_names_in_=names))
    np.testing.assert_allclose(importance, [5.0, 10.0, 0.0, 1.0])


def test_all_zero_keeps_the_task_column() -> None:
    importance = column_importance(fake(np.zeros((2, 3)), task_column=-1))
    np.testing.assert_array_equal(importance, [0.0, 0.0, 0.0, 1.0])


def test_scikit_learn_estimators_need_no_task_column() -> None:
    X, Y = np.random.default_rng(0).standard_normal((2, 20, 3))
    model = MultiTaskLasso(0.01).fit(X, Y)
    np.testing.assert_allclose(column_importance(model), np.linalg.norm(model.coef_, axis=0))
    model = Lasso(0.01).fit(X, Y[:, 0])
    np.testing.assert_allclose(column_importance(model), np.abs(model.coef_))


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: AlphaSearchCV(model, alphas=[0.2], cv=3),
        lambda model: GridSearchCV(model, {"alpha": [0.2]}, cv=KFold(3, shuffle=True)),
        lambda model: GridSearchCV(AlphaSearchCV(model, alphas=[0.2], cv=3), {}, cv=3),
        lambda model: TaskConformalRegressor(model, random_state=0),
    ],
)
@pytest.mark.filterwarnings("ignore:The best alpha")
def test_searches_are_ranked_like_what_they_select(wrap: Any) -> None:
    bunch = stacked()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    X, y = np.roll(bunch.data, 1, axis=1)[order], bunch.target[order]
    search = wrap(BlockSparseRegressor(0.2, task_column=0)).fit(X, y)
    norms = np.linalg.norm(search.coef_ if hasattr(search, "coef_") else
                           search.best_estimator_.coef_, axis=0)  # fmt: skip
    np.testing.assert_allclose(column_importance(search), [2 * norms.max(), *norms])
    selector = RFE(search, n_features_to_select=4, importance_getter=column_importance)
    np.testing.assert_array_equal(selector.fit(X, y).support_, [True, *bunch.support])


@pytest.mark.parametrize("task_column", [None, 0, -1])
def test_auxiliary_targets_are_kept(task_column: int | None) -> None:
    bunch = stacked()
    features = bunch.data[:, :-1]
    known = bunch.target + 0.1 * np.random.default_rng(0).standard_normal(90)
    parts = [features[:, :2], known[:, None], features[:, 2:]]
    task, y = bunch.data[:, -1:], bunch.target
    if task_column is None:
        y = np.column_stack([y, -y])
    else:
        parts = [task, *parts] if task_column == 0 else [*parts, task]
    X, place = np.hstack(parts), 3 if task_column == 0 else 2
    model = AuxiliaryTaskRegressor(
        BlockSparseRegressor(0.2, task_column=task_column), auxiliary=[place]
    ).fit(X, y)
    norms = np.linalg.norm(model.coef_, axis=0)
    aside = [place] if task_column is None else [place, task_column % 10]
    importance = column_importance(model)
    np.testing.assert_array_equal(importance[aside], 2 * norms.max())
    np.testing.assert_allclose(np.delete(importance, aside), norms)
    selector = SelectFromModel(model, importance_getter=column_importance, prefit=True)
    assert selector.transform(X).shape[1] < X.shape[1]


def test_a_coefficient_for_each_feature() -> None:
    with pytest.raises(ValueError, match="StackedRidge has 3 of them for 5 columns. Pass an"):
        column_importance(fake(COEF, task_column=-1, n_features_in_=5))


def test_errors() -> None:
    with pytest.raises(ValueError, match="KNeighborsRegressor has none"):
        column_importance(KNeighborsRegressor().fit([[0.0], [1.0]], [0, 1]))
    with pytest.raises(ValueError, match="StackedRidge has none"):
        column_importance(StackedRidge(task_column=-1))
    with pytest.raises(ValueError, match="none"):
        column_importance(object())
    with pytest.raises(ValueError, match="task_column='school' .* they have no names"):
        column_importance(fake(COEF, task_column="school"))
    names = np.array(["a", "b", "c", "d"], dtype=object)
    with pytest.raises(ValueError, match=r"\['a', 'b', 'c', 'd'\]"):
        column_importance(fake(COEF, task_column="school", feature_names_in_=names))
    with pytest.raises(ValueError, match="task_column=7 is not one of the 4 columns"):
        column_importance(fake(COEF, task_column=7))


@pytest.mark.parametrize("position", [0, -1])
def test_rfe_finds_the_support_and_keeps_the_task(position: int) -> None:
    bunch = stacked()
    X, support = bunch.data, np.append(bunch.support, True)
    if position == 0:
        X, support = np.roll(X, 1, axis=1), np.roll(support, 1)
    selector = RFE(
        StackedRidge(position), n_features_to_select=4, importance_getter=column_importance
    ).fit(X, bunch.target)
    np.testing.assert_array_equal(selector.support_, support)
    assert selector.score(X, bunch.target) > 0.9
    assert selector.estimator_.coef_.shape == (3, 3)


def test_rfecv() -> None:
    bunch = stacked()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    selector = RFECV(
        StackedRidge(-1), cv=3, min_features_to_select=2, importance_getter=column_importance
    )
    selector.fit(bunch.data[order], bunch.target[order])
    assert selector.support_[-1]
    assert selector.support_[:-1][bunch.support].all()


def test_select_from_model_on_a_data_frame() -> None:
    bunch = stacked()
    frame = pd.DataFrame(bunch.data, columns=[f"f{j}" for j in range(8)] + ["school"])
    frame["school"] = frame["school"].map({0: "north", 1: "south", 2: "west"})
    selector = SelectFromModel(
        StackedRidge("school"), importance_getter=column_importance, threshold="0.5*mean"
    ).set_output(transform="pandas")
    chosen = selector.fit_transform(frame, bunch.target)
    kept = [f"f{j}" for j in np.flatnonzero(bunch.support)]
    assert list(chosen.columns) == [*kept, "school"]
    assert StackedRidge("school").fit(chosen, bunch.target).score(chosen, bunch.target) > 0.9
