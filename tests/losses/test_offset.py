"""A loss at predictors plus known numbers: each method at one point, the conjugate by its law."""

import numpy as np
import pytest

from skmtl.losses import (
    HuberLoss,
    LogisticLoss,
    MultinomialLoss,
    OffsetLoss,
    PoissonLoss,
    QuantileLoss,
    SquaredHingeLoss,
    SquaredLoss,
)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (LogisticLoss(), [-1.0, 1.0]),
        (SquaredHingeLoss(), [-1.0, 1.0]),
        (PoissonLoss(), [0.0, 3.0]),
        (HuberLoss(0.7), [-1.0, 2.0]),
    ],
)
def test_it_is_the_loss_at_the_sum(loss, labels):
    rng = np.random.default_rng(0)
    y = rng.choice(labels, size=(20, 1))
    z, offset, step = rng.normal(size=(3, 20, 1))
    moved = OffsetLoss(loss, offset)
    for name in ("value", "gradient", "curvature", "newton_weight"):
        expected = getattr(loss, name)(y, z + offset)
        np.testing.assert_array_equal(getattr(moved, name)(y, z), expected)
    rise = moved.value(y, z + step) - moved.value(y, z) - moved.gradient(y, z) * step
    assert (rise <= moved.divergence_bound(y, z, step) + 1e-12).all()
    # Fenchel's inequality is an equality at the gradient.
    u = moved.gradient(y, z)
    np.testing.assert_allclose(moved.conjugate(y, u) + moved.value(y, z), u * z, atol=1e-12)
    assert moved.curvature_bound == loss.curvature_bound


@pytest.mark.parametrize("loss", [SquaredLoss(), HuberLoss(0.7), LogisticLoss()])
def test_it_says_of_the_noise_what_the_loss_says(loss):
    moved = OffsetLoss(loss, np.ones((2, 1)))
    for name in ("has_gaussian_noise", "is_near_squares", "constant_curvature"):
        assert getattr(moved, name) == getattr(loss, name)


def test_classes_in_single_precision():
    rng = np.random.default_rng(1)
    offset, loss = rng.normal(size=(20, 3)), MultinomialLoss()
    z, moved = rng.normal(size=(20, 3)).astype(np.float32), OffsetLoss(loss, offset)
    y = np.eye(3, dtype=np.float32)[rng.integers(3, size=20)]
    np.testing.assert_allclose(moved.probabilities(z), loss.probabilities(z + offset), atol=1e-6)
    for name in ("value", "gradient", "curvature"):
        assert getattr(moved, name)(y, z).dtype == np.float32
    assert moved.couples_tasks and moved.recedes and not moved.compares_tasks
    assert moved.column(1) is loss


def test_kinks_remain():
    rng = np.random.default_rng(2)
    y, z, offset = rng.normal(size=(3, 20, 1))
    loss = QuantileLoss(0.3)
    moved = OffsetLoss(loss, offset)
    assert not moved.has_gradient and moved.slopes == loss.slopes
    smooth = moved.smoothed(0.5)
    assert smooth.has_gradient
    np.testing.assert_array_equal(smooth.value(y, z), loss.smoothed(0.5).value(y, z + offset))
    np.testing.assert_array_equal(moved.smooth_offset(z, 0.5), loss.smooth_offset(z, 0.5))
