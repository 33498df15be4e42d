"""Fits over a grid of alphas, each warm-started from the previous one."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl.design import TaskData, as_parts
from skmtl.estimators import (
    BlockSparseRegressor,
    FitTask,
    follow,
    follow_path,
    make_grid,
    prepare_objective,
)
from skmtl.model_selection._alpha import check_eps, check_estimator, read_alphas
from skmtl.model_selection._criterion import CriterionOf, InformationCriterion, check_settings

Array = NDArray[Any]


def path(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    alphas: Any = 100,
    eps: float = 1e-3,
    sample_weight: Any = None,
    return_intercepts: bool = False,
    return_n_iter: bool = False,
    criterion: str | None = None,
    ebic_gamma: float = 1.0,
    noise_variance: float | None = None,
) -> tuple[Any, ...]:
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
        Or X may be a :class:`~skmtl.design.TaskStatistics`, or a list of them, without y.
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
    criterion : {"aic", "bic", "ebic"} or None, default=None
        An information criterion by which to compare the fits: see :class:`AlphaSearchIC`.
    ebic_gamma : float, default=1.0
        The weight of the number of models of the same size in "ebic", in [0, 1].
    noise_variance : float or None, default=None
        The variance of the noise, in the units of the fit, for labels of average weight. None: the
        criterion maximises the likelihood over the variance, separately at each alpha.

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
    criteria : InformationCriterion
        Only with ``criterion``: its ``values``, the ``degrees_of_freedom`` with their standard
        ``errors``, and the selected position ``best`` and ``alpha``.

    Raises
    ------
    TypeError
        If the estimator has no parameter ``alpha``, such as a pipeline or a CV estimator.
    ValueError
        If ``alphas``, ``eps`` or a setting of the criterion is out of range, or if the degrees of
        freedom of the estimator are not known: see :class:`AlphaSearchIC`.

    See Also
    --------
    block_sparse_path : The same for :class:`skmtl.BlockSparseRegressor`.
    AlphaSearchCV : Selects alpha on the path by cross-validation.
    AlphaSearchIC : Selects alpha on the path by an information criterion.

    Examples
    --------
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import path
    >>> dataset = make_block_sparse(n_tasks=3, n_features=8, n_informative=3, random_state=0)
    >>> alphas, coefs, gaps = path(TaskRelationRegressor(), dataset.data, dataset.target, alphas=5)
    >>> coefs.shape
    (3, 8, 5)
    >>> *_, criteria = path(
    ...     TaskRelationRegressor(), dataset.data, dataset.target, alphas=5, criterion="bic"
    ... )
    >>> criteria.values.shape, bool(criteria.alpha == alphas[criteria.best])
    ((5,), True)
    """
    check_estimator(estimator, "path")
    X = as_parts(estimator, X, y, sample_weight)
    grid = read_alphas(alphas)
    check_eps(eps)
    model = clone(estimator).set_params(alpha=1.0)
    model._validate_params()

    def along(task: FitTask) -> FittedPath:
        data = model._read(X, y, sample_weight)
        if criterion is None:
            return follow_grid(model, data, grid, eps, task)
        measure = CriterionOf(model, data, criterion, ebic_gamma, noise_variance)
        return follow_grid(model, data, grid, eps, task, measure)

    if criterion is not None:
        check_settings(criterion, ebic_gamma, noise_variance)
    fitted = follow(
        model,
        along,
        X,
        y,
        sample_weight,
        size=grid if isinstance(grid, int) else len(grid),
        name="path",
    )
    extra: list[Any] = [fitted.intercepts] * return_intercepts + [fitted.n_iters] * return_n_iter
    extra += [fitted.criteria] * (criterion is not None)
    return fitted.alphas, fitted.coefs, fitted.gaps, *extra


@dataclass(frozen=True, eq=False)
class FittedPath:
    """The fits along a path, and the values of a criterion if it was measured."""

    alphas: Array
    coefs: Array
    gaps: Array
    intercepts: Array
    n_iters: Array
    criteria: InformationCriterion | None


def follow_grid(
    model: Any,
    data: TaskData,
    grid: Array | int,
    eps: float,
    task: FitTask,
    measure: CriterionOf | None = None,
) -> FittedPath:
    """The fits of a model over a grid; each is a subtask of the given task.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    grid : array of shape (n_alphas,), descending, or int
        The alphas, or their number.
    eps : float
        The smallest alpha of a computed grid divided by the largest.
    task : FitTask
    measure : CriterionOf, optional
    """
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
        if measure is not None:
            measure.add(fit)
        end += 1
        if step.end(partial(model._attributes_of, data, fit)):
            break
    alphas = grid[:end]
    criteria = None if measure is None else measure.result(alphas)
    return FittedPath(
        alphas, coefs[:, :, :end], gaps[:end], intercepts[:, :end], n_iters[:end], criteria
    )


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
    criterion: str | None = None,
    ebic_gamma: float = 1.0,
    noise_variance: float | None = None,
    **params: Any,
) -> tuple[Any, ...]:
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
        Share of the row norms in the penalty, in [0, 1]; the rest is a ridge.
    sample_weight : as in the estimator's fit, default=None
    return_intercepts, return_n_iter : bool, default=False
        As in :func:`path`.
    criterion : {"aic", "bic", "ebic"} or None, default=None
        As in :func:`path`.
    ebic_gamma : float, default=1.0
        As in :func:`path`.
    noise_variance : float or None, default=None
        As in :func:`path`.
    **params
        Other parameters of :class:`skmtl.BlockSparseRegressor`, such as ``tol`` or
        ``task_column``.

    Returns
    -------
    alphas, coefs, dual_gaps : ndarrays
        (n_alphas,), (n_tasks, n_features, n_alphas) and (n_alphas,), as in :func:`path`, followed
        by the intercepts, numbers of iterations and values of the criterion if requested.

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
        criterion=criterion,
        ebic_gamma=ebic_gamma,
        noise_variance=noise_variance,
    )
