"""Laws of every loss: derivatives, minimum, conjugate, extremes, cvxpy form."""

import copy
import pickle

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, huber, softmax
from sklearn.base import clone

from skmtl.losses import (
    GammaLoss,
    HuberLoss,
    LogisticLoss,
    Loss,
    MultinomialLoss,
    PoissonLoss,
    QuantileLoss,
    SmoothQuantileLoss,
    SquaredHingeLoss,
    SquaredLoss,
    TweedieLoss,
)

# A new loss is a row: the loss, labels it takes, its formula, u inside and outside the
# conjugate's domain for the label y.
TABLE = {
    "squared": (SquaredLoss(), [-3.0, 0.0, 0.4, 250.0], lambda y, z: (y - z) ** 2 / 2),
    "logistic": (LogisticLoss(), [-1.0, 1.0], lambda y, z: np.log(1 + np.exp(-y * z))),
    "huber": (HuberLoss(0.7), [-3.0, 0.0, 0.4], lambda y, z: huber(0.7, y - z)),
    "poisson": (
        PoissonLoss(),
        [0.0, 1.0, 7.0],
        lambda y, z: np.exp(z) - y * z + y * np.log(np.maximum(y, 1e-300)) - y,
    ),
    "gamma": (GammaLoss(), [0.4, 1.0, 7.0], lambda y, z: y * np.exp(-z) + z - np.log(y) - 1),
    "tweedie": (
        TweedieLoss(1.6),
        [0.0, 1.0, 7.0],
        lambda y, z: y * np.exp(-0.6 * z) / 0.6 + np.exp(0.4 * z) / 0.4 - y**0.4 / (0.6 * 0.4),
    ),
    "quantile": (
        QuantileLoss(0.75),
        [-3.0, 0.0, 0.4],
        lambda y, z: np.where(y >= z, 0.75 * (y - z), 0.25 * (z - y)),
    ),
    "smooth_quantile": (
        SmoothQuantileLoss(0.75, 0.7),
        [-3.0, 0.0, 0.4],
        lambda y, z: np.where(
            z - y > 0.25 * 0.7,
            0.25 * (z - y) - 0.7 * 0.25**2 / 2,
            np.where(y - z > 0.75 * 0.7, 0.75 * (y - z) - 0.7 * 0.75**2 / 2, (y - z) ** 2 / 1.4),
        ),
    ),
    "squared_hinge": (
        SquaredHingeLoss(),
        [-1.0, 1.0],
        lambda y, z: np.where(y * z < 1, 1 - y * z, 0.0) ** 2 / 2,
    ),
}
ALL = [pytest.param(*row, id=name) for name, row in TABLE.items()]
LOSSES = [pytest.param(row[0], row[1], id=name) for name, row in TABLE.items()]
SMOOTH = [param for param in LOSSES if param.values[0].has_gradient]
KINKED = [param for param in LOSSES if not param.values[0].has_gradient]

GRID = np.concatenate([np.linspace(-8, 8, 33), [-1e-9, 1e-9, 0.3]])
moderate = st.floats(-30, 30)


def pairs(labels, z=GRID):
    """Every label with every predictor, as two arrays of one shape."""
    return (array.copy() for array in np.meshgrid(np.array(labels), z, indexing="ij"))


