"""Laws of every penalty: formula, prox, dual norm, conjugate, cvxpy form."""

import copy
import itertools
import pickle

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from penalty_formulas import (
    COUPLING,
    EACH,
    SHAPE,
    TIGHT,
    check_prox_derivative,
    matrices,
    numbers,
    of_each,
    prox_objective,
    stated,
    steps,
)
from sklearn.base import clone

from skmtl._numerics import Coupling
from skmtl.penalties import (
    L1,
    L21,
    ClusterNorm,
    FeatureGroups,
    FusedTasks,
    L1Inf,
    PairwiseFusion,
    Ridge,
    SquaredTraceNorm,
    TaskGroup,
    TaskQuadratic,
    TraceNorm,
    TreeGroup,
    split,
)


def _l1(W):
    return 0.7 * sum(abs(w) for w in W.ravel())


def _l21(W):
    return 1.3 * sum(np.sqrt(sum(w**2 for w in row)) for row in W)


def _ridge(W):
    return 0.8 / 2 * sum(w**2 for w in W.ravel())


def _ridge_each(W):
    return sum(a / 2 * sum(w**2 for w in column) for a, column in zip(EACH, W.T, strict=True))


def _one_cluster(W):
    """One cluster: squared distances to the mean, and the mean."""
    mean = W.mean(axis=1)
    distances = sum(((w - mean) ** 2).sum() for w in W.T)
    return 0.5 / 2 * (distances + 0.2 * W.shape[1] * (mean**2).sum())


def _all_clusters(W):
    """Each task is its own cluster: squared distances between centres with weight 0.3, no mean."""
    mean = W.mean(axis=1)
    return 0.5 / 2 * 0.3 * sum(((w - mean) ** 2).sum() for w in W.T)


def _fused(fused, sparse, block, order=(0, 1, 2)):
    def by_hand(W):
        total = 0.0
        for row in W:
            steps = sum(abs(row[b] - row[a]) for a, b in zip(order, order[1:], strict=False))
            total += fused * steps + sparse * sum(abs(row)) + block * np.sqrt(sum(row**2))
        return 0.7 * total

    return FusedTasks(0.7, fused, sparse, block, None if order == (0, 1, 2) else order), by_hand


def _pairwise(fused, sparse, block):
    def by_hand(W):
        total = 0.0
        for row in W:
            pairs = sum(abs(a - b) for a, b in itertools.combinations(row, 2))
            total += fused * pairs + sparse * sum(abs(row)) + block * np.sqrt(sum(row**2))
        return 0.7 * total

    return PairwiseFusion(0.7, fused, sparse, block), by_hand


def _tree(W):
    lengths = [np.hypot(np.hypot(*row[:2]), row[2]) * 0.5 + np.hypot(row[0], row[2]) for row in W]
    return 0.6 * (sum(lengths) + sum(0.4 * abs(row[1]) + 2 * abs(row[2]) for row in W))


def _groups(W, largest=False):
    """Three rows and a single one, of weights 2 and 0.5."""
    blocks = {(0, 2, 3): 2.0, (1,): 0.5}
    total = 0.0
    for rows, weight in blocks.items():
        entries = [w for j in rows for w in W[j]]
        block = np.sqrt(len(rows)) * np.sqrt(sum(w**2 for w in entries))
        if largest:
            block = len(rows) * max(abs(w) for w in entries)
        total += weight * (0.7 * block + 0.3 * sum(abs(w) for w in entries))
    return 0.9 * total


def _coupling(W):
    """The squared distance of each row from the multiples of (1, 2, 3)."""
    free = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    return 0.8 / 2 * sum(w @ w - (w @ free) ** 2 for w in W)


# Laplacians, to the second of which a diagonal is added.
TREE = np.array([[2.0, -2.0, 0.0], [-2.0, 2.5, -0.5], [0.0, -0.5, 0.5]])
CYCLE = np.array([[3.3, -2.0, -1.0], [-2.0, 2.5, -0.5], [-1.0, -0.5, 1.5]])


