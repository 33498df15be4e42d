"""Sums of penalties: parts with a joint prox, and parts that become terms."""

import cvxpy as cp
import numpy as np
import pytest
from penalty_formulas import COUPLING, EACH, SHAPE, stated
from sklearn.base import clone

from skmtl.penalties import (
    L1,
    L21,
    FusedTasks,
    PairwiseFusion,
    PenaltySum,
    Ridge,
    TaskQuadratic,
    Terms,
    TraceNorm,
    split,
)


def _l21(W):
    return 1.3 * sum(np.sqrt(sum(w**2 for w in row)) for row in W)


def _ridge(W):
    return 0.8 / 2 * sum(w**2 for w in W.ravel())


def _coupling(W):
    """The squared distance of each row from the multiples of (1, 2, 3)."""
    free = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    return 0.8 / 2 * sum(w @ w - (w @ free) ** 2 for w in W)


class TestSum:
    def test_splits_into_its_kinds(self):
        block, ridge = L21(0.5), Ridge(0.3)
        for together in (block + ridge, ridge + block):
            assert isinstance(together, PenaltySum)
            assert split(together) == (block, ridge)
        assert split(block) == (block, None)
        assert split(ridge) == (None, ridge)

    def test_value_and_cvxpy_form(self):
        W = np.random.default_rng(0).standard_normal(SHAPE)
        together = L21(1.3) + Ridge(0.8)
        assert together.value(W) == pytest.approx(_l21(W) + _ridge(W))
        expression, constraints = stated(together, cp.Constant(W))
        assert not constraints
        assert float(expression.value) == pytest.approx(_l21(W) + _ridge(W))

    def test_norms_without_a_common_prox_become_terms(self):
        proximal, quadratic = split(PenaltySum((L1(), Ridge(), TraceNorm())))
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
        proximal, quadratic = split(PenaltySum(parts))
        assert proximal.has_prox and quadratic is None
        W = np.random.default_rng(0).standard_normal(SHAPE)
        assert proximal.value(W) == pytest.approx(sum(part.value(W) for part in parts))

    def test_differences_of_two_kinds_have_no_common_prox(self):
        proximal, _ = split(FusedTasks(0.3) + PairwiseFusion(0.2) + L1(0.1))
        assert isinstance(proximal, Terms) and len(proximal.parts) == 3

    def test_quadratics_add_up(self):
        nested = (L1(0.5) + Ridge(0.3)) + Ridge(EACH[:1])
        proximal, quadratic = split(nested)
        assert isinstance(proximal, L1)
        assert nested.value(np.ones((1, 1))) == pytest.approx(0.5 + 0.15)
        W = np.random.default_rng(0).standard_normal((4, 3))
        together = split(Ridge(0.3) + TaskQuadratic(COUPLING))[1]
        assert together.couples_tasks
        assert together.value(W) == pytest.approx(Ridge(0.3).value(W) + _coupling(W) / 0.8)
        expected = 0.3 * W + W @ COUPLING
        np.testing.assert_allclose(together.gradient(W), expected, atol=1e-12)
        assert together.conjugate(expected) == pytest.approx(together.value(W), rel=1e-9)

    def test_clone_and_repr(self):
        twin = clone(L21(1.3) + Ridge(0.8))
        block, ridge = split(twin)
        assert (block.alpha, ridge.alpha) == (1.3, 0.8)
        assert "L21(alpha=1.3)" in repr(twin) and "Ridge(alpha=0.8)" in repr(twin)
