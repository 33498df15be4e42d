"""Simulated clusters, relations and outliers have the documented structure."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skmtl.datasets import make_clustered_tasks, make_outlier_tasks, make_related_tasks


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_clustered_tasks, dict(n_clusters=13), "n_clusters=13 exceeds n_tasks=12.*increase"),
        (make_clustered_tasks, dict(spread=-0.1), "'spread' parameter of make_clustered_tasks"),
        (make_clustered_tasks, dict(missing=0.1, layout="stacked"), "missing needs layout"),
        (make_clustered_tasks, dict(n_samples=[5] * 12), "n_samples must be one number"),
        (make_related_tasks, dict(covariance="banded"), "'covariance' parameter"),
        (make_related_tasks, dict(covariance=np.eye(3)), r"\(10, 10\), got \(3, 3\)"),
        (make_related_tasks, dict(covariance=[[1, 2], [2, 1]], n_tasks=2), "eigenvalue is -1,"),
        (make_related_tasks, dict(covariance=[[1, 0], [1, 1]], n_tasks=2), "must be symmetric"),
        (make_related_tasks, dict(covariance=[[np.nan]], n_tasks=1), "must be finite"),
        (make_related_tasks, dict(covariance=np.zeros((10, 10))), "not zero"),
        (make_related_tasks, dict(covariance="equal", strength=-0.2), r"at least -0\.1111"),
        (make_related_tasks, dict(covariance="opposed", strength=-0.1), "at least 0"),
        (make_related_tasks, dict(strength=1.1), "'strength' parameter"),
        (make_outlier_tasks, dict(n_outliers=11), "n_outliers=11 exceeds n_tasks=10"),
        (make_outlier_tasks, dict(n_informative=51), "n_informative=51 exceeds n_features=50"),
        (make_outlier_tasks, dict(structure="tree"), "'structure' parameter"),
        (make_outlier_tasks, dict(layout="wide"), "'layout' parameter of make_outlier_tasks"),
    ],
)
def test_errors(make: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**parameters)


# --- clusters -------------------------------------------------------------------------------------


def test_clusters_are_those_of_the_coefficients() -> None:
    dataset = make_clustered_tasks(5, 20, 50, n_clusters=4, random_state=0)
    assert sorted(np.bincount(dataset.labels)) == [12, 12, 13, 13]
    found = KMeans(4, n_init=5, random_state=0).fit(dataset.coef)
    assert adjusted_rand_score(found.labels_, dataset.labels) == 1.0
    deviation = dataset.coef - dataset.centers[dataset.labels]
    np.testing.assert_allclose(deviation.std(), 0.1, rtol=0.05)
    assert (np.diff(dataset.labels) < 0).any()  # not in order


def test_spread_zero_makes_equal_tasks() -> None:
    dataset = make_clustered_tasks(5, 8, 6, n_clusters=2, spread=0.0, random_state=0)
    assert len(np.unique(dataset.coef, axis=0)) == 2
    alone = make_clustered_tasks(5, 8, 6, n_clusters=6, random_state=0)
    np.testing.assert_array_equal(np.sort(alone.labels), np.arange(6))


# --- relations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        dict(),
        dict(covariance="ar1", strength=-0.7),
        dict(covariance="equal", strength=-0.25),
        dict(covariance="opposed"),
        dict(covariance=[[4.0, 1, 0, 0, 0], [1, 1, 0, 0, 0], *np.eye(5)[2:]]),
        dict(covariance=np.ones((5, 5))),
    ],
)
def test_coefficients_have_the_covariance(parameters: dict[str, Any]) -> None:
    dataset = make_related_tasks(1, 40_000, 5, **parameters, random_state=1)
    largest = dataset.covariance.max()
    np.testing.assert_allclose(
        dataset.coef @ dataset.coef.T / 40_000, dataset.covariance, atol=0.03 * largest
    )
    assert np.linalg.eigvalsh(dataset.covariance)[0] >= -1e-12
    np.testing.assert_allclose(
        dataset.normalised_covariance * dataset.covariance.trace(), dataset.covariance
    )
    assert dataset.normalised_covariance.trace() == pytest.approx(1)
    np.testing.assert_allclose(dataset.correlation, np.corrcoef(dataset.coef), atol=0.03)
    # Features are independent: neighbouring features are uncorrelated.
    lagged = dataset.coef[:, 1:] @ dataset.coef[:, :-1].T / 40_000
    np.testing.assert_allclose(lagged, 0, atol=0.03 * largest)


def test_coefficients_do_not_depend_on_the_basis_of_equal_variances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # LAPACK's differs between processors.
    expected = make_related_tasks(5, 3, 6, covariance="equal", random_state=0).coef
    eigh = np.linalg.eigh

    def other(matrix: Any) -> tuple[Any, Any]:
        values, vectors = eigh(matrix)
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
        vectors[:, :5] = vectors[:, :5] @ rotation
        return values, -vectors

    monkeypatch.setattr(np.linalg, "eigh", other)
    found = make_related_tasks(5, 3, 6, covariance="equal", random_state=0).coef
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_named_covariances() -> None:
    chain = make_related_tasks(5, 4, 3, covariance="ar1", strength=0.5, random_state=0)
    np.testing.assert_allclose(chain.covariance, [[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]])
    opposed = make_related_tasks(5, 4, 4, covariance="opposed", strength=1.0, random_state=0)
    np.testing.assert_allclose(opposed.coef[0], -opposed.coef[3], atol=1e-7)
    np.testing.assert_allclose(opposed.coef[0], opposed.coef[1], atol=1e-7)
    singular = make_related_tasks(5, 4, 2, covariance=[[1, 0], [0, 0]], random_state=0)
    np.testing.assert_array_equal(singular.coef[1], 0)
    np.testing.assert_array_equal(singular.correlation, np.eye(2))


# --- outliers -------------------------------------------------------------------------------------


def test_outliers_share_no_features() -> None:
    dataset = make_outlier_tasks(5, 400, 30, n_outliers=6, n_informative=40, random_state=0)
    assert dataset.outliers.dtype == dataset.support.dtype == bool
    assert (dataset.outliers.sum(), dataset.support.sum()) == (6, 40)
    np.testing.assert_array_equal((dataset.coef != 0).all(axis=1), dataset.outliers)
    for task in np.flatnonzero(~dataset.outliers):
        np.testing.assert_array_equal(dataset.coef[task] != 0, dataset.support)
    # Outlier tasks cannot be identified by the norm of their coefficients.
    lengths = (dataset.coef**2).sum(axis=1)
    np.testing.assert_allclose(lengths[dataset.outliers].mean(), lengths.mean(), rtol=0.2)
    np.testing.assert_array_equal(dataset.center, 0)


def test_outliers_are_far_from_the_centre() -> None:
    dataset = make_outlier_tasks(5, 100, 8, n_outliers=2, structure="center", random_state=0)
    distance = np.linalg.norm(dataset.coef - dataset.center, axis=1) / 10
    np.testing.assert_allclose(distance[~dataset.outliers], 0.1, rtol=0.4)
    np.testing.assert_allclose(distance[dataset.outliers], np.sqrt(2), rtol=0.4)
    assert dataset.support.all()


@pytest.mark.parametrize("n_outliers", [0, 4])
def test_none_or_all_are_outliers(n_outliers: int) -> None:
    dataset = make_outlier_tasks(5, 20, 4, n_outliers=n_outliers, random_state=0)
    assert dataset.outliers.sum() == n_outliers
