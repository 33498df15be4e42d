"""A sum of penalties that have a prox each, but none together."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty

_TINY = np.finfo(np.float64).tiny


class Terms(Penalty):
    r"""The sum :math:`\sum_k \Omega_k(W K_k)` of penalties, each on linear images of the tasks.

    A certificate needs slopes G written as :math:`\sum_k G_k K_k'` with each :math:`G_k` feasible
    for its penalty. Any such split bounds the conjugate from above by
    :math:`\sum_k \Omega_k^*(G_k)`; near a solution the solver's dual variables are the best.

    Parameters
    ----------
    parts : tuple of Penalty
    duals : tuple of ndarray or None, default=None
        A split of slopes near those asked for; None: all zero.
    """

    has_prox = False

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
        """Whether each part is one of W itself, and together they hold all of it."""
        return all(part.has_prox for part in self.parts) and not self.leaves_mean_free

    @property
    def sparsest(self) -> int:
        """Which part makes most zeros: one that takes rows by themselves, if there is."""
        return max(range(len(self.parts)), key=lambda k: self._inner[k].separates_over_rows)

    def with_duals(self, duals: tuple[Array, ...]) -> "Terms":
        """The same sum, for slopes near the sum of these duals."""
        other = Terms(self.parts, duals)
        other._maps = self._maps
        return other

    def value(self, W: Array) -> float:
        pairs = zip(self._inner, self.images(W), strict=True)
        return sum(inner.value(image) for inner, image in pairs)

    def images(self, W: Array) -> tuple[Array, ...]:
        """What each part sees of W."""
        return tuple(W if K is None else np.asarray(W @ K) for K in self._maps_for(W.shape[1]))

    def adjoint(self, duals: tuple[Array, ...], n_tasks: int) -> Array:
        """The slopes that duals of the images add up to."""
        total = np.zeros((len(duals[0]), n_tasks))
        for dual, K in zip(duals, self._maps_for(n_tasks), strict=True):
            total += dual if K is None else np.asarray(dual @ K.T)
        return total

    def proxes(self, images: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of each part at an image of its own."""
        pairs = zip(self._inner, images, strict=True)
        return tuple(inner.prox(image, step) for inner, image in pairs)

    def dual_prox(self, duals: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of step times each part's conjugate, by Moreau's identity."""
        moved = self.proxes(tuple(dual / step for dual in duals), 1 / step)
        return tuple(dual - step * image for dual, image in zip(duals, moved, strict=True))

    def squared_norm(self, n_tasks: int) -> float:
        """The largest eigenvalue of sum_k K_k K_k'."""
        total = np.zeros((n_tasks, n_tasks))
        for K in self._maps_for(n_tasks):
            total += np.eye(n_tasks) if K is None else np.asarray((K @ K.T).toarray())
        return float(np.linalg.eigvalsh(total)[-1])

    def dual_norm(self, G: Array) -> float:
        pairs = zip(self._inner, self._split(G), strict=True)
        return max(inner.dual_norm(dual) for inner, dual in pairs)

    def conjugate(self, G: Array) -> float:
        pairs = zip(self._inner, self._split(G), strict=True)
        return sum(inner.conjugate(dual) for inner, dual in pairs)

    def dual_scale(self, G: Array) -> float:
        pairs = zip(self._inner, self._split(G), strict=True)
        return min(inner.dual_scale(dual) for inner, dual in pairs)

    @property
    def _inner(self) -> list[Penalty]:
        return [part.on_combinations for part in self.parts]

    def _maps_for(self, n_tasks: int) -> tuple[Any, ...]:
        """The K of each part, None for the identity."""
        if self._maps is None:
            self._maps = tuple(part.combinations(n_tasks) for part in self.parts)
        return self._maps

    def _split(self, G: Array) -> tuple[Array, ...]:
        """Duals that add up to G: the known ones, the rest of G where it weighs least.

        Multiples of G are split alike. Infinite where no part takes the rest.
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
        holds = takes & ~np.array([inner.leaves_mean_free for inner in self._inner])
        if not holds.any():
            # The certificate has made the mean of G vanish.
            return self._shared(duals, rest, takes)
        if holds.sum() < takes.sum():
            # A penalty that leaves the mean free has no finite conjugate there.
            mean = np.repeat(rest.mean(axis=1, keepdims=True), n_tasks, axis=1)
            duals, rest = self._shared(duals, mean, holds), rest - mean
        return self._shared(duals, rest, takes)

    def _shared(self, duals: tuple[Array, ...], rest: Array, takes: Array) -> tuple[Array, ...]:
        """The duals plus shares of the rest, for those parts that take it."""
        # Shares in inverse proportion to their sizes make the largest as small as can be.
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

    def _combined(self, duals: tuple[Array, ...], rest: Array, size: float) -> tuple[Array, ...]:
        """The duals plus the smallest that add up to the rest."""
        maps = self._maps_for(rest.shape[1])
        total = sum(np.asarray((K @ K.T).toarray()) for K in maps)
        solved = rest @ np.linalg.pinv(total, rcond=1e-12, hermitian=True)
        if np.abs(solved @ total - rest).max(initial=0.0) > 1e-9 * size:
            return tuple(np.full_like(dual, np.inf) for dual in duals)
        return tuple(dual + np.asarray(solved @ K) for dual, K in zip(duals, maps, strict=True))


def _size(penalty: Penalty, G: Array) -> float:
    """How hard it is to make G feasible: homogeneous in G."""
    if penalty.is_norm:
        return penalty.dual_norm(G)
    return float(np.sqrt(2 * penalty.conjugate(G)))