def _edges(alpha, edges, own=()):
    """Squared differences along edges, and squares of tasks."""

    def value(W):
        total = sum(a * ((W[:, s] - W[:, t]) ** 2).sum() for s, t, a in edges)
        return alpha / 2 * (total + sum(a * (w**2).sum() for a, w in zip(own, W.T, strict=False)))

    return value


TABLE = {
    "L1": (L1(0.7), _l1),
    "L21": (L21(1.3), _l21),
    "Ridge": (Ridge(0.8), _ridge),
    "Ridge-each": (Ridge(EACH), _ridge_each),
    "TaskQuadratic": (TaskQuadratic(COUPLING, 0.8), _coupling),
    "graph-tree": (TaskQuadratic(sp.csr_array(TREE), 0.8), _edges(0.8, [(0, 1, 2.0), (1, 2, 0.5)])),
    "graph-cycle": (
        TaskQuadratic(sp.csr_array(CYCLE), 0.8),
        _edges(0.8, [(0, 1, 2.0), (1, 2, 0.5), (0, 2, 1.0)], own=(0.3, 0.0, 0.0)),
    ),
    "graph-complete": (
        TaskQuadratic(Coupling.complete(3, 0.4, 0.1), 0.8),
        _edges(0.8, [(0, 1, 0.4), (1, 2, 0.4), (0, 2, 0.4)], own=(0.1, 0.1, 0.1)),
    ),
    "L1Inf": (L1Inf(0.9), lambda W: 0.9 * sum(max(abs(w) for w in row) for row in W)),
    "TaskGroup": (TaskGroup(0.6), lambda W: 0.6 * sum(np.sqrt(sum(w**2)) for w in W.T)),
    "TraceNorm": (TraceNorm(0.8), lambda W: 0.8 * np.linalg.norm(W, "nuc")),
    "SquaredTraceNorm": (SquaredTraceNorm(0.8), lambda W: 0.4 * np.linalg.norm(W, "nuc") ** 2),
    "one-cluster": (ClusterNorm(0.5, 1, 0.3, 0.2), _one_cluster),
    "fused-alone": _fused(1.5, 0.0, 0.0, (1, 2, 0)),
    "fused-sparse": _fused(1.5, 0.4, 0.0),
    "fused-block": _fused(0.3, 0.0, 0.8, (2, 0, 1)),
    "fused-all": _fused(1.0, 0.5, 0.8, (0, 2, 1)),
    "fused-not": _fused(0.0, 0.5, 0.8),
    "pairwise-alone": _pairwise(0.6, 0.0, 0.0),
    "pairwise-sparse": _pairwise(0.6, 0.4, 0.0),
    "pairwise-block": _pairwise(0.2, 0.0, 0.8),
    "pairwise-all": _pairwise(0.4, 0.5, 0.8),
    "pairwise-not": _pairwise(0.0, 0.5, 0.8),
    "TreeGroup": (TreeGroup(0.6, [[0, 1, 2], [2], [2, 0], [1]], [0.5, 2.0, 1.0, 0.4]), _tree),
    "FeatureGroups": (
        FeatureGroups(0.9, np.array([7, 3, 7, 7]), 0.3, np.array([2.0, 0.5, 2.0, 2.0])),
        _groups,
    ),
    "FeatureGroups-linf": (
        FeatureGroups(0.9, np.array([7, 3, 7, 7]), 0.3, np.array([2.0, 0.5, 2.0, 2.0]), "linf"),
        lambda W: _groups(W, largest=True),
    ),
    "all-clusters": (ClusterNorm(0.5, 3, 0.3, 0.0), _all_clusters),
}
ALL = [pytest.param(penalty, id=name) for name, (penalty, _) in TABLE.items()]
NORMS = [
    pytest.param(penalty, id=name)
    for name, (penalty, _) in TABLE.items()
    if penalty.is_norm and split(penalty)[1] is None and not penalty.leaves_mean_free
]
QUADRATIC_NAMES = (
    "Ridge",
    "Ridge-each",
    "TaskQuadratic",
    "graph-tree",
    "graph-cycle",
    "graph-complete",
)
QUADRATICS = [pytest.param(TABLE[name][0], id=name) for name in QUADRATIC_NAMES]
ROW_NORMS = [pytest.param(TABLE[name][0], id=name) for name in ("L1", "L21", "L1Inf")]
SPARSE = ROW_NORMS[:2]
# Those whose parameters do not fix the number of tasks.
ANY_SHAPE = [pytest.param(TABLE[name][0], id=name) for name in ("L1", "L21", "Ridge", "L1Inf")]
ANY_SHAPE += [
    pytest.param(cls(0.5, *strengths), id=f"{cls.__name__}-{strengths}")
    for cls in (FusedTasks, PairwiseFusion)
    for strengths in ((1.0,), (0.4, 0.0, 1.0), (1.0, 0.5, 0.3))
]
BY_ROW = [
    pytest.param(penalty, id=name)
    for name, (penalty, _) in TABLE.items()
    if penalty.separates_over_rows
]
any_shapes = st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=numbers)
)


