"""
Tasks ordered in time
=====================

**Question.** My tasks are consecutive months, and effects change now and then. When do they change?
"""

# %%
# 24 simulated months with 30 rows each. Four of ten features have an effect, and each effect jumps
# twice.

import matplotlib.pyplot as plt
import numpy as np

from skmtl import FusedTaskRegressor, IndependentTaskRegressor
from skmtl.datasets import make_chain_tasks
from skmtl.model_selection import AlphaSearchCV

dataset = make_chain_tasks(
    30, 10, 24, n_jumps=2, n_informative=4, noise=1.5, layout="stacked", random_state=3
)
X, y = dataset.data, dataset.target

# %%
# The fused penalty is the sum of the absolute differences between consecutive months, so that most
# of them are exactly zero. In addition, the L1 norm removes features without an effect.

fused = AlphaSearchCV(FusedTaskRegressor(sparse=0.2, task_column=-1), alphas=25, rule="1se")
fused.fit(X, y)
separate = IndependentTaskRegressor(alpha="cv", task_column=-1).fit(X, y)
for name, model in {"separate months": separate, "fused": fused}.items():
    error = np.sqrt(np.mean((model.coef_ - dataset.coef) ** 2))
    print(f"{name}: error of a coefficient {error:.2f}")
jumps = np.abs(np.diff(fused.coef_, axis=0)) > 1e-8
print(f"months between which a coefficient changes: {jumps.sum()} of {jumps.size}")

# %%
# The four features with an effect:

fig, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True, sharey=True, layout="constrained")
for feature, ax in zip(np.flatnonzero(dataset.support), axes.flat, strict=True):
    ax.plot(separate.coef_[:, feature], "o", color="lightgrey", label="separate months")
    ax.step(range(24), dataset.coef[:, feature], color="black", where="mid", label="true")
    ax.step(range(24), fused.coef_[:, feature], color="tab:blue", where="mid", label="fused")
    ax.set_title(f"feature {feature}")
for ax in axes[-1]:
    ax.set_xlabel("month")
for ax in axes[:, 0]:
    ax.set_ylabel("coefficient")
axes[0, 0].legend(fontsize="small")
plt.show()

# %%
# **Answer.** The fused fit places the large jumps in the right month, and its coefficients are
# closer to the truth than those of separate months, with an error of 0.18 instead of 0.29. Of 230
# differences between consecutive months, 28 are not zero, whereas there are only 8 true jumps: a
# large jump is often split into one large and a few small steps, and jumps are shrunk. Read the
# large steps as changes, and the small ones with caution.
