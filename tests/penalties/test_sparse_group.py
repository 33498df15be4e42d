"""Laws of penalties on rows with entrywise shares, weights or sign constraints."""

import copy
import pickle

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from skmtl.objective import best_dual, envelope
from skmtl.penalties import (
    L1,
    L21,
    ChosenEntries,
    L1Inf,
    Positive,
    Ridge,
    SparseGroup,
    WeightedRows,
)

SHAPE = (4, 3)
FACTORS = np.array([0.5, 2.0, 0.0, 1.0])
HELD = np.array([0.5, 2.0, 3.0, 1.0])
CHOSEN = np.array([[1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0]], dtype=bool)


def _l2(row):
    return np.sqrt(sum(w**2 for w in row))


def _sparse(share, row):
    return 0.9 * ((1 - share) * _l2(row) + share * sum(abs(w) for w in row))


def _sparse_linf(row):
    return 0.9 * (0.6 * max(abs(w) for w in row) + 0.4 * sum(abs(w) for w in row))


# A penalty, and its value at one row by definition.
NORMS = {
    "sparse": (SparseGroup(0.9, 0.4), lambda j, row: _sparse(0.4, row)),
    "sparse-0": (SparseGroup(0.9, 0.0), lambda j, row: _sparse(0.0, row)),
    "sparse-1": (SparseGroup(0.9, 1.0), lambda j, row: _sparse(1.0, row)),
    "nearly-1": (SparseGroup(0.9, 0.999), lambda j, row: _sparse(0.999, row)),
    "sparse-linf": (SparseGroup(0.9, 0.4, "linf"), lambda j, row: _sparse_linf(row)),
    "weighted-sparse": (
        WeightedRows(SparseGroup(0.9, 0.4), HELD),
        lambda j, row: HELD[j] * _sparse(0.4, row),
    ),
    "weighted": (WeightedRows(L21(1.3), HELD), lambda j, row: HELD[j] * 1.3 * _l2(row)),
    "weighted-linf": (
        WeightedRows(L1Inf(1.3), HELD),
        lambda j, row: HELD[j] * 1.3 * max(abs(w) for w in row),
    ),
}
POSITIVE = {
    "positive": (Positive(L21(1.3)), lambda j, row: 1.3 * _l2(row)),
    "positive-l1": (Positive(L1(0.7)), lambda j, row: 0.7 * sum(row)),
    "positive-sparse-linf": (
        Positive(SparseGroup(0.9, 0.4, "linf")),
        lambda j, row: _sparse_linf(row),
    ),
    "positive-weighted": (
        Positive(WeightedRows(SparseGroup(0.9, 0.4), HELD)),
        lambda j, row: HELD[j] * _sparse(0.4, row),
    ),
}
FREE = {
    "free": (WeightedRows(L21(1.3), FACTORS), lambda j, row: FACTORS[j] * 1.3 * _l2(row)),
    "free-linf": (
        WeightedRows(L1Inf(1.3), FACTORS),
        lambda j, row: FACTORS[j] * 1.3 * max(abs(w) for w in row),
    ),
    "free-positive": (
        Positive(WeightedRows(SparseGroup(0.9, 0.4), FACTORS)),
        lambda j, row: FACTORS[j] * _sparse(0.4, row),
    ),
    "chosen": (
        ChosenEntries(CHOSEN),
        lambda j, row: np.inf if any(row[~CHOSEN[j]]) else 0.0,
    ),
    "chosen-positive": (
        ChosenEntries(CHOSEN, True),
        lambda j, row: np.inf if any(row[~CHOSEN[j]]) else 0.0,
    ),
}
TABLE = {**NORMS, **POSITIVE, **FREE}
ALL = [pytest.param(*pair, id=name) for name, pair in TABLE.items()]
DUAL = [pytest.param(*pair, id=name) for name, pair in {**NORMS, **POSITIVE}.items()]

numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
matrices = arrays(np.float64, SHAPE, elements=numbers)
steps = st.floats(1e-3, 1e3)


def by_hand(penalty, of_row, W):
    if penalty.is_positive and (W < 0).any():
        return np.inf
    return sum(of_row(j, row) for j, row in enumerate(W))


