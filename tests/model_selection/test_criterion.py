"""Information criteria of the fits of a path."""

import numpy as np
import pytest
from criterion_problems import made
from scipy.special import comb
from sklearn.base import clone
from sklearn.linear_model import LassoLarsIC, lars_path

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    TreeGuidedRegressor,
)
from skmtl.model_selection import block_sparse_path, path
from skmtl.penalties import L21, L1Inf, Penalty, TraceNorm


class TestCriterion:
    def test_is_that_of_lasso_lars_ic(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(50, 8))
        X -= X.mean(axis=0)
        y = X[:, 0] - 0.7 * X[:, 1] + rng.normal(size=50) + 2
        for kind in ("aic", "bic"):
            theirs = LassoLarsIC(kind).fit(X, y)
            *_, ours = path(
                BlockSparseRegressor(tol=1e-12),
                X,
                y,
                alphas=theirs.alphas_[1:],
                criterion=kind,
                noise_variance=theirs.noise_variance_,
            )
            # At their alphas features enter, so that only the likelihoods are comparable.
            charge = 2 if kind == "aic" else np.log(50)
            np.testing.assert_allclose(
                ours.values - charge * ours.degrees_of_freedom,
                theirs.criterion_[1:] - charge * _their_sizes(X, y, theirs.alphas_[1:]),
                rtol=1e-8,
            )
            assert ours.kind == kind

    def test_of_the_profile_likelihood(self):
        X, Y = made(n=30)
        alphas, coefs, _, intercepts, aic = path(
            BlockSparseRegressor(), X, Y, alphas=6, return_intercepts=True, criterion="aic"
        )
        residuals = Y[:, :, None] - np.einsum("ij,tjk->itk", X, coefs) - intercepts
        squares = (residuals**2).sum(axis=(0, 1))
        freedoms = aic.degrees_of_freedom
        deviance = 90 * (np.log(2 * np.pi * squares / 90) + 1)
        np.testing.assert_allclose(aic.values, deviance + 2 * freedoms)
        np.testing.assert_allclose(aic.mean_squares, squares / 90)
        bic = path(BlockSparseRegressor(), X, Y, alphas=alphas, criterion="bic")[-1]
        np.testing.assert_allclose(bic.values, deviance + np.log(90) * freedoms)
        ebic = path(BlockSparseRegressor(), X, Y, alphas=alphas, criterion="ebic", ebic_gamma=0.5)
        supports = np.log(comb(5, coefs.any(axis=0).sum(axis=0)))
        np.testing.assert_allclose(ebic[-1].log_supports, supports, atol=1e-12)
        np.testing.assert_allclose(ebic[-1].values, bic.values + supports)
        assert bic.n_labels == 90
        assert bic.best == np.argmin(bic.values)
        assert bic.alpha == alphas[bic.best]

    def test_supports_of_entries(self):
        X, Y = made(n=30)
        model = BlockSparseRegressor(sparsity=0.6, feature_weight=[0, 1, 1, 1, 1])
        _, coefs, _, criteria = path(model, X, Y, alphas=8, criterion="ebic")
        penalised = coefs[:, 1:] != 0
        for k, value in enumerate(criteria.log_supports):
            sizes = penalised[:, :, k].sum(axis=0)
            counts = [comb(4, np.count_nonzero(sizes)), *comb(3, sizes)]
            assert value == pytest.approx(np.log(counts).sum(), abs=1e-12)
        none = path(LowRankRegressor(), X, Y, alphas=[0.1], criterion="ebic")[-1]
        assert none.log_supports[0] == pytest.approx(0, abs=1e-12)

    def test_does_not_depend_on_the_scale_of_weights_nor_on_the_layout(self):
        X, Y = made(n=25)
        rng = np.random.default_rng(5)
        weights = rng.uniform(0.5, 2, Y.shape)
        Y[rng.random(Y.shape) < 0.2] = np.nan
        model, alphas = BlockSparseRegressor(tol=1e-10), [0.5, 0.2, 0.1]
        first = path(model, X, Y, alphas=alphas, sample_weight=weights, criterion="ebic")[-1]
        second = path(model, X, Y, alphas=alphas, sample_weight=7 * weights, criterion="ebic")[-1]
        np.testing.assert_allclose(first.values, second.values, rtol=1e-9)
        rows, tasks = np.nonzero(~np.isnan(Y))
        third = path(
            clone(model).set_params(task_column=-1),
            np.column_stack([X[rows], tasks]),
            Y[rows, tasks],
            alphas=alphas,
            sample_weight=weights[rows, tasks],
            criterion="ebic",
        )[-1]
        np.testing.assert_allclose(first.values, third.values, rtol=1e-6)
        assert first.n_labels == third.n_labels == len(rows)

    def test_saturated_fits_are_not_selected(self):
        X, Y = made(n=10, d=30)
        criteria = path(BlockSparseRegressor(), X, Y, alphas=30, eps=1e-4, criterion="aic")[-1]
        large = criteria.degrees_of_freedom > 15
        assert large.any()
        np.testing.assert_array_equal(np.isnan(criteria.values), large)
        assert not large[criteria.best]
        known = path(
            BlockSparseRegressor(), X, Y, alphas=30, eps=1e-4, criterion="aic", noise_variance=1.0
        )[-1]
        assert np.isfinite(known.values).all()

    def test_constant_labels(self):
        X, Y = made()
        criteria = path(BlockSparseRegressor(), X, np.ones_like(Y), alphas=3, criterion="bic")[-1]
        assert criteria.best == 0
        assert np.isfinite(criteria.values).all()

    def test_block_sparse_path_takes_a_criterion(self):
        X, Y = made()
        first = block_sparse_path(X, Y, alphas=5, criterion="ebic", ebic_gamma=0.5)[-1]
        second = path(BlockSparseRegressor(), X, Y, alphas=5, criterion="ebic", ebic_gamma=0.5)[-1]
        np.testing.assert_array_equal(first.values, second.values)


