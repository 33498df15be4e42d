"""Tasks whose coefficients change slowly along a chain, and three fits."""

from _coefficients import draw

from skmtl import GraphRegularizedRegressor, IndependentTaskRegressor
from skmtl.datasets import make_related_tasks
from skmtl.model_selection import AlphaSearchCV

data = make_related_tasks(
    15, 10, 20, covariance="ar1", strength=0.95, noise=2, layout="stacked", random_state=0
)
models = {
    "separate fits": IndependentTaskRegressor(task_column=-1),
    "complete graph": GraphRegularizedRegressor(task_column=-1, ridge=0.05),
    "chain": GraphRegularizedRegressor(task_column=-1, graph="chain", ridge=0.05),
}
fits = {
    name: AlphaSearchCV(model, alphas=12).fit(data.data, data.target).coef_
    for name, model in models.items()
}
draw(data.coef, fits)