def neighbours(W, V, seed):
    """Points near the prox, near its input, and with more zeros."""
    rng = np.random.default_rng(seed)
    for scale in (1e-4, 1e-2, 1.0, 30.0):
        yield W + scale * rng.standard_normal(W.shape)
    yield W * 1.001
    yield W * 0.999
    yield np.zeros_like(W)
    yield V
    row = W.copy()
    row[rng.integers(len(W))] = 0
    yield row
    entry = W.copy()
    entry[rng.integers(len(W)), rng.integers(W.shape[1])] += 1e-3
    yield entry


class TestValue:
    @given(W=matrices)
    @of_each("name", TABLE)
    def test_is_the_definition(self, name, W):
        penalty, by_hand = TABLE[name]
        value = penalty.value(W)
        assert isinstance(value, float)
        assert value == pytest.approx(by_hand(W), rel=1e-12)

    @pytest.mark.parametrize("name", TABLE)
    def test_is_the_value_of_the_cvxpy_form(self, name):
        penalty, by_hand = TABLE[name]
        W = np.random.default_rng(0).standard_normal(SHAPE)
        expression, constraints = stated(penalty, cp.Constant(W))
        assert expression.is_convex()
        if constraints:
            # A minimum over further variables.
            problem = cp.Problem(cp.Minimize(expression), constraints)
            assert problem.solve(solver="CLARABEL") == pytest.approx(by_hand(W), rel=1e-5)
        else:
            assert float(expression.value) == pytest.approx(by_hand(W), rel=1e-9)

    @given(A=matrices, B=matrices, share=st.floats(0, 1))
    @of_each("penalty", ALL)
    def test_is_convex_and_zero_at_zero(self, penalty, A, B, share):
        mixed = penalty.value(share * A + (1 - share) * B)
        ends = share * penalty.value(A) + (1 - share) * penalty.value(B)
        assert mixed <= ends + 1e-9 * (1 + ends)
        assert penalty.value(np.zeros(SHAPE)) == 0

    @given(A=matrices, factor=st.floats(-1e3, 1e3))
    @of_each("penalty", NORMS)
    def test_norms_are_homogeneous(self, penalty, A, factor):
        expected = abs(factor) * penalty.value(A)
        assert penalty.value(factor * A) == pytest.approx(expected, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize("penalty", ALL)
    def test_does_not_depend_on_memory_order(self, penalty):
        W = np.random.default_rng(0).standard_normal(SHAPE)
        assert penalty.value(np.asfortranarray(W)) == pytest.approx(penalty.value(W), rel=1e-14)
        np.testing.assert_allclose(penalty.prox(np.asfortranarray(W), 0.3), penalty.prox(W, 0.3))


class TestProx:
    @given(V=matrices, step=steps, seed=st.integers(0, 10**6))
    @of_each("penalty", ALL)
    def test_beats_other_points(self, penalty, V, step, seed):
        W = penalty.prox(V, step)
        best = prox_objective(penalty, W, V, step)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, step) * (1 + 1e-9) + 1e-9

    @given(V=any_shapes, step=steps, seed=st.integers(0, 10**6))
    @of_each("penalty", ANY_SHAPE)
    def test_beats_other_points_for_one_task_or_one_feature_too(self, penalty, V, step, seed):
        W = penalty.prox(V, step)
        assert W.shape == V.shape
        best = prox_objective(penalty, W, V, step)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, step) * (1 + 1e-9) + 1e-9

    @given(
        V=matrices,
        column=arrays(np.float64, (SHAPE[0], 1), elements=steps),
        seed=st.integers(0, 10**6),
    )
    @of_each("penalty", BY_ROW)
    def test_a_step_per_row(self, penalty, V, column, seed):
        W = penalty.prox(V, column)
        best = prox_objective(penalty, W, V, column)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, column) * (1 + 1e-9) + 1e-9
        # Rows do not affect each other.
        for j in range(SHAPE[0]):
            alone = penalty.prox(V[j : j + 1], float(column[j, 0]))
            np.testing.assert_allclose(W[j : j + 1], alone, rtol=1e-13, atol=0)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("step", [0.1, 0.5, 2.0])
    @pytest.mark.parametrize("penalty", ALL)
    def test_has_a_derivative(self, penalty, step):
        check_prox_derivative(penalty, SHAPE, step)

    @given(A=matrices, B=matrices, step=steps)
    @of_each("penalty", ALL)
    def test_is_firmly_non_expansive(self, penalty, A, B, step):
        moved = penalty.prox(A, step) - penalty.prox(B, step)
        squared = float((moved**2).sum())
        assert squared <= float((moved * (A - B)).sum()) + 1e-10 * (1 + squared)
        assert squared <= float(((A - B) ** 2).sum()) * (1 + 1e-12) + 1e-12

    @given(V=matrices, step=steps)
    @of_each("name", ["L1", "L21"])
    def test_obeys_moreau(self, name, V, step):
        # V - prox is the projection onto step times the dual norm's unit ball.
        penalty, _ = TABLE[name]
        if name == "L1":
            radius = 0.7 * step
            projection = np.maximum(np.minimum(V, radius), -radius)
        else:
            radius = 1.3 * step
            lengths = np.array([max(np.linalg.norm(row), 1e-300) for row in V])
            projection = V * np.minimum(1, radius / lengths)[:, None]
        rest = V - penalty.prox(V, step)
        np.testing.assert_allclose(rest, projection, rtol=1e-9, atol=1e-9)
        assert penalty.dual_norm(rest / step) <= 1 + 1e-9

    @given(V=matrices, step=steps)
    @of_each("penalty", NORMS)
    def test_residual_is_a_subgradient(self, penalty, V, step):
        W = penalty.prox(V, step)
        G = (V - W) / step
        assert float((G * W).sum()) == pytest.approx(penalty.value(W), rel=1e-7, abs=1e-7)

    @given(V=matrices, step=steps)
    @of_each("name", ["Ridge", "Ridge-each"])
    def test_of_a_ridge_by_its_gradient(self, name, V, step):
        penalty, _ = TABLE[name]
        W = penalty.prox(V, step)
        alphas = 0.8 if name == "Ridge" else EACH
        np.testing.assert_allclose(W + step * alphas * W, V, rtol=1e-9, atol=1e-9)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", TABLE)
    def test_is_cvxpys(self, name):
        penalty, _ = TABLE[name]
        V = 2 * np.random.default_rng(1).standard_normal(SHAPE)
        variable = cp.Variable(SHAPE)
        expression, constraints = stated(penalty, variable)
        objective = cp.sum_squares(variable - V) / 2 + 0.9 * expression
        exact = {} if constraints else TIGHT
        cp.Problem(cp.Minimize(objective), constraints).solve(solver="CLARABEL", **exact)
        # cvxpy is less accurate if it also minimises over a matrix.
        atol = 1e-4 if constraints else 1e-5
        np.testing.assert_allclose(penalty.prox(V, 0.9), variable.value, atol=atol)

    @pytest.mark.parametrize("penalty", ALL)
    def test_zero_input(self, penalty):
        W = penalty.prox(np.zeros(SHAPE), 0.5)
        assert W.shape == SHAPE and not W.any()
        assert not np.isnan(W).any()

    @pytest.mark.parametrize("penalty", ALL)
    @pytest.mark.parametrize("size", [1e100, 1e150, -1e150])
    def test_huge_input(self, penalty, size):
        V = np.full(SHAPE, size)
        V[1] = 0.0
        V[2, 1:] = 1e-3
        with np.errstate(all="raise", under="ignore"):
            W = penalty.prox(V, 0.5)
        assert np.isfinite(W).all()
        assert not W[1].any()
        if penalty in (TABLE["L1"][0], TABLE["L21"][0]):
            assert W[0, 0] == pytest.approx(size)

    @pytest.mark.parametrize("penalty", ALL)
    def test_tiny_input(self, penalty):
        W = penalty.prox(np.full(SHAPE, 1e-200), 1e-3)
        # A coupling shrinks differences between entries.
        assert np.isfinite(W).all() and (np.abs(W) <= 1.01e-200).all()

    @pytest.mark.parametrize("penalty", ROW_NORMS)
    def test_ties_and_the_threshold_itself(self, penalty):
        V = np.zeros(SHAPE)
        V[0, 0] = 0.5 * penalty.alpha  # exactly at the threshold: zero
        V[1, 0] = np.nextafter(V[0, 0], 1)
        V[2] = V[3] = [1.0, -2.0, 2.0]  # equal rows stay equal
        W = penalty.prox(V, 0.5)
        assert W[0, 0] == 0 and 0 <= W[1, 0] < 1e-15
        np.testing.assert_array_equal(W[2], W[3])
        assert W[2, 1] == -W[2, 2] and (np.sign(W[2]) == np.sign(V[2])).all()

    @pytest.mark.parametrize("penalty", SPARSE)
    def test_dropped_rows_are_exactly_zero(self, penalty):
        V = np.random.default_rng(0).uniform(-1, 1, (200, 3))
        W = penalty.prox(V, 0.6)
        strong = np.abs(V) > 0.6 * 0.7
        if isinstance(penalty, L21):
            strong = np.linalg.norm(V, axis=1) > 0.6 * 1.3
            assert (W.any(axis=1) == strong).all()
        else:
            assert ((W != 0) == strong).all()

    @pytest.mark.parametrize("penalty", ALL)
    def test_a_step_of_zero_moves_nothing(self, penalty):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        np.testing.assert_allclose(penalty.prox(V, 0.0), V, rtol=1e-12)

    @pytest.mark.parametrize("penalty", SPARSE)
    @pytest.mark.parametrize("empty", [(0, 3), (4, 0)])
    def test_empty_matrices(self, penalty, empty):
        W = np.zeros(empty)
        assert penalty.prox(W, 1.0).shape == empty
        assert penalty.value(W) == 0 and penalty.dual_norm(W) == 0


