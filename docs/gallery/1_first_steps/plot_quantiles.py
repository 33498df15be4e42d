"""
Quantiles, not means
====================

**Question.** I plan for bad days: I need the 90% quantile of the demand in each shop, not its mean.
Can shops share that, too?
"""

# %%
# Set ``loss="quantile"``. In this simulation the demand of ten shops with 80 days each is skewed,
# and its spread grows with the temperature, so that the effect of the temperature is larger at
# higher quantiles.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import BlockSparseRegressor, IndependentTaskRegressor
from skmtl.metrics import d2_pinball_score
from skmtl.model_selection import AlphaSearchCV

rng = np.random.default_rng(0)
n_shops, n_features = 10, 12
slopes = rng.normal(1.0, 0.3, size=n_shops)


def days(n):
    """Features, the first two of which are temperature and weekday, the shop, and demand."""
    shop = np.repeat(np.arange(n_shops), n)
    features = rng.uniform(-1, 1, size=(len(shop), n_features))
    temperature, weekday = features[:, 0], features[:, 1]
    spread = 1.0 + 0.8 * temperature
    demand = 2 * slopes[shop] * weekday + spread * rng.exponential(1.5, size=len(shop))
    return np.column_stack([features, shop]), demand


X_train, y_train = days(80)
X_test, y_test = days(500)

# %%
quantiles = [0.5, 0.9]
shared, separate = {}, {}
for q in quantiles:
    options = {"loss": "quantile", "quantile": q, "task_column": -1}
    shared[q] = AlphaSearchCV(BlockSparseRegressor(**options), alphas=8, eps=0.1, cv=3)
    shared[q].fit(X_train, y_train)
    separate[q] = IndependentTaskRegressor(alpha="cv", **options).fit(X_train, y_train)
    for name, model in {"shared": shared[q], "separate": separate[q]}.items():
        predicted = model.predict(X_test)
        below = np.mean(y_test <= predicted)
        score = d2_pinball_score(y_test, predicted, alpha=q)
        print(f"quantile {q}, {name}: {below:.3f} of new days below, explains {score:.2f}")
    print("   features in use:", np.flatnonzero(np.any(shared[q].coef_ != 0, axis=0)))

# %%
# The fitted and the true quantiles of the first shop:

grid = np.zeros((50, n_features + 1))
grid[:, 0] = np.linspace(-1, 1, 50)
rows = X_train[:, -1] == 0
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
grey = X_test[:, -1] == 0
at_weekday_zero = y_test[grey] - 2 * slopes[0] * X_test[grey, 1]
ax.plot(X_test[grey, 0], at_weekday_zero, ".", color="lightgrey", label="new days of shop 0")
for q, style in zip(quantiles, ["-", "--"], strict=True):
    ax.plot(grid[:, 0], shared[q].predict(grid), style, color="tab:blue", label=f"shared, {q:.0%}")
    true = (1.0 + 0.8 * grid[:, 0]) * -1.5 * np.log(1 - q)
    ax.plot(grid[:, 0], true, style, color="black", linewidth=1, label=f"true, {q:.0%}")
ax.set(xlabel="temperature", ylabel="demand, weekday effect removed")
ax.legend()
plt.show()

# %%
# **Answer.** Yes. The lines of the joint model are close to the true quantiles: 51% of the new days
# lie below the median and 89% below the 90% quantile. Separate models of the 90% quantile, each
# from 80 days and tuned as well, do worse: 86.7% of the new days lie below, and by the pinball loss
# they explain 6%, the joint model 17%. High quantiles depend on few days, so that sharing matters
# more for them than for the median.