def prox_objective(penalty, W, V, step):
    return float((np.square(W - V) / (2 * step)).sum()) + penalty.value(W)


def stated_prox(penalty, V, step):
    """The prox by cvxpy; step may be a column."""
    W = cp.Variable(V.shape)
    form = penalty.to_cvxpy(W)
    expression, constraints = form if isinstance(form, tuple) else (form, [])
    squares = cp.sum(cp.multiply(1 / (2 * step * np.ones(V.shape)), cp.square(W - V)))
    tolerances = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    problem = cp.Problem(cp.Minimize(squares + expression), constraints)
    problem.solve(solver="CLARABEL", **tolerances)
    return W.value


class TestValue:
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    @given(W=matrices)
    def test_is_the_definition(self, penalty, of_row, W):
        for point in (W, np.abs(W), np.abs(W) * CHOSEN):
            assert penalty.value(point) == pytest.approx(by_hand(penalty, of_row, point), rel=1e-12)

    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    def test_is_the_value_of_the_cvxpy_form(self, penalty, of_row):
        W = np.abs(np.random.default_rng(0).standard_normal(SHAPE)) * CHOSEN
        form = penalty.to_cvxpy(cp.Constant(W))
        expression, constraints = form if isinstance(form, tuple) else (form, [])
        assert all(constraint.value() for constraint in constraints)
        assert float(expression.value) == pytest.approx(by_hand(penalty, of_row, W), rel=1e-9)


class TestProx:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    @given(V=matrices, step=steps, seed=st.integers(0, 10**6))
    def test_beats_other_points(self, penalty, of_row, V, step, seed):
        rng, column = np.random.default_rng(seed), step * np.array([[1.0], [0.1], [3.0], [1.0]])
        for each in (step, column):
            W = penalty.prox(V, each)
            best = prox_objective(penalty, W, V, each)
            for scale in (1e-4, 1e-2, 1.0, 30.0):
                moved = W + scale * rng.standard_normal(SHAPE)
                for other in (moved, np.maximum(moved, 0), moved * CHOSEN, moved * (W != 0)):
                    assert best <= prox_objective(penalty, other, V, each) * (1 + 1e-9) + 1e-9

    @pytest.mark.turns(2)
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    def test_is_cvxpys(self, penalty, of_row):
        V = 2 * np.random.default_rng(1).standard_normal(SHAPE)
        for step in (0.9, np.array([[0.3], [0.2], [0.9], [1.5]])):
            np.testing.assert_allclose(
                penalty.prox(V, step), stated_prox(penalty, V, step), atol=1e-5
            )

    @pytest.mark.turns(3)
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    @given(A=matrices, B=matrices, step=steps)
    def test_is_firmly_non_expansive(self, penalty, of_row, A, B, step):
        moved = penalty.prox(A, step) - penalty.prox(B, step)
        squared = float((moved**2).sum())
        assert squared <= float((moved * (A - B)).sum()) + 1e-10 * (1 + squared)

    @pytest.mark.parametrize("norm", ["l2", "linf"])
    def test_drops_entries_and_rows(self, norm):
        V = np.array([[3.0, 0.1, -2.0], [0.3, -0.3, 0.2], [0.1, 0.0, 9.0]])
        W = SparseGroup(1.0, 0.5, norm).prox(V, 1.0)
        assert (W[0] != 0).tolist() == [True, False, True]
        assert not W[1].any()
        assert (W[2] != 0).tolist() == [False, False, True]

    def test_ends_of_the_share(self):
        V = np.random.default_rng(0).standard_normal((20, 3))
        np.testing.assert_array_equal(SparseGroup(0.5, 1.0).prox(V, 0.7), L1(0.5).prox(V, 0.7))
        np.testing.assert_array_equal(SparseGroup(0.5, 0.0).prox(V, 0.7), L21(0.5).prox(V, 0.7))
        assert SparseGroup(0.5, 1.0).dual_norm(V) == pytest.approx(L1(0.5).dual_norm(V))
        assert SparseGroup(0.5, 0.0).dual_norm(V) == pytest.approx(L21(0.5).dual_norm(V))
        linf = SparseGroup(0.5, 0.0, "linf")
        assert linf.dual_norm(V) == pytest.approx(L1Inf(0.5).dual_norm(V))

    @pytest.mark.parametrize("base", [L1(0.5), L21(0.5), L1Inf(0.5), SparseGroup(0.5, 0.3)])
    def test_weights_of_one_change_nothing(self, base):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        same = WeightedRows(base, np.ones(4))
        np.testing.assert_array_equal(same.prox(V, 0.3), base.prox(V, 0.3))
        assert same.value(V) == base.value(V) and same.dual_norm(V) == base.dual_norm(V)

    @pytest.mark.parametrize("name", ["free", "free-linf"])
    def test_free_rows_stay_as_they_are(self, name):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        penalty = TABLE[name][0]
        np.testing.assert_array_equal(penalty.prox(V, 0.3)[2], V[2])
        assert penalty.free_rows.tolist() == [False, False, True, False]
        assert penalty.of_rows(np.array([0, 3])).free_rows is None
        assert penalty.row_thresholds is None and penalty.is_norm
        assert not WeightedRows(L21(), np.zeros(2)).is_norm

    def test_nested_weights_are_multiplied(self):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        V[FACTORS == 0] = 0
        nested = WeightedRows(WeightedRows(L21(1.3), HELD), FACTORS)
        whole = WeightedRows(L21(1.3), HELD * FACTORS)
        assert nested.value(V) == pytest.approx(whole.value(V))
        assert nested.dual_norm(V) == pytest.approx(whole.dual_norm(V))
        np.testing.assert_allclose(nested.prox(V, 0.3), whole.prox(V, 0.3))


