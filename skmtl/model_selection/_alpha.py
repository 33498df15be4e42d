"""The largest alpha of a path, and validation of grids of alphas."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import refuse_mask
from skmtl.estimators import NoFiniteAlpha, TaskEstimator, prepare_objective, top_alpha

Array = NDArray[Any]


def alpha_max(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Return the smallest ``alpha`` at which every coefficient is zero.

    This is the dual norm, for the penalty with ``alpha=1``, of the loss gradient at W = 0 and the
    best intercepts. Features with ``feature_weight=0`` are fitted first, and their coefficients
    need not be zero. For a sum of penalties without a common prox the result is an upper bound.

    Parameters
    ----------
    estimator : estimator of skmtl
        Its ``alpha`` is not used. It is neither fitted nor changed.
    X, y, sample_weight : as in the estimator's fit

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no finite ``alpha`` makes all coefficients zero, because the penalty is differentiable
        at zero (a ridge shrinks, but never to zero) or does not penalise the mean task; or if
        features with ``feature_weight=0`` have a ridge penalty, which depends on ``alpha`` too.

    See Also
    --------
    path : Fits over a grid of alphas, also for ridge penalties and squared norms.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import alpha_max
    >>> dataset = make_block_sparse(random_state=0)
    >>> top = alpha_max(BlockSparseRegressor(), dataset.data, dataset.target)
    >>> bool(BlockSparseRegressor(alpha=top).fit(dataset.data, dataset.target).support_.any())
    False
    """
    check_estimator(estimator, "alpha_max")
    model = clone(estimator).set_params(alpha=1.0)
    model._validate_params()
    data = model._read(X, y, sample_weight)
    objective = prepare_objective(model, data)
    if objective is None:
        return 0.0
    penalty = objective.penalty
    if penalty is None or not penalty.is_norm or penalty.leaves_mean_free:
        why = "is differentiable at zero (a ridge, a squared norm): it shrinks, but never to zero"
        if penalty is not None and penalty.is_norm:
            why = "does not penalise the mean task"
        raise NoFiniteAlpha(
            f"No finite alpha makes the coefficients of {estimator!r} zero: its penalty {why}. Use "
            f"a block-sparse estimator with l1_ratio > 0, or select alpha by cross-validation (the "
            f"CV estimators and skmtl.model_selection.path compute a grid; the baselines accept "
            f"alpha='cv')."
        )
    return top_alpha(model, data, objective)


def read_alphas(alphas: Any) -> Array | int:
    """Validate a number of alphas, or a list of them, which is sorted in descending order.

    Raises
    ------
    ValueError
        If the number is not positive, or if the list is empty, nested, or holds values other than
        finite numbers >= 0.
    """
    rule = (
        "alphas must be the number of alphas, at least 1, or a list of finite strengths >= 0; got "
        f"{alphas!r}."
    )
    if isinstance(alphas, Integral) and not isinstance(alphas, bool):
        if alphas < 1:
            raise ValueError(rule)
        return int(alphas)
    if not isinstance(alphas, Iterable) or isinstance(alphas, str):
        raise ValueError(f"{rule} For one alpha pass a list of one, or fit the plain estimator.")
    refuse_mask(alphas, "alphas", "Leave them out: .compressed().")
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(rule) from None
    if values.ndim != 1 or not len(values):
        raise ValueError(rule)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(rule)
    return np.sort(values)[::-1]


def check_eps(eps: Any) -> None:
    """Raise if the ratio of the smallest to the largest alpha is outside (0, 1)."""
    if not (isinstance(eps, Real) and 0 < float(eps) < 1):
        raise ValueError(
            f"eps, the smallest alpha of the grid divided by the largest, must be in (0, 1); got "
            f"{eps!r}. Use for example 1e-3."
        )


def check_estimator(estimator: Any, caller: str) -> None:
    """Raise unless this is a skmtl estimator with a parameter alpha."""
    if isinstance(estimator, TaskEstimator) and "alpha" in estimator.get_params(deep=False):
        return
    name = type(estimator).__name__
    if hasattr(estimator, "steps"):
        remedy = "Transform X by its other steps, and pass the pipeline's last step"
    elif isinstance(estimator, TaskEstimator) and name.endswith("CV"):
        remedy = f"Pass the estimator without cross-validation, {name.removesuffix('CV')}"
    elif isinstance(estimator, TaskEstimator):
        remedy = "It selects the strengths of several estimators itself; pass one of these"
    else:
        remedy = "Pass one such as BlockSparseRegressor()"
    raise TypeError(
        f"{caller} takes an estimator of skmtl with a parameter alpha, not {name}. {remedy}."
    )
