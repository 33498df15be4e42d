"""A Gaussian prior for the coefficients of one task."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# The precision of directions that the penalty leaves free, as a fraction of the smallest other one.
_FREE = 1e-8


@dataclass(frozen=True, eq=False)
class KnownTasks:
    """The tasks of a fit from which a prior is derived.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_learned)
        W of the tasks in the objective, in the units of the fit.
    names : ndarray of shape (n_tasks,)
        The names of all tasks of the fit.
    learned : bool ndarray of shape (n_tasks,)
        Which of them are in the objective.
    """

    coef: Array
    names: Array
    learned: Array

    @property
    def mean(self) -> Array:
        """The mean task (n_features,)."""
        return np.asarray(self.coef.mean(axis=1))


@dataclass(frozen=True, eq=False)
class Prior:
    r"""A Gaussian with mean m and a covariance C, which stands for :math:`(w-m)'C^{-1}(w-m) / 2`.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    variances : ndarray of shape (r,)
        The eigenvalues of C. In directions where they are zero, w equals the mean.
    directions : ndarray of shape (n_features, r), or None
        The eigenvectors; None: the features.
    rest : float
        The eigenvalue of C in all other directions.
    n_averaged : float
        The number of tasks whose average the mean is.
    candidates : tuple of Prior
        More specific priors of the same covariance, among which labels decide.
    label : object
        What distinguishes a candidate.
    """

    mean: Array
    variances: Array
    directions: Array | None = None
    rest: float = 0.0
    n_averaged: float = np.inf
    candidates: "tuple[Prior, ...]" = ()
    label: Any = None

    @classmethod
    def of_precisions(cls, mean: Array, precisions: Array, **more: Any) -> Self:
        """From the inverse variances (r,) of the features or of ``directions``; may be infinite.

        If some are zero, these directions are almost free.
        """
        free = precisions == 0
        if free.any():
            bounded = precisions[~free & np.isfinite(precisions)]
            least = float(bounded.min()) if len(bounded) else 1.0
            precisions = np.where(free, _FREE * least, precisions)
        return cls(mean, 1 / precisions, **more)

    def whitened(self, X: Any) -> Array:
        """X A (n, p) for a root A of the covariance, C = A A'."""
        if self.directions is None:
            used = np.flatnonzero(self.variances > 0)
            columns = X[:, used]
            columns = columns.toarray() if sp.issparse(columns) else np.asarray(columns)
            return np.asarray(columns * np.sqrt(self.variances[used]), dtype=np.float64)
        roots, along = np.sqrt(self.variances), np.asarray(X @ self.directions, dtype=np.float64)
        if self.rest == 0:
            return along * roots
        X = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=np.float64)
        root = np.sqrt(self.rest)
        return np.asarray(root * X + along * (roots - root) @ self.directions.T)

    def coefficients(self, v: Array) -> Array:
        """m + A v (n_features,)."""
        if self.directions is None:
            deviation = np.zeros(len(self.mean))
            used = self.variances > 0
            deviation[used] = np.sqrt(self.variances[used]) * v
            return self.mean + deviation
        roots = np.sqrt(self.variances)
        if self.rest == 0:
            return np.asarray(self.mean + self.directions @ (roots * v))
        root = np.sqrt(self.rest)
        along = (roots - root) * (self.directions.T @ v)
        return np.asarray(self.mean + root * v + self.directions @ along)

    def distance(self, w: Array) -> float:
        """(w - m)' C^+ (w - m), in the directions of positive variance."""
        deviation = w - self.mean
        along = deviation if self.directions is None else self.directions.T @ deviation
        used = self.variances > 0
        square = float((along[used] ** 2 / self.variances[used]).sum())
        if self.rest > 0 and self.directions is not None:
            square += max(float(deviation @ deviation - along @ along), 0.0) / self.rest
        return square
