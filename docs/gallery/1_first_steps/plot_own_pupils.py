"""
Every school has its own pupils
===============================

**Question.** My rows belong to different schools, hospitals or shops, some large and some small.
How do I fit all of them in one scikit-learn pipeline?
"""

# %%
# Stack the rows of all schools and keep the school as a column: this is the stacked layout. Here 20
# schools with 10 to 80 pupils are simulated. Their coefficients vary around a common centre.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import GraphRegularizedRegressor, IndependentTaskRegressor
from skmtl.datasets import make_clustered_tasks
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer

sizes = np.linspace(10, 80, 20).astype(int)
dataset = make_clustered_tasks(
    sizes + 200, 8, 20, n_clusters=1, spread=0.4, noise=3.0, layout="stacked", random_state=0
)
names = [f"x{j}" for j in range(8)]
pupils = pd.DataFrame(dataset.data[:, :-1], columns=names)
pupils["school"] = [f"school {int(task):02d}" for task in dataset.data[:, -1]]
score = pd.Series(dataset.target)

# The last 200 pupils of each school are for testing.
from_the_end = pupils.groupby("school").cumcount(ascending=False)
X_train, y_train = pupils[from_the_end >= 200], score[from_the_end >= 200]
X_test, y_test = pupils[from_the_end < 200], score[from_the_end < 200]
print(X_train.tail(3).round(2).to_string())

# %%
# :class:`~skmtl.preprocessing.TaskTransformer` applies any transformer to all columns except the
# school. The folds of :class:`~skmtl.model_selection.StratifiedTaskKFold` hold pupils of every
# school.

scaler = TaskTransformer(StandardScaler(), task_column="school")
folds = StratifiedTaskKFold(5, task_column="school", random_state=0)
joint = GridSearchCV(
    make_pipeline(scaler, GraphRegularizedRegressor(task_column="school")),
    {"graphregularizedregressor__alpha": np.logspace(-1, 2, 7)},
    cv=folds,
    scoring="neg_mean_squared_error",
)
joint.fit(X_train, y_train)
separate = make_pipeline(scaler, IndependentTaskRegressor(alpha="cv", task_column="school"))
separate.fit(X_train, y_train)
print(f"selected alpha: {joint.best_params_['graphregularizedregressor__alpha']:g}")


def rmse_by_school(model):
    """Root mean squared error of the test pupils of each school."""
    squares = (y_test - model.predict(X_test)) ** 2
    return np.sqrt(squares.groupby(X_test["school"]).mean())


errors = {"separate models": rmse_by_school(separate), "joint model": rmse_by_school(joint)}
for name, error in errors.items():
    print(f"{name}: smallest schools {error[:5].mean():.2f}, largest {error[-5:].mean():.2f}")

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for (name, error), colour in zip(errors.items(), ["tab:orange", "tab:blue"], strict=True):
    ax.plot(sizes, error, "o", color=colour, label=name)
ax.axhline(3.0, color="grey", linestyle="--", label="noise")
ax.set(xlabel="pupils in the training set", ylabel="test RMSE")
ax.legend()
plt.show()

# %%
# **Answer.** With a task column, the whole pipeline and its grid search work as for any other
# estimator. In the five smallest schools the joint model lowers the error from 3.62 to 3.27; in the
# five largest, which have enough pupils of their own, it is the same as that of separate models.
