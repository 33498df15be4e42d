"""The factors of W: latent tasks, and their coefficients in each task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.objective import BaseObjective, FactoredObjective
from skmtl.penalties import L1, Ridge

Array = NDArray[Any]

# Singular values and eigenvalues below this fraction of the largest count as zero.
_RANK_TOL = 1e-12
_MAX_SWEEPS = 20
# Sweeps stop when one lowers the cost by less than this fraction.
_MIN_DECREASE = 1e-8
# Factors beyond the rank of a matrix start at this fraction of the root of its mean singular value.
_SMALL = 1e-2
# Entries of S up to this size count as zero where they divide.
_LEAST = 1e-150


@dataclass
class Factors:
    r"""W = L S, with the cost :math:`\alpha (\lVert S \rVert_1 + \rho \lVert L \rVert_F^2 / 2)`.

    Attributes
    ----------
    L : ndarray of shape (n_features, n_latent)
        Latent tasks.
    S : ndarray of shape (n_latent, n_tasks)
        The coefficients of the latent tasks in each task.
    alpha, ridge : float
    """

    L: Array
    S: Array
    alpha: float
    ridge: float

    def value(self) -> float:
        """The cost."""
        square = float(np.vdot(self.L, self.L))
        return self.alpha * (float(np.abs(self.S).sum()) + self.ridge / 2 * square)

    def balanced(self) -> "Factors":
        """The same product, with each latent task scaled so that the cost is lowest."""
        square = np.einsum("jk,jk->k", self.L, self.L)
        norm = np.abs(self.S).sum(axis=1)
        used = (square > 0) & (norm > 0)
        # The minimiser of s / c + ridge c^2 l^2 / 2 over c.
        scale = np.zeros(len(norm))
        scale[used] = np.cbrt(norm[used] / (self.ridge * square[used]))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=used)
        return Factors(self.L * scale, self.S * inverse[:, None], self.alpha, self.ridge)

    def mixed(self) -> "Factors":
        """The same product at a lower cost, by adding multiples of latent tasks to others.

        For any c the product stays the same if c L_k is added to L_m and c S_m is subtracted from
        S_k. The cost is convex in c, and the minimiser usually makes an entry of S zero.
        Alternating steps over S and L alone would converge slowly.
        """
        factors = self.balanced()
        cost = factors.value()
        for _ in range(_MAX_SWEEPS):
            L, S = factors.L.copy(), factors.S.copy()
            grams = L.T @ L
            for k in range(len(S)):
                for m in range(len(S)):
                    if k == m or not S[m].any() or grams[k, k] <= 0:
                        continue
                    c, zero = _best_shear(
                        S[k], S[m], self.ridge * grams[k, m], self.ridge * grams[k, k]
                    )
                    if c != 0:
                        S[k] -= c * S[m]
                        S[k, zero] = 0.0
                        L[:, m] += c * L[:, k]
                        grams[m] = grams[:, m] = L.T @ L[:, m]
            sheared = Factors(L, S, self.alpha, self.ridge).balanced()
            reached = sheared.value()
            if not reached < cost:
                break
            factors, before, cost = sheared, cost, reached
            if reached > before * (1 - _MIN_DECREASE):
                break
        return factors

    def in_assignments(self, objective: BaseObjective) -> FactoredObjective:
        """The objective as a function of S, with the latent tasks fixed."""
        return FactoredObjective(objective, L1(self.alpha), self.L, None)

    def in_latent(self, objective: BaseObjective) -> tuple[FactoredObjective, Array]:
        """The objective as a function of V, and T, where L = V T.

        The rows of T S are orthonormal, and the ridge on L is a separate ridge on each column of V.
        """
        squares, basis = np.linalg.eigh(self.S @ self.S.T)
        kept = squares > _RANK_TOL * max(squares[-1], np.finfo(np.float64).tiny)
        roots, basis = np.sqrt(squares[kept]), basis[:, kept]
        turned = (basis / roots).T
        penalty = Ridge(self.alpha * self.ridge / squares[kept])
        return FactoredObjective(objective, penalty, None, turned @ self.S), turned


def split(W: Array, n_latent: int, rng: np.random.RandomState) -> tuple[Array, Array]:
    """L and S from the leading singular vectors of W; beyond its rank they are small and random."""
    U, sizes, V = np.linalg.svd(W, full_matrices=False)
    rank = min(n_latent, int((sizes > _RANK_TOL * sizes[:1]).sum()))
    roots = np.sqrt(sizes[:rank])
    small = _SMALL * np.sqrt(sizes.mean()) if rank else 0.0
    L = rng.standard_normal((len(W), n_latent)) * small / np.sqrt(len(W))
    S = rng.standard_normal((n_latent, W.shape[1])) * small / np.sqrt(W.shape[1])
    L[:, :rank], S[:rank] = U[:, :rank] * roots, roots[:, None] * V[:rank]
    return L, S


def _best_shear(taken: Array, given: Array, slope: float, curvature: float) -> tuple[float, Any]:
    """The c that minimises sum_t |taken_t - c given_t| + slope c + curvature c^2 / 2.

    Also returns the positions of the entries of the sum that are zero at c.
    """
    # The reciprocals of smaller numbers overflow.
    used = np.flatnonzero(np.abs(given) > _LEAST)
    if not len(used):
        return 0.0, used
    ratios, weights = taken[used] / given[used], np.abs(given[used])
    order = np.argsort(ratios, kind="stable")
    ratios, weights = ratios[order], weights[order]
    # The derivative of the sum on the intervals between the ratios, from left to right.
    steps = np.concatenate([[0.0], np.cumsum(weights)]) * 2 - weights.sum()
    above = slope + curvature * ratios + steps[1:]
    k = int(np.searchsorted(above >= 0, True))
    if k == len(ratios):
        return -(slope + steps[-1]) / curvature, used[:0]
    if above[k] - 2 * weights[k] <= 0:
        return float(ratios[k]), used[order[ratios == ratios[k]]]
    return -(slope + steps[k]) / curvature, used[:0]
