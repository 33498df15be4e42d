"""Signs of rows, restricted in a norm or on a fixed support."""

import cvxpy as cp
import numpy as np
import pytest

from skmtl import MultiTaskRegressor
from skmtl.penalties import (
    L1,
    L21,
    ChosenEntries,
    FeatureGroups,
    L1Inf,
    Positive,
    SparseGroup,
    TaskGroup,
    WeightedRows,
)

SIGNS = np.array([1, -1, 0, -1, 1])
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.3, 1.0])
TIGHT = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
# Norms, and their definitions for cvxpy.
NORMS = {
    "L1": (L1(0.7), lambda W: 0.7 * cp.sum(cp.abs(W))),
    "L21": (L21(0.7), lambda W: 0.7 * cp.sum(cp.norm(W, 2, axis=1))),
    "L1Inf": (L1Inf(0.7), lambda W: 0.7 * cp.sum(cp.max(cp.abs(W), axis=1))),
    "TaskGroup": (TaskGroup(0.7), lambda W: 0.7 * cp.sum(cp.norm(W, 2, axis=0))),
    "weighted": (
        WeightedRows(SparseGroup(0.7, 0.4), WEIGHTS),
        lambda W: 0.7 * (WEIGHTS @ (0.6 * cp.norm(W, 2, axis=1) + 0.4 * cp.sum(cp.abs(W), axis=1))),
    ),
    "groups": (
        FeatureGroups(0.7, np.array([0, 1, 1, 0, 0])),
        lambda W: (
            0.7
            * (
                np.sqrt(3) * cp.norm(cp.vec(W[[0, 3, 4], :], order="C"), 2)
                + np.sqrt(2) * cp.norm(cp.vec(W[[1, 2], :], order="C"), 2)
            )
        ),
    ),
    "largest": (
        FeatureGroups(0.7, np.array([0, 1, 1, 0, 0]), norm="linf"),
        lambda W: 0.7 * (3 * cp.max(cp.abs(W[[0, 3, 4], :])) + 2 * cp.max(cp.abs(W[[1, 2], :]))),
    ),
}


def restricted(W):
    return [W[[0, 4], :] >= 0, W[[1, 3], :] <= 0]


@pytest.mark.parametrize("name", NORMS)
class TestSigns:
    def test_prox_is_cvxpys(self, name):
        norm, stated = NORMS[name]
        V = 2 * np.random.default_rng(0).standard_normal((5, 3))
        W = cp.Variable((5, 3))
        problem = cp.Problem(cp.Minimize(cp.sum_squares(W - V) / 2 + stated(W)), restricted(W))
        problem.solve(solver="CLARABEL", **TIGHT)
        found = Positive(norm, SIGNS).prox(V, 1.0)
        np.testing.assert_allclose(found, W.value, atol=1e-5)
        assert (found * SIGNS[:, None] >= 0).all()

    def test_dual_norm_is_cvxpys(self, name):
        norm, stated = NORMS[name]
        G = np.random.default_rng(1).standard_normal((5, 3))
        W = cp.Variable((5, 3))
        problem = cp.Problem(
            cp.Maximize(cp.sum(cp.multiply(G, W))), [stated(W) <= 1, *restricted(W)]
        )
        problem.solve(solver="CLARABEL")
        penalty = Positive(norm, SIGNS)
        assert penalty.dual_norm(G) == pytest.approx(problem.value, rel=1e-6)
        assert penalty.conjugate(penalty.dual_scale(G) * G) == 0

    def test_value_and_cvxpy_form(self, name):
        norm, stated = NORMS[name]
        penalty, W = Positive(norm, SIGNS), np.abs(np.random.default_rng(2).standard_normal((5, 3)))
        assert penalty.value(W) == np.inf
        W *= np.where(SIGNS == 0, -1, SIGNS)[:, None]
        assert penalty.value(W) == pytest.approx(float(stated(cp.Constant(W)).value), rel=1e-9)
        expression, constraints = penalty.to_cvxpy(cp.Constant(W))
        assert float(expression.value) == pytest.approx(penalty.value(W), rel=1e-9)
        assert all(constraint.value() for constraint in constraints)
        _, constraints = penalty.to_cvxpy(cp.Constant(-W))
        assert not all(constraint.value() for constraint in constraints)

    def test_all_positive_is_the_default(self, name):
        norm, _ = NORMS[name]
        V = np.random.default_rng(3).standard_normal((5, 3))
        every, default = Positive(norm, np.ones(5)), Positive(norm)
        np.testing.assert_array_equal(every.prox(V, 0.3), default.prox(V, 0.3))
        assert every.dual_norm(V) == default.dual_norm(V)


def test_chosen_entries_have_signs():
    chosen = np.random.default_rng(0).random((5, 3)) < 0.6
    penalty = ChosenEntries(chosen, True, SIGNS)
    V = np.random.default_rng(1).standard_normal((5, 3))
    W = penalty.prox(V, 1.0)
    allowed = chosen & (V * SIGNS[:, None] >= 0)
    np.testing.assert_array_equal(W, np.where(allowed, V, 0.0))
    assert penalty.value(W) == 0 and penalty.value(V) == np.inf
    # Slopes that no allowed direction follows.
    assert penalty.conjugate(np.where(allowed, 0.0, V)) == 0
    assert penalty.conjugate(np.where(chosen, V, 0.0)) == np.inf


def test_signs_of_a_users_penalty():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 5))
    Y = X @ rng.normal(size=(5, 3)) + rng.normal(size=(50, 3))
    model = MultiTaskRegressor(penalty=Positive(TaskGroup(0.1), SIGNS), tol=1e-9).fit(X, Y)
    assert (model.coef_ * SIGNS >= 0).all() and (model.coef_[:, 2] != 0).any()
    for signs in ([1, 1], [2, 0, 0, 0, 0], "up"):
        model = MultiTaskRegressor(penalty=Positive(TaskGroup(0.1), signs))
        with pytest.raises(ValueError, match=r"'signs' parameter of Positive must be \+1, -1 or 0"):
            model.fit(X, Y)
