"""Three related functions, one with few labels: separate and joint Gaussian processes."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from skmtl.kernels import TaskKernel

rng = np.random.default_rng(0)
grid = np.linspace(0, 6, 200)
wave, ripple = np.sin(grid), 0.3 * np.cos(2 * grid)
functions = [wave, ripple - wave, 0.7 * wave + ripple]
places = [np.sort(rng.uniform(0, end, size)) for end, size in ((6, 25), (6, 25), (3, 8))]
labels = [
    np.interp(x, grid, function) + 0.15 * rng.normal(size=len(x))
    for x, function in zip(places, functions, strict=True)
]
tasks = np.repeat([0, 1, 2], [len(x) for x in places])
X, y = np.column_stack([np.concatenate(places), tasks]), np.concatenate(labels)

kernel = TaskKernel(
    RBF(1.0), task_column=-1, tasks=3, rank=2, variances=0.05, variances_bounds="fixed"
)
joint = GaussianProcessRegressor(kernel + WhiteKernel(0.02)).fit(X, y)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
for task, ax in enumerate(axes):
    alone = GaussianProcessRegressor(ConstantKernel() * RBF(1.0) + WhiteKernel(0.02))
    alone.fit(places[task][:, None], labels[task])
    mean, std = joint.predict(np.column_stack([grid, np.full(200, task)]), return_std=True)
    ax.plot(grid, functions[task], "k--", lw=1, label="true function")
    ax.plot(grid, alone.predict(grid[:, None]), color="tab:orange", label="separate")
    ax.plot(grid, mean, color="tab:blue", label="with TaskKernel")
    ax.fill_between(grid, mean - 2 * std, mean + 2 * std, color="tab:blue", alpha=0.15, lw=0)
    ax.plot(places[task], labels[task], "k.", markersize=4, label="labels")
    ax.set(title=f"task {task}", xlabel="x")
axes[0].set_ylabel("y")
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
)
