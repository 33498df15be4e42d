"""Every estimator against cvxpy, and cvxpy's problem against the objective by hand."""

import re
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
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

N_TASKS, N_FEATURES = 3, 6
IDS = np.array([3, 5, 11])

# Each factor in each setting at least once for either layout.
#    layout    weights   task_weight  class_weight missing intercept container
SCENARIOS = [
    ("shared", None, None, None, False, True, "dense"),
    ("shared", "rows", "balanced", "balanced", True, True, "dense"),
    ("shared", "labels", "array", "dict", True, True, "sparse"),
    ("shared", "labels", None, None, True, False, "sparse"),
    ("shared", "rows", "dict", "balanced", False, False, "dense"),
    ("shared", None, "balanced", None, True, True, "sparse"),
    ("shared", "rows", None, "dict", False, True, "sparse"),
    ("stacked", None, None, None, False, True, "dense"),
    ("stacked", "rows", "balanced", "balanced", False, True, "sparse"),
    ("stacked", "rows", "array", "dict", False, False, "dense"),
    ("stacked", None, "dict", None, False, True, "sparse"),
    ("stacked", "rows", None, "balanced", False, True, "dense"),
    ("stacked", "rows", None, None, False, False, "sparse"),
    ("single", "rows", None, "balanced", False, True, "dense"),
    ("single", None, None, None, False, False, "sparse"),
]
SCENARIO_NAMES = [
    "-".join(["noint" if not s[5] else "int", s[0], s[6], *(str(p) for p in s[1:5])])
    for s in SCENARIOS
]

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
EACH = np.array([0.05, 0.6, 0.2])
FACTORS = np.array([0.5, 2.0, 1.3])
CLASS_WEIGHT = {0: 0.7, 1: 2.5}


class Problem:
    """A scenario's data as a user passes them, and as plain lists by task."""

    def __init__(self, scenario, *, classify, seed=0):
        layout, weights, task_weight, class_weight, missing, self.fit_intercept, container = (
            scenario
        )
        rng = np.random.default_rng(seed)
        self.classify, self.layout = classify, layout
        n = {"shared": 36, "stacked": 96, "single": 40}[layout]
        n_tasks = 1 if layout == "single" else N_TASKS
        X = rng.standard_normal((n, N_FEATURES)) * [1, 2, 0.5, 1, 1, 1] + [0, 1, -1, 0.5, 0, 2]
        if container == "sparse":
            X[rng.random(X.shape) < 0.4] = 0.0
        truth = rng.standard_normal((N_FEATURES, n_tasks)) * (np.arange(N_FEATURES) < 3)[:, None]
        offsets = np.array([0.5, -1.0, 3.0])[:n_tasks]
        codes = None
        if layout == "stacked":
            # Unequal tasks, rows in no order.
            codes = rng.permutation(np.repeat([0, 1, 2], [24, 40, 32]))
            z = np.einsum("ij,ij->i", X, truth[:, codes].T) + offsets[codes]
        else:
            z = X @ truth + offsets
        z = z + rng.standard_normal(z.shape)
        if classify:
            z = (z - z.mean(axis=0) + 1.5 * rng.standard_normal(z.shape) > 0.3).astype(float)
        y = z[:, 0] if layout == "single" else z
        s = None
        if weights == "rows":
            s = rng.uniform(0.2, 3.0, n) * (rng.random(n) > 0.15)
        elif weights == "labels":
            s = rng.uniform(0.2, 3.0, y.shape) * (rng.random(y.shape) > 0.15)
        if missing:
            # More labels are missing in later tasks.
            y = np.where(rng.random(y.shape) < [0.0, 0.2, 0.4], np.nan, y)
        self.y, self.sample_weight = y, s
        self.by_task = []
        for t in range(n_tasks):
            rows = range(n) if codes is None else np.flatnonzero(codes == t)
            labels, used = [], []
            for i in rows:
                label = y[i, t] if layout == "shared" else y[i]
                weight = 1.0 if s is None else s[i, t] if s.ndim == 2 else s[i]
                if not np.isnan(label):
                    labels.append((2 * label - 1 if classify else label, weight))
                    used.append(i)
            y_t, s_t = np.array(labels).T
            if classify and class_weight:
                s_t = s_t * self._class_factors(class_weight, y_t, s_t)
            self.by_task.append((X[used], y_t, s_t))
        total = sum(s_t.sum() for _, _, s_t in self.by_task)
        self.factors = [1.0] * n_tasks
        if task_weight == "balanced":
            self.factors = [total / (n_tasks * s_t.sum()) for _, _, s_t in self.by_task]
        elif task_weight in ("array", "dict"):
            self.factors = FACTORS.tolist()
        self.scale = n_tasks / total
        names = IDS if layout == "stacked" else range(n_tasks)
        self.params = {"fit_intercept": self.fit_intercept}
        if layout != "single":
            self.params["task_weight"] = {
                "array": FACTORS,
                "dict": dict(zip(names, FACTORS, strict=True)),
            }.get(task_weight, task_weight)
        if classify:
            self.params["class_weight"] = CLASS_WEIGHT if class_weight == "dict" else class_weight
        if layout == "stacked":
            # The task column at either end.
            first = task_weight is None
            self.params["task_column"] = 0 if first else -1
            column = IDS[codes][:, None]
            X = np.hstack([column, X] if first else [X, column])
        self.X = sp.csr_array(X) if container == "sparse" else X

    @staticmethod
    def _class_factors(class_weight, y, s):
        if class_weight == "dict":
            return np.where(y > 0, CLASS_WEIGHT[1], CLASS_WEIGHT[0])
        # Both classes of a task weigh half its total.
        return np.where(y > 0, s.sum() / (2 * s[y > 0].sum()), s.sum() / (2 * s[y < 0].sum()))

    def loss(self, y, z):
        return np.logaddexp(0, -y * z) if self.classify else (y - z) ** 2 / 2

    def data_term(self, coef, intercept):
        """(T / S) sum_t c_t sum_i s_i loss(y_i, x_i w_t + b_t), by loops."""
        total = 0.0
        tasks = zip(self.by_task, self.factors, np.atleast_2d(coef), strict=True)
        for t, ((X, y, s), c, w) in enumerate(tasks):
            b = float(np.atleast_1d(intercept)[t])
            for x_i, y_i, s_i in zip(X, y, s, strict=True):
                total += c * s_i * self.loss(y_i, sum(x_i * w) + b)
        return self.scale * total

    def objective(self, spec, coef, intercept):
        """The stated objective, from the raw data alone."""
        cls, _, block, ridge = spec
        coef = np.atleast_2d(np.asarray(coef, dtype=float))
        ridge = EACH[: len(coef)] if isinstance(ridge, str) else [ridge] * len(coef)
        rows = sum(np.sqrt(sum(coef[:, j] ** 2)) for j in range(N_FEATURES))
        pooled = cls in (PooledTaskRegressor, PooledTaskClassifier)
        columns = coef[:1] if pooled else coef
        squares = sum(a * sum(w**2) / 2 for a, w in zip(ridge, columns, strict=False))
        return self.data_term(coef, intercept) + block * rows + squares

    def null(self, common):
        """F(0, b*), from the best constant of each task, or of all."""
        b = np.zeros(len(self.by_task))
        if self.fit_intercept:
            sums = np.array(
                [
                    [c * s.sum(), c * (s * y).sum(), c * s[y > 0].sum()]
                    for (_, y, s), c in zip(self.by_task, self.factors, strict=True)
                ]
            )
            if common:
                sums[:] = sums.sum(axis=0)
            total, first, positive = sums.T
            b = np.log(positive / (total - positive)) if self.classify else first / total
        return self.data_term(np.zeros((len(b), N_FEATURES)), b)

    def estimator(self, spec, **params):
        cls, own, _, _ = spec
        if own["alpha"] == "each":
            own = {**own, "alpha": EACH[: len(self.by_task)]}
        return cls(**own, **self.params, **params)


