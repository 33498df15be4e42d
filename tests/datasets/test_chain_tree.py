"""Simulated tasks on a chain or on a tree have the documented structure."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_monotonic, is_valid_linkage

from skmtl.datasets import make_chain_tasks, make_tree_tasks


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_chain_tasks, dict(n_jumps=12), "n_jumps=12 exceeds n_tasks - 1 = 11.*increase"),
        (make_chain_tasks, dict(n_informative=21), "n_informative=21 exceeds n_features=20"),
        (make_chain_tasks, dict(n_jumps=-1), "'n_jumps' parameter of make_chain_tasks"),
        (make_tree_tasks, dict(branching=1), "'branching' parameter of make_tree_tasks"),
        (make_tree_tasks, dict(n_informative=3), "n_features=40 is less than 45.* 15 nodes"),
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
