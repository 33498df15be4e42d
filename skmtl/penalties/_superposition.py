"""W as a sum of parts, each with its own penalty."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skmtl.penalties._base import Array, Composite, Penalty


class Superposition(Composite):
    r"""W as a sum of parts, each with its own penalty.

    .. math:: \Omega(W) = \min_{W = P_1 + \dots + P_K} \; \sum_k \Omega_k(P_k)

    All parts have the same gradient, so that the Lipschitz constant in all parts jointly is K times
    that in W. The conjugate is the sum of the parts' conjugates, the dual norm the largest of
    their dual norms.

    Parameters
    ----------
    *parts : Penalty
        At least two, each with a prox.

    References
    ----------
    A. Jalali, S. Sanghavi, C. Ruan and P. Ravikumar, "A dirty model for multi-task learning",
    NeurIPS 2010,
    https://papers.nips.cc/paper/2010/hash/00e26af6ac3b1c1c49d7c3d79c60d000-Abstract.html

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L1, L21, Superposition
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> Superposition(L21(1.0), L1(0.5)).dual_norm(W)  # max(5 / 1, 4 / 0.5)
    8.0
    """

    def __init__(self, *parts: Penalty) -> None:
        self.parts = parts
        if len(parts) < 2 or not all(isinstance(part, Penalty) for part in parts):
            raise ValueError(
                f"The parts of a superposition must be penalties, at least two, got {parts!r}. Use "
                f"a single penalty without Superposition."
            )
        for part in parts:
            if not part.has_prox:
                raise ValueError(
                    f"Each part of a superposition needs a prox of its own; {part!r} has none. "
                    f"Pass its parts separately, or use one penalty for their sum (SparseGroup)."
                )

    def _with(self, parts: Sequence[Penalty]) -> Self:
        return type(self)(*parts)

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        for part in self.parts:
            if part.free_rows is not None:
                raise ValueError(
                    f"{part!r} leaves features unpenalised, which is not allowed within a "
                    f"Superposition. Its weights must be positive."
                )

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return f"Superposition({', '.join(repr(part) for part in self.parts)})"

    @property
    def n_superposed(self) -> int:
        return len(self.parts)

    @property
    def is_zero(self) -> bool:
        # All of W can be assigned to the part whose penalty is zero.
        return any(part.is_zero for part in self.parts)

    @property
    def separates_over_rows(self) -> bool:
        return all(part.separates_over_rows for part in self.parts)

    @property
    def leaves_mean_free(self) -> bool:
        return any(part.leaves_mean_free for part in self.parts)

    @property
    def is_norm(self) -> bool:
        return all(part.is_norm for part in self.parts)

    def value_of_parts(self, parts: Array) -> float:
        return sum(part.value(P) for part, P in zip(self.parts, parts, strict=True))

    def prox_of_parts(self, parts: Array, step: float | Array) -> Array:
        return np.stack([part.prox(P, step) for part, P in zip(self.parts, parts, strict=True)])

    def dual_norm(self, G: Array) -> float:
        return max(part.dual_norm(G) for part in self.parts)

    def conjugate(self, G: Array) -> float:
        return sum(part.conjugate(G) for part in self.parts)

    def dual_scale(self, G: Array) -> float:
        return min(part.dual_scale(G) for part in self.parts)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        parts = [cp.Variable(W.shape) for _ in self.parts]
        pairs = [part.stated(P) for part, P in zip(self.parts, parts, strict=True)]
        constraints = [c for _, extra in pairs for c in extra]
        return sum(value for value, _ in pairs), [W == sum(parts), *constraints]
