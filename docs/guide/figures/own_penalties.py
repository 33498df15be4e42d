"""The coefficients and parts of a superposition of two norms, beside their sum."""

import numpy as np
from _coefficients import show

from skmtl import IndependentTaskRegressor, MultiTaskRegressor
from skmtl.model_selection import AlphaSearchCV
from skmtl.penalties import L21, Superposition, TraceNorm

rng = np.random.default_rng(2)
coef = 0.7 * rng.normal(size=(12, 1)) @ rng.normal(size=(1, 25))
coef[:, :3] += 2 * rng.normal(size=(12, 3))
X = rng.normal(size=(35, 25))
Y = X @ coef.T + 1.5 * rng.normal(size=(35, 12))


def fitted(penalty):
    """The estimator with alpha by cross-validation."""
    search = AlphaSearchCV(MultiTaskRegressor(penalty=penalty), alphas=10, eps=0.01)
    return search.fit(X, Y).best_estimator_


model = fitted(Superposition(L21(0.6), TraceNorm(1.0)))
panels = {
    "true coefficients": coef,
    "separate ridges": IndependentTaskRegressor("cv").fit(X, Y).coef_,
    "sum of the norms": fitted(L21(0.6) + TraceNorm(1.0)).coef_,
    "superposition": model.coef_,
}
parts = {"its L2,1 part": model.parts_["l21"], "its trace-norm part": model.parts_["tracenorm"]}
figure = show(panels | parts, coef)
for ax in figure.axes[4:6]:
    ax.set_title(ax.get_title().split("\n")[0], fontsize=9)
