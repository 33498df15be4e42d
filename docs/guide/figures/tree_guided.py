"""Tasks on a tree, separate lasso fits, block sparsity, and a fit guided by the tree."""

import numpy as np
from _heatmaps import draw
from scipy.cluster.hierarchy import leaves_list

from skmtl import BlockSparseRegressor, TreeGuidedRegressor
from skmtl.datasets import make_tree_tasks
from skmtl.model_selection import AlphaSearchCV
from skmtl.pretraining import PretrainedTaskRegressor

data = make_tree_tasks(60, 60, 8, noise=2, layout="stacked", random_state=0)
X, y = data.data, data.target
models = {
    # Without pretraining, this is a lasso for each task.
    "lasso for each task": PretrainedTaskRegressor("cv", pretraining=1, task_column=-1),
    "block-sparse": AlphaSearchCV(BlockSparseRegressor(task_column=-1), alphas=12, cv=3),
    "tree-guided": TreeGuidedRegressor(0.5, tree=data.tree, task_column=-1),
}
fits = {name: model.fit(X, y).coef_ for name, model in models.items()}
# The features in the order of the nodes, so that each node's are next to each other.
columns = np.argsort(np.where(data.feature_groups < 0, 99, data.feature_groups), kind="stable")
columns = columns[:40]
draw(
    data.coef[:, columns],
    {name: coef[:, columns] for name, coef in fits.items()},
    order=leaves_list(data.linkage),
    x_label="feature, by node",
    y_label="task, by branch",
)
