"""W = P + Q: dirty models, robust tasks, sparse plus low rank."""

import pickle
import warnings

import cvxpy as cp
import numpy as np
import pytest
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseRegressor,
    DirtyModelClassifier,
    DirtyModelRegressor,
    MultiTaskRegressor,
    RobustTaskClassifier,
    RobustTaskRegressor,
    SparseLowRankClassifier,
    SparseLowRankRegressor,
)
from skmtl.datasets import load_school, make_outlier_tasks
from skmtl.model_selection import alpha_max, path
from skmtl.penalties import L1, L21, L1Inf, Superposition, TaskGroup, TraceNorm

DIRTY = DirtyModelRegressor, DirtyModelClassifier
ROBUST = RobustTaskRegressor, RobustTaskClassifier
SPARSE = SparseLowRankRegressor, SparseLowRankClassifier


def rows_of(P):
    return cp.sum(cp.norm(P, 2, axis=1))


def peaks_of(P):
    return cp.sum(cp.max(cp.abs(P), axis=1))


def tasks_of(Q):
    return cp.sum(cp.norm(Q, 2, axis=0))


def entries_of(Q):
    return cp.sum(cp.abs(Q))


#   classes, parameters, name of the strength, one within its bounds for (T, d) = (3, 6),
#   the bounds, the two norms written for cvxpy, and as penalties
FAMILIES = {
    "dirty-linf": (
        DIRTY, {}, "private", 0.6, lambda T, d: (1 / T, 1),
        (peaks_of, entries_of), (L1Inf, L1),
    ),
    "dirty-l2": (
        DIRTY, {"norm": "l2"}, "private", 0.75, lambda T, d: (T**-0.5, 1),
        (rows_of, entries_of), (L21, L1),
    ),
    "robust-low-rank": (
        ROBUST, {}, "outlier", 0.8, lambda T, d: (T**-0.5, 1),
        (cp.normNuc, tasks_of), (TraceNorm, TaskGroup),
    ),
    "robust-block": (
        ROBUST, {"structure": "block"}, "outlier", 1.2, lambda T, d: (T**-0.5, d**0.5),
        (rows_of, tasks_of), (L21, TaskGroup),
    ),
    "sparse-low-rank": (
        SPARSE, {}, "sparse", 0.5, lambda T, d: ((d * T) ** -0.5, 1),
        (cp.normNuc, entries_of), (TraceNorm, L1),
    ),
}  # fmt: skip
SOME = [SCENARIOS[k] for k in (0, 2, 4, 8, 10)]


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def make_model(family, alpha=1.0, strength=None, *, classify=False, **params):
    """An estimator of the family, with a strength within its bounds if none is given."""
    classes, own, name, within, *_ = FAMILIES[family]
    strength = within if strength is None else strength
    return classes[classify](alpha, **{name: strength}, **own, **params)


def by_hand(family, X, Y, alpha, strength, *, fit_intercept=True):
    """The minimum and the minimiser W of the problem written in P and Q."""
    first, second = FAMILIES[family][5]
    if fit_intercept:
        X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    P, Q = (cp.Variable((X.shape[1], Y.shape[1])) for _ in range(2))
    loss = cp.sum_squares(Y - X @ (P + Q)) / (2 * len(X))
    problem = cp.Problem(cp.Minimize(loss + alpha * (first(P) + strength * second(Q))))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return problem.value, (P.value + Q.value).T


