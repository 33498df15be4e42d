"""Ward's linkage of many points."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_monotonic, is_valid_linkage, linkage
from sklearn.metrics import adjusted_rand_score

from skmtl.estimators import _linkage
from skmtl.estimators._linkage import ward_linkage
from skmtl.estimators._tree import tree_groups


def points_of(n_clusters=6, each=15, spread=0.1):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_clusters, 3)) * 4
    labels = np.repeat(np.arange(n_clusters), each)
    return centres[labels] + spread * rng.normal(size=(len(labels), 3)), labels


@pytest.fixture
def in_groups(monkeypatch):
    """Link all but a few points in groups."""
    monkeypatch.setattr(_linkage, "LARGEST_EXACT", 20)
    monkeypatch.setattr(_linkage, "_GROUP_SIZE", 15)


def test_few_points_are_linked_exactly():
    points, _ = points_of()
    np.testing.assert_allclose(ward_linkage(points), linkage(points, "ward"))


def test_separate_clusters_are_linked_as_exactly(in_groups):
    points, labels = points_of()
    found, exact = ward_linkage(points), linkage(points, "ward")
    assert is_valid_linkage(found) and is_monotonic(found)
    np.testing.assert_array_equal(found[:, 3][-1], len(points))
    # Where groups are the clusters, the linkage is the same.
    np.testing.assert_allclose(found[:, 2], exact[:, 2], rtol=1e-9)
    for n_clusters in (2, 3, 6, 20):
        cuts = [fcluster(matrix, n_clusters, "maxclust") for matrix in (found, exact)]
        assert adjusted_rand_score(*cuts) == pytest.approx(1.0)
    assert adjusted_rand_score(fcluster(found, 6, "maxclust"), labels) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["cloud", "equal", "two", "line"])
def test_other_points_have_valid_trees(in_groups, kind):
    rng = np.random.default_rng(1)
    points = {
        "cloud": rng.normal(size=(100, 4)),
        "equal": np.ones((100, 4)),
        "two": np.repeat([[0.0], [1.0]], [97, 3], axis=0),
        "line": np.arange(100.0)[:, None],
    }[kind]
    found = ward_linkage(points)
    assert is_valid_linkage(found) and is_monotonic(found)
    groups, weights = tree_groups(found, range(100))
    totals = np.zeros(100)
    for group, weight in zip(groups, weights, strict=True):
        totals[group] += weight
    np.testing.assert_allclose(totals, 1.0)
