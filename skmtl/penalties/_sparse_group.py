"""Block sparsity with sparse rows: features are dropped together, tasks may drop some more."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._entries import L1
from skmtl.penalties._rows import L21, L1Inf, row_norms

_MAX_STEPS = 60


class SparseGroup(Penalty):
    r"""The sparse group norm
    :math:`\alpha \sum_j [(1 - \kappa) \lVert W_{j\cdot} \rVert
    + \kappa \lVert W_{j\cdot} \rVert_1]`.

    Its prox thresholds the entries, then shrinks (clips) the rows. Its dual norm is the largest
    over rows of the number :math:`\nu` at which the entries of :math:`G_{j\cdot}`, thresholded at
    :math:`\nu \alpha \kappa`, have the dual norm :math:`\nu \alpha (1 - \kappa)`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    sparsity : float, default=0.5
        :math:`\kappa`, the share of the entries' norm, in [0, 1].
    norm : {"l2", "linf"}, default="l2"
        The norm of a row: Euclidean, or its largest absolute entry.

    References
    ----------
    N. Simon, J. Friedman, T. Hastie and R. Tibshirani, "A sparse-group lasso",
    J. Comput. Graph. Statist. 22(2), 2013, https://doi.org/10.1080/10618600.2012.681250

    J. Peng et al., "Regularized multivariate regression for identifying master predictors with
    application to integrative genomics study of breast cancer", Ann. Appl. Stat. 4(1), 2010,
    https://doi.org/10.1214/09-AOAS271

    R. Jenatton, J. Mairal, G. Obozinski and F. Bach, "Proximal methods for hierarchical sparse
    coding", JMLR 12, 2011, https://jmlr.org/papers/v12/jenatton11a.html (one prox after the other)
    """

    separates_over_rows = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        "sparsity": [Interval(Real, 0, 1, closed="both")],
        "norm": [StrOptions({"l2", "linf"})],
    }

    def __init__(self, alpha: float = 1.0, sparsity: float = 0.5, norm: str = "l2") -> None:
        self.alpha = alpha
        self.sparsity = sparsity
        self.norm = norm

    @property
    def row_thresholds(self) -> tuple[float, float] | None:
        return (self._entry, self._group) if self.norm == "l2" else None

    @property
    def _entry(self) -> float:
        return float(self.alpha * self.sparsity)

    @property
    def _group(self) -> float:
        return float(self.alpha * (1 - self.sparsity))

    @property
    def _rows(self) -> Penalty:
        return L21(self._group) if self.norm == "l2" else L1Inf(self._group)

    def value(self, W: Array) -> float:
        return L1(self._entry).value(W) + self._rows.value(W)

    def prox(self, V: Array, step: float | Array) -> Array:
        return self._rows.prox(L1(self._entry).prox(V, step), step)

    def dual_norm(self, G: Array) -> float:
        if not G.size:
            return 0.0
        sizes, total = np.abs(G).astype(np.float64, copy=False), self._entry + self._group
        # The norm of a row is between its largest entry and its entries' sum, nu between these;
        # the rows that cannot have the largest leave.
        least = sizes.max(axis=1) / total
        possible = self._dual_lengths(sizes) / total >= 0.999 * least.max()
        return float(self._ratios(sizes[possible]).max(initial=0.0))

    def _dual_lengths(self, sizes: Array) -> Array:
        return row_norms(sizes) if self.norm == "l2" else np.asarray(sizes.sum(axis=1))

    def _ratios(self, sizes: Array) -> Array:
        """The dual norms of rows with entries of these sizes, no smaller.

        The excess of the thresholded entries' length over its bound is convex in nu and falls by
        at least entry + group: Newton's method from below stays below, and what is left divided
        by that slope leads above.
        """
        entry, group = self._entry, self._group
        nu = sizes.max(axis=1) / (entry + group)
        excess = np.zeros_like(nu)
        for _ in range(_MAX_STEPS):
            left = np.maximum(sizes - nu[:, None] * entry, 0.0)
            lengths = self._dual_lengths(left)
            excess = np.maximum(lengths - nu * group, 0.0)
            if (excess <= 1e-15 * lengths).all():
                break
            if self.norm == "l2":
                ones = np.ones_like(nu)
                falls = np.divide(left.sum(axis=1), lengths, out=ones, where=lengths > 0)
            else:
                falls = np.maximum(np.count_nonzero(left, axis=1), 1)
            nu = nu + excess / (group + entry * falls)
        return np.asarray((nu + excess / (entry + group)) * (1 + 8 * np.finfo(np.float64).eps))

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        rows = cp.norm(W, 2, axis=1) if self.norm == "l2" else cp.max(cp.abs(W), axis=1)
        entries = cp.sum(cp.abs(W))
        return self.alpha * ((1 - self.sparsity) * cp.sum(rows) + self.sparsity * entries)
