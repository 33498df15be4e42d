"""
Tasks in a tree
===============

**Question.** My tasks have a hierarchy, such as brands within countries within regions. Can close
tasks share more features than distant ones?
"""

# %%
# Eight simulated tasks are the leaves of a binary tree. Every node has two features of its own,
# which matter for all tasks below it: two features matter for all tasks, two for each half, and so
# on.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import BlockSparseRegressor, IndependentTaskRegressor, TreeGuidedRegressor
from skmtl.datasets import make_tree_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_tree_tasks(40 + 1000, 60, 8, n_informative=2, noise=1.0, random_state=0)
X, Y = dataset.data[:40], dataset.target[:40]
X_test, Y_test = dataset.data[40:], dataset.target[40:]
print("the tree:", dataset.tree)

# %%
# The tree is given as nested lists (or as a linkage matrix of SciPy); ``tree="auto"`` learns one
# from the labels.

models = {
    "separate": IndependentTaskRegressor(alpha="cv"),
    "the same features for all": AlphaSearchCV(BlockSparseRegressor(), alphas=25),
    "tree, learned": AlphaSearchCV(TreeGuidedRegressor(tree="auto"), alphas=25),
    "tree, given": AlphaSearchCV(TreeGuidedRegressor(tree=dataset.tree), alphas=25),
}
for name, model in models.items():
    model.fit(X, Y)
    error = np.sqrt(np.mean((model.predict(X_test) - Y_test) ** 2))
    print(f"{name}: test RMSE {error:.2f}")

# %%
# The coefficients of the relevant features, sorted by node, with the tasks in the order of the
# leaves:

leaves = [task for half in dataset.tree for pair in half for task in pair]
features = np.argsort(
    np.where(dataset.feature_groups < 0, 99, dataset.feature_groups), kind="stable"
)
shown = features[: np.sum(dataset.feature_groups >= 0)]
fig, axes = plt.subplots(1, 3, figsize=(9, 4.5), sharey=True, layout="constrained")
images = {
    "true": dataset.coef,
    "the same features for all": models["the same features for all"].coef_,
    "tree, given": models["tree, given"].coef_,
}
for (name, coef), ax in zip(images.items(), axes, strict=True):
    image = ax.imshow(coef[np.ix_(leaves, shown)].T, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    ax.set(title=name, xlabel="task", xticks=range(8), xticklabels=leaves)
axes[0].set_ylabel("relevant features, root first")
fig.colorbar(image, ax=axes, label="coefficient")
plt.show()

# %%
# **Answer.** Yes. Sharing the same features over all tasks lowers the error from 2.00 to 1.54, and
# the tree lowers it to 1.41: it drops features for one branch that matter for another. The learned
# tree predicts as well as the true one. Features that matter for a single task, the last rows of
# each branch, are the hardest to find.
