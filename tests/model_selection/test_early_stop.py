"""Paths that end once the mean score over folds has fallen for several alphas."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmtl import BlockSparseClassifierCV, BlockSparseRegressorCV, LowRankRegressor
from skmtl.datasets import make_block_sparse
from skmtl.model_selection import AlphaSearchCV

PATIENCE = 3


@pytest.fixture(scope="module")
def noisy():
    """Few noisy rows, so that small alphas overfit."""
    made = make_block_sparse(40, 60, 4, n_informative=3, noise=3.0, random_state=0)
    return made.data, made.target


SEARCHES = {
    "regressor": BlockSparseRegressorCV(25, cv=3),
    "classifier": BlockSparseClassifierCV(25, cv=3),
    "search": AlphaSearchCV(LowRankRegressor(), alphas=25, eps=1e-4, cv=3),
    "threads": BlockSparseRegressorCV(25, cv=3, n_jobs=2),
}


def scores_of(search):
    return search.scores_path_ if hasattr(search, "scores_path_") else -search.mse_path_


@pytest.mark.parametrize("name", SEARCHES)
def test_scores_are_those_of_the_whole_path_up_to_its_end(noisy, name):
    X, Y = noisy
    if name == "classifier":
        made = make_block_sparse(40, 60, 4, n_informative=3, noise=0.3, random_state=0)
        X, Y = made.data, (made.target > np.median(made.target, axis=0)).astype(int)
    search = SEARCHES[name]
    whole = search.set_params(patience=None).fit(X, Y)
    means = scores_of(whole).mean(axis=1)
    alpha, coef = whole.alpha_, whole.coef_
    search.set_params(patience=PATIENCE).fit(X, Y)
    found = scores_of(search).mean(axis=1)
    n_seen = int(np.isfinite(found).sum())
    assert np.isfinite(found[:n_seen]).all()
    assert n_seen < len(found)
    assert_array_equal(found[:n_seen], means[:n_seen])
    # The best of those seen is followed by worse ones, at least as many as the patience.
    best = int(np.argmax(found[:n_seen]))
    assert n_seen - 1 - best >= PATIENCE
    if means[n_seen:].max() <= found[best]:
        assert search.alpha_ == alpha
        assert_array_equal(search.coef_, coef)


def test_each_value_of_a_listed_parameter_has_its_own_end(noisy):
    search = BlockSparseRegressorCV(25, l1_ratio=[0.2, 1.0], cv=3, patience=PATIENCE).fit(*noisy)
    ends = np.isfinite(search.mse_path_.mean(axis=-1)).sum(axis=1)
    assert (ends < 25).any() and (ends > PATIENCE).all()
    assert np.isfinite(search.best_score_)


def test_a_path_whose_scores_keep_rising_is_fitted_to_its_end():
    made = make_block_sparse(200, 10, 4, n_informative=3, noise=0.0, random_state=0)
    search = BlockSparseRegressorCV(8, eps=0.05, cv=3, patience=2, tol=1e-6)
    with pytest.warns(UserWarning, match="smallest of the grid"):
        search.fit(made.data, made.target)
    assert np.isfinite(search.mse_path_).all()


@pytest.mark.parametrize("patience", [0, 1.5, "3"])
def test_patience_is_a_positive_integer(noisy, patience):
    with pytest.raises(ValueError, match="patience"):
        BlockSparseRegressorCV(patience=patience).fit(*noisy)
