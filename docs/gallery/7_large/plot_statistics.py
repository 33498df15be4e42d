"""
Data too large for memory
=========================

**Question.** My rows do not fit into memory. Can I fit all tasks in one pass, and still select the
penalty strength by cross-validation?
"""

# %%
# With the squared loss, sums over the rows determine the fit: counts, means and Gram matrices of
# each task. Batches are read one at a time, and can then be discarded. Here a generator stands for
# the files: 200 batches of 2,000 rows of 50 shops.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import BlockSparseRegressor, BlockSparseRegressorCV
from skmtl.design import TaskStatistics

n_shops, n_features = 50, 30
truth = np.random.default_rng(1)
coef = np.zeros((n_shops, n_features))
coef[:, :5] = truth.normal(size=(n_shops, 5))


def batches(n, seed):
    """Batches of rows with the shop in the last column, and their labels."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        shop = rng.integers(n_shops, size=2000)
        features = rng.normal(size=(2000, n_features))
        y = np.sum(features * coef[shop], axis=1) + 5.0 * rng.normal(size=2000)
        yield np.column_stack([features, shop]), y


# %%
# One statistics object for each of five folds. Whole batches are assigned to the folds in turn.

folds = [TaskStatistics(task_column=-1) for _ in range(5)]
for number, (X, y) in enumerate(batches(200, seed=0)):
    folds[number % 5].update(X, y)
total = sum(folds[1:], folds[0])
rows_size = total.label_counts_.sum() * (n_features + 2) * 8
print(f"{total.label_counts_.sum()} rows of {rows_size / 2**20:.0f} MiB")
print(f"five folds of sums: {sum(fold.nbytes for fold in folds) / 2**20:.1f} MiB")

# %%
# The CV estimators take the list of folds, and select the penalty strength without reading a row
# again.

search = BlockSparseRegressorCV(task_column=-1, alphas=20).fit_statistics(folds)
print(f"alpha {search.alpha_:.4f}, duality gap {search.dual_gap_:.1e}")

# %%
# The fit from sums is the fit to the rows, as a smaller data set shows.

small = list(batches(5, seed=2))
rows = BlockSparseRegressor(0.5, task_column=-1, tol=1e-10).fit(
    np.vstack([X for X, _ in small]), np.concatenate([y for _, y in small])
)
sums = BlockSparseRegressor(0.5, task_column=-1, tol=1e-10).fit_statistics(
    TaskStatistics.from_batches(small, task_column=-1)
)
print(f"largest difference of a coefficient: {np.abs(rows.coef_ - sums.coef_).max():.0e}")

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
error = search.mse_path_.mean(axis=1)
ax.semilogx(search.alphas_, error, "o-", color="tab:blue", markersize=3)
ax.axvline(search.alpha_, color="grey", linestyle="--", label="selected")
ax.set(xlabel="alpha", ylabel="mean squared error of held-out rows")
ax.legend()
plt.show()

# %%
# **Answer.** Yes. 400,000 rows were read once and reduced to 1.1 MiB for all folds, which does not
# grow with the number of rows. Cross-validation over 20 penalty strengths needed no further pass,
# and the fit from sums equals the fit to the rows up to rounding error.
