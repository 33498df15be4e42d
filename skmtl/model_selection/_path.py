"""Fits over a grid of alphas, each warm-started from the previous one."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import TaskData
from skmtl.estimators import (
    BlockSparseRegressor,
    FitTask,
    follow,
    follow_path,
    make_grid,
    prepare_objective,
)
from skmtl.model_selection._alpha import check_eps, check_estimator, read_alphas

Array = NDArray[Any]


def path(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    alphas: Any = 100,
    eps: float = 1e-3,
    sample_weight: Any = None,
    return_intercepts: bool = False,
    return_n_iter: bool = False,
) -> tuple[Array, ...]:
    """Fit an estimator over a descending grid of alphas, each fit warm-started from the previous.

    The data are validated once, and the fits share all computations that do not depend on alpha
    (Gram matrices, eigenbases). If the objective is not convex, each fit also depends on the alphas
    before it.

    Parameters
    ----------
    estimator : estimator of skmtl
        Any estimator with a parameter ``alpha``, whose own value is not used. It is neither fitted
        nor changed. Its callbacks, if it has any, follow the fits.
    X, y : as in the estimator's fit
    alphas : int or array-like of shape (n_alphas,), default=100
        The number of alphas in a geometric grid, or the alphas themselves, finite and >= 0. For
        norms the grid starts at :func:`alpha_max`, where all coefficients are zero. For ridge
        penalties and squared norms it starts at an alpha at which the objective is at most 1% below
        the loss with zero coefficients.
    eps : float, default=1e-3
        The smallest alpha of the grid divided by the largest, in (0, 1).
    sample_weight : as in the estimator's fit, default=None
    return_intercepts : bool, default=False
        Whether to return the intercepts as well.
    return_n_iter : bool, default=False
        Whether to return the numbers of iterations as well.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Descending. If a callback stops the path, it ends with the last alpha that was fitted.
    coefs : ndarray of shape (n_tasks, n_features, n_alphas)
        With one task, (1, n_features, n_alphas).
    dual_gaps : ndarray of shape (n_alphas,)
        Upper bounds on the suboptimality of each objective; NaN if it is not convex.
    intercepts : ndarray of shape (n_tasks, n_alphas)
        Only with ``return_intercepts=True``.
    n_iters : ndarray of shape (n_alphas,)
        Only with ``return_n_iter=True``.

    Raises
    ------
    TypeError
        If the estimator has no parameter ``alpha``, such as a pipeline or a CV estimator.
    ValueError
        If ``alphas`` or ``eps`` is out of range.

    See Also
    --------
    block_sparse_path : The same for :class:`skmtl.BlockSparseRegressor`.
    AlphaSearchCV : Selects alpha on the path by cross-validation.

    Examples
    --------
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import path
    >>> dataset = make_block_sparse(n_tasks=3, n_features=8, n_informative=3, random_state=0)
    >>> alphas, coefs, gaps = path(TaskRelationRegressor(), dataset.data, dataset.target, alphas=5)
    >>> coefs.shape
    (3, 8, 5)
    """
    check_estimator(estimator, "path")
    grid = read_alphas(alphas)
    check_eps(eps)
    model = clone(estimator).set_params(alpha=1.0)
    model._validate_params()
    grid, coefs, gaps, intercepts, n_iters = follow(
        model,
        lambda task: _follow_grid(model, model._read(X, y, sample_weight), grid, eps, task),
        X,
        y,
        sample_weight,
        size=grid if isinstance(grid, int) else len(grid),
        name="path",
    )
    extra = [intercepts] * return_intercepts + [n_iters] * return_n_iter
    return grid, coefs, gaps, *extra


def _follow_grid(
    model: Any, data: TaskData, grid: Array | int, eps: float, task: FitTask
) -> tuple[Array, Array, Array, Array, Array]:
    """The alphas, coefficients, duality gaps, intercepts and numbers of iterations."""
    model._warn_of_data(data)
    prepared = prepare_objective(model, data)
    if isinstance(grid, int):
        grid = make_grid(model, data, prepared, grid, eps)
    coefs = np.empty((data.n_tasks, data.X.shape[1], len(grid)), dtype=data.X.dtype)
    intercepts = np.empty((data.n_tasks, len(grid)), dtype=data.X.dtype)
    gaps, n_iters = np.empty(len(grid)), np.empty(len(grid), dtype=np.intp)
    fits, end = follow_path(model, data, grid, prepared), 0
    while end < len(grid):
        step = task.subtask("fit", all_rows=True)
        fit = next(fits)
        coef, intercept = fit.coef, fit.intercept
        if data.scales is not None:
            coef, intercept = model._get_loss().rescale(coef, intercept, data.scales)
        if data.prior is not None:
            coef = data.prior + coef
        coefs[:, :, end], intercepts[:, end] = coef, intercept
        gaps[end], n_iters[end] = fit.dual_gap, fit.n_iter
        end += 1
        if step.end(partial(model._attributes_of, data, fit)):
            break
    return grid[:end], coefs[:, :, :end], gaps[:end], intercepts[:, :end], n_iters[:end]


def block_sparse_path(
    X: Any,
    Y: Any,
    *,
    alphas: Any = 100,
    eps: float = 1e-3,
    l1_ratio: float = 1.0,
    sample_weight: Any = None,
    return_intercepts: bool = False,
    return_n_iter: bool = False,
    **params: Any,
) -> tuple[Array, ...]:
    """Fit :class:`skmtl.BlockSparseRegressor` over a grid of alphas.

    With a complete matrix Y the coefficients are those of scikit-learn's ``enet_path`` for centred
    data and the same alphas.

    Parameters
    ----------
    X, Y : as in :meth:`skmtl.BlockSparseRegressor.fit`
    alphas : int or array-like of shape (n_alphas,), default=100
        As in :func:`path`.
    eps : float, default=1e-3
        The smallest alpha of the grid divided by the largest, in (0, 1).
    l1_ratio : float, default=1.0
        Share of the block norm in the penalty, in [0, 1]; the rest is a ridge.
    sample_weight : as in the estimator's fit, default=None
    return_intercepts, return_n_iter : bool, default=False
        As in :func:`path`.
    **params
        Other parameters of :class:`skmtl.BlockSparseRegressor`, such as ``tol`` or
        ``task_column``.

    Returns
    -------
    alphas, coefs, dual_gaps : ndarrays
        (n_alphas,), (n_tasks, n_features, n_alphas) and (n_alphas,), as in :func:`path`, followed
        by the intercepts and numbers of iterations if requested.

    See Also
    --------
    path : The same for all estimators.
    sklearn.linear_model.enet_path : For complete dense data.

    Examples
    --------
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import block_sparse_path
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> alphas, coefs, gaps = block_sparse_path(dataset.data, dataset.target, alphas=10)
    >>> sizes = coefs.any(axis=0).sum(axis=0)
    >>> int(sizes[0]), bool(sizes[-1] >= 3)
    (0, True)
    """
    return path(
        BlockSparseRegressor(l1_ratio=l1_ratio, **params),
        X,
        Y,
        alphas=alphas,
        eps=eps,
        sample_weight=sample_weight,
        return_intercepts=return_intercepts,
        return_n_iter=return_n_iter,
    )
