"""Ridges of the squared loss for a whole grid of strengths, from one set of Gram matrices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels, linalg
from skmtl.design import Moments, TaskData
from skmtl.estimators._signs import read_signs
from skmtl.estimators.base import linear_predictor

Array = NDArray[Any]

# The Gram matrices of which eigenvectors are held at a time.
_BLOCK_BYTES = 2**22


def has_closed_form(model: Any, data: TaskData) -> bool:
    """Whether :func:`ridge_coefficients` has the estimator's fits, at a moderate cost."""
    return (
        model._get_loss().constant_curvature
        and read_signs(model, data.X.shape[1]) is None
        and model._pooling(data) in (None, "coefficients")
        and not model._shrinks_intercepts(data)
        and Moments.pay(data)
    )


def ridge_coefficients(model: Any, data: TaskData, alphas: Array) -> tuple[Array, Array]:
    """Coefficients (n_alphas, n_tasks, n_features) and intercepts (n_alphas, n_tasks).

    With the weighted Gram matrix G = Q diag(l) Q' and c = X'y of a task, around its means, the
    solution is Q diag(1 / (l + alpha)) Q'c for every alpha. Tasks without labels get zeros, as in
    the estimator's fit.

    Parameters
    ----------
    model : estimator for which :func:`has_closed_form` is true
    data : TaskData
    alphas : array of shape (n_alphas,)
        Strengths > 0.
    """
    learned = model._learnable(data)
    coef = np.zeros((len(alphas), data.n_tasks, data.X.shape[1]))
    intercept = np.zeros((len(alphas), data.n_tasks))
    if not learned.any():
        return coef, intercept
    part = data.select(learned)
    moments = Moments.of(part, centre=model.fit_intercept)
    if model.fit_intercept:
        moments = moments.centred()
    scales = np.full(part.n_tasks, part.n_tasks / part.weights.sum())
    factors = model._task_factors(part)
    if factors is not None:
        scales = scales * factors
    grams, products = moments.xx, moments.xy.T * scales[:, None]
    if model._pooling(data) == "coefficients":
        weights = scales if len(grams) > 1 else scales.sum(keepdims=True)
        grams = np.tensordot(weights, grams, 1)[None]
        products, scales = products.sum(axis=0, keepdims=True), np.ones(1)
    if len(products) == 1 or len(grams) == 1:
        # One row for all tasks if their coefficients are pooled.
        coef[:, learned] = _shrunk(grams, scales, products, alphas)
    else:
        tasks = np.flatnonzero(learned)
        size = max(1, _BLOCK_BYTES // grams[0].nbytes)
        for start in range(0, len(tasks), size):
            block = slice(start, start + size)
            coef[:, tasks[block]] = _shrunk(grams[block], scales[block], products[block], alphas)
    intercept[:, learned] = moments.y_origin - (coef[:, learned] * moments.x_origin).sum(axis=2)
    return coef, intercept


def _shrunk(grams: Array, scales: Array, products: Array, alphas: Array) -> Array:
    """The coefficients (n_alphas, n_tasks, n_features) for Gram matrices and X'y of tasks."""
    if len(grams) > 1 and grams.shape[1] <= linalg.SMALL_SIDE:
        found = _solved(grams, scales, products, alphas)
        if found is not None:
            return found
    values, vectors = np.linalg.eigh(grams)
    values = np.maximum(values, 0.0) * scales[:, None]
    turned = (products[:, None, :] @ vectors)[:, 0]
    shrunk = turned / (values + alphas[:, None, None])
    if len(grams) == 1:
        return np.asarray(shrunk @ vectors[0].T)
    return np.asarray((vectors @ shrunk[:, :, :, None])[:, :, :, 0])


def _solved(grams: Array, scales: Array, products: Array, alphas: Array) -> Array | None:
    """The coefficients by factors for each alpha, which take less time if the matrices are small.

    None if a matrix is not numerically positive definite.
    """
    coef = np.tile(products, (len(alphas), 1, 1))
    for alpha, rows in zip(alphas, coef, strict=True):
        factors = linalg.factorise(grams, scales, np.full(len(grams), alpha))
        if factors is None:
            return None
        kernels.solve_factored(factors, rows)
    return coef


def held_out_losses(model: Any, data: TaskData, train: Array, test: Array, alphas: Array) -> Array:
    """Weighted sums of the losses (n_alphas, n_tasks) of rows ``test``, fitted on ``train``."""
    coef, intercept = ridge_coefficients(model, data.take(train), alphas)
    held_out, losses = data.take(test), np.zeros((len(alphas), data.n_tasks))
    for k in range(len(alphas)):
        Z = linear_predictor(held_out.X, held_out.codes, coef[k], intercept[k])
        losses[k] = held_out.per_task(held_out.weights * model._get_loss().value(held_out.y, Z))
    return losses
