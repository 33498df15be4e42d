"""Fits by single losses; the laws of all losses are in laws/test_losses.py."""

import numpy as np
import pytest

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskRegressor,
    PooledTaskRegressor,
)
from skmtl.losses import GivenSlopesLoss, LogisticLoss, OffsetLoss, SquaredHingeLoss
from skmtl.model_selection import alpha_max


def test_squared_hinge_has_no_probabilities():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = BlockSparseClassifier(loss="squared_hinge").fit(X, X[:, 0] > 0)
    assert not hasattr(model, "predict_proba")
    assert model.score(X, X[:, 0] > 0) > 0.9


@pytest.mark.parametrize(
    ("loss", "above"), [(LogisticLoss(), True), (SquaredHingeLoss(), False)], ids=str
)
def test_the_nearest_point_in_the_domain_of_the_conjugate(loss, above):
    """Dual points from linear systems may be outside by rounding error."""
    y = np.array([1.0, -1.0, 1.0, -1.0])
    u = -y * np.array([-9e-18, -1e-12, 0.5, 1 + 1e-12])
    assert np.isinf(loss.conjugate(y, u)).tolist() == [True, True, False, above]
    near = loss.nearest_dual(y, u)
    assert np.isfinite(loss.conjugate(y, near)).all()
    np.testing.assert_allclose(near, u, rtol=0, atol=2e-12)
    assert near[2] == u[2]
    weights, offset = np.ones(4), np.arange(4.0)
    for other in (OffsetLoss(loss, offset), GivenSlopesLoss(loss, weights)):
        np.testing.assert_array_equal(other.nearest_dual(y, u), near)


@pytest.mark.filterwarnings("ignore:All labels are the same")
def test_squared_hinge_of_a_task_with_one_class():
    """Any intercept beyond 1 has no loss; the smallest is fitted."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    for label in (0, 1):
        Y = np.column_stack([X[:, 0] > 0, np.full(40, label)])
        model = BlockSparseClassifier(loss="squared_hinge").fit(X, Y)
        assert model.intercept_[1] == 2 * label - 1 and not model.coef_[1].any()


def test_huber_where_most_labels_lie_beyond_delta():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), 0.01 * rng.normal(size=100)
    y[:10] = 1000.0
    top = alpha_max(BlockSparseRegressor(loss="huber"), X, y)
    at = BlockSparseRegressor(top * (1 + 1e-6), loss="huber", tol=1e-8).fit(X, y)
    below = BlockSparseRegressor(top * 0.9, loss="huber", tol=1e-8).fit(X, y)
    assert not at.coef_.any() and below.coef_.any()
    prices = 2000 * X @ rng.normal(size=(5, 2)) + 3000 * rng.standard_t(2, size=(100, 2))
    for cls in (IndependentTaskRegressor, PooledTaskRegressor):
        model = cls(1.0, loss="huber", tol=1e-6).fit(X, prices)  # a warning would be an error
        assert model.dual_gap_ <= 1e-6 * at.objective_ + 1e-6 * model.objective_ * 10
