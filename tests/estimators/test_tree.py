"""From a tree of tasks to nested groups with weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from skmtl.estimators._tree import tree_groups
from skmtl.penalties import L21, TreeGroup


def by_hand(tree, names):
    """Weights by walking down the tree from its definition: {names of the group: weight}."""

    def steps(node):
        return 1 + max(map(steps, node)) if isinstance(node, list) else 0

    def leaves(node):
        return [leaf for child in node for leaf in leaves(child)] if type(node) is list else [node]

    total = {}

    def walk(node, share):
        is_node = isinstance(node, list)
        height = (steps(node) - 1) / steps(tree) if is_node else 0.0
        group = frozenset(names.index(leaf) for leaf in leaves(node))
        total[group] = total.get(group, 0.0) + share * (1 - height)
        for child in node if is_node else []:
            walk(child, share * height)

    walk(tree, 1.0)
    return {group: weight for group, weight in total.items() if weight > 0}


def as_dict(groups, weights):
    return {frozenset(group): weight for group, weight in zip(groups, weights, strict=True)}


def task_totals(groups, weights, n_tasks):
    totals = np.zeros(n_tasks)
    for group, weight in zip(groups, weights, strict=True):
        totals[group] += weight
    return totals


class TestLists:
    def test_one_list_is_the_block_norm(self):
        groups, weights = tree_groups(["b", "a", "c"], ["a", "b", "c"])
        assert (groups, weights) == ([[0, 1, 2]], [1.0])
        V = np.random.default_rng(0).standard_normal((6, 3))
        np.testing.assert_allclose(
            TreeGroup(0.4, groups, weights).prox(V, 1.0), L21(0.4).prox(V, 1.0), rtol=1e-13
        )

    def test_two_levels(self):
        groups, weights = tree_groups([["a", "c"], ["b"], "d"], list("abcd"))
        assert as_dict(groups, weights) == {
            frozenset({0, 1, 2, 3}): 0.5,
            frozenset({0, 2}): 0.5,
            frozenset({1}): 0.5,
            frozenset({3}): 0.5,
        }

    @pytest.mark.parametrize(
        "tree",
        [
            [["a", "b"], [["c", "d"], "e"]],
            [[[["a"]]], ["b", "c"], "d", "e"],
            ["e", ["d", ["c", ["b", ["a"]]]]],
        ],
    )
    def test_by_definition(self, tree):
        groups, weights = tree_groups(tree, list("abcde"))
        expected = by_hand(tree, list("abcde"))
        assert as_dict(groups, weights) == pytest.approx(expected)
        np.testing.assert_allclose(task_totals(groups, weights, 5), 1.0)

    def test_names_are_anything_but_lists(self):
        assert tree_groups([7, [3, "x"]], [3, "x", 7])[0] == [[2], [0, 1], [0, 1, 2]]
        assert tree_groups(["a"], ["a"]) == ([[0]], [1.0])

    @pytest.mark.parametrize(
        ("tree", "message"),
        [
            (["a", "b", "c", "z"], "names 'z'"),
            (["a", ["b"]], r"omits \['c'\]"),
            (["a", ["b", "a"], "c"], r"repeats \['a'\]"),
            (["a", "b", "c", []], "empty"),
            ([], "empty"),
            ("abc", "linkage matrix or nested lists"),
            (None, "linkage matrix or nested lists"),
        ],
    )
    def test_errors(self, tree, message):
        with pytest.raises(ValueError, match=message):
            tree_groups(tree, ["a", "b", "c"])


class TestLinkage:
    def test_by_hand(self):
        # {0, 1} at 1, {2, 3} at 2, all at 4: relative heights 1/4, 1/2, 1.
        matrix = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 2], [4, 5, 4.0, 4]])
        groups, weights = tree_groups(matrix, list("abcd"))
        # The root's own weight is 0: its group is left out.
        expected = {(0, 1): 0.75, (2, 3): 0.5, (0,): 0.25, (1,): 0.25, (2,): 0.5, (3,): 0.5}
        assert as_dict(groups, weights) == {frozenset(g): w for g, w in expected.items()}

    def test_products_over_ancestors(self):
        # A chain: {0, 1} at 1/4, {0, 1, 2} at 1/2, all at 1.
        matrix = np.array([[0, 1, 1.0, 2], [4, 2, 2.0, 3], [5, 3, 4.0, 4]])
        expected = {
            (0, 1): 0.5 * 0.75,
            (0, 1, 2): 0.5,
            (0,): 0.125,
            (1,): 0.125,
            (2,): 0.5,
            (3,): 1,
        }
        found = as_dict(*tree_groups(matrix, range(4)))
        assert found == {frozenset(g): w for g, w in expected.items()}

    @pytest.mark.parametrize("method", ["single", "average", "ward", "centroid"])
    @given(seed=st.integers(0, 1000), n_tasks=st.integers(2, 30))
    def test_every_task_counts_the_same(self, method, seed, n_tasks):
        points = np.random.default_rng(seed).standard_normal((n_tasks, 3))
        groups, weights = tree_groups(linkage(points, method), range(n_tasks))
        np.testing.assert_allclose(task_totals(groups, weights, n_tasks), 1.0)
        assert min(weights) > 0
        # Nested: the penalty takes them.
        TreeGroup(1.0, groups, weights).prox(points.T, 0.1)

    def test_deep_linkage(self):
        n_tasks = 3000
        rows = [
            [0 if k == 0 else n_tasks + k - 1, k + 1, k + 1.0, k + 2] for k in range(n_tasks - 1)
        ]
        groups, weights = tree_groups(np.array(rows), range(n_tasks))
        np.testing.assert_allclose(task_totals(groups, weights, n_tasks), 1.0)

    def test_tasks_that_are_all_alike(self):
        matrix = linkage(np.zeros((4, 2)), "average")
        assert tree_groups(matrix, range(4)) == ([[0, 1, 2, 3]], [1.0])

    def test_one_task(self):
        assert tree_groups(np.zeros((0, 4)), ["a"]) == ([[0]], [1.0])

    @pytest.mark.parametrize(
        "matrix", [np.zeros((3, 4)), np.zeros((2, 3)), np.zeros(4), np.full((2, 4), np.nan)]
    )
    def test_errors(self, matrix):
        with pytest.raises(ValueError, match="linkage matrix of 3 tasks"):
            tree_groups(matrix, "abc")
