"""Simulated tasks have the documented structure; real files."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skmtl.datasets import load_npz, make_clustered_tasks, make_outlier_tasks, make_related_tasks

MAKERS = [make_clustered_tasks, make_related_tasks, make_outlier_tasks]

# --- all makers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_layouts_agree(make: Any) -> None:
    parameters = dict(n_features=6, n_tasks=4, noise=0.0, bias=[1.0, 2.0, 3.0, 4.0], random_state=5)
    if make is make_outlier_tasks:
        parameters["n_informative"] = 2
    shared = make(9, **parameters)
    stacked = make([9, 2, 3, 1], layout="stacked", **parameters)
    assert (shared.data.shape, shared.target.shape) == ((9, 6), (9, 4))
    assert (stacked.data.shape, stacked.target.shape) == ((15, 7), (15,))
    for name in set(shared) - {"data", "target"}:
        np.testing.assert_array_equal(shared[name], stacked[name])
    np.testing.assert_allclose(shared.target, shared.data @ shared.coef.T + shared.intercept)
    ids = stacked.data[:, -1].astype(int)
    np.testing.assert_array_equal(ids, np.repeat(np.arange(4), [9, 2, 3, 1]))
    scores = stacked.data[:, :-1] @ shared.coef.T + shared.intercept
    np.testing.assert_allclose(stacked.target, scores[np.arange(15), ids])
    np.testing.assert_array_equal(shared.tasks, np.arange(4))


@pytest.mark.parametrize("make", MAKERS)
def test_noise_classes_and_missing_labels(make: Any) -> None:
    parameters = dict(n_samples=2000, random_state=0)
    scores = make(**parameters, noise=2.0)
    residual = scores.target - scores.data @ scores.coef.T
    np.testing.assert_allclose(residual.std(axis=0), 2.0, rtol=0.1)
    labels = make(**parameters, noise=2.0, classification=True).target
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, scores.target > 0)
    hidden = make(**parameters, noise=2.0, missing=0.3).target
    assert np.isnan(hidden).mean() == pytest.approx(0.3, abs=1e-4)
    np.testing.assert_array_equal(hidden[~np.isnan(hidden)], scores.target[~np.isnan(hidden)])


@pytest.mark.parametrize("make", MAKERS)
def test_seed(make: Any) -> None:
    first, again = (make(random_state=3) for _ in range(2))
    assert set(first) == set(again)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first.coef != make(random_state=4).coef).any()
    generator = np.random.RandomState(3)
    np.testing.assert_array_equal(first.target, make(random_state=generator).target)


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


# --- the other real files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "target", "n_missing"),
    [
        ("computer_survey.npz", (3800, 14), (3800,), 0),
        ("sarcos_test4449.npz", (4449, 21), (4449, 7), 0),
        ("mtr_rf1.npz", (9125, 64), (9125, 8), 3264),
        ("mtr_wq.npz", (1060, 16), (1060, 14), 0),
        ("mtr_scpf.npz", (1137, 23), (1137, 3), 9255),
        ("ml_yeast.npz", (2417, 103), (2417, 14), 0),
        ("ml_emotions.npz", (593, 72), (593, 6), 0),
    ],
)
def test_real_files(data_file: Any, name: str, data: Any, target: Any, n_missing: int) -> None:
    bunch = load_npz(data_file(name), stack=name == "computer_survey.npz")
    assert (bunch.data.shape, bunch.target.shape) == (data, target)
    assert len(bunch.feature_names) == data[1]
    # Features of rf1 and scpf need an imputer before any fit; labels are complete.
    assert np.isnan(bunch.data).sum() == n_missing
    assert np.isfinite(bunch.target).all()
    if name.startswith("ml_"):
        assert set(np.unique(bunch.target)) == {0, 1}
        assert 0 < bunch.is_test.sum() < len(bunch.data)
        assert len(bunch.label_names) == target[1]
    elif name == "mtr_scpf.npz":
        np.testing.assert_array_equal(bunch.target, np.round(bunch.target))
        assert (bunch.target >= 0).all()
    elif name == "computer_survey.npz":
        np.testing.assert_array_equal(np.abs(bunch.data[:, :-1]), 1)
        np.testing.assert_array_equal(np.unique(bunch.data[:, -1], return_counts=True)[1], 20)