class TestValue:
    @pytest.mark.parametrize(("loss", "labels", "formula"), ALL)
    def test_is_the_formula(self, loss, labels, formula):
        y, z = pairs(labels)
        np.testing.assert_allclose(loss.value(y, z), formula(y, z), rtol=1e-12, atol=1e-15)

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_is_the_value_of_the_cvxpy_form(self, loss, labels):
        y, z = (array.ravel() for array in pairs(labels))
        expression = loss.to_cvxpy(y, cp.Constant(z))
        assert expression.shape == y.shape and expression.is_convex()
        np.testing.assert_allclose(expression.value, loss.value(y, z), rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_smallest_value_is_zero(self, loss, labels):
        for y in labels:
            found = minimize_scalar(
                lambda z, y=y: float(loss.value(np.array(y), np.array(z))),
                bounds=(-400, 400),
                method="bounded",
                options={"xatol": 1e-9},
            )
            assert -1e-14 <= found.fun < (1e-12 if loss.has_gradient else 1e-8)
            assert (loss.value(np.full_like(GRID, y), GRID) >= -1e-14).all()

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    @given(a=moderate, b=moderate, share=st.floats(0, 1))
    def test_is_convex(self, loss, labels, a, b, share):
        y = np.array(labels)
        value = [loss.value(y, np.full_like(y, z)) for z in (a, b, share * a + (1 - share) * b)]
        ends = share * value[0] + (1 - share) * value[1]
        assert (value[2] <= ends + 1e-9 * (1 + ends)).all()

    def test_translates_means_that_labels_can_be_centred(self):
        for loss, labels, _ in TABLE.values():
            y, z = pairs(labels)
            same = np.allclose(loss.value(y + 2, z + 2), loss.value(y, z))
            assert same == loss.translates


class TestDerivatives:
    @pytest.mark.parametrize(("loss", "labels"), SMOOTH)
    def test_gradient_by_finite_differences(self, loss, labels):
        y, z = pairs(labels)
        h = 1e-5
        slope = (loss.value(y, z + h) - loss.value(y, z - h)) / (2 * h)
        np.testing.assert_allclose(loss.gradient(y, z), slope, rtol=1e-6, atol=1e-5)

    @pytest.mark.parametrize(("loss", "labels"), SMOOTH)
    def test_curvature_by_finite_differences(self, loss, labels):
        y, z = pairs(labels)
        h = 1e-5
        bend = (loss.gradient(y, z + h) - loss.gradient(y, z - h)) / (2 * h)
        # Except at the kinks of piecewise quadratic losses.
        smooth = np.abs(loss.curvature(y, z + 2 * h) - loss.curvature(y, z - 2 * h)) < 0.5
        smooth |= not np.isfinite(loss.curvature_bound)
        assert smooth.mean() > 0.9
        np.testing.assert_allclose(loss.curvature(y, z)[smooth], bend[smooth], rtol=1e-6, atol=1e-8)

    @pytest.mark.parametrize(("loss", "labels"), SMOOTH)
    def test_curvature_stays_within_its_bound_which_is_attained(self, loss, labels):
        y, z = pairs(labels, np.linspace(-60, 60, 2001))
        curvature = loss.curvature(y, z)
        assert (curvature >= 0).all()
        if np.isinf(loss.curvature_bound):
            assert curvature.max() > 1e10
            return
        assert curvature.max() <= loss.curvature_bound * (1 + 1e-15)
        assert curvature.max() == pytest.approx(loss.curvature_bound)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize(("loss", "labels"), SMOOTH)
    @pytest.mark.parametrize("size", [1e-7, 1e-3, 0.04999, 0.05001, 1.0, 20.0])
    def test_divergence_bound(self, loss, labels, size):
        # It is the integral of (1 - s) curvature(z + s step) step^2 over s in [0, 1].
        y, z = pairs(labels)
        for step in (size, -size):
            nodes, weights = np.polynomial.legendre.leggauss(60)
            nodes, weights = (nodes + 1) / 2, weights / 2
            parts = [
                w * (1 - s) * loss.curvature(y, z + s * step) * step**2
                for s, w in zip(nodes, weights, strict=True)
            ]
            divergence, bound = sum(parts), loss.divergence_bound(y, z, np.full_like(z, step))
            assert (divergence <= bound * (1 + 1e-9)).all()
            if np.isinf(loss.curvature_bound):
                np.testing.assert_allclose(bound, divergence, rtol=1e-6)

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_shapes_broadcast_like_the_labels(self, loss, labels):
        y, z = pairs(labels)
        for method in (loss.value, loss.gradient, loss.curvature):
            assert method(y, z).shape == y.shape
            np.testing.assert_array_equal(method(y, z)[0], method(y[0], z[0]))


class TestWithoutGradient:
    """A loss without a gradient has a subgradient, a prox, and a smooth envelope."""

    @pytest.mark.parametrize(("loss", "labels"), KINKED)
    def test_subgradient(self, loss, labels):
        y, z = pairs(labels)
        u, value = loss.gradient(y, z), loss.value(y, z)
        for other in (-9.0, -0.5, 0.0, 0.1, 30.0):
            lower = value + u * (other - z)
            assert (loss.value(y, np.full_like(z, other)) >= lower - 1e-12).all()
        low, high = loss.slopes
        assert u.min() == low and u.max() == high

    @pytest.mark.parametrize(("loss", "labels"), KINKED)
    @pytest.mark.parametrize("step", [0.3, 4.0])
    def test_prox_by_minimising(self, loss, labels, step):
        y, z = pairs(labels, np.linspace(-6, 6, 9))
        proxes = loss.prox(y, z, step)
        for label, centre, prox in zip(y.ravel(), z.ravel(), proxes.ravel(), strict=True):

            def model(v, label=label, centre=centre):
                value = loss.value(np.array(label), np.array(v))
                return float(value + (v - centre) ** 2 / (2 * step))

            found = minimize_scalar(model, bounds=(-20, 20), method="bounded")
            assert model(prox) <= found.fun + 1e-12
            assert prox == pytest.approx(found.x, abs=1e-4)

    @pytest.mark.parametrize(("loss", "labels"), KINKED)
    def test_envelope(self, loss, labels):
        y, z = pairs(labels)
        smooth, prox = loss.smoothed(0.7), loss.prox(y, z, 0.7)
        envelope = loss.value(y, prox) + (prox - z) ** 2 / 1.4
        np.testing.assert_allclose(smooth.value(y, z), envelope, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(smooth.gradient(y, z), (z - prox) / 0.7, atol=1e-13)
        # Moreau: the rest is a step times the prox of the conjugate, and so in its domain.
        inner = (1 - 1e-12) * (z - prox) / 0.7
        assert np.isfinite(loss.conjugate(y, inner)).all()

    @pytest.mark.parametrize(("loss", "labels"), KINKED)
    def test_best_shift(self, loss, labels):
        rng = np.random.default_rng(0)
        for size in (1, 2, 5, 40):
            residuals, weights = rng.integers(-4, 5, size) / 2.0, rng.integers(1, 4, size) * 1.0
            shift = loss.best_shift(residuals, weights)

            def total(z, residuals=residuals, weights=weights):
                return float(weights @ loss.value(residuals, np.full_like(residuals, z)))

            # Some label is a minimiser.
            assert total(shift) <= min(total(z) for z in residuals) + 1e-12

    def test_domain(self):
        loss, one = QuantileLoss(0.75), np.ones(1)
        for u, inside in [(-0.75, True), (0.25, True), (-0.7501, False), (0.2501, False)]:
            assert np.isfinite(loss.conjugate(one, u * one))[0] == inside
        u = np.array([0.3, -0.9])
        scaled = loss.dual_scale(u) * u
        assert np.isfinite(loss.conjugate(np.ones(2), scaled)).all()
        assert scaled[0] == pytest.approx(0.25) and loss.dual_scale(0.5 * u) == 1.0


class TestConjugate:
    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_by_maximising(self, loss, labels):
        for y in labels:
            for z in (-4.0, -0.7, 0.0, 1.3, 5.0):
                u = float(loss.gradient(np.array([y]), np.array([z]))[0])
                found = minimize_scalar(
                    lambda x, u=u, y=y: float(loss.value(np.array(y), np.array(x))) - u * x,
                    bounds=(-500, 500),
                    method="bounded",
                    options={"xatol": 1e-10},
                )
                conjugate = float(loss.conjugate(np.array([y]), np.array([u]))[0])
                assert conjugate == pytest.approx(-found.fun, rel=1e-6, abs=1e-7)

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_fenchel_young_with_equality_at_the_gradient(self, loss, labels):
        y, z = pairs(labels)
        u = loss.gradient(y, z)
        both = loss.value(y, z) + loss.conjugate(y, u)
        np.testing.assert_allclose(both, u * z, rtol=1e-9, atol=1e-9)
        for other in (-5.0, 0.0, 0.2, 7.0):
            assert (loss.value(y, z + other) + loss.conjugate(y, u) >= u * (z + other) - 1e-8).all()

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_is_zero_at_zero(self, loss, labels):
        # The loss is shifted so that its minimum is 0.
        y = np.array(labels)
        np.testing.assert_allclose(loss.conjugate(y, np.zeros_like(y)), 0, atol=1e-15)

    def test_boundary_and_outside_of_the_logistic_domain(self):
        loss, y = LogisticLoss(), np.array([-1.0, 1.0])
        with np.errstate(all="raise"):
            np.testing.assert_array_equal(loss.conjugate(y, 0 * y), [0, 0])
            np.testing.assert_array_equal(loss.conjugate(y, -y), [0, 0])
            half = loss.conjugate(y, -y / 2)
        np.testing.assert_allclose(half, -np.log(2))
        for u in (y * 1e-12, -y * (1 + 1e-12), y, 1e300 * y, -1e300 * y, y * np.inf):
            assert (loss.conjugate(y, u) == np.inf).all()
        # Just inside the domain.
        for u in (-y * 1e-300, -y * (1 - 1e-16), -y * np.finfo(float).tiny):
            conjugate = loss.conjugate(y, u)
            assert (np.abs(conjugate) < 1e-14).all()

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_is_convex_on_its_domain(self, loss, labels):
        for y in labels:
            u = np.linspace(0.001, 0.999, 101) * -(np.sign(y) or 1.0)
            if np.isinf(loss.curvature_bound) and y == 0:
                u = -u
            values = loss.conjugate(np.full_like(u, y), u)
            inside = np.isfinite(values)
            assert inside.any() and (np.diff(inside.astype(int)) <= 0).all()
            assert (np.diff(values[inside], 2) >= -1e-9).all()


class TestExtremes:
    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    @pytest.mark.parametrize("size", [40.0, 800.0, 1e10, 1e150])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_huge_predictors(self, loss, labels, size, dtype):
        if dtype == np.float32:
            size = min(size, 1e18)
        if np.isinf(loss.curvature_bound):
            size = min(size, 40.0)  # it grows like e^z: beyond the largest float soon after
        y, z = (array.astype(dtype) for array in pairs(labels, np.array([-size, size])))
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            for method in (loss.value, loss.gradient, loss.curvature):
                result = method(y, z)
                assert np.isfinite(result).all() and result.dtype == dtype
        assert (loss.curvature(y, z) >= 0).all()
        u = loss.gradient(y, z).astype(np.float64)
        # Even for extreme predictors the gradient is in the conjugate's domain.
        assert np.isfinite(loss.conjugate(y.astype(np.float64), u)).all()

    def test_poisson_where_exp_overflows(self):
        loss, y = PoissonLoss(), np.array([0.0, 3.0])
        with np.errstate(all="raise", under="ignore"):
            assert (loss.value(y, np.full(2, 1e4)) == np.inf).all()
            assert np.isfinite(loss.value(y, np.full(2, -1e4))).all()

    def test_domains_of_the_new_conjugates(self):
        one = np.ones(1)
        huber_loss, hinge, poisson = HuberLoss(0.7), SquaredHingeLoss(), PoissonLoss()
        assert huber_loss.conjugate(one, 0.7 * one) < np.inf
        assert huber_loss.conjugate(one, 0.7001 * one) == np.inf
        u = np.array([0.3, -2.0, 1.0])
        assert np.abs(huber_loss.dual_scale(u) * u).max() == pytest.approx(0.7)
        assert hinge.conjugate(one, 1e-9 * one) == np.inf and hinge.conjugate(one, -5 * one) < 10
        assert poisson.conjugate(one, -one) == 1 and poisson.conjugate(one, -1.01 * one) == np.inf

    def test_logistic_far_from_the_border(self):
        loss, one = LogisticLoss(), np.ones(3)
        z = np.array([50.0, 500.0, 5000.0])
        np.testing.assert_allclose(loss.value(one, -z), z, rtol=1e-15)
        np.testing.assert_allclose(loss.value(one, z)[0], np.exp(-50), rtol=1e-12)
        np.testing.assert_allclose(loss.gradient(one, -z), -1, rtol=1e-15)
        np.testing.assert_allclose(loss.gradient(one, z)[:2], -np.exp(-z[:2]), rtol=1e-12)
        np.testing.assert_allclose(loss.curvature(one, z)[:2], np.exp(-z[:2]), rtol=1e-12)

    def test_inverse_links(self):
        z = np.array([-1000.0, -1.0, 0.0, 2.0, 1000.0])
        np.testing.assert_array_equal(SquaredLoss().inverse_link(z), z)
        with np.errstate(over="raise"):
            p = LogisticLoss().inverse_link(z)
        np.testing.assert_allclose(p, [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2)), 1])
        assert LogisticLoss().inverse_link(z.astype(np.float32)).dtype == np.float32

    def test_losses_say_whether_they_have_a_prox(self):
        for loss in [row[0] for row in TABLE.values()] + [MultinomialLoss()]:
            assert loss.has_prox == (type(loss).prox is not Loss.prox)

    def test_links_name_the_inverse_links(self):
        means = {"identity": np.array, "log": np.exp, "logit": expit, "softmax": softmax}
        z = np.linspace(-3, 3, 12).reshape(6, 2)
        for loss in [row[0] for row in TABLE.values()] + [MultinomialLoss()]:
            if loss.link is None:  # exports then refuse to compute means
                with pytest.raises(NotImplementedError):
                    loss.inverse_link(z)
            else:
                expected = means[loss.link](z, **({"axis": 1} if loss.link == "softmax" else {}))
                np.testing.assert_allclose(loss.inverse_link(z), expected, rtol=1e-14)
            if loss.link not in (None, "softmax"):
                np.testing.assert_allclose(loss.link_of(expected), z, rtol=1e-12, atol=1e-14)


