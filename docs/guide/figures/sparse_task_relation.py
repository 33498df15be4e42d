"""Tasks in three blocks, and the graph between them that a fit has found."""

import matplotlib.pyplot as plt
import numpy as np
from _coefficients import error

from skmtl import IndependentTaskRegressor, SparseTaskRelationRegressor
from skmtl.datasets import make_related_tasks
from skmtl.model_selection import AlphaSearchCV

covariance = np.kron(np.eye(3), np.full((4, 4), 0.9)) + 0.1 * np.eye(12)
data = make_related_tasks(
    40, 30, 12, covariance=covariance, noise=2, layout="stacked", random_state=1
)
separate = AlphaSearchCV(IndependentTaskRegressor(task_column=-1), alphas=12)
separate.fit(data.data, data.target)
sparse = SparseTaskRelationRegressor(0.1, sparsity=0.1, task_column=-1)
sparse.fit(data.data, data.target)
precisions = [np.linalg.inv(covariance), sparse.task_precision_]
errors = [error(model.coef_, data.coef) for model in (separate, sparse)]

titles = ["true precision", "learned precision", "learned graph"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.7))
for ax, precision, title in zip(axes, precisions, titles, strict=False):
    limit = np.abs(precision[~np.eye(12, dtype=bool)]).max()
    ax.imshow(precision, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=title, xlabel="task")
axes[2].imshow(sparse.task_graph_, cmap="Greys")
axes[2].set(title=titles[2], xlabel="task")
axes[0].set_ylabel("task")
figure.suptitle(
    f"error of the coefficients: separate fits {errors[0]:.2f}, sparse graph {errors[1]:.2f}",
    fontsize=10,
)