def _their_sizes(X, y, alphas):
    """The sizes of supports that LassoLarsIC counts: of its path's coefficients."""
    found, _, coefs = lars_path(X, y - y.mean(), method="lasso", alpha_min=0.0)
    np.testing.assert_allclose(found[1:], alphas)
    return np.count_nonzero(np.abs(coefs) > np.finfo(float).eps, axis=0)[1:]


class MeanFree(Penalty):
    """A norm of which no derivative is declared."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def value(self, W):
        return L1Inf(self.alpha).value(W)

    def prox(self, V, step):
        return L1Inf(self.alpha).prox(V, step)

    def dual_norm(self, G):
        return L1Inf(self.alpha).dual_norm(G)


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (BlockSparseRegressor(loss="huber"), "loss other than the squared"),
            (CappedBlockSparseRegressor(), "not convex"),
            (BlockSparseRegressor(refit_support=True), "refits the selected"),
            (TreeGuidedRegressor(), "learned from the labels"),
            (PooledTaskRegressor(intercept="shrunk"), "shrinks the intercepts"),
            (MultiTaskRegressor(penalty=L21() + TraceNorm()), "not known.*no prox"),
            (MultiTaskRegressor(penalty=MeanFree()), "MeanFree has no prox_derivative"),
        ],
        ids=repr,
    )
    def test_name_the_reason_and_the_remedy(self, model, message):
        with pytest.raises(ValueError, match=rf"(?s){message}.*cross-validation.*AlphaSearchCV"):
            path(model, *made(), alphas=[0.1], criterion="aic")

    def test_of_classifiers(self):
        X, Y = made()
        with pytest.raises(ValueError, match=r"loss other than the squared.*AlphaSearchCV"):
            path(BlockSparseClassifier(), X, Y > Y.mean(), alphas=[0.1], criterion="aic")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"criterion": "cp"}, "criterion must be one of aic, bic, ebic; got 'cp'"),
            ({"ebic_gamma": 2}, "ebic_gamma must be in"),
            ({"noise_variance": 0}, "noise_variance must be a positive number"),
        ],
    )
    def test_of_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            path(BlockSparseRegressor(), *made(), alphas=2, **{"criterion": "bic", **settings})

    def test_if_every_fit_is_saturated(self):
        X, Y = made(n=3)
        criteria = path(IndependentTaskRegressor(), X, Y, alphas=[1e-6], criterion="bic")[-1]
        with pytest.raises(ValueError, match=r"half of the 9 labels.*noise_variance"):
            _ = criteria.best
