"""True clusters, separate fits, and clusters that the fit has found."""

import numpy as np
from _coefficients import draw

from skmtl import ClusteredTaskRegressorCV, IndependentTaskRegressor
from skmtl.datasets import make_clustered_tasks
from skmtl.model_selection import AlphaSearchCV

data = make_clustered_tasks(25, 20, 12, n_clusters=3, noise=3, layout="stacked", random_state=0)
separate = AlphaSearchCV(IndependentTaskRegressor(task_column=-1), alphas=12)
clustered = ClusteredTaskRegressorCV(12, n_clusters=3, between=0.1, task_column=-1)
draw(
    data.coef,
    {
        "separate fits": separate.fit(data.data, data.target).coef_,
        "three unknown clusters": clustered.fit(data.data, data.target).coef_,
    },
    order=np.argsort(data.labels, kind="stable"),
    y_label="task, sorted by cluster",
)
