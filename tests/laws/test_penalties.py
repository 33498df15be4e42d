"""Laws of every penalty: formula, prox, dual norm, conjugate, cvxpy form."""

import copy
import itertools
import pickle

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from skmtl.penalties import (
    L1,
    L21,
    ClusterNorm,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    PairwiseFusion,
    PenaltySum,
    Ridge,
    SquaredTraceNorm,
    TaskGroup,
    TaskQuadratic,
    Terms,
    TraceNorm,
    TreeGroup,
)

# A new penalty is a row: an instance for W of `shape`, and its value by definition.
SHAPE = (4, 3)
EACH = np.array([0.0, 0.5, 3.0])
TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


def _l1(W):
    return 0.7 * sum(abs(w) for w in W.ravel())


def _l21(W):
    return 1.3 * sum(np.sqrt(sum(w**2 for w in row)) for row in W)


def _ridge(W):
    return 0.8 / 2 * sum(w**2 for w in W.ravel())


def _ridge_each(W):
    return sum(a / 2 * sum(w**2 for w in column) for a, column in zip(EACH, W.T, strict=True))


def _one_cluster(W):
    """Distances to the mean, and the mean."""
    mean = W.mean(axis=1)
    distances = sum(((w - mean) ** 2).sum() for w in W.T)
    return 0.5 / 2 * (distances + 0.2 * W.shape[1] * (mean**2).sum())


def _all_clusters(W):
    """Each task its own cluster: distances between centres at 0.3, no mean."""
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


# Singular: the vector (1, 2, 3) costs nothing.
COUPLING = np.array([[13.0, -2.0, -3.0], [-2.0, 10.0, -6.0], [-3.0, -6.0, 5.0]]) / 14


def _coupling(W):
    """The squared distance of each row from the multiples of (1, 2, 3)."""
    free = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    return 0.8 / 2 * sum(w @ w - (w @ free) ** 2 for w in W)


TABLE = {
    "L1": (L1(0.7), _l1),
    "L21": (L21(1.3), _l21),
    "Ridge": (Ridge(0.8), _ridge),
    "Ridge-each": (Ridge(EACH), _ridge_each),
    "TaskQuadratic": (TaskQuadratic(COUPLING, 0.8), _coupling),
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
    "all-clusters": (ClusterNorm(0.5, 3, 0.3, 0.0), _all_clusters),
}
ALL = [pytest.param(penalty, id=name) for name, (penalty, _) in TABLE.items()]
NORMS = [
    pytest.param(penalty, id=name)
    for name, (penalty, _) in TABLE.items()
    if penalty.is_norm and penalty.split()[1] is None and not penalty.leaves_mean_free
]
QUADRATIC_NAMES = ("Ridge", "Ridge-each", "TaskQuadratic")
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


def stated(penalty, W):
    """The penalty for cvxpy: an expression and its constraints."""
    form = penalty.to_cvxpy(W)
    return form if isinstance(form, tuple) else (form, [])


numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
matrices = arrays(np.float64, SHAPE, elements=numbers)
any_shapes = st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=numbers)
)
steps = st.floats(1e-3, 1e3)


def prox_objective(penalty, W, V, step):
    """||W - V||^2 / (2 step) + value(W), the step per row if it is a column."""
    return float((np.square(W - V) / (2 * step)).sum()) + penalty.value(W)


