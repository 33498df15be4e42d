"""Simulated tasks on a chain or on a tree."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl.datasets._generators import CONSTRAINTS, Rows, check_at_most, document

_CHAIN: dict[str, list[Any]] = {
    "n_jumps": [Interval(Integral, 0, None, closed="left")],
    "n_informative": [Interval(Integral, 0, None, closed="left")],
}
_TREE: dict[str, list[Any]] = {
    "branching": [Interval(Integral, 2, None, closed="left")],
    "n_informative": [Interval(Integral, 1, None, closed="left")],
}
# A tree of tasks: a task, or the list of its branches.
Tree = Any


@document
def make_chain_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 20,
    n_tasks: int = 12,
    *,
    n_jumps: int = 2,
    n_informative: int = 5,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate ordered linear tasks, with coefficients that rarely change along the order.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e

    with standard normal features x and e. Along the tasks 0, 1, ..., T - 1 the coefficient of an
    informative feature is piecewise constant, with jumps at positions drawn for each feature. The
    values of the pieces are independent standard normal.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=20
        Number of features d.
    n_tasks : int, default=12
        Number of tasks T.
    n_jumps : int, default=2
        Number of jumps of each informative feature, at most ``n_tasks - 1``.
    n_informative : int, default=5
        Number of informative features, at most ``n_features``; the coefficients of all others are
        zero.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``jumps`` (d, T - 1) bool, whether a feature's coefficient changes from one task to the
        next, and ``support`` (d,) bool, the informative features.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_jumps`` exceeds ``n_tasks - 1``, ``n_informative``
        exceeds ``n_features``, or ``missing`` or per-task ``n_samples`` are given for a layout
        that does not support them.

    See Also
    --------
    skmtl.FusedTaskRegressor : Estimates such jumps.

    References
    ----------
    J. Zhou, J. Liu, V. A. Narayan, J. Ye (2012). Modeling disease progression via fused sparse
    group lasso. Proceedings of KDD, 1095-1103. https://doi.org/10.1145/2339530.2339702

    Examples
    --------
    >>> from skmtl.datasets import make_chain_tasks
    >>> dataset = make_chain_tasks(50, 8, 6, n_jumps=1, n_informative=3, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.jumps.shape
    ((50, 8), (50, 6), (8, 5))
    >>> dataset.jumps.sum(axis=1)[dataset.support]
    array([1, 1, 1])
    """
    validate_parameter_constraints(CONSTRAINTS | _CHAIN, locals(), caller_name="make_chain_tasks")
    check_at_most("n_informative", n_informative, "n_features", n_features)
    if n_jumps > n_tasks - 1:
        raise ValueError(
            f"n_jumps={n_jumps} exceeds n_tasks - 1 = {n_tasks - 1}, the links of the chain. Lower "
            f"n_jumps, or increase n_tasks."
        )
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    support = np.zeros(n_features, dtype=bool)
    support[rng.permutation(n_features)[:n_informative]] = True
    jumps = np.zeros((n_features, n_tasks - 1), dtype=bool)
    coef = np.zeros((n_tasks, n_features))
    for j in np.flatnonzero(support):
        jumps[j, rng.permutation(n_tasks - 1)[:n_jumps]] = True
        pieces = np.append(0, np.cumsum(jumps[j]))
        coef[:, j] = rng.standard_normal(n_jumps + 1)[pieces]
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(data, coef, noise, classification, rng, jumps=jumps, support=support)


