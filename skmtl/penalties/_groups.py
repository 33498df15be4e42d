"""Norms of groups of features, each of which enters for all tasks together."""

from collections.abc import Iterator
from functools import lru_cache
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative
from skmtl.penalties._thresholds import RowThresholds
from skmtl.penalties._weights import read_weights

# Each holds the groups of one size: their features (n_groups, size).
Arrangement = tuple[NDArray[np.intp], ...]


class FeatureGroups(Penalty):
    r"""The norms of groups of features, and optionally of entries.

    .. math:: \alpha \sum_g f_g \bigl[ (1 - \kappa) \sqrt{p_g} \, \lVert W_g \rVert_F
              + \kappa \lVert W_g \rVert_1 \bigr]

    :math:`W_g` (:math:`p_g`, n_tasks) holds the rows of W that belong to group g, so that a group
    enters for all tasks or for none. With one feature in each group it is the sparse group norm
    of the rows (``SparseGroup``). Its prox soft-thresholds the entries, then shrinks the Frobenius
    norm of each group.

    With ``norm="linf"`` the norm of a group is its largest absolute entry, and :math:`p_g
    \max_{j \in g, t} |W_{jt}|` replaces :math:`\sqrt{p_g} \, \lVert W_g \rVert_F`. Either factor
    makes a group of equal coefficients cost as much as its features alone. The prox then subtracts
    from each group its projection onto an l1 ball.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    groups : int array of shape (n_features,)
        The group of each feature.
    sparsity : float, default=0.0
        :math:`\kappa`, the share of the L1 norm, in [0, 1].
    weights : ndarray of shape (n_features,), optional
        The weights :math:`f_g \geq 0`, equal within each group; 1 if not given. Groups of weight 0
        are unpenalised.
    norm : {"l2", "linf"}, default="l2"
        The norm of a group: Frobenius, or its largest absolute entry.

    References
    ----------
    M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables",
    JRSS B 68(1), 2006, https://doi.org/10.1111/j.1467-9868.2005.00532.x

    N. Simon, J. Friedman, T. Hastie and R. Tibshirani, "A sparse-group lasso",
    J. Comput. Graph. Statist. 22(2), 2013, https://doi.org/10.1080/10618600.2012.681250

    A. Quattoni, X. Carreras, M. Collins and T. Darrell, "An efficient projection for l1,infinity
    regularization", ICML 2009, https://doi.org/10.1145/1553374.1553484 (``norm="linf"``)

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import FeatureGroups
    >>> penalty = FeatureGroups(0.5, groups=np.array([0, 0, 0, 0, 1]))
    >>> penalty.value(np.ones((5, 4)))  # 0.5 * (2 * 4 + 1 * 2)
    5.0
    """

    is_absolute = True
    has_nearness = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        "groups": ["array-like"],
        "sparsity": [Interval(Real, 0, 1, closed="both")],
        "weights": ["array-like", None],
        "norm": [StrOptions({"l2", "linf"})],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        groups: Any = (),
        sparsity: float = 0.0,
        weights: Array | None = None,
        norm: str = "l2",
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.sparsity = sparsity
        self.weights = weights
        self.norm = norm

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        groups = np.asarray(self.groups)
        if groups.shape != (n_features,) or groups.dtype.kind not in "iu":
            raise ValueError(
                f"The 'groups' parameter of FeatureGroups must be integers, the group of each of "
                f"the {n_features} features. Got {self.groups!r:.200} instead. For labels that are "
                f"strings pass np.unique(labels, return_inverse=True)[1]."
            )
        if self.weights is None:
            return
        weights = read_weights(self.weights, n_features)
        if weights is None:
            raise ValueError(
                f"The 'weights' parameter of FeatureGroups must be finite numbers >= 0, one for "
                f"each of the {n_features} features. Got {self.weights!r:.200} instead."
            )
        if any((weights[g] != weights[g][:, :1]).any() for g in arrange(groups)):
            raise ValueError(
                f"The 'weights' parameter of FeatureGroups must be equal for the features of a "
                f"group. Got {self.weights!r:.200} instead. Use the mean of each group, or put "
                f"features with other weights into groups of their own."
            )

    @property
    def row_groups(self) -> Array:
        return np.asarray(self.groups)

    @property
    def ignores_task_rotations(self) -> bool:
        return self.sparsity == 0 and self.norm == "l2"

    @property
    def is_norm(self) -> bool:
        return self.weights is None or bool(np.any(self.weights))

    @property
    def free_rows(self) -> Array | None:
        free = None if self.weights is None else np.asarray(self.weights) == 0
        return free if free is not None and free.any() else None

    def of_rows(self, features: Array) -> "FeatureGroups":
        """Restrict the penalty to the rows of some groups, all of whose rows must be included."""
        weights = None if self.weights is None else np.asarray(self.weights)[features]
        groups = np.asarray(self.groups)[features]
        return FeatureGroups(self.alpha, groups, self.sparsity, weights, self.norm)

    def value(self, W: Array) -> float:
        return sum(
            norm.value(W[features].reshape(len(features), -1) * weights.astype(W.dtype))
            for features, norm, weights in self._norms()
        )

    def prox(self, V: Array, step: float | Array) -> Array:
        W = np.empty_like(V)
        for features, norm, weights in self._norms():
            rows = V[features]
            if np.ndim(step):
                # A column whose steps are equal within each group.
                weights = weights * np.reshape(step, (-1, 1))[features[:, 0]]
            else:
                weights = weights * step
            W[features] = norm.prox(rows.reshape(len(rows), -1), weights).reshape(rows.shape)
        return W

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        parts = []
        for features, norm, weights in self._norms():
            rows = V[features].reshape(len(features), -1)
            weights = weights * np.broadcast_to(step, (len(V), 1))[features[:, 0]]
            parts.append((features, norm.prox_derivative(rows, weights)))

        def apply(D: Array) -> Array:
            moved = np.empty_like(D)
            for features, derivative in parts:
                rows = D[..., features, :]
                flat = rows.reshape(*rows.shape[:-2], -1)
                moved[..., features, :] = derivative(flat).reshape(rows.shape)
            return moved

        return apply

    def dual_norm(self, G: Array) -> float:
        largest = 0.0
        for features, norm, weights in self._norms():
            rows, used = G[features].reshape(len(features), -1), weights[:, 0] > 0
            if rows[~used].any():
                return np.inf
            largest = max(largest, norm.dual_norm(rows[used] / weights[used]))
        return largest

    def nearness(self, G: Array) -> Array:
        near = np.empty(len(G))
        for features, norm, weights in self._norms():
            rows = np.abs(G[features].reshape(len(features), -1))
            left = np.maximum(rows - weights * norm.entries, 0.0)
            if norm.rows > 0:
                sizes, bounds = norm.dual_lengths(left), weights[:, 0] * norm.rows
            else:
                sizes, bounds = rows.max(axis=1), weights[:, 0] * norm.entries
            # Unpenalised groups are always active.
            ratios = np.divide(sizes, bounds, out=np.full(len(rows), np.inf), where=bounds > 0)
            near[features] = ratios[:, None]
        return near

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        groups, total = np.asarray(self.groups), 0
        for group in np.unique(groups):
            features = np.flatnonzero(groups == group)
            weight = 1.0 if self.weights is None else float(np.asarray(self.weights)[features[0]])
            part = W[features, :]
            block = np.sqrt(len(features)) * cp.norm(part, "fro")
            if self.norm == "linf":
                block = len(features) * cp.max(cp.abs(part))
            entries = cp.sum(cp.abs(part))
            total += weight * ((1 - self.sparsity) * block + self.sparsity * entries)
        return self.alpha * total

    def _norms(self) -> Iterator[tuple[NDArray[np.intp], RowThresholds, Array]]:
        """For each size: the groups' features, the norm of a group as a row, and the weights."""
        entry, group = self.alpha * self.sparsity, self.alpha * (1 - self.sparsity)
        for features in arrange(np.asarray(self.groups)):
            size = features.shape[1]
            factor = np.sqrt(size) if self.norm == "l2" else size
            norm = RowThresholds(float(entry), float(group * factor), self.norm)
            weights = np.ones((len(features), 1))
            if self.weights is not None:
                weights = np.asarray(self.weights, dtype=np.float64)[features[:, :1]]
            yield features, norm, weights


def arrange(groups: NDArray[Any]) -> Arrangement:
    """The features of each group, groups of equal size together, from labels (n_features,)."""
    codes = np.ascontiguousarray(groups, dtype=np.int64)
    # Steps of solvers ask for it thousands of times.
    return _arranged(codes.tobytes())


@lru_cache(maxsize=32)
def _arranged(codes: bytes) -> Arrangement:
    groups = np.frombuffer(codes, dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    sizes = np.diff(starts, append=len(groups))
    return tuple(
        order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes)
    )
