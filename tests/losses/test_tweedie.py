"""Positive amounts: the gamma and the Tweedie loss, their limits, and scikit-learn's estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import GammaRegressor, TweedieRegressor

from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelRegressor,
    FusedTaskRegressor,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.losses import GammaLoss, PoissonLoss, TweedieLoss
from skmtl.model_selection import alpha_max
from skmtl.penalties import L21, TraceNorm

TIGHT = {"tol": 1e-11, "max_iter": 20_000}


def _amounts(n_tasks=3, n=60, d=4, zeros=True, seed=0):
    """X, and positive amounts in units that differ between tasks; with zeros, half of them are."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    mean = np.exp(X @ rng.normal(0, 0.4, (d, n_tasks)) + np.arange(n_tasks) - 1)
    Y = rng.gamma(2.0, mean / 2)
    return X, np.where(rng.random(Y.shape) < 0.3, 0.0, Y) if zeros else Y


class TestLimits:
    @pytest.mark.parametrize(
        ("power", "limit"), [(1 + 1e-7, PoissonLoss()), (2 - 1e-7, GammaLoss())]
    )
    def test_of_values_and_conjugates(self, power, limit):
        loss, y = TweedieLoss(power), np.array([[0.3], [1.0], [40.0]])
        z, u = np.linspace(-5, 5, 11), np.linspace(-0.25, 0.9, 9)
        np.testing.assert_allclose(loss.value(y, z), limit.value(y, z), rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(loss.gradient(y, z), limit.gradient(y, z), rtol=1e-5, atol=1e-6)
        u = np.broadcast_to(u, (3, 9))
        np.testing.assert_allclose(
            loss.conjugate(y, u), limit.conjugate(y, u), rtol=1e-5, atol=1e-6
        )

    @pytest.mark.parametrize(("power", "loss"), [(1, "poisson"), (2, "gamma")])
    def test_of_fits(self, power, loss):
        X, Y = _amounts(zeros=False)
        ends = BlockSparseRegressor(0.1, loss="tweedie", tweedie_power=power, tol=1e-9).fit(X, Y)
        plain = BlockSparseRegressor(0.1, loss=loss, tol=1e-9).fit(X, Y)
        np.testing.assert_array_equal(ends.coef_, plain.coef_)

    @pytest.mark.parametrize("power", [1.0001, 1.1, 1.5, 1.9, 1.9999])
    def test_conjugate_of_extreme_slopes(self, power):
        loss = TweedieLoss(power)
        y, z = np.meshgrid([1e-8, 1e-3, 1.0, 1e3, 1e8], np.linspace(-12, 12, 25))
        u = loss.gradient(y, z)
        both = loss.value(y, z) + loss.conjugate(y, u)
        # Fenchel and Young: equality at the gradient, whatever the root finder did.
        size = np.abs(loss.value(y, z)) + np.abs(u * z)
        assert (np.abs(both - u * z) <= 1e-9 * size + 1e-12).all()

    def test_zeros(self):
        zero, one = np.zeros(1), np.ones(1)
        assert TweedieLoss(1.5).conjugate(zero, -1e-9 * one) == np.inf
        assert TweedieLoss(1.5).conjugate(zero, zero) == 0
        # Where e^(-z/2) overflows, a zero has no falling term.
        loss, z = TweedieLoss(1.5), np.array([-1000.0, -1500.0])
        none = np.zeros(2)
        np.testing.assert_array_equal(loss.gradient(none, z), np.exp(z / 2))
        np.testing.assert_array_equal(loss.curvature(none, z), np.exp(z / 2) / 2)
        assert (loss.divergence_bound(none, z, np.ones(2)) >= 0).all()
        assert (
            GammaLoss().conjugate(one, one) == 1
            and GammaLoss().conjugate(one, 1.01 * one) == np.inf
        )


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("alpha", [1e-6, 0.3])
    @pytest.mark.parametrize("fit_intercept", [True, False])
    @pytest.mark.parametrize("power", [1.0, 1.2, 1.5, 1.9, 2.0])
    def test_one_task(self, power, fit_intercept, alpha):
        X, Y = _amounts(1, zeros=power < 2)
        weights = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
        options = {"alpha": alpha, "fit_intercept": fit_intercept}
        theirs = TweedieRegressor(
            power=power, link="log", solver="newton-cholesky", tol=1e-10, max_iter=1000, **options
        )
        theirs.fit(X, Y[:, 0], sample_weight=weights)
        ours = IndependentTaskRegressor(loss="tweedie", tweedie_power=power, **options, **TIGHT)
        ours.fit(X, Y[:, 0], sample_weight=weights)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
        assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)

    def test_gamma_of_several_tasks(self):
        X, Y = _amounts(zeros=False)
        ours = IndependentTaskRegressor(0.1, loss="gamma", **TIGHT).fit(X, Y)
        for t, y in enumerate(Y.T):
            # The mean over tasks and rows here, over rows there.
            theirs = GammaRegressor(alpha=0.1, solver="newton-cholesky", tol=1e-10).fit(X, y)
            np.testing.assert_allclose(ours.coef_[t], theirs.coef_, rtol=1e-5, atol=1e-6)


PENALTIES = [
    BlockSparseRegressor(0.1),
    BlockSparseRegressor(0.1, norm="linf"),
    BlockSparseRegressor(0.05, sparsity=0.5, intercept="shrunk"),
    ClusteredTaskRegressor(0.2, n_clusters=2),
    DirtyModelRegressor(0.1),
    FusedTaskRegressor(0.1),
    GraphRegularizedRegressor(0.1),
    LowRankRegressor(0.1),
    MultiTaskRegressor(0.1, penalty=L21() + TraceNorm(0.5)),
    PooledTaskRegressor(0.1),
    PooledTaskRegressor(0.1, task_intercepts=False),
    TaskRelationRegressor(0.1),
]


