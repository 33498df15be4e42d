"""Ridges for a grid of strengths against scikit-learn's, task by task."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skmtl import IndependentTaskRegressor
from skmtl.estimators import _ridge_path
from skmtl.estimators._ridge_cv import _folds


def stacked(n_tasks, d=4, rows=12):
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(ids), d)) + rng.normal(size=d)
    W = rng.normal(size=(n_tasks, d)) * rng.lognormal(size=(n_tasks, 1))
    y = np.einsum("ij,ij->i", X, W[ids]) + ids % 5 + rng.normal(size=len(ids))
    return np.column_stack([X, ids]), y


@pytest.mark.turns(3)
@pytest.mark.parametrize("block", [1, 2**22])
@pytest.mark.parametrize("d, intercept", [(4, True), (14, False)])
@pytest.mark.parametrize("factored", [True, False])
def test_losses_are_those_of_separate_ridges(monkeypatch, block, d, intercept, factored):
    # In blocks of one task and in one block; with a feature that is zero in some tasks.
    if not factored:
        monkeypatch.setattr(_ridge_path, "_solved", lambda *_: None)
    monkeypatch.setattr(_ridge_path, "_BLOCK_BYTES", block)
    n_tasks = 7
    X, y = stacked(n_tasks, d)
    X[X[:, -1] < 2, 0] = 0.0
    model = IndependentTaskRegressor("cv-each", fit_intercept=intercept, task_column=-1)
    kept = {}

    def folds(estimator, data):
        kept["folds"] = _folds(estimator, data)
        return kept["folds"]

    monkeypatch.setattr("skmtl.estimators._ridge_cv._folds", folds)
    model.fit(X, y)
    expected = np.zeros((len(model.alphas_), n_tasks))
    for fold in kept["folds"]:
        for t in range(n_tasks):
            train = np.flatnonzero(X[fold.train, -1] == t)
            test = np.flatnonzero(X[fold.test, -1] == t)
            A, b = X[fold.train][train, :-1], y[fold.train][train]
            C, e = X[fold.test][test, :-1], y[fold.test][test]
            # The training loss is weighted by the number of tasks over that of labels.
            scale = n_tasks / len(fold.train)
            for k, alpha in enumerate(model.alphas_):
                ridge = Ridge(alpha / scale, fit_intercept=intercept, solver="svd").fit(A, b)
                expected[k, t] += ((ridge.predict(C) - e) ** 2).sum() / 2
    np.testing.assert_allclose(model.cv_losses_, expected / 12, rtol=1e-6)
    np.testing.assert_array_equal(model.alpha_, model.alphas_[expected.argmin(axis=0)])


def test_many_tasks_are_chosen_as_few():
    X, y = stacked(400)
    model = IndependentTaskRegressor("cv-each", task_column=-1).fit(X, y)
    np.testing.assert_array_equal(model.alpha_, model.alphas_[model.cv_losses_.argmin(axis=0)])
    assert len(np.unique(model.alpha_)) > 5
    for t in (0, 17, 399):
        rows = X[:, -1] == t
        ridge = Ridge(model.alpha_[t] * 12, solver="svd").fit(X[rows, :-1], y[rows])
        np.testing.assert_allclose(model.coef_[t], ridge.coef_, atol=1e-9)
