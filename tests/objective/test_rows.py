"""The objective on rows: gradient, null model, bounds, Newton steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives import LOSSES, N_FEATURES, N_TASKS, PENALTIES, SMOOTH, objective_of

from skmtl.penalties import L21, Ridge


class TestObjective:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("centre", ["task", None])
    def test_gradient_by_finite_differences(self, loss, centre):
        objective = objective_of(LOSSES[loss], L21(1.0) + Ridge(0.5), centre=centre)
        rng = np.random.default_rng(3)
        W, D = rng.standard_normal((2, N_FEATURES, N_TASKS))
        b, e = rng.standard_normal((2, objective.design.n_intercepts))
        h = 1e-5
        up = objective.smooth_value(objective.point(W + h * D, b + h * e))
        down = objective.smooth_value(objective.point(W - h * D, b - h * e))
        G, g = objective.gradient(objective.point(W, b))
        assert (up - down) / (2 * h) == pytest.approx(np.vdot(G, D) + g @ e, rel=1e-7)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("b", [-60.0, 60.0])
    def test_intercepts_from_far_away_are_never_worse(self, loss, b):
        objective = objective_of(LOSSES[loss], L21(1.0))
        W = np.zeros((N_FEATURES, N_TASKS))
        far = objective.point(W, np.full(objective.design.n_intercepts, b))
        found = objective.minimise_intercepts(far)
        assert np.isfinite(found.b).all()
        assert objective.loss_value(found) <= objective.loss_value(far)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("pooled", [False, True])
    def test_null_is_the_best_without_coefficients(self, loss, pooled):
        objective = objective_of(LOSSES[loss], L21(1.0), pooled=pooled)
        null = objective.null
        assert not null.W.any()
        _, slope = objective.gradient(null)
        np.testing.assert_allclose(slope, 0, atol=1e-8)
        rng = np.random.default_rng(0)
        for scale in (1e-3, 1e-1, 1.0):
            b = null.b + scale * rng.standard_normal(null.b.shape)
            assert objective.value(objective.point(null.W, b)) >= objective.null_value

    @given(seed=st.integers(0, 10**6), size=st.floats(0, 10))
    @settings(max_examples=15)
    def test_every_bound_lies_below_every_value(self, seed, size):
        # Weak duality between unrelated points, for all losses and penalties.
        rng = np.random.default_rng(seed)
        for loss in LOSSES.values():
            for penalty in (*PENALTIES.values(), *SMOOTH.values()):
                objective = objective_of(loss, penalty)
                W = size * rng.standard_normal((N_FEATURES, N_TASKS))
                point = objective.point(W, size * rng.standard_normal(N_TASKS))
                value, bound = objective.bounds(point)
                assert np.isfinite(value) and not np.isnan(bound)
                null, null_bound = objective.bounds(objective.null)
                slack = 1e-9 * (1 + value)
                assert bound <= min(value, null) + slack
                assert null_bound <= value + slack

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("penalty", SMOOTH)
    def test_newton_step_minimises_a_quadratic_model(self, loss, penalty):
        objective = objective_of(LOSSES[loss], SMOOTH[penalty])
        point = objective.null
        gradient = objective.gradient(point)
        W, b = objective.newton_step(point, gradient)
        # The model's gradient at the step, by differences of gradients along it.
        h = 1e-5
        ahead = objective.gradient(objective.point(point.W + h * W, point.b + h * b))
        back = objective.gradient(objective.point(point.W - h * W, point.b - h * b))
        for g, up, down in zip(gradient, ahead, back, strict=True):
            model = g + (up - down) / (2 * h)
            np.testing.assert_allclose(model, 0, atol=1e-5 * np.abs(gradient[0]).max())
