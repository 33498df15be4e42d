"""Any penalty, any loss: sums, superpositions, quadratics between tasks, mixed losses."""

import warnings

import numpy as np
import pytest
from multi_task_problems import CHAIN, COMPLETE, LAPLACIAN, PENALTIES, small
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseRegressor,
    FusedTaskClassifier,
    MultiTaskClassifier,
    MultiTaskRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.model_selection import alpha_max, path
from skmtl.penalties import (
    L1,
    L21,
    ClusterNorm,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    PenaltySum,
    Positive,
    Ridge,
    SparseGroup,
    SquaredTraceNorm,
    Superposition,
    TaskQuadratic,
    TraceNorm,
    WeightedRows,
    split,
)

SOME = [SCENARIOS[k] for k in (0, 2, 4, 8, 10)]
# Splitting takes seconds here. The other quick scenario has the same penalties and losses.
LONG = {
    f"int-shared-sparse-labels-array-dict-True-{name}"
    for name in ("sum-classification", "sum-with-square-regression")
}


def penalty_cases():
    """Every penalty in the scenarios by turns, the long cases marked as slow."""
    for case in by_turns(PENALTIES, SOME):
        marks = pytest.mark.slow if case.id in LONG else case.marks
        yield pytest.param(*case.values, marks=marks, id=case.id)


@pytest.mark.turns(3)
@pytest.mark.parametrize(("name", "scenario", "classify"), list(penalty_cases()))
def test_penalty_against_cvxpy(name, scenario, classify):
    problem = Problem(scenario, classify=classify)
    cls = MultiTaskClassifier if classify else MultiTaskRegressor
    alpha = 0.05 if classify else 0.4
    tight = {**TIGHT, "tol": 1e-8}
    model = cls(alpha, penalty=PENALTIES[name], **problem.params, **tight)
    # If only differences between tasks are penalised, cvxpy's coefficients are less exact.
    assert_is_the_optimum(model, problem, coef=not name.endswith("variation"))


@pytest.mark.turns(3)
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
@pytest.mark.parametrize("name", ["dirty", "sum", "graph-ridge", "sparse-variation"])
def test_losses_against_cvxpy(name, loss):
    classify = loss == "squared_hinge"
    problem = Problem(SCENARIOS[1], classify=classify)
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    cls = MultiTaskClassifier if classify else MultiTaskRegressor
    tight = {**TIGHT, "tol": 1e-8}
    model = cls(0.1, penalty=PENALTIES[name], loss=loss, **problem.params, **tight)
    assert_is_the_optimum(model, problem, coef=False)


