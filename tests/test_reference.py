"""Every estimator against cvxpy, and cvxpy's problem against the objective by hand."""

import re
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from problems import EACH, N_FEATURES, SCENARIO_NAMES, SCENARIOS, Problem, mostly_slow
from sklearn.pipeline import make_pipeline

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    reference,
)

#        class, its own parameters, strength of the L2,1 part, strengths of the ridge by task
REGRESSORS = {
    "block": (BlockSparseRegressor, {"alpha": 0.3}, 0.3, 0.0),
    "block-ridge": (BlockSparseRegressor, {"alpha": 0.4, "l1_ratio": 0.6}, 0.24, 0.16),
    "block-only-ridge": (BlockSparseRegressor, {"alpha": 0.2, "l1_ratio": 0.0}, 0.0, 0.2),
    "independent": (IndependentTaskRegressor, {"alpha": 0.1}, 0.0, 0.1),
    "independent-each": (IndependentTaskRegressor, {"alpha": "each"}, 0.0, "each"),
    "pooled": (PooledTaskRegressor, {"alpha": 0.3}, 0.0, 0.3),
    "pooled-common": (PooledTaskRegressor, {"alpha": 0.3, "task_intercepts": False}, 0.0, 0.3),
}
CLASSIFIERS = {
    "block": (BlockSparseClassifier, {"alpha": 0.04}, 0.04, 0.0),
    "block-ridge": (BlockSparseClassifier, {"alpha": 0.05, "l1_ratio": 0.6}, 0.03, 0.02),
    "block-only-ridge": (BlockSparseClassifier, {"alpha": 0.02, "l1_ratio": 0.0}, 0.0, 0.02),
    "independent": (IndependentTaskClassifier, {"alpha": 0.05}, 0.0, 0.05),
    "independent-each": (IndependentTaskClassifier, {"alpha": "each"}, 0.0, "each"),
    "pooled": (PooledTaskClassifier, {"alpha": 0.02}, 0.0, 0.02),
    "pooled-common": (PooledTaskClassifier, {"alpha": 0.02, "task_intercepts": False}, 0.0, 0.02),
}


def assert_agrees(problem, spec):
    model = problem.estimator(spec, tol=1e-12)
    data = (problem.X, problem.y, problem.sample_weight)
    best = reference.solve(model, *data)
    scale = problem.null(common=model.get_params().get("task_intercepts") is False)

    # The reference's value equals the stated objective at its own solution.
    stated_best = problem.objective(spec, best.coef_, best.intercept_)
    assert best.objective == pytest.approx(stated_best, rel=1e-7)

    model.fit(*data)
    stated = problem.objective(spec, model.coef_, model.intercept_)
    assert model.objective_ == pytest.approx(stated, rel=1e-10)
    assert stated == pytest.approx(stated_best, rel=1e-6)
    assert model.coef_.shape == best.coef_.shape
    assert np.shape(model.intercept_) == np.shape(best.intercept_)
    largest = np.abs(best.coef_).max()
    assert largest > 0.01
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=0, atol=1e-4 * largest)
    size = max(1.0, np.abs(best.intercept_).max())
    np.testing.assert_allclose(model.intercept_, best.intercept_, rtol=0, atol=1e-4 * size)
    assert 0 <= model.dual_gap_ <= 1e-12 * scale * (1 + 1e-6)
    assert model.dual_gap_ >= stated - stated_best - 1e-8 * scale

    # The gap is a bound also if an inexact solver stops early.
    rough = problem.estimator(spec, tol=2e-2, solver="fista").fit(*data)
    reached = problem.objective(spec, rough.coef_, rough.intercept_)
    assert rough.objective_ == pytest.approx(reached, rel=1e-10)
    assert rough.dual_gap_ <= 2e-2 * scale * (1 + 1e-6)
    assert rough.dual_gap_ >= reached - stated_best - 1e-8 * scale


@pytest.mark.turns(2)
@pytest.mark.parametrize("scenario", mostly_slow(SCENARIOS), ids=SCENARIO_NAMES)
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_minimises_its_stated_objective(name, scenario):
    assert_agrees(Problem(scenario, classify=False), REGRESSORS[name])


