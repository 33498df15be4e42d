"""Nested groups of tasks: against cvxpy."""

import numpy as np
import pytest
from hypothesis import given
from penalty_formulas import largest_product, matrices, minimiser, prox_objective, steps

from skmtl.penalties import L1, L21, TreeGroup


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

    def test_a_check_reads_weights_again_that_were_changed_in_place(self):
        W, weights, groups = np.ones((1, 3)), np.array([1.0]), [[0, 1, 2]]
        penalty = TreeGroup(1.0, groups, weights)
        assert penalty.value(W) == pytest.approx(np.sqrt(3))
        weights[0] = 2.0
        penalty.check(1, 3)
        assert penalty.value(W) == pytest.approx(2 * np.sqrt(3))
        groups[0].pop()
        with pytest.raises(ValueError, match="are in none"):
            penalty.check(1, 3)

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
            ([[0, 1], [2, 1], [0, 1, 2]], [1, 1, 1], r"\[0, 1\] and \[1, 2\] overlap"),
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
