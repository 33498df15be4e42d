"""Ridges of the squared loss for a whole grid of strengths, from one eigendecomposition."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import Moments, TaskData
from skmtl.estimators._signs import read_signs
from skmtl.estimators.base import linear_predictor

Array = NDArray[Any]


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
    values, vectors = np.linalg.eigh(grams)
    values = np.maximum(values, 0.0) * scales[:, None]
    turned = (products[:, None, :] @ vectors)[:, 0]
    for k, alpha in enumerate(alphas):
        # One row for all tasks if their coefficients are pooled.
        shrunk = turned / (values + alpha)
        coef[k, learned] = (vectors @ shrunk[:, :, None])[:, :, 0]
    intercept[:, learned] = moments.y_origin - (coef[:, learned] * moments.x_origin).sum(axis=2)
    return coef, intercept


def held_out_losses(model: Any, data: TaskData, train: Array, test: Array, alphas: Array) -> Array:
    """Weighted sums of the losses (n_alphas, n_tasks) of rows ``test``, fitted on ``train``."""
    coef, intercept = ridge_coefficients(model, data.take(train), alphas)
    held_out, losses = data.take(test), np.zeros((len(alphas), data.n_tasks))
    for k in range(len(alphas)):
        Z = linear_predictor(held_out.X, held_out.codes, coef[k], intercept[k])
        losses[k] = held_out.per_task(held_out.weights * model._get_loss().value(held_out.y, Z))
    return losses