def neighbours(W, V, seed):
    """Points near the prox, near its input, and simpler than it."""
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
    @pytest.mark.parametrize("name", TABLE)
    @given(W=matrices)
    def test_is_the_definition(self, name, W):
        penalty, by_hand = TABLE[name]
        value = penalty.value(W)
        assert isinstance(value, float)
        assert value == pytest.approx(by_hand(W), rel=1e-12)

    @pytest.mark.parametrize("name", TABLE)
    def test_is_what_cvxpy_sees(self, name):
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

    @pytest.mark.parametrize("penalty", ALL)
    @given(A=matrices, B=matrices, share=st.floats(0, 1))
    def test_is_convex_and_zero_at_zero(self, penalty, A, B, share):
        mixed = penalty.value(share * A + (1 - share) * B)
        ends = share * penalty.value(A) + (1 - share) * penalty.value(B)
        assert mixed <= ends + 1e-9 * (1 + ends)
        assert penalty.value(np.zeros(SHAPE)) == 0

    @pytest.mark.parametrize("penalty", NORMS)
    @given(A=matrices, factor=st.floats(-1e3, 1e3))
    def test_norms_are_homogeneous(self, penalty, A, factor):
        expected = abs(factor) * penalty.value(A)
        assert penalty.value(factor * A) == pytest.approx(expected, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize("penalty", ALL)
    def test_does_not_depend_on_memory_order(self, penalty):
        W = np.random.default_rng(0).standard_normal(SHAPE)
        assert penalty.value(np.asfortranarray(W)) == pytest.approx(penalty.value(W), rel=1e-14)
        np.testing.assert_allclose(penalty.prox(np.asfortranarray(W), 0.3), penalty.prox(W, 0.3))


class TestProx:
    @pytest.mark.parametrize("penalty", ALL)
    @given(V=matrices, step=steps, seed=st.integers(0, 10**6))
    def test_beats_other_points(self, penalty, V, step, seed):
        W = penalty.prox(V, step)
        best = prox_objective(penalty, W, V, step)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, step) * (1 + 1e-9) + 1e-9

    @pytest.mark.parametrize("penalty", ANY_SHAPE)
    @given(V=any_shapes, step=steps, seed=st.integers(0, 10**6))
    def test_beats_other_points_for_one_task_or_one_feature_too(self, penalty, V, step, seed):
        W = penalty.prox(V, step)
        assert W.shape == V.shape
        best = prox_objective(penalty, W, V, step)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, step) * (1 + 1e-9) + 1e-9

    @pytest.mark.parametrize("penalty", BY_ROW)
    @given(
        V=matrices,
        column=arrays(np.float64, (SHAPE[0], 1), elements=steps),
        seed=st.integers(0, 10**6),
    )
    def test_a_step_per_row(self, penalty, V, column, seed):
        W = penalty.prox(V, column)
        best = prox_objective(penalty, W, V, column)
        for other in neighbours(W, V, seed):
            assert best <= prox_objective(penalty, other, V, column) * (1 + 1e-9) + 1e-9
        # Rows do not see each other.
        for j in range(SHAPE[0]):
            alone = penalty.prox(V[j : j + 1], float(column[j, 0]))
            np.testing.assert_allclose(W[j : j + 1], alone, rtol=1e-13, atol=0)

    @pytest.mark.parametrize("penalty", ALL)
    @given(A=matrices, B=matrices, step=steps)
    def test_is_firmly_non_expansive(self, penalty, A, B, step):
        moved = penalty.prox(A, step) - penalty.prox(B, step)
        squared = float((moved**2).sum())
        assert squared <= float((moved * (A - B)).sum()) + 1e-10 * (1 + squared)
        assert squared <= float(((A - B) ** 2).sum()) * (1 + 1e-12) + 1e-12

    @pytest.mark.parametrize("name", ["L1", "L21"])
    @given(V=matrices, step=steps)
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

    @pytest.mark.parametrize("penalty", NORMS)
    @given(V=matrices, step=steps)
    def test_residual_is_a_subgradient(self, penalty, V, step):
        W = penalty.prox(V, step)
        G = (V - W) / step
        assert float((G * W).sum()) == pytest.approx(penalty.value(W), rel=1e-7, abs=1e-7)

    @pytest.mark.parametrize("name", ["Ridge", "Ridge-each"])
    @given(V=matrices, step=steps)
    def test_of_a_ridge_by_its_gradient(self, name, V, step):
        penalty, _ = TABLE[name]
        W = penalty.prox(V, step)
        alphas = 0.8 if name == "Ridge" else EACH
        np.testing.assert_allclose(W + step * alphas * W, V, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("name", TABLE)
    def test_is_cvxpys(self, name):
        penalty, _ = TABLE[name]
        V = 2 * np.random.default_rng(1).standard_normal(SHAPE)
        variable = cp.Variable(SHAPE)
        expression, constraints = stated(penalty, variable)
        objective = cp.sum_squares(variable - V) / 2 + 0.9 * expression
        exact = {} if constraints else TIGHT
        cp.Problem(cp.Minimize(objective), constraints).solve(solver="CLARABEL", **exact)
        # Where cvxpy minimises over a matrix too, it is less exact.
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
        # A coupling moves entries towards each other.
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
    def test_nothing_at_all(self, penalty, empty):
        W = np.zeros(empty)
        assert penalty.prox(W, 1.0).shape == empty
        assert penalty.value(W) == 0 and penalty.dual_norm(W) == 0


class TestDuality:
    @pytest.mark.parametrize("penalty", NORMS)
    @given(G=matrices, W=matrices)
    def test_dual_norm_bounds_every_product(self, penalty, G, W):
        assert float((G * W).sum()) <= penalty.dual_norm(G) * penalty.value(W) * (1 + 1e-12) + 1e-12

    @pytest.mark.parametrize("penalty", ROW_NORMS)
    @given(G=matrices, seed=st.integers(0, 10**6))
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

    @pytest.mark.parametrize("penalty", NORMS)
    @given(G=matrices, step=steps)
    def test_dual_norm_is_where_the_prox_vanishes(self, penalty, G, step):
        nu = penalty.dual_norm(G)
        assert not penalty.prox(G, nu * (1 + 1e-9)).any()
        if nu > 1e-3:
            assert penalty.prox(G, nu * (1 - 1e-6)).any()

    @pytest.mark.parametrize("penalty", ALL)
    @given(G=matrices, W=matrices)
    def test_fenchel_young(self, penalty, G, W):
        if penalty.leaves_mean_free:
            G = G - G.mean(axis=1, keepdims=True)
        conjugate = penalty.conjugate(G)
        assert conjugate >= 0
        lower = float((G * W).sum()) - penalty.value(W)
        assert conjugate >= lower - 1e-9 * (1 + abs(lower))

    @pytest.mark.parametrize("penalty", QUADRATICS)
    @given(W=matrices)
    def test_conjugate_of_a_quadratic_at_its_gradient(self, penalty, W):
        G = penalty.gradient(W)
        expected = float((G * W).sum()) - penalty.value(W)
        assert penalty.conjugate(G) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert penalty.conjugate(G) == pytest.approx(penalty.value(W), rel=1e-9, abs=1e-9)

    @pytest.mark.parametrize("penalty", NORMS)
    @given(G=matrices)
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

    @pytest.mark.parametrize("penalty", ALL)
    @given(G=matrices)
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
        if not isinstance(penalty, (FusedTasks, PairwiseFusion, TreeGroup)):
            assert penalty.dual_norm(G) == pytest.approx(5 / penalty.alpha)
        assert np.isfinite(penalty.dual_norm(1e150 * G / 5))


class TestQuadratic:
    @pytest.mark.parametrize("penalty", QUADRATICS)
    def test_gradient_by_finite_differences(self, penalty):
        rng = np.random.default_rng(0)
        W, D = rng.standard_normal((2, *SHAPE))
        slope = (penalty.value(W + 1e-5 * D) - penalty.value(W - 1e-5 * D)) / 2e-5
        assert slope == pytest.approx(float((penalty.gradient(W) * D).sum()), rel=1e-7)

    @pytest.mark.parametrize("penalty", QUADRATICS)
    @given(A=matrices, B=matrices)
    def test_lipschitz_constant(self, penalty, A, B):
        bent = np.linalg.norm(penalty.gradient(A) - penalty.gradient(B))
        assert bent <= penalty.lipschitz() * np.linalg.norm(A - B) * (1 + 1e-9) + 1e-9

    def test_task_curvature(self):
        assert Ridge(0.8).task_curvature(3).tolist() == [0.8, 0.8, 0.8]
        assert Ridge(EACH).task_curvature(3).tolist() == EACH.tolist()
        assert Ridge(EACH).lipschitz() == 3.0


class TestHouse:
    @pytest.mark.parametrize("penalty", ALL)
    def test_float32_stays(self, penalty):
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
    def test_inputs_and_parameters_are_left_alone(self, penalty):
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
        known = (["alpha", "matrix"], ["alpha"], cluster, fused, pairwise, tree)
        assert list(penalty.get_params()) in known
        changed = clone(penalty).set_params(alpha=2.0)
        assert changed.alpha == 2.0 and "2.0" in repr(changed)


def largest_product(penalty, G):
    """max <G, W> where the penalty is at most 1, by cvxpy."""
    W = cp.Variable(G.shape)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), [penalty.to_cvxpy(W) <= 1])
    return problem.solve(solver="CLARABEL", **TIGHT)


