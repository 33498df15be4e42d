"""The rows of one batch: predictors, losses and sums that are added up over the batches."""

from typing import Any

import numpy as np

from skmtl._numerics import kernels, linalg
from skmtl.design import Design, SharedDesign, StackedDesign, TaskData
from skmtl.losses import Loss
from skmtl.objective._base import Array

# Up to this many features, the overhead of a loop over tasks exceeds the cost of the products.
_FEW_FEATURES = 64
# The share of the majorant in the curvature of the Huber loss, which is zero for large residuals:
# models need some curvature, but with the majorant alone convergence is only linear.
_BLEND = 1e-3


class BatchRows:
    """The rows of a batch as a linear map from W and b to predictors.

    Parameters
    ----------
    data : TaskData
        Dense float64 features, less their origin.
    loss : Loss
        Of the labels of this batch.
    scales : ndarray of shape (n_tasks,)
        By which the weights of each task's labels are multiplied.
    """

    def __init__(self, data: TaskData, loss: Loss, scales: Array) -> None:
        self.loss, self.y = loss, data.y
        self.weights = data.weights * data.spread(scales)
        self.unlabelled = self.weights == 0
        self.complete = not self.unlabelled.any()
        self.design: Design
        self.present: Any = slice(None)
        if data.codes is None:
            self.design = SharedDesign(data.X, self.weights, centre=None)
        else:
            self.present, counts = np.unique(data.codes, return_counts=True)
            starts = np.concatenate([[0], np.cumsum(counts)])
            self.design = StackedDesign(data.X, starts, self.weights, centre=None)

    def predict(self, W: Array, b: Array) -> Array:
        """Linear predictors in the labels' shape, 0 where a label is missing."""
        Z = self.design.forward(W[:, self.present]) + self.design.spread(b[self.present])
        if not self.complete:
            Z[self.unlabelled] = 0.0
        return Z

    def constant(self, b: Array) -> Array:
        """The predictors of intercepts alone."""
        Z = np.broadcast_to(self.design.spread(b[self.present]), self.weights.shape)
        return Z if self.complete else np.where(self.unlabelled, 0.0, Z)

    def total(self, losses: Array) -> float:
        """The weighted sum of losses."""
        if not self.complete:
            losses = np.where(self.unlabelled, 0.0, losses)
        return float((self.weights * losses).sum())

    def value(self, Z: Array) -> float:
        return self.total(self.loss.value(self.y, Z))

    def slopes(self, Z: Array) -> Array:
        """The derivatives of the losses in the predictors."""
        return self.loss.gradient(self.y, Z)

    def bend(self, Z: Array) -> Array:
        """The curvature of the losses, a little above it where it vanishes."""
        curvature = self.loss.curvature(self.y, Z)
        return curvature + _BLEND * (self.loss.newton_weight(self.y, Z) - curvature)

    def gather(self, U: Array, into: Array) -> None:
        """Add sums over each task's labels to ``into`` (n_tasks,)."""
        into[self.present] += self.design.gather(U)

    def adjoint(self, U: Array, into: Array) -> None:
        """Add products of the features with U to ``into`` (n_features, n_tasks)."""
        into[:, self.present] += self.design.adjoint(U)

    def grams(self, H: Array, into: Array) -> None:
        """Add Gram matrices with label weights H to ``into`` (n_tasks, n_features, n_features)."""
        if isinstance(self.design, SharedDesign):
            for task, weights in enumerate(H.T):
                into[task] += linalg.weighted_gram(self.design.X, weights)
            return
        assert isinstance(self.design, StackedDesign)
        X, starts = self.design.X, self.design.starts
        n, d = len(self.present), self.design.n_features
        if d <= _FEW_FEATURES:
            none, sums = np.zeros((n, d)), np.empty((n, d, d))
            kernels.sum_products(X, H, H, starts, False, none, none.copy(), sums, none.copy())
            into[self.present] += sums
            return
        for task, first, last in zip(self.present, starts[:-1], starts[1:], strict=True):
            into[task] += linalg.weighted_gram(X[first:last], H[first:last])
