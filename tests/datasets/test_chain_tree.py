"""Simulated chains, trees, low ranks and overlaps have the documented structure."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_monotonic, is_valid_linkage

from skmtl.datasets import (
    make_chain_tasks,
    make_low_rank_tasks,
    make_overlapping_tasks,
    make_tree_tasks,
)

MAKERS = [make_chain_tasks, make_tree_tasks, make_low_rank_tasks, make_overlapping_tasks]
# --- all makers -----------------------------------------------------------------------------------


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, list | int):
        assert first == second
    else:
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", MAKERS)
def test_layouts_agree(make: Any) -> None:
    parameters = dict(
        n_features=14, n_tasks=4, noise=0.0, bias=[1.0, 2.0, 3.0, 4.0], random_state=5
    )
    shared = make(9, **parameters)
    stacked = make([9, 2, 3, 1], layout="stacked", **parameters)
    assert (shared.data.shape, shared.target.shape) == ((9, 14), (9, 4))
    assert (stacked.data.shape, stacked.target.shape) == ((15, 15), (15,))
    for name in set(shared) - {"data", "target"}:
        assert_same(shared[name], stacked[name])
    np.testing.assert_allclose(shared.target, shared.data @ shared.coef.T + shared.intercept)
    ids = stacked.data[:, -1].astype(int)
    np.testing.assert_array_equal(ids, np.repeat(np.arange(4), [9, 2, 3, 1]))
    scores = stacked.data[:, :-1] @ shared.coef.T + shared.intercept
    np.testing.assert_allclose(stacked.target, scores[np.arange(15), ids])


@pytest.mark.parametrize("make", MAKERS)
def test_noise_classes_and_missing_labels(make: Any) -> None:
    parameters = dict(n_samples=2000, random_state=0)
    scores = make(**parameters, noise=2.0)
    residual = scores.target - scores.data @ scores.coef.T
    np.testing.assert_allclose(residual.std(axis=0), 2.0, rtol=0.1)
    labels = make(**parameters, noise=2.0, classification=True).target
    np.testing.assert_array_equal(labels, scores.target > 0)
    hidden = make(**parameters, noise=2.0, missing=0.3).target
    assert np.isnan(hidden).mean() == pytest.approx(0.3, abs=1e-4)
    np.testing.assert_array_equal(hidden[~np.isnan(hidden)], scores.target[~np.isnan(hidden)])


@pytest.mark.parametrize("make", MAKERS)
def test_seed_and_documented_truth(make: Any) -> None:
    first, again = (make(random_state=3) for _ in range(2))
    assert set(first) == set(again)
    for name in first:
        assert_same(first[name], again[name])
        assert f"``{name}``" in make.__doc__
    assert (first.coef != make(random_state=4).coef).any()


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_chain_tasks, dict(n_jumps=12), "n_jumps=12 exceeds n_tasks - 1 = 11.*increase"),
        (make_chain_tasks, dict(n_informative=21), "n_informative=21 exceeds n_features=20"),
        (make_chain_tasks, dict(n_jumps=-1), "'n_jumps' parameter of make_chain_tasks"),
        (make_tree_tasks, dict(branching=1), "'branching' parameter of make_tree_tasks"),
        (make_tree_tasks, dict(n_informative=3), "n_features=40 is less than 45.* 15 nodes"),
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


# --- chains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jumps", [0, 1, 3, 8])
def test_coefficients_jump_as_often_as_stated(n_jumps: int) -> None:
    dataset = make_chain_tasks(5, 30, 9, n_jumps=n_jumps, n_informative=12, random_state=0)
    np.testing.assert_array_equal((dataset.coef != 0).any(axis=0), dataset.support)
    assert dataset.support.sum() == 12
    changes = np.diff(dataset.coef, axis=0).T != 0
    np.testing.assert_array_equal(changes, dataset.jumps)
    assert (changes[dataset.support].sum(axis=1) == n_jumps).all()
    if n_jumps in (1, 3):
        # Each feature has its own change points.
        assert len(np.unique(dataset.jumps[dataset.support], axis=0)) > 4


def test_one_task_is_a_chain() -> None:
    dataset = make_chain_tasks(5, 6, 1, n_jumps=0, random_state=0)
    assert dataset.jumps.shape == (6, 0)


# --- trees ----------------------------------------------------------------------------------------


def leaves(tree: Any) -> list[int]:
    return [tree] if isinstance(tree, int) else [task for part in tree for task in leaves(part)]


@pytest.mark.parametrize("branching", [2, 3])
@pytest.mark.parametrize("n_tasks", [1, 2, 3, 5, 8, 11])
def test_supports_are_nested_along_the_tree(n_tasks: int, branching: int) -> None:
    dataset = make_tree_tasks(5, 60, n_tasks, branching=branching, random_state=1)
    assert sorted(leaves(dataset.tree)) == list(range(n_tasks))
    used = dataset.coef != 0
    sets = [frozenset(np.flatnonzero(used[:, j])) for j in np.flatnonzero(used.any(axis=0))]
    for one, other in combinations(set(sets), 2):
        assert one <= other or other <= one or not one & other
    # Each node has features of its own, and no other set of tasks has any.
    nodes = {frozenset(np.flatnonzero(group)) for group in dataset.groups}
    assert len(nodes) == len(dataset.groups) and set(sets) == nodes
    assert all(sets.count(node) == 2 for node in nodes)
    assert dataset.groups[0].all()
    for j in range(60):
        group = dataset.feature_groups[j]
        expected = dataset.groups[group] if group >= 0 else np.zeros(n_tasks, dtype=bool)
        np.testing.assert_array_equal(used[:, j], expected)

    def check(tree: Any) -> None:
        assert frozenset(leaves(tree)) in nodes
        if not isinstance(tree, int):
            assert len(tree) == min(branching, len(leaves(tree)))
            sizes = [len(leaves(part)) for part in tree]
            assert max(sizes) - min(sizes) <= 1
            for part in tree:
                check(part)

    check(dataset.tree)


@pytest.mark.parametrize("branching", [2, 3])
@pytest.mark.parametrize("n_tasks", [2, 3, 5, 8, 11])
def test_linkage_is_the_tree(n_tasks: int, branching: int) -> None:
    dataset = make_tree_tasks(5, 60, n_tasks, branching=branching, random_state=1)
    assert dataset.linkage.shape == (n_tasks - 1, 4)
    assert is_valid_linkage(dataset.linkage) and is_monotonic(dataset.linkage)
    # The clusters over all cut heights are exactly the nodes.
    nodes = {frozenset(np.flatnonzero(group)) for group in dataset.groups}
    found = set()
    for height in range(int(dataset.linkage[:, 2].max()) + 1):
        labels = fcluster(dataset.linkage, height + 0.5, "distance")
        found |= {frozenset(np.flatnonzero(labels == k)) for k in np.unique(labels)}
    assert found == nodes


def test_close_tasks_share_more_features() -> None:
    dataset = make_tree_tasks(5, random_state=0)
    shared = (dataset.coef != 0).astype(int) @ (dataset.coef != 0).T
    (a, b), (c, _) = dataset.tree[0]
    assert shared[a, b] > shared[a, c] > shared[a, leaves(dataset.tree[1])[0]] == 2
