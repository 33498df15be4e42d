"""Linear predictors of stacked rows, in whatever sizes and order of the tasks."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl.estimators import linear_predictor


@pytest.mark.parametrize(
    "kind", [np.asarray, sp.csr_matrix, sp.csc_array], ids=lambda k: k.__name__
)
@pytest.mark.parametrize(
    ("n_tasks", "n_rows", "n_features"), [(1, 50, 4), (3, 40, 3000), (4000, 3, 7), (2, 1, 3)]
)
def test_each_row_has_its_own_task(kind, n_tasks, n_rows, n_features):
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat(np.arange(n_tasks), n_rows))
    X = rng.normal(size=(len(codes), n_features)) * (rng.uniform(size=n_features) < 0.7)
    X[rng.uniform(size=len(X)) < 0.2] = 0  # rows without entries
    coef, intercept = rng.normal(size=(n_tasks, n_features)), rng.normal(size=n_tasks)
    expected = [x @ coef[code] + intercept[code] for x, code in zip(X, codes, strict=True)]
    found = linear_predictor(kind(X), codes, coef, intercept)
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=lambda k: k.__name__)
def test_the_last_task_stands_for_unknown_ones(kind):
    X, coef = np.eye(3), np.arange(9.0).reshape(3, 3)
    found = linear_predictor(kind(X), np.array([-1, 0, -1]), coef, np.array([0.0, 10, 100]))
    np.testing.assert_array_equal(found, [106, 1, 108])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=lambda k: k.__name__)
def test_precision_is_kept_and_no_rows_are_fine(kind):
    coef = np.ones((2, 3), dtype=np.float32)
    for codes in (np.array([0, 1]), np.array([1, 1]), np.array([], dtype=int)):
        X = kind(np.ones((len(codes), 3), dtype=np.float32))
        found = linear_predictor(X, codes, coef, np.zeros(2))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.full(len(codes), 3))
