"""Quantile regression: exact solutions, certificates, layouts, and its solvers."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import d2_pinball_score, mean_pinball_loss
from sklearn.model_selection import KFold

from skmtl import (
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelRegressor,
    FusedTaskRegressor,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    RobustTaskRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.inspection import transfer_gain
from skmtl.model_selection import alpha_max
from skmtl.penalties import L1, L21, TraceNorm


def _tasks(n=40, d=4, n_tasks=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    Y = X @ rng.normal(size=(d, n_tasks)) + rng.standard_t(3, (n, n_tasks)) + np.arange(n_tasks)
    return X, Y


PENALTIES = [
    BlockSparseRegressor(0.05),
    BlockSparseRegressor(0.05, norm="linf"),
    BlockSparseRegressor(0.05, l1_ratio=0.5, sparsity=0.5),
    BlockSparseRegressor(0.05, fit_intercept=False),
    BlockSparseRegressor(0.05, positive=True),
    BlockSparseRegressor(0.05, feature_weight=[1.0, 0.0, 2.0, 1.0]),
    ClusteredTaskRegressor(0.1, n_clusters=2),
    ClusteredTaskRegressor(0.1, n_clusters=2, mean=0.0),
    DirtyModelRegressor(0.05),
    FusedTaskRegressor(0.05),
    GraphRegularizedRegressor(0.1),
    IndependentTaskRegressor(0.1),
    LowRankRegressor(0.05),
    MultiTaskRegressor(0.05, penalty=L21() + TraceNorm(0.5)),
    MultiTaskRegressor(0.05, penalty=L1()),
    PooledTaskRegressor(0.1),
    PooledTaskRegressor(0.1, task_intercepts=False),
    RobustTaskRegressor(0.05),
    TaskRelationRegressor(0.1),
]


@pytest.mark.turns(3)
@pytest.mark.parametrize("quantile", [0.5, 0.9])
@pytest.mark.parametrize("model", PENALTIES, ids=repr)
def test_every_penalty_against_cvxpy(model, quantile):
    X, Y = _tasks()
    Y[::7, 1] = np.nan
    model.set_params(loss="quantile", quantile=quantile, tol=3e-7, max_iter=50_000)
    model.fit(X, Y)
    exact = reference.solve(model, X, Y)
    # The linear program's optimum; coefficients need not be unique.
    assert model.objective_ == pytest.approx(exact.objective, rel=2e-6)
    assert model.objective_ - model.dual_gap_ <= exact.objective * (1 + 1e-8)


class TestAgainstScikitLearn:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize(
        ("alpha", "quantile"),
        [
            (0.0, 0.1),
            (0.02, 0.1),
            (0.02, 0.5),
            (0.02, 0.75),
            pytest.param(0.0, 0.5, marks=pytest.mark.slow),
            pytest.param(0.0, 0.75, marks=pytest.mark.slow),
        ],
    )
    def test_one_task(self, quantile, alpha):
        X, Y = _tasks(60, 5, 1)
        weights = np.random.default_rng(1).integers(0, 3, 60).astype(float)
        theirs = QuantileRegressor(quantile=quantile, alpha=alpha).fit(X, Y[:, 0], weights)
        penalty = MultiTaskRegressor(max(alpha, 1e-9), penalty=L1())
        model = penalty.set_params(loss="quantile", quantile=quantile, tol=1e-7, max_iter=50_000)
        ours = model.fit(X, Y[:, 0], weights)

        def objective(fitted):
            loss = mean_pinball_loss(
                Y[:, 0], fitted.predict(X), sample_weight=weights, alpha=quantile
            )
            return loss + alpha * np.abs(fitted.coef_).sum()

        assert objective(ours) == pytest.approx(objective(theirs), rel=2e-6)
        assert ours.objective_ == pytest.approx(objective(ours), rel=1e-6)
        score = d2_pinball_score(Y[:, 0], ours.predict(X), sample_weight=weights, alpha=quantile)
        assert ours.score(X, Y[:, 0], weights) == pytest.approx(score)

    def test_linear_program_of_unpenalised_tasks(self):
        X, Y = _tasks(30, 3, 2)
        model = IndependentTaskRegressor(0.0, loss="quantile", quantile=0.3, tol=1e-7).fit(X, Y)
        total = 0.0
        for y in Y.T:
            # y = Xw + b + above - below, above and below >= 0.
            A = np.column_stack([X, np.ones(30), np.eye(30), -np.eye(30)])
            cost = np.concatenate([np.zeros(4), np.full(30, 0.3), np.full(30, 0.7)])
            bounds = [(None, None)] * 4 + [(0, None)] * 60
            total += linprog(cost, A_eq=A, b_eq=y, bounds=bounds).fun / 30
        assert model.objective_ == pytest.approx(total, rel=1e-6)


def test_intercepts_are_quantiles_and_alpha_max_is_exact():
    X, Y = _tasks(41)
    for quantile in (0.2, 0.5):
        model = BlockSparseRegressor(loss="quantile", quantile=quantile, tol=1e-8)
        top = alpha_max(model, X, Y)
        model.set_params(alpha=top * (1 + 1e-9)).fit(X, Y)
        assert not model.coef_.any() and model.n_iter_ == 1
        expected = np.quantile(Y, quantile, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(model.intercept_, expected)
        assert model.set_params(alpha=0.97 * top).fit(X, Y).coef_.any()
        # The share of labels below a fit with a free intercept is the quantile.
        model.set_params(alpha=0.02, max_iter=50_000).fit(X, Y)
        below = (model.predict(X) > Y + 1e-9).mean(axis=0)
        upto = (model.predict(X) >= Y - 1e-9).mean(axis=0)
        assert (below <= quantile + 1e-9).all() and (upto >= quantile - 1e-9).all()


def test_layouts_missing_labels_weights_and_single_precision():
    X, Y = _tasks()
    weights = np.random.default_rng(3).integers(0, 3, Y.shape).astype(float)
    weights[:3] = 1.0
    Y[4, 1] = np.nan
    params = {"loss": "quantile", "quantile": 0.7, "tol": 1e-7, "max_iter": 50_000}
    model = LowRankRegressor(0.05, **params).fit(X, Y, weights)
    # An integer weight repeats the label.
    rows, tasks = np.nonzero(~np.isnan(Y))
    times = weights[rows, tasks].astype(int)
    rows, tasks = np.repeat(rows, times), np.repeat(tasks, times)
    frame = pd.DataFrame(X[rows], columns=list("abcd")).assign(task=tasks)
    stacked = LowRankRegressor(0.05, task_column="task", **params).fit(frame, Y[rows, tasks])
    assert stacked.objective_ == pytest.approx(model.objective_, rel=1e-6)
    single = LowRankRegressor(0.05, **{**params, "tol": 1e-4}).fit(X.astype(np.float32), Y, weights)
    assert single.coef_.dtype == np.float32
    assert single.objective_ == pytest.approx(model.objective_, rel=2e-4)
    assert single.dual_gap_ <= 2e-4 * np.abs(Y[~np.isnan(Y)]).sum()
    one_feature = BlockSparseRegressor(0.01, **params).fit(np.ones((40, 1)), Y[:, :1])
    assert one_feature.objective_ == pytest.approx(
        mean_pinball_loss(Y[:, 0], np.full(40, one_feature.intercept_[0]), alpha=0.7), rel=1e-6
    )


def test_units_of_the_tasks():
    X, Y = _tasks()
    params = {"loss": "quantile", "quantile": 0.8, "tol": 1e-6}
    plain = BlockSparseRegressor(0.05, scale_tasks=True, **params).fit(X, Y)
    units = [1e-3, 1.0, 1e6]
    scaled = BlockSparseRegressor(0.05, scale_tasks=True, **params).fit(X, Y * units)
    assert scaled.objective_ == pytest.approx(plain.objective_, rel=2e-6)
    # Labels in other units, and features too.
    other = BlockSparseRegressor(5.0, **params).fit(X, 100 * Y)
    assert other.objective_ > 0 and other.dual_gap_ <= 1e-4 * other.objective_
    wide = IndependentTaskRegressor(1e-3, **params).fit(X * [1.0, 10.0, 100.0, 0.1], Y)
    assert wide.dual_gap_ <= 1e-5 * wide.objective_


def test_separate_losses_and_auxiliary_targets():
    X, Y = _tasks()
    losses = {0: "quantile", 1: "squared", 2: "quantile"}
    model = MultiTaskRegressor(0.1, loss=losses, quantile=0.8, penalty=L21(), tol=1e-6).fit(X, Y)
    exact = reference.solve(model, X, Y)
    assert model.objective_ == pytest.approx(exact.objective, rel=3e-6)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(also=Y[:, 0])
    both = AuxiliaryTaskRegressor(
        BlockSparseRegressor(0.1), auxiliary=["also"], losses={"also": "quantile"}
    )
    assert both.fit(frame, Y[:, 1]).predict(frame).shape == (40,)


def test_alpha_is_selected_by_the_quantile_loss():
    X, Y = _tasks(60, 5)
    folds = list(KFold(3).split(X))
    params = {"loss": "quantile", "quantile": 0.9, "tol": 1e-5}
    model = BlockSparseRegressorCV([0.3, 0.05, 0.005], cv=folds, **params).fit(X, Y)
    errors = {}
    for alpha in model.alphas_:
        fits = [BlockSparseRegressor(alpha, **params).fit(X[train], Y[train]) for train, _ in folds]
        errors[alpha] = np.mean(
            [
                mean_pinball_loss(Y[test], fit.predict(X[test]), alpha=0.9)
                for fit, (_, test) in zip(fits, folds, strict=True)
            ]
        )
    assert model.alpha_ == min(errors, key=errors.get)


def test_new_tasks_and_gains():
    X, Y = _tasks(60)
    model = TaskRelationRegressor(0.005, loss="quantile", quantile=0.8).fit(X, Y[:, :2])
    # A new task that is like the first.
    extended = model.fit_new_task(X[:20], Y[:20, 0], name=2)
    predicted = extended.predict(X)
    assert predicted.shape == (60, 3)
    assert np.corrcoef(predicted[:, 2], predicted[:, 0])[0, 1] > 0.8
    alone = IndependentTaskRegressor(0.1, loss="quantile", quantile=0.8)
    gains = transfer_gain(
        model, X, Y, baselines=[("alone", alone)], tune=False, n_repeats=1, random_state=0
    )
    assert "gain in quantile loss" in str(gains)


def test_readable_refusals():
    X, Y = _tasks()
    for solver in ("fista", "newton", "block"):
        with pytest.raises(ValueError, match=f"solver='{solver}' .*quantile.* no gradient"):
            BlockSparseRegressor(loss="quantile", solver=solver).fit(X, Y)
    with pytest.raises(ValueError, match=r"solver='admm' .*Use solver='auto'"):
        GraphRegularizedRegressor(loss="quantile", solver="admm").fit(X, Y)
    for quantile in (0.0, 1.0, 90):
        with pytest.raises(ValueError, match="'quantile' parameter"):
            BlockSparseRegressor(loss="quantile", quantile=quantile).fit(X, Y)
    with pytest.raises(ValueError, match="intercept must be 'free' with loss='quantile'"):
        BlockSparseRegressor(loss="quantile", intercept="shrunk").fit(X, Y)
    with pytest.raises(ValueError, match="CappedBlockSparseRegressor needs a loss with a gradient"):
        CappedBlockSparseRegressor(loss="quantile").fit(X, Y)


@pytest.mark.parametrize("solver", ["admm", "splitting"])
def test_both_solvers_reach_their_certificate(solver):
    X, Y = _tasks(60, 6)
    model = BlockSparseRegressor(0.05, loss="quantile", quantile=0.6, solver=solver, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = model.fit(X, Y)
        null = sum(
            mean_pinball_loss(y, np.full(60, np.quantile(y, 0.6, method="inverted_cdf")), alpha=0.6)
            for y in Y.T
        )
        assert first.dual_gap_ <= 1e-6 * null
        exact = reference.solve(model, X, Y)
        assert exact.objective - 1e-8 <= first.objective_ <= exact.objective + 1e-6 * null
        # A warm start at the solution takes fewer iterations.
        n_iter = first.n_iter_
        assert model.set_params(warm_start=True).fit(X, Y).n_iter_ <= n_iter


def test_constant_labels_and_perfect_fits():
    X, Y = _tasks(30, 3)
    constant = BlockSparseRegressor(0.1, loss="quantile").fit(X, np.full((30, 2), 3.0))
    np.testing.assert_allclose(constant.intercept_, 3.0)
    assert constant.objective_ == 0 and not constant.coef_.any()
    W = np.array([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.5]])
    exact = LowRankRegressor(1e-3, loss="quantile", tol=1e-6).fit(X, X @ W + 1)
    assert exact.score(X, X @ W + 1) > 0.99


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_tolerance_below_rounding_error():
    """The fit stops with a warning where the kink is lost in the rounding of the predictors."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(size=(200, 4)), np.repeat(np.arange(4), 50)])
        y = X[:, 0] + rng.normal(size=200)
        model = GraphRegularizedRegressor(0.1, loss="quantile", tol=1e-12, task_column=-1)
        assert model.fit(X, y).dual_gap_ < 1e-7