def assert_agrees(problem, spec):
    model = problem.estimator(spec, tol=1e-12)
    data = (problem.X, problem.y, problem.sample_weight)
    best = reference.solve(model, *data)
    scale = problem.null(common=model.get_params().get("task_intercepts") is False)

    # The reference minimises what is stated: its value at its own solution.
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

    # Stopped early by the solver whose every step is inexact, the gap still is a bound.
    rough = problem.estimator(spec, tol=2e-2, solver="fista").fit(*data)
    reached = problem.objective(spec, rough.coef_, rough.intercept_)
    assert rough.objective_ == pytest.approx(reached, rel=1e-10)
    assert rough.dual_gap_ <= 2e-2 * scale * (1 + 1e-6)
    assert rough.dual_gap_ >= reached - stated_best - 1e-8 * scale


@pytest.mark.parametrize("scenario", SCENARIOS, ids=SCENARIO_NAMES)
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_minimises_its_stated_objective(name, scenario):
    assert_agrees(Problem(scenario, classify=False), REGRESSORS[name])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=SCENARIO_NAMES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_minimises_its_stated_objective(name, scenario):
    assert_agrees(Problem(scenario, classify=True), CLASSIFIERS[name])


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
def test_tasks_with_one_class_leave_the_reference_too(cls):
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
    # T and S count the other two tasks alone.
    kept = cls(alpha=0.05, tol=1e-10).fit(X, Y[:, [0, 2]])
    np.testing.assert_allclose(model.coef_[[0, 2]], kept.coef_, atol=1e-6)


def _convex_estimators():
    """Every estimator with a convex objective, once for each loss that may leave tasks out."""
    for name in skmtl.__all__:
        cls = getattr(skmtl, name)
        if name.endswith(("CV", "_")) or any(each in name for each in NOT_CONVEX):
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
@pytest.mark.parametrize(("cls", "loss"), _convex_estimators(), ids=str)
def test_whatever_tasks_leave_the_objective_the_reference_is_fits(cls, loss, left_out):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    Z = X @ rng.standard_normal((4, 4)) + rng.standard_normal((30, 4))
    Y = rng.poisson(np.exp(Z / 3)) if loss == "poisson" else Z > 0
    Y = Y.astype(float)
    # Labels of one class, or no event: the constant is no finite minimiser.
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
    for layout, (features, labels, params) in layouts.items():
        model = cls(loss=loss, tol=1e-7, **params)
        try:
            model.fit(features, labels)
        except ValueError as refused:
            # A 1-D y of one class says nothing of the other.
            assert np.ndim(labels) == 1 and np.unique(labels).size == 1
            with pytest.raises(ValueError, match=re.escape(str(refused))):
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
def test_what_no_convex_problem_states_is_refused(state):
    X, Y = np.eye(6), np.eye(6)[:, :2]
    for name in skmtl.__all__:
        if any(each in name for each in NOT_CONVEX):
            with pytest.raises(ValueError, match=f"{name} has no reference: .* not convex"):
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
