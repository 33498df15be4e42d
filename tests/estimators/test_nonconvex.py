"""Non-convex estimators: stationary points, monotone objectives, and limiting cases."""

import re
import warnings

import numpy as np
import pytest
from nonconvex_families import CAPPED, FAMILIES, made
from problems import SCENARIOS, Problem, by_turns
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    GroupOverlapClassifier,
    GroupOverlapRegressor,
    IndependentTaskRegressor,
    SparseTaskRelationRegressor,
)
from skmtl.datasets import make_block_sparse

TIGHT = {"tol": 1e-7, "max_iter": 100_000, "max_stages": 500}
QUIET = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def numeric_gradient(problem, W, b):
    """The data term's, by central differences of the loops over raw data."""
    G, step = np.empty_like(W), 1e-5
    for j, t in np.ndindex(*W.shape):
        up, down = W.copy(), W.copy()
        up[j, t] += step
        down[j, t] -= step
        G[j, t] = (problem.data_term(up.T, b) - problem.data_term(down.T, b)) / (2 * step)
    return G


@pytest.mark.parametrize("name", FAMILIES)
def test_verbose_prints_every_stage(name, capsys):
    problem = Problem(SCENARIOS[0], classify=False)
    model = made(name, False, **problem.params).fit(problem.X, problem.y)
    assert not capsys.readouterr().out
    model.set_params(verbose=1).fit(problem.X, problem.y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_stages_ + 1
    for k, line in enumerate(lines):
        found = re.fullmatch(r"stage (\d+): objective (\S+), stationarity (\S+)", line)
        assert int(found[1]) == k
        assert float(found[2]) == pytest.approx(model.objectives_[k], rel=1e-8)
    assert float(found[3]) == pytest.approx(model.stationarity_, rel=1e-2)


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    ("name", "scenario", "classify"),
    list(by_turns(FAMILIES, [SCENARIOS[k] for k in (0, 1, 2, 3, 7, 8, 9, 12)])),
)
def test_the_fit_is_stationary_and_the_objective_as_stated(name, scenario, classify):
    problem = Problem(scenario, classify=classify)
    model = made(name, classify, **problem.params, **TIGHT)
    model.fit(problem.X, problem.y, problem.sample_weight)
    penalty, residual = FAMILIES[name][3:]
    W = np.asarray(model.coef_, dtype=float).T
    assert W.any()
    stated = problem.data_term(model.coef_, model.intercept_) + penalty(model, W, None)
    assert model.objective_ == pytest.approx(stated, rel=1e-6)
    assert model.stationarity_ <= TIGHT["tol"] and np.isnan(model.dual_gap_)
    assert (np.diff(model.objectives_) <= 0).all()
    assert model.objectives_[-1] == model.objective_
    assert len(model.objectives_) == model.n_stages_ + 1
    G = numeric_gradient(problem, W, model.intercept_)
    top = np.abs(numeric_gradient(problem, 0 * W, model.intercept_)).max()
    assert residual(model, G, W).max() <= 5e-3 * top
    if problem.fit_intercept:
        for t in range(len(model.intercept_)):
            step = 1e-5 * (np.arange(len(model.intercept_)) == t)
            up = problem.data_term(model.coef_, model.intercept_ + step)
            down = problem.data_term(model.coef_, model.intercept_ - step)
            assert abs(up - down) / 2e-5 <= 2e-3 * top


@pytest.mark.parametrize("name", FAMILIES)
def test_stationarity_bounds_what_the_next_stage_gains(name):
    data = make_block_sparse(60, 12, 4, n_informative=4, random_state=1)
    null = sum(((y - y.mean()) ** 2).mean() / 2 for y in data.target.T)
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for stages in (1, 2):
            model = made(name, False, max_stages=stages, tol=1e-12, max_iter=50_000)
            values.append(model.fit(data.data, data.target))
    first, second = values
    gained = first.objectives_[-1] - second.objectives_[min(2, second.n_stages_)]
    # A step in the first block can make a decrease in the second one possible.
    slack = 1.0 if name in ("capped", "mcp") else 3.0
    assert gained <= slack * first.stationarity_ * null + 1e-9 * null