def minimiser(penalty, V, step):
    """The prox by cvxpy."""
    W = cp.Variable(V.shape)
    objective = cp.sum_squares(W - V) / 2 + step * penalty.to_cvxpy(W)
    cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL", **TIGHT)
    return W.value


class TestFusedTasks:
    """Total variation along the tasks."""

    @pytest.mark.parametrize("n_tasks", [1, 2, 3, 5, 8, 13, 27, 40])
    @pytest.mark.parametrize("kind", ["normal", "ties", "offset"])
    def test_prox_is_cvxpys_at_any_length(self, n_tasks, kind):
        rng = np.random.default_rng(n_tasks)
        V = rng.standard_normal((3, n_tasks))
        if kind == "ties":
            V = rng.integers(-1, 2, (3, n_tasks)).astype(float)
        for step in (0.05, 0.5, 3.0):
            W = FusedTasks().prox(V + (1e3 if kind == "offset" else 0.0), step)
            expected = minimiser(FusedTasks(), V, step) + (1e3 if kind == "offset" else 0.0)
            np.testing.assert_allclose(W, expected, rtol=0, atol=1e-5)

    @given(
        row=st.integers(1, 40).flatmap(
            lambda n: arrays(np.float64, (1, n), elements=numbers | st.integers(-2, 2).map(float))
        ),
        size=st.sampled_from([1e-150, 1e-8, 1.0, 1e8, 1e150]),
        level=st.floats(1e-4, 1e3),
    )
    def test_prox_obeys_the_optimality_conditions(self, row, size, level):
        # The running sum of what was taken away stays within the level, and is there at jumps.
        V, step = size * row, size * level
        W = FusedTasks().prox(V, step)
        sums, jumps = np.cumsum((V - W)[0]), np.diff(W[0])
        rounding = 1e-12 * size * (np.abs(row).max() + level) * row.size
        assert abs(sums[-1]) <= rounding
        assert (np.abs(sums) <= step + rounding).all()
        jumped = jumps != 0
        assert (np.abs(sums[:-1] + step * np.sign(jumps))[jumped] <= rounding).all()

    @given(V=arrays(np.float64, (4, 2), elements=numbers), step=steps)
    def test_two_tasks_in_closed_form(self, V, step):
        # The mean stays; the difference is soft-thresholded by twice the step.
        mean, half = V.mean(axis=1), (V[:, 1] - V[:, 0]) / 2
        half = np.sign(half) * np.maximum(np.abs(half) - step, 0)
        expected = np.stack([mean - half, mean + half], axis=1)
        np.testing.assert_allclose(FusedTasks().prox(V, step), expected, rtol=0, atol=1e-11)
        G = np.stack([-V[:, 0], V[:, 0]], axis=1)
        assert FusedTasks(2.0, 0.5).dual_norm(G) == pytest.approx(np.abs(V[:, 0]).max())

    @pytest.mark.parametrize("strengths", [(0.5, 0.3, 0.4), (1, 0, 1), (0.2, 0.5, 0), (0, 1, 1)])
    def test_all_parts_are_cvxpys(self, strengths):
        rng = np.random.default_rng(0)
        penalty = FusedTasks(0.8, *strengths, order=rng.permutation(9))
        V = rng.standard_normal((4, 9))
        for step in (0.1, 0.5, 2.0):
            expected = minimiser(penalty, V, step)
            np.testing.assert_allclose(penalty.prox(V, step), expected, rtol=0, atol=1e-5)

    def test_another_order_of_the_parts_is_wrong(self):
        V = np.random.default_rng(0).standard_normal((4, 6))
        chain, entry, group = FusedTasks(0.3), L1(0.2), L21(0.4)
        together = FusedTasks(1.0, 0.3, 0.2, 0.4)
        best = together.prox(V, 1.0)
        right = group.prox(entry.prox(chain.prox(V, 1.0), 1.0), 1.0)
        np.testing.assert_allclose(best, right, atol=1e-14)
        for parts in ((group, entry, chain), (entry, group, chain), (chain, group, entry)):
            wrong = V
            for part in parts:
                wrong = part.prox(wrong, 1.0)
            excess = prox_objective(together, wrong, V, 1.0) - prox_objective(together, best, V, 1)
            assert excess > 1e-4

    @pytest.mark.parametrize("strengths", [(0.5, 0.3, 0.4), (1, 0, 1), (0.2, 0.5, 0), (3, 0.1, 0)])
    @pytest.mark.parametrize("n_tasks", [1, 2, 7, 20])
    def test_dual_norm_is_cvxpys_from_above(self, strengths, n_tasks):
        rng = np.random.default_rng(n_tasks)
        penalty = FusedTasks(0.8, *strengths, order=rng.permutation(n_tasks))
        G = rng.standard_normal((3, n_tasks))
        truth = largest_product(penalty, G)
        assert truth * (1 - 1e-9) <= penalty.dual_norm(G) <= truth * (1 + 1e-6)

    @pytest.mark.parametrize("n_tasks", [2, 7, 20])
    def test_dual_norm_of_differences_alone(self, n_tasks):
        rng = np.random.default_rng(n_tasks)
        penalty = FusedTasks(0.8, 0.6, order=rng.permutation(n_tasks))
        G = rng.standard_normal((3, n_tasks))
        G -= G.mean(axis=1, keepdims=True)
        # W with mean zero: <G, W> does not see the mean.
        W = cp.Variable(G.shape)
        constraints = [penalty.to_cvxpy(W) <= 1, cp.sum(W, axis=1) == 0]
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), constraints)
        truth = problem.solve(solver="CLARABEL", **TIGHT)
        assert truth * (1 - 1e-9) <= penalty.dual_norm(G) <= truth * (1 + 1e-6)
        # What the rows sum to by rounding does not matter.
        assert penalty.dual_norm(G + 1e-12) == pytest.approx(penalty.dual_norm(G), rel=1e-9)

    def test_traits(self):
        assert FusedTasks().leaves_mean_free and FusedTasks().row_thresholds is None
        assert not FusedTasks(sparse=0.1).leaves_mean_free
        assert not FusedTasks(block=0.1).leaves_mean_free
        assert FusedTasks(2.0, 0.0, 0.5, 0.3).row_thresholds == (1.0, 0.6)

    def test_without_any_strength(self):
        V = np.random.default_rng(0).standard_normal((3, 4))
        nothing = FusedTasks(1.0, 0.0)
        np.testing.assert_array_equal(nothing.prox(V, 2.0), V)
        assert nothing.dual_norm(V) == np.inf and nothing.dual_norm(0 * V) == 0

    def test_a_task_that_is_left_out_joins_its_neighbours(self):
        chosen = np.array([True, False, True, True])
        kept = FusedTasks(1.0, 2.0, 0.3, 0.1, [3, 1, 0, 2]).for_tasks(chosen)
        assert np.array_equal(kept.order, [2, 0, 1])
        assert (kept.fused, kept.sparse, kept.block) == (2.0, 0.3, 0.1)
        assert FusedTasks().for_tasks(chosen).order is None

    @pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [1, 2, 3], [[0, 1, 2]]])
    def test_error_for_no_permutation(self, order):
        with pytest.raises(ValueError, match="'order' parameter of FusedTasks"):
            FusedTasks(order=order).prox(np.ones((2, 3)), 1.0)


