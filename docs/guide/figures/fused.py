"""Tasks whose coefficients jump along a chain, and three fits."""

from _coefficients import draw

from skmtl import FusedTaskRegressor, GraphRegularizedRegressor, IndependentTaskRegressor
from skmtl.datasets import make_chain_tasks
from skmtl.model_selection import AlphaSearchCV

data = make_chain_tasks(
    20, 10, 20, n_jumps=2, n_informative=5, noise=2, layout="stacked", random_state=0
)
models = {
    "separate fits": IndependentTaskRegressor(task_column=-1),
    "smooth chain": GraphRegularizedRegressor(task_column=-1, graph="chain", ridge=0.05),
    "fused chain": FusedTaskRegressor(task_column=-1, sparse=0.2),
}
fits = {
    name: AlphaSearchCV(model, alphas=12).fit(data.data, data.target).coef_
    for name, model in models.items()
}
draw(data.coef, fits)