def small(seed=0, n=50, d=6, n_tasks=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    W = rng.normal(size=(d, n_tasks)) * (np.arange(d) < 3)[:, None]
    W[-1, 0] = 3.0
    return X, X @ W + rng.normal(size=(n, n_tasks))


def stacked(seed=0, n_tasks=6, rows=30, units=1.0):
    """Tasks with separate rows and different Gram matrices."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_tasks * rows, 5)) * units
    ids = np.repeat(np.arange(n_tasks), rows)
    W = np.ones((5, n_tasks)) * (np.arange(5) < 2)[:, None]
    W[3, 1] = 2.0
    W[:, 4] = rng.normal(size=5)
    y = np.einsum("ij,ij->i", X / units, W[:, ids].T) + rng.normal(size=len(X))
    return np.column_stack([X, ids]), y


class TestOptimum:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize(("family", "scenario", "classify"), list(by_turns(FAMILIES, SOME)))
    def test_against_cvxpy(self, family, scenario, classify):
        problem = Problem(scenario, classify=classify)
        tight = {**TIGHT, "tol": 1e-8}
        model = make_model(
            family, 0.03 if classify else 0.3, classify=classify, **problem.params, **tight
        )
        assert_is_the_optimum(model, problem)
        assert model._parts is not None

    def test_problem_in_both_parts_by_hand(self, family):
        X, Y = small()
        model = make_model(family, 0.2, tol=1e-9, max_iter=50_000).fit(X, Y)
        value, coef = by_hand(family, X, Y, 0.2, FAMILIES[family][3])
        assert model.objective_ == pytest.approx(value, rel=1e-7)
        np.testing.assert_allclose(model.coef_, coef, atol=1e-4)
        np.testing.assert_allclose(model.shared_coef_ + model.task_coef_, model.coef_, atol=1e-12)
        # The returned parts have the reported objective.
        first, second = FAMILIES[family][6]
        P, Q = model.shared_coef_.T, model.task_coef_.T
        loss = ((Y - model.predict(X)) ** 2).sum() / (2 * len(X))
        penalty = first(0.2).value(P) + second(0.2 * FAMILIES[family][3]).value(Q)
        assert loss + penalty == pytest.approx(model.objective_, rel=1e-9)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("solver", ["fista", "admm"])
    def test_identity_design_does_not_diverge(self, family, solver):
        # Both parts share one gradient: the step for one part is twice too long for both.
        Y = np.diag([5.0, -3.0, 2.0, 0.1, 4.0]) + 1.0
        strength = {"robust-block": 1.1}.get(family, 0.7)
        model = make_model(
            family, 0.05, strength, solver=solver, fit_intercept=False, tol=1e-9, max_iter=500
        ).fit(np.eye(5), Y)
        value, coef = by_hand(family, np.eye(5), Y, 0.05, strength, fit_intercept=False)
        assert model.objective_ == pytest.approx(value, rel=1e-7)
        np.testing.assert_allclose(model.coef_, coef, atol=1e-4)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("units", [1.0, np.array([1.0, 100.0, 0.01, 10.0, 1e-3])], ids=str)
    def test_solvers_agree_whatever_the_units(self, family, units):
        X, y = stacked(units=units)
        X_plain, _ = stacked()
        tight = {"tol": 1e-9, "max_iter": 100_000, "task_column": -1}
        if family.startswith("dirty"):
            exact = make_model(
                family, 0.1 * alpha_max(make_model(family, task_column=-1), X, y), **tight
            )
        else:
            # These norms mix the features: FISTA is fast enough only after scaling them.
            X = X_plain
            exact = make_model(family, 0.1, **tight)
        fits = {}
        for solver in ("fista", "admm", "auto"):
            fits[solver] = clone(exact).set_params(solver=solver).fit(X, y)
        for solver in ("admm", "auto"):
            np.testing.assert_allclose(fits[solver].predict(X), fits["fista"].predict(X), atol=1e-3)
            assert fits[solver].objective_ == pytest.approx(fits["fista"].objective_, rel=1e-8)

    def test_layouts_agree(self, family):
        X, y = stacked()
        tight = {"tol": 1e-9, "max_iter": 50_000}
        strength = 0.7 if family != "robust-block" else 1.0
        first = make_model(family, 0.1, strength, task_column=-1, **tight).fit(X, y)
        Y = np.full((len(y), 6), np.nan)
        Y[np.arange(len(y)), X[:, -1].astype(int)] = y
        second = make_model(family, 0.1, strength, **tight).fit(X[:, :-1], Y)
        np.testing.assert_allclose(first.coef_, second.coef_, atol=1e-4)
        assert first.objective_ == pytest.approx(second.objective_, rel=1e-8)


def extremes(T=4, d=5):
    """Matrices with the smallest and the largest ratio of a first norm to a second one."""
    column = np.zeros((d, T))
    column[:, 0] = 3.0
    entry = np.zeros((d, T))
    entry[0, 0] = 3.0
    row = np.zeros((d, T))
    row[0] = 3.0
    return {"entry": entry, "row": row, "column": column, "all": np.full((d, T), 3.0)}


#              W whose P is zero below the lower bound only, W whose Q is zero above the upper
SHARP = {
    "dirty-linf": ("row", "entry"),
    "dirty-l2": ("row", "entry"),
    "robust-low-rank": ("all", "column"),
    "robust-block": ("row", "column"),
    "sparse-low-rank": ("all", "entry"),
}


class TestVanishingParts:
    """If one norm is nowhere larger than the other, the superposition equals that norm."""

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("side", [0, 1], ids=["lower", "upper"])
    def test_bounds_are_sharp(self, family, side):
        T, d = 4, 5
        bound = FAMILIES[family][4](T, d)[side]
        W = extremes(T, d)[SHARP[family][side]]
        X = np.vstack([np.eye(d), -np.eye(d)])
        vanishing, name = ("shared_coef_", "task_coef_")[side], FAMILIES[family][2]
        outward = 0.98 if side == 0 else 1.02
        options = {"fit_intercept": False, "tol": 1e-10}
        for strength in (bound, bound * outward):
            with pytest.warns(UserWarning, match=rf"{name}=.* leaves no .*Choose {name} between"):
                model = make_model(family, 0.05, strength, **options).fit(X, X @ W)
            assert not getattr(model, vanishing).any() and model.coef_.any()
            np.testing.assert_array_equal(model.shared_coef_ + model.task_coef_, model.coef_)
            # The problem in both parts does not have a lower minimum.
            value, _ = by_hand(family, X, X @ W, 0.05, strength, fit_intercept=False)
            assert model.objective_ == pytest.approx(value, rel=1e-7)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = make_model(family, 0.05, bound / outward, **options).fit(X, X @ W)
        assert getattr(model, vanishing).any()
        np.testing.assert_allclose(getattr(model, vanishing), model.coef_, atol=1e-6)

    @pytest.mark.parametrize(
        "seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2))]
    )
    def test_a_part_vanishes_on_any_data(self, family, seed):
        # Solved as a superposition, with a part that may be non-zero but does not lower the value.
        X, Y = small(seed, d=5, n_tasks=4)
        low, high = FAMILIES[family][4](4, 5)
        first, second = FAMILIES[family][6]
        for strength, left in ((low, 1), (high, 0)):
            both = MultiTaskRegressor(
                0.1, penalty=Superposition(first(), second(strength)), tol=1e-9, max_iter=50_000
            ).fit(X, Y)
            with pytest.warns(UserWarning, match="leaves no"):
                model = make_model(family, 0.1, strength, tol=1e-9, max_iter=50_000).fit(X, Y)
            assert both.objective_ == pytest.approx(model.objective_, rel=1e-7)
            assert (model.task_coef_ if left else model.shared_coef_).any()
            assert not (model.shared_coef_ if left else model.task_coef_).any()

    def test_warnings_name_part_rule_and_remedy(self):
        X, Y = small()
        with pytest.warns(UserWarning, match=r"private=2 leaves no private part: at 1 or more"):
            DirtyModelRegressor(private=2.0).fit(X, Y)
        with pytest.warns(
            UserWarning,
            match=r"private=0.5 leaves no shared part: at 0.5774 or less .*\(3 tasks, 6 features\)."
            r" Choose private between 0.5774 and 1, or None \(here 0.7598\)",
        ):
            DirtyModelRegressor(private=0.5, norm="l2").fit(X, Y)
        with pytest.warns(UserWarning, match="outlier=1 leaves no outliers"):
            RobustTaskRegressor(outlier=1.0).fit(X, Y)
        with pytest.warns(UserWarning, match="sparse=0.2 leaves no low-rank part"):
            SparseLowRankRegressor(sparse=0.2).fit(X, Y)
        with pytest.warns(UserWarning, match="leaves no outliers"):
            path(RobustTaskRegressor(outlier=1.0), X, Y, alphas=3)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize("n_tasks", [1, 2, 3, 4, 30])
    @pytest.mark.parametrize("d", [1, 2, 6, 40])
    def test_none_does_not_warn_and_keeps_both_parts(self, family, n_tasks, d):
        classes, own, name, _, bounds, *_ = FAMILIES[family]
        X, Y = small(d=d, n_tasks=n_tasks)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = classes[0](0.1, **own, **{name: None}, tol=1e-2).fit(X, Y)
        low, high = bounds(n_tasks, d)
        if low < high:
            assert low < model._relative(n_tasks, d) < high

    def test_one_task(self, family):
        X, Y = small()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = FAMILIES[family][0][0](0.1, **FAMILIES[family][1], tol=1e-8).fit(X, Y[:, 0])
        assert model.shared_coef_.shape == model.task_coef_.shape == model.coef_.shape == (6,)
        np.testing.assert_allclose(model.shared_coef_ + model.task_coef_, model.coef_, atol=1e-12)
        if family.startswith("robust"):
            assert model.outlier_tasks_.shape == (1,)

    def test_left_out_tasks_do_not_count(self):
        X, Y = small(n_tasks=4)
        labels = (Y > 0).astype(float)
        labels[:, 2] = 1.0
        with pytest.warns(UserWarning) as caught:
            model = DirtyModelClassifier(private=0.55, norm="l2").fit(X, labels)
        messages = [str(w.message) for w in caught]
        # Within the bounds of four tasks, but three enter the objective.
        assert any("leaves no shared part" in m and "(3 tasks" in m for m in messages)
        with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
            model = DirtyModelClassifier(0.03, private=0.7, norm="l2", tol=1e-8).fit(X, labels)
        assert not model.shared_coef_[2].any() and not model.task_coef_[2].any()
        alone = DirtyModelClassifier(0.03, private=0.7, norm="l2", tol=1e-8)
        alone.fit(X, np.delete(labels, 2, axis=1))
        np.testing.assert_allclose(np.delete(model.coef_, 2, axis=0), alone.coef_, atol=1e-4)


class TestSpecialCases:
    tight = {"tol": 1e-10, "max_iter": 50_000}

    @pytest.mark.filterwarnings("ignore:.*leaves no")
    def test_large_strengths_leave_the_shared_norm(self, family):
        X, Y = small()
        first, _ = FAMILIES[family][6]
        if family == "dirty-linf":
            other = BlockSparseRegressor(0.2, norm="linf", **self.tight)
        elif family in ("dirty-l2", "robust-block"):
            other = BlockSparseRegressor(0.2, **self.tight)
        else:
            other = MultiTaskRegressor(0.2, penalty=TraceNorm(), **self.tight)
        model = make_model(family, 0.2, 1e3, **self.tight).fit(X, Y)
        np.testing.assert_allclose(model.coef_, other.fit(X, Y).coef_, atol=1e-6)
        np.testing.assert_array_equal(model.shared_coef_, model.coef_)
        assert not model.task_coef_.any()

    @pytest.mark.filterwarnings("ignore:.*leaves no")
    def test_small_strengths_leave_the_tasks_own_norm(self, family):
        X, Y = small()
        _, second = FAMILIES[family][6]
        other = MultiTaskRegressor(0.01, penalty=second(), **self.tight).fit(X, Y)
        model = make_model(family, 1.0, 0.01, **self.tight).fit(X, Y)
        np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
        np.testing.assert_array_equal(model.task_coef_, model.coef_)
        assert not model.shared_coef_.any()

    def test_no_penalty(self, family):
        X, Y = small()
        model = make_model(family, 0.0).fit(X, Y)
        expected = np.linalg.lstsq(X - X.mean(axis=0), Y, rcond=None)[0].T
        np.testing.assert_allclose(model.coef_, expected, atol=1e-8)
        np.testing.assert_array_equal(model.shared_coef_, model.coef_)
        assert not model.task_coef_.any()

    def test_all_is_zero_at_alpha_max(self, family):
        X, Y = small()
        top = alpha_max(make_model(family), X, Y)
        assert not make_model(family, top * (1 + 1e-9)).fit(X, Y).coef_.any()
        assert make_model(family, top * 0.98, tol=1e-9).fit(X, Y).coef_.any()

    def test_permuted_tasks(self, family):
        X, Y = small()
        order = [2, 0, 1]
        a = make_model(family, 0.2, **self.tight).fit(X, Y)
        b = make_model(family, 0.2, **self.tight).fit(X, Y[:, order])
        np.testing.assert_allclose(b.coef_, a.coef_[order], atol=1e-6)
        np.testing.assert_allclose(b.task_coef_, a.task_coef_[order], atol=1e-3)


class TestRecovery:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_dirty_supports(self, seed, norm):
        rng = np.random.default_rng(seed)
        X, W = rng.normal(size=(120, 20)), np.zeros((20, 6))
        W[:3] = rng.choice([-1.0, 1.0], size=(3, 6))
        W[10, 0], W[11, 3], W[12, 5] = 2.0, -2.0, 2.0
        Y = X @ W + 0.3 * rng.normal(size=(120, 6))
        # Half way between the bounds.
        private = {"linf": 6**-0.5, "l2": 6**-0.25}[norm]
        model = DirtyModelRegressor(private=private, norm=norm)
        model.set_params(alpha=0.25 * alpha_max(model, X, Y)).fit(X, Y)
        assert np.flatnonzero(model.shared_coef_.any(axis=0)).tolist() == [0, 1, 2]
        assert np.argwhere(model.task_coef_).tolist() == [[0, 10], [3, 11], [5, 12]]
        # Neither part alone finds both: block sparsity selects the three features for all tasks.
        block = BlockSparseRegressor(0.1).fit(X, Y)
        assert {10, 11, 12} <= set(np.flatnonzero(block.support_))

    @pytest.mark.parametrize("seed", range(3))
    def test_outliers_beside_shared_features(self, seed):
        data = make_outlier_tasks(100, 20, 12, n_informative=3, random_state=seed)
        model = RobustTaskRegressor(structure="block")
        model.set_params(alpha=0.25 * alpha_max(model, data.data, data.target))
        model.fit(data.data, data.target)
        np.testing.assert_array_equal(model.outlier_tasks_, data.outliers)
        shared = model.shared_coef_[~data.outliers].any(axis=0)
        np.testing.assert_array_equal(shared, data.support)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])
    def test_outliers_beside_a_common_direction(self, seed, classify):
        data = make_outlier_tasks(
            300, 15, 12, structure="center", noise=0.3, classification=classify, random_state=seed
        )
        model = ROBUST[classify]()
        model.set_params(alpha=0.2 * alpha_max(model, data.data, data.target))
        model.fit(data.data, data.target)
        np.testing.assert_array_equal(model.outlier_tasks_, data.outliers)
        assert np.linalg.matrix_rank(model.shared_coef_, tol=1e-8) <= 2

    @pytest.mark.parametrize("seed", range(3))
    def test_sparse_beside_low_rank(self, seed):
        rng = np.random.default_rng(seed)
        W = np.outer(rng.choice([-1.0, 1.0], 15), rng.choice([-1.0, 1.0], 12))
        spikes = [(2, 3), (7, 0), (11, 9)]
        for spike in spikes:
            W[spike] += 6.0 * np.sign(W[spike])
        X = rng.normal(size=(150, 15))
        Y = X @ W + 0.1 * rng.normal(size=(150, 12))
        model = SparseLowRankRegressor()
        model.set_params(alpha=0.2 * alpha_max(model, X, Y)).fit(X, Y)
        found = np.argwhere(np.abs(model.task_coef_.T) > 1)
        assert [tuple(pair) for pair in found.tolist()] == spikes
        assert np.linalg.matrix_rank(model.shared_coef_, tol=1e-8) == 1


class TestAsAnEstimator:
    def test_parts_are_in_the_units_of_y(self, family):
        X, Y = small()
        factors = np.array([1.0, 1e3, 1e-2])
        plain = make_model(family, 0.2, scale_tasks=True, tol=1e-9, max_iter=50_000).fit(X, Y)
        model = clone(plain).fit(X, Y * factors)
        np.testing.assert_allclose(model.coef_, plain.coef_ * factors[:, None], rtol=1e-4)
        total = model.shared_coef_ + model.task_coef_
        np.testing.assert_allclose(total, model.coef_, rtol=1e-9, atol=1e-12 * factors.max())
        np.testing.assert_allclose(
            model.task_coef_, plain.task_coef_ * factors[:, None], rtol=1e-3, atol=1e-8
        )

    def test_missing_labels(self, family):
        X, Y = small()
        rng = np.random.default_rng(1)
        Y[rng.random(Y.shape) < 0.3] = np.nan
        model = make_model(family, 0.2, tol=1e-6).fit(X, Y)
        assert model.dual_gap_ <= 1e-6 * np.nanvar(Y) * 3
        masked = make_model(family, 0.2, tol=1e-9, max_iter=50_000).fit(
            X, np.where(np.isnan(Y), 1e3, Y), sample_weight=(~np.isnan(Y)).astype(float)
        )
        np.testing.assert_allclose(model.coef_, masked.coef_, atol=1e-2)

    @pytest.mark.turns(2)
    def test_warm_start(self, family):
        X, Y = small()
        model = make_model(family, 0.1, warm_start=True, tol=1e-7, max_iter=50_000).fit(X, Y)
        first = model.n_iter_
        # Not at once, if the first fit was certified by multipliers that ADMM no longer has.
        assert model.fit(X, Y).n_iter_ <= first / 2
        # From two parts to one, to none, and back.
        name = FAMILIES[family][2]
        for change in ({name: 1e3}, {"alpha": 0.0}, {"alpha": 0.2, name: FAMILIES[family][3]}):
            model.set_params(**change)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, Y)
                cold = clone(model).set_params(warm_start=False).fit(X, Y)
            assert model.objective_ == pytest.approx(cold.objective_, rel=1e-6)

    def test_float32(self, family):
        X, Y = small()
        model = make_model(family, 0.1, tol=1e-6).fit(X, Y)
        single = make_model(family, 0.1, tol=1e-5).fit(X.astype(np.float32), Y.astype(np.float32))
        for name in ("coef_", "shared_coef_", "task_coef_"):
            assert getattr(single, name).dtype == np.float32
        np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-2)
        total = single.shared_coef_ + single.task_coef_
        np.testing.assert_allclose(total, single.coef_, rtol=1e-6, atol=1e-6)

    def test_pickle(self, family):
        X, Y = small()
        model = make_model(family, 0.1).fit(X, Y)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.task_coef_, model.task_coef_)

    @pytest.mark.turns(2)
    def test_grid_in_a_pipeline(self, family):
        X, Y = small()
        name = type(make_model(family)).__name__.lower()
        grid = GridSearchCV(
            make_pipeline(StandardScaler(), make_model(family)),
            {f"{name}__alpha": [0.05, 50.0], f"{name}__{FAMILIES[family][2]}": [0.8, None]},
            cv=3,
        ).fit(X, Y)
        assert grid.best_params_[f"{name}__alpha"] == 0.05

    def test_path(self, family):
        X, Y = small()
        model = make_model(family, tol=1e-7, max_iter=50_000)
        top = alpha_max(model, X, Y)
        _, coefs, *_ = path(model, X, Y, alphas=[top / 2, top / 10])
        plain = clone(model).set_params(alpha=top / 10).fit(X, Y)
        np.testing.assert_allclose(coefs[..., -1], plain.coef_, atol=1e-3)

    def test_names_of_outliers(self):
        pd = pytest.importorskip("pandas")
        data = make_outlier_tasks(n_features=20, n_informative=3, random_state=0)
        frame = pd.DataFrame(data.target, columns=[f"school {k}" for k in range(10)])
        model = RobustTaskRegressor(0.7, structure="block").fit(data.data, frame)
        names = model.tasks_[model.outlier_tasks_]
        assert names.tolist() == [f"school {k}" for k in np.flatnonzero(data.outliers)]

    def test_errors(self):
        X, Y = small()
        for model, message in [
            (DirtyModelRegressor(private=0.0), "'private' parameter of DirtyModelRegressor"),
            (DirtyModelClassifier(norm="l1"), "'norm' parameter of DirtyModelClassifier"),
            (RobustTaskRegressor(outlier=-1.0), "'outlier' parameter of RobustTaskRegressor"),
            (RobustTaskClassifier(structure="rows"), "'structure' parameter of RobustTask"),
            (SparseLowRankRegressor(sparse="few"), "'sparse' parameter of SparseLowRank"),
            (SparseLowRankRegressor(-1.0), "'alpha' parameter of SparseLowRankRegressor"),
            (SparseLowRankRegressor(0.1, solver="block"), "solver='block' needs a penalty on rows"),
            (DirtyModelRegressor(0.1, solver="newton"), "solver='newton' needs a smooth penalty"),
        ]:
            with pytest.raises(ValueError, match=message):
                model.fit(X, Y)


@pytest.mark.turns(2)
@pytest.mark.parametrize("share", [0.1, 0.03])
def test_school_is_solved_in_few_iterations(family, data_file, share):
    school = load_school(data_file("school.npz"))
    classes, own, *_ = FAMILIES[family]
    model = classes[0](**own, task_column=-1, max_iter=600)
    model.set_params(alpha=share * alpha_max(model, school.data, school.target))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(school.data, school.target)
    assert model.shared_coef_.any()
