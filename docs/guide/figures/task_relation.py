"""Tasks of opposite signs, separate fits, and a fit with a learned covariance."""

from _coefficients import draw

from skmtl import IndependentTaskRegressor, TaskRelationRegressorCV
from skmtl.datasets import make_related_tasks
from skmtl.model_selection import AlphaSearchCV

data = make_related_tasks(
    20, 15, 12, covariance="opposed", noise=2, layout="stacked", random_state=1
)
separate = AlphaSearchCV(IndependentTaskRegressor(task_column=-1), alphas=12)
relation = TaskRelationRegressorCV(12, task_column=-1)
draw(
    data.coef,
    {
        "separate fits": separate.fit(data.data, data.target).coef_,
        "learned covariance": relation.fit(data.data, data.target).coef_,
    },
)