class TestDuality:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize(("penalty", "of_row"), DUAL)
    @given(G=matrices, W=matrices)
    def test_dual_norm_bounds_every_product(self, penalty, of_row, G, W):
        for point in (W, np.abs(W)):
            value = penalty.value(point)
            if np.isfinite(value):
                bound = penalty.dual_norm(G) * value
                assert float((G * point).sum()) <= bound * (1 + 1e-12) + 1e-12

    @pytest.mark.parametrize(("penalty", "of_row"), DUAL)
    @given(G=matrices, step=steps)
    def test_dual_norm_is_where_the_prox_vanishes(self, penalty, of_row, G, step):
        nu = penalty.dual_norm(G)
        assert not penalty.prox(G, nu * (1 + 1e-12) + 1e-300).any()
        if nu > 1e-3:
            assert penalty.prox(G, nu * (1 - 1e-6)).any()

    @pytest.mark.parametrize(("penalty", "of_row"), DUAL)
    def test_dual_norm_is_cvxpys(self, penalty, of_row):
        G = np.random.default_rng(3).standard_normal(SHAPE)
        W = cp.Variable(SHAPE)
        form = penalty.to_cvxpy(W)
        expression, constraints = form if isinstance(form, tuple) else (form, [])
        problem = cp.Problem(
            cp.Maximize(cp.sum(cp.multiply(G, W))), [expression <= 1, *constraints]
        )
        assert penalty.dual_norm(G) == pytest.approx(problem.solve(solver="CLARABEL"), rel=1e-6)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("norm", ["l2", "linf"])
    @pytest.mark.parametrize("share", [1e-12, 0.01, 0.5, 0.99, 1 - 1e-9])
    @pytest.mark.parametrize("size", [1e-100, 1.0, 1e100])
    def test_dual_norm_of_many_tasks_is_a_true_bound(self, norm, share, size):
        # By bisection on the definition in extended precision.
        rng = np.random.default_rng(0)
        penalty = SparseGroup(0.7, share, norm)
        for G in (rng.standard_normal((5, 200)), np.ones((2, 30)), rng.standard_cauchy((5, 200))):
            G = size * G
            nu = penalty.dual_norm(G)
            entry, group = np.longdouble(0.7 * share), np.longdouble(0.7 * (1 - share))
            best = np.longdouble(0)
            for row in np.abs(G).astype(np.longdouble):
                low, high = np.longdouble(0), row.sum() / (entry + group)
                for _ in range(200):
                    middle = (low + high) / 2
                    left = np.maximum(row - middle * entry, 0)
                    length = np.sqrt((left**2).sum()) if norm == "l2" else left.sum()
                    low, high = (middle, high) if length > middle * group else (low, middle)
                best = max(best, low)
            assert float(best) * (1 - 1e-15) <= nu <= float(best) * (1 + 1e-12)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    @given(G=matrices, W=matrices)
    def test_fenchel_young_with_a_ridge(self, penalty, of_row, G, W):
        # The certificate if slopes of free rows do not vanish.
        ridge, point = Ridge(0.3), np.abs(W)
        conjugate = envelope(penalty, ridge, G)
        dual = best_dual(penalty, ridge, W, G, lambda scale: 0.0)
        assert -dual.value <= conjugate * (1 + 1e-9) + 1e-9
        for other in (W, point, point * CHOSEN):
            value = penalty.value(other) + ridge.value(other)
            if np.isfinite(value):
                product = float((G * other).sum())
                assert conjugate >= product - value - 1e-9 * (1 + abs(product))

    @pytest.mark.parametrize("name", ["free", "free-linf", "free-positive"])
    def test_dual_norm_is_infinite_unless_slopes_of_free_rows_vanish(self, name):
        penalty, G = TABLE[name][0], np.random.default_rng(0).standard_normal(SHAPE)
        assert penalty.dual_norm(np.abs(G)) == penalty.conjugate(np.abs(G)) == np.inf
        G[2] = -1e-300 if penalty.is_positive else 0.0
        held = penalty.of_rows(np.array([0, 1, 3]))
        assert penalty.dual_norm(G) == held.dual_norm(G[[0, 1, 3]]) > 0
        assert np.isfinite(penalty.conjugate(penalty.dual_scale(G) * G))

    def test_conjugate_of_chosen_entries(self):
        G = np.where(CHOSEN, 0.0, 5.0)
        assert ChosenEntries(CHOSEN).conjugate(G) == 0
        assert ChosenEntries(CHOSEN, True).conjugate(G - CHOSEN) == 0
        assert ChosenEntries(CHOSEN).conjugate(G - CHOSEN) == np.inf
        assert ChosenEntries(CHOSEN, True).conjugate(G + CHOSEN) == np.inf


