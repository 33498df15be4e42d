"""A second fit of the selected coefficients, without the penalty that selected them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.objective import BaseObjective
from skmtl.penalties import ChosenEntries, Ridge
from skmtl.solvers import choose_solver, solve

Array = NDArray[Any]

# Added to the ridge, as a fraction of the smallest curvature of a selected feature. A fraction of
# the largest would shrink features on a smaller scale.
_LEAST_RIDGE = 1e-9
# Upper limit of the tolerance.
_TOL = 1e-7


def refit_selected(
    objective: BaseObjective,
    W: Array,
    intercepts: Array,
    *,
    ridge: float,
    signs: Array | None,
    max_iter: int,
    tol: float,
) -> tuple[Array, Array]:
    """Minimise the loss plus a ridge over the non-zero entries of W.

    Parameters
    ----------
    objective : BaseObjective
        Its penalty separates over the rows of W.
    W : ndarray of shape (n_features, n_tasks)
    intercepts : ndarray of shape (n_tasks,)
    ridge : float
        Strength; 1e-9 times the smallest curvature of a selected feature is added.
    signs : ndarray of shape (n_features,), optional
        The signs that the entries may have: +1, -1, or 0 for both.
    max_iter, tol : as in :func:`skmtl.solvers.solve`

    Returns
    -------
    W, intercepts : ndarrays
    """
    rows = np.flatnonzero(W.any(axis=1))
    if not len(rows):
        return W, intercepts
    smooth = objective.with_penalty(None)
    part, start = smooth.restricted(rows, smooth.start(W, intercepts))
    # With so small a ridge the duality gap would be loose in single precision.
    start = part.point(start.W.astype(np.float64), start.b.astype(np.float64))
    strength = Ridge(ridge + _LEAST_RIDGE * float(part.curvature[1].min()))
    selected = W[rows] != 0
    if signs is not None:
        part = part.with_penalty(ChosenEntries(selected, True, signs[rows]) + strength)
    elif not selected.all():
        part = part.with_penalty(ChosenEntries(selected) + strength)
    else:
        part = part.with_penalty(strength)
    found = solve(part, choose_solver("auto", part), start, max_iter=max_iter, tol=min(tol, _TOL))
    refitted = np.zeros(W.shape)
    refitted[rows] = found.point.W
    return refitted, part.intercepts(found.point)
