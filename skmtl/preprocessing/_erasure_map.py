"""The affine map of least distortion that removes the covariance with nuisances."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# Correlations below this are rounding error.
_ROUNDING = 1e-11


@dataclass(frozen=True)
class Erasure:
    """The map x -> x - ((x - mean) @ weights) @ loadings.

    Attributes
    ----------
    mean : array of shape (n_features,)
    weights : array of shape (n_features, rank)
    loadings : array of shape (rank, n_features)
    empties : bool
        Whether nothing but the mean remains of features that are not constant.
    """

    mean: Array
    weights: Array
    loadings: Array
    empties: bool

    @classmethod
    def of(cls, X: Array, Z: Any, sample_weight: Array) -> "Erasure":
        """The map with least distortion whose result has no covariance with Z.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        Z : array or sparse matrix of shape (n_samples, n_nuisances)
        sample_weight : array of shape (n_samples,)
        """
        shares = sample_weight / sample_weight.sum()
        root = np.sqrt(shares)
        mean = shares @ X
        centred = root[:, None] * (X - mean)
        # The solution does not depend on units; with equal ones, ranks are found reliably.
        scales = np.sqrt((centred**2).sum(axis=0))
        scales[scales <= _ROUNDING * np.abs(mean)] = np.inf
        left, singular, right = np.linalg.svd(centred / scales, full_matrices=False)
        kept = singular > max(X.shape) * np.finfo(np.float64).eps * singular.max(initial=0.0)
        left, singular, right = left[:, kept], singular[kept], right[kept]
        directions, strengths, _ = np.linalg.svd(
            _covariance(left, Z, shares, root), full_matrices=False
        )
        directions = directions[:, strengths > _ROUNDING]
        weights = (right.T / singular @ directions) / scales[:, None]
        finite = np.where(np.isfinite(scales), scales, 0.0)
        empties = 0 < len(singular) == directions.shape[1]
        return cls(mean, weights, (directions.T * singular) @ right * finite, empties)

    def __call__(self, X: Array) -> Array:
        erased: Array = X - ((X - self.mean) @ self.weights) @ self.loadings
        return erased.astype(X.dtype, copy=False)


def _covariance(left: Array, Z: Any, shares: Array, root: Array) -> Array:
    """Inner products of the columns of ``left`` with the standardised nuisances."""
    mean = np.asarray(shares @ Z).ravel()
    squares = np.asarray(shares @ (Z.multiply(Z) if sp.issparse(Z) else Z**2)).ravel()
    deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
    if not sp.issparse(Z):
        # Differences of large numbers lose digits; a dense Z can be centred first.
        Z, mean = Z - mean, np.zeros_like(mean)
        deviation = np.sqrt(shares @ Z**2)
    constant = deviation <= _ROUNDING * np.sqrt(np.maximum(squares, np.finfo(float).tiny))
    weighted = root[:, None] * left
    products = np.asarray(Z.T @ weighted).T - np.outer(weighted.sum(axis=0), mean)
    covariance: Array = products / np.where(constant, np.inf, deviation)
    return covariance
