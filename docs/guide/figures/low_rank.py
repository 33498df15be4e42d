"""The coefficients and the singular values of low-rank fits, beside separate fits."""

import matplotlib.pyplot as plt
import numpy as np
from _coefficients import show

from skmtl import IndependentTaskRegressor, LowRankRegressor
from skmtl.datasets import make_low_rank_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_low_rank_tasks(30, 20, 12, rank=2, noise=2.0, random_state=0)
search = AlphaSearchCV(LowRankRegressor(), alphas=10, eps=0.01)
panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(dataset.data, dataset.target).coef_,
    "low rank": search.fit(dataset.data, dataset.target).coef_,
}
figure = plt.figure(figsize=(7.6, 4.2), layout="constrained")
top, bottom = figure.subfigures(2, 1)
show(panels, dataset.coef, figure=top)

ax = bottom.subplots()
styles = [("0.3", "o"), ("tab:orange", "s"), ("tab:blue", "^")]
for (title, coef), (colour, marker) in zip(panels.items(), styles, strict=True):
    values = np.linalg.svd(coef, compute_uv=False)
    values = np.where(values > 1e-6, values, 0.0)
    ax.plot(np.arange(1, 13), values, marker=marker, color=colour, label=title, lw=1)
ax.set(xlabel="number of the singular value", ylabel="singular value")
ax.legend(frameon=False)
