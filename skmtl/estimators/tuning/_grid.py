"""Grids of alphas, made from the data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.tuning._path import prepare_objective
from skmtl.estimators.tuning._top import top_alpha
from skmtl.objective import BaseObjective

Array = NDArray[Any]

N_RIDGE_ALPHAS = 13


def make_grid(
    model: Any, data: TaskData, prepared: BaseObjective | None, n_alphas: int, eps: float
) -> Array:
    """A geometric grid, descending, from where nothing or next to nothing is learned.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    prepared : BaseObjective or None
        As :func:`prepare_objective` returns it.
    n_alphas : int
    eps : float
        The smallest alpha over the largest.
    """
    top = 0.0 if prepared is None else top_alpha(model, data, prepared)
    # Nothing can be learned, so every alpha gives the same; 1 is as good a start as any.
    return np.geomspace(top, top * eps, n_alphas) if top > 0 else np.geomspace(1.0, eps, n_alphas)


def ridge_grid(model: Any, data: TaskData) -> Array:
    """A grid for penalties without a kink at zero, descending.

    In steps of a factor 10^(1/2) from 10 times the largest eigenvalue of the features' weighted
    Gram matrices, where next to nothing is learned, down to 10^-5 of it. A single 1 where
    nothing can be learned.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    """
    objective = prepare_objective(model, data)
    if objective is None:
        return np.ones(1)
    largest = objective.squared_norm()
    return max(largest, np.finfo(np.float64).tiny) * np.logspace(1, -5, N_RIDGE_ALPHAS)
