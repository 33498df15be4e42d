"""Sparse groups: features are dropped for all tasks together, and further ones for some tasks."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative
from skmtl.penalties._thresholds import RowThresholds


class SparseGroup(Penalty):
    r"""The sparse group norm: norms of rows, and of entries.

    .. math:: \alpha \sum_j \bigl[ (1 - \kappa) \lVert W_{j\cdot} \rVert
              + \kappa \lVert W_{j\cdot} \rVert_1 \bigr]

    Its prox soft-thresholds the entries, then shrinks (for "linf": clips) the rows. Its dual norm
    is the largest over rows of the number :math:`\nu` at which the entries of :math:`G_{j\cdot}`,
    thresholded at :math:`\nu \alpha \kappa`, have the dual norm :math:`\nu \alpha (1 - \kappa)`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    sparsity : float, default=0.5
        :math:`\kappa`, the share of the L1 norm, in [0, 1].
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
    coding", JMLR 12, 2011, https://jmlr.org/papers/v12/jenatton11a.html (composition of proxes)

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import SparseGroup
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> SparseGroup(1.0, sparsity=0.5).value(W)  # 0.5 * 5 + 0.5 * (3 + 4)
    6.0
    """

    separates_over_rows = True
    is_absolute = True

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
        return self._thresholds.row_thresholds if self.norm == "l2" else None

    @property
    def _thresholds(self) -> RowThresholds:
        """The same norm by the strengths of its two parts."""
        entries, rows = self.alpha * self.sparsity, self.alpha * (1 - self.sparsity)
        return RowThresholds(float(entries), float(rows), self.norm)

    def value(self, W: Array) -> float:
        return self._thresholds.value(W)

    def prox(self, V: Array, step: float | Array) -> Array:
        return self._thresholds.prox(V, step)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return self._thresholds.prox_derivative(V, step)

    def dual_norm(self, G: Array) -> float:
        return self._thresholds.dual_norm(G)

    def to_cvxpy(self, W: Any) -> Any:
        return self._thresholds.to_cvxpy(W)
