"""The largest alpha of a path, and how users state a grid of alphas."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import refuse_mask
from skmtl.estimators import TaskEstimator, prepare_objective, top_alpha

Array = NDArray[Any]


def alpha_max(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Return the smallest ``alpha`` at which every coefficient is zero.

    It is the dual norm, for the penalty with ``alpha=1``, of the loss gradient at W = 0 and the
    best intercepts. Features with ``feature_weight=0`` are fitted, and do not count. For a sum of
    penalties without a common prox it is an upper bound of that alpha.

    Parameters
    ----------
    estimator : estimator of skmtl
        Its parameters other than ``alpha`` count; it is neither fitted nor changed.
    X, y, sample_weight : as in the estimator's fit

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no finite ``alpha`` makes all coefficients zero: the penalty has no part, such as a
        norm, with a kink at zero (a ridge shrinks, but never to zero). If features without a
        weight keep a ridge, which alpha multiplies too.

    See Also
    --------
    path : Fits over a grid of alphas, for penalties of the second degree too.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import alpha_max
    >>> made = make_block_sparse(random_state=0)
    >>> top = alpha_max(BlockSparseRegressor(), made.data, made.target)
    >>> bool(BlockSparseRegressor(alpha=top).fit(made.data, made.target).support_.any())
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
        why = "is of the second degree (a ridge, a squared norm), which shrinks but never to zero"
        if penalty is not None and penalty.is_norm:
            why = "leaves the mean task free"
        raise ValueError(
            f"No finite alpha makes the coefficients of {estimator!r} zero: its penalty {why}. Use "
            f"a block-sparse estimator with l1_ratio > 0, or choose alpha by cross-validation (the "
            f"CV estimators and skmtl.model_selection.path make a grid; the baselines take "
            f"alpha='cv')."
        )
    return top_alpha(model, data, objective)


def read_alphas(alphas: Any) -> Array | int:
    """A number of alphas as it is, a list of them validated and sorted, largest first.

    Raises
    ------
    ValueError
        If the number is not positive, or the list is empty, not flat, or holds anything but
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
    """Refuse a ratio of the smallest to the largest alpha outside (0, 1)."""
    if not (isinstance(eps, Real) and 0 < float(eps) < 1):
        raise ValueError(
            f"eps, the smallest alpha of the grid over the largest, must be in (0, 1); got {eps!r}."
        )


def check_estimator(estimator: Any, caller: str) -> None:
    """Refuse what is no estimator with an alpha of its own."""
    if isinstance(estimator, TaskEstimator) and "alpha" in estimator.get_params(deep=False):
        return
    name = type(estimator).__name__
    if hasattr(estimator, "steps"):
        remedy = "Transform X by the steps before it, and pass the pipeline's last step"
    elif isinstance(estimator, TaskEstimator):
        remedy = f"Pass the estimator without cross-validation, {name.removesuffix('CV')}"
    else:
        remedy = "Pass one such as BlockSparseRegressor()"
    raise TypeError(
        f"{caller} takes an estimator of skmtl with a parameter alpha, not {name}. {remedy}."
    )