class TestLimits:
    def test_a_large_threshold_is_the_lasso(self):
        data = make_block_sparse(60, 10, 3, n_informative=4, random_state=0)
        model = CappedBlockSparseRegressor(0.2, threshold=1e6, tol=1e-10)
        model.fit(data.data, data.target)
        for t in range(3):
            alone = Lasso(0.2, tol=1e-10).fit(data.data, data.target[:, t])
            np.testing.assert_allclose(model.coef_[t], alone.coef_, atol=1e-5)
            assert model.intercept_[t] == pytest.approx(alone.intercept_, abs=1e-5)

    @pytest.mark.parametrize("classify", [False, True])
    def test_a_large_gamma_is_block_sparse(self, classify):
        data = make_block_sparse(
            80, 10, 3, n_informative=4, classification=classify, random_state=0
        )
        alpha = 0.03 if classify else 0.2
        block = (BlockSparseRegressor, BlockSparseClassifier)[classify](alpha, tol=1e-10)
        block.fit(data.data, data.target)
        model = CAPPED[classify](alpha, penalty="mcp", gamma=1e9, tol=1e-9)
        model.fit(data.data, data.target)
        np.testing.assert_allclose(model.coef_, block.coef_, atol=1e-4)
        assert model.objective_ == pytest.approx(block.objective_, rel=1e-7)

    def test_a_large_sparsity_is_a_ridge_for_each_task(self):
        data = make_block_sparse(60, 10, 3, n_informative=4, random_state=0)
        model = SparseTaskRelationRegressor(0.1 * 1e7, sparsity=1e7).fit(data.data, data.target)
        ridge = IndependentTaskRegressor(0.1).fit(data.data, data.target)
        np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-4)
        assert not model.task_graph_.any()

    @QUIET
    @pytest.mark.parametrize("name", FAMILIES)
    def test_no_penalty_is_least_squares(self, name):
        data = make_block_sparse(60, 5, 3, n_informative=4, random_state=0)
        params = {"n_latent": 3} if name == "overlap" else {}
        model = made(name, False, **params).set_params(alpha=0.0, tol=1e-8)
        model.fit(data.data, data.target)
        plain = IndependentTaskRegressor(0.0).fit(data.data, data.target)
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=2e-3)

    @pytest.mark.parametrize("name", ["capped", "mcp"])
    def test_a_large_alpha_is_the_null_model(self, name):
        data = make_block_sparse(60, 5, 3, random_state=0, n_informative=2)
        model = made(name, False).set_params(alpha=1e4).fit(data.data, data.target)
        assert not model.coef_.any() and model.stationarity_ == 0
        np.testing.assert_allclose(model.intercept_, data.target.mean(axis=0))


