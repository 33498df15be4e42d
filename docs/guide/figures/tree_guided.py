"""Tasks in three branches, a lasso for each task, block sparsity, and a fit with the tree."""

import numpy as np
from _coefficients import draw

from skmtl import BlockSparseRegressor, TreeGuidedRegressor
from skmtl.model_selection import AlphaSearchCV
from skmtl.pretraining import PretrainedTaskRegressor

# Two features for all 15 tasks, and five for each branch of five tasks.
rng = np.random.default_rng(1)
tree = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]
W = np.zeros((15, 60))
W[:, :2] = rng.normal(size=(15, 2))
for branch, tasks in enumerate(tree):
    W[np.ix_(tasks, range(2 + 5 * branch, 7 + 5 * branch))] = rng.normal(size=(5, 5))
tasks = np.repeat(np.arange(15), 30)
X = rng.normal(size=(450, 60))
y = (X * W[tasks]).sum(axis=1) + rng.normal(size=450)
X = np.column_stack([X, tasks])

models = {
    # Without pretraining, this is a lasso for each task.
    "lasso": PretrainedTaskRegressor("cv", pretraining=1, task_column=-1),
    "block-sparse": AlphaSearchCV(BlockSparseRegressor(task_column=-1), alphas=12, cv=3),
    "with the tree": AlphaSearchCV(TreeGuidedRegressor(tree=tree, task_column=-1), alphas=6, cv=3),
}
fits = {name: model.fit(X, y).coef_ for name, model in models.items()}
draw(W, fits, columns=slice(30), x_label="feature (first half)")