class TestDuality:
    @given(G=matrices, W=matrices)
    @of_each("penalty", NORMS)
    def test_dual_norm_bounds_every_product(self, penalty, G, W):
        assert float((G * W).sum()) <= penalty.dual_norm(G) * penalty.value(W) * (1 + 1e-12) + 1e-12

    @given(G=matrices, seed=st.integers(0, 10**6))
    @of_each("penalty", ROW_NORMS)
    def test_dual_norm_is_attained_by_search(self, penalty, G, seed):
        # Extreme points of the unit balls lie in one row, or in one entry.
        best = 0.0
        for j in range(SHAPE[0]):
            candidates = [G[j], np.sign(G[j]), *np.eye(SHAPE[1]), *-np.eye(SHAPE[1])]
            candidates += list(np.random.default_rng(seed).standard_normal((5, SHAPE[1])))
            for row in candidates:
                W = np.zeros(SHAPE)
                W[j] = row
                if W.any():
                    best = max(best, float((G * W).sum()) / penalty.value(W))
        assert penalty.dual_norm(G) == pytest.approx(best, rel=1e-9, abs=1e-12)

    @given(G=matrices)
    def test_dual_norms_of_tasks_and_of_singular_values_are_attained(self, G):
        column = np.zeros(SHAPE)
        t = int(np.argmax((G**2).sum(axis=0)))
        column[:, t] = G[:, t]
        left, _, right = np.linalg.svd(G)
        for penalty, W in (
            (TABLE["TaskGroup"][0], column),
            (TABLE["TraceNorm"][0], np.outer(left[:, 0], right[0])),
        ):
            value = penalty.value(W)
            attained = float((G * W).sum()) / value if value else 0.0
            assert penalty.dual_norm(G) == pytest.approx(attained, rel=1e-9, abs=1e-9)

    @given(G=matrices, step=steps)
    @of_each("penalty", NORMS)
    def test_dual_norm_is_where_the_prox_vanishes(self, penalty, G, step):
        nu = penalty.dual_norm(G)
        assert not penalty.prox(G, nu * (1 + 1e-9)).any()
        if nu > 1e-3:
            assert penalty.prox(G, nu * (1 - 1e-6)).any()

    @given(G=matrices, W=matrices)
    @of_each("penalty", ALL)
    def test_fenchel_young(self, penalty, G, W):
        if penalty.leaves_mean_free:
            G = G - G.mean(axis=1, keepdims=True)
        conjugate = penalty.conjugate(G)
        assert conjugate >= 0
        lower = float((G * W).sum()) - penalty.value(W)
        assert conjugate >= lower - 1e-9 * (1 + abs(lower))

    @given(W=matrices)
    @of_each("penalty", QUADRATICS)
    def test_conjugate_of_a_quadratic_at_its_gradient(self, penalty, W):
        G = penalty.gradient(W)
        expected = float((G * W).sum()) - penalty.value(W)
        assert penalty.conjugate(G) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert penalty.conjugate(G) == pytest.approx(penalty.value(W), rel=1e-9, abs=1e-9)

    @given(G=matrices)
    @of_each("penalty", NORMS)
    def test_conjugate_of_a_norm_is_an_indicator(self, penalty, G):
        nu = penalty.dual_norm(G)
        if nu > 0:
            assert penalty.conjugate(G * (0.999 / nu)) == 0
            assert penalty.conjugate(G * (1.001 / nu)) == np.inf

    def test_conjugate_of_a_ridge_without_strength(self):
        G = np.zeros(SHAPE)
        G[:, 1:] = 1.0
        assert np.isfinite(Ridge(EACH).conjugate(G))
        G[0, 0] = 1e-3
        assert Ridge(EACH).conjugate(G) == np.inf
        assert Ridge(0.0).conjugate(G) == np.inf
        assert Ridge(0.0).conjugate(np.zeros(SHAPE)) == 0

    @given(G=matrices)
    @of_each("penalty", ALL)
    def test_dual_scale_makes_the_conjugate_finite_and_is_large(self, penalty, G):
        scale = penalty.dual_scale(G)
        assert 0 <= scale <= 1
        assert np.isfinite(penalty.conjugate(scale * G))
        if 0 < scale < 1:
            assert penalty.conjugate((1 + 1e-9) * scale * G) == np.inf
        elif scale == 0:
            assert penalty.conjugate(1e-50 * G) == np.inf

    @pytest.mark.parametrize("penalty", NORMS)
    def test_dual_norm_of_special_matrices(self, penalty):
        assert penalty.dual_norm(np.zeros(SHAPE)) == 0
        assert penalty.dual_scale(np.zeros(SHAPE)) == 1
        G = np.zeros(SHAPE)
        G[2, 1] = -5.0
        if not isinstance(penalty, (FeatureGroups, FusedTasks, PairwiseFusion, TreeGroup)):
            assert penalty.dual_norm(G) == pytest.approx(5 / penalty.alpha)
        assert np.isfinite(penalty.dual_norm(1e150 * G / 5))