class TestSpecialCases:
    def test_of_named_estimators(self):
        X, Y, _ = small()
        tight = {"tol": 1e-10, "max_iter": 50_000}
        block = BlockSparseRegressor(0.3, l1_ratio=0.7, **tight).fit(X, Y)
        same = MultiTaskRegressor(0.3, penalty=L21(0.7) + Ridge(0.3), **tight).fit(X, Y)
        np.testing.assert_allclose(same.coef_, block.coef_, atol=1e-6)
        relation = TaskRelationRegressor(0.3, **tight).fit(X, Y)
        same = MultiTaskRegressor(0.3, penalty=SquaredTraceNorm(), **tight).fit(X, Y)
        np.testing.assert_allclose(same.coef_, relation.coef_, atol=1e-6)

    def test_a_dominated_part_vanishes(self):
        X, Y, _ = small()
        tight = {"tol": 1e-10, "max_iter": 50_000}
        # Of two multiples of the same norm only the smaller one has a non-zero part.
        model = MultiTaskRegressor(penalty=Superposition(L21(0.2), L21(0.5)), **tight).fit(X, Y)
        parts = model.parts_
        assert sorted(parts) == ["l21-1", "l21-2"] and not parts["l21-2"].any()
        block = BlockSparseRegressor(0.2, **tight).fit(X, Y)
        np.testing.assert_allclose(model.coef_, block.coef_, atol=1e-6)

    def test_parts_add_up_in_the_units_of_y(self):
        X, Y, _ = small()
        factors = [1.0, 1e3, 1e-2]
        model = MultiTaskRegressor(
            0.3, penalty=Superposition(L21(), L1(0.7)), scale_tasks=True, tol=1e-9
        ).fit(X, Y * factors)
        np.testing.assert_allclose(sum(model.parts_.values()), model.coef_, rtol=1e-9, atol=1e-12)
        single = MultiTaskRegressor(0.1, penalty=Superposition(L21(), L1(0.7))).fit(X, Y[:, 0])
        assert single.parts_["l21"].shape == single.coef_.shape == (6,)
        with pytest.raises(AttributeError, match="parts_ exists if the penalty"):
            _ = MultiTaskRegressor(0.1).fit(X, Y).parts_

    def test_identity_design_does_not_diverge(self):
        # The parts share one gradient: a step for each alone is twice too long.
        Y = np.diag([5.0, -3.0, 2.0, 0.1]) + 1.0
        model = MultiTaskRegressor(
            0.05, penalty=Superposition(L1Inf(), L1(0.6)), fit_intercept=False, tol=1e-10
        ).fit(np.eye(4), Y)
        exact = reference.solve(model, np.eye(4), Y)
        assert model.objective_ == pytest.approx(exact.objective, rel=1e-7)

    def test_graph_quadratic_solves_its_linear_system(self):
        X, Y, _ = small()
        model = MultiTaskRegressor(0.5, penalty=TaskQuadratic(LAPLACIAN), fit_intercept=False)
        model.fit(X, Y)
        n, d = X.shape
        system = np.kron(np.eye(3), X.T @ X / n) + 0.5 * np.kron(LAPLACIAN, np.eye(d))
        expected = np.linalg.solve(system, (X.T @ Y / n).T.ravel()).reshape(3, d)
        np.testing.assert_allclose(model.coef_, expected, rtol=1e-9, atol=1e-12)
        assert model.dual_gap_ <= 1e-10 * model.objective_

    def test_variation_on_a_chain_is_the_chains(self):
        X, Y, _ = small(n_tasks=5)
        chain = np.diag(np.ones(4), 1) + np.diag(np.ones(4), -1)
        options = {"tol": 1e-9, "max_iter": 50_000}
        graph = MultiTaskRegressor(0.3, penalty=GraphTotalVariation(chain), **options).fit(X, Y)
        exact = MultiTaskRegressor(0.3, penalty=FusedTasks(), **options).fit(X, Y)
        assert graph.objective_ == pytest.approx(exact.objective_, rel=1e-8)
        np.testing.assert_allclose(graph.coef_, exact.coef_, atol=1e-4)

    def test_disconnected_graph_of_variations_against_cvxpy(self):
        X, Y, _ = small()
        lonely = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        alone = MultiTaskRegressor(penalty=GraphTotalVariation(lonely, 0.3) + L1(0.1), tol=1e-8)
        exact = reference.solve(alone, X, Y)
        assert alone.fit(X, Y).objective_ == pytest.approx(exact.objective, rel=1e-6)