@document
def make_tree_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 40,
    n_tasks: int = 8,
    *,
    branching: int = 2,
    n_informative: int = 2,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks on a tree: the closer two tasks are, the more features they share.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e

    with standard normal features x and e. The tasks are the leaves of a tree. Each node, including
    the leaves and the root, has features of its own, which are informative for the tasks below it
    and for no others. The sets of tasks that use two different features are therefore disjoint or
    nested. Non-zero coefficients are independent standard normal.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=40
        Number of features d, at least ``n_informative`` for each node of the tree.
    n_tasks : int, default=8
        Number of tasks T, assigned to the leaves at random.
    branching : int, default=2
        Number of branches at a node. Their numbers of tasks differ by at most one. A node with
        fewer tasks has one branch per task.
    n_informative : int, default=2
        Number of features of each node.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``tree``, nested lists of tasks, such as ``[[0, 3], [1, 2]]``; ``linkage`` (T - 1, 4), the
        tree in SciPy's form (``scipy.cluster.hierarchy``), with the heights of the nodes as
        distances; ``groups`` (n_nodes, T) bool, the tasks below each node, root first; and
        ``feature_groups`` (d,), the node that each feature belongs to, or -1.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the nodes need more features than ``n_features``, or
        ``missing`` or per-task ``n_samples`` are given for a layout that does not support them.

    See Also
    --------
    skmtl.TreeGuidedRegressor : Uses such a tree, or learns one.

    References
    ----------
    S. Kim, E. P. Xing (2012). Tree-guided group lasso for multi-response regression with
    structured sparsity, with an application to eQTL mapping. Annals of Applied Statistics 6(3),
    1095-1117. https://doi.org/10.1214/12-AOAS549

    Examples
    --------
    >>> from skmtl.datasets import make_tree_tasks
    >>> dataset = make_tree_tasks(50, 20, 4, random_state=0)
    >>> dataset.tree
    [[2, 3], [1, 0]]
    >>> dataset.groups.astype(int)
    array([[1, 1, 1, 1],
           [0, 0, 1, 1],
           [0, 0, 1, 0],
           [0, 0, 0, 1],
           [1, 1, 0, 0],
           [0, 1, 0, 0],
           [1, 0, 0, 0]])
    >>> int((dataset.coef[:, dataset.feature_groups == 1] != 0).sum())
    4
    """
    validate_parameter_constraints(CONSTRAINTS | _TREE, locals(), caller_name="make_tree_tasks")
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    tree = _grow(rng.permutation(n_tasks).tolist(), branching)
    groups = np.zeros((0, n_tasks), dtype=bool)
    for node in _walk(tree):
        groups = np.vstack([groups, np.isin(np.arange(n_tasks), _leaves(node))])
    needed = n_informative * len(groups)
    if needed > n_features:
        raise ValueError(
            f"n_features={n_features} is less than {needed}, n_informative={n_informative} for "
            f"each of the tree's {len(groups)} nodes. Increase n_features, or lower n_informative "
            f"or n_tasks."
        )
    feature_groups = np.full(n_features, -1)
    drawn = rng.permutation(n_features)[:needed]
    feature_groups[drawn] = np.repeat(np.arange(len(groups)), n_informative)
    coef = np.zeros((n_tasks, n_features))
    coef[:, drawn] = np.where(
        groups[feature_groups[drawn]].T, rng.standard_normal((n_tasks, needed)), 0.0
    )
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(
        data,
        coef,
        noise,
        classification,
        rng,
        tree=[tree] if n_tasks == 1 else tree,
        linkage=_link(tree, n_tasks),
        groups=groups,
        feature_groups=feature_groups,
    )


def _grow(tasks: list[int], branching: int) -> Tree:
    """Build a balanced tree: a single task, or the list of the branches."""
    if len(tasks) == 1:
        return tasks[0]
    parts = np.array_split(tasks, min(branching, len(tasks)))
    return [_grow(part.tolist(), branching) for part in parts]


def _walk(tree: Tree) -> Iterator[Tree]:
    """Yield all nodes, each before its branches."""
    yield tree
    for branch in tree if isinstance(tree, list) else []:
        yield from _walk(branch)


def _leaves(tree: Tree) -> list[int]:
    return [node for node in _walk(tree) if not isinstance(node, list)]


def _height(tree: Tree) -> int:
    return 1 + max(map(_height, tree)) if isinstance(tree, list) else 0


def _link(tree: Tree, n_tasks: int) -> NDArray[np.float64]:
    """Convert the tree to a SciPy linkage; more than two branches are joined one by one."""
    inner = [node for node in _walk(tree) if isinstance(node, list)]
    linkage = np.zeros((n_tasks - 1, 4))
    names: dict[tuple[int, ...], int] = {(task,): task for task in range(n_tasks)}
    step = 0
    for node in sorted(inner, key=_height):
        joined = tuple(_leaves(node[0]))
        for branch in node[1:]:
            other = tuple(_leaves(branch))
            pair = sorted([names[joined], names[other]])
            joined += other
            linkage[step] = [*pair, _height(node), len(joined)]
            names[joined] = n_tasks + step
            step += 1
    return linkage