@pytest.mark.turns(2)
@pytest.mark.parametrize("scenario", mostly_slow(SCENARIOS), ids=SCENARIO_NAMES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_minimises_its_stated_objective(name, scenario):
    assert_agrees(Problem(scenario, classify=True), CLASSIFIERS[name])


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("name", "class_weight"), list(product(CLASSIFIERS, [None, "balanced"])), ids=str
)
def test_one_against_rest_minimises_its_stated_objective(name, class_weight):
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, N_FEATURES))
    target = np.argmax(X[:, :3] + rng.gumbel(size=(60, 3)), axis=1)
    s = rng.uniform(0.5, 2.0, 60)
    cls, own, block, ridge = CLASSIFIERS[name]
    own = {**own, "alpha": EACH if own["alpha"] == "each" else own["alpha"]}
    ridge = EACH if isinstance(ridge, str) else np.full(3, ridge)
    model = cls(**own, class_weight=class_weight, tol=1e-12).fit(X, target, s)

    def stated(coef, intercept):
        weights, losses = np.empty((60, 3)), np.empty((60, 3))
        for k in range(3):
            positive = target == k
            weights[:, k] = s
            if class_weight == "balanced":
                weights[positive, k] *= s.sum() / (2 * s[positive].sum())
                weights[~positive, k] *= s.sum() / (2 * s[~positive].sum())
            margin = np.where(positive, 1, -1) * (X @ coef[k] + intercept[k])
            losses[:, k] = np.log1p(np.exp(-margin))
        penalty = block * np.linalg.norm(coef, axis=0).sum()
        penalty += sum(ridge[k] * (coef[k] @ coef[k]) / 2 for k in range(3))
        return 3 / weights.sum() * (weights * losses).sum() + penalty

    best = reference.solve(model, X, target, s)
    assert model.objective_ == pytest.approx(stated(model.coef_, model.intercept_), rel=1e-10)
    assert best.objective == pytest.approx(stated(best.coef_, best.intercept_), rel=1e-7)
    assert model.objective_ == pytest.approx(best.objective, rel=1e-6)
    largest = np.abs(best.coef_).max()
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=0, atol=1e-4 * largest)


def test_objective_by_hand_on_four_numbers():
    # Two tasks, one row each after leaving the NaN out: T/S = 2/2; residuals 1 and 2.
    X, Y = np.array([[1.0], [0.0]]), np.array([[2.0, np.nan], [np.nan, 3.0]])
    model = BlockSparseRegressor(alpha=100.0, fit_intercept=False).fit(X, Y)
    assert model.coef_.tolist() == [[0.0], [0.0]]
    assert model.objective_ == pytest.approx((2.0**2 + 3.0**2) / 2)
    assert reference.solve(model, X, Y).objective == pytest.approx(6.5, rel=1e-7)


@pytest.mark.parametrize("cls", [IndependentTaskRegressor, IndependentTaskClassifier])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_strength_of_zero_among_positive_ones(cls, fit_intercept):
    scenario = ("shared", None, None, None, True, fit_intercept, "dense")
    problem = Problem(scenario, classify=cls is IndependentTaskClassifier, seed=3)
    alpha = np.array([0.0, 0.1, 1.0])
    model = cls(alpha=alpha, fit_intercept=fit_intercept, tol=1e-9)
    best = reference.solve(model, problem.X, problem.y)
    model.fit(problem.X, problem.y)
    np.testing.assert_allclose(
        model.coef_, best.coef_, rtol=0, atol=1e-3 * np.abs(best.coef_).max()
    )
    assert model.dual_gap_ <= 1e-9 * problem.null(common=False) * (1 + 1e-6)
    assert model.n_iter_ < 1000


@pytest.mark.parametrize("cls", [BlockSparseClassifier, IndependentTaskClassifier])
def test_tasks_with_one_class_are_left_out_of_the_reference(cls):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Y = (X[:, :3] + rng.standard_normal((40, 3)) > 0).astype(float)
    Y[:, 1] = 1.0
    model = cls(alpha=0.05, tol=1e-10)
    with pytest.warns(UserWarning, match=r"tasks \[1\]"):
        model.fit(X, Y)
    best = reference.solve(model, X, Y)
    np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-4)
    assert not best.coef_[1].any()
    assert model.intercept_[1] == pytest.approx(np.log(2 * 40 + 1))
    np.testing.assert_allclose(model.intercept_, best.intercept_, atol=1e-4)
    # T and S count only the other two tasks.
    kept = cls(alpha=0.05, tol=1e-10).fit(X, Y[:, [0, 2]])
    np.testing.assert_allclose(model.coef_[[0, 2]], kept.coef_, atol=1e-6)


def _convex_estimators():
    """Every convex estimator, with each loss for which tasks can be left out."""
    for name in skmtl.__all__:
        cls = getattr(skmtl, name)
        if name.endswith(("CV", "_")) or any(
            each in name for each in (*NOT_CONVEX, "SafeTransfer")
        ):
            continue
        if name.endswith("Classifier"):
            yield from ((cls, "logistic"), (cls, "squared_hinge"))
        elif name.endswith("Regressor"):
            yield cls, "poisson"


