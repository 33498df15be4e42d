"""Designs of the observed labels agree with designs of all labels."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skmtl import BlockSparseClassifier
from skmtl.design import ObservedDesign, SharedDesign, StackedDesign, select_observed

N, D, T = 60, 6, 4


@pytest.fixture(params=[False, True], ids=["dense", "sparse"])
def X(request, rng):
    X = rng.standard_normal((N, D)) + 1
    if not request.param:
        return X
    X[rng.random(X.shape) < 0.5] = 0
    return sp.csr_array(X)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def missing_weights(rng, share=0.6):
    return rng.uniform(0.5, 2, (N, T)) * (rng.random((N, T)) > share)


@pytest.mark.parametrize("centre", ["task", "common", None])
class TestObservedDesign:
    @pytest.fixture
    def shared(self, X, rng, centre):
        return SharedDesign(X, missing_weights(rng), centre=centre)

    def test_equals_the_stacked_design_of_the_same_rows(self, X, rng, shared, centre):
        """The rows of each task, one task after the other."""
        observed = ObservedDesign(shared)
        tasks, rows = np.nonzero(shared.weights.T)
        starts = np.searchsorted(tasks, np.arange(T + 1))
        stacked = StackedDesign(X[rows], starts, observed.weights, centre=centre)
        W, U = rng.standard_normal((D, T)), rng.standard_normal(len(rows))
        H, b = rng.uniform(0.5, 1, len(rows)), rng.standard_normal(T)
        assert_allclose(observed.forward(W), stacked.forward(W), atol=1e-12)
        assert_allclose(observed.adjoint(U), stacked.adjoint(U), atol=1e-12)
        assert_allclose(observed.centred_gram(H), stacked.centred_gram(H), atol=1e-10)
        assert_allclose(observed.feature_curvature(), stacked.feature_curvature(), atol=1e-10)
        assert_allclose(observed.gather(U), stacked.gather(U))
        assert_allclose(observed.spread(b), stacked.spread(b))
        assert_allclose(observed.uncentre(W, b), stacked.uncentre(W, b), atol=1e-12)
        assert_allclose(observed.recentre(W, b), stacked.recentre(W, b), atol=1e-12)
        assert observed.gram_products == pytest.approx(stacked.gram_products, rel=0.5)

    def test_some_features(self, rng, shared):
        """The products of some features are those with zero coefficients for the others."""
        features, observed = np.array([1, 4]), ObservedDesign(shared)
        part, W = observed.columns(features), np.zeros((D, T))
        W[features] = rng.standard_normal((2, T))
        U = rng.standard_normal(len(observed.weights))
        assert_allclose(part.forward(W[features]), observed.forward(W), atol=1e-12)
        assert_allclose(part.adjoint(U), observed.adjoint(U)[features], atol=1e-12)

    def test_fast_grams_are_close(self, rng, shared):
        """Single precision changes Gram matrices by rounding error only."""
        observed = ObservedDesign(shared)
        H = rng.uniform(0.5, 1, len(observed.weights))
        rough = observed.rough_grams(H, N, fast=True)
        assert_allclose(rough, observed.centred_gram(H), rtol=1e-4, atol=1e-3)


def test_labels_are_selected_only_if_many_are_missing(rng):
    """Complete labels, and other designs, stay as they are."""
    X, y = rng.standard_normal((N, D)), rng.standard_normal((N, T))
    complete = SharedDesign(X, np.ones((N, T)), centre="task")
    assert select_observed(complete, y) == (complete, pytest.approx(y))
    weights = missing_weights(rng)
    design, labels = select_observed(SharedDesign(X, weights, centre="task"), y)
    assert isinstance(design, ObservedDesign)
    assert_allclose(labels, y.T[weights.T > 0])


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_fits_equal_those_in_the_stacked_layout(X, rng, share):
    """A missing label is the same as a row that the task does not have."""
    y = (rng.random((N, T)) < 0.5).astype(float)
    y[rng.random(y.shape) < share] = np.nan
    tasks, rows = np.nonzero(~np.isnan(y.T))
    dense = X.toarray() if sp.issparse(X) else X
    model = BlockSparseClassifier(0.02, tol=1e-9).fit(X, y)
    stacked = BlockSparseClassifier(0.02, tol=1e-9, task_column=-1)
    stacked.fit(np.column_stack([dense[rows], tasks]), y[rows, tasks].astype(int))
    assert model.coef_.any()
    assert_allclose(model.coef_, stacked.coef_, atol=1e-5)
    assert_allclose(model.intercept_, stacked.intercept_, atol=1e-5)
    assert model.objective_ == pytest.approx(stacked.objective_, rel=1e-8)