class TestAsAnEstimator:
    def test_nested_parameters_in_a_grid(self):
        X, Y, _ = small()
        grid = GridSearchCV(
            make_pipeline(StandardScaler(), MultiTaskRegressor(penalty=L21(0.1) + Ridge(0.1))),
            {
                "multitaskregressor__penalty__ridge__alpha": [0.01, 10.0],
                "multitaskregressor__penalty__l21__alpha": [0.05, 100.0],
            },
            cv=3,
        ).fit(X, Y)
        assert set(grid.best_params_.values()) == {0.01, 0.05}
        names = {"penalty": Superposition(L21(), L1(0.5)), "penalty__l1__alpha": 0.7}
        model = MultiTaskRegressor().set_params(**names)
        assert model.penalty.parts[1].alpha == 0.7
        with pytest.raises(ValueError, match="has no part 'ridge'; its parts are l21, l1"):
            model.set_params(penalty__ridge__alpha=1.0)

    def test_clones_do_not_share_their_penalties(self):
        for penalty in (L21(0.1) + Ridge(0.2), Superposition(L21(0.1), L1(0.2))):
            model = MultiTaskRegressor(penalty=penalty)
            twin = clone(model).set_params(penalty__l21__alpha=9.0)
            assert model.penalty.parts[0].alpha == 0.1
            assert twin.penalty.parts[0].alpha == 9.0
            assert repr(clone(model).penalty) == repr(penalty)

    def test_warm_start_and_float32(self):
        X, Y, _ = small()
        penalty = Superposition(TraceNorm(), L1(0.6))
        model = MultiTaskRegressor(0.2, penalty=penalty, warm_start=True, tol=1e-6).fit(X, Y)
        first = model.n_iter_
        assert model.fit(X, Y).n_iter_ <= 1 < first
        single = MultiTaskRegressor(0.2, penalty=penalty).fit(X.astype(np.float32), Y)
        assert single.coef_.dtype == np.float32
        np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-2)

    def test_path_and_top_of_the_grid(self):
        X, Y, _ = small()
        for penalty in (Superposition(L21(), L1(0.7)), L21() + TraceNorm(0.5)):
            model = MultiTaskRegressor(penalty=penalty, tol=1e-6)
            top = alpha_max(model, X, Y)
            assert not model.set_params(alpha=top * (1 + 1e-6)).fit(X, Y).coef_.any()
            _, coefs, _ = path(model, X, Y, alphas=[top / 2, top / 10])
            plain = clone(model).set_params(alpha=top / 10).fit(X, Y)
            np.testing.assert_allclose(coefs[..., -1], plain.coef_, atol=2e-3)

    def test_no_strength_is_no_penalty(self):
        X, Y, _ = small()
        free = MultiTaskRegressor(0.0, penalty=TraceNorm()).fit(X, Y)
        centred = X - X.mean(axis=0)
        expected = np.linalg.lstsq(centred, Y, rcond=None)[0].T
        np.testing.assert_allclose(free.coef_, expected, atol=1e-8)

    def test_errors(self):
        X, Y, _ = small()
        with pytest.raises(ValueError, match="'penalty' parameter of MultiTaskRegressor"):
            MultiTaskRegressor(penalty="l21").fit(X, Y)
        with pytest.raises(ValueError, match="needs a prox of its own"):
            Superposition(L21() + Ridge(), L1())
        with pytest.raises(ValueError, match="adds a superposition to another norm"):
            MultiTaskRegressor(penalty=Superposition(L21(), L1()) + L1()).fit(X, Y)
        with pytest.raises(ValueError, match="solver='fista' needs the prox"):
            MultiTaskRegressor(penalty=L1() + TraceNorm(), solver="fista").fit(X, Y)
        with pytest.raises(ValueError, match="solver='splitting' is for sums"):
            MultiTaskRegressor(penalty=L1(), solver="splitting").fit(X, Y)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["sum", "sum-of-three", "sum-with-square"])
    @pytest.mark.parametrize("missing", [False, True])
    def test_both_solvers_of_sums(self, name, missing):
        X, Y, _ = small()
        X = X * np.geomspace(1, 30, X.shape[1])  # features in unequal units
        if missing:
            Y = np.where(np.arange(Y.size).reshape(Y.shape) % 4 == 1, np.nan, Y)
        model = MultiTaskRegressor(0.5, penalty=PENALTIES[name], tol=1e-8, max_iter=100_000)
        exact = reference.solve(model, X, Y)
        fits = [clone(model).set_params(solver=s).fit(X, Y) for s in ("admm", "splitting")]
        for fit in fits:
            assert fit.objective_ == pytest.approx(exact.objective, rel=1e-6)
            assert fit.objective_ - exact.objective <= fit.dual_gap_ + 1e-6 * exact.objective
        again = clone(model).set_params(intercept="shrunk").fit(X, Y)
        assert again.objective_ == pytest.approx(reference.solve(again, X, Y).objective, rel=1e-6)

    def test_sums_make_zeros(self):
        X, Y, _ = small()
        model = MultiTaskRegressor(0.5, penalty=TraceNorm(0.2) + L21(), tol=1e-8).fit(X, Y)
        used = model.coef_.any(axis=0)
        exact = np.abs(reference.solve(model, X, Y).coef_).max(axis=0)
        np.testing.assert_array_equal(used, exact > 1e-3)
        assert 0 < used.sum() < len(used)

    def test_sum_flattens(self):
        nested = (L1(0.5) + Ridge(0.3)) + (Ridge(0.1) + TraceNorm())
        assert isinstance(nested, PenaltySum)
        proximal, quadratic = split(nested)
        assert [type(part) for part in proximal.parts] == [L1, TraceNorm]
        assert quadratic.value(np.ones((1, 1))) == pytest.approx(0.2)