class TestPairwiseFusion:
    """Differences between all tasks."""

    @pytest.mark.parametrize("n_tasks", [1, 2, 3, 5, 8, 13, 27])
    @pytest.mark.parametrize("kind", ["normal", "ties", "offset"])
    def test_prox_is_cvxpys_at_any_length(self, n_tasks, kind):
        rng = np.random.default_rng(n_tasks)
        V = rng.standard_normal((3, n_tasks))
        if kind == "ties":
            V = rng.integers(-1, 2, (3, n_tasks)).astype(float)
        for step in (0.02, 0.11, 0.7):
            W = PairwiseFusion().prox(V + (1e3 if kind == "offset" else 0.0), step)
            expected = minimiser(PairwiseFusion(), V, step) + (1e3 if kind == "offset" else 0.0)
            np.testing.assert_allclose(W, expected, rtol=0, atol=1e-5)

    @given(
        row=st.integers(1, 40).flatmap(
            lambda n: arrays(np.float64, (1, n), elements=numbers | st.integers(-2, 2).map(float))
        ),
        size=st.sampled_from([1e-150, 1e-8, 1.0, 1e8, 1e150]),
        level=st.floats(1e-5, 1e2),
    )
    def test_prox_obeys_the_optimality_conditions(self, row, size, level):
        # Each task is pushed by those on its two sides; tasks that became equal push each other,
        # k of them by at most one step for each of their pairs with the others.
        V, step = size * row, size * level
        W = PairwiseFusion().prox(V, step)
        taken = (V - W)[0]
        rounding = 1e-12 * size * (np.abs(row).max() + level * row.size) * row.size
        for height in np.unique(W):
            equal = W[0] == height
            sides = (W[0] < height).sum() - (W[0] > height).sum()
            sums = np.cumsum(np.sort(taken[equal] - step * sides)[::-1])
            k = np.arange(1, len(sums) + 1)
            assert (sums <= step * k * (len(sums) - k) + rounding).all()
            assert abs(sums[-1]) <= rounding
        order = np.argsort(V[0], kind="stable")
        assert (np.diff(W[0, order]) >= 0).all()

    def test_equal_entries_stay_equal(self):
        V = np.random.default_rng(0).integers(-3, 4, (50, 30)) / 7
        W = PairwiseFusion().prox(V, 0.01)
        for before, after in zip(V, W, strict=True):
            for value in np.unique(before):
                assert len(np.unique(after[before == value])) == 1

    @given(V=arrays(np.float64, (4, 2), elements=numbers), step=steps)
    def test_two_tasks_are_a_chain(self, V, step):
        chain, pairs = FusedTasks(0.8, 0.7, 0.3, 0.2), PairwiseFusion(0.8, 0.7, 0.3, 0.2)
        np.testing.assert_allclose(pairs.prox(V, step), chain.prox(V, step), rtol=0, atol=1e-11)
        assert pairs.value(V) == pytest.approx(chain.value(V), rel=1e-12)
        assert pairs.dual_norm(V) == pytest.approx(chain.dual_norm(V), rel=1e-12)

    def test_is_the_variation_on_a_complete_graph(self):
        W = np.random.default_rng(0).standard_normal((4, 9))
        graph = GraphTotalVariation(0.6 * (1 - np.eye(9)), 0.8)
        assert PairwiseFusion(0.8, 0.6).value(W) == pytest.approx(graph.value(W), rel=1e-12)
        chosen = np.arange(9) % 3 != 1
        kept = PairwiseFusion(0.8, 0.6).for_tasks(chosen).value(W[:, chosen])
        assert kept == pytest.approx(graph.for_tasks(chosen).value(W[:, chosen]), rel=1e-12)

    @pytest.mark.parametrize("strengths", [(0.1, 0.3, 0.4), (0.2, 0, 1), (0.05, 0.5, 0), (0, 1, 1)])
    def test_all_parts_are_cvxpys(self, strengths):
        penalty = PairwiseFusion(0.8, *strengths)
        V = np.random.default_rng(0).standard_normal((4, 9))
        for step in (0.1, 0.5, 2.0):
            expected = minimiser(penalty, V, step)
            np.testing.assert_allclose(penalty.prox(V, step), expected, rtol=0, atol=1e-5)

    def test_another_order_of_the_parts_is_wrong(self):
        V = np.random.default_rng(0).standard_normal((4, 6))
        pairs, entry, group = PairwiseFusion(0.1), L1(0.2), L21(0.4)
        together = PairwiseFusion(1.0, 0.1, 0.2, 0.4)
        best = together.prox(V, 1.0)
        right = group.prox(entry.prox(pairs.prox(V, 1.0), 1.0), 1.0)
        np.testing.assert_allclose(best, right, atol=1e-14)
        for parts in ((group, entry, pairs), (entry, group, pairs), (pairs, group, entry)):
            wrong = V
            for part in parts:
                wrong = part.prox(wrong, 1.0)
            excess = prox_objective(together, wrong, V, 1.0) - prox_objective(together, best, V, 1)
            assert excess > 1e-4

    @pytest.mark.parametrize("strengths", [(0.1, 0.3, 0.4), (1, 0, 1), (0.2, 0.5, 0), (3, 0.1, 0)])
    @pytest.mark.parametrize("n_tasks", [1, 2, 7, 20])
    def test_dual_norm_is_cvxpys_from_above(self, strengths, n_tasks):
        penalty = PairwiseFusion(0.8, *strengths)
        G = np.random.default_rng(n_tasks).standard_normal((3, n_tasks))
        truth = largest_product(penalty, G)
        assert truth * (1 - 1e-9) <= penalty.dual_norm(G) <= truth * (1 + 1e-6)

    @pytest.mark.parametrize("n_tasks", [2, 3, 6, 9])
    @pytest.mark.parametrize("seed", range(3))
    def test_dual_norm_of_differences_alone(self, n_tasks, seed):
        penalty = PairwiseFusion(0.8, 0.6)
        G = np.random.default_rng(seed).standard_normal((3, n_tasks))
        G -= G.mean(axis=1, keepdims=True)
        # The extreme W are 1 for some of the tasks and 0 for the others, in one row.
        best = 0.0
        for chosen in itertools.product([0.0, 1.0], repeat=n_tasks):
            if 0 < sum(chosen) < n_tasks:
                pairs = sum(abs(a - b) for a, b in itertools.combinations(chosen, 2))
                best = max(best, (G @ np.array(chosen)).max() / (0.8 * 0.6 * pairs))
        assert penalty.dual_norm(G) == pytest.approx(best, rel=1e-12)
        # W with mean zero: <G, W> does not see the mean.
        W = cp.Variable(G.shape)
        constraints = [penalty.to_cvxpy(W) <= 1, cp.sum(W, axis=1) == 0]
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), constraints)
        assert problem.solve(solver="CLARABEL", **TIGHT) == pytest.approx(best, rel=1e-6)
        # What the rows sum to by rounding does not matter.
        assert penalty.dual_norm(G + 1e-12) == pytest.approx(best, rel=1e-9)

    @given(G=matrices, step=steps)
    def test_dual_norm_of_differences_alone_is_where_the_prox_is_the_mean(self, G, step):
        penalty = PairwiseFusion(0.8, 0.6)
        nu = penalty.dual_norm(G)
        assert not np.ptp(penalty.prox(G, nu * (1 + 1e-9)), axis=1).any()
        if nu > 1e-3:
            assert np.ptp(penalty.prox(G, nu * (1 - 1e-6)), axis=1).any()

    def test_traits(self):
        assert PairwiseFusion().leaves_mean_free and PairwiseFusion().row_thresholds is None
        assert not PairwiseFusion(sparse=0.1).leaves_mean_free
        assert not PairwiseFusion(block=0.1).leaves_mean_free
        assert PairwiseFusion(2.0, 0.0, 0.5, 0.3).row_thresholds == (1.0, 0.6)
        with pytest.raises(ValueError, match="'fused' parameter of PairwiseFusion"):
            PairwiseFusion(1.0, -1.0).check(2, 3)

    def test_without_any_strength(self):
        V = np.random.default_rng(0).standard_normal((3, 4))
        nothing = PairwiseFusion(1.0, 0.0)
        np.testing.assert_array_equal(nothing.prox(V, 2.0), V)
        assert nothing.dual_norm(V) == np.inf and nothing.dual_norm(0 * V) == 0


