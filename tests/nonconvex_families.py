"""The non-convex estimators, their objectives, and the distance of a point from stationarity."""

import numpy as np
from sklearn.covariance import graphical_lasso

from skmtl import (
    CappedBlockSparseClassifier,
    CappedBlockSparseRegressor,
    GroupOverlapClassifier,
    GroupOverlapRegressor,
    SparseTaskRelationClassifier,
    SparseTaskRelationRegressor,
)


def capped_penalty(model, W, _):
    rows = np.abs(W).sum(axis=1)
    return model.alpha * np.minimum(rows, model.threshold).sum()


def mcp_penalty(model, W, _):
    total = 0.0
    for row in W:
        r, a, g = np.sqrt(sum(row**2)), model.alpha, model.gamma
        total += a * r - r**2 / (2 * g) if r <= g * a else g * a**2 / 2
    return total


def relation_penalty(model, W, _):
    P = model.task_precision_
    rest = model.sparsity * np.abs(P).sum() - np.log(np.linalg.det(P))
    return model.alpha / 2 * (np.trace(W @ P @ W.T) + len(W) * rest)


def overlap_penalty(model, W, _):
    L, S = model.latent_tasks_.T, model.assignments_.T
    rounding = np.finfo(L.dtype).eps * np.abs(L).max() * np.abs(S).max() * len(S)
    np.testing.assert_allclose(L @ S, W, atol=max(1e-10, 4 * rounding))
    return model.alpha * (np.abs(S).sum() + model.ridge / 2 * (L**2).sum())


def away_from_slopes(G, W, slope):
    """The entrywise distance of -G from the subdifferential of slope |W|."""
    return np.where(W != 0, np.abs(G + slope * np.sign(W)), np.maximum(np.abs(G) - slope, 0))


def capped_residual(model, G, W):
    slope = np.where(np.abs(W).sum(axis=1) < model.threshold, model.alpha, 0.0)
    return away_from_slopes(G, W, slope[:, None])


def mcp_residual(model, G, W):
    rows = np.sqrt((W**2).sum(axis=1))
    slope = np.maximum(model.alpha - rows / model.gamma, 0)[:, None]
    direction = np.divide(W, rows[:, None], out=np.zeros_like(W), where=rows[:, None] > 0)
    unused = np.maximum(np.sqrt((G**2).sum(axis=1)) - model.alpha, 0)[:, None]
    return np.where(rows[:, None] > 0, np.abs(G + slope * direction), unused)


def relation_residual(model, G, W):
    # Against scikit-learn's graphical lasso, which does not penalise the diagonal.
    moments = W.T @ W / len(W) + model.sparsity * np.eye(W.shape[1])
    _, P = graphical_lasso(moments, model.sparsity, tol=1e-10, enet_tol=1e-12, max_iter=1000)
    found = model.task_precision_
    np.testing.assert_allclose(found, P, rtol=2e-2, atol=2e-2 * np.abs(P).max())
    assert ((found != 0) == (found.T != 0)).all()
    return np.abs(G + model.alpha * W @ found)


def overlap_residual(model, G, W):
    L, S = model.latent_tasks_.T, model.assignments_.T
    in_S = away_from_slopes(L.T @ G, S, model.alpha)
    in_L = np.abs(G @ S.T + model.alpha * model.ridge * L)
    return np.concatenate([in_S.ravel(), in_L.ravel()])


CAPPED = CappedBlockSparseRegressor, CappedBlockSparseClassifier
RELATION = SparseTaskRelationRegressor, SparseTaskRelationClassifier
OVERLAP = GroupOverlapRegressor, GroupOverlapClassifier
FAMILIES = {
    "capped": (CAPPED, {"threshold": 0.6}, (0.3, 0.08), capped_penalty, capped_residual),
    "mcp": (
        CAPPED,
        {"penalty": "mcp", "gamma": 4.0},
        (0.3, 0.1),
        mcp_penalty,
        mcp_residual,
    ),
    "relation": (RELATION, {"sparsity": 0.2}, (0.05, 0.02), relation_penalty, relation_residual),
    "overlap": (
        OVERLAP,
        {"n_latent": 2, "random_state": 0},
        (0.1, 0.02),
        overlap_penalty,
        overlap_residual,
    ),
}


def made(name, classify, **params):
    classes, own, alphas, _, _ = FAMILIES[name]
    if classify and name in ("capped", "mcp"):
        # Unpenalised rows would diverge if they separate the labels.
        own = {**own, "threshold": 4.0, "gamma": 60.0}
    return classes[classify](alphas[classify], **{**own, **params})
