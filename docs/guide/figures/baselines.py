"""The coefficients of separate fits, of one pooled model and of their safe mixture."""

import numpy as np
from _coefficients import show

from skmtl import IndependentTaskRegressor, PooledTaskRegressor, SafeTransferRegressor

rng = np.random.default_rng(2)
coef = rng.normal(size=10) + 0.1 * rng.normal(size=(8, 10))
coef[6:] = rng.normal(size=(2, 10))
task = np.repeat(np.arange(8), 30)
X = rng.normal(size=(240, 10))
y = (X * coef[task]).sum(axis=1) + 2 * rng.normal(size=240)
X = np.column_stack([X, task])

panels = {
    "true coefficients": coef,
    "separate": IndependentTaskRegressor("cv", task_column=-1).fit(X, y).coef_,
    "pooled": PooledTaskRegressor("cv", task_column=-1).fit(X, y).coef_,
    "safe mixture": SafeTransferRegressor("pooled", alphas=10, task_column=-1).fit(X, y).coef_,
}
show(panels, coef, ncols=4)
