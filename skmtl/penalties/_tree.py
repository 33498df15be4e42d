"""Norms of nested groups of tasks, which drop a feature for whole branches of a tree."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary

import numpy as np

from skmtl._numerics import kernels
from skmtl.penalties._base import Array
from skmtl.penalties._derivatives import Derivative, composed, of_shrunk_rows
from skmtl.penalties._roots import RowRootNorm
from skmtl.penalties._shrinkage import row_norms, shrink_rows


class _Tree(NamedTuple):
    """The groups of positive weight, children first."""

    parents: Array  # (n_groups,), -1 for a root
    owners: Array  # (n_tasks,), the smallest group of each task
    weights: Array  # (n_groups,)


# A cache: reading the groups costs more than a prox, and penalties store only their parameters. A
# fit checks its penalty first, and so reads groups or weights again that were changed in place.
_TREES: "WeakKeyDictionary[TreeGroup, tuple[Any, Any, int, _Tree]]" = WeakKeyDictionary()


class TreeGroup(RowRootNorm):
    r"""The norms of nested groups of tasks, row by row.

    .. math:: \alpha \sum_j \sum_g v_g \lVert W_{j g} \rVert_2

    Any two groups are disjoint, or one contains the other. The prox shrinks each group of a row
    after the groups inside it, which is exact in one pass. The dual norm is the smallest strength
    at which the prox vanishes, found by root finding and rounded up.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    groups : sequence of sequences of int, default=()
        The columns of W in each group; the groups of positive weight must cover all columns.
    weights : array-like of shape (n_groups,), default=()
        The weights v of the groups, non-negative.

    Raises
    ------
    ValueError
        On use, if two groups overlap without being nested, if a task is in no group of positive
        weight, or if a group repeats a column or contains one that W lacks.

    References
    ----------
    S. Kim and E. Xing, "Tree-guided group lasso for multi-response regression with structured
    sparsity, with an application to eQTL mapping", Ann. Appl. Stat. 6(3), 2012,
    https://doi.org/10.1214/12-AOAS549

    R. Jenatton, J. Mairal, G. Obozinski and F. Bach, "Proximal methods for hierarchical sparse
    coding", JMLR 12, 2011, https://jmlr.org/papers/v12/jenatton11a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import TreeGroup
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> TreeGroup(0.5, groups=[[0, 1], [0], [1]], weights=[1.0, 1.0, 1.0]).value(W)
    6.0
    """

    is_absolute = True

    def __init__(
        self,
        alpha: float = 1.0,
        groups: Sequence[Sequence[int]] = (),
        weights: Any = (),
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.weights = weights

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        _TREES.pop(self, None)
        self._tree(n_tasks)

    def value(self, W: Array) -> float:
        return float(self._measure(W)[0].sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        tree = self._tree(V.shape[1])
        steps = np.broadcast_to(np.asarray(step, dtype=np.float64) * self.alpha, (len(V), 1))
        W = np.array(V, order="C")
        kernels.shrink_trees(W, steps[:, 0].copy(), tree.parents, tree.owners, tree.weights)
        return W

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        tree, W, steps = self._tree(V.shape[1]), V.copy(), step * self.alpha
        derivatives: list[Derivative] = []
        for group, weight in enumerate(tree.weights):  # children first, as in the prox
            members = _members(tree, group)
            derivatives.append(_on_columns(members, of_shrunk_rows(W[:, members], steps * weight)))
            W[:, members] = shrink_rows(W[:, members], steps * weight)
        return composed(*derivatives)

    def for_tasks(self, chosen: Array) -> Self:
        places = np.where(chosen, np.cumsum(chosen) - 1, -1)
        pairs = [
            (kept, weight)
            for group, weight in zip(self.groups, self.weights, strict=True)
            if (kept := [int(places[t]) for t in group if chosen[t]])
        ]
        return type(self)(self.alpha, [kept for kept, _ in pairs], [weight for _, weight in pairs])

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * sum(
            weight * cp.sum(cp.norm(W[:, list(group)], 2, axis=1))
            for group, weight in zip(self.groups, self.weights, strict=True)
        )

    def _measure(self, W: Array) -> tuple[Array, Array]:
        """The value of each row, and its dual norm for the root groups alone."""
        tree = self._tree(W.shape[1])
        values, norms = np.empty(len(W)), np.empty(len(W))
        W = np.array(W, order="C")
        kernels.measure_trees(W, tree.parents, tree.owners, tree.weights, values, norms)
        return self.alpha * values, norms / self.alpha

    def _bounds(self, G: Array) -> tuple[Array, Array]:
        values, upper = self._measure(G)
        # The lower bound is <G, G> / value(G).
        lower = np.divide(row_norms(G) ** 2, values, out=np.zeros_like(values), where=values > 0)
        return lower, upper

    def _excess(self, G: Array, nu: float) -> Array:
        tree, out = self._tree(G.shape[1]), np.empty(len(G))
        weights = self.alpha * tree.weights
        kernels.exceed_trees(G, nu, tree.parents, tree.owners, weights, out)
        return out

    def _tree(self, n_tasks: int) -> _Tree:
        known = _TREES.get(self)
        if known is not None and known[0] is self.groups and known[1] is self.weights:
            if known[2] == n_tasks:
                return known[3]
        tree = _read_tree(self.groups, self.weights, n_tasks)
        _TREES[self] = self.groups, self.weights, n_tasks, tree
        return tree


def _members(tree: _Tree, group: int) -> Array:
    """The tasks of a group: those that it or a group inside it owns."""
    inside = np.arange(len(tree.weights)) == group
    for child in range(group - 1, -1, -1):
        inside[child] = tree.parents[child] >= 0 and inside[tree.parents[child]]
    return np.flatnonzero(inside[tree.owners])


def _on_columns(columns: Array, derivative: Derivative) -> Derivative:
    """A derivative on some columns; the others stay."""

    def apply(D: Array) -> Array:
        D = D.copy()
        D[..., columns] = derivative(D[..., columns])
        return D

    return apply


def _read_tree(groups: Sequence[Sequence[int]], weights: Any, n_tasks: int) -> _Tree:
    """Validate the groups and weights, and order the groups by inclusion."""
    try:
        members = [np.asarray(group).ravel() for group in groups]
    except (TypeError, ValueError):
        members = [np.empty(1, dtype=object)]
    if not all(group.dtype.kind in "iu" or not group.size for group in members):
        raise ValueError(
            f"The 'groups' parameter of TreeGroup must be sequences of columns, each a number from "
            f"0 to {n_tasks - 1}, got {groups!r:.200}. For groups by name use TreeGuidedRegressor."
        )
    try:
        weights = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.array(np.nan)
    if weights.shape != (len(groups),) or not (weights >= 0).all() or np.isinf(weights).any():
        raise ValueError(
            f"The 'weights' parameter of TreeGroup must have a finite number >= 0 for each of the "
            f"{len(groups)} groups, got {weights.tolist()}. Pass as many weights as groups."
        )
    members = [group.astype(np.intp) for group in members]
    for group in members:
        seen = np.unique(group)
        if len(seen) != len(group) or (seen.size and (seen[0] < 0 or seen[-1] >= n_tasks)):
            raise ValueError(
                f"A group of TreeGroup must contain columns from 0 to {n_tasks - 1}, each once, "
                f"got {group.tolist()}."
            )
    kept = [
        g
        for g in np.argsort([len(group) for group in members], kind="stable")
        if weights[g] > 0 and len(members[g])
    ]
    members, weights = [members[g] for g in kept], weights[kept]
    parents, owners = np.full(len(kept), -1, dtype=np.intp), np.full(n_tasks, -1, dtype=np.intp)
    outermost = owners.copy()
    for g, group in enumerate(members):
        inside = np.unique(outermost[group])
        outermost[group] = g
        for child in inside[inside >= 0]:
            if (outermost[members[child]] != g).any():
                raise ValueError(
                    f"Any two groups of TreeGroup must be disjoint or nested, but "
                    f"{sorted(members[child].tolist())} and {sorted(group.tolist())} overlap."
                )
            parents[child] = g
        owners[group] = np.where(owners[group] < 0, g, owners[group])
    if (owners < 0).any():
        raise ValueError(
            f"Every task must be in a group of TreeGroup with a positive weight; the columns "
            f"{np.flatnonzero(owners < 0).tolist()} are in none."
        )
    return _Tree(parents, owners, weights)
