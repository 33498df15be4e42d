"""The coefficients of a dirty model and its two parts, beside block sparsity and separate fits."""

import numpy as np
from _coefficients import show

from skmtl import BlockSparseRegressor, DirtyModelRegressor, IndependentTaskRegressor
from skmtl.model_selection import AlphaSearchCV

rng = np.random.default_rng(1)
coef = np.zeros((8, 30))
coef[:, :3] = 1.5 * rng.choice([-1, 1], size=(8, 3))
for row in coef:
    row[3 + rng.permutation(27)[:2]] = 2 * rng.choice([-1, 1], size=2)
X = rng.normal(size=(40, 30))
Y = X @ coef.T + rng.normal(size=(40, 8))


def fitted(model):
    """The estimator with alpha by cross-validation."""
    return AlphaSearchCV(model, alphas=10, eps=0.01).fit(X, Y).best_estimator_


dirty = fitted(DirtyModelRegressor(norm="l2"))
panels = {
    "true coefficients": coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(X, Y).coef_,
    "block-sparse": fitted(BlockSparseRegressor()).coef_,
    "dirty model, norm='l2'": dirty.coef_,
}
parts = {"its shared part": dirty.shared_coef_, "its private part": dirty.task_coef_}
show(panels, coef, parts)
