"""Grids of alphas computed from the data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.tuning._path import prepare_objective
from skmtl.estimators.tuning._top import top_alpha
from skmtl.objective import BaseObjective

Array = NDArray[Any]

_N_RIDGE_ALPHAS = 13


def make_grid(
    model: Any, data: TaskData, prepared: BaseObjective | None, n_alphas: int, eps: float
) -> Array:
    """A descending geometric grid that starts at :func:`top_alpha`.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    prepared : BaseObjective or None
        As :func:`prepare_objective` returns it.
    n_alphas : int
    eps : float
        The smallest alpha divided by the largest.
    """
    top = 0.0 if prepared is None else top_alpha(model, data, prepared)
    # If top is 0, the fit is the same for every alpha, and the grid is arbitrary.
    return np.geomspace(top, top * eps, n_alphas) if top > 0 else np.geomspace(1.0, eps, n_alphas)


def ridge_grid(model: Any, data: TaskData) -> Array:
    """A descending grid for ridge penalties.

    It starts at 10 times the largest eigenvalue of the features' weighted Gram matrices, where the
    coefficients are almost zero, and descends in steps of a factor 10^(1/2) to 10^-5 times that
    eigenvalue. If no task has a minimiser, the grid is a single 1.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    """
    objective = prepare_objective(model, data)
    if objective is None:
        return np.ones(1)
    largest = objective.squared_norm()
    return max(largest, np.finfo(np.float64).tiny) * np.logspace(1, -5, _N_RIDGE_ALPHAS)