@pytest.mark.parametrize("name", FAMILIES)
class TestAsAnEstimator:
    def test_the_same_result_again(self, name):
        data = make_block_sparse(50, 8, 4, n_informative=3, random_state=0)
        model = made(name, False)
        first, second = (clone(model).fit(data.data, data.target) for _ in range(2))
        np.testing.assert_array_equal(first.coef_, second.coef_)
        np.testing.assert_array_equal(first.objectives_, second.objectives_)

    def test_warm_start_ends_where_it_began(self, name):
        data = make_block_sparse(50, 8, 4, n_informative=3, random_state=0)
        model = made(name, False, warm_start=True, **TIGHT).fit(data.data, data.target)
        before = model.coef_.copy()
        model.set_params(tol=1e-6).fit(data.data, data.target)
        assert model.n_stages_ <= 1
        np.testing.assert_allclose(model.coef_, before, atol=1e-5)

    def test_float32(self, name):
        data = make_block_sparse(50, 8, 4, n_informative=3, random_state=0)
        X = data.data.astype(np.float32)
        single = made(name, False).fit(X, data.target)
        double = made(name, False).fit(data.data, data.target)
        assert single.coef_.dtype == np.float32
        np.testing.assert_allclose(single.coef_, double.coef_, atol=0.02)

    def test_float32_with_another_loss(self, name):
        data = make_block_sparse(80, 6, 3, n_informative=3, classification=True, random_state=0)
        single = made(name, True).fit(data.data.astype(np.float32), data.target)
        double = made(name, True).fit(data.data, data.target)
        assert single.coef_.dtype == np.float32
        assert single.objective_ == pytest.approx(double.objective_, rel=1e-3)

    def test_scaled_tasks(self, name):
        data = make_block_sparse(50, 8, 4, n_informative=3, random_state=0)
        units = np.array([1.0, 10.0, 0.1, 3.0])
        model = made(name, False, scale_tasks=True)
        one = clone(model).fit(data.data, data.target)
        other = clone(model).fit(data.data, data.target * units)
        np.testing.assert_allclose(other.coef_, one.coef_ * units[:, None], rtol=1e-3, atol=1e-3)
        if name == "overlap":
            np.testing.assert_allclose(other.assignments_ @ other.latent_tasks_, other.coef_)

    @pytest.mark.turns(2)
    @QUIET
    @pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
    def test_other_losses_fall_too(self, name, loss):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 5))
        z = X @ rng.standard_normal((5, 3)) / 2
        Y = {"huber": z, "poisson": rng.poisson(np.exp(z)), "squared_hinge": z > 0}[loss]
        model = made(name, loss == "squared_hinge", loss=loss).fit(X, Y)
        assert (np.diff(model.objectives_) <= 0).all()
        assert np.isfinite(model.coef_).all() and model.stationarity_ < 1e-2

    def test_a_task_of_one_class(self, name):
        data = make_block_sparse(60, 6, 3, n_informative=3, classification=True, random_state=0)
        Y = data.target.astype(float)
        Y[:, 1] = 1.0
        with pytest.warns(UserWarning, match="same in the tasks"):
            model = made(name, True).fit(data.data, Y)
        assert not model.coef_[1].any() and model.coef_[[0, 2]].any()
        others = made(name, True).fit(data.data, Y[:, [0, 2]])
        np.testing.assert_allclose(model.coef_[[0, 2]], others.coef_)
        if name == "relation":
            assert np.isnan(model.task_precision_[1]).all() and not model.task_graph_[1].any()
        if name == "overlap":
            assert not model.assignments_[1].any()
        with pytest.warns(UserWarning, match="same in the tasks"):
            none = made(name, True).fit(data.data, np.ones_like(Y))
        assert not none.coef_.any() and none.stationarity_ == 0

    def test_too_few_stages_warn(self, name):
        data = make_block_sparse(50, 20, 4, n_informative=6, noise=3.0, random_state=0)
        model = made(name, False, max_stages=1, max_iter=3, tol=1e-12)
        with pytest.warns(ConvergenceWarning, match="max_stages"):
            model.fit(data.data, data.target)
        assert model.stationarity_ > 1e-12 and model.n_stages_ <= 1

    def test_in_a_pipeline_with_a_grid(self, name):
        data = make_block_sparse(60, 6, 3, n_informative=3, random_state=0)
        pipeline = make_pipeline(StandardScaler(), made(name, False))
        step = pipeline.steps[-1][0]
        search = GridSearchCV(pipeline, {f"{step}__alpha": [0.01, 0.1]}, cv=3)
        search.fit(data.data, data.target)
        assert search.best_score_ > 0.5

    def test_one_task_and_a_task_column_agree_with_a_matrix(self, name):
        data = make_block_sparse(40, 5, 3, n_informative=3, layout="stacked", random_state=0)
        X, y = data.data, data.target
        stacked = made(name, False, task_column=-1, tol=1e-8).fit(X, y)
        Y = np.full((len(y), 3), np.nan)
        Y[np.arange(len(y)), X[:, -1].astype(int)] = y
        shared = made(name, False, tol=1e-8).fit(X[:, :-1], Y)
        np.testing.assert_allclose(shared.coef_, stacked.coef_, atol=1e-4)
        alone = made(name, False).fit(X[:, :-1], y)
        assert alone.coef_.shape == (5,)


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (CappedBlockSparseRegressor, {"threshold": 0.0}),
        (CappedBlockSparseRegressor, {"gamma": -1.0}),
        (CappedBlockSparseRegressor, {"penalty": "scad"}),
        (CappedBlockSparseRegressor, {"max_stages": 0}),
        (SparseTaskRelationRegressor, {"sparsity": 0.0}),
        (GroupOverlapRegressor, {"n_latent": 0}),
        (GroupOverlapRegressor, {"ridge": 0.0}),
        (GroupOverlapRegressor, {"n_init": 0}),
        (GroupOverlapClassifier, {"loss": "multinomial"}),
    ],
)
def test_wrong_parameters(cls, params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        cls(**params).fit(np.eye(4), np.eye(4)[:, :2])