class TestTreeGroup:
    """Nested groups of tasks."""

    GROUPS = [[0, 1, 2, 3, 4], [0, 3], [1, 2, 4], [4, 1], [5, 6], [6], [2]]
    WEIGHTS = [0.5, 1.0, 0.4, 0.7, 1.2, 0.3, 0.0]

    def test_prox_is_cvxpys(self):
        V = np.random.default_rng(0).standard_normal((5, 7))
        penalty = TreeGroup(0.8, self.GROUPS, self.WEIGHTS)
        for step in (0.1, 0.5, 1.5):
            expected = minimiser(penalty, V, step)
            np.testing.assert_allclose(penalty.prox(V, step), expected, rtol=0, atol=1e-5)

    def test_prox_from_the_root_down_is_wrong(self):
        V = np.random.default_rng(0).standard_normal((5, 3))
        penalty = TreeGroup(1.0, [[0, 1, 2], [0, 1]], [0.5, 0.5])
        wrong = L21(0.5).prox(V, 1.0)
        wrong[:, :2] = L21(0.5).prox(wrong[:, :2], 1.0)
        best = prox_objective(penalty, penalty.prox(V, 1.0), V, 1.0)
        assert prox_objective(penalty, wrong, V, 1.0) > best + 1e-4

    @pytest.mark.parametrize("seed", range(5))
    def test_dual_norm_is_cvxpys_from_above(self, seed):
        penalty = TreeGroup(0.8, self.GROUPS, self.WEIGHTS)
        G = np.random.default_rng(seed).standard_normal((3, 7))
        truth = largest_product(penalty, G)
        assert truth * (1 - 1e-9) <= penalty.dual_norm(G) <= truth * (1 + 1e-6)

    @given(V=matrices, step=steps)
    def test_one_group_is_the_block_norm_and_single_tasks_are_the_entrywise(self, V, step):
        for tree, other in (
            (TreeGroup(1.3, [[0, 1, 2]], [1.0]), L21(1.3)),
            (TreeGroup(0.7, [[0], [1], [2]], [1.0] * 3), L1(0.7)),
        ):
            np.testing.assert_allclose(tree.prox(V, step), other.prox(V, step), atol=1e-12)
            assert tree.dual_norm(V) == pytest.approx(other.dual_norm(V), rel=1e-12)
            assert tree.value(V) == pytest.approx(other.value(V), rel=1e-12)

    def test_new_parameters_are_seen(self):
        V = np.ones((1, 3))
        penalty = TreeGroup(1.0, [[0, 1, 2]], [1.0])
        assert penalty.value(V) == pytest.approx(np.sqrt(3))
        penalty.set_params(weights=[2.0])
        assert penalty.value(V) == pytest.approx(2 * np.sqrt(3))
        penalty.set_params(groups=[[0], [1], [2]], weights=[1.0] * 3)
        assert penalty.value(V) == pytest.approx(3)

    def test_without_some_tasks(self):
        W = np.random.default_rng(0).standard_normal((4, 7))
        chosen = np.array([True, False, True, True, False, False, True])
        penalty = TreeGroup(0.8, self.GROUPS, self.WEIGHTS)
        assert penalty.for_tasks(chosen).value(W[:, chosen]) == pytest.approx(
            penalty.value(W * chosen)
        )

    @pytest.mark.parametrize(
        ("groups", "weights", "message"),
        [
            ([[0, 1], [2, 1], [0, 1, 2]], [1, 1, 1], r"\[0, 1\] and \[1, 2\] cross"),
            ([[0, 1]], [1], r"columns \[2\] are in none"),
            ([[0, 1], [2]], [1, 0], r"columns \[2\] are in none"),
            ([[0, 1, 2]], [-1], "'weights' parameter of TreeGroup"),
            ([[0, 1, 2]], [1, 1], "'weights' parameter of TreeGroup"),
            ([[0, 1, 2]], [np.inf], "'weights' parameter of TreeGroup"),
            ([[0, 1, 2, 3]], [1], "columns from 0 to 2"),
            ([[0, 1, 2], [-1]], [1, 1], "columns from 0 to 2"),
            ([[0, 1, 2, 2]], [1], "each once"),
            ([], [], "are in none"),
        ],
    )
    def test_errors(self, groups, weights, message):
        with pytest.raises(ValueError, match=message):
            TreeGroup(1.0, groups, weights).prox(np.ones((2, 3)), 1.0)


