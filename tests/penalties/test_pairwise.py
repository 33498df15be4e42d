"""Differences between all tasks: against cvxpy and by optimality conditions."""

import itertools

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from penalty_formulas import (
    TIGHT,
    largest_product,
    matrices,
    minimiser,
    numbers,
    prox_objective,
    steps,
)

from skmtl.penalties import L1, L21, FusedTasks, GraphTotalVariation, PairwiseFusion


class TestPairwiseFusion:
    """Differences between all tasks."""

    @pytest.mark.turns(2)
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
        # The tasks on its two sides shift each task; equal tasks also shift each other, k of them
        # by at most one step for each of their pairs with the others.
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
        # W with mean zero: <G, W> does not depend on the mean.
        W = cp.Variable(G.shape)
        constraints = [penalty.to_cvxpy(W) <= 1, cp.sum(W, axis=1) == 0]
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), constraints)
        assert problem.solve(solver="CLARABEL", **TIGHT) == pytest.approx(best, rel=1e-6)
        # Row sums at the level of rounding error are ignored.
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
