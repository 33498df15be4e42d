"""The coefficients and the parts of a robust model, beside separate fits and low rank."""

from _coefficients import show

from skmtl import IndependentTaskRegressor, LowRankRegressor, RobustTaskRegressor
from skmtl.datasets import make_outlier_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_outlier_tasks(
    30, 20, 12, n_outliers=2, structure="center", noise=2.0, random_state=0
)


def fitted(model):
    """The estimator with alpha by cross-validation."""
    search = AlphaSearchCV(model, alphas=10, eps=0.02)
    return search.fit(dataset.data, dataset.target).best_estimator_


robust = fitted(RobustTaskRegressor())
panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(dataset.data, dataset.target).coef_,
    "low rank": fitted(LowRankRegressor()).coef_,
    "robust": robust.coef_,
}
parts = {"its shared part": robust.shared_coef_, "its outliers": robust.task_coef_}
show(panels, dataset.coef, parts)
