"""The structure that penalties learn, as a Gaussian prior for a new task."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.estimators.base import KnownTasks, Prior

Array = NDArray[Any]


def spectral_prior(
    weights: tuple[Array, Array, float], known: KnownTasks, alpha: float, ridge: float = 0.0
) -> Prior:
    r"""The prior :math:`\tfrac{\alpha}{2} (w - m)' (M^{-1} + \rho I) (w - m)`, m the mean task.

    Parameters
    ----------
    weights : tuple
        The eigenvalues (r,) and eigenvectors (n_features, r) of M, and its eigenvalue in all other
        directions.
    known : KnownTasks
    alpha, ridge : float
    """
    theta, directions, rest = weights
    # The same as 1 / (alpha / theta + alpha ridge), also where theta is 0.
    shrunk = np.asarray(theta) / (1 + ridge * np.asarray(theta)) / alpha
    return Prior(
        known.mean,
        shrunk,
        directions,
        rest / (1 + ridge * rest) / alpha,
        n_averaged=known.coef.shape[1],
    )


def row_precisions(W: Array, entries: float, rows: float, *, largest: bool = False) -> Array:
    r"""The precisions (n_features,) of norms of the rows of W, given the other tasks.

    The norm of a row is the minimum of :math:`(\lVert W_j \rVert^2 / \eta + \eta) / 2` over
    :math:`\eta`, attained at the norm. Infinite for rows that are zero.

    Parameters
    ----------
    W : ndarray of shape (n_features, n_tasks)
    entries : float
        The strength of the L1 norm, whose :math:`\eta` is the mean of the row.
    rows : float
        The strength of the norm of rows.
    largest : bool
        Whether this is the largest absolute entry instead of the Euclidean norm.
    """
    sizes = np.abs(W)
    norms = sizes.max(axis=1) if largest else np.linalg.norm(W, axis=1)
    means = sizes.mean(axis=1)
    found = np.full(len(W), np.inf)
    used = norms > 0
    found[used] = rows / norms[used] + entries / means[used]
    return found


def group_precisions(
    W: Array, groups: Array, entries: float, rows: float, *, largest: bool = False
) -> Array:
    r"""The precisions (n_features,) of norms of groups of rows, as in :func:`row_precisions`.

    Parameters
    ----------
    W : ndarray of shape (n_features, n_tasks)
    groups : int array of shape (n_features,)
        The group of each feature, all of whose features are included.
    entries, rows : float
        The strengths of the L1 norm, and of the Frobenius norms times the square root of the
        number of features.
    largest : bool
        Whether the latter are the largest absolute entries times the number of features.
    """
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if largest:
        tops = np.zeros(len(counts))
        np.maximum.at(tops, codes, np.abs(W).max(axis=1))
        norms = tops[codes]
    else:
        norms = np.sqrt(np.bincount(codes, (W**2).sum(axis=1)) / counts)[codes]
    means = np.abs(W).mean(axis=1)
    found = np.full(len(W), np.inf)
    used = (norms > 0) & ((means > 0) | (entries == 0))
    found[used] = rows / norms[used]
    if entries > 0:
        found[used] += entries / means[used]
    return found
