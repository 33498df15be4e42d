"""One coefficient vector for all tasks, for either layout."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg
from skmtl.design._base import Design, operator_squared_norm

Array = NDArray[Any]


class PooledDesign(Design):
    """One coefficient vector for all tasks of another design: W (n_features, 1).

    Parameters
    ----------
    tasks : Design
        Centred by "task" if each task has its own intercept, by "common" if there is one.
    common_intercept : bool
    """

    def __init__(self, tasks: Design, *, common_intercept: bool) -> None:
        self.tasks, self.weights, self.dtype = tasks, tasks.weights, tasks.dtype
        self.n_features, self.n_columns, self.n_grams = tasks.n_features, 1, 1
        self.products, self.gram_products = tasks.products, tasks.gram_products
        self._common = common_intercept and tasks.n_intercepts > 0
        self.n_intercepts = 1 if self._common else tasks.n_intercepts

    @property
    def n_tasks(self) -> int:
        return self.tasks.n_tasks

    def forward(self, W: Array) -> Array:
        return self.tasks.forward_common(W[:, 0])

    def adjoint(self, U: Array) -> Array:
        return self.tasks.adjoint_common(U)[:, None]

    def spread(self, b: Array) -> Array:
        return b if self._common else self.tasks.spread(b)

    def gather(self, U: Array) -> Array:
        return np.array([U.sum()]) if self._common else self.tasks.gather(U)

    def centred_gram(self, H: Array) -> Array:
        pooled = self.tasks.pooled_gram(H)
        if self._common:
            # Centred around one common mean: add the between-task part.
            sums, totals = self.tasks.adjoint(H), self.tasks.gather(H)
            filled = totals > 0
            scaled = sums[:, filled] / np.sqrt(totals[filled])
            overall = sums.sum(axis=1)
            pooled = pooled + scaled @ scaled.T - np.outer(overall, overall) / totals.sum()
        return np.asarray(pooled)[None]

    def feature_curvature(self) -> Array:
        return np.asarray(self.tasks.feature_curvature().sum(axis=0, keepdims=True))

    def squared_norm(self, scale: Array) -> float:
        if self.n_features <= linalg.EXACT_SIDE:
            gram = self.centred_gram(self.weights)[0] * np.outer(scale, scale)
            return linalg.largest_eigenvalue(gram)
        return operator_squared_norm(self, scale)

    def uncentre(self, W: Array, b: Array) -> Array:
        return self.tasks.uncentre(np.repeat(W, self.tasks.n_columns, axis=1), b)

    def recentre(self, W: Array, intercepts: Array) -> Array:
        b = self.tasks.recentre(np.repeat(W, self.tasks.n_columns, axis=1), intercepts)
        return b[:1] if self._common else b