class TestFreeMean:
    """Certificates in sums of penalties of which one leaves the mean task unpenalised."""

    @pytest.mark.parametrize(
        "penalty",
        [
            FusedTasks() + L1(0.3),
            FusedTasks() + TraceNorm(0.3),
            ClusterNorm(0.5, 2, 0.3, 0.0) + L1(0.3),
            FusedTasks(0.3) + Ridge(0.3),
            FusedTasks(0.3) + Ridge(np.array([0.1, 0.2, 0.3])),
            FusedTasks(0.3) + TaskQuadratic(LAPLACIAN + np.eye(3), 0.3),
            FusedTasks(0.3) + TaskQuadratic(LAPLACIAN, 0.3),
            ClusterNorm(0.5, 2, 0.3, 0.0) + Ridge(0.2),
            Superposition(FusedTasks(0.3), L21(0.4)) + Ridge(0.2),
            GraphTotalVariation(CHAIN, 0.3) + Ridge(0.3),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("classify", [False, True])
    def test_against_cvxpy(self, penalty, classify):
        X, Y, _ = small()
        cls, alpha = (MultiTaskClassifier, 0.1) if classify else (MultiTaskRegressor, 1.0)
        Y = (Y > 0).astype(float) if classify else Y + X.sum(axis=1, keepdims=True)
        model = cls(alpha, penalty=penalty, tol=1e-8, max_iter=20_000).fit(X, Y)
        exact = reference.solve(model, X, Y)
        assert model.objective_ == pytest.approx(exact.objective, rel=2e-7)
        loose = clone(model).set_params(tol=0.1).fit(X, Y)
        assert loose.dual_gap_ >= loose.objective_ - exact.objective - 1e-6 * exact.objective

    def test_nearly_collinear_features_are_not_certified_by_rounding(self):
        rng = np.random.default_rng(0)
        first, z = rng.normal(size=(2, 200))
        X = np.column_stack([first, first + 1e-7 * z])
        Y = z[:, None] + 0.1 * rng.normal(size=(200, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MultiTaskRegressor(1e-3, penalty=FusedTasks()).fit(X, Y)
        left = model.objective_ - 3 * 0.01 / 2
        assert model.dual_gap_ >= 0.9 * left

    def test_weak_sums_do_not_break(self):
        X, Y, _ = small()
        for penalty in (L21() + TraceNorm(), GraphTotalVariation(CHAIN) + L1()):
            model = MultiTaskRegressor(1e-10, penalty=penalty).fit(X, Y)
            assert np.isfinite(model.coef_).all() and model.dual_gap_ <= 1e-3


class TestWrongPenalties:
    @pytest.mark.parametrize(
        ("penalty", "message"),
        [
            (L21(-1.0), "'alpha' parameter of L21 must be"),
            (TraceNorm(np.nan), "'alpha' parameter of TraceNorm must be"),
            (Ridge(-1.0), "'alpha' parameter of Ridge must be a finite number >= 0"),
            (Ridge(np.ones(2)), "one for each of the 3 tasks"),
            (SparseGroup(1.0, 2.0), "'sparsity' parameter of SparseGroup"),
            (SparseGroup(1.0, 0.5, "l7"), "'norm' parameter of SparseGroup"),
            (WeightedRows(L21(), -np.ones(6)), "'weights' parameter of WeightedRows"),
            (WeightedRows(FusedTasks(), np.ones(6)), "must be a norm of the rows"),
            (Positive(TraceNorm()), "'penalty' parameter of Positive must be"),
            (Positive(L21(0.0)), "must have a strength > 0"),
            (TaskQuadratic(-np.eye(3)), "'matrix' must be positive semidefinite"),
            (TaskQuadratic(np.eye(2)), r"'matrix' has shape \(2, 2\)"),
            (GraphTotalVariation(-CHAIN), "weights of 'adjacency' must be >= 0"),
            (ClusterNorm(1.0, 50), "at most the number of tasks, 3"),
            (ClusterNorm(1.0, 2, 0.0), "'between' parameter of ClusterNorm"),
            (FusedTasks(1.0, -1.0), "'fused' parameter of FusedTasks"),
            (L21() + Positive(L1()), "does not preserve signs"),
        ],
        ids=repr,
    )
    def test_rule_value_remedy(self, penalty, message):
        X, Y, _ = small()
        with pytest.raises(ValueError, match=message):
            MultiTaskRegressor(penalty=penalty).fit(X, Y)

    def test_invalid_combinations_raise(self):
        with pytest.raises(TypeError, match="unsupported operand"):
            L21() + 1
        with pytest.raises(ValueError, match="at least two"):
            Superposition(L21())
        with pytest.raises(ValueError, match="needs a prox of its own"):
            Superposition(L21(), GraphTotalVariation(CHAIN))

    def test_strength_zero_is_no_penalty(self):
        X, Y, _ = small()
        free = MultiTaskRegressor(0.0).fit(X, Y).coef_
        for penalty in (L21(0.0), Superposition(L21(0.0), L1(0.1)), L1(0.0) + L21(0.0)):
            model = MultiTaskRegressor(penalty=penalty).fit(X, Y)
            np.testing.assert_allclose(model.coef_, free, atol=1e-9)
        some = MultiTaskRegressor(penalty=L21(0.0) + TraceNorm(0.1), tol=1e-8).fit(X, Y)
        plain = MultiTaskRegressor(penalty=TraceNorm(0.1), tol=1e-8).fit(X, Y)
        np.testing.assert_allclose(some.coef_, plain.coef_, atol=1e-4)

    def test_repr_can_be_evaluated_and_sums_are_flat(self):
        model = MultiTaskRegressor(0.5, penalty=L21(0.1) + L1(0.05) + Ridge(0.02))
        assert "penalty__ridge__alpha" in model.get_params()
        again = eval(repr(model))
        assert repr(again) == repr(model) and again.get_params().keys() == model.get_params().keys()
        other = MultiTaskRegressor(penalty=Superposition(L21(0.1), L1()))
        assert repr(eval(repr(other))) == repr(other)


def test_losses_by_task_need_the_tasks_and_a_single_loss_does_not():
    X, Y, _ = small()
    model = MultiTaskRegressor(loss="huber", huber_delta=2.0)
    assert model._own_loss().delta == 2.0
    model.fit(X, Y).set_params(loss=dict.fromkeys(range(3), "squared"))
    with pytest.raises(ValueError, match="Call fit after setting it"):
        model.predict(X)
    np.testing.assert_array_equal(
        model.fit(X, Y).predict(X), MultiTaskRegressor().fit(X, Y).predict(X)
    )


def test_multinomial_with_a_coupling_is_certified():
    X, Y, _ = small(n=120)
    model = MultiTaskClassifier(
        1.0, penalty=TaskQuadratic(COMPLETE, 0.1), loss="multinomial", tol=1e-7
    ).fit(X, Y.argmax(axis=1))
    exact = reference.solve(model, X, Y.argmax(axis=1))
    assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
    assert model.dual_gap_ <= 1e-6


def test_separable_common_part_warns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 8))
    labels = (X[:, :3] + 2 * rng.normal(size=(90, 3)) > 0).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MultiTaskClassifier(0.1, penalty=TaskQuadratic(COMPLETE)).fit(X, labels)
    wide = rng.normal(size=(12, 40))
    labels = np.repeat((wide[:, :1] > 0).astype(float), 3, axis=1)
    with pytest.warns(UserWarning, match="in common is not penalised in .*add Ridge.. to the pen"):
        MultiTaskClassifier(0.1, penalty=TaskQuadratic(COMPLETE), max_iter=50).fit(wide, labels)
    with pytest.warns(UserWarning, match="in FusedTaskClassifier, and .*sparse or block > 0"):
        FusedTaskClassifier(0.1, max_iter=50).fit(wide, labels)
