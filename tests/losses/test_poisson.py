"""Counts of different sizes, outlying rows without a label, single precision."""

import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from sklearn.base import clone

from skmtl import (
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelRegressor,
    FusedTaskRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    RobustTaskRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.losses import PoissonLoss

ALL = [
    BlockSparseRegressor(),
    BlockSparseRegressor(norm="linf"),
    BlockSparseRegressor(sparsity=0.5),
    CappedBlockSparseRegressor(),
    ClusteredTaskRegressor(),
    DirtyModelRegressor(private=0.7),
    FusedTaskRegressor(),
    IndependentTaskRegressor(),
    LowRankRegressor(),
    MultiTaskRegressor(),
    PooledTaskRegressor(),
    PooledTaskRegressor(task_intercepts=False),
    RobustTaskRegressor(),
    TaskRelationRegressor(),
]


def _fit(model, X, Y):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return model.set_params(loss="poisson").fit(X, Y)


@pytest.mark.turns(2)
@pytest.mark.parametrize("model", ALL, ids=repr)
def test_a_missing_label_among_large_counts(model):
    """As in the stacked layout, where the row with the missing label is not a row of that task."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = rng.poisson([5, 1000], (60, 2)).astype(float)
    # A predictor here would overflow in the first steps of task 1.
    X[3, 0], Y[3, 1] = 30.0, np.nan
    model.set_params(tol=1e-6)
    shared = _fit(clone(model), X, Y)
    rows, tasks = np.nonzero(~np.isnan(Y))
    rows_of_tasks = np.column_stack([X[rows], tasks])
    stacked = _fit(clone(model).set_params(task_column=-1), rows_of_tasks, Y[rows, tasks])
    assert shared.objective_ == pytest.approx(stacked.objective_, rel=1e-5)
    if getattr(model, "task_intercepts", True):
        np.testing.assert_allclose(shared.intercept_, np.log([5, 1000]), atol=0.2)


@pytest.mark.parametrize("far", [1e2, 1e4])
def test_rows_that_only_one_task_has(far):
    """The optimum is that of the stacked layout, where such a row belongs to one task alone."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 4))
    Y = rng.poisson(np.exp(X @ rng.normal(0, 0.3, (4, 3)) + [0, 3, 6])).astype(float)
    X[:8] *= far
    Y[:8, 1:] = np.nan
    Y[:8, 0] = rng.poisson(1, 8)
    params = {"alpha": 0.1, "loss": "poisson", "tol": 1e-7}
    shared = BlockSparseRegressor(**params).fit(X, Y)
    rows, tasks = np.nonzero(~np.isnan(Y))
    stacked = BlockSparseRegressor(**params, task_column=-1)
    stacked.fit(np.column_stack([X[rows], tasks]), Y[rows, tasks])
    assert shared.objective_ == pytest.approx(stacked.objective_, rel=1e-6)
    np.testing.assert_allclose(shared.coef_, stacked.coef_, atol=1e-4)
    assert shared.dual_gap_ <= 1e-3


@pytest.mark.turns(2)
@pytest.mark.parametrize("mean", [10, 300, 1e6])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_counts_of_unequal_sizes(mean, sparsity):
    """Large and small counts, over many draws: no division by a residual of zero."""
    for seed in range(8):
        rng = np.random.RandomState(seed)
        X = rng.standard_normal((80, 5))
        Y = rng.poisson(np.exp(X @ rng.normal(0, 0.5, (5, 2))) * [mean, 1]).astype(float)
        model = BlockSparseRegressor(0.01, loss="poisson", sparsity=sparsity).fit(X, Y)
        # The null deviance is the scale of the tolerance.
        null = sum(_deviance(y) for y in Y.T) / 80
        assert model.dual_gap_ <= 1e-4 * null * (1 + 1e-9)
    exact = reference.solve(BlockSparseRegressor(0.01, loss="poisson", sparsity=sparsity), X, Y)
    assert model.objective_ <= exact.objective + 1e-4 * null


def _deviance(y):
    mean = y.mean()
    return (mean - y * np.log(mean) + np.where(y > 0, y * np.log(np.maximum(y, 1)), 0) - y).sum()


@pytest.mark.parametrize(
    "model",
    [
        LowRankRegressor(),
        TaskRelationRegressor(),
        BlockSparseRegressor(norm="linf"),
        BlockSparseRegressor(solver="fista"),
        DirtyModelRegressor(private=0.7),
    ],
    ids=repr,
)
def test_single_precision_takes_the_same_steps(model):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((100, 6))
    Y = rng.poisson(2000 * np.exp(X @ rng.normal(0, 0.2, (6, 3)))).astype(float)
    double = _fit(model, X, Y).n_iter_
    single = _fit(model, X.astype(np.float32), Y)
    assert single.n_iter_ <= 2 * double
    assert single.coef_.dtype == np.float32


def test_poisson_predicts_the_mean_response():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    means = np.exp(X @ np.array([[0.5, 0.3], [0.0, -0.4], [0.2, 0.2]]) + [1.0, 2.0])
    counts = rng.poisson(means)
    # With a free intercept the fitted means sum to the sum of counts.
    model = BlockSparseRegressor(1e-3, loss="poisson", tol=1e-8).fit(X, counts)
    np.testing.assert_allclose(model.predict(X).mean(axis=0), counts.mean(axis=0), rtol=1e-3)
    scaled = BlockSparseRegressor(1e-3, loss="poisson", scale_tasks=True, tol=1e-8)
    predicted = scaled.fit(X, 100.0 * counts).predict(X)
    np.testing.assert_allclose(predicted.mean(axis=0), 100 * counts.mean(axis=0), rtol=1e-3)
    with pytest.raises(ValueError, match="loss='poisson' needs labels >= 0; y holds -1"):
        model.fit(X, rng.poisson(means) - 1)
    counts[:, 1] = 0
    with pytest.warns(UserWarning, match=r"same in the tasks \[1\]"):
        model.fit(X, counts)
    assert model.intercept_[1] == pytest.approx(-np.log(801)) and not model.coef_[1].any()


@pytest.mark.parametrize("y", [1e-3, 1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("shift", [-3.0, -0.06, -0.04, -1e-4, 1e-7, 1e-4, 0.04, 0.06, 3.0])
def test_large_counts_lose_no_digits(y, shift):
    """The loss and its conjugate near z = log(y), where they are far smaller than their terms."""
    loss = PoissonLoss()
    z = float(np.log(y) + shift)
    u = float(y * np.expm1(shift))
    with localcontext(prec=50):
        label, point, mean = Decimal(y), Decimal(z), Decimal(y) + Decimal(u)
        least = label * label.ln() - label
        value = float(point.exp() - label * point + least)
        conjugate = float(mean * mean.ln() - mean - least)
    # What the rounding of the difference z - log(y) alone would change.
    rounding = 4e-16 * (1 + abs(z)) * abs(u)
    found = float(loss.value(np.array([y]), np.array([z]))[0])
    assert found == pytest.approx(value, rel=1e-10, abs=rounding)
    found = float(loss.conjugate(np.array([y]), np.array([u]))[0])
    assert found == pytest.approx(conjugate, rel=1e-10, abs=rounding)