class TestSum:
    def test_splits_into_its_kinds(self):
        block, ridge = L21(0.5), Ridge(0.3)
        for together in (block + ridge, ridge + block):
            assert isinstance(together, PenaltySum)
            assert together.split() == (block, ridge)
        assert block.split() == (block, None)
        assert ridge.split() == (None, ridge)

    def test_value_and_cvxpy_form(self):
        W = np.random.default_rng(0).standard_normal(SHAPE)
        together = L21(1.3) + Ridge(0.8)
        assert together.value(W) == pytest.approx(_l21(W) + _ridge(W))
        expression, constraints = stated(together, cp.Constant(W))
        assert not constraints
        assert float(expression.value) == pytest.approx(_l21(W) + _ridge(W))

    def test_norms_without_a_common_prox_become_terms(self):
        proximal, quadratic = PenaltySum((L1(), Ridge(), TraceNorm())).split()
        assert isinstance(proximal, Terms) and isinstance(quadratic, Ridge)
        assert [type(part) for part in proximal.parts] == [L1, TraceNorm]

    @pytest.mark.parametrize(
        "parts",
        [
            (L1(0.4), L21(0.3)),
            (L21(0.2), L21(0.3)),
            (L1(0.4), FusedTasks(0.5, 0.7, 0.1, 0.2, [2, 0, 1]), L21(0.3)),
            (L1(0.4), PairwiseFusion(0.5, 0.7, 0.1, 0.2), L21(0.3), L1(0.2)),
        ],
        ids=repr,
    )
    def test_norms_with_a_common_prox_are_one(self, parts):
        proximal, quadratic = PenaltySum(parts).split()
        assert proximal.has_prox and quadratic is None
        W = np.random.default_rng(0).standard_normal(SHAPE)
        assert proximal.value(W) == pytest.approx(sum(part.value(W) for part in parts))

    def test_differences_of_two_kinds_have_no_common_prox(self):
        proximal, _ = (FusedTasks(0.3) + PairwiseFusion(0.2) + L1(0.1)).split()
        assert isinstance(proximal, Terms) and len(proximal.parts) == 3

    def test_quadratics_add_up(self):
        nested = (L1(0.5) + Ridge(0.3)) + Ridge(EACH[:1])
        proximal, quadratic = nested.split()
        assert isinstance(proximal, L1)
        assert nested.value(np.ones((1, 1))) == pytest.approx(0.5 + 0.15)
        W = np.random.default_rng(0).standard_normal((4, 3))
        together = (Ridge(0.3) + TaskQuadratic(COUPLING)).split()[1]
        assert together.couples_tasks
        assert together.value(W) == pytest.approx(Ridge(0.3).value(W) + _coupling(W) / 0.8)
        expected = 0.3 * W + W @ COUPLING
        np.testing.assert_allclose(together.gradient(W), expected, atol=1e-12)
        assert together.conjugate(expected) == pytest.approx(together.value(W), rel=1e-9)

    def test_clone_and_repr(self):
        twin = clone(L21(1.3) + Ridge(0.8))
        block, ridge = twin.split()
        assert (block.alpha, ridge.alpha) == (1.3, 0.8)
        assert "L21(alpha=1.3)" in repr(twin) and "Ridge(alpha=0.8)" in repr(twin)
