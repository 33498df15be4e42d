"""Where the regularisation path begins."""

from typing import Any

from sklearn.base import clone


def alpha_max(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Return the smallest ``alpha`` at which every coefficient is zero.

    It is the dual norm, for the penalty with ``alpha=1``, of the loss gradient at W = 0 and the
    best intercepts.

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
        norm, with a kink at zero (a ridge shrinks, but never to zero).

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
    model = clone(estimator).set_params(alpha=1.0)
    model._validate_params()
    data = model._read(X, y, sample_weight)
    learned = model._learnable(data)
    if not learned.any():
        return 0.0
    objective = model._objective(data.select(learned))
    if objective.penalty is None or not objective.penalty.is_norm:
        raise ValueError(
            f"No finite alpha makes the coefficients of {estimator!r} zero: its penalty is of the "
            f"second degree (a ridge, a squared norm), which shrinks but never to zero. Use a "
            f"block-sparse estimator with l1_ratio > 0, or choose alpha by cross-validation (the "
            f"baselines take alpha='cv')."
        )
    gradient, _ = objective.gradient(objective.null)
    return objective.penalty.dual_norm(gradient)