class TestHouse:
    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_float32_is_kept(self, loss, labels):
        y, z = pairs(labels, np.linspace(-5, 5, 11))
        single = y.astype(np.float32), z.astype(np.float32)
        for method in (loss.value, loss.gradient, loss.curvature):
            result = method(*single)
            assert result.dtype == np.float32
            np.testing.assert_allclose(result, method(y, z), rtol=1e-4, atol=1e-6)
        u = loss.gradient(*single)
        assert loss.conjugate(single[0], u).dtype == np.float32

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_read_only_and_strided_arrays(self, loss, labels):
        y, z = pairs(labels)
        kept = y.copy(), z.copy()
        expected = [method(y, z) for method in (loss.value, loss.gradient, loss.curvature)]
        y.flags.writeable = z.flags.writeable = False
        u = loss.gradient(y, z)
        u.flags.writeable = False
        loss.conjugate(y, u)
        for method, value in zip(
            (loss.value, loss.gradient, loss.curvature), expected, strict=True
        ):
            np.testing.assert_array_equal(method(y, z), value)
            result = method(np.asfortranarray(y)[::-1, ::2], np.asfortranarray(z)[::-1, ::2])
            np.testing.assert_allclose(result, value[::-1, ::2], rtol=1e-14)
        np.testing.assert_array_equal(y, kept[0])
        np.testing.assert_array_equal(z, kept[1])

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_results_are_new_arrays(self, loss, labels):
        y, z = pairs(labels)
        for method in (loss.value, loss.gradient, loss.curvature, loss.conjugate):
            result = method(y, z)
            assert not np.shares_memory(result, y) and not np.shares_memory(result, z)

    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_clone_pickle_and_repr(self, loss, labels):
        y, z = pairs(labels)
        for twin in (clone(loss), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
            assert type(twin) is type(loss)
            np.testing.assert_array_equal(twin.value(y, z), loss.value(y, z))
        assert repr(loss).startswith(f"{type(loss).__name__}(")
        known = ["delta", "power", "quantile", "width"]
        assert list(loss.get_params()) == [p for p in known if hasattr(loss, p)]


class TestGradientChange:
    @pytest.mark.parametrize(("loss", "labels"), LOSSES)
    def test_is_curvature_times_step(self, loss, labels):
        y, z = pairs(labels)
        step = np.linspace(-1, 2, z.shape[1])
        change = loss.gradient_change(y, z, step)
        np.testing.assert_array_equal(change, loss.newton_weight(y, z) * step)
