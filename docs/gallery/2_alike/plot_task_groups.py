"""
Which of my tasks are alike?
============================

**Question.** I have two dozen tasks and suspect that they form groups. Which tasks belong together,
and how many groups are there?
"""

# %%
# 24 simulated tasks in three groups, with 25 rows and 15 features each. Within a group the
# coefficients are similar.

import matplotlib.pyplot as plt
from sklearn.metrics import adjusted_rand_score

from skmtl import TaskRelationRegressor
from skmtl.datasets import make_clustered_tasks
from skmtl.inspection import TaskRelationDisplay, group_tasks, task_affinity

dataset = make_clustered_tasks(
    25, 15, 24, n_clusters=3, spread=0.3, noise=3.0, layout="stacked", random_state=0
)
X, y = dataset.data, dataset.target

# %%
# The task relation estimator learns the correlation between the tasks' coefficients, without a
# number of groups. :func:`~skmtl.inspection.task_affinity` selects its penalty strength by
# cross-validation.

affinity = task_affinity(TaskRelationRegressor(task_column=-1), X, y, random_state=0)
display = TaskRelationDisplay.from_result(affinity.matrix, tasks=affinity.tasks, dendrogram=True)
plt.show()

# %%
# :func:`~skmtl.inspection.group_tasks` cuts the tasks into groups and compares numbers of groups by
# the loss of held-out labels.

groups = group_tasks(TaskRelationRegressor(task_column=-1), X, y, random_state=0)
print(groups)
print("agreement with the true groups:", adjusted_rand_score(dataset.labels, groups.labels))

# %%
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.errorbar(groups.candidates, groups.losses, groups.errors, fmt="o-", color="tab:blue")
ax.axvline(groups.n_groups, color="grey", linestyle="--", label="selected")
ax.set(xlabel="number of groups", ylabel="loss of held-out labels")
ax.legend()
plt.show()

# %%
# **Answer.** The heat map shows three blocks, and the loss of held-out labels is smallest for three
# groups. All 24 tasks are assigned to their true groups, from 25 rows each. The labels of the
# groups can be passed to :class:`~skmtl.ClusteredTaskRegressor` as ``clusters``.
