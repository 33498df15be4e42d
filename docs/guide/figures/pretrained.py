"""Common and own features, separate lassos, the pooled fit, and the pretrained lasso."""

import numpy as np
from _coefficients import draw

from skmtl.pretraining import PretrainedTaskRegressor

# Four features with the same coefficient in all six tasks, and two for each task.
rng = np.random.default_rng(0)
W = np.zeros((6, 40))
W[:, :4] = 1.0
for task in range(6):
    W[task, 4 + 2 * task : 6 + 2 * task] = 1.5
X = rng.normal(size=(180, 40))
tasks = np.repeat(np.arange(6), 30)
y = (X * W[tasks]).sum(axis=1) + 2 * rng.normal(size=180)
X = np.column_stack([X, tasks])

alone = PretrainedTaskRegressor("cv", pretraining=1, task_column=-1).fit(X, y)
model = PretrainedTaskRegressor("cv", pretraining=0.5, task_column=-1).fit(X, y)
fits = {
    "lasso of each task": alone.coef_,
    "pooled lasso": model.pooled_coef_,
    "pretrained lasso": model.coef_,
}
draw(W, fits, columns=slice(24), x_label="feature (first 24)")
