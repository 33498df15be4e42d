"""Paths of folds that are guided by the path over all rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV

from skmtl import BlockSparseClassifier, BlockSparseClassifierCV, MultiTaskRegressor, reference
from skmtl.estimators.tuning import follow_path, prepare_objective
from skmtl.estimators.tuning._guide import guide_folds
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.objective import KnownGrams
from skmtl.penalties import L21
from skmtl.solvers import Block, Guided, choose_solver, solve

TOL = 1e-9


def problem(n_features=30, *, missing=0.0, sparse=False, classes=True):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, n_features))
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0
    W = np.zeros((n_features, 4))
    W[:5] = rng.standard_normal((5, 4))
    Z = X @ W + rng.standard_normal((120, 4))
    Y = (Z > 0).astype(float) if classes else rng.poisson(np.exp(Z / 4)).astype(float)
    Y[rng.random(Y.shape) < missing] = np.nan
    return (sp.csr_array(X) if sparse else X), Y


CASES = {
    "plain": ({}, {}),
    "elastic": ({"l1_ratio": 0.7}, {}),
    "sparse group": ({"sparsity": 0.4}, {}),
    "positive": ({"positive": True}, {}),
    "no intercept": ({"fit_intercept": False}, {}),
    "squared hinge": ({"loss": "squared_hinge"}, {}),
    "missing labels": ({}, {"missing": 0.5}),
    "sparse matrix": ({}, {"sparse": True}),
    "many features": ({}, {"n_features": 300}),
}


@pytest.mark.parametrize("case", CASES)
def test_guided_fits_are_the_minimisers(case):
    """With a guide, fits to other rows are certified and equal those without."""
    params, kind = CASES[case]
    X, Y = problem(**kind)
    model = BlockSparseClassifier(tol=TOL, **params)
    data = model._read(X, Y, None)
    alphas = 0.2 * np.geomspace(1, 0.03, 5)
    (steps,) = guide_folds([model], data, [alphas], prepare_objective(model, data), 5)
    guide = list(steps)
    assert any(step.known is not None for step in guide)
    part = data.take(np.flatnonzero(np.arange(data.X.shape[0]) % 5))
    prepared = prepare_objective(model, part)
    for alpha, own, other in zip(
        alphas,
        follow_path(model, part, alphas, prepared, guide=guide),
        follow_path(model, part, alphas, prepared),
        strict=True,
    ):
        assert own.dual_gap <= TOL * prepared.null_value
        assert own.objective == pytest.approx(other.objective, abs=2 * TOL * prepared.null_value)
        assert_allclose(own.coef, other.coef, atol=3e-3, err_msg=str(alpha))


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_guided_fits_reach_cvxpys_optimum(missing):
    X, Y = problem(8, missing=missing)
    labelled = ~np.isnan(Y).all(axis=1)  # other rows are left out of the data
    X, Y = X[labelled], Y[labelled]
    model, rows = BlockSparseClassifier(tol=TOL), np.arange(len(X)) % 3 > 0
    data = model._read(X, Y, None)
    alphas = [0.05, 0.02]
    (steps,) = guide_folds([model], data, [alphas], prepare_objective(model, data), 3)
    part = data.take(np.flatnonzero(rows))
    fits = follow_path(model, part, alphas, prepare_objective(model, part), guide=list(steps))
    for alpha, fit in zip(alphas, fits, strict=True):
        best = reference.solve(BlockSparseClassifier(alpha), X[rows], Y[rows])
        assert fit.objective == pytest.approx(best.objective, rel=1e-6)
        assert_allclose(fit.coef, best.coef_, atol=1e-3)


def test_scores_equal_those_of_a_grid_search():
    """The guide changes neither scores nor the selected alpha."""
    X, Y = problem()
    folds = StratifiedTaskKFold(4, random_state=0)
    model = BlockSparseClassifierCV(6, eps=0.03, cv=folds, tol=TOL).fit(X, Y)

    def score(model, X, y):
        z = model.decision_function(X) * (2 * y - 1)
        return -np.logaddexp(0, -z).mean()

    grid = GridSearchCV(
        BlockSparseClassifier(tol=TOL), {"alpha": model.alphas_}, cv=folds, scoring=score
    ).fit(X, Y)
    assert_allclose(model.scores_path_.mean(axis=1), grid.cv_results_["mean_test_score"], rtol=1e-6)
    assert model.alpha_ == grid.best_params_["alpha"]


def test_no_guide_where_it_would_not_pay():
    """For the squared loss, refitted coefficients, and two folds."""
    X, Y = problem()

    def guide(model, n_folds=5):
        data = model._read(X, Y, None)
        prepared = prepare_objective(model, data)
        return guide_folds([model], data, [np.ones(1)], prepared, n_folds)[0]

    assert guide(BlockSparseClassifier()) is not None
    assert guide(BlockSparseClassifier(), n_folds=2) is None
    assert guide(BlockSparseClassifier(refit_support=True)) is None
    assert guide(MultiTaskRegressor(penalty=L21(0.1))) is None


class TestGuided:
    """The solver, with Gram matrices of the same and of other data."""

    @pytest.fixture
    def objective(self):
        model = BlockSparseClassifier(0.02)
        return prepare_objective(model, model._read(*problem(), None))

    @pytest.fixture
    def solution(self, objective):
        return solve(objective, Block, objective.start(), max_iter=100, tol=1e-11)

    def known(self, objective, solution):
        point = solution.point
        return objective.learn(point.W, objective.intercepts(point))

    def solved(self, objective, known):
        guided = objective.with_known(known)
        assert choose_solver("auto", guided) is Guided
        return solve(guided, Guided, guided.start(), max_iter=100, tol=1e-10)

    def test_own_curvature(self, objective, solution):
        """From zero coefficients it reaches the minimum."""
        found = self.solved(objective, self.known(objective, solution))
        assert found.objective == pytest.approx(solution.objective, rel=1e-9)
        assert_allclose(found.point.W, solution.point.W, atol=1e-4)

    @pytest.mark.parametrize("factor", [0.1, 10.0])
    def test_wrong_curvature(self, objective, solution, factor):
        """Gram matrices that are too small or too large only cost time."""
        known = self.known(objective, solution)
        wrong = KnownGrams(known.features, factor * known.grams)
        found = self.solved(objective, wrong)
        assert found.dual_gap <= 1e-10 * objective.null_value
        assert_allclose(found.point.W, solution.point.W, atol=1e-4)

    def test_curvature_of_too_few_features(self, objective, solution):
        """Features outside the guide become active in steps with own curvature."""
        known = self.known(objective, solution)
        few = KnownGrams(known.features[:2], np.ascontiguousarray(known.grams[:2, :2]))
        found = self.solved(objective, few)
        assert_allclose(found.point.W, solution.point.W, atol=1e-4)

    def test_bounds_are_below_the_minimum(self, objective, solution):
        """At any rows, not only at the minimiser of the expansion."""
        guided = objective.with_known(self.known(objective, solution))
        rng = np.random.default_rng(0)
        bounds = []
        for size in (0.0, 0.01, 0.1, 1.0):
            expansion = guided.expanded(solution.point)
            step = rng.standard_normal(solution.point.W[expansion.features].shape)
            expansion.move(solution.point.W[expansion.features] + size * step)
            bounds.append(expansion.bound(solution.point.W))
            assert bounds[-1] <= solution.objective + 1e-10
        assert bounds[0] == pytest.approx(solution.objective, rel=1e-6)
