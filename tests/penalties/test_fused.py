"""Differences along a chain of tasks: against cvxpy and by optimality conditions."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from penalty_formulas import TIGHT, largest_product, minimiser, numbers, prox_objective, steps

from skmtl.penalties import L1, L21, FusedTasks


class TestFusedTasks:
    """Total variation along the tasks."""

    @pytest.mark.turns(2)
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
        # The running sum of V - W stays within [-level, level], and is at an end at jumps.
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
        # The mean is unchanged; the difference is soft-thresholded by twice the step.
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
        # W with mean zero: <G, W> does not depend on the mean.
        W = cp.Variable(G.shape)
        constraints = [penalty.to_cvxpy(W) <= 1, cp.sum(W, axis=1) == 0]
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), constraints)
        truth = problem.solve(solver="CLARABEL", **TIGHT)
        assert truth * (1 - 1e-9) <= penalty.dual_norm(G) <= truth * (1 + 1e-6)
        # Row sums at the level of rounding error are ignored.
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
