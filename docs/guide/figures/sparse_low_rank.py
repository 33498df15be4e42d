"""The coefficients and the parts of a sparse plus low-rank model, beside separate fits."""

from _coefficients import show

from skmtl import IndependentTaskRegressor, LowRankRegressor, SparseLowRankRegressor
from skmtl.datasets import make_low_rank_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_low_rank_tasks(50, 20, 12, rank=2, n_sparse=10, noise=2.5, random_state=1)


def fitted(model):
    """The estimator with alpha by cross-validation."""
    search = AlphaSearchCV(model, alphas=10, eps=0.01)
    return search.fit(dataset.data, dataset.target).best_estimator_


model = fitted(SparseLowRankRegressor())
panels = {
    "true coefficients": dataset.coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(dataset.data, dataset.target).coef_,
    "low rank": fitted(LowRankRegressor()).coef_,
    "sparse + low rank": model.coef_,
}
parts = {"its low-rank part": model.shared_coef_, "its sparse part": model.task_coef_}
show(panels, dataset.coef, parts)
