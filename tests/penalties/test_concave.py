"""Concave penalties on groups of rows, and their majorisers."""

import cvxpy as cp
import numpy as np
import pytest

from skmtl.penalties import CappedRows, MinimaxRows, Positive

GROUPS = np.array([0, 1, 1, 0, 2, 1])
WEIGHTS = np.array([0.5, 2.0, 2.0, 0.5, 1.0, 2.0])
SIGNS = np.array([1, 0, -1, 0, 1, 1])


def make(kind, seed):
    rng = np.random.default_rng(seed)
    rows = {"alpha": 0.6, "groups": GROUPS, "weights": WEIGHTS}
    capped = kind == "capped"
    concave = CappedRows(**rows, threshold=0.8) if capped else MinimaxRows(**rows, gamma=1.5)
    W = rng.normal(size=(6, 3)) * rng.choice([0.0, 0.2, 1.0], size=3)[GROUPS][:, None]
    return concave, W, rng


@pytest.mark.parametrize("kind", ["capped", "mcp"])
@pytest.mark.parametrize("seed", range(6))
class TestMajoriser:
    def test_lies_above_and_touches(self, kind, seed):
        concave, W, rng = make(kind, seed)
        convex = concave.majoriser(W)
        touching = concave.value(W) - convex.value(W)
        for scale in (0.01, 0.3, 2.0):
            other = W + scale * rng.normal(size=W.shape)
            assert concave.value(other) <= convex.value(other) + touching + 1e-9

    @pytest.mark.turns(2)
    def test_prox_and_conjugate_are_cvxpys(self, kind, seed):
        concave, W, rng = make(kind, seed)
        convex, V = concave.majoriser(W), 2 * rng.normal(size=W.shape)
        variable, value, balls = cp.Variable(W.shape), 0, []
        for group in range(3):
            rows = np.flatnonzero(group == GROUPS)
            part, radius = variable[rows, :], convex.radii[rows[0]]
            ball = cp.max(cp.abs(part)) if kind == "capped" else cp.norm(part, "fro")
            norm = cp.sum(cp.abs(part)) if kind == "capped" else cp.norm(part, "fro")
            value += convex.slopes[rows[0]] * norm
            balls += [ball <= radius] if np.isfinite(radius) else []
        for penalty, signs in ((convex, []), (Positive(convex, SIGNS), [(SIGNS, variable)])):
            inside = [cp.multiply(s[:, None] * np.ones(W.shape), v) >= 0 for s, v in signs] + balls
            squares = cp.sum_squares(variable - V) / 2
            cp.Problem(cp.Minimize(squares + 0.7 * value), inside).solve(solver="CLARABEL")
            np.testing.assert_allclose(penalty.prox(V, 0.7), variable.value, atol=1e-4)
            G = penalty.dual_scale(V) * V
            product = cp.sum(cp.multiply(G, variable))
            # Unbounded in groups without a ball, except at feasible slopes.
            highest = cp.Problem(cp.Maximize(product - value), [*inside, cp.abs(variable) <= 100])
            highest.solve(solver="CLARABEL")
            assert penalty.conjugate(G) == pytest.approx(highest.value, rel=1e-5, abs=1e-4)