@pytest.mark.turns(2)
@pytest.mark.parametrize("model", PENALTIES, ids=repr)
@pytest.mark.parametrize("loss", ["gamma", "tweedie"])
def test_every_penalty_against_cvxpy(model, loss):
    X, Y = _amounts(zeros=loss == "tweedie", n=30)
    Y[::7, 1] = np.nan
    model.set_params(loss=loss, tweedie_power=1.4, tol=1e-8)
    exact = reference.solve(model, X, Y)
    model.fit(X, Y)
    scale = 1 + exact.objective
    assert abs(model.objective_ - exact.objective) <= 1e-6 * scale
    assert model.dual_gap_ <= 1e-6 * scale
    assert model.objective_ - model.dual_gap_ <= exact.objective + 1e-7 * scale


@pytest.mark.parametrize("loss", ["gamma", "tweedie"])
def test_layouts_missing_labels_and_zero_weights(loss):
    X, Y = _amounts(zeros=loss == "tweedie")
    weights = np.ones(Y.shape)
    weights[5, 0] = weights[7, 2] = 0.0
    Y[9, 1] = np.nan
    model = BlockSparseRegressor(0.05, loss=loss, tol=1e-10)
    masked = model.fit(X, np.where(weights > 0, Y, np.nan)).coef_
    # The refused label has no weight.
    Y[5, 0] = -3.0
    np.testing.assert_allclose(model.fit(X, Y, weights).coef_, masked, atol=1e-6)
    rows, tasks = np.nonzero((weights > 0) & ~np.isnan(Y))
    frame = pd.DataFrame(X[rows], columns=list("abcd")).assign(task=tasks)
    stacked = BlockSparseRegressor(0.05, loss=loss, tol=1e-10, task_column="task")
    np.testing.assert_allclose(stacked.fit(frame, Y[rows, tasks]).coef_, masked, atol=1e-6)
    assert (stacked.predict(frame) > 0).all()


def test_units():
    X, Y = _amounts()
    scaled = BlockSparseRegressor(0.1, loss="tweedie", scale_tasks=True, tol=1e-9)
    first = scaled.fit(X, Y).predict(X)
    np.testing.assert_allclose(scaled.fit(X, Y * 1e5).predict(X), first * 1e5, rtol=1e-4)
    # Amounts far from 1 need many Newton steps from an intercept of 0.
    for unit in (1e-6, 1e6):
        model = IndependentTaskRegressor(0.1, loss="gamma", tol=1e-9).fit(X, (Y + 0.1) * unit)
        assert model.dual_gap_ <= 1e-8
        level = (Y + 0.1).mean(axis=0) * unit
        assert (np.abs(np.log(model.predict(X).mean(axis=0) / level)) < 0.3).all()
    top = alpha_max(BlockSparseRegressor(loss="gamma"), X, Y + 0.1)
    assert not BlockSparseRegressor(top * 1.0001, loss="gamma").fit(X, Y + 0.1).coef_.any()
    assert BlockSparseRegressor(top * 0.98, loss="gamma", tol=1e-8).fit(X, Y + 0.1).coef_.any()


def test_refused_labels():
    X, Y = _amounts()
    Y[:, :] = np.abs(Y) + 0.1
    Y[4, 1] = 0.0
    message = r"loss='gamma' needs labels > 0; y holds 0 in row 4. .* loss='tweedie'"
    with pytest.raises(ValueError, match=message):
        BlockSparseRegressor(loss="gamma").fit(X, Y)
    BlockSparseRegressor(loss="tweedie").fit(X, Y)
    with pytest.raises(ValueError, match="loss='tweedie' needs labels >= 0; y holds -2 in row 5"):
        BlockSparseRegressor(loss="tweedie").fit(X[:7, :2], [1, 2, 3, 4, 5, -2, 1])
    with pytest.raises(ValueError, match=r"loss='gamma' needs labels > 0; y holds 0 .*row 4"):
        MultiTaskRegressor(loss={0: "squared", 1: "gamma", 2: "poisson"}, penalty=L21()).fit(X, Y)
    for power in (0.99, 2.01):
        with pytest.raises(ValueError, match=r"'tweedie_power' parameter .* range \[1.0, 2.0\]"):
            BlockSparseRegressor(loss="tweedie", tweedie_power=power).fit(X, Y)
    Y[:, 1] = 0.0
    with pytest.warns(UserWarning, match=r"same in the tasks \[1\]"):
        model = BlockSparseRegressor(loss="tweedie").fit(X, Y)
    assert model.intercept_[1] == pytest.approx(-np.log(121)) and not model.coef_[1].any()


def test_beside_other_losses():
    X, Y = _amounts(zeros=False)
    losses = {0: "gamma", 1: "tweedie", 2: "squared"}
    model = MultiTaskRegressor(0.1, loss=losses, penalty=L21(), tol=1e-9).fit(X, Y)
    exact = reference.solve(model, X, Y)
    assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
    # Auxiliary amounts, known only in training, beside a main task with the squared loss.
    frame = pd.DataFrame(X, columns=list("abcd")).assign(paid=Y[:, 0])
    both = AuxiliaryTaskRegressor(
        BlockSparseRegressor(0.1), auxiliary=["paid"], losses={"paid": "gamma"}
    )
    assert both.fit(frame, Y[:, 1]).predict(frame).shape == (60,)
    frame.loc[3, "paid"] = 0.0
    with pytest.raises(ValueError, match="loss='gamma' needs labels > 0; the auxiliary column"):
        both.fit(frame, Y[:, 1])
