"""Nested groups of tasks and their weights, from a tree of tasks."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import refuse_mask

Array = NDArray[Any]
# The height of a node, and its children, which are nodes or positions of tasks.
_Node = tuple[float, list[Any]]


def tree_groups(tree: Any, tasks: Sequence[Any]) -> tuple[list[list[int]], list[float]]:
    r"""Nested groups of tasks, with weights that treat all tasks equally.

    With the height :math:`h_v` in [0, 1] of an inner node v and its ancestors A(v), the weights of
    the group of the tasks below v and of the group of a single task k are

    .. math:: (1 - h_v) \prod_{m \in A(v)} h_m , \qquad \prod_{m \in A(k)} h_m ,

    so that the weights of the groups of each task sum to 1. Tasks that the tree joins at a low
    height are selected together. Groups of weight 0 are left out, and equal groups are merged.

    Parameters
    ----------
    tree : ndarray of shape (n_tasks - 1, 4), or nested lists of task names
        A linkage matrix of :mod:`scipy.cluster.hierarchy` over the tasks in their order. Heights
        are relative to the largest, so that the root has weight 0 (if all heights are 0, the root
        has weight 1). Or nested lists: a node whose longest path down to a task has s steps is at
        height (s - 1) / D, D being that number for the root. A flat list of all tasks gives their
        joint selection, the L2,1 norm; in ``[["a", "b"], ["c", "d"]]`` the root and each pair have
        weight 1/2.
    tasks : sequence of shape (n_tasks,)
        The names of the tasks in the order of the columns of W.

    Returns
    -------
    groups : list of lists of int
        Positions in ``tasks``, smallest groups first.
    weights : list of float

    Raises
    ------
    ValueError
        If the matrix is not a linkage of these tasks; if the lists name an unknown task, omit a
        task or name one twice, or if a list is empty.

    References
    ----------
    S. Kim and E. Xing, "Tree-guided group lasso for multi-task regression with structured
    sparsity", ICML 2010

    S. Kim and E. Xing, "Tree-guided group lasso for multi-response regression with structured
    sparsity, with an application to eQTL mapping", Ann. Appl. Stat. 6(3), 2012,
    https://doi.org/10.1214/12-AOAS549
    """
    names = list(tasks)
    is_matrix = isinstance(tree, np.ndarray)
    root = _from_linkage(tree, len(names)) if is_matrix else _from_lists(tree, names)
    total: dict[tuple[int, ...], float] = {}
    for group, weight in _weighted(root):
        if weight > 0:
            total[group] = total.get(group, 0.0) + weight
    ordered = sorted(total, key=lambda group: (len(group), group))
    return [list(group) for group in ordered], [total[group] for group in ordered]


def _weighted(root: _Node) -> Iterator[tuple[tuple[int, ...], float]]:
    """The groups of all nodes and single tasks, with their weights.

    Not recursive, since the depth of a linkage can be the number of tasks.
    """
    pending: list[tuple[Any, float]] = [(root, 1.0)]
    visited: list[tuple[_Node, float]] = []
    below: dict[int, list[int]] = {}
    while pending:
        node, share = pending.pop()
        if not isinstance(node, tuple):
            yield (node,), share
            continue
        visited.append((node, share))
        height, children = node
        pending += [(child, share * height) for child in children]
    for node, share in reversed(visited):
        height, children = node
        positions: list[int] = []
        for child in children:
            positions += below.pop(id(child)) if isinstance(child, tuple) else [child]
        below[id(node)] = positions
        yield tuple(sorted(positions)), share * (1.0 - height)


def _from_linkage(matrix: Array, n_tasks: int) -> _Node:
    """The root node of a linkage matrix."""
    # Imported here, since it takes longer to import than the rest of this package.
    from scipy.cluster.hierarchy import is_valid_linkage

    refuse_mask(matrix, "The 'tree'", "Pass a linkage matrix without a mask.")
    matrix = np.asarray(matrix, dtype=np.float64)
    shape = (n_tasks - 1, 4)
    valid = matrix.shape == shape and np.isfinite(matrix).all()
    if not valid or (len(matrix) and not is_valid_linkage(matrix)):
        raise ValueError(
            f"The 'tree' must be a linkage matrix of {n_tasks} tasks, of shape {shape} as "
            f"scipy.cluster.hierarchy.linkage returns it; got an array of shape {matrix.shape}"
            f"{' that is not a linkage' if matrix.shape == shape else ''}."
        )
    nodes: list[Any] = list(range(n_tasks))
    heights = matrix[:, 2]
    # Division, unlike multiplication by a reciprocal, makes the largest exactly 1.
    heights = heights / max(heights.max(initial=0.0), np.finfo(np.float64).tiny)
    for (left, right), height in zip(matrix[:, :2].astype(int), heights, strict=True):
        nodes.append((float(height), [nodes[left], nodes[right]]))
    # A single task has no linkage; its tree is a list of one task.
    root: _Node = nodes[-1] if n_tasks > 1 else (0.0, nodes)
    return root


def _from_lists(tree: Any, names: list[Any]) -> _Node:
    """The root node of nested lists of task names."""
    positions = {name: k for k, name in enumerate(names)}
    if not isinstance(tree, (list, tuple)):
        raise ValueError(
            f"The 'tree' must be a linkage matrix or nested lists of task names, got {tree!r}."
        )
    found: list[int] = []

    def read(node: Any) -> tuple[int, Any]:
        """Steps on the longest path down to a task, and the node with steps instead of heights."""
        if not isinstance(node, (list, tuple)):
            try:
                known = node in positions
            except TypeError:  # unhashable
                known = False
            if not known:
                raise ValueError(
                    f"The 'tree' names {node!r}, not one of the tasks {names}. Pass a linkage "
                    f"matrix as an array (numpy.asarray)."
                )
            found.append(positions[node])
            return 0, positions[node]
        if not len(node):
            raise ValueError(
                "Every list in the 'tree' must hold tasks or lists, got an empty one. Drop it."
            )
        below = [read(child) for child in node]
        steps = 1 + max(steps for steps, _ in below)
        return steps, (steps, [child for _, child in below])

    depth, counted = read(tree)
    counts = np.bincount(found, minlength=len(names))
    for what, wrong in (("omits", counts == 0), ("repeats", counts > 1)):
        if wrong.any():
            listed = [names[k] for k in np.flatnonzero(wrong)]
            raise ValueError(f"The 'tree' {what} {listed}: it must name every task once.")

    def with_heights(node: Any) -> Any:
        """The node with heights instead of steps."""
        if not isinstance(node, tuple):
            return node
        steps, children = node
        return (steps - 1) / depth, [with_heights(child) for child in children]

    root: _Node = with_heights(counted)
    return root
