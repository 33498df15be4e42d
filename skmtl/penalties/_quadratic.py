"""Smooth quadratic penalties."""

from typing import Any, ClassVar

import numpy as np

from skmtl.penalties._base import Array
from skmtl.penalties._forms import DiagonalForm


class Ridge(DiagonalForm):
    r"""The ridge :math:`\tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2`.

    Parameters
    ----------
    alpha : float or array of shape (n_tasks,), default=1.0
        Strength, non-negative; an array has one strength per task.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import Ridge
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> Ridge(0.5).value(W)  # 0.25 * 5 ** 2
    6.25
    """

    def __init__(self, alpha: float | Array = 1.0) -> None:
        super().__init__(alpha)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        try:
            alpha = np.asarray(self.alpha, dtype=np.float64)
        except (TypeError, ValueError):
            alpha = np.array(np.nan)
        if alpha.shape not in ((), (n_tasks,)) or not (np.isfinite(alpha) & (alpha >= 0)).all():
            raise ValueError(
                f"The 'alpha' parameter of Ridge must be a finite number >= 0, or an array of "
                f"them, one for each of the {n_tasks} tasks. Got {self.alpha!r} instead."
            )
