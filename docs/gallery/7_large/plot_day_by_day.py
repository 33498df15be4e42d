"""
Rows arrive day by day
======================

**Question.** New rows arrive every day, and new tasks with them. Must I fit everything again?
"""

# %%
# ``partial_fit`` adds the new rows to the sums over all earlier ones, and fits from the sums,
# starting from the last solution. The result is the same as that of a fit to all rows so far. Here
# four stores send 10 rows a day each, and a fifth opens on day 10.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import GraphRegularizedRegressor

rng = np.random.default_rng(0)
n_features, noise = 12, 3.0
common = rng.normal(size=n_features)
coef = common + 0.3 * rng.normal(size=(5, n_features))


def day(number):
    """The rows of all stores that are open, and their labels."""
    store = np.repeat(np.arange(5 if number >= 10 else 4), 10)
    features = rng.normal(size=(len(store), n_features))
    y = np.sum(features * coef[store], axis=1) + noise * rng.normal(size=len(store))
    return np.column_stack([features, store]), y


# %%
model = GraphRegularizedRegressor(1.0, task_column=-1, tol=1e-8)
history, errors = [], []
for number in range(30):
    X, y = day(number)
    model.partial_fit(X, y)
    history.append((X, y))
    error = np.full(5, np.nan)
    error[model.tasks_.astype(int)] = np.sqrt(
        np.mean((model.coef_ - coef[model.tasks_.astype(int)]) ** 2, axis=1)
    )
    errors.append(error)

# %%
again = GraphRegularizedRegressor(1.0, task_column=-1, tol=1e-8).fit(
    np.vstack([X for X, _ in history]), np.concatenate([y for _, y in history])
)
print(f"difference from a fit to all rows: {np.abs(model.coef_ - again.coef_).max():.0e}")
errors = np.array(errors)
print("error of the stores' coefficients on day 10:", np.round(errors[10], 2))

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.plot(errors[:, :4], color="grey", linewidth=1)
ax.plot([], color="grey", label="four stores from the start")
ax.plot(errors[:, 4], "o-", color="tab:blue", markersize=3, label="the fifth store")
ax.set(xlabel="day", ylabel="error of a coefficient", ylim=(0, None))
ax.legend()
plt.show()

# %%
# **Answer.** No: each day costs a fit from sums, whose size does not depend on the days before, and
# the result is that of a fit to all rows, up to rounding error. The fifth store, which opens on day
# 10, starts with about half the error that the other stores had on their first day, since it shares
# with them, and has caught up after a week. The penalty strength was fixed here; with more rows a
# weaker penalty would be better, so select it again from time to time.