class TestQuadratic:
    @pytest.mark.parametrize("penalty", QUADRATICS)
    def test_gradient_by_finite_differences(self, penalty):
        rng = np.random.default_rng(0)
        W, D = rng.standard_normal((2, *SHAPE))
        slope = (penalty.value(W + 1e-5 * D) - penalty.value(W - 1e-5 * D)) / 2e-5
        assert slope == pytest.approx(float((penalty.gradient(W) * D).sum()), rel=1e-7)

    @given(A=matrices, B=matrices)
    @of_each("penalty", QUADRATICS)
    def test_lipschitz_constant(self, penalty, A, B):
        bent = np.linalg.norm(penalty.gradient(A) - penalty.gradient(B))
        assert bent <= penalty.lipschitz() * np.linalg.norm(A - B) * (1 + 1e-9) + 1e-9

    def test_task_curvature(self):
        assert Ridge(0.8).task_curvature(3).tolist() == [0.8, 0.8, 0.8]
        assert Ridge(EACH).task_curvature(3).tolist() == EACH.tolist()
        assert Ridge(EACH).lipschitz() == 3.0


class TestHouse:
    @pytest.mark.parametrize("penalty", ALL)
    def test_float32_is_kept(self, penalty):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        single = V.astype(np.float32)
        for step in (0.3, np.float32(0.3), np.float64(0.3), np.full((4, 1), 0.3)):
            W = penalty.prox(single, step)
            assert W.dtype == np.float32
            np.testing.assert_allclose(W, penalty.prox(V, 0.3), rtol=1e-5, atol=1e-6)
        if hasattr(penalty, "gradient"):
            assert penalty.gradient(single).dtype == np.float32
        assert penalty.value(single) == pytest.approx(penalty.value(V), rel=1e-5)

    @pytest.mark.parametrize("penalty", ALL)
    def test_inputs_and_parameters_are_not_modified(self, penalty):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        step = np.full((4, 1), 0.3)
        before, state = V.copy(), copy.deepcopy(penalty.get_params())
        V.flags.writeable = step.flags.writeable = False
        penalty.value(V)
        penalty.prox(V, 0.3)
        penalty.prox(V, step)
        penalty.conjugate(V)
        penalty.dual_scale(V)
        if hasattr(penalty, "gradient"):
            penalty.gradient(V)
        np.testing.assert_array_equal(V, before)
        assert repr(penalty.get_params()) == repr(state)
        assert set(vars(penalty)) == set(state)

    @pytest.mark.parametrize("penalty", ALL)
    def test_prox_returns_a_new_array(self, penalty):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        W = penalty.prox(V, 1e-12)
        assert not np.shares_memory(V, W)

    @pytest.mark.parametrize("penalty", ALL)
    def test_clone_pickle_repr_and_params(self, penalty):
        V = np.random.default_rng(0).standard_normal(SHAPE)
        for twin in (clone(penalty), pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
            assert type(twin) is type(penalty) and twin is not penalty
            np.testing.assert_array_equal(twin.prox(V, 0.4), penalty.prox(V, 0.4))
        assert type(penalty).__name__ in repr(penalty)
        cluster = ["alpha", "between", "mean", "n_clusters"]
        fused = ["alpha", "block", "fused", "order", "sparse"]
        pairwise = ["alpha", "block", "fused", "sparse"]
        tree = ["alpha", "groups", "weights"]
        groups = ["alpha", "groups", "norm", "sparsity", "weights"]
        known = (["alpha", "matrix"], ["alpha"], cluster, fused, pairwise, tree, groups)
        assert list(penalty.get_params()) in known
        changed = clone(penalty).set_params(alpha=2.0)
        assert changed.alpha == 2.0 and "2.0" in repr(changed)