class TestHouse:
    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    def test_float32_is_kept_and_inputs_are_not_modified(self, penalty, of_row):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        before, step = V.copy(), np.full((4, 1), 0.3)
        V.flags.writeable = step.flags.writeable = False
        W = penalty.prox(V, step)
        assert not np.shares_memory(V, W)
        penalty.conjugate(V)
        penalty.dual_scale(V)
        np.testing.assert_array_equal(V, before)
        single = penalty.prox(V.astype(np.float32), step)
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, W, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    def test_clone_pickle_and_repr(self, penalty, of_row):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        for twin in (clone(penalty), pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
            np.testing.assert_array_equal(twin.prox(V, 0.4), penalty.prox(V, 0.4))
        assert type(penalty).__name__ in repr(penalty)

    @pytest.mark.parametrize(("penalty", "of_row"), ALL)
    def test_some_rows_and_other_strengths(self, penalty, of_row):
        V, rows = np.random.default_rng(0).standard_normal(SHAPE), np.array([3, 1])
        part = penalty.of_rows(rows)
        np.testing.assert_array_equal(part.prox(V[rows], 0.4), penalty.prox(V, 0.4)[rows])
        tasks = np.array([True, False, True])
        few = penalty.for_tasks(tasks)
        kept = few.prox(V[:, tasks], 0.4)
        np.testing.assert_allclose(kept, penalty.prox(V * tasks, 0.4)[:, tasks], rtol=1e-12)
        twice = penalty.scaled(2.0)
        np.testing.assert_allclose(twice.prox(V, 0.2), penalty.prox(V, 0.4), rtol=1e-12)

    @pytest.mark.parametrize("empty", [(0, 3), (4, 0)])
    def test_empty_matrices(self, empty):
        penalty, W = SparseGroup(0.9, 0.4), np.zeros(empty)
        assert penalty.prox(W, 1.0).shape == empty
        assert penalty.value(W) == 0 and penalty.dual_norm(W) == 0
