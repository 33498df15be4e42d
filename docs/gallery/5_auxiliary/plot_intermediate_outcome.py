"""
I only learn the outcome six months later
=========================================

**Question.** Few patients have reached the final outcome, but many have intermediate measurements
that will not be known when the model predicts. Can these help?
"""

# %%
# A simulation: 40 features are known at admission. Four of them drive the outcome after six months
# and also three measurements taken at one, two and three months. 30 patients have the outcome, 300
# have the measurements.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import BlockSparseRegressor
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.model_selection import AlphaSearchCV

rng = np.random.default_rng(0)
n_features, n_patients, n_outcomes = 40, 300, 30
coef = np.zeros((4, n_features))
coef[:, :4] = 1.0 + 0.3 * rng.normal(size=(4, 4))  # the outcome first, then the measurements
features = rng.normal(size=(n_patients, n_features))
targets = features @ coef.T + 2.0 * rng.normal(size=(n_patients, 4))

X = np.column_stack([features, targets[:, 1:]])
y = np.where(np.arange(n_patients) < n_outcomes, targets[:, 0], np.nan)
measurements = [n_features, n_features + 1, n_features + 2]

# %%
# The measurements are columns of X that :class:`~skmtl.auxiliary.AuxiliaryTaskRegressor` predicts
# as further tasks in ``fit``, and never uses as features. ``predict`` does not need them.

known = slice(n_outcomes)
alone = AlphaSearchCV(BlockSparseRegressor(), alphas=25).fit(features[known], y[known])


def with_measurements(weight):
    """A model in which each measurement counts this much beside the outcome."""
    shared = BlockSparseRegressor(alpha=alone.alpha_)
    return AuxiliaryTaskRegressor(shared, auxiliary=measurements, weight=weight).fit(X, y[:, None])


X_test = np.full((2000, n_features + 3), np.nan)
X_test[:, :n_features] = rng.normal(size=(2000, n_features))
truth = X_test[:, :n_features] @ coef[0]


def rmse(predicted):
    """Distance to the expected outcome of new patients."""
    return np.sqrt(np.mean((np.ravel(predicted) - truth) ** 2))


weights = [0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
errors = [rmse(with_measurements(weight).predict(X_test)) for weight in weights]
selected = with_measurements("cv")
print(f"outcome alone: error {rmse(alone.predict(X_test[:, :n_features])):.2f}")
print("with measurements:", dict(zip(weights, np.round(errors, 2).tolist(), strict=True)))
print(f"weight selected by cross-validation: {selected.weight_}")

# %%
place = np.arange(len(weights))
best = weights.index(selected.weight_)
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.plot(place, errors, "o-", color="tab:blue")
ax.plot(best, errors[best], "s", color="tab:orange", label="selected by cross-validation")
ax.axhline(errors[0], color="grey", linestyle="--", label="outcome alone")
ax.set_xticks(place, [f"{weight:g}" for weight in weights])
ax.set(xlabel="weight of each measurement", ylabel="error for new patients", ylim=(0, 1.4))
ax.legend()
plt.show()

# %%
# **Answer.** Yes. The error falls from 1.10 to 0.94 when each measurement counts as much as the
# outcome, which is also the weight that cross-validation selects from the 30 known outcomes. A
# larger weight is worse again, since the measurements are not the outcome. Set ``weight="cv"``
# unless you know better: it keeps a weight of 0 if the measurements do not reliably help.
