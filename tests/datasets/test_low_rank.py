"""Simulated tasks of low rank, and of few latent tasks."""

from typing import Any

import numpy as np
import pytest

from skmtl.datasets import make_low_rank_tasks, make_overlapping_tasks


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_low_rank_tasks, dict(rank=11), "rank=11 exceeds n_tasks=10"),
        (make_low_rank_tasks, dict(rank=6, n_features=5), "rank=6 exceeds n_features=5"),
        (make_low_rank_tasks, dict(n_sparse=201), "n_sparse=201 exceeds .* 200 coefficients"),
        (make_low_rank_tasks, dict(sparse_size=0.0), "'sparse_size' parameter"),
        (make_overlapping_tasks, dict(n_combined=5), "n_combined=5 exceeds n_latent=4"),
        (make_overlapping_tasks, dict(missing=0.1, layout="stacked"), "missing needs layout"),
        (make_overlapping_tasks, dict(n_samples=[5] * 15), "n_samples must be one number"),
    ],
)
def test_errors(make: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**parameters)


# --- low rank -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rank", "n_tasks", "n_features"), [(1, 6, 9), (3, 6, 9), (6, 6, 9)])
def test_rank_and_components(rank: int, n_tasks: int, n_features: int) -> None:
    dataset = make_low_rank_tasks(5, n_features, n_tasks, rank=rank, random_state=0)
    assert dataset.rank == rank == np.linalg.matrix_rank(dataset.coef)
    np.testing.assert_allclose(dataset.components @ dataset.components.T, np.eye(rank), atol=1e-12)
    np.testing.assert_allclose(dataset.coef, dataset.loadings @ dataset.components)
    np.testing.assert_array_equal(dataset.coef, dataset.low_rank)
    assert not dataset.sparse.any()


def test_coefficients_have_unit_variance_whatever_the_rank() -> None:
    for rank in (1, 20):
        dataset = make_low_rank_tasks(5, 40, 5000, rank=rank, random_state=0)
        assert dataset.coef.std() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("n_sparse", [0, 7, 60])
def test_sparse_entries(n_sparse: int) -> None:
    dataset = make_low_rank_tasks(5, 10, 6, n_sparse=n_sparse, sparse_size=3.0, random_state=0)
    assert (dataset.sparse != 0).sum() == n_sparse
    assert set(np.unique(dataset.sparse)) <= {-3.0, 0.0, 3.0}
    np.testing.assert_array_equal(dataset.coef, dataset.low_rank + dataset.sparse)
    assert np.linalg.matrix_rank(dataset.low_rank) == 2


# --- overlap --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_latent", "n_combined"), [(1, 1), (4, 1), (4, 2), (4, 4), (9, 3)])
def test_tasks_combine_few_latent_tasks(n_latent: int, n_combined: int) -> None:
    dataset = make_overlapping_tasks(
        5, 12, 10, n_latent=n_latent, n_combined=n_combined, random_state=0
    )
    used = dataset.assignments != 0
    assert dataset.assignments.shape == (10, n_latent) and dataset.latent.shape == (n_latent, 12)
    assert (used.sum(axis=1) == n_combined).all() and used.any(axis=0).all()
    np.testing.assert_allclose(dataset.coef, dataset.assignments @ dataset.latent)
    assert np.linalg.matrix_rank(dataset.coef) == n_latent
    if 1 < n_combined < n_latent:
        # Groups overlap: some tasks share one latent task, not all.
        common = used.astype(int) @ used.T
        assert ((common > 0) & (common < n_combined)).any()


def test_combinations_have_unit_variance() -> None:
    dataset = make_overlapping_tasks(5, 50, 4000, n_latent=60, n_combined=5, random_state=0)
    assert dataset.coef.std() == pytest.approx(1.0, abs=0.05)