NOT_CONVEX = ("CappedBlockSparse", "GroupOverlap", "SparseTaskRelation")
LEFT_OUT = ["none", "one", "all but one", "all"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("left_out", LEFT_OUT)
@pytest.mark.parametrize(("cls", "loss"), list(_convex_estimators()), ids=str)
def test_reference_agrees_whichever_tasks_are_left_out(cls, loss, left_out):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    Z = X @ rng.standard_normal((4, 4)) + rng.standard_normal((30, 4))
    Y = rng.poisson(np.exp(Z / 3)) if loss == "poisson" else Z > 0
    Y = Y.astype(float)
    # Labels of one class, or no events: the intercept has no finite minimiser.
    constant = 0.0 if loss == "poisson" else 1.0
    Y[:, {"none": [], "one": [1], "all but one": [0, 1, 3], "all": [*range(4)]}[left_out]] = (
        constant
    )
    missing = Y.copy()
    missing[:7, 0] = missing[5:9, 2] = np.nan
    stacked = np.vstack([np.column_stack([X, np.full(30, t)]) for t in range(4)])
    layouts = {
        "shared": (X, Y, {}),
        "missing": (X, missing, {}),
        "stacked": (stacked, Y.T.ravel(), {"task_column": -1}),
        "sparse": (sp.csr_array(stacked), Y.T.ravel(), {"task_column": -1, "intercept": "shrunk"}),
        "no intercept": (X, Y, {"fit_intercept": False}),
        "single": (X, Y[:, 1], {}),
        "one task": (np.column_stack([X, np.ones(30)]), Y[:, 1], {"task_column": -1}),
    }
    # By turns: each estimator meets each layout with some of the tasks left out.
    turn = [each[0] for each in _convex_estimators()].index(cls) + LEFT_OUT.index(left_out)
    for layout, (features, labels, params) in list(layouts.items())[turn % 3 :: 3]:
        model = cls(loss=loss, tol=1e-7, **params)
        try:
            model.fit(features, labels)
        except ValueError as error:
            # A 1-D y of one class does not determine the other class.
            assert np.ndim(labels) == 1 and np.unique(labels).size == 1
            with pytest.raises(ValueError, match=re.escape(str(error))):
                reference.solve(model, features, labels)
            continue
        best = reference.solve(model, features, labels)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-5, abs=1e-6), layout
        assert best.coef_.shape == model.coef_.shape
        assert np.shape(best.intercept_) == np.shape(model.intercept_)
        learned = np.atleast_2d(best.coef_).any(axis=1)
        np.testing.assert_allclose(
            np.atleast_1d(best.intercept_)[~learned],
            np.atleast_1d(model.intercept_)[~learned],
            atol=1e-3,
        )


def test_no_task_left_is_an_empty_problem():
    X, Y = np.random.default_rng(0).standard_normal((10, 3)), np.ones((10, 2))
    problem, variables = reference.to_cvxpy(BlockSparseClassifier(), X, Y)
    assert variables == {"coef": None, "intercept": None} and problem.solve() == 0.0
    best = reference.solve(BlockSparseClassifier(), X, Y)
    assert best.objective == 0.0 and not best.coef_.any()
    np.testing.assert_allclose(best.intercept_, np.log(2 * 10 + 1))


@pytest.mark.parametrize("state", [reference.solve, reference.to_cvxpy])
def test_estimators_without_a_reference_raise(state):
    X, Y = np.eye(6), np.eye(6)[:, :2]
    for name in skmtl.__all__:
        if any(each in name for each in NOT_CONVEX):
            with pytest.raises(ValueError, match=f"{name} has no reference: .* not convex"):
                state(getattr(skmtl, name)(), X, Y)
        elif name.startswith("SafeTransfer"):
            with pytest.raises(ValueError, match=f"{name} has no reference: it mixes three fits"):
                state(getattr(skmtl, name)(), X, Y)
        elif name.startswith("StructureSearch"):
            with pytest.raises(TypeError, match=f"one of skmtl's, got {name}. .* a search"):
                state(getattr(skmtl, name)(), X, Y)
        elif name.endswith("CV"):
            with pytest.raises(ValueError, match=f"{name} has no reference: .* alpha_ of the fit"):
                state(getattr(skmtl, name)(), X, Y)
    with pytest.raises(TypeError, match="one of skmtl's, got Pipeline. .*last step"):
        state(make_pipeline(BlockSparseRegressor()), X, Y)


def test_to_cvxpy_leaves_the_estimator_alone_and_names_the_variables():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20, 4)), rng.standard_normal((20, 3))
    model = PooledTaskRegressor(alpha=0.3, task_intercepts=False)
    problem, variables = reference.to_cvxpy(model, X, Y)
    assert not hasattr(model, "coef_") and not hasattr(model, "n_features_in_")
    assert variables["coef"].shape == (4, 1) and variables["intercept"].shape == (1,)
    assert problem.is_dcp()
    _, variables = reference.to_cvxpy(BlockSparseRegressor(fit_intercept=False), X, Y)
    assert variables["coef"].shape == (4, 3) and variables["intercept"] is None


def test_solve_passes_options_on_and_reports_a_missing_optimum():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    model = BlockSparseRegressor(0.1)
    exact = reference.solve(model, X, Y).objective
    assert reference.solve(model, X, Y, solver="SCS").objective == pytest.approx(exact, rel=1e-2)
    with pytest.raises(RuntimeError, match="no optimum: its status is user_limit"):
        reference.solve(model, X, Y, solver="CLARABEL", max_iter=1)
    with pytest.raises(ValueError, match="'alpha' parameter of BlockSparseRegressor"):
        reference.solve(BlockSparseRegressor(alpha=-1.0), X, Y)
