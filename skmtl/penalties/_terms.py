"""Sums of penalties that have a prox each, but no joint prox."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty

_TINY = np.finfo(np.float64).tiny
# Smaller matrices are multiplied faster if they are dense.
_SMALL = 2**14


class Terms(Penalty):
    r"""The sum :math:`\sum_k \Omega_k(W K_k)` of penalties on linear combinations of the tasks.

    A certificate needs the gradient G as a sum :math:`\sum_k G_k K_k'` with each :math:`G_k`
    feasible for its penalty. Every such decomposition gives the upper bound
    :math:`\sum_k \Omega_k^*(G_k)` of the conjugate; near a solution the bound from the solver's
    dual variables is the tightest.

    Parameters
    ----------
    parts : tuple of Penalty
    duals : tuple of ndarray or None, default=None
        A decomposition of a gradient close to those evaluated; None for zeros.
    """

    has_prox = False
    has_terms = True

    def __init__(self, parts: tuple[Penalty, ...], duals: tuple[Array, ...] | None = None) -> None:
        self.parts, self.duals = parts, duals
        self._maps: tuple[Any, ...] | None = None

    @property
    def separates_over_rows(self) -> bool:
        return all(inner.separates_over_rows for inner in self._inner)

    @property
    def leaves_mean_free(self) -> bool:
        return all(part.leaves_mean_free for part in self.parts)

    @property
    def is_norm(self) -> bool:
        return all(part.is_norm for part in self.parts)

    @property
    def takes_copies(self) -> bool:
        """Whether each part is a penalty on W itself, and not all leave the mean task free."""
        return all(part.has_prox for part in self.parts) and not self.leaves_mean_free

    @property
    def sparsest(self) -> int | None:
        """Of the penalties on W itself, that with the sparsest prox; None if there are none.

        It is the first that separates over rows, if any.
        """
        own = [k for k, part in enumerate(self.parts) if part.has_prox]
        return max(own, key=lambda k: self._inner[k].separates_over_rows, default=None)

    def with_duals(self, duals: tuple[Array, ...]) -> "Terms":
        """A copy for gradients close to the one that these duals decompose."""
        other = Terms(self.parts, duals)
        other._maps = self._maps
        return other

    def value(self, W: Array) -> float:
        pairs = zip(self._inner, self.images(W), strict=True)
        return sum(inner.value(image) for inner, image in pairs)

    def images(self, W: Array) -> tuple[Array, ...]:
        """The image W K_k of W for each part."""
        return tuple(W if K is None else np.asarray(W @ K) for K in self._maps_for(W.shape[1]))

    def adjoint(self, duals: tuple[Array, ...], n_tasks: int) -> Array:
        """The gradient (n_features, n_tasks) that duals of the images decompose."""
        total = np.zeros((len(duals[0]), n_tasks))
        for dual, K in zip(duals, self._maps_for(n_tasks), strict=True):
            total += dual if K is None else np.asarray(dual @ K.T)
        return total

    def proxes(self, images: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of each part at its image."""
        pairs = zip(self._inner, images, strict=True)
        return tuple(inner.prox(image, step) for inner, image in pairs)

    def dual_prox(self, duals: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of step times each part's conjugate, by Moreau's identity."""
        moved = self.proxes(tuple(dual / step for dual in duals), 1 / step)
        return tuple(dual - step * image for dual, image in zip(duals, moved, strict=True))

    def metric(self, n_tasks: int) -> Array:
        """The matrix sum_k K_k K_k'."""
        total = np.zeros((n_tasks, n_tasks))
        for K in self._maps_for(n_tasks):
            total += np.eye(n_tasks) if K is None else _square(K)
        return total

    def squared_norm(self, n_tasks: int) -> float:
        """The largest eigenvalue of the metric."""
        return float(np.linalg.eigvalsh(self.metric(n_tasks))[-1])

    def least_duals(self, G: Array) -> tuple[Array, ...]:
        """The duals of least norm that decompose G, or its part in the range of the metric."""
        n_tasks = G.shape[1]
        solved = G @ np.linalg.pinv(self.metric(n_tasks), rcond=1e-12, hermitian=True)
        return self.images(solved)

    def dual_norm(self, G: Array) -> float:
        duals = self._split(G)
        if duals is None:
            return np.inf
        return max(inner.dual_norm(dual) for inner, dual in zip(self._inner, duals, strict=True))

    def conjugate(self, G: Array) -> float:
        duals = self._split(G)
        if duals is None:
            return np.inf
        return sum(inner.conjugate(dual) for inner, dual in zip(self._inner, duals, strict=True))

    def dual_scale(self, G: Array) -> float:
        duals = self._split(G)
        if duals is None:
            return 0.0
        return min(inner.dual_scale(dual) for inner, dual in zip(self._inner, duals, strict=True))

    @property
    def _inner(self) -> list[Penalty]:
        return [part.on_combinations for part in self.parts]

    def _maps_for(self, n_tasks: int) -> tuple[Any, ...]:
        """The K of each part, None for the identity."""
        if self._maps is None:
            maps = (part.combinations(n_tasks) for part in self.parts)
            self._maps = tuple(
                K if K is None or np.prod(K.shape) > _SMALL else np.asarray(K.toarray())
                for K in maps
            )
        return self._maps

    def _split(self, G: Array) -> tuple[Array, ...] | None:
        """Decompose G into the known duals, scaled, and shares of the rest.

        Decompositions of multiples of G are multiples. None if no part can take the rest.
        """
        n_tasks = G.shape[1]
        maps = self._maps_for(n_tasks)
        shapes = [(len(G), n_tasks if K is None else K.shape[1]) for K in maps]
        duals = tuple(np.zeros(shape) for shape in shapes)
        if self.duals is not None:
            known = self.adjoint(self.duals, n_tasks)
            square = float(np.vdot(known, known))
            scale = float(np.vdot(G, known)) / square if square > 0 else 0.0
            duals = tuple(scale * dual for dual in self.duals)
        rest = G - self.adjoint(duals, n_tasks)
        if all(K is not None for K in maps):
            return self._combined(duals, rest, np.abs(G).max(initial=0.0))
        takes = np.array([K is None for K in maps])
        takes_mean = takes & ~np.array([inner.leaves_mean_free for inner in self._inner])
        if not takes_mean.any():
            # The certificate has already made the rows of G sum to zero.
            return self._shared(duals, rest, takes)
        if takes_mean.sum() < takes.sum():
            # Only penalties that do not leave the mean free have a finite conjugate there.
            mean = np.repeat(rest.mean(axis=1, keepdims=True), n_tasks, axis=1)
            duals, rest = self._shared(duals, mean, takes_mean), rest - mean
        return self._shared(duals, rest, takes)

    def _shared(self, duals: tuple[Array, ...], rest: Array, takes: Array) -> tuple[Array, ...]:
        """Add shares of the rest to the duals of those parts that take it."""
        # Shares inversely proportional to the sizes minimise the largest of them.
        sizes = np.array(
            [
                max(_size(inner, rest), _TINY) if takes_it else np.inf
                for inner, takes_it in zip(self._inner, takes, strict=True)
            ]
        )
        shares = sizes.min() / sizes
        shares /= shares.sum()
        triples = zip(duals, shares, takes, strict=True)
        return tuple(dual + share * rest if takes_it else dual for dual, share, takes_it in triples)

    def _combined(
        self, duals: tuple[Array, ...], rest: Array, size: float
    ) -> tuple[Array, ...] | None:
        """Add to the duals the decomposition of the rest with the least norm, if there is one."""
        least = self.least_duals(rest)
        left = rest - self.adjoint(least, rest.shape[1])
        if np.abs(left).max(initial=0.0) > 1e-9 * size:
            return None
        return tuple(dual + more for dual, more in zip(duals, least, strict=True))


def _square(K: Any) -> Array:
    """K K' as a dense matrix."""
    product = K @ K.T
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray())


def _size(penalty: Penalty, G: Array) -> float:
    """The size of G relative to the feasible set: homogeneous in G."""
    if penalty.is_norm:
        return penalty.dual_norm(G)
    return float(np.sqrt(2 * penalty.conjugate(G)))
