"""The coefficients of GO-MTL, its latent tasks and its assignments, beside separate fits."""

import matplotlib.pyplot as plt
import numpy as np
from _coefficients import show

from skmtl import GroupOverlapRegressor, IndependentTaskRegressor, LowRankRegressor
from skmtl.datasets import make_overlapping_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_overlapping_tasks(30, 20, 15, n_latent=4, n_combined=2, random_state=1)
X, Y = dataset.data, dataset.target
model = GroupOverlapRegressor(0.1, n_latent=4, n_init=5, random_state=0).fit(X, Y)
low_rank = AlphaSearchCV(LowRankRegressor(), alphas=10, eps=0.01).fit(X, Y)
panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(X, Y).coef_,
    "low rank": low_rank.coef_,
    "group overlap": model.coef_,
}
figure = plt.figure(figsize=(7.6, 5), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.2])
show(panels, dataset.coef, ncols=4, figure=top)


def in_order(assignments, latent):
    """Assignments in the order and with the signs of the true latent tasks, each of unit length."""
    lengths = np.linalg.norm(latent, axis=1)
    unit = dataset.latent / np.linalg.norm(dataset.latent, axis=1, keepdims=True)
    cosines = unit @ (latent / lengths[:, None]).T
    best = np.abs(cosines).argmax(axis=1)
    return (assignments * lengths)[:, best] * np.sign(cosines[np.arange(len(best)), best])


matrices = {
    "true assignments": in_order(dataset.assignments, dataset.latent),
    "fitted assignments": in_order(model.assignments_, model.latent_tasks_),
}
axes = bottom.subplots(1, 2, sharey=True)
limit = max(np.abs(matrix).max() for matrix in matrices.values())
for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    ax.set_title(title, fontsize=9)
    ax.set_xlabel("latent task", fontsize=8)
    ax.set_xticks(range(4))
axes[0].set_ylabel("task", fontsize=8)
axes[0].set_yticks(range(0, 15, 2))
bottom.colorbar(image, ax=axes, label="assignment × length")
