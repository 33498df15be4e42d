"""The penalty on W that a penalty on one of its factors induces."""

from skmtl.penalties._base import Array, Penalty


class FactoredPenalty(Penalty):
    r"""The penalty on W = L V R induced by one on V: :math:`\min_{L V R = W} \Omega(V)`.

    Its conjugate at G is that of :math:`\Omega` at L' G R', which is all that a certificate needs.

    Parameters
    ----------
    inner : Penalty
        The penalty :math:`\Omega` on V.
    left : ndarray of shape (n_features, n_left) or None
        L; None for the identity.
    right : ndarray of shape (n_right, n_tasks) or None
        R; None for the identity.
    """

    has_prox = False

    def __init__(self, inner: Penalty, left: Array | None, right: Array | None) -> None:
        self.inner, self.left, self.right = inner, left, right

    @property
    def is_norm(self) -> bool:
        return self.inner.is_norm

    def adjoint(self, G: Array) -> Array:
        """L' G R', the gradient with respect to V if G is the gradient with respect to W."""
        if self.left is not None:
            G = self.left.T @ G
        return G if self.right is None else G @ self.right.T

    def dual_norm(self, G: Array) -> float:
        return self.inner.dual_norm(self.adjoint(G))

    def conjugate(self, G: Array) -> float:
        return self.inner.conjugate(self.adjoint(G))

    def dual_scale(self, G: Array) -> float:
        return self.inner.dual_scale(self.adjoint(G))
